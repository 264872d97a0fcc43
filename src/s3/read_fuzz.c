/* Documents of clients: the first byte chooses the reader. Limits hold whatever comes. */
#include "s3/read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        AUTO_ARENA struct arena a;
        struct s3_fault f;
        arena_init(&a, 4096, (size_t)16 << 20);
        if (n < 1)
                return 0;
        struct str s = { (const char *)data + 1, n - 1 };
        switch (data[0] % 11) {
        case 0: {
                struct s3_delete d;
                ASSERT(s3_read_delete(&a, s, &d, &f) != S3_OK ||
                       (d.n >= 1 && d.n <= S3_DELETE_KEYS_MAX && d.keys[d.n - 1].key.n > 0));
                break;
        }
        case 1: {
                struct s3_complete d;
                ASSERT(s3_read_complete(&a, s, &d, &f) != S3_OK ||
                       (d.n >= 1 && d.n <= S3_PARTS_MAX && d.parts[d.n - 1].number >= d.n));
                break;
        }
        case 2: {
                struct s3_tags t;
                ASSERT(s3_read_tagging(&a, s, S3_OBJECT_TAGS_MAX, &t, &f) != S3_OK || t.n <= S3_OBJECT_TAGS_MAX);
                break;
        }
        case 3: {
                struct s3_tags t;
                ASSERT(s3_read_tagging_header(&a, s, S3_OBJECT_TAGS_MAX, &t, &f) != S3_OK || t.n <= S3_OBJECT_TAGS_MAX);
                break;
        }
        case 4: {
                struct s3_create_bucket d;
                (void)!s3_read_create_bucket(&a, s, &d, &f);
                break;
        }
        case 5: {
                enum s3_versioning v;
                ASSERT(s3_read_versioning(&a, s, &v, &f) != S3_OK || v != S3_VERSIONING_OFF);
                break;
        }
        case 6: {
                struct s3_object_lock o;
                ASSERT(s3_read_object_lock(&a, s, &o, &f) != S3_OK || o.mode == S3_LOCK_NONE ||
                       (o.days == 0) != (o.years == 0));
                break;
        }
        case 7: {
                struct s3_retention r;
                (void)!s3_read_retention(&a, s, &r, &f);
                break;
        }
        case 8: {
                enum s3_acl acl;
                (void)!s3_read_acl(&a, s, STR("me"), &acl, &f);
                break;
        }
        case 9: {
                struct s3_notify d;
                ASSERT(s3_read_notification(&a, s, &d, &f) != S3_OK || d.n == 0 || d.rules[0].nevents > 0);
                break;
        }
        default:
                (void)!s3_read_encryption(&a, s, &f);
        }
        return 0;
}
