/* s3/policy_condition.c: operators of conditions: how they are called, what they take, when they hold. Pure.
 *
 * A key without a value makes a condition false, but a negated one true; "…IfExists" makes it true in any case. With
 * several values of the request, ForAllValues asks all of them and is true for none; everything else is content with
 * one. */
#include <arpa/inet.h>
#include <stdio.h>

#include "s3/policy_priv.h"
#include "s3/when.h"

/* ---- names ---- */

static bool cut_suffix(struct str *s, const char *suffix)
{
        if (!str_ends(*s, str_of(suffix)))
                return false;
        s->n -= strlen(suffix);
        return true;
}

static bool cut_prefix(struct str *s, const char *prefix)
{
        if (!str_starts(*s, str_of(prefix)))
                return false;
        *s = str_skip(*s, strlen(prefix));
        return true;
}

/* "Equals", "NotEquals", "LessThan" … of numbers and dates. */
static bool parse_compare(struct str s, struct s3__condition *c)
{
        static const struct {
                const char *name;
                enum s3__compare compare;
                bool negated;
        } rows[] = {
                { "Equals", COMPARE_EQ, false },      { "NotEquals", COMPARE_EQ, true },
                { "LessThan", COMPARE_LT, false },    { "LessThanEquals", COMPARE_LE, false },
                { "GreaterThan", COMPARE_GT, false }, { "GreaterThanEquals", COMPARE_GE, false },
        };
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
                if (str_eq(s, str_of(rows[i].name))) {
                        c->compare = rows[i].compare;
                        c->negated = rows[i].negated;
                        return true;
                }
        }
        return false;
}

bool s3__operator_parse(struct str name, struct s3__condition *c)
{
        static const struct {
                const char *name;
                enum s3__kind kind;
                bool negated;
        } rows[] = {
                { "StringEquals", KIND_STRING, false },
                { "StringNotEquals", KIND_STRING, true },
                { "StringEqualsIgnoreCase", KIND_NOCASE, false },
                { "StringNotEqualsIgnoreCase", KIND_NOCASE, true },
                { "StringLike", KIND_LIKE, false },
                { "StringNotLike", KIND_LIKE, true },
                { "ArnEquals", KIND_LIKE, false },
                { "ArnLike", KIND_LIKE, false },
                { "ArnNotEquals", KIND_LIKE, true },
                { "ArnNotLike", KIND_LIKE, true },
                { "BinaryEquals", KIND_STRING, false },
                { "Bool", KIND_BOOL, false },
                { "IpAddress", KIND_IP, false },
                { "NotIpAddress", KIND_IP, true },
                { "Null", KIND_NULL, false },
        };
        *c = (struct s3__condition){ .kind = KIND_STRING };
        c->set = cut_prefix(&name, "ForAnyValue:") ? SET_ANY : cut_prefix(&name, "ForAllValues:") ? SET_ALL : SET_NONE;
        if (!str_eq(name, STR("Null")))
                c->if_exists = cut_suffix(&name, "IfExists");
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
                if (str_eq(name, str_of(rows[i].name))) {
                        c->kind = rows[i].kind;
                        c->negated = rows[i].negated;
                        return true;
                }
        }
        if (cut_prefix(&name, "Numeric")) {
                c->kind = KIND_NUMBER;
                return parse_compare(name, c);
        }
        c->kind = KIND_DATE;
        return cut_prefix(&name, "Date") && parse_compare(name, c);
}

/* ---- values ---- */

static bool number(struct str s, double *ret)
{
        char text[64], *end;
        if (s.n == 0 || s.n >= sizeof(text) || !((s.p[0] >= '0' && s.p[0] <= '9') || s.p[0] == '-'))
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (strchr("0123456789.-+eE", s.p[i]) == NULL || s.p[i] == '\0')
                        return false;
        str_copy(text, sizeof(text), s);
        *ret = strtod(text, &end);
        return *end == '\0';
}

/* ISO 8601, or seconds since 1970. */
static bool date(struct str s, double *ret)
{
        int64_t ns;
        if (s3_when_iso(s, &ns)) {
                *ret = (double)(ns / 1000000) / 1000;
                return true;
        }
        return number(s, ret);
}

/* An address or network as 16 bytes (IPv4 mapped) and the number of leading bits that count. */
static bool network(struct str s, unsigned char out[static 16], unsigned *ret_bits)
{
        char text[64];
        struct str length = s, address = str_cut(&length, '/');
        bool has_length = address.n != s.n;
        uint64_t bits = 0;
        if (address.n == 0 || !str_copy(text, sizeof(text), address) || (has_length && !str_u64(length, &bits)))
                return false;
        memset(out, 0, 16);
        if (inet_pton(AF_INET, text, out + 12) == 1) {
                out[10] = out[11] = 0xff;
                *ret_bits = 96 + (has_length ? (unsigned)bits : 32);
                return bits <= 32;
        }
        *ret_bits = has_length ? (unsigned)bits : 128;
        return inet_pton(AF_INET6, text, out) == 1 && bits <= 128;
}

static bool in_network(struct str address, struct str net)
{
        unsigned char a[16], b[16];
        unsigned bits, whole;
        if (!network(address, a, &whole) || !network(net, b, &bits))
                return false;
        unsigned bytes = bits / 8, rest = bits % 8;
        return memcmp(a, b, bytes) == 0 && (rest == 0 || ((a[bytes] ^ b[bytes]) >> (8 - rest)) == 0);
}

bool s3__operator_takes(const struct s3__condition *c, struct str value)
{
        double d;
        unsigned char net[16];
        unsigned bits;
        bool b;
        switch (c->kind) {
        case KIND_STRING:
        case KIND_LIKE:
        case KIND_NOCASE:
                return true;
        case KIND_NUMBER:
                return number(value, &d);
        case KIND_DATE:
                return date(value, &d);
        case KIND_IP:
                return network(value, net, &bits);
        case KIND_BOOL:
        case KIND_NULL:
                return value.n != 0 && (str_eq_nocase(value, STR("true")) || str_eq_nocase(value, STR("false"))) &&
                       str_bool(value, &b);
        }
        return false;
}

static bool compare(enum s3__compare how, double x, double y)
{
        switch (how) {
        case COMPARE_EQ:
                return !(x < y) && !(x > y);
        case COMPARE_LT:
                return x < y;
        case COMPARE_LE:
                return x <= y;
        case COMPARE_GT:
                return x > y;
        case COMPARE_GE:
                return x >= y;
        }
        return false;
}

static bool fits_one(const struct s3__condition *c, struct str have, struct str want)
{
        double x, y;
        switch (c->kind) {
        case KIND_STRING:
                return str_eq(have, want);
        case KIND_NOCASE:
        case KIND_BOOL:
                return str_eq_nocase(have, want);
        case KIND_LIKE:
                return str_glob(want, have);
        case KIND_NUMBER:
                return number(have, &x) && number(want, &y) && compare(c->compare, x, y);
        case KIND_DATE:
                return date(have, &x) && date(want, &y) && compare(c->compare, x, y);
        case KIND_IP:
                return in_network(have, want);
        case KIND_NULL:
                break;
        }
        return false;
}

/* Whether a value of the request fits some value of the policy; negated: fits none. */
static bool fits(const struct s3__condition *c, struct str have)
{
        bool some = false;
        for (unsigned i = 0; i < c->values.n && !some; i++)
                some = fits_one(c, have, c->values.items[i]);
        return some != c->negated;
}

/* ---- the request ---- */

static bool value_of(const struct s3_ask *q, const struct s3__condition *c, unsigned i, char text[static 32],
                     struct str *ret)
{
        if (c->key == S3_C_CURRENT_TIME || c->key == S3_C_EPOCH_TIME) {
                if (i != 0)
                        return false;
                if (c->key == S3_C_CURRENT_TIME)
                        *ret = str_of(s3_when_iso_text(q->now_ns, text));
                else
                        *ret = (struct str){ text, (size_t)snprintf(text, 32, "%lld",
                                                                    (long long)(q->now_ns / INT64_C(1000000000))) };
                return true;
        }
        return q->value != NULL && q->value(q->arg, c->key, c->tag, i, ret);
}

bool s3__condition_holds(const struct s3__condition *c, const struct s3_ask *q)
{
        char text[32];
        struct str have;
        unsigned n = 0, good = 0;
        for (; value_of(q, c, n, text, &have); n++) {
                if (c->kind == KIND_NULL)
                        break;
                good += fits(c, have);
        }
        if (c->kind == KIND_NULL)
                return str_eq_nocase(c->values.items[0], value_of(q, c, 0, text, &have) ? STR("false") : STR("true"));
        if (n == 0)
                return c->if_exists || c->set == SET_ALL || (c->negated && c->set == SET_NONE);
        return c->set == SET_ALL || (c->negated && c->set == SET_NONE) ? good == n : good != 0;
}
