/* s3/cors.c: see s3/cors.h. The first rule that fits wins; a rule fits when origin, method and every header that is
 * asked for do. */
#include "s3/cors.h"

#include "s3/read_priv.h"

static const struct {
        struct str name;
        enum http_method method;
} methods[] = {
        { { "GET", 3 }, HTTP_GET },       { { "PUT", 3 }, HTTP_PUT },   { { "POST", 4 }, HTTP_POST },
        { { "DELETE", 6 }, HTTP_DELETE }, { { "HEAD", 4 }, HTTP_HEAD },
};

static bool method_of(struct str s, enum http_method *ret)
{
        for (unsigned i = 0; i < ARRAY_LEN(methods); i++) {
                if (str_eq(s, methods[i].name)) {
                        *ret = methods[i].method;
                        return true;
                }
        }
        return false;
}

/* ---- reading ---- */

static unsigned stars(struct str s)
{
        unsigned n = 0;
        for (size_t i = 0; i < s.n; i++)
                n += s.p[i] == '*';
        return n;
}

/* Texts of all children of this name. False when the arena is full. */
static bool gather(struct arena *a, const struct xml_node *n, const char *name, struct s3_strs *ret)
{
        *ret = (struct s3_strs){ arena_alloc(a, s3__read_count(n, name) * sizeof(*ret->items)), 0 };
        for (const struct xml_node *c = xml_child(n, name); c != NULL && ret->items != NULL; c = xml_same(c))
                ret->items[ret->n++] = str_trim(c->text);
        return ret->items != NULL;
}

static enum s3_code check_patterns(const struct s3_strs *l, const char *what, struct s3_fault *f)
{
        for (unsigned i = 0; i < l->n; i++) {
                if (l->items[i].n == 0)
                        return s3__read_bad(f, NULL);
                if (stars(l->items[i]) > 1)
                        return s3_fault_set(f, S3_INVALID_REQUEST,
                                            "%s \"" STR_FMT "\" can not have more than one wildcard.", what,
                                            STR_ARG(l->items[i]));
        }
        return S3_OK;
}

static enum s3_code read_rule(struct arena *a, const struct xml_node *n, struct s3_cors_rule *r, struct s3_fault *f)
{
        static const char *const names[] = {
                "ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds", NULL
        };
        enum s3_code c = s3__read_only(n, names, f);
        if (c != S3_OK)
                return c;
        *r = (struct s3_cors_rule){ .id = xml_child_text(n, "ID"), .max_age_s = -1 };
        if (!gather(a, n, "AllowedOrigin", &r->origins) || !gather(a, n, "AllowedHeader", &r->headers) ||
            !gather(a, n, "ExposeHeader", &r->expose))
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        if ((c = check_patterns(&r->origins, "AllowedOrigin", f)) != S3_OK ||
            (c = check_patterns(&r->headers, "AllowedHeader", f)) != S3_OK)
                return c;
        for (const struct xml_node *m = xml_child(n, "AllowedMethod"); m != NULL; m = xml_same(m)) {
                enum http_method method;
                if (!method_of(str_trim(m->text), &method))
                        return s3_fault_set(
                                f, S3_INVALID_REQUEST,
                                "Found unsupported HTTP method in CORS config. Unsupported method is " STR_FMT,
                                STR_ARG(m->text));
                r->methods |= 1u << method;
        }
        struct str age = xml_child_text(n, "MaxAgeSeconds");
        uint64_t seconds = 0;
        if (age.p != NULL && (!str_u64(str_trim(age), &seconds) || seconds > INT32_MAX))
                return s3__read_bad(f, NULL);
        if (age.p != NULL)
                r->max_age_s = (int64_t)seconds;
        return r->origins.n == 0 || r->methods == 0 || r->id.n > 255 ? s3__read_bad(f, NULL) : S3_OK;
}

enum s3_code s3_cors_read(struct arena *a, struct str text, struct s3_cors *ret, struct s3_fault *f)
{
        static const char *const names[] = { "CORSRule", NULL };
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "CORSConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        if (root->count == 0 || root->count > S3_CORS_RULES_MAX)
                return s3__read_bad(f, NULL);
        struct s3_cors d = { .rules = arena_alloc(a, root->count * sizeof(*d.rules)) };
        if (d.rules == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *n = root->first; n != NULL; n = n->next)
                if ((c = read_rule(a, n, &d.rules[d.n++], f)) != S3_OK)
                        return c;
        *ret = d;
        return S3_OK;
}

/* ---- matching ---- */

static bool same(struct str a, struct str b, bool nocase)
{
        return nocase ? str_eq_nocase(a, b) : str_eq(a, b);
}

/* A pattern with at most one '*'. */
static bool fits(struct str pattern, struct str s, bool nocase)
{
        struct str tail = pattern, head = str_cut(&tail, '*');
        if (head.n == pattern.n)
                return same(pattern, s, nocase);
        return s.n >= head.n + tail.n && same((struct str){ s.p, head.n }, head, nocase) &&
               same(str_skip(s, s.n - tail.n), tail, nocase);
}

static const struct str *fitting(const struct s3_strs *l, struct str s, bool nocase)
{
        for (unsigned i = 0; i < l->n; i++)
                if (fits(l->items[i], s, nocase))
                        return &l->items[i];
        return NULL;
}

const struct s3_cors_rule *s3_cors_match(const struct s3_cors *c, struct str origin, enum http_method m,
                                         struct str headers)
{
        for (unsigned i = 0; i < c->n; i++) {
                const struct s3_cors_rule *r = &c->rules[i];
                bool ok = (r->methods & 1u << m) != 0 && fitting(&r->origins, origin, false) != NULL;
                for (struct str rest = headers; ok && rest.n != 0;) {
                        struct str one = str_trim(str_cut(&rest, ','));
                        ok = one.n == 0 || fitting(&r->headers, one, true) != NULL;
                }
                if (ok)
                        return r;
        }
        return NULL;
}

static void add_line(struct buf *b, const char *name, struct str value)
{
        buf_adds(b, str_of(name));
        buf_adds(b, STR(": "));
        for (size_t i = 0; i < value.n; i++) /* no line of the client's making */
                buf_addc(b, (unsigned char)value.p[i] < 0x20 || value.p[i] == 0x7f ? ' ' : value.p[i]);
        buf_adds(b, STR("\r\n"));
}

static void add_methods(struct buf *b, const struct s3_cors_rule *r)
{
        unsigned n = 0;
        buf_adds(b, STR("Access-Control-Allow-Methods: "));
        for (unsigned i = 0; i < ARRAY_LEN(methods); i++) {
                if ((r->methods & 1u << methods[i].method) == 0)
                        continue;
                buf_adds(b, n++ != 0 ? STR(", ") : STR(""));
                buf_adds(b, methods[i].name);
        }
        buf_adds(b, STR("\r\n"));
}

void s3_cors_lines(struct buf *b, const struct s3_cors_rule *r, struct str origin, struct str headers)
{
        const struct str *pattern = fitting(&r->origins, origin, false);
        bool any = pattern != NULL && str_eq(*pattern, STR("*"));
        add_line(b, "Access-Control-Allow-Origin", any ? STR("*") : origin);
        add_methods(b, r);
        if (headers.n != 0)
                add_line(b, "Access-Control-Allow-Headers", headers);
        for (unsigned i = 0; i < r->expose.n; i++)
                add_line(b, "Access-Control-Expose-Headers", r->expose.items[i]);
        if (r->max_age_s >= 0)
                buf_printf(b, "Access-Control-Max-Age: %lld\r\n", (long long)r->max_age_s);
        if (!any)
                add_line(b, "Access-Control-Allow-Credentials", STR("true"));
        buf_adds(b, STR("Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method\r\n"));
}

enum s3_code s3_cors_preflight(const struct s3_cors *c, struct str origin, struct str method, struct str headers,
                               struct buf *lines, struct s3_fault *f)
{
        enum http_method m;
        if (origin.n == 0)
                return s3_fault_set(f, S3_INVALID_REQUEST, "Insufficient information. Origin request header needed.");
        if (!method_of(method, &m))
                return s3_fault_set(f, S3_INVALID_REQUEST, "Invalid Access-Control-Request-Method: " STR_FMT,
                                    STR_ARG(method));
        if (c == NULL)
                return s3_fault_set(f, S3_ACCESS_DENIED, "CORSResponse: CORS is not enabled for this bucket.");
        const struct s3_cors_rule *r = s3_cors_match(c, origin, m, headers);
        if (r == NULL)
                return s3_fault_set(f, S3_ACCESS_DENIED, "CORSResponse: This CORS request is not allowed.");
        s3_cors_lines(lines, r, origin, headers);
        return S3_OK;
}
