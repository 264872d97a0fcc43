/* s3/read.c: what all readers share, and the documents about objects: Delete, CompleteMultipartUpload, Tagging,
 * Retention, LegalHold. */
#include "s3/read.h"

#include "net/http_parse.h"
#include "s3/read_priv.h"
#include "s3/when.h"

#define NODES_MAX 120000u /* 10,000 parts with every checksum */
#define DEPTH_MAX 12u

/* ---- shared ---- */

enum s3_code s3__read_bad(struct s3_fault *f, const char *text)
{
        return s3_fault_set(f, S3_MALFORMED_XML, text != NULL ? "%s" : NULL, text);
}

enum s3_code s3__read_root(struct arena *a, struct str text, const char *name, size_t max, const struct xml_node **ret,
                           struct s3_fault *f)
{
        const struct xml_limits limits = { max, DEPTH_MAX, NODES_MAX };
        struct err *e = xml_parse(a, text, &limits, ret);
        enum err_code code = err_code(e);
        err_free(e);
        if (code == ERR_NO_MEMORY)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        if (code == ERR_TOO_LARGE)
                return s3_fault_set(f, S3_MAX_MESSAGE_LENGTH, NULL);
        return code != ERR_NONE || !str_eq((*ret)->name, str_of(name)) ? s3__read_bad(f, NULL) : S3_OK;
}

enum s3_code s3__read_only(const struct xml_node *n, const char *const *names, struct s3_fault *f)
{
        for (const struct xml_node *c = n->first; c != NULL; c = c->next) {
                unsigned i = 0;
                while (names[i] != NULL && !str_eq(c->name, str_of(names[i])))
                        i++;
                if (names[i] == NULL)
                        return s3__read_bad(f, NULL);
        }
        return S3_OK;
}

unsigned s3__read_count(const struct xml_node *n, const char *name)
{
        unsigned k = 0;
        for (const struct xml_node *c = n->first; c != NULL; c = c->next)
                k += str_eq(c->name, str_of(name));
        return k;
}

bool s3__read_positive(struct str s, unsigned *ret)
{
        uint64_t v;
        if (!str_u64(str_trim(s), &v) || v < 1 || v > INT32_MAX)
                return false;
        *ret = (unsigned)v;
        return true;
}

/* ---- Delete ---- */

static enum s3_code read_delete_key(const struct xml_node *n, struct s3_delete_key *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Key", "VersionId", "ETag", NULL };
        enum s3_code c = s3__read_only(n, names, f);
        if (c != S3_OK)
                return c;
        *ret = (struct s3_delete_key){ xml_child_text(n, "Key"), xml_child_text(n, "VersionId"),
                                       xml_child_text(n, "ETag") };
        if (ret->version_id.n == 0)
                ret->version_id = STR_NONE;
        return ret->key.n == 0 || n->count > 3 || s3__read_count(n, "Key") != 1 ? s3__read_bad(f, NULL) : S3_OK;
}

enum s3_code s3_read_delete(struct arena *a, struct str text, struct s3_delete *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Quiet", "Object", NULL };
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "Delete", S3_READ_DELETE_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        unsigned n = s3__read_count(root, "Object");
        struct s3_delete d = { .quiet = str_eq(str_trim(xml_child_text(root, "Quiet")), STR("true")) };
        if (n == 0 || n > S3_DELETE_KEYS_MAX)
                return s3__read_bad(f, NULL);
        d.keys = arena_alloc(a, n * sizeof(*d.keys));
        if (d.keys == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *o = xml_child(root, "Object"); o != NULL; o = xml_same(o))
                if ((c = read_delete_key(o, &d.keys[d.n++], f)) != S3_OK)
                        return c;
        *ret = d;
        return S3_OK;
}

/* ---- CompleteMultipartUpload ---- */

static struct str unquote(struct str s)
{
        s = str_trim(s);
        if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
                return (struct str){ s.p + 1, s.n - 2 };
        return s;
}

static enum s3_code read_part(const struct xml_node *n, struct s3_complete_part *ret, struct s3_fault *f)
{
        *ret = (struct s3_complete_part){ .number = 0 };
        for (const struct xml_node *c = n->first; c != NULL; c = c->next) {
                enum s3_cksum k = S3_CKSUM_NONE;
                for (unsigned i = S3_CKSUM_CRC32; i < S3_CKSUM_MD5; i++)
                        if (str_eq(c->name, str_of(s3_cksum_element((enum s3_cksum)i))))
                                k = (enum s3_cksum)i;
                if (str_eq(c->name, STR("PartNumber"))) {
                        if (ret->number != 0 || !s3__read_positive(c->text, &ret->number))
                                return s3__read_bad(f, NULL);
                } else if (str_eq(c->name, STR("ETag"))) {
                        if (ret->etag.p != NULL)
                                return s3__read_bad(f, NULL);
                        ret->etag = unquote(c->text);
                } else if (k != S3_CKSUM_NONE && ret->cksum == S3_CKSUM_NONE) {
                        ret->cksum = k;
                        if (!s3_cksum_parse(k, str_trim(c->text), ret->value))
                                return s3_fault_set(f, S3_INVALID_PART, NULL);
                } else {
                        return s3__read_bad(f, NULL);
                }
        }
        if (ret->number == 0 || ret->etag.n == 0)
                return s3__read_bad(f, NULL);
        if (ret->number > S3_PARTS_MAX)
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "PartNumber must be between 1 and 10000");
        return S3_OK;
}

enum s3_code s3_read_complete(struct arena *a, struct str text, struct s3_complete *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Part", NULL };
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "CompleteMultipartUpload", S3_READ_COMPLETE_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        struct s3_complete d = { .parts = arena_alloc(a, root->count * sizeof(*d.parts)) };
        if (d.parts == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        if (root->count == 0 || root->count > S3_PARTS_MAX)
                return s3__read_bad(f, NULL);
        for (const struct xml_node *p = root->first; p != NULL; p = p->next, d.n++) {
                if ((c = read_part(p, &d.parts[d.n], f)) != S3_OK)
                        return c;
                if (d.n > 0 && d.parts[d.n].number <= d.parts[d.n - 1].number)
                        return s3_fault_set(f, S3_INVALID_PART_ORDER, NULL);
        }
        *ret = d;
        return S3_OK;
}

/* ---- Tagging ---- */

/* Letters, digits, blanks and + - = . _ : / @ of ASCII, and whatever is not ASCII; counted in characters. */
static bool tag_text_ok(struct str s, size_t most)
{
        size_t chars = 0;
        for (size_t i = 0; i < s.n; chars++) {
                unsigned char c = (unsigned char)s.p[i];
                size_t len = str_utf8_len(str_skip(s, i));
                bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80;
                if (len == 0 || c == '\0' || (!letter && strchr(" +-=._:/@", c) == NULL))
                        return false;
                i += len;
        }
        return chars <= most;
}

static enum s3_code check_tags(const struct s3_tags *t, unsigned most, struct s3_fault *f)
{
        if (t->n > most)
                return s3_fault_set(f, S3_INVALID_TAG, "There can be at most %u tags", most);
        for (unsigned i = 0; i < t->n; i++) {
                if (t->tags[i].key.n == 0 || !tag_text_ok(t->tags[i].key, 128) ||
                    str_starts(t->tags[i].key, STR("aws:")))
                        return s3_fault_set(f, S3_INVALID_TAG, "The TagKey you have provided is invalid");
                if (!tag_text_ok(t->tags[i].value, 256))
                        return s3_fault_set(f, S3_INVALID_TAG, "The TagValue you have provided is invalid");
                for (unsigned j = 0; j < i; j++)
                        if (str_eq(t->tags[i].key, t->tags[j].key))
                                return s3_fault_set(f, S3_INVALID_TAG,
                                                    "Cannot provide multiple Tags with the same key");
        }
        return S3_OK;
}

enum s3_code s3__read_tags(struct arena *a, const struct xml_node *n, unsigned most, struct s3_tags *ret,
                           struct s3_fault *f)
{
        static const char *const names[] = { "Tag", NULL }, *const inner[] = { "Key", "Value", NULL };
        enum s3_code c = s3__read_only(n, names, f);
        if (c != S3_OK)
                return c;
        struct s3_tags t = { .tags = arena_alloc(a, n->count * sizeof(*t.tags)) };
        if (t.tags == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *x = n->first; x != NULL; x = x->next) {
                if ((c = s3__read_only(x, inner, f)) != S3_OK)
                        return c;
                if (x->count != 2 || xml_child(x, "Key") == NULL || xml_child(x, "Value") == NULL)
                        return s3__read_bad(f, NULL);
                t.tags[t.n++] = (struct s3_tag){ xml_child_text(x, "Key"), xml_child_text(x, "Value") };
        }
        if ((c = check_tags(&t, most, f)) == S3_OK)
                *ret = t;
        return c;
}

enum s3_code s3_read_tagging(struct arena *a, struct str text, unsigned most, struct s3_tags *ret, struct s3_fault *f)
{
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "Tagging", S3_READ_MAX, &root, f);
        if (c != S3_OK)
                return c;
        if (root->count != 1 || xml_child(root, "TagSet") == NULL)
                return s3__read_bad(f, NULL);
        return s3__read_tags(a, root->first, most, ret, f);
}

enum s3_code s3_read_tagging_header(struct arena *a, struct str value, unsigned most, struct s3_tags *ret,
                                    struct s3_fault *f)
{
        struct str rest = value, k, v;
        struct s3_tags t = { .n = 0 };
        unsigned max = 1;
        for (size_t i = 0; i < value.n; i++)
                max += value.p[i] == '&';
        t.tags = arena_alloc(a, max * sizeof(*t.tags));
        if (t.tags == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        while (http_query_next(&rest, &k, &v)) {
                if (k.n == 0 && v.n == 0)
                        continue;
                struct s3_tag *one = &t.tags[t.n++];
                struct err *e = str_percent_decode(a, k, true, &one->key);
                if (e == NULL)
                        e = str_percent_decode(a, v, true, &one->value);
                bool bad = e != NULL;
                err_free(e);
                if (bad)
                        return s3_fault_set(f, S3_INVALID_ARGUMENT,
                                            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL "
                                            "query parameters without tag name duplicates.");
                if (one->value.p == NULL)
                        one->value = STR("");
        }
        enum s3_code c = check_tags(&t, most, f);
        if (c == S3_OK)
                *ret = t;
        return c;
}

/* ---- retention and legal hold ---- */

bool s3_lock_mode_parse(struct str s, enum s3_lock_mode *ret)
{
        *ret = str_eq(s, STR("GOVERNANCE"))   ? S3_LOCK_GOVERNANCE
               : str_eq(s, STR("COMPLIANCE")) ? S3_LOCK_COMPLIANCE
                                              : S3_LOCK_NONE;
        return *ret != S3_LOCK_NONE;
}

const char *s3_lock_mode_name(enum s3_lock_mode m)
{
        return m == S3_LOCK_GOVERNANCE ? "GOVERNANCE" : m == S3_LOCK_COMPLIANCE ? "COMPLIANCE" : "";
}

enum s3_code s3_read_retention(struct arena *a, struct str text, struct s3_retention *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Mode", "RetainUntilDate", NULL };
        const struct xml_node *root;
        struct s3_retention r = { .mode = S3_LOCK_NONE };
        enum s3_code c = s3__read_root(a, text, "Retention", S3_READ_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        if (root->count != 0 &&
            (root->count != 2 || !s3_lock_mode_parse(str_trim(xml_child_text(root, "Mode")), &r.mode) ||
             !s3_when_iso(str_trim(xml_child_text(root, "RetainUntilDate")), &r.until_ns)))
                return s3__read_bad(f, NULL);
        *ret = r;
        return S3_OK;
}

enum s3_code s3_read_legal_hold(struct arena *a, struct str text, bool *ret_on, struct s3_fault *f)
{
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "LegalHold", S3_READ_MAX, &root, f);
        if (c != S3_OK)
                return c;
        struct str status = str_trim(xml_child_text(root, "Status"));
        bool on = str_eq(status, STR("ON"));
        if (root->count != 1 || (!on && !str_eq(status, STR("OFF"))))
                return s3__read_bad(f, NULL);
        *ret_on = on;
        return S3_OK;
}
