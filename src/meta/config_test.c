/* The configuration: its document, updates by path and by document, scope, and rules between options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meta/config.h"

static struct err *set(struct config *c, const char *path, const char *value)
{
        return config_set(c, str_of(path), str_of(value), CONFIG_SCOPE_CLUSTER, NULL);
}

static void assert_refused(struct err *e, enum err_code code)
{
        assert_non_null(e);
        assert_int_equal(err_code(e), code);
        err_free(e);
}

static json_t *document(const struct config *c, bool private)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        json_t *j;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        if (private)
                config_json_private(&w, c);
        else
                config_json(&w, c);
        jw_object_end(&w);
        assert_null(buf_err(&b));
        assert_null(json_parse(buf_str(&b), SIZE_MAX, &j));
        return j;
}

static json_t *parsed(const char *text)
{
        json_t *j;
        assert_null(json_parse(str_of(text), SIZE_MAX, &j));
        return j;
}

/* Parts of the wire's document, as a client sees it of a new cluster. */
static void test_default_document(void **state)
{
        (void)state;
        struct config *c = config_new();
        AUTO_JSON json_t *j = document(c, false);
        static const char *const sections[] = {
                "write_policy", "checksum",         "tcb",        "tco",        "arch",    "lso",
                "rate_limit",   "keepalivetracker", "rebalance",  "log",        "ec",      "get_batch",
                "space",        "transport",        "disk",       "fshc",       "chunks",  "lru",
                "mirror",       "periodic",         "client",     "downloader", "auth",    "backend",
                "uuid",         "lastupdate_time",  "proxy",      "net",        "timeout", "memsys",
                "features",     "config_version",   "versioning", "resilver",
        };
        size_t i = 0;
        const char *key;
        json_t *v;
        json_object_foreach(j, key, v)
        {
                assert_true(i < ARRAY_LEN(sections));
                assert_string_equal(key, sections[i++]);
        }
        assert_int_equal(i, ARRAY_LEN(sections));
        static const struct { const char *section, *text;
        } parts[] = {
                { "rate_limit",
                  "{\"backend\":{\"interval\":\"1m\",\"max_tokens\":1000,\"enabled\":false,\"num_retries\":3},"
                  "\"frontend\":{\"interval\":\"1m\",\"max_tokens\":1000,\"enabled\":false,\"burst_size\":375}}" },
                { "keepalivetracker", "{\"proxy\":{\"name\":\"heartbeat\",\"interval\":\"10s\",\"factor\":3},"
                                      "\"target\":{\"name\":\"heartbeat\","
                                      "\"interval\":\"10s\",\"factor\":3},\"num_retries\":3,\"retry_factor\":4}" },
                { "chunks", "{\"objsize_limit\":\"0B\",\"max_monolithic_size\":\"1TiB\",\"chunk_size\":\"1GiB\"}" },
                { "get_batch", "{\"compression\":\"never\",\"bundle_multiplier\":2,\"burst_buffer\":512,\"max_wait\":"
                               "\"20s\",\"warmup_workers\":-1,"
                               "\"max_soft_errs\":8,\"max_gfn\":5}" },
                { "auth", "{\"client_auth_required\":false}" },
                { "backend", "{}" },
                { "features", "\"0\"" },
                { "config_version", "\"0\"" },
                { "timeout", "{\"cplane_operation\":\"2s\",\"max_keepalive\":\"5s\",\"max_host_busy\":\"20s\","
                             "\"startup_time\":\"1m\","
                             "\"join_startup_time\":\"3m\",\"send_file_time\":\"5m\",\"ec_streams_time\":\"10m\","
                             "\"object_md\":\"2h0m\","
                             "\"cold_get_conflict\":\"5s\"}" },
        };
        for (i = 0; i < ARRAY_LEN(parts); i++) {
                char *text = json_dumps(json_object_get(j, parts[i].section), JSON_COMPACT | JSON_ENCODE_ANY);
                assert_string_equal(text, parts[i].text);
                free(text);
        }
        assert_null(config_check(c));
        config_free(c);
}

static void test_set_by_path(void **state)
{
        (void)state;
        struct config *c = config_new();
        bool restart = true;
        assert_null(config_set(c, STR("mirror.copies"), STR("3"), CONFIG_SCOPE_CLUSTER, &restart));
        assert_false(restart);
        assert_int_equal(config_int(c, "mirror.copies"), 3);
        assert_null(set(c, "mirror.copies", "0")); /* zero is the default */
        assert_int_equal(config_int_at(c, CONFIG_O_MIRROR_COPIES), 2);
        assert_null(set(c, "LRU.Enabled", "yes"));
        assert_true(config_bool(c, "lru.enabled"));
        assert_null(set(c, "log.max_size", "10mb"));
        assert_int_equal(config_int(c, "log.max_size"), 10 << 20);
        assert_null(set(c, "lru.dont_evict_time", "1h30m"));
        assert_int_equal(config_int(c, "lru.dont_evict_time"), INT64_C(5400) * 1000000000);
        assert_null(set(c, "timeout.ec_streams_time", "-1s"));
        assert_null(config_set(c, STR("memsys.min_free"), STR("0"), CONFIG_SCOPE_CLUSTER, &restart));
        assert_true(restart);
        assert_null(set(c, "features", "18446744073709551615"));
        assert_true((uint64_t)config_int(c, "features") == UINT64_MAX);
        assert_null(set(c, "write_policy.md", "never"));
        assert_string_equal(config_str(c, "write_policy.md"), "never");
        assert_null(set(c, "auth.required_claims.aud", "[a b]"));
        assert_string_equal(config_str(c, "auth.required_claims.aud"), "[\"a\",\"b\"]");
        assert_null(set(c, "auth.required_claims.aud", "none"));
        assert_string_equal(config_str(c, "auth.required_claims.aud"), "");
        assert_null(set(c, "backend", "{\"aws\":{}}"));
        config_free(c);
}

static void test_refused_values(void **state)
{
        (void)state;
        struct config *c = config_new();
        AUTO_JSON json_t *before = document(c, true);
        static const struct { const char *path, *value;
        } bad[] = {
                { "mirror.copies", "99" },
                { "mirror.copies", "zz" },
                { "mirror.copies", "1.5" },
                { "mirror.copies", "" },
                { "lru.enabled", "xx" },
                { "lru.dont_evict_time", "5" },
                { "log.max_size", "1B" },
                { "log.max_size", "-1" },
                { "write_policy.data", "delayed" },
                { "checksum.type", "zz" },
                { "features", "-1" },
                { "uuid", "x" },
                { "config_version", "9" },
                { "net.l4.proto", "udp" },
                { "foo.bar", "1" },
                { "mirror", "1" },
                { "", "1" },
                { "keepalivetracker.proxy.name", "heartbeat" },
                { "net.http.domain_tls", "x" },
                { "proxy.primary_url", "http://x" },
                { "net.http.server_crt", "a\nb" },
                { "auth.cluster_keyx.ttl", "1h" },
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct err *e = set(c, bad[i].path, bad[i].value);
                if (!e)
                        fail_msg("accepted: %s=%s", bad[i].path, bad[i].value);
                assert_refused(e, ERR_INVALID);
        }
        struct err *e = set(c, "foo.bar", "1");
        assert_string_equal(e->msg, "unknown property \"foo.bar\"");
        err_free(e);
        e = set(c, "keepalivetracker.proxy.name", "x");
        assert_string_equal(e->msg, "property \"keepalivetracker.proxy.name\" is readonly");
        err_free(e);
        AUTO_JSON json_t *after = document(c, true);
        assert_true(json_equal(before, after));
        config_free(c);
}

static void test_node_scope(void **state)
{
        (void)state;
        struct config *c = config_new();
        struct err *e = config_set(c, STR("mirror.copies"), STR("3"), CONFIG_SCOPE_NODE, NULL);
        assert_string_equal(e->msg, "mirror configuration can only be globally updated");
        assert_refused(e, ERR_INVALID);
        assert_null(config_set(c, STR("log.level"), STR("4"), CONFIG_SCOPE_NODE, NULL));
        AUTO_JSON json_t *doc = parsed("{\"log\":{\"level\":\"5\"},\"mirror\":{\"copies\":4}}");
        assert_refused(config_apply(c, doc, CONFIG_SCOPE_NODE, NULL), ERR_INVALID);
        assert_string_equal(config_str(c, "log.level"), "4"); /* all or nothing */
        config_free(c);
}

static void test_apply_document(void **state)
{
        (void)state;
        struct config *c = config_new();
        AUTO_JSON json_t *doc = parsed("{\"Mirror\":{\"COPIES\":4,\"enabled\":true},\"lru\":null,\"features\":\"8\","
                                       "\"memsys\":{\"hk_time\":\"1m\"},"
                                       "\"rate_limit\":{\"frontend\":{\"burst_size\":10}},\"auth\":{\"oidc\":{"
                                       "\"allowed_iss\":[\"https://a\"]}},"
                                       "\"backend\":{\"ais\":{\"alias\":[\"http://x\"]}}}");
        bool restart = false;
        assert_null(config_apply(c, doc, CONFIG_SCOPE_CLUSTER, &restart));
        assert_true(restart);
        assert_int_equal(config_int(c, "mirror.copies"), 4);
        assert_int_equal(config_int(c, "features"), 8);
        assert_int_equal(config_int(c, "rate_limit.frontend.burst_size"), 10);
        assert_string_equal(config_str(c, "auth.oidc.allowed_iss"), "[\"https://a\"]");
        assert_string_equal(config_str(c, "backend"), "{\"ais\":{\"alias\":[\"http://x\"]}}");
        assert_null(config_apply(c, NULL, CONFIG_SCOPE_CLUSTER, NULL));
        static const struct { const char *text; enum err_code code;
        } bad[] = {
                { "{\"mirror\":{\"foo\":1}}", ERR_UNKNOWN_FIELD },
                { "{\"foo\":1}", ERR_UNKNOWN_FIELD },
                { "{\"mirror.copies\":3}", ERR_UNKNOWN_FIELD },
                { "{\"uuid\":\"x\"}", ERR_UNKNOWN_FIELD },
                { "{\"mirror\":{\"copies\":\"3\"}}", ERR_MALFORMED },
                { "{\"mirror\":{\"copies\":1.5}}", ERR_MALFORMED },
                { "{\"mirror\":3}", ERR_MALFORMED },
                { "{\"lru\":{\"dont_evict_time\":5}}", ERR_MALFORMED },
                { "{\"mirror\":{\"enabled\":\"true\"}}", ERR_MALFORMED },
                { "[]", ERR_MALFORMED },
                { "\"x\"", ERR_MALFORMED },
                { "{\"mirror\":{\"copies\":99}}", ERR_INVALID },
                { "{\"backend\":[]}", ERR_MALFORMED },
                { "{\"auth\":{\"required_claims\":{\"aud\":[1]}}}", ERR_MALFORMED },
                { "{\"mirror\":{\"copies\":{\"x\":{\"y\":{\"z\":1}}}}}", ERR_MALFORMED },
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO_JSON json_t *j = parsed(bad[i].text);
                assert_refused(config_apply(c, j, CONFIG_SCOPE_CLUSTER, NULL), bad[i].code);
        }
        AUTO_JSON json_t *unknown = parsed("{\"mirror\":{\"foo\":1}}");
        struct err *e = config_apply(c, unknown, CONFIG_SCOPE_CLUSTER, NULL);
        assert_true(str_starts(str_of(e->msg), STR("found unknown field: foo")));
        err_free(e);
        config_free(c);
}

static void test_old_names(void **state)
{
        (void)state;
        struct config *c = config_new();
        assert_null(set(c, "auth.enabled", "true"));
        assert_true(config_bool(c, "auth.client_auth_required"));
        assert_null(set(c, "auth.cluster_key.ttl", "2h"));
        assert_int_equal(config_int(c, "auth.intra_cluster.ttl"), INT64_C(7200) * 1000000000);
        assert_null(set(c, "auth.cluster_key.enabled", "true"));
        assert_true(config_bool(c, "auth.intra_cluster.request_auth"));
        AUTO_JSON json_t *doc =
                parsed("{\"auth\":{\"enabled\":false,\"cluster_key\":{\"enabled\":false,\"nonce_window\":\"2m\"}}}");
        assert_null(config_apply(c, doc, CONFIG_SCOPE_CLUSTER, NULL));
        assert_false(config_bool(c, "auth.client_auth_required"));
        assert_false(config_bool(c, "auth.intra_cluster.request_auth"));
        config_free(c);
}

static void test_rules_between_options(void **state)
{
        (void)state;
        static const char *const bad[][2] = {
                { "space.highwm", "10" },
                { "log.level", "foo" },
                { "log.level", "0" },
                { "log.max_total", "100MiB" },
                { "disk.disk_util_low_wm", "90" },
                { "keepalivetracker.proxy.interval", "1m" },
                { "lso.quiescent", "30s" },
                { "timeout.max_keepalive", "3s" },
                { "timeout.startup_time", "2m" },
                { "client.client_timeout", "6m" },
                { "transport.lz4_block", "128KiB" },
                { "get_batch.max_gfn", "9" },
                { "rate_limit.frontend.burst_size", "900" },
                { "rate_limit.frontend.per_op_max_tokens", "put" },
                { "rate_limit.backend.per_op_max_tokens", "put:0" },
                { "rate_limit.backend.per_op_max_tokens",
                  "put:1000000 get:1000000 head:1000000 delete:1000000 list:1000000" },
                { "chunks.objsize_limit", "2TiB" },
                { "net.http.use_https", "true" },
                { "net.http.server_crt", "x" },
                { "net.http.client_auth_tls", "4" },
                { "net.http.idle_conns", "16" },
                { "auth.client_auth_required", "true" },
                { "auth.signature.key", "x" },
                { "features", "6144" },
                { "memsys.default_buf", "5KiB" },
                { "backend", "{\"zz\":{}}" },
                { "versioning.enabled", "false" },
                { "disk.iostat_time_smooth", "1m" },
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct config *c = config_new();
                if (i == ARRAY_LEN(bad) - 2)
                        assert_null(set(c, "versioning.validate_warm_get", "true"));
                struct err *e = set(c, bad[i][0], bad[i][1]);
                if (!e)
                        e = config_check(c);
                if (!e)
                        fail_msg("accepted: %s=%s", bad[i][0], bad[i][1]);
                assert_refused(e, ERR_INVALID);
                config_free(c);
        }
        static const char *const good[][2] = {
                { "log.level", "5" },
                { "log.level", "info" },
                { "log.level", "info,store=debug" },
                { "log.level", "35" },
                { "rate_limit.backend.per_op_max_tokens", "put:10 get:20" },
                { "space.out_of_space", "100" },
        };
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                struct config *c = config_new();
                assert_null(set(c, good[i][0], good[i][1]));
                assert_null(config_check(c));
                config_free(c);
        }
}

static void test_secrets_and_round_trip(void **state)
{
        (void)state;
        struct config *c = config_new(), *back = config_new();
        assert_null(set(c, "auth.signature.key", "top-secret"));
        assert_null(set(c, "auth.signature.method", "HS256"));
        assert_null(set(c, "log.max_size", "1536KiB"));
        assert_null(set(c, "log.stats_time", "1m0.5s"));
        assert_null(set(c, "backend", "{\"ais\":{\"a\":[\"http://x\"]}}"));
        const struct config_stamp stamp = { "uUiD12345", "http://p", "http://o", "now", 42 };
        assert_null(config_set_stamp(c, &stamp));
        AUTO_JSON json_t *public = document(c, false), *private = document(c, true);
        assert_string_equal(json_string_value(json_object_get(
                                    json_object_get(json_object_get(public, "auth"), "signature"), "key")),
                            "**********");
        assert_string_equal(json_string_value(json_object_get(public, "config_version")), "42");
        assert_null(config_load_private(back, private));
        assert_string_equal(config_str(back, "auth.signature.key"), "top-secret");
        assert_string_equal(config_str(back, "proxy.primary_url"), "http://p");
        AUTO_JSON json_t *again = document(back, true);
        assert_true(json_equal(private, again));
        struct config *clone = config_clone(back);
        AUTO_JSON json_t *cloned = document(clone, true);
        assert_true(json_equal(private, cloned));
        config_free(clone);
        config_free(c);
        config_free(back);
}

static bool count_option(void *arg, const char *path, enum config_type type, const char *default_text,
                         const char *range_text, bool cluster_only, bool restart)
{
        (void)type, (void)cluster_only, (void)restart;
        assert_non_null(default_text);
        assert_non_null(range_text);
        assert_non_null(strrchr(path, '\0'));
        ++*(unsigned *)arg;
        return true;
}

static void test_each(void **state)
{
        (void)state;
        unsigned n = 0;
        config_each(count_option, &n);
        assert_int_equal(n, CONFIG_OPTION_COUNT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_default_document),
                cmocka_unit_test(test_set_by_path),
                cmocka_unit_test(test_refused_values),
                cmocka_unit_test(test_node_scope),
                cmocka_unit_test(test_apply_document),
                cmocka_unit_test(test_old_names),
                cmocka_unit_test(test_rules_between_options),
                cmocka_unit_test(test_secrets_and_round_trip),
                cmocka_unit_test(test_each),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
