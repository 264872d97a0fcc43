/* net/http_range.c: the Range field (RFC 9110 §14.1–14.2) and iteration over a raw query. */
#include <strings.h>

#include "net/http_parse.h"

/* 1*DIGIT; what exceeds 64 bits is as good as the largest number. */
static bool parse_position(struct str s, uint64_t *ret)
{
        if (s.n == 0)
                return false;
        uint64_t v = 0;
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] < '0' || s.p[i] > '9')
                        return false;
                unsigned digit = (unsigned)(s.p[i] - '0');
                v = v > (UINT64_MAX - digit) / 10 ? UINT64_MAX : v * 10 + digit;
        }
        *ret = v;
        return true;
}

/* One range-spec against the size. An empty representation satisfies no range: there is no byte to name in a
 * Content-Range. */
static enum range_kind judge_spec(struct str spec, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
        ptrdiff_t dash = str_find(spec, '-');
        if (dash < 0)
                return RANGE_MALFORMED;
        struct str left = { spec.p, (size_t)dash }, right = str_skip(spec, (size_t)dash + 1);
        uint64_t first, last = UINT64_MAX;
        if (left.n == 0) {
                uint64_t suffix;
                if (!parse_position(right, &suffix))
                        return RANGE_MALFORMED;
                if (suffix == 0 || size == 0)
                        return RANGE_UNSATISFIABLE;
                *ret_length = MIN(suffix, size);
                *ret_offset = size - *ret_length;
                return RANGE_ONE;
        }
        if (!parse_position(left, &first) || (right.n && !parse_position(right, &last)) || last < first)
                return RANGE_MALFORMED;
        if (first >= size)
                return RANGE_UNSATISFIABLE;
        *ret_offset = first;
        *ret_length = MIN(last, size - 1) - first + 1;
        return RANGE_ONE;
}

enum range_kind http_range(struct str value, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
        if (!value.p)
                return RANGE_NONE;
        ptrdiff_t eq = str_find(value, '=');
        if (eq < 0)
                return RANGE_MALFORMED;
        if (eq != 5 || strncasecmp(value.p, "bytes", 5) != 0)
                return RANGE_NONE; /* RFC 9110 §14.2: an unknown unit is ignored */
        struct str rest = str_skip(value, 6);
        uint64_t offset = 0, length = 0;
        unsigned specs = 0, good = 0;
        while (rest.n) {
                struct str spec = str_trim(str_cut(&rest, ','));
                if (spec.n == 0)
                        continue; /* RFC 9110 §5.6.1.2: empty list elements are ignored */
                enum range_kind kind = judge_spec(spec, size, &offset, &length);
                if (kind == RANGE_MALFORMED)
                        return RANGE_MALFORMED;
                specs++;
                good += kind == RANGE_ONE;
        }
        if (specs == 0)
                return RANGE_MALFORMED;
        if (good == 0)
                return RANGE_UNSATISFIABLE;
        if (specs > 1)
                return RANGE_MULTI;
        *ret_offset = offset;
        *ret_length = length;
        return RANGE_ONE;
}

bool http_query_next(struct str *query, struct str *ret_key, struct str *ret_value)
{
        while (query->n) {
                struct str pair = str_cut(query, '&');
                if (pair.n == 0)
                        continue;
                *ret_key = str_cut(&pair, '=');
                *ret_value = pair;
                return true;
        }
        return false;
}
