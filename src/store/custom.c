/* store/custom.c: custom metadata: packed pairs of texts, {LEB128-length key, LEB128-length value}*, sorted by key once
 * merged. */
#include "store/record.h"

bool store_custom_next(struct str *custom, struct str *ret_key, struct str *ret_value)
{
        struct buf_reader r = buf_reader_of(*custom);
        if (!custom->n)
                return false;
        struct str key = buf_get_lstr(&r), value = buf_get_lstr(&r);
        if (r.bad)
                return false;
        *custom = (struct str){ (const char *)r.p, (size_t)(r.end - r.p) };
        *ret_key = key;
        *ret_value = value;
        return true;
}

struct str store_custom_get(struct str custom, struct str key)
{
        struct str k, v;
        while (store_custom_next(&custom, &k, &v))
                if (str_eq(k, key))
                        return v.p ? v : STR("");
        return STR_NONE;
}

bool record_custom_check(struct str custom)
{
        struct str k, v;
        if (custom.n > RECORD_CUSTOM_MAX)
                return false;
        while (store_custom_next(&custom, &k, &v))
                if (!k.n)
                        return false;
        return custom.n == 0;
}

/* The smallest key of both lists that is greater than `after` (null p: any). The list is short: a few dozen pairs of a
 * request's headers. */
static bool next_key(struct str old, struct str add, struct str after, struct str *ret)
{
        bool found = false;
        struct str lists[2] = { old, add }, k, v;
        for (int i = 0; i < 2; i++)
                while (store_custom_next(&lists[i], &k, &v))
                        if ((!after.p || str_cmp(k, after) > 0) && (!found || str_cmp(k, *ret) < 0)) {
                                *ret = k;
                                found = true;
                        }
        return found;
}

void store_custom_merge(struct str old, struct str add, struct buf *b)
{
        struct str key, after = STR_NONE;
        while (next_key(old, add, after, &key)) {
                struct str v = store_custom_get(add, key);
                if (!v.p)
                        v = store_custom_get(old, key);
                if (v.n) {
                        buf_add_lstr(b, key);
                        buf_add_lstr(b, v);
                }
                after = key;
        }
}
