/* s3/target.c: requests into operations. First where (host and path), then what (sub-resource and parameters), then
 * headers; last the row of the table. Everything is decoded once and only the decoded text is looked at: see s3/sig.h.
 */
#include "s3/target.h"

/* ---- tables ---- */

static const struct op_row {
        const char *name, *method, *sub, *action, *version_action;
        enum s3_level level;
} ops[S3_OP_COUNT] = {
        [S3_OP_NONE] = { "NONE", "", "", "", "", S3_SERVICE },
#define X(name, method, level, sub, action, version_action) \
        [S3_OP_##name] = { #name, #method, sub, action, version_action, S3_##level },
        S3_OPS(X)
#undef X
                [S3_OP_PREFLIGHT] = { "PREFLIGHT", "OPTIONS", "", "", "", S3_SERVICE },
};

static const struct {
        const char *name, *levels, *methods;
} params[S3_P_COUNT] = {
#define X(name, text, levels, methods) [S3_P_##name] = { text, levels, methods },
        S3_PARAMS(X)
#undef X
};

/* Headers that may come. What is not here, and begins with x-amz-, is not implemented. */
static const char *const known_headers[] = {
        "x-amz-acl",
        "x-amz-bucket-object-lock-enabled",
        "x-amz-bypass-governance-retention",
        "x-amz-checksum-algorithm",
        "x-amz-checksum-crc32",
        "x-amz-checksum-crc32c",
        "x-amz-checksum-crc64nvme",
        "x-amz-checksum-mode",
        "x-amz-checksum-sha1",
        "x-amz-checksum-sha256",
        "x-amz-checksum-type",
        "x-amz-confirm-remove-self-bucket-access",
        "x-amz-content-sha256",
        "x-amz-copy-source",
        "x-amz-copy-source-if-match",
        "x-amz-copy-source-if-modified-since",
        "x-amz-copy-source-if-none-match",
        "x-amz-copy-source-if-unmodified-since",
        "x-amz-copy-source-range",
        "x-amz-copy-source-server-side-encryption-customer-algorithm",
        "x-amz-copy-source-server-side-encryption-customer-key",
        "x-amz-copy-source-server-side-encryption-customer-key-md5",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-expected-bucket-owner",
        "x-amz-max-parts",
        "x-amz-metadata-directive",
        "x-amz-mp-object-size",
        "x-amz-object-attributes",
        "x-amz-object-lock-legal-hold",
        "x-amz-object-lock-mode",
        "x-amz-object-lock-retain-until-date",
        "x-amz-object-ownership",
        "x-amz-optional-object-attributes",
        "x-amz-part-number-marker",
        "x-amz-request-payer",
        "x-amz-sdk-checksum-algorithm",
        "x-amz-server-side-encryption",
        "x-amz-server-side-encryption-customer-algorithm",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-server-side-encryption-customer-key-md5",
        "x-amz-skip-destination-validation",
        "x-amz-source-expected-bucket-owner",
        "x-amz-storage-class",
        "x-amz-tagging",
        "x-amz-tagging-directive",
        "x-amz-trailer",
        "x-amz-transition-default-minimum-object-size",
        "x-amz-user-agent",
        "x-amz-website-redirect-location",
};

const char *s3_op_name(enum s3_op op)
{
        return ops[op].name;
}

const char *s3_op_action(enum s3_op op, bool of_version)
{
        return of_version && ops[op].version_action[0] != '\0' ? ops[op].version_action : ops[op].action;
}

struct parsing {
        const struct s3_target_rules *rules;
        const struct http_head *head;
        struct arena *a;
        struct s3_target *t;
        struct s3_fault *f;
        struct str sub; /* the sub-resource, static; p null: none */
        struct http_header *headers;
        unsigned max_headers;
};

/* ---- where ---- */

/* "name" of "name.domain[:port]", if the host is a sub-domain of a configured domain. */
static struct str bucket_of_host(const struct parsing *p)
{
        struct str host = p->head->host;
        for (size_t i = host.n; i-- > 0 && host.p[i] != ']';) {
                if (host.p[i] == ':') {
                        host.n = i;
                        break;
                }
        }
        for (unsigned i = 0; i < p->rules->ndomains; i++) {
                struct str d = p->rules->domains[i];
                if (host.n > d.n + 1 && host.p[host.n - d.n - 1] == '.' &&
                    str_eq_nocase(str_skip(host, host.n - d.n), d))
                        return (struct str){ host.p, host.n - d.n - 1 };
        }
        return STR_NONE;
}

static struct str lower(struct arena *a, struct str s)
{
        char *p = arena_dup(a, s.p, s.n);
        for (size_t i = 0; p != NULL && i < s.n; i++)
                if (p[i] >= 'A' && p[i] <= 'Z')
                        p[i] = (char)(p[i] | 0x20);
        return (struct str){ p, p != NULL ? s.n : 0 };
}

static enum s3_code decode(struct parsing *p, struct str raw, bool plus, struct str *ret)
{
        struct err *e = str_percent_decode(p->a, raw, plus, ret);
        if (e == NULL)
                return S3_OK;
        bool bad = e->code == ERR_MALFORMED;
        err_free(e);
        return s3_fault_set(p->f, bad ? S3_INVALID_URI : S3_SLOW_DOWN, NULL);
}

static enum s3_code parse_path(struct parsing *p)
{
        struct s3_target *t = p->t;
        struct str path, raw = str_starts(p->head->path, p->rules->mount) ? str_skip(p->head->path, p->rules->mount.n)
                                                                          : p->head->path;
        enum s3_code c = decode(p, raw, false, &path);
        if (c != S3_OK)
                return c;
        if (path.n != 0 && path.p[0] == '/')
                path = str_skip(path, 1);
        struct str virtual = bucket_of_host(p);
        if (virtual.p != NULL) {
                t->bucket = lower(p->a, virtual);
                t->key = path;
        } else if (path.n != 0) {
                t->bucket = str_cut(&path, '/');
                t->key = path;
                if (t->bucket.n == 0)
                        return s3_fault_set(p->f, S3_INVALID_BUCKET_NAME, NULL);
        }
        if (t->key.n == 0)
                t->key = STR_NONE;
        t->level = t->key.p != NULL ? S3_OBJECT : t->bucket.p != NULL ? S3_BUCKET : S3_SERVICE;
        if (t->key.n > S3_KEY_MAX)
                return s3_fault_set(p->f, S3_KEY_TOO_LONG, NULL);
        if (!str_is_utf8(t->key) || str_find(t->key, '\0') >= 0)
                return s3_fault_set(p->f, S3_INVALID_URI, NULL);
        if (t->bucket.n > 255 || !str_is_utf8(t->bucket) || str_find(t->bucket, '\0') >= 0 ||
            str_find(t->bucket, '/') >= 0)
                return s3_fault_set(p->f, S3_INVALID_BUCKET_NAME, NULL);
        return S3_OK;
}

/* ---- what ---- */

static enum s3_code bad_argument(struct parsing *p, const char *text, struct str name)
{
        s3_fault_set(p->f, S3_INVALID_ARGUMENT, "%s", text);
        p->f->field = "ArgumentName";
        str_copy(p->f->value, sizeof(p->f->value), name);
        return p->f->code;
}

static enum s3_code not_implemented(struct parsing *p, struct str name)
{
        s3_fault_set(p->f, S3_NOT_IMPLEMENTED, NULL);
        p->f->field = "Header";
        str_copy(p->f->value, sizeof(p->f->value), name);
        return p->f->code;
}

static char method_letter(enum http_method m)
{
        switch (m) {
        case HTTP_GET:
                return 'G';
        case HTTP_HEAD:
                return 'H';
        case HTTP_PUT:
                return 'P';
        case HTTP_POST:
                return 'O';
        case HTTP_DELETE:
                return 'D';
        case HTTP_PATCH:
        case HTTP_OPTIONS:
        case HTTP_OTHER:
                break;
        }
        return '?';
}

/* Whether it names an operation of some level. */
static bool is_sub(struct str name, struct str *ret)
{
        for (unsigned i = 1; i < S3_OP_COUNT; i++) {
                if (name.n != 0 && str_eq(name, str_of(ops[i].sub))) {
                        *ret = str_of(ops[i].sub);
                        return true;
                }
        }
        return false;
}

static enum s3_code take_param(struct parsing *p, enum s3_param i, struct str value)
{
        struct str name = str_of(params[i].name);
        if (p->t->params[i].p != NULL)
                return bad_argument(p, "A parameter is given twice", name);
        if (strchr(params[i].levels, "sbo"[p->t->level]) == NULL ||
            strchr(params[i].methods, method_letter(p->head->method)) == NULL)
                return bad_argument(p, "A parameter has no meaning for this request", name);
        p->t->params[i] = value.p != NULL ? value : STR("");
        return S3_OK;
}

static bool is_signature_param(struct str name)
{
        static const char *const names[] = { "X-Amz-Algorithm",      "X-Amz-Credential",    "X-Amz-Date",
                                             "X-Amz-Expires",        "X-Amz-SignedHeaders", "X-Amz-Signature",
                                             "X-Amz-Content-Sha256", "X-Amz-Security-Token" };
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
                if (str_eq(name, str_of(names[i])))
                        return true;
        return false;
}

static bool starts_nocase(struct str s, const char *prefix)
{
        size_t n = strlen(prefix);
        return s.n >= n && str_eq_nocase((struct str){ s.p, n }, str_of(prefix));
}

static enum s3_code add_header(struct parsing *p, struct str name, struct str value)
{
        if (p->t->nheaders == p->max_headers)
                return s3_fault_set(p->f, S3_REQUEST_HEADERS_TOO_LARGE, NULL);
        p->headers[p->t->nheaders++] = (struct http_header){ name, value.p != NULL ? value : STR("") };
        return S3_OK;
}

static enum s3_code take_query(struct parsing *p, struct str name, struct str value)
{
        struct str sub;
        for (unsigned i = 0; i < S3_P_COUNT; i++) {
                if (str_eq(name, str_of(params[i].name))) {
                        enum s3_code c = take_param(p, (enum s3_param)i, value);
                        if (c != S3_OK || !is_sub(name, &sub))
                                return c;
                        break;
                }
        }
        if (is_sub(name, &sub)) {
                if (p->sub.p != NULL)
                        return bad_argument(p, "Conflicting query string parameters", name);
                p->sub = sub;
                return S3_OK;
        }
        if (is_signature_param(name))
                return S3_OK;
        if (starts_nocase(name, "x-amz-"))
                return p->t->presigned ? add_header(p, name, value) : not_implemented(p, name);
        return starts_nocase(name, "x-") ? S3_OK : not_implemented(p, name);
}

static enum s3_code parse_query(struct parsing *p)
{
        struct str rest = p->head->query, key, value, name, text;
        enum s3_code c = S3_OK;
        while (c == S3_OK && http_query_next(&rest, &key, &value)) {
                if (key.n == 0 && value.n == 0)
                        continue;
                if ((c = decode(p, key, true, &name)) == S3_OK && (c = decode(p, value, true, &text)) == S3_OK)
                        c = take_query(p, name, text);
        }
        return c;
}

/* Whether the query is signed: then it may stand for headers. Looked at before anything else of it. */
static bool is_presigned(const struct http_head *head)
{
        struct str rest = head->query, key, value;
        while (http_query_next(&rest, &key, &value))
                if (str_eq(key, STR("X-Amz-Signature")))
                        return true;
        return false;
}

/* ---- headers ---- */

static bool is_known_header(struct str name)
{
        if (starts_nocase(name, "x-amz-meta-"))
                return true;
        for (unsigned i = 0; i < ARRAY_LEN(known_headers); i++)
                if (str_eq_nocase(name, str_of(known_headers[i])))
                        return true;
        return false;
}

static enum s3_code check_headers(struct parsing *p)
{
        const struct s3_target *t = p->t;
        for (unsigned i = 0; i < t->nheaders; i++) {
                struct str name = t->headers[i].name;
                if (!starts_nocase(name, "x-amz-"))
                        continue;
                if (!is_known_header(name))
                        return not_implemented(p, name);
                /* Metadata may come in several lines, which are one value; anything else would mean two things. */
                if (starts_nocase(name, "x-amz-meta-"))
                        continue;
                for (unsigned j = 0; j < i; j++)
                        if (str_eq_nocase(t->headers[j].name, name))
                                return bad_argument(p, "A header is given twice", name);
        }
        return S3_OK;
}

struct str s3_target_header(const struct s3_target *t, const char *name)
{
        for (unsigned i = 0; i < t->nheaders; i++)
                if (str_eq_nocase(t->headers[i].name, str_of(name)))
                        return t->headers[i].value;
        return STR_NONE;
}

/* ---- the row ---- */

static enum s3_code find_op(struct parsing *p)
{
        struct s3_target *t = p->t;
        bool copy = s3_target_header(t, "x-amz-copy-source").p != NULL, sub_here = false;
        struct str sub = p->sub.p != NULL ? p->sub : STR("");
        struct str method = copy && p->head->method == HTTP_PUT ? STR("COPY")
                                                                : str_of(http_method_name(p->head->method));
        for (unsigned i = 1; i < S3_OP_PREFLIGHT; i++) {
                if (ops[i].level != t->level || !str_eq(str_of(ops[i].sub), sub))
                        continue;
                sub_here = true;
                if (str_eq(str_of(ops[i].method), method))
                        t->op = (enum s3_op)i;
        }
        if (t->op == S3_OP_NONE && copy)
                return not_implemented(p, STR("x-amz-copy-source"));
        if (copy && !str_eq(method, STR("COPY")))
                return bad_argument(p, "A copy source has no meaning for this request", STR("x-amz-copy-source"));
        if (t->op == S3_OP_NONE)
                return sub_here ? s3_fault_set(p->f, S3_METHOD_NOT_ALLOWED, NULL) : not_implemented(p, sub);
        return S3_OK;
}

static enum s3_code check_params(struct parsing *p)
{
        struct s3_target *t = p->t;
        struct str number = t->params[S3_P_PART_NUMBER];
        uint64_t n = 0;
        bool part_op = t->op == S3_OP_UPLOAD_PART || t->op == S3_OP_UPLOAD_PART_COPY;
        if (number.p != NULL) {
                if (!str_u64(number, &n) || n < 1 || n > 10000)
                        return bad_argument(p, "Part number must be an integer between 1 and 10000, inclusive",
                                            STR("partNumber"));
                if (!part_op && t->op != S3_OP_GET_OBJECT && t->op != S3_OP_HEAD_OBJECT)
                        return bad_argument(p, "A parameter has no meaning for this request", STR("partNumber"));
        }
        t->part_number = (unsigned)n;
        if (part_op && n == 0)
                return bad_argument(p, "This operation needs a part number", STR("partNumber"));
        if (t->params[S3_P_VERSION_ID].p != NULL &&
            (t->op == S3_OP_PUT_OBJECT || t->op == S3_OP_COPY_OBJECT || p->sub.p == NULL) &&
            p->head->method == HTTP_PUT)
                return bad_argument(p, "This operation does not accept a version-id", STR("versionId"));
        if (t->op == S3_OP_LIST_OBJECTS_V2 && !str_eq(t->params[S3_P_LIST_TYPE], STR("2")))
                return bad_argument(p, "Invalid list type", STR("list-type"));
        return S3_OK;
}

enum s3_code s3_target_parse(const struct s3_target_rules *rules, const struct http_head *head, struct arena *a,
                             struct s3_target *ret, struct s3_fault *ret_fault)
{
        struct s3_target t = { .op = S3_OP_NONE, .presigned = is_presigned(head) };
        struct parsing p = { .rules = rules, .head = head, .a = a, .t = &t, .f = ret_fault };
        enum s3_code c;
        p.max_headers = head->nheaders;
        for (size_t i = 0; t.presigned && i < head->query.n; i++)
                p.max_headers += head->query.p[i] == '&';
        p.headers = arena_alloc(a, (p.max_headers + 1) * sizeof(*p.headers));
        if (p.headers == NULL)
                return s3_fault_set(ret_fault, S3_SLOW_DOWN, NULL);
        memcpy(p.headers, head->headers, head->nheaders * sizeof(*p.headers));
        t.headers = p.headers;
        t.nheaders = head->nheaders;
        if ((c = parse_path(&p)) != S3_OK)
                return c;
        if (head->method == HTTP_OPTIONS) {
                t.op = S3_OP_PREFLIGHT;
                *ret = t;
                return S3_OK;
        }
        if ((c = parse_query(&p)) != S3_OK || (c = check_headers(&p)) != S3_OK || (c = find_op(&p)) != S3_OK ||
            (c = check_params(&p)) != S3_OK)
                return c;
        *ret = t;
        return S3_OK;
}

enum s3_code s3_target_count(const struct s3_target *t, enum s3_param i, unsigned fallback, unsigned most,
                             unsigned *ret, struct s3_fault *f)
{
        struct str s = t->params[i];
        uint64_t n;
        if (s.n == 0) {
                *ret = fallback;
                return S3_OK;
        }
        if (!str_u64(s, &n) || n > INT32_MAX) {
                s3_fault_set(f, S3_INVALID_ARGUMENT, "Provided %s not an integer or within integer range",
                             params[i].name);
                f->field = "ArgumentName";
                str_copy(f->value, sizeof(f->value), str_of(params[i].name));
                return f->code;
        }
        *ret = (unsigned)MIN(n, most);
        return S3_OK;
}

/* ---- names ---- */

bool s3_bucket_name_ok(struct str s)
{
        static const char *const prefixes[] = { "xn--", "sthree-", "amzn-s3-demo-" };
        static const char *const suffixes[] = { "-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3" };
        bool digits_only = true;
        unsigned dots = 0;
        if (s.n < 3 || s.n > S3_BUCKET_MAX)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                bool digit = c >= '0' && c <= '9', edge = i == 0 || i + 1 == s.n;
                if (!digit && !(c >= 'a' && c <= 'z') && (edge || (c != '.' && c != '-')))
                        return false;
                if (c == '.' && s.p[i - 1] == '.')
                        return false;
                dots += c == '.';
                digits_only = digits_only && (digit || c == '.');
        }
        if (digits_only && dots == 3)
                return false;
        for (unsigned i = 0; i < ARRAY_LEN(prefixes); i++)
                if (str_starts(s, str_of(prefixes[i])))
                        return false;
        for (unsigned i = 0; i < ARRAY_LEN(suffixes); i++)
                if (str_ends(s, str_of(suffixes[i])))
                        return false;
        return true;
}

bool s3_copy_source_parse(struct arena *a, struct str value, struct str *ret_bucket, struct str *ret_key,
                          struct str *ret_version)
{
        struct str query = value, path = str_cut(&query, '?'), text, key = STR_NONE, id = STR_NONE, k, v;
        struct err *e = str_percent_decode(a, path, false, &text);
        if (e != NULL) {
                err_free(e);
                return false;
        }
        while (http_query_next(&query, &k, &v)) {
                if (!str_eq(k, STR("versionId")) || id.p != NULL)
                        return false;
                e = str_percent_decode(a, v, false, &id);
                if (e != NULL) {
                        err_free(e);
                        return false;
                }
        }
        if (text.n != 0 && text.p[0] == '/')
                text = str_skip(text, 1);
        key = text;
        struct str bucket = str_cut(&key, '/');
        if (bucket.n == 0 || key.n == 0 || key.n > S3_KEY_MAX || !str_is_utf8(key) || str_find(key, '\0') >= 0)
                return false;
        *ret_bucket = bucket;
        *ret_key = key;
        *ret_version = id;
        return true;
}
