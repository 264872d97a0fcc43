/* Signatures of redirects: a signed request is good as it is, also in another spelling, and in none of fifty others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/sign.h"
#include "os/clock.h"

#define NOW (INT64_C(1700000000) * NS_PER_SEC)

static struct cluster_key keys[3] = { { "k3aaaaaa", { 3, 1 } }, { "k2aaaaaa", { 2, 1 } }, { "k1aaaaaa", { 1, 1 } } };

static struct snapshot snapshot_of(unsigned first_key, unsigned n)
{
        return (struct snapshot){ .smap_version = 36, .index = 7, .keys = keys + first_key, .key_count = n };
}

/* A redirect as api__redirect() makes it; what follows the '?' is in q. */
struct signed_url {
        struct buf url;
        struct str path, query;
};

static void make_at(struct signed_url *u, const struct snapshot *s, enum http_method m, const char *path,
                    const char *query, int64_t length, unsigned hops, int64_t now)
{
        *u = (struct signed_url){ .url = BUF_INIT };
        buf_printf(&u->url, "%s?%s", path, query);
        size_t at = strlen(path) + 1;
        struct sign_request rq = { .method = m, .path = str_of(path), .length = length, .target = "tgt00001" };
        assert_true(api__sign_add(s, &rq, hops, now, &u->url, at));
        u->path = (struct str){ u->url.p, strlen(path) };
        u->query = (struct str){ u->url.p + at, u->url.n - at };
}

static void make(struct signed_url *u, const struct snapshot *s)
{
        make_at(u, s, HTTP_PUT, "/v1/objects/b/a%20b", "provider=ais&pid=p1&utm=abc", 11, 1, NOW);
}

static enum sign_result check(const struct snapshot *s, enum http_method m, struct str path, struct str query,
                              int64_t length, const char *target, int64_t now)
{
        struct sign_claims c;
        struct sign_request rq = { m, path, query, length, target };
        return api__sign_check(s, &rq, now, &c);
}

static void test_good(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 2);
        struct signed_url u;
        struct sign_claims c;
        make(&u, &s);
        struct sign_request rq = { HTTP_PUT, u.path, u.query, 11, "tgt00001" };
        assert_int_equal(api__sign_check(&s, &rq, NOW, &c), SIGN_GOOD);
        assert_int_equal(c.hops, 1);
        assert_int_equal(c.smap_version, 36);
        assert_int_equal(c.index, 7);
        assert_int_equal(c.expiry_s, NOW / NS_PER_SEC + SIGN_LIFE_S);
        assert_int_equal(api__sign_check(&s, &rq, NOW + (SIGN_LIFE_S - 1) * NS_PER_SEC, &c), SIGN_GOOD);
        assert_int_equal(api__sign_check(&s, &rq, NOW + SIGN_LIFE_S * NS_PER_SEC, &c), SIGN_BAD);
        buf_fini(&u.url);
}

static void test_no_signature(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 2), none = snapshot_of(0, 0);
        struct signed_url u;
        assert_int_equal(check(&s, HTTP_PUT, STR("/v1/objects/b/o"), STR("pid=p1&utm=abc"), 0, "tgt00001", NOW), SIGN_NONE);
        assert_int_equal(check(&s, HTTP_PUT, STR("/v1/objects/b/o"), STR(""), 0, "tgt00001", NOW), SIGN_NONE);
        make(&u, &none); /* a cluster of one */
        assert_false(api__query_has(u.query, "u") || api__query_has(u.query, "x") || api__query_has(u.query, "vpams"));
        buf_fini(&u.url);
}

static void test_get_serves_head(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 1);
        struct signed_url u;
        make_at(&u, &s, HTTP_GET, "/v1/objects/b/o", "pid=p1&utm=abc", 0, 1, NOW);
        assert_int_equal(check(&s, HTTP_GET, u.path, u.query, 0, "tgt00001", NOW), SIGN_GOOD);
        assert_int_equal(check(&s, HTTP_HEAD, u.path, u.query, 0, "tgt00001", NOW), SIGN_GOOD);
        static const enum http_method others[] = { HTTP_PUT, HTTP_POST, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS };
        for (size_t i = 0; i < ARRAY_LEN(others); i++)
                assert_int_equal(check(&s, others[i], u.path, u.query, 0, "tgt00001", NOW), SIGN_BAD);
        buf_fini(&u.url);
}

/* Clients may write an escape in another way; that changes nothing. */
static void test_other_spelling(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 1);
        struct signed_url u;
        make_at(&u, &s, HTTP_GET, "/v1/objects/b/a%7eb%2fc", "pid=p+1&utm=abc", 0, 1, NOW);
        struct str tail = str_skip(u.query, sizeof("pid=p+1&utm=abc") - 1);
        AUTO_BUF struct buf q = BUF_INIT;
        buf_printf(&q, "pid=p%%201&%%75tm=%%61bc" STR_FMT, STR_ARG(tail));
        assert_int_equal(check(&s, HTTP_GET, STR("/v1/objects/b/a~b/c"), buf_str(&q), 0, "tgt00001", NOW), SIGN_GOOD);
        buf_fini(&u.url);
}

/* The newest key signs; it and the one before verify; older ones do not. */
static void test_keys(void **state)
{
        (void)state;
        struct snapshot before = snapshot_of(2, 1), now = snapshot_of(1, 2), later = snapshot_of(0, 3), other = snapshot_of(0, 1);
        struct signed_url u;
        make(&u, &before);
        assert_int_equal(check(&before, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_GOOD);
        assert_int_equal(check(&now, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_GOOD);
        assert_int_equal(check(&later, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_BAD);
        assert_int_equal(check(&other, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_BAD);
        buf_fini(&u.url);
        make(&u, &now);
        assert_int_equal(check(&now, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_GOOD);
        /* A node that was away meets the new key before it has the state that brought it: not bad, too early. */
        struct snapshot old = snapshot_of(2, 1);
        old.index = now.index - 1;
        assert_int_equal(check(&old, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_LATER);
        old.index = now.index;
        assert_int_equal(check(&old, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_BAD);
        assert_true(str_find_str(u.query, STR("-k2aaaaaa&u=")) > 0);
        buf_fini(&u.url);
}

static void test_too_long(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 1);
        AUTO_BUF struct buf url = BUF_INIT;
        buf_adds(&url, STR("/v1/objects/b/o?pid=p&k="));
        for (size_t i = 0; i < SIGN_TEXT_MAX; i++)
                buf_addc(&url, 'a');
        struct sign_request rq = { .method = HTTP_GET, .path = STR("/v1/objects/b/o"), .target = "tgt00001" };
        assert_false(api__sign_add(&s, &rq, 1, NOW, &url, 16));
        assert_int_equal(check(&s, HTTP_GET, STR("/v1/objects/b/o"), str_skip(buf_str(&url), 16), 0, "tgt00001", NOW), SIGN_NONE);
        buf_adds(&url, STR("&vpams=1&x=1-zzzzzz-1-1-k3aaaaaa&u=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
        assert_int_equal(check(&s, HTTP_GET, STR("/v1/objects/b/o"), str_skip(buf_str(&url), 16), 0, "tgt00001", NOW), SIGN_BAD);
}

/* One change each: `from` (once in path or query) becomes `to`; or method, length, target, time. */
struct mutation {
        const char *in_path, *in_query, *to;
        enum http_method method;
        int64_t length, later_s;
        const char *target;
};
static const struct mutation mutations[] = {
        /* path */
        { .in_path = "b/a%20b", .to = "c/a%20b" },      { .in_path = "a%20b", .to = "a%20c" },
        { .in_path = "a%20b", .to = "a%2520b" },        { .in_path = "a%20b", .to = "a+b" },
        { .in_path = "a%20b", .to = "a%20b/" },         { .in_path = "a%20b", .to = "a%20b%00" },
        { .in_path = "a%20b", .to = "../a%20b" },       { .in_path = "objects", .to = "buckets" },
        { .in_path = "/v1/objects", .to = "//v1/objects" }, { .in_path = "a%20b", .to = "A%20b" },
        { .in_path = "a%20b", .to = "a%2" },            { .in_path = "a%20b", .to = "" },
        /* query: what was there */
        { .in_query = "provider=ais", .to = "provider=aws" }, { .in_query = "provider=ais&", .to = "" },
        { .in_query = "pid=p1", .to = "pid=p2" },       { .in_query = "utm=abc", .to = "utm=abd" },
        { .in_query = "utm=abc&", .to = "" },           { .in_query = "pid=p1&utm=abc", .to = "utm=abc&pid=p1" },
        { .in_query = "provider=", .to = "Provider=" }, { .in_query = "provider=ais", .to = "provider=ais%26" },
        { .in_query = "pid=p1", .to = "pid=p1&pid=p1" }, { .in_query = "provider=ais&pid=p1", .to = "provider=aispid=p1" },
        /* query: what is added */
        { .in_query = "utm=abc", .to = "utm=abc&uploadId=1" }, { .in_query = "utm=abc", .to = "utm=abc&append_type=append" },
        { .in_query = "utm=abc", .to = "utm=abc&object_to=x" }, { .in_query = "utm=abc", .to = "utm=abc&skip_vc=true" },
        { .in_query = "utm=abc", .to = "utm=abc&a" },   { .in_query = "utm=abc", .to = "utm=abc&u=x" },
        { .in_query = "&u=", .to = "&a=b&u=" },         { .in_query = "&u=", .to = "&u=&u=" },
        /* the map's version, expiry, hops, key, signature */
        { .in_query = "vpams=10", .to = "vpams=11" },   { .in_query = "vpams=10&", .to = "" },
        { .in_query = "vpams=10", .to = "vpams=%31%31" }, { .in_query = "-1-7-k3", .to = "-0-7-k3" },
        { .in_query = "-1-7-k3", .to = "-2-7-k3" },     { .in_query = "-1-7-k3", .to = "-1-8-k3" },
        { .in_query = "k3aaaaaa", .to = "k2aaaaaa" },   { .in_query = "k3aaaaaa", .to = "" },
        { .in_query = "k3aaaaaa", .to = "k9aaaaaa" },   { .in_query = "&x=", .to = "&x=1" },
        { .in_query = "&x=", .to = "&y=" },             { .in_query = "&u=", .to = "&u=A" },
        { .in_query = "&u=", .to = "&u=%41" },
        /* method, length, target, time */
        { .method = HTTP_POST }, { .method = HTTP_DELETE }, { .method = HTTP_PATCH }, { .method = HTTP_GET },
        { .method = HTTP_HEAD }, { .length = 12 }, { .length = 10 }, { .length = -1 }, { .target = "tgt00002" },
        { .target = "" }, { .later_s = 60 }, { .later_s = 86400 },
};

static void replace(struct buf *out, struct str in, const char *from, const char *to, size_t line)
{
        ptrdiff_t at = from != NULL ? str_find_str(in, str_of(from)) : 0;
        if (at < 0)
                fail_msg("mutation %zu: \"%s\" is not there", line, from);
        buf_add(out, in.p, (size_t)at);
        buf_adds(out, str_of(from != NULL ? to : ""));
        buf_adds(out, str_skip(in, (size_t)at + (from != NULL ? strlen(from) : 0)));
}

static void test_mutations(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 2);
        struct signed_url u;
        assert_true(ARRAY_LEN(mutations) >= 50);
        make(&u, &s);
        assert_int_equal(check(&s, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_GOOD);
        for (size_t i = 0; i < ARRAY_LEN(mutations); i++) {
                const struct mutation *m = &mutations[i];
                AUTO_BUF struct buf path = BUF_INIT;
                AUTO_BUF struct buf query = BUF_INIT;
                replace(&path, u.path, m->in_path, m->to, i);
                replace(&query, u.query, m->in_query, m->to, i);
                bool other_method = m->method != HTTP_GET || (m->in_path == NULL && m->in_query == NULL && m->length == 0 &&
                                                              m->target == NULL && m->later_s == 0);
                enum sign_result r = check(&s, other_method ? m->method : HTTP_PUT, buf_str(&path), buf_str(&query),
                                           m->length != 0 ? m->length : 11, m->target != NULL ? m->target : "tgt00001",
                                           NOW + m->later_s * NS_PER_SEC);
                if (r != SIGN_BAD)
                        fail_msg("mutation %zu was taken: " STR_FMT "?" STR_FMT, i, STR_ARG(buf_str(&path)),
                                 STR_ARG(buf_str(&query)));
        }
        buf_fini(&u.url);
}

/* Each single character of the signature counts, and each bit of it. */
static void test_every_character(void **state)
{
        (void)state;
        struct snapshot s = snapshot_of(0, 1);
        struct signed_url u;
        make(&u, &s);
        for (size_t i = 0; i < u.query.n; i++) {
                char *at = (char *)(uintptr_t)u.query.p + i, old = *at;
                for (unsigned bit = 0; bit < 7; bit++) {
                        *at = (char)(old ^ (1 << bit));
                        enum sign_result r = check(&s, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW);
                        if (r == SIGN_GOOD)
                                fail_msg("byte %zu: '%c' instead of '%c' was taken", i, *at, old);
                }
                *at = old;
        }
        assert_int_equal(check(&s, HTTP_PUT, u.path, u.query, 11, "tgt00001", NOW), SIGN_GOOD);
        buf_fini(&u.url);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),           cmocka_unit_test(test_no_signature), cmocka_unit_test(test_get_serves_head),
                cmocka_unit_test(test_other_spelling), cmocka_unit_test(test_keys),         cmocka_unit_test(test_too_long),
                cmocka_unit_test(test_mutations),      cmocka_unit_test(test_every_character),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
