/* Building responses: no value ends its line, one body, everything released exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/http.h"

static unsigned released;

static void count_release(void *arg)
{
        assert_ptr_equal(arg, &released);
        released++;
}

static void check_head(struct http_resp *rs, const char *want)
{
        assert_string_equal(buf_cstr(&rs->head), want);
        buf_clear(&rs->head);
}

static void test_headers(void **state)
{
        struct http_resp rs = { .status = 200 };
        char longer[300];
        (void)state;
        http_resp_header(&rs, "A", STR("plain \t value \xc3\xa9"));
        check_head(&rs, "A: plain \t value \xc3\xa9\r\n");
        http_resp_header(&rs, "A", STR("x\r\nSet-Cookie: y"));
        check_head(&rs, "A: x%0D%0ASet-Cookie: y\r\n");
        http_resp_header(&rs, "A", (struct str){ "\0\x7f\n", 3 });
        check_head(&rs, "A: %00%7F%0A\r\n");
        http_resp_header(&rs, "A", STR_NONE);
        check_head(&rs, "A: \r\n");
        http_resp_headerf(&rs, "B", "%d-%s", 7, "a\nb");
        check_head(&rs, "B: 7-a%0Ab\r\n");
        memset(longer, 'x', sizeof(longer) - 1);
        longer[sizeof(longer) - 1] = '\0';
        http_resp_headerf(&rs, "C", "%s\r", longer);
        assert_int_equal(rs.head.n, 3 + sizeof(longer) - 1 + 3 + 2);
        buf_clear(&rs.head);
        http_resp_head_raw(&rs, STR("D: e\r\nF: g\r\n"));
        check_head(&rs, "D: e\r\nF: g\r\n");
        buf_fini(&rs.head);
}

static void test_bodies(void **state)
{
        struct http_resp rs = { .status = 200 };
        const struct body_part parts[] = { { 5, 10, 100 }, { 6, 0, 0 }, { 7, 1, 50 } };
        (void)state;
        released = 0;
        http_resp_mem(&rs, STR("hello"), count_release, &released);
        assert_true(rs.kind == BODY_MEM && rs.length == 5);
        http_resp_reset(&rs);
        assert_int_equal(released, 1);
        assert_true(rs.kind == BODY_NONE && rs.length == 0 && rs.status == 0);
        http_resp_reset(&rs);
        assert_int_equal(released, 1);
        http_resp_files(&rs, parts, 3, count_release, &released);
        assert_true(rs.kind == BODY_FILE && rs.length == 150 && rs.nparts == 3);
        http_resp_reset(&rs);
        assert_int_equal(released, 2);
        http_resp_file(&rs, 9, 5, 6, NULL, NULL);
        assert_true(rs.kind == BODY_FILE && rs.length == 6 && rs.nparts == 1 && rs.parts[0].fd == 9 &&
                    rs.parts[0].offset == 5);
        http_resp_reset(&rs);
        http_resp_head_length(&rs, 77);
        assert_true(rs.kind == BODY_NONE && rs.length == 77);
        http_resp_reset(&rs);
        buf_fini(&rs.head);
}

static void test_request_headers(void **state)
{
        static struct http_head head;
        struct http_req rq = { .head = &head };
        struct str value;
        unsigned i = 0;
        (void)state;
        head.nheaders = 3;
        head.headers[0] = (struct http_header){ STR("A"), STR("1") };
        head.headers[1] = (struct http_header){ STR("B"), STR("2") };
        head.headers[2] = (struct http_header){ STR("a"), STR("3") };
        assert_true(str_eq(http_req_header(&rq, STR("a")), STR("1")));
        assert_null(http_req_header(&rq, STR("c")).p);
        assert_true(http_req_header_next(&rq, STR("a"), &i, &value) && str_eq(value, STR("1")));
        assert_true(http_req_header_next(&rq, STR("a"), &i, &value) && str_eq(value, STR("3")));
        assert_false(http_req_header_next(&rq, STR("a"), &i, &value));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_headers),
                cmocka_unit_test(test_bodies),
                cmocka_unit_test(test_request_headers),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
