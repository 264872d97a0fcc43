/* XML: trees of documents, what is refused, and writing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "base/xml.h"

static const struct xml_limits limits = { 100000, 8, 100 };

static void test_tree(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 0);
        const struct xml_node *n;
        assert_ok(xml_parse(&a,
                            STR("<?xml version=\"1.0\" encoding=\"utf-8\"?><Delete "
                                "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">\n"
                                "<Quiet>true</Quiet><Object><Key>a "
                                "&lt;&#38;&#x41;<![CDATA[<b>]]></Key></Object><s:Object k:type='u'>"
                                "<Key> x</Key></s:Object></Delete>"),
                            &limits, &n));
        assert_true(str_eq(n->name, STR("Delete")));
        assert_int_equal(n->count, 3);
        assert_true(str_eq(xml_child_text(n, "Quiet"), STR("true")));
        const struct xml_node *o = xml_child(n, "Object");
        assert_true(str_eq(xml_child_text(o, "Key"), STR("a <&A<b>")));
        o = xml_same(o);
        assert_true(str_eq(xml_child_text(o, "Key"), STR(" x")));
        assert_true(str_eq(xml_attr(o, "type"), STR("u")));
        assert_null(xml_same(o));
        assert_null(xml_child(o, "Nothing"));
        assert_null(xml_child_text(o, "Nothing").p);
}

static void expect(struct str text, enum err_code want)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 0);
        const struct xml_node *n;
        assert_err(xml_parse(&a, text, &limits, &n), want);
}

static void test_refused(void **state)
{
        (void)state;
        expect(STR(""), ERR_MALFORMED);
        expect(STR("<a>"), ERR_MALFORMED);
        expect(STR("<a></b>"), ERR_MALFORMED);
        expect(STR("<a/><b/>"), ERR_MALFORMED);
        expect(STR("<a>&nbsp;</a>"), ERR_MALFORMED);
        expect(STR("<a>\xff</a>"), ERR_MALFORMED);
        expect(STR("<!DOCTYPE a><a/>"), ERR_MALFORMED);
        expect(STR("<!DOCTYPE a [<!ENTITY x \"y\"><!ENTITY z SYSTEM \"file:///etc/passwd\">]><a>&z;</a>"),
               ERR_MALFORMED);
        expect(STR("<a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a>"), ERR_NONE);
        expect(STR("<a><a><a><a><a><a><a><a><a/></a></a></a></a></a></a></a></a>"), ERR_TOO_LARGE);
        AUTO_BUF struct buf b = BUF_INIT;
        buf_adds(&b, STR("<a>"));
        for (unsigned i = 0; i < 100; i++)
                buf_adds(&b, STR("<b/>"));
        buf_adds(&b, STR("</a>"));
        expect(buf_str(&b), ERR_TOO_LARGE);
        buf_clear(&b);
        buf_adds(&b, STR("<a>"));
        for (unsigned i = 0; i < 100001; i++)
                buf_addc(&b, 'x');
        buf_adds(&b, STR("</a>"));
        expect(buf_str(&b), ERR_TOO_LARGE);
}

static void test_write(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        xml_begin(&b);
        xml_open_ns(&b, "R", "urn:x");
        xml_text(&b, "K", STR("a<b>&\"c\"\r\n\x01 \xc3\xa9 \xff."));
        xml_uint(&b, "N", 18446744073709551615u);
        xml_bool(&b, "T", true);
        xml_cstr(&b, "C", NULL);
        xml_close(&b, "R");
        assert_string_equal(
                buf_cstr(&b),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<R xmlns=\"urn:x\"><K>a&lt;b&gt;&amp;&quot;c&quot;"
                "&#13;\n&#1; \xc3\xa9 \xef\xbf\xbd.</K><N>18446744073709551615</N><T>true</T></R>");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_tree), cmocka_unit_test(test_refused),
                                            cmocka_unit_test(test_write) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
