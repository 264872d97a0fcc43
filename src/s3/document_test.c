/* Documents: what clients send, good and bad; what we answer, read back; the error document and the table of codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "s3/when.h"
#include "s3/write.h"

static struct arena arena;
static struct s3_fault fault;

#define NS " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void test_codes(void **state)
{
        (void)state;
        for (unsigned i = 1; i < S3_CODE_COUNT; i++) {
                enum s3_code c = (enum s3_code)i;
                assert_true(s3_code_name(c)[0] != '\0' && s3_code_text(c)[0] != '\0');
                assert_in_range(s3_code_status(c), 300, 599);
                for (unsigned j = 1; j < i; j++)
                        assert_string_not_equal(s3_code_name(c), s3_code_name((enum s3_code)j));
        }
        for (unsigned e = 1; e < ERR_CODE_COUNT; e++)
                assert_int_not_equal(s3_code_of((enum err_code)e), S3_OK);
        assert_int_equal(s3_code_of(ERR_NOT_FOUND), S3_NO_SUCH_KEY);
        AUTO_BUF struct buf b = BUF_INIT;
        s3_fault_set(&fault, S3_NO_SUCH_KEY, NULL);
        s3_error_xml(&b, &fault, STR("b"), STR("a<b"), STR("/b/a%3Cb"), STR("17"), STR("n1"));
        assert_string_equal(buf_cstr(&b),
                            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>The "
                            "specified key does not exist"
                            "</Message><BucketName>b</BucketName><Key>a&lt;b</Key><Resource>/b/a%3Cb</"
                            "Resource><RequestId>17</RequestId>"
                            "<HostId>n1</HostId></Error>");
}

static void test_delete(void **state)
{
        struct s3_delete d;
        (void)state;
        assert_int_equal(
                s3_read_delete(
                        &arena,
                        STR("<Delete" NS
                            "><Object><Key>a b</Key></Object><Object><Key>c</Key><VersionId>v</VersionId></Object>"
                            "<Quiet>true</Quiet></Delete>"),
                        &d, &fault),
                S3_OK);
        assert_true(d.quiet && d.n == 2 && str_eq(d.keys[0].key, STR("a b")) && d.keys[0].version_id.p == NULL &&
                    str_eq(d.keys[1].version_id, STR("v")));
        static const char *const bad[] = { "",
                                           "<Delete/>",
                                           "<Delete><Object/></Delete>",
                                           "<Delete><Object><Key/></Object></Delete>",
                                           "<Delete><Object><Key>a</Key><Size>1</Size></Object></Delete>",
                                           "<Deleted><Object><Key>a</Key></Object></Deleted>",
                                           "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>",
                                           "<Delete><X/><Object><Key>a</Key></Object></Delete>" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_int_equal(s3_read_delete(&arena, str_of(bad[i]), &d, &fault), S3_MALFORMED_XML);
        AUTO_BUF struct buf b = BUF_INIT;
        buf_adds(&b, STR("<Delete>"));
        for (unsigned i = 0; i < 1000; i++)
                buf_printf(&b, "<Object><Key>k%u</Key></Object>", i);
        size_t n = b.n;
        buf_adds(&b, STR("</Delete>"));
        assert_int_equal(s3_read_delete(&arena, buf_str(&b), &d, &fault), S3_OK);
        b.n = n;
        buf_adds(&b, STR("<Object><Key>more</Key></Object></Delete>"));
        assert_int_equal(s3_read_delete(&arena, buf_str(&b), &d, &fault), S3_MALFORMED_XML);
}

static enum s3_code complete(const char *parts, struct s3_complete *d)
{
        return s3_read_complete(
                &arena, str_printf(&arena, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", parts), d, &fault);
}

static void test_complete(void **state)
{
        struct s3_complete d;
        (void)state;
        assert_int_equal(complete("<Part><PartNumber>1</PartNumber><ETag>&quot;abc&quot;</ETag><ChecksumCRC32>y/"
                                  "Q5Jg==</ChecksumCRC32></Part>"
                                  "<Part><ETag>d</ETag><PartNumber>10000</PartNumber></Part>",
                                  &d),
                         S3_OK);
        assert_true(d.n == 2 && str_eq(d.parts[0].etag, STR("abc")) && d.parts[0].cksum == S3_CKSUM_CRC32 &&
                    d.parts[0].value[0] == 0xcb && d.parts[1].number == 10000);
        assert_int_equal(complete("", &d), S3_MALFORMED_XML);
        assert_int_equal(complete("<Part><PartNumber>1</PartNumber></Part>", &d), S3_MALFORMED_XML);
        assert_int_equal(complete("<Part><PartNumber>0</PartNumber><ETag>d</ETag></Part>", &d), S3_MALFORMED_XML);
        assert_int_equal(complete("<Part><PartNumber>10001</PartNumber><ETag>d</ETag></Part>", &d),
                         S3_INVALID_ARGUMENT);
        assert_int_equal(complete("<Part><PartNumber>2</PartNumber><ETag>d</ETag></Part><Part><PartNumber>1</"
                                  "PartNumber><ETag>d</ETag></Part>",
                                  &d),
                         S3_INVALID_PART_ORDER);
        assert_int_equal(complete("<Part><PartNumber>2</PartNumber><ETag>d</ETag></Part><Part><PartNumber>2</"
                                  "PartNumber><ETag>d</ETag></Part>",
                                  &d),
                         S3_INVALID_PART_ORDER);
        assert_int_equal(
                complete("<Part><PartNumber>2</PartNumber><ETag>d</ETag><ChecksumCRC32>y/Q5Jg=</ChecksumCRC32></Part>",
                         &d),
                S3_INVALID_PART);
        AUTO_BUF struct buf b = BUF_INIT;
        buf_adds(&b, STR("<CompleteMultipartUpload>"));
        for (unsigned i = 1; i <= 10000; i++)
                buf_printf(&b,
                           "<Part><PartNumber>%u</PartNumber><ETag>\"0123456789abcdef0123456789abcdef\"</"
                           "ETag><ChecksumSHA256>ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=</ChecksumSHA256></Part>",
                           i);
        buf_adds(&b, STR("</CompleteMultipartUpload>"));
        assert_int_equal(s3_read_complete(&arena, buf_str(&b), &d, &fault), S3_OK);
        assert_int_equal(d.n, 10000);
}

static void test_tags(void **state)
{
        struct s3_tags t;
        (void)state;
        assert_int_equal(
                s3_read_tagging(&arena,
                                STR("<Tagging><TagSet><Tag><Key>a</Key><Value>b "
                                    "c+=.:/@\xc3\xa9</Value></Tag><Tag><Key>d</Key><Value/></Tag></TagSet></Tagging>"),
                                10, &t, &fault),
                S3_OK);
        assert_true(t.n == 2 && str_eq(t.tags[0].key, STR("a")) && t.tags[1].value.n == 0);
        AUTO_BUF struct buf b = BUF_INIT;
        s3_write_tagging(&b, &t);
        struct s3_tags again;
        assert_int_equal(s3_read_tagging(&arena, buf_str(&b), 10, &again, &fault), S3_OK);
        assert_true(again.n == 2 && str_eq(again.tags[0].value, t.tags[0].value));
        assert_int_equal(s3_read_tagging(&arena, buf_str(&b), 1, &again, &fault), S3_INVALID_TAG);
        assert_int_equal(s3_read_tagging(&arena,
                                         STR("<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag><Tag><Key>a</"
                                             "Key><Value/></Tag></TagSet></Tagging>"),
                                         10, &t, &fault),
                         S3_INVALID_TAG);
        assert_int_equal(
                s3_read_tagging(&arena,
                                STR("<Tagging><TagSet><Tag><Key>a&lt;</Key><Value>1</Value></Tag></TagSet></Tagging>"),
                                10, &t, &fault),
                S3_INVALID_TAG);
        assert_int_equal(
                s3_read_tagging(&arena,
                                STR("<Tagging><TagSet><Tag><Key>aws:x</Key><Value>1</Value></Tag></TagSet></Tagging>"),
                                10, &t, &fault),
                S3_INVALID_TAG);
        assert_int_equal(s3_read_tagging(&arena, STR("<Tagging><Tag><Key>a</Key></Tag></Tagging>"), 10, &t, &fault),
                         S3_MALFORMED_XML);
        assert_int_equal(s3_read_tagging_header(&arena, STR("a=b%20c&d&e=+"), 10, &t, &fault), S3_OK);
        assert_true(t.n == 3 && str_eq(t.tags[0].value, STR("b c")) && t.tags[1].value.n == 0 &&
                    str_eq(t.tags[2].value, STR(" ")));
        assert_int_equal(s3_read_tagging_header(&arena, STR("a=b&a=c"), 10, &t, &fault), S3_INVALID_TAG);
        assert_int_equal(s3_read_tagging_header(&arena, STR("a=%b"), 10, &t, &fault), S3_INVALID_ARGUMENT);
}

static void test_configurations(void **state)
{
        struct s3_create_bucket cb;
        enum s3_versioning v;
        struct s3_object_lock o;
        struct s3_retention r;
        bool on;
        (void)state;
        assert_int_equal(s3_read_create_bucket(&arena, STR(" "), &cb, &fault), S3_OK);
        assert_int_equal(
                s3_read_create_bucket(&arena,
                                      STR("<CreateBucketConfiguration" NS
                                          "><LocationConstraint>eu</LocationConstraint></CreateBucketConfiguration>"),
                                      &cb, &fault),
                S3_OK);
        assert_true(str_eq(cb.location, STR("eu")));
        assert_int_equal(s3_read_create_bucket(&arena,
                                               STR("<CreateBucketConfiguration><Location><Type>AvailabilityZone</"
                                                   "Type></Location></CreateBucketConfiguration>"),
                                               &cb, &fault),
                         S3_NOT_IMPLEMENTED);
        assert_int_equal(
                s3_read_versioning(&arena,
                                   STR("<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>"),
                                   &v, &fault),
                S3_OK);
        assert_int_equal(v, S3_VERSIONING_ENABLED);
        assert_int_equal(s3_read_versioning(
                                 &arena, STR("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>"),
                                 &v, &fault),
                         S3_ILLEGAL_VERSIONING);
        assert_int_equal(s3_read_versioning(&arena,
                                            STR("<VersioningConfiguration><MfaDelete>Enabled</"
                                                "MfaDelete><Status>Enabled</Status></VersioningConfiguration>"),
                                            &v, &fault),
                         S3_NOT_IMPLEMENTED);

#define LOCK(x) \
        STR("<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>" x "</ObjectLockConfiguration>")
#define RULE(x) "<Rule><DefaultRetention>" x "</DefaultRetention></Rule>"
        assert_int_equal(s3_read_object_lock(&arena, LOCK(RULE("<Mode>GOVERNANCE</Mode><Days>3</Days>")), &o, &fault),
                         S3_OK);
        assert_true(o.mode == S3_LOCK_GOVERNANCE && o.days == 3 && o.years == 0);
        AUTO_BUF struct buf b = BUF_INIT;
        s3_write_object_lock(&b, &o);
        assert_int_equal(s3_read_object_lock(&arena, buf_str(&b), &o, &fault), S3_OK);
        assert_int_equal(s3_read_object_lock(&arena,
                                             LOCK(RULE("<Mode>GOVERNANCE</Mode><Days>3</Days><Years>1</Years>")), &o,
                                             &fault),
                         S3_MALFORMED_XML);
        assert_int_equal(s3_read_object_lock(&arena, LOCK(RULE("<Mode>governance</Mode><Days>3</Days>")), &o, &fault),
                         S3_MALFORMED_XML);
        assert_int_equal(s3_read_object_lock(&arena, LOCK(RULE("<Mode>COMPLIANCE</Mode><Years>0</Years>")), &o, &fault),
                         S3_INVALID_RETENTION_PERIOD);
        assert_int_equal(s3_read_object_lock(&arena,
                                             STR("<ObjectLockConfiguration><ObjectLockEnabled>Disabled</"
                                                 "ObjectLockEnabled></ObjectLockConfiguration>"),
                                             &o, &fault),
                         S3_MALFORMED_XML);

        assert_int_equal(
                s3_read_retention(&arena,
                                  STR("<Retention><Mode>COMPLIANCE</Mode><RetainUntilDate>2030-01-01T00:00:00Z</"
                                      "RetainUntilDate></Retention>"),
                                  &r, &fault),
                S3_OK);
        assert_true(r.mode == S3_LOCK_COMPLIANCE && r.until_ns == INT64_C(1893456000000000000));
        buf_clear(&b);
        s3_write_retention(&b, &r);
        assert_int_equal(s3_read_retention(&arena, buf_str(&b), &r, &fault), S3_OK);
        assert_int_equal(
                s3_read_retention(
                        &arena,
                        STR("<Retention><Mode>ABC</Mode><RetainUntilDate>2030-01-01</RetainUntilDate></Retention>"), &r,
                        &fault),
                S3_MALFORMED_XML);
        assert_int_equal(s3_read_retention(&arena, STR("<Retention/>"), &r, &fault), S3_OK);
        assert_int_equal(r.mode, S3_LOCK_NONE);
        assert_int_equal(s3_read_legal_hold(&arena, STR("<LegalHold><Status>ON</Status></LegalHold>"), &on, &fault),
                         S3_OK);
        assert_true(on);
        assert_int_equal(s3_read_legal_hold(&arena, STR("<LegalHold><Status>abc</Status></LegalHold>"), &on, &fault),
                         S3_MALFORMED_XML);

        buf_clear(&b);
        s3_write_encryption(&b);
        assert_int_equal(s3_read_encryption(&arena, buf_str(&b), &fault), S3_OK);
        assert_int_equal(
                s3_read_encryption(
                        &arena,
                        STR("<ServerSideEncryptionConfiguration><Rule><ApplyServerSideEncryptionByDefault><"
                            "SSEAlgorithm>aws:kms</SSEAlgorithm>"
                            "</ApplyServerSideEncryptionByDefault></Rule></ServerSideEncryptionConfiguration>"),
                        &fault),
                S3_NOT_IMPLEMENTED);
}

static void test_acl(void **state)
{
        static const enum s3_acl all[] = { S3_ACL_PRIVATE, S3_ACL_PUBLIC_READ, S3_ACL_PUBLIC_READ_WRITE,
                                           S3_ACL_AUTHENTICATED_READ };
        struct s3_owner me = { STR("me"), STR("Me & co") };
        enum s3_acl got;
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                AUTO_BUF struct buf b = BUF_INIT;
                s3_write_acl(&b, &me, all[i]);
                assert_int_equal(s3_read_acl(&arena, buf_str(&b), STR("me"), &got, &fault), S3_OK);
                assert_int_equal(got, all[i]);
                assert_int_equal(s3_read_acl(&arena, buf_str(&b), STR("you"), &got, &fault), S3_ACCESS_DENIED);
                assert_true(s3_acl_parse(str_of(s3_acl_name(all[i])), &got) && got == all[i]);
        }
        assert_false(s3_acl_parse(STR("log-delivery-write"), &got));
        assert_int_equal(
                s3_read_acl(
                        &arena,
                        STR("<AccessControlPolicy><AccessControlList><Grant><Grantee><ID>you</ID></"
                            "Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>"),
                        STR("me"), &got, &fault),
                S3_NOT_IMPLEMENTED);
        assert_int_equal(s3_read_acl(&arena, STR("<AccessControlPolicy/>"), STR("me"), &got, &fault), S3_MALFORMED_ACL);
        assert_int_equal(s3_read_acl(&arena, STR("<x>"), STR("me"), &got, &fault), S3_MALFORMED_ACL);
}

static void test_notification(void **state)
{
        struct s3_notify d;
        (void)state;
        assert_int_equal(
                s3_read_notification(
                        &arena,
                        STR("<NotificationConfiguration><TopicConfiguration><Id>x</Id><Topic>arn:orlop:webhook:main</"
                            "Topic><Event>s3:ObjectCreated:*</Event><Event>s3:ObjectRemoved:Delete</Event>"
                            "<Filter><S3Key><FilterRule><Name>Prefix</Name><Value>a/</Value></"
                            "FilterRule><FilterRule><Name>suffix</Name><Value>.jpg</Value></FilterRule></S3Key></"
                            "Filter>"
                            "</TopicConfiguration></NotificationConfiguration>"),
                        &d, &fault),
                S3_OK);
        assert_true(d.n == 1 && d.rules[0].nevents == 2);
        assert_true(s3_notify_matches(&d.rules[0], STR("s3:ObjectCreated:Put"), STR("a/b.jpg")));
        assert_true(s3_notify_matches(&d.rules[0], STR("s3:ObjectRemoved:Delete"), STR("a/b.jpg")));
        assert_false(s3_notify_matches(&d.rules[0], STR("s3:ObjectRemoved:DeleteMarkerCreated"), STR("a/b.jpg")));
        assert_false(s3_notify_matches(&d.rules[0], STR("s3:ObjectCreated:Put"), STR("b/b.jpg")));
        assert_false(s3_notify_matches(&d.rules[0], STR("s3:ObjectCreated:Put"), STR("a/b.png")));
        assert_int_equal(s3_read_notification(&arena, STR("<NotificationConfiguration/>"), &d, &fault), S3_OK);
        assert_int_equal(d.n, 0);
        assert_int_equal(
                s3_read_notification(
                        &arena,
                        STR("<NotificationConfiguration><TopicConfiguration><Topic>a</Topic><Event>s3:Everything</"
                            "Event></TopicConfiguration></NotificationConfiguration>"),
                        &d, &fault),
                S3_INVALID_ARGUMENT);
        assert_int_equal(s3_read_notification(&arena,
                                              STR("<NotificationConfiguration><TopicConfiguration><Topic>a</Topic></"
                                                  "TopicConfiguration></NotificationConfiguration>"),
                                              &d, &fault),
                         S3_MALFORMED_XML);
}

static void test_lists(void **state)
{
        static const struct xml_limits limits = { 1 << 16, 8, 1000 };
        const struct xml_node *n;
        (void)state;
        for (unsigned kind = S3_LIST_V1; kind <= S3_LIST_UPLOADS; kind++) {
                AUTO_BUF struct buf b = BUF_INIT;
                struct s3_owner me = { STR("me"), STR("Me") };
                struct s3_list_head h = { .kind = (enum s3_list_kind)kind,
                                          .bucket = STR("b"),
                                          .prefix = STR("p/ "),
                                          .delimiter = STR("/"),
                                          .max_keys = 2,
                                          .url = true };
                struct s3_list_entry e = { .key = STR("p/ +\x01"),
                                           .etag = STR("abc"),
                                           .size = 7,
                                           .modified_ns = 1,
                                           .owner = &me,
                                           .version_id = STR("v1"),
                                           .latest = true,
                                           .upload_id = STR("u") };
                struct s3_list_tail t = { true, 2, STR("p/ +"), STR("v1") };
                s3_write_list_begin(&b, &h);
                s3_write_list_entry(&b, &h, &e);
                e.marker = true;
                if (kind == S3_LIST_VERSIONS)
                        s3_write_list_entry(&b, &h, &e);
                s3_write_list_prefix(&b, &h, STR("p/ /"));
                s3_write_list_end(&b, &h, &t);
                assert_ok(xml_parse(&arena, buf_str(&b), &limits, &n));
                assert_true(str_eq(xml_child_text(n, "Prefix"), STR("p/%20")));
                assert_true(str_eq(xml_child_text(n, "IsTruncated"), STR("true")));
                assert_true(str_eq(xml_child_text(xml_child(n, "CommonPrefixes"), "Prefix"), STR("p/%20/")));
                const struct xml_node *o = xml_child(n, kind == S3_LIST_VERSIONS  ? "Version"
                                                        : kind == S3_LIST_UPLOADS ? "Upload"
                                                                                  : "Contents");
                assert_true(str_eq(xml_child_text(o, "Key"), STR("p/%20%2B%01")));
                if (kind != S3_LIST_UPLOADS)
                        assert_true(str_eq(xml_child_text(o, "ETag"), STR("\"abc\"")));
                if (kind == S3_LIST_V2)
                        assert_true(str_eq(xml_child_text(n, "NextContinuationToken"), STR("p/ +")) &&
                                    str_eq(xml_child_text(n, "KeyCount"), STR("2")));
                else
                        assert_true(str_eq(xml_child_text(n, kind == S3_LIST_V1 ? "NextMarker" : "NextKeyMarker"),
                                           STR("p/%20%2B")));
                assert_true((xml_child(n, "DeleteMarker") != NULL) == (kind == S3_LIST_VERSIONS));
        }
}

static void test_answers(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_owner me = { STR("me"), STR_NONE };
        s3_write_buckets_begin(&b, &me);
        s3_write_bucket(&b, STR("b"), 0, STR_NONE);
        s3_write_buckets_end(&b, STR_NONE, STR_NONE);
        assert_string_equal(
                buf_cstr(&b),
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListAllMyBucketsResult" NS
                "><Owner><ID>me</ID></Owner><Buckets><Bucket><Name>b</Name>"
                "<CreationDate>1970-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>");
        buf_clear(&b);
        s3_write_location(&b, STR("us-east-1"));
        assert_true(str_ends(buf_str(&b), STR("2006-03-01/\"></LocationConstraint>")));
        buf_clear(&b);
        s3_write_delete_begin(&b);
        s3_write_deleted(&b, STR("k"), STR_NONE, true, STR("v"));
        s3_write_delete_error(&b, STR("l"), STR("w"), S3_ACCESS_DENIED, STR_NONE);
        s3_write_delete_end(&b);
        assert_true(str_ends(buf_str(&b), STR("<Deleted><Key>k</Key><DeleteMarker>true</"
                                              "DeleteMarker><DeleteMarkerVersionId>v</DeleteMarkerVersionId></Deleted>"
                                              "<Error><Key>l</Key><VersionId>w</VersionId><Code>AccessDenied</"
                                              "Code><Message>Access Denied</Message></Error></DeleteResult>")));
        buf_clear(&b);
        s3_write_complete_upload(&b, STR("http://h/b/k"), STR("b"), STR("k"), STR("e-2"), S3_CKSUM_CRC32,
                                 S3_CKSUM_COMPOSITE, STR("y/Q5Jg==-2"));
        assert_true(
                str_ends(buf_str(&b),
                         STR("<ETag>&quot;e-2&quot;</ETag><ChecksumCRC32>y/Q5Jg==-2</"
                             "ChecksumCRC32><ChecksumType>COMPOSITE</ChecksumType></CompleteMultipartUploadResult>")));
        buf_clear(&b);
        s3_write_attributes(&b, &(struct s3_attributes){ .etag = STR("e"), .size = true, .size_bytes = 0, .parts = 2 });
        assert_true(str_ends(buf_str(&b), STR("<ETag>e</ETag><ObjectParts><PartsCount>2</PartsCount></"
                                              "ObjectParts><ObjectSize>0</ObjectSize></GetObjectAttributesResponse>")));
        buf_clear(&b);
        struct s3_parts_head h = { .bucket = STR("b"),
                                   .key = STR("k"),
                                   .upload_id = STR("u"),
                                   .owner = &me,
                                   .max_parts = 1,
                                   .truncated = true,
                                   .next_marker = 1 };
        s3_write_parts_begin(&b, &h);
        s3_write_part(&b, 1, STR("e"), 5, 0, S3_CKSUM_NONE, STR_NONE);
        s3_write_parts_end(&b);
        assert_true(str_ends(buf_str(&b),
                             STR("<Part><PartNumber>1</PartNumber><LastModified>1970-01-01T00:00:00.000Z</"
                                 "LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size></Part></ListPartsResult>")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_codes),          cmocka_unit_test(test_delete),
                cmocka_unit_test(test_complete),       cmocka_unit_test(test_tags),
                cmocka_unit_test(test_configurations), cmocka_unit_test(test_acl),
                cmocka_unit_test(test_notification),   cmocka_unit_test(test_lists),
                cmocka_unit_test(test_answers),
        };
        arena_init(&arena, 65536, (size_t)256 << 20);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        arena_fini(&arena);
        return r;
}
