/* liborlop against a server that plays a script: what is sent, how answers are understood, redirects, resumed reads, checksums. */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "client/orlop.h"
#include "os/clock.h"
#include "os/sock.h"
#include "os/thread.h"

/* One step: the answer to the next request, or part of one. The connection is closed after each. */
struct step {
        const char *answer;
        bool early; /* answer after the head, without waiting for the body */
};
static struct {
        int fd;
        char url[64];
        const struct step *steps;
        unsigned nsteps, done;
        struct buf seen[8]; /* requests as they came */
        struct thread *thread;
} server;

static bool more(int fd, struct buf *b, int wait_ms)
{
        char piece[4096];
        ssize_t n = recv(fd, piece, sizeof(piece), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
                struct pollfd p = { fd, POLLIN, 0 };
                return poll(&p, 1, wait_ms) > 0;
        }
        if (n <= 0)
                return false;
        buf_add(b, piece, (size_t)n);
        return true;
}

static uint64_t announced(struct str head)
{
        ptrdiff_t at = str_find_str(head, STR("Content-Length: "));
        uint64_t n = 0;
        if (at >= 0) {
                struct str rest = str_skip(head, (size_t)at + 16);
                (void)str_u64(str_cut(&rest, '\r'), &n);
        }
        return n;
}

static void read_request(int fd, const struct step *step, struct buf *b)
{
        ptrdiff_t end;
        while ((end = str_find_str(buf_str(b), STR("\r\n\r\n"))) < 0)
                if (!more(fd, b, 5000))
                        return;
        struct str head = { b->p, (size_t)end };
        if (step->early)
                return;
        if (str_find_str(head, STR("chunked")) >= 0) {
                while (!str_ends(buf_str(b), STR("0\r\n\r\n")) && more(fd, b, 5000))
                        continue;
                return;
        }
        uint64_t length = announced(head);
        while (b->n < (size_t)end + 4 + length)
                if (!more(fd, b, 5000))
                        return;
}

/* An answer without Content-Length gets the right one. */
static void send_answer(int fd, const char *text)
{
        struct buf b = BUF_INIT;
        struct str answer = str_of(text);
        size_t line = (size_t)str_find(answer, '\n') + 1;
        buf_add(&b, text, line);
        if (str_find_str(answer, STR("Content-Length")) < 0)
                buf_printf(&b, "Content-Length: %zu\r\n", answer.n - (size_t)str_find_str(answer, STR("\r\n\r\n")) - 4);
        buf_adds(&b, str_skip(answer, line));
        (void)!send(fd, b.p, b.n, MSG_NOSIGNAL);
        buf_fini(&b);
}

static void serve(void *arg)
{
        (void)arg;
        while (server.done < server.nsteps) {
                struct pollfd p = { server.fd, POLLIN, 0 };
                if (poll(&p, 1, 5000) <= 0)
                        return;
                int fd = accept(server.fd, NULL, NULL);
                if (fd < 0)
                        continue;
                const struct step *step = &server.steps[server.done];
                read_request(fd, step, &server.seen[server.done]);
                server.done++;
                send_answer(fd, step->answer);
                shutdown(fd, SHUT_WR);
                struct buf rest = BUF_INIT;
                while (more(fd, &rest, 50))
                        continue;
                buf_fini(&rest);
                close(fd);
        }
}

static struct orlop *start(const struct step *steps, unsigned n)
{
        char address[64];
        struct orlop *h;
        assert_null(sock_listen(STR("127.0.0.1:0"), false, 16, &server.fd));
        snprintf(server.url, sizeof(server.url), "http://%s", sock_local_text(server.fd, address));
        server.steps = steps;
        server.nsteps = n;
        server.done = 0;
        assert_null(thread_start(&server.thread, "script", THREAD_OTHER, serve, NULL));
        const struct orlop_options o = { .endpoint = server.url, .token = "secret", .timeout_ms = 5000 };
        assert_int_equal(orlop_open(&o, &h, NULL), ORLOP_OK);
        return h;
}

static void stop(struct orlop *h)
{
        orlop_close(h);
        thread_join(server.thread);
        close(server.fd);
        assert_int_equal(server.done, server.nsteps);
        for (size_t i = 0; i < ARRAY_LEN(server.seen); i++)
                buf_fini(&server.seen[i]);
}

static void assert_sent(unsigned i, const char *text)
{
        const char *seen = buf_cstr(&server.seen[i]);
        if (!strstr(seen, text))
                fail_msg("request %u lacks \"%s\":\n%s", i, text, seen);
}

static const struct orlop_bucket bucket = { "b", "ais", "" };

static struct orlop_source text_source(struct orlop_memory *m, const char *text)
{
        *m = (struct orlop_memory){ text, strlen(text), 0 };
        return orlop_source_memory(m);
}

static bool collect(void *arg, const void *p, size_t n)
{
        buf_add(arg, p, n);
        return true;
}

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_put(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAis-Checksum-Type: md5\r\nAis-Checksum-Value: 77\r\nAis-Version: 3\r\n\r\n", false } };
        struct orlop *h = start(steps, 1);
        struct orlop_memory m;
        struct orlop_source body = text_source(&m, "hello");
        struct orlop_info info;
        const char *custom[] = { "k=v", "x=y z", NULL };
        const struct orlop_put_options o = { .cksum_type = "md5", .cksum_value = "77", .custom = custom };
        (void)state;
        assert_int_equal(orlop_put(h, &bucket, "a b/c%", &body, &o, &info, NULL), ORLOP_OK);
        assert_string_equal(info.cksum_value, "77");
        assert_string_equal(info.version, "3");
        assert_int_equal(info.size, 5);
        assert_sent(0, "PUT /v1/objects/b/a%20b/c%25?provider=ais HTTP/1.1\r\n");
        assert_sent(0, "Ais-Checksum-Type: md5\r\n");
        assert_sent(0, "Ais-Custom-Md: x=y z\r\n");
        assert_sent(0, "Authorization: Bearer secret\r\n");
        assert_sent(0, "\r\n\r\nhello");
        stop(h);
}

/* The answer names this server again; the body must come whole a second time. */
static void test_redirect(void **state)
{
        char answer[256];
        struct step steps[] = { { answer, true }, { OK_EMPTY, false } };
        struct orlop *h = start(steps, 2);
        struct orlop_memory m;
        struct orlop_source body = text_source(&m, "the body");
        (void)state;
        snprintf(answer, sizeof(answer), "HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\nLocation: %s/v1/objects/b/o?provider=ais&pid=1\r\n\r\n",
                 server.url);
        assert_int_equal(orlop_put(h, &bucket, "o", &body, NULL, NULL, NULL), ORLOP_OK);
        assert_sent(1, "PUT /v1/objects/b/o?provider=ais&pid=1 HTTP/1.1\r\n");
        assert_sent(1, "\r\n\r\nthe body");
        assert_sent(1, "Authorization: Bearer secret\r\n");
        stop(h);
}

static void test_redirect_elsewhere(void **state)
{
        char answer[256];
        struct step steps[] = { { answer, true }, { OK_EMPTY, false } };
        struct orlop *h = start(steps, 2);
        struct orlop_info info;
        (void)state;
        /* Another name of the same machine: the token must not go there. */
        snprintf(answer, sizeof(answer), "HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: http://localhost%s/v1/objects/b/o\r\n\r\n",
                 strrchr(server.url, ':'));
        assert_int_equal(orlop_head(h, &bucket, "o", &info, NULL), ORLOP_OK);
        assert_null(strstr(buf_cstr(&server.seen[1]), "Authorization"));
        stop(h);
}

static bool once_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct orlop_memory *m = arg;
        *ret_n = MIN(n, m->n - m->pos);
        memcpy(p, m->p + m->pos, *ret_n);
        m->pos += *ret_n;
        return true;
}

/* A body that cannot be repeated is announced, and the redirect comes before its first byte. */
static void test_once(void **state)
{
        char answer[256];
        struct step steps[] = { { answer, true }, { OK_EMPTY, false } };
        struct orlop *h = start(steps, 2);
        struct orlop_memory m = { "one way only", 12, 0 };
        struct orlop_source body = { -1, once_read, NULL, &m };
        (void)state;
        snprintf(answer, sizeof(answer), "HTTP/1.1 307 X\r\nContent-Length: 0\r\nLocation: %s/v1/objects/b/o\r\n\r\n", server.url);
        assert_int_equal(orlop_put(h, &bucket, "o", &body, NULL, NULL, NULL), ORLOP_OK);
        assert_sent(0, "Expect: 100-continue\r\n");
        assert_null(strstr(buf_cstr(&server.seen[0]), "one way"));
        assert_sent(1, "one way only");
        stop(h);
}

static void test_redirect_loop(void **state)
{
        static const struct step again = { "HTTP/1.1 301 X\r\nContent-Length: 0\r\nLocation: /v1/x\r\n\r\n", true };
        const struct step steps[] = { again, again };
        struct orlop *h = start(steps, 2);
        struct orlop_error e;
        struct orlop_info info;
        (void)state;
        assert_int_equal(orlop_head(h, &bucket, "o", &info, &e), ORLOP_CONNECTION);
        stop(h);
}

static void test_errors(void **state)
{
        static const struct {
                const char *answer;
                enum orlop_code code;
                const char *message, *tcode;
        } rows[] = {
                { "HTTP/1.1 404 Not Found\r\n\r\n{\"tcode\":\"ErrNotFound\",\"message\":\"ais://b/o no\",\"status\":404}", ORLOP_NOT_FOUND,
                  "ais://b/o no", "ErrNotFound" },
                { "HTTP/1.1 500 X\r\n\r\n{\"tcode\":\"ErrBadCksum\",\"message\":\"bad\"} ", ORLOP_CHECKSUM, "bad", "ErrBadCksum" },
                { "HTTP/1.1 409 X\r\n\r\nplain words\n", ORLOP_CONFLICT, "plain words", "" },
                { "HTTP/1.1 507 X\r\nContent-Length: 0\r\n\r\n", ORLOP_NO_SPACE, "out of space (HTTP status 507)", "" },
                { "HTTP/1.1 401 X\r\nContent-Length: 0\r\n\r\n", ORLOP_DENIED, "access denied (HTTP status 401)", "" },
                { "HTTP/1.1 418 X\r\nContent-Length: 0\r\n\r\n", ORLOP_FAILED, "failed (HTTP status 418)", "" },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                const struct step steps[] = { { rows[i].answer, false } };
                struct orlop *h = start(steps, 1);
                struct orlop_error e;
                assert_int_equal(orlop_remove(h, &bucket, "o", &e), rows[i].code);
                assert_string_equal(e.message, rows[i].message);
                assert_string_equal(e.tcode, rows[i].tcode);
                stop(h);
        }
}

static void test_head_error(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 404 X\r\nContent-Length: 0\r\nHdr-Error: {\"message\":\"ais://b/o is not here\",\"status\":404}\r\n\r\n", false } };
        struct orlop *h = start(steps, 1);
        struct orlop_error e;
        struct orlop_info info = { .size = 99 };
        (void)state;
        assert_int_equal(orlop_head(h, &bucket, "o", &info, &e), ORLOP_NOT_FOUND);
        assert_string_equal(e.message, "ais://b/o is not here");
        assert_int_equal(e.status, 404);
        assert_int_equal(info.size, 99);
        stop(h);
}

static void test_busy(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n", false }, { OK_EMPTY, false } };
        struct orlop *h = start(steps, 2);
        (void)state;
        assert_int_equal(orlop_remove(h, &bucket, "o", NULL), ORLOP_OK);
        stop(h);
}

#define HELLO "Ais-Checksum-Type: xxhash2\r\nAis-Checksum-Value: 45ab6734b21e6968\r\nAis-Version: 1\r\nAis-Custom-Md: a=1\r\nAis-Custom-Md: b=2\r\n"

static void test_get(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" HELLO "\r\nhello world", false } };
        struct orlop *h = start(steps, 1);
        AUTO_BUF struct buf b = BUF_INIT;
        struct orlop_info info;
        (void)state;
        assert_int_equal(orlop_get(h, &bucket, "o", NULL, collect, &b, &info, NULL), ORLOP_OK);
        assert_string_equal(buf_cstr(&b), "hello world");
        assert_int_equal(info.size, 11);
        assert_int_equal(info.ncustom, 2);
        assert_memory_equal(info.custom, "a=1\0b=2", 8);
        stop(h);
}

static void test_get_damaged(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" HELLO "\r\nhello w0rld", false },
                                      { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" HELLO "\r\nhello w0rld", false } };
        struct orlop *h = start(steps, 2);
        AUTO_BUF struct buf b = BUF_INIT;
        struct orlop_error e;
        const struct orlop_get_options trust = { .no_verify = true };
        (void)state;
        assert_int_equal(orlop_get(h, &bucket, "o", NULL, collect, &b, NULL, &e), ORLOP_CHECKSUM);
        assert_non_null(strstr(e.message, "45ab6734b21e6968"));
        assert_int_equal(orlop_get(h, &bucket, "o", &trust, collect, &b, NULL, &e), ORLOP_OK);
        stop(h);
}

/* The connection breaks after 6 bytes: the rest is asked for, and the checksum covers both. */
static void test_get_resumes(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" HELLO "\r\nhello ", false },
                                      { "HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 6-10/11\r\n" HELLO "\r\nworld", false } };
        struct orlop *h = start(steps, 2);
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        assert_int_equal(orlop_get(h, &bucket, "o", NULL, collect, &b, NULL, NULL), ORLOP_OK);
        assert_string_equal(buf_cstr(&b), "hello world");
        assert_sent(1, "Range: bytes=6-10\r\n");
        stop(h);
}

static void test_get_changed(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n" HELLO "\r\nhello ", false },
                                      { "HTTP/1.1 206 X\r\nContent-Length: 5\r\nContent-Range: bytes 6-10/11\r\nAis-Version: 2\r\n\r\nworld", false } };
        struct orlop *h = start(steps, 2);
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        assert_int_equal(orlop_get(h, &bucket, "o", NULL, collect, &b, NULL, NULL), ORLOP_CONFLICT);
        assert_string_equal(buf_cstr(&b), "hello ");
        stop(h);
}

static void test_get_range(void **state)
{
        static const struct {
                int64_t offset, length;
                const char *header;
        } rows[] = { { 5, 3, "Range: bytes=5-7\r\n" }, { 5, 0, "Range: bytes=5-\r\n" }, { -4, 0, "Range: bytes=-4\r\n" }, { 0, 1, "Range: bytes=0-0\r\n" } };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                const struct step steps[] = { { "HTTP/1.1 206 X\r\nContent-Length: 2\r\nContent-Range: bytes 5-6/11\r\n" HELLO "\r\nxy", false } };
                struct orlop *h = start(steps, 1);
                AUTO_BUF struct buf b = BUF_INIT;
                struct orlop_info info;
                const struct orlop_get_options o = { .offset = rows[i].offset, .length = rows[i].length };
                assert_int_equal(orlop_get(h, &bucket, "o", &o, collect, &b, &info, NULL), ORLOP_OK);
                assert_int_equal(info.size, 11);
                assert_sent(0, rows[i].header);
                stop(h);
        }
}

struct names {
        char text[256];
        bool dirs;
};

static bool collect_entry(void *arg, const struct orlop_entry *e)
{
        struct names *n = arg;
        size_t len = strlen(n->text);
        snprintf(n->text + len, sizeof(n->text) - len, "%s:%u%s ", e->name, (unsigned)e->size, e->dir ? "/" : "");
        return true;
}

static void test_list(void **state)
{
        const struct step steps[] = {
                { "HTTP/1.1 200 OK\r\n\r\n{\"uuid\":\"abcdefghi\",\"continuation_token\":\"a\",\"entries\""
                  ":[{\"name\":\"a\",\"size\":\"7\",\"flags\":64}],\"flags\":0}        ", false },
                { "HTTP/1.1 200 OK\r\n\r\n{\"uuid\":\"x\",\"continuation_token\":\"\",\"entries\":[{\"name\":\"d/\",\"flags\":256}],\"flags\":0}", false },
        };
        struct orlop *h = start(steps, 2);
        struct names n = { .text = "" };
        (void)state;
        assert_int_equal(orlop_list(h, &bucket, "p", "0", 0, collect_entry, &n, NULL), ORLOP_OK);
        assert_string_equal(n.text, "a:7 d/:0/ ");
        assert_sent(0, "GET /v1/buckets/b?provider=ais HTTP/1.1\r\n");
        assert_sent(0, "\"prefix\":\"p\"");
        assert_sent(0, "\"start_after\":\"0\"");
        assert_sent(0, "\"flags\":\"2080\"");
        assert_sent(1, "\"uuid\":\"abcdefghi\"");
        assert_sent(1, "\"continuation_token\":\"a\"");
        stop(h);
}

static void test_append(void **state)
{
        const struct step steps[] = { { "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAis-Append-Handle: t|/x y|xxhash|abc==\r\n\r\n", false }, { OK_EMPTY, false } };
        struct orlop *h = start(steps, 2);
        struct orlop_memory m;
        struct orlop_source body = text_source(&m, "tail");
        (void)state;
        assert_int_equal(orlop_append(h, &bucket, "o", &body, NULL), ORLOP_OK);
        assert_sent(0, "append_type=append&append_handle= HTTP/1.1\r\n");
        assert_sent(1, "append_type=flush&append_handle=t%7C%2Fx%20y%7Cxxhash%7Cabc%3D%3D HTTP/1.1\r\n");
        stop(h);
}

static void test_no_server(void **state)
{
        const struct orlop_options o = { .endpoint = "http://127.0.0.1:1" };
        struct orlop_error e;
        struct orlop *h;
        (void)state;
        assert_int_equal(orlop_open(&o, &h, NULL), ORLOP_OK);
        assert_int_equal(orlop_remove(h, &bucket, "o", &e), ORLOP_CONNECTION);
        assert_true(e.message[0]);
        orlop_close(h);
        const struct orlop_options bad = { .endpoint = "ftp://x" };
        assert_int_equal(orlop_open(&bad, &h, &e), ORLOP_INVALID);
}

static void test_header_injection(void **state)
{
        const struct orlop_options o = { .endpoint = "http://127.0.0.1:1" };
        const char *custom[] = { "k=v\r\nX-Evil: 1", NULL };
        const struct orlop_put_options po = { .custom = custom };
        struct orlop_memory m;
        struct orlop_source body = text_source(&m, "x");
        struct orlop *h;
        (void)state;
        assert_int_equal(orlop_open(&o, &h, NULL), ORLOP_OK);
        assert_int_equal(orlop_put(h, &bucket, "o", &body, &po, NULL, NULL), ORLOP_INVALID);
        orlop_close(h);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_put),           cmocka_unit_test(test_redirect),    cmocka_unit_test(test_redirect_elsewhere),
                cmocka_unit_test(test_once),          cmocka_unit_test(test_redirect_loop), cmocka_unit_test(test_errors),
                cmocka_unit_test(test_head_error),    cmocka_unit_test(test_busy),        cmocka_unit_test(test_get),
                cmocka_unit_test(test_get_damaged),   cmocka_unit_test(test_get_resumes), cmocka_unit_test(test_get_changed),
                cmocka_unit_test(test_get_range),     cmocka_unit_test(test_list),        cmocka_unit_test(test_append),
                cmocka_unit_test(test_no_server),     cmocka_unit_test(test_header_injection),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
