/* JSON: strictness of the reader, tables of fields, the writer's text; and the msgpack encodings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/msgpack.h"

static enum err_code parse_code(const char *text)
{
        AUTO_JSON json_t *j = NULL;
        AUTO_ERR struct err *e = json_parse(str_of(text), 1 << 20, &j);
        return err_code(e);
}

static void test_parse(void **state)
{
        (void)state;
        static const char *const good[] = { "1", "\"x\"", "null", "{}", " [1, 2] ", "{\"a\":18446744073709551615}", "-1.5e3" };
        static const char *const bad[] = { "", "{", "{} x", "{\"a\":1,\"a\":2}", "[1,]", "\"\xff\"", "nul", "'a'" };
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_int_equal(parse_code(good[i]), ERR_NONE);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(parse_code(bad[i]), ERR_MALFORMED);
        AUTO_JSON json_t *j = NULL;
        AUTO_ERR struct err *e = json_parse(STR("[1,2,3]"), 6, &j);
        assert_int_equal(err_code(e), ERR_TOO_LARGE);
}

static void test_many_values(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        buf_addc(&b, '[');
        for (unsigned i = 0; i < 2000000; i++)
                buf_adds(&b, STR("0,"));
        buf_adds(&b, STR("\",,\"]"));
        AUTO_ERR struct err *e = json_parse(buf_str(&b), 1 << 23, &j);
        assert_int_equal(err_code(e), ERR_TOO_LARGE);
        b.p[1] = ' ';
        b.p[2] = ' ';
        assert_null(json_parse(buf_str(&b), 1 << 23, &j));
        assert_int_equal(json_array_size(j), 2000000);
}

static void test_depth(void **state)
{
        (void)state;
        char text[256];
        memset(text, '[', 64);
        memset(text + 64, ']', 64);
        text[128] = '\0';
        assert_int_equal(parse_code(text), ERR_NONE);
        memset(text, '[', 65);
        memset(text + 65, ']', 65);
        text[130] = '\0';
        assert_int_equal(parse_code(text), ERR_MALFORMED);
        assert_int_equal(parse_code("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\""), ERR_NONE);
}

static void test_big_integers(void **state)
{
        (void)state;
        AUTO_JSON json_t *j = NULL;
        assert_null(json_parse(STR("{\"big\":10377351214980563958,\"s\":\"18446744073709551615\",\"n\":5}"), 1000, &j));
        assert_true(json_is_real(json_object_get(j, "big")));
        assert_true(json_real_value(json_object_get(j, "big")) > 1.03e19);
        assert_string_equal(json_string_value(json_object_get(j, "s")), "18446744073709551615");
        assert_int_equal(json_integer_value(json_object_get(j, "n")), 5);
}

struct sample {
        struct str name;
        bool on, on_seen;
        int64_t n, timeout;
        uint64_t flags, size;
        json_t *props, *list, *any;
};
static const struct json_field sample_fields[] = {
        JSON_FIELD(struct sample, "name", JSON_F_STR, name),
        JSON_FIELD_SEEN(struct sample, "on", JSON_F_BOOL, on, on_seen),
        JSON_FIELD(struct sample, "n", JSON_F_INT, n),
        JSON_FIELD(struct sample, "flags", JSON_F_U64S, flags),
        JSON_FIELD(struct sample, "size", JSON_F_SIZE, size),
        JSON_FIELD(struct sample, "timeout", JSON_F_DURATION, timeout),
        JSON_FIELD(struct sample, "props", JSON_F_OBJECT, props),
        JSON_FIELD(struct sample, "list", JSON_F_ARRAY, list),
        JSON_FIELD(struct sample, "any", JSON_F_ANY, any),
};

static struct err *decode(const char *text, bool strict, json_t **doc, struct sample *s)
{
        TRY(json_parse(str_of(text), 10000, doc));
        return json_decode(*doc, sample_fields, ARRAY_LEN(sample_fields), strict, "sample", s);
}

static void test_decode(void **state)
{
        (void)state;
        AUTO_JSON json_t *doc = NULL;
        struct sample s = { .n = 99 };
        assert_null(decode("{\"NAME\":\"x\",\"on\":false,\"flags\":\"18446744073709551615\",\"size\":\"10MiB\",\"timeout\":\"2m\","
                           "\"props\":{\"a\":1},\"list\":[1],\"n\":null,\"any\":true}",
                           true, &doc, &s));
        assert_true(str_eq(s.name, STR("x")));
        assert_true(s.on_seen && !s.on);
        assert_int_equal(s.n, 99);
        assert_true(s.flags == UINT64_MAX);
        assert_int_equal(s.size, 10 << 20);
        assert_true(s.timeout == 120000000000);
        assert_int_equal(json_array_size(s.list), 1);
        assert_int_equal(json_object_size(s.props), 1);
        assert_true(json_is_true(s.any));
        assert_non_null(json_get_nocase(doc, "Flags"));
        assert_null(json_get_nocase(doc, "n"));
}

static void test_decode_errors(void **state)
{
        (void)state;
        static const char *const wrong[] = { "{\"name\":1}", "{\"on\":\"true\"}", "{\"n\":\"1\"}", "{\"n\":1.5}",
                                             "{\"flags\":-1}", "{\"size\":\"x\"}", "{\"timeout\":\"1\"}", "{\"props\":[]}",
                                             "{\"list\":{}}", "[]", "\"x\"" };
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                AUTO_JSON json_t *doc = NULL;
                struct sample s = { 0 };
                AUTO_ERR struct err *e = decode(wrong[i], true, &doc, &s);
                assert_int_equal(err_code(e), ERR_INVALID);
        }
        AUTO_JSON json_t *doc = NULL, *again = NULL;
        struct sample s = { 0 };
        AUTO_ERR struct err *e = decode("{\"nome\":1}", true, &doc, &s);
        assert_int_equal(err_code(e), ERR_UNKNOWN_FIELD);
        assert_non_null(strstr(e->msg, "found unknown field: nome"));
        assert_null(decode("{\"nome\":1}", false, &again, &s));
}

static void check_quote(struct str in, const char *want)
{
        AUTO_BUF struct buf b = BUF_INIT;
        json_quote(&b, in);
        assert_string_equal(buf_cstr(&b), want);
}

static void test_quote(void **state)
{
        (void)state;
        check_quote(STR(""), "\"\"");
        check_quote(STR("abcdefghijklmnop"), "\"abcdefghijklmnop\"");
        check_quote(STR("a\"b\\c\n\x01<>&\x7f"), "\"a\\\"b\\\\c\\n\\u0001<>&\x7f\"");
        check_quote(STR("long enough for words \" then"), "\"long enough for words \\\" then\"");
        check_quote(STR("\xc3\xa9\xff\xe2\x82"), "\"\xc3\xa9\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
        check_quote(STR("nul\0in it"), "\"nul\\u0000in it\"");
}

/* Each single byte at each place of a word, against a reader that knows nothing of our writer. */
static void test_quote_every_byte(void **state)
{
        (void)state;
        for (int c = 1; c < 128; c++) {
                for (size_t at = 0; at < 17; at++) {
                        char text[17];
                        memset(text, 'x', sizeof(text));
                        text[at] = (char)c;
                        AUTO_BUF struct buf b = BUF_INIT;
                        json_quote(&b, (struct str){ text, sizeof(text) });
                        AUTO_JSON json_t *j = json_loadb(b.p, b.n, JSON_DECODE_ANY, NULL);
                        assert_non_null(j);
                        assert_true(str_eq(json_str(j), (struct str){ text, sizeof(text) }));
                }
        }
}

static void test_writer(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "s", "x");
        jw_array(&w, "a");
        jw_int(&w, NULL, -1);
        jw_u64s(&w, NULL, UINT64_MAX);
        jw_object(&w, NULL);
        jw_object_end(&w);
        jw_array(&w, NULL);
        jw_array_end(&w);
        jw_array_end(&w);
        jw_double(&w, "d", 0.1);
        jw_bool(&w, "t", true);
        jw_null(&w, "z");
        jw_strf(&w, "f", "%d\n", 5);
        jw_raw(&w, "r", STR("[1]"));
        jw_i64s(&w, "i", -5);
        AUTO_JSON json_t *j = json_loads("{\"k\":[1,2.5,\"q\",null,false]}", 0, NULL);
        jw_json(&w, "j", j);
        jw_object_end(&w);
        assert_string_equal(buf_cstr(&b), "{\"s\":\"x\",\"a\":[-1,\"18446744073709551615\",{},[]],\"d\":0.1,\"t\":true,\"z\":null,"
                                          "\"f\":\"5\\n\",\"r\":[1],\"i\":\"-5\",\"j\":{\"k\":[1,2.5,\"q\",null,false]}}");
}

static void test_writer_pretty(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, true);
        jw_object(&w, NULL);
        jw_uint(&w, "a", 1);
        jw_array(&w, "b");
        jw_uint(&w, NULL, 2);
        jw_array_end(&w);
        jw_object(&w, "c");
        jw_object_end(&w);
        jw_object_end(&w);
        assert_string_equal(buf_cstr(&b), "{\n    \"a\": 1,\n    \"b\": [\n        2\n    ],\n    \"c\": {}\n}");
}

static void check_mp(struct buf *b, const char *hex)
{
        char text[512];
        assert_true(b->n * 2 < sizeof(text));
        str_to_hex(b->p, b->n, text);
        assert_string_equal(text, hex);
        buf_clear(b);
}

static void test_msgpack(void **state)
{
        (void)state;
        static const struct {
                int64_t v;
                const char *hex;
        } ints[] = {
                { 0, "00" },          { 127, "7f" },        { 128, "cc80" },      { 255, "ccff" },
                { 256, "cd0100" },    { 65535, "cdffff" },  { 65536, "ce00010000" }, { 4294967296, "cf0000000100000000" },
                { -1, "ff" },         { -32, "e0" },        { -33, "d0df" },      { -128, "d080" },
                { -129, "d1ff7f" },   { -32769, "d2ffff7fff" }, { INT64_MIN, "d38000000000000000" },
        };
        AUTO_BUF struct buf b = BUF_INIT;
        for (size_t i = 0; i < ARRAY_LEN(ints); i++) {
                mp_int(&b, ints[i].v);
                check_mp(&b, ints[i].hex);
        }
        mp_map(&b, 2);
        mp_str(&b, STR("a"));
        mp_nil(&b);
        mp_str(&b, STR(""));
        mp_bool(&b, true);
        mp_bool(&b, false);
        check_mp(&b, "82a161c0a0c3c2");
        mp_array(&b, 15);
        mp_array(&b, 16);
        mp_array(&b, 65536);
        mp_map(&b, 16);
        mp_map(&b, 65536);
        check_mp(&b, "9fdc0010dd00010000de0010df00010000");
        char text[70000];
        memset(text, 'x', sizeof(text));
        mp_str(&b, (struct str){ text, 31 });
        assert_int_equal((unsigned char)b.p[0], 0xbf);
        buf_clear(&b);
        mp_str(&b, (struct str){ text, 32 });
        assert_memory_equal(b.p, "\xd9\x20x", 3);
        buf_clear(&b);
        mp_str(&b, (struct str){ text, 256 });
        assert_memory_equal(b.p, "\xda\x01\x00x", 4);
        buf_clear(&b);
        mp_str(&b, (struct str){ text, sizeof(text) });
        assert_memory_equal(b.p, "\xdb\x00\x01\x11\x70x", 6);
        assert_int_equal(b.n, 5 + sizeof(text));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_parse),         cmocka_unit_test(test_depth), cmocka_unit_test(test_many_values),
                cmocka_unit_test(test_big_integers),  cmocka_unit_test(test_decode),
                cmocka_unit_test(test_decode_errors), cmocka_unit_test(test_quote),
                cmocka_unit_test(test_quote_every_byte), cmocka_unit_test(test_writer),
                cmocka_unit_test(test_writer_pretty), cmocka_unit_test(test_msgpack),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
