/* Bucket properties: the wire's document, partial updates, what is refused, and the way back from stored state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "meta/bucket.h"

/* What a client sees of a new ais bucket. */
#define DEFAULT_DOCUMENT                                                                                               \
        "{\"backend_bck\":{\"name\":\"\",\"provider\":\"\",\"namespace\":{\"uuid\":\"\",\"name\":\"\"}},"              \
        "\"write_policy\":{\"data\":\"immediate\",\"md\":\"immediate\"},\"provider\":\"ais\",\"Renamed\":\"\","        \
        "\"checksum\":{\"type\":\"xxhash2\",\"validate_cold_get\":false,\"validate_warm_get\":false,"                  \
        "\"validate_obj_move\":false,\"enable_read_range\":false},\"extra\":{\"aws\":{},\"gcp\":{},\"oci\":{}},"       \
        "\"rate_limit\":{\"backend\":{\"interval\":\"1m\",\"max_tokens\":1000,\"enabled\":false,\"num_retries\":3},"   \
        "\"frontend\":{\"interval\":\"1m\",\"max_tokens\":1000,\"enabled\":false,\"burst_size\":375}},"                \
        "\"ec\":{\"compression\":\"never\",\"bundle_multiplier\":2,\"burst_buffer\":512,\"objsize_limit\":262144,"     \
        "\"data_slices\":2,\"parity_slices\":2,\"enabled\":false,\"disk_only\":false},"                                \
        "\"chunks\":{\"objsize_limit\":\"0B\",\"max_monolithic_size\":\"1TiB\",\"chunk_size\":\"1GiB\"},"              \
        "\"mirror\":{\"copies\":2,\"burst_buffer\":512,\"enabled\":false},"                                            \
        "\"lru\":{\"dont_evict_time\":\"2h0m\",\"capacity_upd_time\":\"10m\",\"batch_size\":32768,\"enabled\":false}," \
        "\"access\":\"18446744073709551615\",\"features\":\"0\",\"bid\":\"9223372036854776663\","                      \
        "\"created\":\"1795413735600325712\","                                                                         \
        "\"versioning\":{\"enabled\":true,\"validate_warm_get\":false,\"synchronize\":false}}"

static struct bucket_props defaults(void)
{
        struct config *c = config_new();
        struct bucket_props p;
        bucket_props_default(c, PROVIDER_AIS, &p);
        config_free(c);
        return p;
}

static struct err *update(struct bucket_props *p, const char *text, bool *ret_changed)
{
        AUTO_JSON json_t *j = NULL;
        assert_null(json_parse(str_of(text), SIZE_MAX, &j));
        return bucket_props_update(p, j, 1, 4, ret_changed);
}

static void write_document(const struct bucket *b, struct buf *out)
{
        struct json_w w;
        jw_init(&w, out, false);
        bucket_props_json(&w, NULL, b);
        assert_null(buf_err(out));
}

static struct bucket sample(void)
{
        struct bucket b = { .bid = UINT64_C(9223372036854776663),
                            .created_ns = INT64_C(1795413735600325712),
                            .props = defaults() };
        assert_null(bck_make(STR("abc"), STR_NONE, STR_NONE, &b.bck));
        return b;
}

static void test_default_document(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct bucket bucket = sample();
        write_document(&bucket, &b);
        assert_string_equal(buf_cstr(&b), DEFAULT_DOCUMENT);
}

static void test_defaults_follow_the_configuration(void **state)
{
        (void)state;
        struct config *c = config_new();
        struct bucket_props p;
        static const char *const values[][2] = {
                { "lru.enabled", "true" }, { "checksum.type", "md5" }, { "mirror.copies", "3" }, { "features", "25" }
        };
        for (size_t i = 0; i < ARRAY_LEN(values); i++)
                assert_null(config_set(c, str_of(values[i][0]), str_of(values[i][1]), CONFIG_SCOPE_CLUSTER, NULL));
        bucket_props_default(c, PROVIDER_AIS, &p);
        assert_false(p.lru.enabled); /* never for ais buckets */
        assert_int_equal(p.checksum.type, CKSUM_MD5);
        assert_int_equal(p.mirror.copies, 3);
        assert_int_equal(p.features, 1 << 4); /* flags of the cluster are not a bucket's */
        bucket_props_default(c, PROVIDER_AWS, &p);
        assert_true(p.lru.enabled);
        assert_false(p.versioning.enabled);
        config_free(c);
}

static void test_update(void **state)
{
        (void)state;
        struct bucket_props p = defaults();
        bool changed = true;
        assert_null(update(&p, "{}", &changed));
        assert_false(changed);
        assert_null(update(&p, "null", &changed));
        assert_false(changed);
        assert_null(update(
                &p, "{\"Mirror\":{\"COPIES\":3,\"enabled\":true},\"access\":\"771\",\"extra\":{\"custom\":\"a=b\"}}",
                &changed));
        assert_true(changed);
        assert_int_equal(p.mirror.copies, 3);
        assert_true(p.mirror.enabled);
        assert_int_equal(p.access, 771);
        assert_string_equal(p.extra.custom, "a=b");
        assert_null(update(&p, "{\"access\":\"771\"}", &changed));
        assert_false(changed);
        assert_null(update(&p, "{\"mirror\":{\"copies\":1}}", NULL)); /* one copy: mirroring is off */
        assert_false(p.mirror.enabled);
        assert_null(update(&p, "{\"mirror\":{\"enabled\":true}}", NULL));
        assert_int_equal(p.mirror.copies, 2);
        assert_null(update(&p, "{\"durability\":\"fast\"}", &changed));
        assert_true(changed && p.fast);
        assert_null(update(&p, "{\"durability\":\"durable\"}", NULL));
        assert_false(p.fast);
        assert_null(update(&p, "{\"features\":\"24\"}", NULL));
        assert_int_equal(p.features, 16); /* only what a bucket may have */
        assert_null(update(&p, "{\"backend_bck\":{\"name\":\"x\",\"provider\":\"s3\"}}", &changed));
        assert_true(changed);
        assert_int_equal(p.backend_bck.provider, PROVIDER_AWS);
        assert_null(update(&p, "{\"backend_bck\":{\"name\":\"\",\"provider\":\"\"}}", &changed));
        assert_true(changed);
        assert_string_equal(p.backend_bck.name, "");
}

static void test_refused_updates(void **state)
{
        (void)state;
        static const struct { const char *text; enum err_code code; } bad[] = {
                { "{\"zz\":1}", ERR_UNKNOWN_FIELD },
                { "{\"mirror\":{\"zz\":1}}", ERR_UNKNOWN_FIELD },
                { "{\"provider\":\"aws\"}", ERR_UNKNOWN_FIELD },
                { "{\"created\":\"1\"}", ERR_UNKNOWN_FIELD },
                { "{\"bid\":\"1\"}", ERR_UNKNOWN_FIELD },
                { "{\"backend_bck\":{\"zz\":1}}", ERR_UNKNOWN_FIELD },
                { "[]", ERR_MALFORMED },
                { "\"x\"", ERR_MALFORMED },
                { "{\"mirror\":5}", ERR_MALFORMED },
                { "{\"mirror\":{\"copies\":1.5}}", ERR_MALFORMED },
                { "{\"mirror\":{\"copies\":\"3\"}}", ERR_MALFORMED },
                { "{\"chunks\":{\"objsize_limit\":1024}}", ERR_MALFORMED },
                { "{\"force\":1}", ERR_MALFORMED },
                { "{\"access\":\"x\"}", ERR_INVALID },
                { "{\"mirror\":{\"copies\":99}}", ERR_INVALID },
                { "{\"mirror\":{\"copies\":5,\"enabled\":true}}", ERR_INVALID }, /* four mountpaths */
                { "{\"ec\":{\"enabled\":true}}", ERR_NOT_ENOUGH_TARGETS },
                { "{\"ec\":{\"data_slices\":33}}", ERR_INVALID },
                { "{\"write_policy\":{\"data\":\"delayed\"}}", ERR_INVALID },
                { "{\"versioning\":{\"enabled\":false,\"validate_warm_get\":true}}", ERR_INVALID },
                { "{\"chunks\":{\"objsize_limit\":\"2TiB\"}}", ERR_INVALID },
                { "{\"chunks\":{\"objsize_limit\":\"1GiB\"},\"mirror\":{\"enabled\":true}}", ERR_INVALID },
                { "{\"rate_limit\":{\"frontend\":{\"burst_size\":900}}}", ERR_INVALID },
                { "{\"checksum\":{\"type\":\"\"}}", ERR_INVALID },
                { "{\"checksum\":{\"type\":\"md6\"}}", ERR_INVALID },
                { "{\"features\":\"6144\"}", ERR_INVALID },
                { "{\"durability\":\"slow\"}", ERR_INVALID },
                { "{\"extra\":{\"custom\":\"a\\nb\"}}", ERR_INVALID },
                { "{\"extra\":{\"aws\":{\"endpoint\":\"ftp://x\"}}}", ERR_INVALID },
                { "{\"extra\":{\"aws\":{\"profile\":\" x\"}}}", ERR_INVALID },
                { "{\"extra\":{\"aws\":{\"multipart_size\":\"1MiB\"}}}", ERR_INVALID },
                { "{\"extra\":{\"gcp\":{\"application_creds\":\"x\"}}}", ERR_INVALID },
                { "{\"backend_bck\":{\"name\":\"x\",\"provider\":\"zz\"}}", ERR_INVALID_PROVIDER },
                { "{\"backend_bck\":{\"name\":\"x\",\"provider\":\"ais\"}}", ERR_INVALID },
                { "{\"backend_bck\":{\"name\":\"x/y\",\"provider\":\"aws\"}}", ERR_INVALID_NAME },
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct bucket_props p = defaults(), before = p;
                struct err *e = update(&p, bad[i].text, NULL);
                if (!e)
                        fail_msg("accepted: %s", bad[i].text);
                if (err_code(e) != bad[i].code)
                        fail_msg("%s: %s", bad[i].text, err_code_name(err_code(e)));
                err_free(e);
                assert_memory_equal(&p, &before, sizeof(p));
        }
        char custom[200], text[256];
        memset(custom, 'x', sizeof(custom));
        snprintf(text, sizeof(text), "{\"extra\":{\"aws\":{\"cloud_region\":\"%.*s\"}}}", 64, custom);
        struct bucket_props p = defaults();
        struct err *e = update(&p, text, NULL);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

static void test_ec_rules(void **state)
{
        (void)state;
        struct bucket_props p = defaults();
        AUTO_JSON json_t *on = json_pack("{s:{s:b,s:i,s:i}}", "ec", "enabled", 1, "data_slices", 2, "parity_slices", 1);
        AUTO_JSON json_t *copies =
                json_pack("{s:{s:b,s:i,s:i}}", "ec", "enabled", 1, "objsize_limit", -1, "parity_slices", 1);
        AUTO_JSON json_t *other = json_pack("{s:{s:i}}", "ec", "data_slices", 4);
        AUTO_JSON json_t *limit = json_pack("{s:{s:i}}", "ec", "objsize_limit", 0);
        AUTO_JSON json_t *forced = json_pack("{s:{s:i},s:b}", "ec", "objsize_limit", 0, "force", 1);
        struct err *e = bucket_props_update(&p, on, 3, 1, NULL);
        assert_string_equal(
                e->msg,
                "not enough target nodes: EC configuration (D = 2, P = 1) requires at least 4 targets (have 3)");
        err_free(e);
        struct bucket_props q = p;
        assert_null(bucket_props_update(&q, copies, 2, 1, NULL));
        assert_null(bucket_props_update(&p, on, 4, 1, NULL));
        e = bucket_props_update(&p, other, 9, 1, NULL);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        e = bucket_props_update(&p, limit, 9, 1, NULL);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
        assert_null(bucket_props_update(&p, forced, 9, 1, NULL));
        assert_int_equal(p.ec.objsize_limit, 0);
}

static void test_round_trip(void **state)
{
        (void)state;
        AUTO_BUF struct buf one = BUF_INIT, two = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        struct bucket b = sample(), back;
        assert_null(update(
                &b.props,
                "{\"durability\":\"fast\",\"mirror\":{\"copies\":1},\"chunks\":{\"chunk_size\":\"1025KiB\"},\"lru\":{"
                "\"dont_evict_time\":"
                "\"1h0m0.5s\"},\"extra\":{\"aws\":{\"multipart_size\":\"6MiB\"},\"custom\":\"x\"},\"features\":\"16\","
                "\"backend_bck\":{\"name\":\"x\",\"provider\":\"aws\"},\"rate_limit\":{\"backend\":{\"per_op_max_"
                "tokens\":\"put:1\"}}}",
                NULL));
        write_document(&b, &one);
        assert_null(json_parse(buf_str(&one), SIZE_MAX, &j));
        assert_null(bucket_from_json(j, &b.bck, &back));
        write_document(&back, &two);
        assert_string_equal(buf_cstr(&one), buf_cstr(&two));
        assert_true(back.bid == b.bid && back.created_ns == b.created_ns && back.props.fast);
        assert_int_equal(back.props.mirror.copies, 1);
        json_object_del(j, "mirror");
        struct err *e = bucket_from_json(j, &b.bck, &back);
        assert_int_equal(err_code(e), ERR_MALFORMED);
        err_free(e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_default_document), cmocka_unit_test(test_defaults_follow_the_configuration),
                cmocka_unit_test(test_update),           cmocka_unit_test(test_refused_updates),
                cmocka_unit_test(test_ec_rules),         cmocka_unit_test(test_round_trip),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
