/* Heads, chunks, ranges and queries; and the corpus of tests/conversations/desync through the parser alone, cut at
 * every place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"
#include "net/http_parse.h"

static struct http_head head; /* large: not on the stack */
static struct http_response_head response;

static enum http_parse_result parse(struct str in, size_t *ret_len, enum err_code *ret_code)
{
        size_t resume = 0;
        const char *why = NULL;
        *ret_code = ERR_NONE;
        enum http_parse_result r = http_parse_request(in, &resume, &head, ret_len, ret_code, &why);
        assert_true((r == HTTP_PARSE_BAD) == (why != NULL));
        return r;
}

static void test_request(void **state)
{
        (void)state;
        struct str in = STR(
                "PUT /a/b%20c?x=1&y HTTP/1.1\r\nHost: h:80\r\nContent-Length: 12\r\nX-A: \t v 1 \t\r\nx-a: two\r\nExpect: 100-Continue\r\n\r\nbody");
        size_t len;
        enum err_code code;
        assert_int_equal(parse(in, &len, &code), HTTP_PARSE_OK);
        assert_int_equal(len, in.n - 4);
        assert_int_equal(head.method, HTTP_PUT);
        assert_true(str_eq(head.method_text, STR("PUT")));
        assert_true(str_eq(head.target, STR("/a/b%20c?x=1&y")));
        assert_true(str_eq(head.path, STR("/a/b%20c")));
        assert_true(str_eq(head.query, STR("x=1&y")));
        assert_true(str_eq(head.host, STR("h:80")));
        assert_int_equal(head.minor, 1);
        assert_true(head.keep_alive && head.has_length && head.expect_continue && !head.chunked && !head.expect_other);
        assert_int_equal(head.length, 12);
        assert_int_equal(head.nheaders, 5);
        assert_true(str_eq(http_head_find(&head, STR("X-a")), STR("v 1")));
        assert_null(http_head_find(&head, STR("X-B")).p);
}

static void test_methods(void **state)
{
        (void)state;
        for (enum http_method m = HTTP_GET; m <= HTTP_OTHER; m++) {
                char text[64];
                size_t len;
                enum err_code code;
                const char *name = m == HTTP_OTHER ? "get" : http_method_name(m);
                (void)snprintf(text, sizeof(text), "%s / HTTP/1.0\r\n\r\n", name);
                assert_int_equal(parse(str_of(text), &len, &code), HTTP_PARSE_OK);
                assert_int_equal(head.method, m);
                assert_false(head.keep_alive);
        }
}

static void test_absolute_form(void **state)
{
        (void)state;
        size_t len;
        enum err_code code;
        assert_int_equal(parse(STR("GET http://H:1/p?q HTTP/1.1\r\nHost: h:1\r\n\r\n"), &len, &code), HTTP_PARSE_OK);
        assert_true(str_eq(head.target, STR("/p?q")) && str_eq(head.path, STR("/p")) && str_eq(head.query, STR("q")));
        assert_int_equal(parse(STR("GET https://h HTTP/1.1\r\nHost: h\r\n\r\n"), &len, &code), HTTP_PARSE_OK);
        assert_true(str_eq(head.path, STR("/")) && !head.query.p);
        assert_int_equal(parse(STR("OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"), &len, &code), HTTP_PARSE_OK);
        assert_true(str_eq(head.path, STR("*")));
}

/* The parser must come to the same result however its input was cut, and must not look at the head anew each time. */
static void test_resume(void **state)
{
        (void)state;
        struct str in = STR("\r\nGET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n");
        size_t resume = 0, len = 0;
        enum err_code code;
        const char *why;
        for (size_t n = 0; n < in.n; n++) {
                assert_int_equal(http_parse_request((struct str){ in.p, n }, &resume, &head, &len, &code, &why),
                                 HTTP_PARSE_MORE);
                assert_true(resume <= n);
        }
        assert_true(resume >= in.n - 2);
        assert_int_equal(http_parse_request(in, &resume, &head, &len, &code, &why), HTTP_PARSE_OK);
        assert_int_equal(len, in.n);
}

/* A hopeless request line is refused as soon as it is complete, without waiting for the rest of a head. */
static void test_early_verdict(void **state)
{
        (void)state;
        size_t len;
        enum err_code code;
        assert_int_equal(parse(STR("GET /\r\n"), &len, &code), HTTP_PARSE_BAD);
        assert_int_equal(parse(STR("SSH-2.0-OpenSSH_9.2p1\r\n"), &len, &code), HTTP_PARSE_BAD);
        assert_int_equal(parse(STR("GET / HTTP/1.1\n"), &len, &code), HTTP_PARSE_BAD);
        assert_int_equal(parse(STR("GET / HTTP/2.0\r\n"), &len, &code), HTTP_PARSE_BAD);
        assert_int_equal(code, ERR_UNSUPPORTED);
        assert_int_equal(parse(STR("GET / HTTP/1.1\r\n"), &len, &code), HTTP_PARSE_MORE);
        assert_int_equal(parse(STR("GET / HT"), &len, &code), HTTP_PARSE_MORE);
}

static enum http_parse_result parse_resp(const char *text, size_t *ret_len)
{
        size_t resume = 0;
        const char *why;
        return http_parse_response(str_of(text), &resume, &response, ret_len, &why);
}

static void test_response(void **state)
{
        (void)state;
        size_t len;
        assert_int_equal(parse_resp("HTTP/1.1 206 Partial Content\r\nContent-Length: 7\r\nA: b\r\n\r\nxx", &len),
                         HTTP_PARSE_OK);
        assert_int_equal(response.status, 206);
        assert_true(response.keep_alive && response.has_length && !response.chunked);
        assert_int_equal(response.length, 7);
        assert_int_equal(response.nheaders, 2);
        assert_int_equal(parse_resp("HTTP/1.0 200 \r\nTransfer-Encoding: chunked\r\n\r\n", &len), HTTP_PARSE_BAD);
        assert_int_equal(parse_resp("HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", &len),
                         HTTP_PARSE_OK);
        assert_true(response.chunked && !response.keep_alive);
        assert_int_equal(parse_resp("HTTP/1.0 404 No\r\n\r\n", &len), HTTP_PARSE_OK);
        assert_false(response.keep_alive);
        static const char *const refused[] = {
                "HTTP/1.1  200 OK\r\n\r\n",
                "HTTP/2.0 200 OK\r\n\r\n",
                "HTTP/1.1 99 Low\r\n\r\n",
                "HTTP/1.1 600 High\r\n\r\n",
                "HTTP/1.1 2000 Long\r\n\r\n",
                "HTTP/1.1 +20 OK\r\n\r\n",
                "HTTP/1.1 200 OK\nA: b\r\n\r\n",
                "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                "HTTP/1.1 200 O\001K\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
                "200 OK\r\n\r\n",
                "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n"
        };
        for (size_t i = 0; i < ARRAY_LEN(refused); i++)
                assert_int_equal(parse_resp(refused[i], &len), HTTP_PARSE_BAD);
        assert_int_equal(parse_resp("HTTP/1.1 200 OK\r\nA: b\r\n", &len), HTTP_PARSE_MORE);
        static char big[HTTP_HEAD_MAX + 100];
        memset(big, 'a', sizeof(big) - 1);
        memcpy(big, "HTTP/1.1 200 OK\r\nX: ", 20);
        assert_int_equal(parse_resp(big, &len), HTTP_PARSE_BAD);
}

/* Decodes `in`, given in two pieces cut at `cut`; 1: complete, 0: more needed, -1: bad. *ret_used: bytes consumed. */
static int decode(struct str in, size_t cut, struct buf *out, size_t *ret_used)
{
        struct http_chunked c;
        size_t off = 0, ends[2] = { MIN(cut, in.n), in.n };
        http_chunked_init(&c);
        for (unsigned piece = 0; piece < 2; piece++) {
                struct str rest = { in.p + off, ends[piece] - off };
                for (;;) {
                        struct str data;
                        bool end = false;
                        enum http_parse_result r = http_chunked_next(&c, &rest, &data, &end);
                        off = ends[piece] - rest.n;
                        *ret_used = off;
                        if (r == HTTP_PARSE_BAD)
                                return -1;
                        buf_adds(out, data);
                        if (end)
                                return 1;
                        if (r == HTTP_PARSE_MORE)
                                break;
                }
        }
        return 0;
}

static void test_chunked_cuts(void **state)
{
        (void)state;
        struct str in = STR("5\r\nhello\r\n1;x=y\r\n \r\n00A\r\n0123456789\r\n0\r\nT: v\r\n\r\nnext");
        for (size_t cut = 0; cut <= in.n; cut++) {
                AUTO_BUF struct buf out = BUF_INIT;
                size_t used;
                assert_int_equal(decode(in, cut, &out, &used), 1);
                assert_true(str_eq(buf_str(&out), STR("hello 0123456789")));
                assert_int_equal(used, in.n - 4);
        }
        for (size_t n = 0; n < in.n - 4; n++) {
                AUTO_BUF struct buf out = BUF_INIT;
                size_t used;
                assert_int_equal(decode((struct str){ in.p, n }, n / 2, &out, &used), 0);
        }
}

/* Data received elsewhere than in the parser's input. */
static void test_chunked_plain(void **state)
{
        (void)state;
        struct http_chunked c;
        struct str in = STR("a\r\n012"), data;
        bool end;
        http_chunked_init(&c);
        assert_int_equal(http_chunked_plain(&c), 0);
        assert_int_equal(http_chunked_next(&c, &in, &data, &end), HTTP_PARSE_OK);
        assert_true(str_eq(data, STR("012")));
        assert_int_equal(http_chunked_plain(&c), 7);
        http_chunked_took(&c, 7);
        assert_int_equal(http_chunked_plain(&c), 0);
        in = STR("\r\n0\r\n\r\n");
        assert_int_equal(http_chunked_next(&c, &in, &data, &end), HTTP_PARSE_OK);
        assert_true(end);
}

static void test_range(void **state)
{
        (void)state;
        static const struct {
                const char *value;
                uint64_t size;
                enum range_kind kind;
                uint64_t offset, length;
        } t[] = {
                { NULL, 10, RANGE_NONE, 0, 0 },
                { "bytes=0-0", 10, RANGE_ONE, 0, 1 },
                { "bytes=0-9", 10, RANGE_ONE, 0, 10 },
                { "bytes=0-10", 10, RANGE_ONE, 0, 10 },
                { "bytes=9-", 10, RANGE_ONE, 9, 1 },
                { "BYTES=5-6", 10, RANGE_ONE, 5, 2 },
                { "bytes=-3", 10, RANGE_ONE, 7, 3 },
                { "bytes=-30", 10, RANGE_ONE, 0, 10 },
                { "bytes=0-18446744073709551615", 10, RANGE_ONE, 0, 10 },
                { "bytes=0-99999999999999999999999", 10, RANGE_ONE, 0, 10 },
                { "bytes= 1-2 ,", 10, RANGE_ONE, 1, 2 },
                { "bytes=10-", 10, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=99999999999999999999999-", 10, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=-0", 10, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=0-", 0, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=-1", 0, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=20-30,40-50", 10, RANGE_UNSATISFIABLE, 0, 0 },
                { "bytes=0-1,3-4", 10, RANGE_MULTI, 0, 0 },
                { "bytes=0-1,30-40", 10, RANGE_MULTI, 0, 0 },
                { "bytes=", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=,", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=-", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=1", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=2-1", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=a-b", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=+1-2", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=1 -2", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=1--2", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes=0-1,x", 10, RANGE_MALFORMED, 0, 0 },
                { "bytes", 10, RANGE_MALFORMED, 0, 0 },
                { "", 10, RANGE_MALFORMED, 0, 0 },
                { "lines=1-2", 10, RANGE_NONE, 0, 0 },
        };
        for (size_t i = 0; i < ARRAY_LEN(t); i++) {
                uint64_t offset = 0, length = 0;
                enum range_kind kind = http_range(str_of(t[i].value), t[i].size, &offset, &length);
                if (kind != t[i].kind || offset != t[i].offset || length != t[i].length)
                        fail_msg("%s of %llu: kind %d, %llu+%llu", t[i].value ? t[i].value : "(none)",
                                 (unsigned long long)t[i].size, (int)kind, (unsigned long long)offset,
                                 (unsigned long long)length);
        }
}

static void test_query(void **state)
{
        (void)state;
        struct str q = STR("a=1&&b&c=&=d&e=f=g"), key, value;
        static const char *const want[][2] = { { "a", "1" }, { "b", "" }, { "c", "" }, { "", "d" }, { "e", "f=g" } };
        for (size_t i = 0; i < ARRAY_LEN(want); i++) {
                assert_true(http_query_next(&q, &key, &value));
                assert_true(str_eq(key, str_of(want[i][0])) && str_eq(value, str_of(want[i][1])));
        }
        assert_false(http_query_next(&q, &key, &value));
        struct str none = STR_NONE;
        assert_false(http_query_next(&none, &key, &value));
}

/* The corpus. See tests/conversations/README.md. */

static void unescape(struct str s, struct buf *out)
{
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] != '\\') {
                        buf_addc(out, s.p[i]);
                        continue;
                }
                uint64_t v;
                char c = s.p[++i];
                if (c == 'x') {
                        assert_true(str_hex64((struct str){ s.p + i + 1, 2 }, &v));
                        buf_addc(out, (char)v);
                        i += 2;
                } else if (c == '*') {
                        struct str rest = str_skip(s, i + 1), count = str_cut(&rest, '{'), text = str_cut(&rest, '}');
                        assert_true(str_u64(count, &v));
                        for (uint64_t k = 0; k < v; k++)
                                unescape(text, out);
                        i = (size_t)(text.p + text.n - s.p);
                } else {
                        buf_addc(out, c == 'r' ? '\r' : c == 'n' ? '\n' : c == 't' ? '\t' : c == '0' ? '\0' : c);
                }
        }
}

static int status_of(enum err_code code)
{
        return code == ERR_URI_TOO_LONG        ? 414
               : code == ERR_HEADERS_TOO_LARGE ? 431
               : code == ERR_UNSUPPORTED       ? 501
                                               : 400;
}

/* Plays a server that knows nothing but message boundaries: writes "200" per request, and the code of what ends the
 * connection. */
static void judge(struct str in, struct buf *verdict)
{
        while (in.n) {
                size_t len, used;
                enum err_code code;
                enum http_parse_result r = parse(in, &len, &code);
                if (r == HTTP_PARSE_MORE)
                        return;
                if (r == HTTP_PARSE_BAD) {
                        buf_printf(verdict, "%d", status_of(code));
                        return;
                }
                in = str_skip(in, len);
                if (head.chunked) {
                        AUTO_BUF struct buf body = BUF_INIT;
                        int d = decode(in, in.n / 2, &body, &used);
                        if (d <= 0) {
                                buf_adds(verdict, d < 0 ? STR("400") : STR(""));
                                return;
                        }
                        in = str_skip(in, used);
                } else if (head.length > in.n) {
                        return;
                } else {
                        in = str_skip(in, (size_t)head.length);
                }
                buf_adds(verdict, STR("200 "));
                if (!head.keep_alive)
                        return;
        }
}

/* What a conversation wants, in the same form: statuses of handlers count as 200, 505 as 501, and a 417 is none of the
 * parser's business. */
static void want(struct str status, struct buf *wanted)
{
        if (str_eq(status, STR("403")) || str_eq(status, STR("404")) || str_eq(status, STR("200")) ||
            str_eq(status, STR("417")))
                buf_adds(wanted, STR("200 "));
        else
                buf_adds(wanted, str_eq(status, STR("505")) ? STR("501") : status);
}

static unsigned play_file(const char *path)
{
        static char text[1 << 20];
        FILE *f = fopen(path, "r");
        if (!f)
                fail_msg("%s can not be opened", path);
        size_t n = fread(text, 1, sizeof(text), f);
        (void)fclose(f);
        struct str rest = { text, n }, name = STR_NONE;
        AUTO_BUF struct buf sent = BUF_INIT, wanted = BUF_INIT, verdict = BUF_INIT;
        unsigned played = 0;
        while (rest.n) {
                struct str line = str_cut(&rest, '\n'), word = str_cut(&line, ' ');
                if (str_eq(word, STR("conversation"))) {
                        name = line;
                        buf_clear(&sent);
                        buf_clear(&wanted);
                } else if (str_eq(word, STR("send"))) {
                        unescape(line, &sent);
                } else if (str_eq(word, STR("want"))) {
                        want(line, &wanted);
                }
                if (rest.n && rest.p[0] != '\n')
                        continue;
                if (!sent.n)
                        continue;
                buf_clear(&verdict);
                judge(buf_str(&sent), &verdict);
                /* A handler may answer before it has the body, so the parser may see a little more than the client was
                 * told. */
                if (!str_starts(buf_str(&verdict), buf_str(&wanted)))
                        fail_msg("%.*s: %s instead of %s", STR_ARG(name), buf_cstr(&verdict), buf_cstr(&wanted));
                played++;
                buf_clear(&sent);
        }
        return played;
}

static void test_corpus(void **state)
{
        (void)state;
        static const char *const files[] = { "content-length", "transfer-encoding", "both-lengths", "chunks",
                                             "request-line",   "header-lines",      "host",         "pipelines" };
        unsigned played = 0;
        for (size_t i = 0; i < ARRAY_LEN(files); i++) {
                char path[512];
                (void)snprintf(path, sizeof(path), "%s/%s.txt", DESYNC_CORPUS, files[i]);
                played += play_file(path);
        }
        assert_true(played >= 215);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_request),       cmocka_unit_test(test_methods),
                cmocka_unit_test(test_absolute_form), cmocka_unit_test(test_resume),
                cmocka_unit_test(test_early_verdict), cmocka_unit_test(test_response),
                cmocka_unit_test(test_chunked_cuts),  cmocka_unit_test(test_chunked_plain),
                cmocka_unit_test(test_range),         cmocka_unit_test(test_query),
                cmocka_unit_test(test_corpus),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
