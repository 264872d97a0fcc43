/* Any bytes as a snapshot: what is taken must be written as the same bytes again. The checksum of the header is set right
 * first, so that mutations reach what is behind it. */
#include "cluster/doc_set.h"

#include <stdlib.h>

#include "base/hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void restore(struct str bytes)
{
        struct doc_set s;
        struct doc_snapshot p;

        doc_set_init(&s);
        AUTO_ERR struct err *e = doc_set_restore(&s, bytes);
        if (!e) {
                AUTO_BUF struct buf b = BUF_INIT;
                AUTO_ERR struct err *f = doc_set_snapshot(&s, &p);
                ASSERT(!f);
                buf_add(&b, p.head, p.head_n);
                for (size_t i = 0; i < p.n; i++)
                        buf_add(&b, p.blocks[i]->bytes, p.blocks[i]->size);
                doc_snapshot_fini(&p);
                ASSERT(str_eq(buf_str(&b), bytes));
        }
        doc_set_fini(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        restore((struct str){ (const char *)data, size });
        if (size >= DOC_SNAPSHOT_HEAD) {
                AUTO_FREE unsigned char *p = malloc(size);
                ASSERT(p);
                memcpy(p, data, size);
                memset(p + 12, 0, 4);
                uint32_t crc = hash_crc32c(0, p, DOC_SNAPSHOT_HEAD);
                for (unsigned i = 0; i < 4; i++)
                        p[12 + i] = (unsigned char)(crc >> (8 * i));
                restore((struct str){ (const char *)p, size });
        }
        return 0;
}
