/* Addresses, listening and connecting on loopback, deadlines. */
#include "os/test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"

static void test_split(void **state)
{
        static const struct {
                const char *text, *host;
                int port; /* -1: refused */
        } rows[] = {
                { "127.0.0.1:8080", "127.0.0.1", 8080 },
                { "[::1]:0", "::1", 0 },
                { "host:65535", "host", 65535 },
                { ":80", "", 80 },
                { "host", NULL, -1 },
                { "host:", NULL, -1 },
                { "host:65536", NULL, -1 },
                { "host:-1", NULL, -1 },
                { "host:8 0", NULL, -1 },
                { "::1:80", NULL, -1 },
                { "[::1]", NULL, -1 },
                { "[::1]80", NULL, -1 },
                { "[]:80", NULL, -1 },
                { "", NULL, -1 },
                { "a b:1", NULL, -1 },
                { "h/x:1", NULL, -1 },
                { "u@h:1", NULL, -1 },
                { "[::1:80", NULL, -1 },
                { "host:000080", NULL, -1 },
        };

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
                struct str host = STR("?");
                uint16_t port = 1;

                if (rows[i].port < 0) {
                        assert_err(sock_split_address(str_of(rows[i].text), &host, &port), ERR_INVALID);
                        assert_int_equal(port, 1); /* written only on success */
                        continue;
                }
                assert_ok(sock_split_address(str_of(rows[i].text), &host, &port));
                assert_true(str_eq(host, str_of(rows[i].host)));
                assert_int_equal(port, rows[i].port);
        }
}

static void test_loopback(void **state)
{
        static const char *const yes[] = { "127.0.0.1", "127.255.0.9", "::1", "[::1]", "localhost", "LocalHost" };
        static const char *const no[] = { "0.0.0.0",           "10.0.0.1", "::",        "::2",
                                          "localhost.example", "",         "128.0.0.1", "127.0.0.1.x" };
        char ip[64];

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(yes); i++)
                assert_true(sock_is_loopback(str_of(yes[i])));
        for (unsigned i = 0; i < ARRAY_LEN(no); i++)
                assert_false(sock_is_loopback(str_of(no[i])));
        assert_true(strlen(sock_host_ip(ip)) >= 7);
}

static void test_connect(void **state)
{
        AUTO_FD int listener = -1, second = -1, client = -1, server = -1;
        char at[64], peer[64];
        struct str host;
        uint16_t port;
        struct sockaddr_storage ss;
        socklen_t len = sizeof(ss);
        char byte;

        (void)state;
        assert_ok(sock_listen(STR("127.0.0.1:0"), false, 16, &listener));
        assert_ok(sock_split_address(str_of(sock_local_text(listener, at)), &host, &port));
        assert_true(port != 0);
        assert_err(sock_listen(str_of(at), false, 16, &second), ERR_IN_USE);
        assert_ok(sock_connect(host, port, clock_mono_ns() + 5 * NS_PER_SEC, &client));
        assert_true(fcntl(client, F_GETFL) & O_NONBLOCK);
        assert_ok(sock_wait(listener, POLLIN, clock_mono_ns() + 5 * NS_PER_SEC));
        server = accept(listener, (struct sockaddr *)&ss, &len);
        assert_true(server >= 0);
        assert_string_equal(sock_addr_text((struct sockaddr *)&ss, len, peer), sock_local_text(client, at));
        int64_t before = clock_mono_ns();
        assert_err(sock_wait(client, POLLIN, before + 30 * NS_PER_MS), ERR_TIMEOUT);
        assert_true(clock_mono_ns() - before >= 30 * NS_PER_MS);
        assert_err(sock_wait(client, POLLIN, 0), ERR_TIMEOUT);
        assert_int_equal(write(server, "x", 1), 1);
        assert_ok(sock_wait(client, POLLIN, clock_mono_ns() + 5 * NS_PER_SEC));
        assert_int_equal(read(client, &byte, 1), 1);
}

static void test_refused(void **state)
{
        int listener, fd = -1;
        char at[64];
        struct str host;
        uint16_t port;

        (void)state;
        assert_ok(sock_listen(STR("127.0.0.1:0"), true, 16, &listener));
        assert_ok(sock_split_address(str_of(sock_local_text(listener, at)), &host, &port));
        (void)close(listener);
        assert_err(sock_connect(host, port, clock_mono_ns() + 5 * NS_PER_SEC, &fd), ERR_IO);
        assert_err(sock_connect(STR("no such host"), 1, clock_mono_ns() + 5 * NS_PER_SEC, &fd), ERR_INVALID);
        assert_int_equal(fd, -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_split), cmocka_unit_test(test_loopback),
                                            cmocka_unit_test(test_connect), cmocka_unit_test(test_refused) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
