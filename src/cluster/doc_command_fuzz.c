/* Any bytes as a command: what is taken must be applied the same way by two sets, and encode to the same bytes again. */
#include "cluster/doc_set.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void apply_twice(struct str command)
{
        struct doc_set a, b;
        struct doc_result r, q;

        doc_set_init(&a);
        doc_set_init(&b);
        for (uint64_t i = 1; i <= 2; i++) {
                AUTO_ERR struct err *e = doc_set_apply(&a, i, command, &r);
                AUTO_ERR struct err *f = doc_set_apply(&b, i, command, &q);
                ASSERT(!e && !f && r.status == q.status && r.n == q.n && a.hash == b.hash);
        }
        doc_set_fini(&a);
        doc_set_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str bytes = { (const char *)data, size };
        struct doc_command c;
        AUTO_ERR struct err *e = doc_command_decode(bytes, &c);

        if (e)
                return 0;
        struct doc_command again = c;
        AUTO_FREE struct doc *docs = calloc(c.n ? c.n : 1, sizeof(*docs));
        ASSERT(docs);
        for (unsigned i = 0; i < c.n; i++)
                docs[i] = doc_command_next(&again);
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ERR struct err *f = doc_command_encode(&b, c.client, c.sequence, c.wall_ns, docs, c.n);
        if (!f) /* a key twice is not encoded, but refused when applied */
                ASSERT(b.n <= size && str_eq(buf_str(&b), (struct str){ bytes.p, b.n }));
        apply_twice(bytes);
        return 0;
}
