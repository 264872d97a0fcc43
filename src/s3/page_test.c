/* Pages of listings against an oracle: random names, prefixes, delimiters and page sizes; every way to go on; and the
 * cost in look-ups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/test_assert.h"
#include "s3/page.h"

#define NAMES 300

struct world {
        char names[NAMES][24];
        size_t lengths[NAMES];
        unsigned n, seeks;
        char from[64]; /* the last one asked for: it may only grow */
        size_t from_n;
        struct buf out; /* "k:name\n" or "p:prefix\n" */
};

static struct str name_at(const struct world *w, unsigned i)
{
        return (struct str){ w->names[i], w->lengths[i] };
}

static struct err *seek(void *arg, struct str from, struct str *ret)
{
        struct world *w = arg;
        w->seeks++;
        assert_true(str_cmp(from, (struct str){ w->from, w->from_n }) >= 0);
        assert_true(from.n <= sizeof(w->from));
        memcpy(w->from, from.p, from.n);
        w->from_n = from.n;
        for (unsigned i = 0; i < w->n; i++) {
                if (str_cmp(name_at(w, i), from) >= 0) {
                        *ret = name_at(w, i);
                        return NULL;
                }
        }
        *ret = STR_NONE;
        return NULL;
}

static struct err *entry(void *arg, struct str name)
{
        struct world *w = arg;
        buf_adds(&w->out, STR("k:"));
        buf_adds(&w->out, name);
        buf_addc(&w->out, '\n');
        return NULL;
}

static struct err *prefix(void *arg, struct str p)
{
        struct world *w = arg;
        buf_adds(&w->out, STR("p:"));
        buf_adds(&w->out, p);
        buf_addc(&w->out, '\n');
        return NULL;
}

static const struct s3_page_io io = { seek, entry, prefix };

static int by_name(const void *a, const void *b)
{
        return strcmp(a, b);
}

static void make_world(struct world *w, uint64_t *seed)
{
        static const char letters[] = "ab/-/";
        w->n = 0;
        for (unsigned i = 0; i < NAMES; i++) {
                unsigned n = 1 + (unsigned)((*seed = hash_mix(*seed)) % 12);
                char *p = w->names[i];
                for (unsigned k = 0; k < n; k++)
                        p[k] = letters[(*seed = hash_mix(*seed)) % 5];
                p[n] = '\0';
        }
        qsort(w->names, NAMES, sizeof(w->names[0]), by_name);
        for (unsigned i = 0; i < NAMES; i++) {
                if (w->n != 0 && strcmp(w->names[w->n - 1], w->names[i]) == 0)
                        continue;
                memmove(w->names[w->n], w->names[i], sizeof(w->names[0]));
                w->lengths[w->n] = strlen(w->names[w->n]);
                w->n++;
        }
}

/* All entries and prefixes in one go, by looking at every name. */
static unsigned oracle(const struct world *w, struct str pre, struct str delimiter, struct str after, struct buf *out)
{
        struct str last = STR_NONE;
        unsigned n = 0;
        for (unsigned i = 0; i < w->n; i++) {
                struct str name = name_at(w, i);
                if (!str_starts(name, pre) || str_cmp(name, after) <= 0)
                        continue;
                ptrdiff_t at = delimiter.n != 0 ? str_find_str(str_skip(name, pre.n), delimiter) : -1;
                struct str what = at >= 0 ? (struct str){ name.p, pre.n + (size_t)at + delimiter.n } : name;
                if (at >= 0 && str_eq(what, last))
                        continue;
                last = at >= 0 ? what : STR_NONE;
                buf_adds(out, at >= 0 ? STR("p:") : STR("k:"));
                buf_adds(out, what);
                buf_addc(out, '\n');
                n++;
        }
        return n;
}

static void test_random(void **state)
{
        static struct world w;
        static const char *const delimiters[] = { "", "/", "-", "a/", "//" }, *const prefixes[] = { "",   "a", "a/",
                                                                                                    "b-", "/", "zz" };
        uint64_t seed = 7;
        (void)state;
        for (unsigned turn = 0; turn < 60; turn++) {
                make_world(&w, &seed);
                struct str d = str_of(delimiters[(seed = hash_mix(seed)) % ARRAY_LEN(delimiters)]),
                           p = str_of(prefixes[(seed = hash_mix(seed)) % ARRAY_LEN(prefixes)]);
                unsigned max = 1 + (unsigned)((seed = hash_mix(seed)) % 9), pages = 0, total = 0;
                bool tokens = turn % 2 != 0;
                AUTO_ARENA struct arena a;
                arena_init(&a, 4096, 1 << 22);
                AUTO_BUF struct buf want = BUF_INIT;
                unsigned all = oracle(&w, p, d, STR(""), &want);
                struct s3_page_ask ask = { p, d, STR(""), max };
                struct s3_page_end end;
                struct s3_fault f;
                w.seeks = 0;
                w.from_n = 0;
                buf_clear(&w.out);
                do {
                        assert_ok(s3_page(&ask, &io, &w, &a, &end));
                        assert_true(end.count <= max && (end.count == max || !end.truncated));
                        total += end.count;
                        pages++;
                        if (tokens)
                                assert_true(!end.truncated ||
                                            s3_page_from_token(&a, s3_page_token(&a, &end), &ask.from, &f) == S3_OK);
                        else
                                ask.from = s3_page_from_marker(&a, end.last, p, d);
                } while (end.truncated);
                assert_int_equal(total, all);
                assert_int_equal(pages, all == 0 ? 1 : (all + max - 1) / max);
                assert_int_equal(w.out.n, want.n);
                assert_true(want.n == 0 || memcmp(w.out.p, want.p, want.n) == 0);
                assert_true(w.seeks <= all + pages); /* whatever hides behind common prefixes */
                buf_fini(&w.out);
        }
}

/* A marker in the midst of a common prefix leaves the prefix in the page, as long as names behind the marker belong to
 * it. */
static void test_markers(void **state)
{
        static struct world w;
        static const char *const names[] = { "a", "d/1", "d/2", "e", "f/1" };
        (void)state;
        for (w.n = 0; w.n < ARRAY_LEN(names); w.n++) {
                str_copy(w.names[w.n], sizeof(w.names[0]), str_of(names[w.n]));
                w.lengths[w.n] = strlen(names[w.n]);
        }
        static const struct {
                const char *marker, *want;
        } cases[] = { { "", "k:a\np:d/\nk:e\np:f/\n" },
                      { "a", "p:d/\nk:e\np:f/\n" },
                      { "d", "p:d/\nk:e\np:f/\n" },
                      { "d/", "k:e\np:f/\n" },
                      { "d/1", "p:d/\nk:e\np:f/\n" },
                      { "d/2", "k:e\np:f/\n" },
                      { "f/", "" },
                      { "zzz", "" } };
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                AUTO_ARENA struct arena a;
                arena_init(&a, 4096, 1 << 20);
                struct s3_page_ask ask = { STR(""), STR("/"),
                                           s3_page_from_marker(&a, str_of(cases[i].marker), STR(""), STR("/")), 100 };
                struct s3_page_end end;
                buf_clear(&w.out);
                w.from_n = 0;
                assert_ok(s3_page(&ask, &io, &w, &a, &end));
                assert_string_equal(buf_cstr(&w.out), cases[i].want);
                assert_false(end.truncated);
        }
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct s3_page_ask none = { STR(""), STR("/"), STR(""), 0 };
        struct s3_page_end end;
        w.seeks = 0;
        assert_ok(s3_page(&none, &io, &w, &a, &end));
        assert_true(end.count == 0 && !end.truncated && w.seeks == 0);
        struct str from;
        struct s3_fault f;
        assert_int_equal(s3_page_from_token(&a, STR("!"), &from, &f), S3_INVALID_ARGUMENT);
        assert_int_equal(s3_page_from_token(&a, STR(""), &from, &f), S3_INVALID_ARGUMENT);
        assert_int_equal(s3_page_from_token(&a, STR("eGFiYw"), &from, &f), S3_INVALID_ARGUMENT);
        buf_fini(&w.out);
}

/* Names with tails: versions stay behind their name, and a prefix counts once. */
static void test_versions(void **state)
{
        static struct world w;
        static const char names[][8] = { "a", "a\0v2", "a\0v1", "a!", "d/1", "d/1\0v" };
        static const unsigned char lengths[] = { 1, 4, 4, 2, 3, 5 };
        (void)state;
        memcpy(w.names[0], names[0], 8);
        /* in order: "a", "a\0v1", "a\0v2", "a!", … */
        static const unsigned char order[] = { 0, 2, 1, 3, 4, 5 };
        for (w.n = 0; w.n < 6; w.n++) {
                memcpy(w.names[w.n], names[order[w.n]], 8);
                w.lengths[w.n] = lengths[order[w.n]];
        }
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct s3_page_ask ask = { STR(""), STR("/"), STR(""), 100 };
        struct s3_page_end end;
        assert_ok(s3_page(&ask, &io, &w, &a, &end));
        assert_int_equal(end.count, 5);
        assert_true(end.last_is_prefix && str_eq(end.last, STR("d/")));
        ask.from = s3_page_from_key(&a, STR("a"));
        w.from_n = 0;
        buf_clear(&w.out);
        assert_ok(s3_page(&ask, &io, &w, &a, &end));
        assert_string_equal(buf_cstr(&w.out), "k:a!\np:d/\n");
        ask.max = 2;
        ask.from = STR("");
        w.from_n = 0;
        assert_ok(s3_page(&ask, &io, &w, &a, &end));
        assert_true(end.truncated && str_eq(end.last, ((struct str){ "a\0v1", 4 })));
        buf_fini(&w.out);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_markers),
                                            cmocka_unit_test(test_versions) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
