/* Reading RocksDB's blob files without RocksDB.
 *
 * rocksdb_repair_db makes a new list of tables, but knows nothing of blob files: the values in them are lost to the
 * repaired database, though they are whole. So fsck keeps the files aside and reads them itself. Facts of the format
 * (version 1, RocksDB 6.18 to 9): a head of 30 bytes; records of {key length 8, value length 8, expiration 8, masked
 * CRC32C of these 24 bytes, CRC32C 4, key, value}; a tail of 32 bytes. All little-endian.
 *
 * Where a record's head is damaged the next one is looked for byte by byte. */
#include "store/salvage.h"

#include <endian.h>
#include <string.h>

#include "base/hash.h"
#include "os/file.h"

enum { BLOB_HEAD = 30, RECORD_HEAD = 32, VALUE_MAX = 16 << 20, KEY_MAX = 64 << 10 };

static uint64_t get64(const char *p)
{
        uint64_t v;

        memcpy(&v, p, sizeof(v));
        return le64toh(v);
}

static uint32_t get32(const char *p)
{
        uint32_t v;

        memcpy(&v, p, sizeof(v));
        return le32toh(v);
}

/* The engine stores checksums rotated and shifted by a constant. */
static uint32_t masked(uint32_t crc)
{
        return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

static bool record_at(struct str s, uint64_t *key_n, uint64_t *value_n)
{
        *key_n = get64(s.p);
        *value_n = get64(s.p + 8);
        return *key_n > 0 && *key_n <= KEY_MAX && *value_n <= VALUE_MAX && *key_n + *value_n <= s.n - RECORD_HEAD &&
               get32(s.p + 24) == masked(hash_crc32c(0, s.p, 24));
}

bool salvage_blob_next(struct str *file, struct str *ret_key, struct str *ret_value)
{
        uint64_t key_n, value_n;

        for (struct str s = *file; s.n > RECORD_HEAD; s = str_skip(s, 1)) {
                if (!record_at(s, &key_n, &value_n))
                        continue;
                *ret_key = (struct str){ s.p + RECORD_HEAD, (size_t)key_n };
                *ret_value = (struct str){ s.p + RECORD_HEAD + key_n, (size_t)value_n };
                *file = str_skip(s, RECORD_HEAD + (size_t)(key_n + value_n));
                return true;
        }
        *file = STR_NONE;
        return false;
}

struct salvage {
        int dirfd;
        struct err *(*fn)(void *arg, struct str key, struct str value);
        void *arg;
};

static struct err *read_blob_file(void *arg, const char *name, unsigned char type)
{
        const struct salvage *s = arg;
        AUTO_BUF struct buf b = BUF_INIT;
        struct str rest, key, value;

        (void)type;
        if (!str_ends(str_of(name), STR(".blob")))
                return NULL;
        TRY(file_read_all(s->dirfd, name, SALVAGE_BLOB_MAX, &b));
        rest = str_skip(buf_str(&b), BLOB_HEAD);
        while (salvage_blob_next(&rest, &key, &value))
                TRY(s->fn(s->arg, key, value));
        return NULL;
}

struct err *salvage_blobs(int dirfd, struct err *(*fn)(void *arg, struct str key, struct str value), void *arg)
{
        struct salvage s = { dirfd, fn, arg };

        return file_each(dirfd, ".", read_blob_file, &s);
}
