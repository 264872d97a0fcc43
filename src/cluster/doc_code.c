/* Encoding and decoding of documents, commands and snapshots (docs/format/raft.md, version 1).
 *
 * Everything that comes from a disk or a peer passes here first: lengths, checksums and limits are verified before a byte
 * is believed. Numbers are little-endian. */
#include "cluster/doc_code.h"

#include <stdlib.h>

#include "base/hash.h"

enum { FORMAT = 1, TYPE_DOCUMENTS = 1, OP_PUT = 1, OP_REMOVE = 2 };
enum { BLOCK_HEAD = 32, CLIENT_SIZE = 32, COMMAND_HEAD = 40, OP_HEAD = 16, COMMAND_CRC_AT = 8, SNAPSHOT_CRC_AT = 12 };
static const char snapshot_magic[8] = { 'O', 'R', 'L', 'P', 'D', 'O', 'C', 'S' };

static void put_u16(unsigned char *p, uint16_t v)
{
        p[0] = (unsigned char)v;
        p[1] = (unsigned char)(v >> 8);
}

static void put_u32(unsigned char *p, uint32_t v)
{
        put_u16(p, (uint16_t)v);
        put_u16(p + 2, (uint16_t)(v >> 16));
}

static void put_u64(unsigned char *p, uint64_t v)
{
        put_u32(p, (uint32_t)v);
        put_u32(p + 4, (uint32_t)(v >> 32));
}

/* The checksum of n bytes whose four bytes at `at` hold it, and count as zero. */
static uint32_t crc_without(const void *p, size_t n, size_t at)
{
        static const char zero[4];
        const char *c = p;
        uint32_t crc = hash_crc32c(0, c, at);

        crc = hash_crc32c(crc, zero, 4);
        return hash_crc32c(crc, c + at + 4, n - at - 4);
}

static bool key_fits(struct str key)
{
        return key.n > 0 && key.n <= DOC_KEY_MAX;
}

/* ---- documents ---- */

struct doc_block *doc__block_new(struct str key, struct str body, uint64_t created, uint64_t modified)
{
        size_t size = (BLOCK_HEAD + key.n + body.n + 7) & ~(size_t)7;
        struct doc_block *b = malloc(sizeof(*b) + size);

        if (!b)
                return NULL;
        unsigned char *p = b->bytes;
        memset(p + size - 8, 0, 8);
        put_u32(p, (uint32_t)size);
        put_u64(p + 8, created);
        put_u64(p + 16, modified);
        put_u16(p + 24, (uint16_t)key.n);
        put_u16(p + 26, 0);
        put_u32(p + 28, (uint32_t)body.n);
        memcpy(p + BLOCK_HEAD, key.p, key.n);
        if (body.n)
                memcpy(p + BLOCK_HEAD + key.n, body.p, body.n);
        put_u32(p + 4, hash_crc32c(0, p + 8, size - 8));
        b->refs = 1;
        b->size = (uint32_t)size;
        b->hash = hash_xxh64(p + 8, size - 8, 0);
        b->created = created;
        b->doc = (struct doc){ { (const char *)p + BLOCK_HEAD, key.n }, { (const char *)p + BLOCK_HEAD + key.n, body.n }, modified };
        return b;
}

/* ---- commands ---- */

static int key_order(const void *a, const void *b)
{
        return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

static struct err *check_keys(const struct doc *docs, size_t n)
{
        AUTO_FREE struct str *keys = calloc(n ? n : 1, sizeof(*keys));

        if (!keys)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                keys[i] = docs[i].key;
                if (!key_fits(docs[i].key))
                        return err_new(ERR_INVALID, "a document's key has 1 to %d bytes", DOC_KEY_MAX);
                if (docs[i].body.n > DOC_BODY_MAX)
                        return err_new(ERR_TOO_LARGE, "document " STR_FMT " has more than %u bytes", STR_ARG(docs[i].key), DOC_BODY_MAX);
        }
        qsort(keys, n, sizeof(*keys), key_order);
        for (size_t i = 1; i < n; i++) {
                if (str_eq(keys[i - 1], keys[i]))
                        return err_new(ERR_INVALID, "document " STR_FMT " is in one command twice", STR_ARG(keys[i]));
        }
        return NULL;
}

struct err *doc_command_encode(struct buf *b, uint64_t client, uint64_t sequence, uint64_t wall_ns, const struct doc *docs,
                               size_t n)
{
        size_t start = b->n;

        if (n > DOC_COMMAND_DOCS_MAX)
                return err_new(ERR_TOO_LARGE, "more than %u documents in one command", DOC_COMMAND_DOCS_MAX);
        TRY(check_keys(docs, n));
        buf_add_u16(b, FORMAT);
        buf_add_u16(b, TYPE_DOCUMENTS);
        buf_add_u32(b, 0); /* length */
        buf_add_u32(b, 0); /* checksum */
        buf_add_u32(b, (uint32_t)n);
        buf_add_u64(b, client);
        buf_add_u64(b, sequence);
        buf_add_u64(b, wall_ns);
        for (size_t i = 0; i < n; i++) {
                bool put = docs[i].body.p;
                buf_addc(b, put ? OP_PUT : OP_REMOVE);
                buf_addc(b, 0);
                buf_add_u16(b, (uint16_t)docs[i].key.n);
                buf_add_u32(b, put ? (uint32_t)docs[i].body.n : 0);
                buf_add_u64(b, docs[i].modified);
                buf_adds(b, docs[i].key);
                if (put)
                        buf_adds(b, docs[i].body);
        }
        TRY(buf_err(b));
        size_t length = b->n - start;
        if (length > DOC_COMMAND_MAX)
                return err_new(ERR_TOO_LARGE, "a command of %zu bytes, more than %u", length, DOC_COMMAND_MAX);
        unsigned char *p = (unsigned char *)b->p + start;
        put_u32(p + 4, (uint32_t)length);
        put_u32(p + COMMAND_CRC_AT, crc_without(p, length, COMMAND_CRC_AT));
        return NULL;
}

/* Reads one operation; false if malformed. */
static bool read_op(struct buf_reader *r, struct doc *ret)
{
        uint8_t kind = buf_get_u8(r), zero = buf_get_u8(r);
        uint16_t key_n = buf_get_u16(r);
        uint32_t body_n = buf_get_u32(r);
        uint64_t modified = buf_get_u64(r);
        struct str key = buf_get_bytes(r, key_n), body = buf_get_bytes(r, body_n);

        if (r->bad || zero || !key_fits(key) || body_n > DOC_BODY_MAX)
                return false;
        if (kind != OP_PUT && (kind != OP_REMOVE || body_n != 0))
                return false;
        *ret = (struct doc){ key, kind == OP_PUT ? body : STR_NONE, modified };
        return true;
}

struct err *doc_command_decode(struct str bytes, struct doc_command *ret)
{
        struct buf_reader r = buf_reader_of(bytes);
        uint16_t format = buf_get_u16(&r), type = buf_get_u16(&r);
        uint32_t length = buf_get_u32(&r), crc = buf_get_u32(&r);
        struct doc_command c = { .n = buf_get_u32(&r) };
        struct doc d;

        c.client = buf_get_u64(&r);
        c.sequence = buf_get_u64(&r);
        c.wall_ns = buf_get_u64(&r);
        if (r.bad)
                return err_new(ERR_CORRUPT, "command: %zu bytes are too short", bytes.n);
        if (format != FORMAT || type != TYPE_DOCUMENTS)
                return err_new(ERR_FORMAT, "command of format %u, type %u, made by a later version", format, type);
        if (length < COMMAND_HEAD || length > bytes.n || bytes.n - length > 7 || length > DOC_COMMAND_MAX ||
            crc_without(bytes.p, length, COMMAND_CRC_AT) != crc)
                return err_new(ERR_CORRUPT, "command: bad length or checksum");
        if (c.n > DOC_COMMAND_DOCS_MAX)
                return err_new(ERR_CORRUPT, "command: too many documents");
        r = buf_reader_of((struct str){ bytes.p + COMMAND_HEAD, length - COMMAND_HEAD });
        c.docs = r;
        for (uint32_t i = 0; i < c.n; i++) {
                if (!read_op(&r, &d))
                        return err_new(ERR_CORRUPT, "command: bad document");
        }
        if (r.p != r.end)
                return err_new(ERR_CORRUPT, "command: bytes left over");
        *ret = c;
        return NULL;
}

struct doc doc_command_next(struct doc_command *c)
{
        struct doc d = { 0 };
        bool good = read_op(&c->docs, &d);

        ASSERT(good); /* doc_command_decode has read it */
        return d;
}

/* ---- snapshots ---- */

static void client_encode(const struct doc_client *c, unsigned char out[static CLIENT_SIZE])
{
        put_u64(out, c->client);
        put_u64(out + 8, c->sequence);
        put_u64(out + 16, c->index);
        put_u32(out + 24, (uint32_t)c->status);
        put_u32(out + 28, hash_crc32c(0, out, 28));
}

uint64_t doc__client_hash(const struct doc_client *c)
{
        unsigned char b[CLIENT_SIZE];

        client_encode(c, b);
        return hash_xxh64(b, sizeof(b), 1);
}

unsigned char *doc__snapshot_head(const struct doc_set *s, size_t *ret_n)
{
        size_t n = DOC_SNAPSHOT_HEAD + (size_t)s->n_clients * CLIENT_SIZE;
        unsigned char *h = calloc(1, n);
        uint32_t list = 0;

        if (!h)
                return NULL;
        for (unsigned i = 0; i < s->n_clients; i++) {
                unsigned char *c = h + DOC_SNAPSHOT_HEAD + (size_t)i * CLIENT_SIZE;
                client_encode(&s->clients[i], c);
                list = hash_crc32c(list, c + 28, 4);
        }
        for (size_t i = 0; i < s->n; i++)
                list = hash_crc32c(list, s->blocks[i]->bytes + 4, 4);
        memcpy(h, snapshot_magic, 8);
        put_u16(h + 8, FORMAT);
        put_u64(h + 16, s->index);
        put_u64(h + 24, s->n);
        put_u32(h + 32, s->n_clients);
        put_u32(h + 36, list);
        put_u64(h + 40, n - DOC_SNAPSHOT_HEAD + s->bytes);
        put_u64(h + 48, s->hash);
        put_u32(h + SNAPSHOT_CRC_AT, crc_without(h, DOC_SNAPSHOT_HEAD, SNAPSHOT_CRC_AT));
        *ret_n = n;
        return h;
}

struct head {
        uint64_t index, n, length, hash;
        uint32_t n_clients, list;
};

static struct err *head_read(struct str bytes, struct head *ret)
{
        struct buf_reader r = buf_reader_of(bytes);
        struct str magic = buf_get_bytes(&r, 8);
        uint16_t format = buf_get_u16(&r), zero = buf_get_u16(&r);
        uint32_t crc = buf_get_u32(&r);
        struct head h = { 0 };

        h.index = buf_get_u64(&r);
        h.n = buf_get_u64(&r);
        h.n_clients = buf_get_u32(&r);
        h.list = buf_get_u32(&r);
        h.length = buf_get_u64(&r);
        h.hash = buf_get_u64(&r);
        uint64_t spare = buf_get_u64(&r);
        if (r.bad || memcmp(magic.p, snapshot_magic, 8) != 0)
                return err_new(ERR_CORRUPT, "snapshot: no header");
        if (crc_without(bytes.p, DOC_SNAPSHOT_HEAD, SNAPSHOT_CRC_AT) != crc)
                return err_new(ERR_CORRUPT, "snapshot: the header's checksum does not match");
        if (format != FORMAT || zero || spare)
                return err_new(ERR_FORMAT, "snapshot of format %u, made by a later version", format);
        if (h.length != bytes.n - DOC_SNAPSHOT_HEAD || h.n_clients > DOC_CLIENTS_MAX || h.n > h.length / BLOCK_HEAD)
                return err_new(ERR_CORRUPT, "snapshot: cut short, or bad numbers");
        *ret = h;
        return NULL;
}

/* Fails unless this client is like any that was written. */
static struct err *client_read(struct doc_set *s, struct buf_reader *r, uint32_t *list)
{
        struct str bytes = buf_get_bytes(r, CLIENT_SIZE);
        struct buf_reader in = buf_reader_of(bytes);
        struct doc_client c = { 0 };

        c.client = buf_get_u64(&in);
        c.sequence = buf_get_u64(&in);
        c.index = buf_get_u64(&in);
        uint32_t status = buf_get_u32(&in), crc = buf_get_u32(&in);

        if (r->bad || crc != hash_crc32c(0, bytes.p, 28) || c.client == 0 || status > DOC_TOTAL_TOO_LARGE)
                return err_new(ERR_CORRUPT, "snapshot: client %u is damaged", s->n_clients);
        c.status = (enum doc_status)status;
        *list = hash_crc32c(*list, bytes.p + 28, 4);
        s->clients[s->n_clients++] = c;
        s->hash += doc__client_hash(&c);
        return NULL;
}

static struct err *block_read(struct doc_set *s, struct buf_reader *r, uint32_t *list)
{
        const char *start = (const char *)r->p;
        uint32_t size = buf_get_u32(r), crc = buf_get_u32(r);

        if (r->bad || size < BLOCK_HEAD || size % 8 || size - 8 > (size_t)(r->end - r->p))
                return err_new(ERR_CORRUPT, "snapshot: document %zu is cut short", s->n);
        struct str rest = buf_get_bytes(r, size - 8);
        if (crc != hash_crc32c(0, rest.p, rest.n))
                return err_new(ERR_CORRUPT, "snapshot: document %zu does not match its checksum", s->n);
        struct buf_reader in = buf_reader_of(rest);
        uint64_t created = buf_get_u64(&in), modified = buf_get_u64(&in);
        uint16_t key_n = buf_get_u16(&in), schema = buf_get_u16(&in);
        uint32_t body_n = buf_get_u32(&in);
        struct str key = buf_get_bytes(&in, key_n), body = buf_get_bytes(&in, body_n);
        if (in.bad || in.end - in.p > 7 || !key_fits(key) || body_n > DOC_BODY_MAX || schema != 0)
                return err_new(ERR_CORRUPT, "snapshot: document %zu has bad lengths", s->n);
        if (s->n > 0 && str_cmp(s->blocks[s->n - 1]->doc.key, key) >= 0)
                return err_new(ERR_CORRUPT, "snapshot: document %zu is out of order", s->n);
        struct doc_block *b = doc__block_new(key, body, created, modified);
        if (!b)
                return err_static(ERR_NO_MEMORY);
        if (b->size != size || memcmp(b->bytes, start, size) != 0) {
                free(b);
                return err_new(ERR_CORRUPT, "snapshot: document %zu is not as it is written", s->n);
        }
        *list = hash_crc32c(*list, b->bytes + 4, 4);
        s->blocks[s->n++] = b;
        s->bytes += b->size;
        s->hash += b->hash;
        return NULL;
}

struct err *doc__snapshot_read(struct doc_set *s, struct str bytes)
{
        struct head h = { 0 };
        uint32_t list = 0;

        TRY(head_read(bytes, &h));
        struct buf_reader r = buf_reader_of(str_skip(bytes, DOC_SNAPSHOT_HEAD));
        for (uint32_t i = 0; i < h.n_clients; i++)
                TRY(client_read(s, &r, &list));
        s->blocks = calloc(h.n ? h.n : 1, sizeof(*s->blocks));
        if (!s->blocks)
                return err_static(ERR_NO_MEMORY);
        s->cap = h.n;
        for (uint64_t i = 0; i < h.n; i++)
                TRY(block_read(s, &r, &list));
        if (r.p != r.end || list != h.list || s->hash != h.hash)
                return err_new(ERR_CORRUPT, "snapshot: its parts do not add up to what its header says");
        s->index = h.index;
        return NULL;
}
