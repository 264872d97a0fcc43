/* meta/config_check.c: rules that concern several options of the configuration. Single values were checked when they
 * were set. One function per section; ERR_INVALID with the names of the options. */
#include "meta/bucket_priv.h"

#define INT(o) config_int_at(c, CONFIG_O_##o)
#define BOOL(o) config_bool_at(c, CONFIG_O_##o)
#define TEXT(o) config_str_at(c, CONFIG_O_##o)

/* The wire's number (1-5, plus module bits above), or our words: "info", "info,store=debug". */
static bool check_log_level(struct str s)
{
        static const char *const words[] = { "debug", "info", "warn", "error" };
        uint64_t v;
        if (str_u64(s, &v))
                return (v & 7) >= 1 && (v & 7) <= 5 && v >> 3 < 1u << 20;
        do {
                struct str word = str_cut(&s, ',');
                if (str_find(word, '=') > 0)
                        str_cut(&word, '=');
                bool known = false;
                for (size_t i = 0; i < ARRAY_LEN(words); i++)
                        known |= str_eq(word, str_of(words[i]));
                if (!known)
                        return false;
        } while (s.n);
        return true;
}

static struct err *check_log(const struct config *c)
{
        char a[32], b[32];
        if (!check_log_level(str_of(TEXT(LOG_LEVEL))))
                return err_new(ERR_INVALID, "invalid log.level \"%s\"", TEXT(LOG_LEVEL));
        if (INT(LOG_MAX_SIZE) > INT(LOG_MAX_TOTAL) / 2)
                return err_new(ERR_INVALID, "invalid log.max_total=%s, must be >= 2*(log.max_size=%s)",
                               str_size_text((uint64_t)INT(LOG_MAX_TOTAL), a),
                               str_size_text((uint64_t)INT(LOG_MAX_SIZE), b));
        return NULL;
}

static struct err *check_space(const struct config *c)
{
        int64_t cleanup = INT(SPACE_CLEANUPWM), low = INT(SPACE_LOWWM), high = INT(SPACE_HIGHWM),
                oos = INT(SPACE_OUT_OF_SPACE);
        if (cleanup > low || low > high || high > oos)
                return err_new(ERR_INVALID,
                               "invalid space config: cleanup=%d%%, low=%d%%, high=%d%%, OOS=%d%% "
                               "(expecting: 0 < cleanup < low < high < OOS < 100)",
                               (int)cleanup, (int)low, (int)high, (int)oos);
        return NULL;
}

static struct err *check_disk(const struct config *c)
{
        int64_t low = INT(DISK_DISK_UTIL_LOW_WM), high = INT(DISK_DISK_UTIL_HIGH_WM), max = INT(DISK_DISK_UTIL_MAX_WM);
        if (low >= high || high >= max)
                return err_new(ERR_INVALID,
                               "invalid disk config: disk_util_low_wm=%d, disk_util_high_wm=%d, disk_util_max_wm=%d "
                               "(expecting: 0 < low < high < max <= 100)",
                               (int)low, (int)high, (int)max);
        if (INT(DISK_IOSTAT_TIME_LONG) < INT(DISK_IOSTAT_TIME_SHORT))
                return err_new(ERR_INVALID, "disk.iostat_time_long is shorter than disk.iostat_time_short");
        if (INT(DISK_IOSTAT_TIME_SMOOTH) > 10 * INT(DISK_IOSTAT_TIME_LONG))
                return err_new(ERR_INVALID, "invalid disk.iostat_time_smooth (must be <= 10*iostat_time_long)");
        return NULL;
}

static struct err *check_keepalive(const struct config *c)
{
        const struct { const char *side; int64_t window; } sides[] = {
                { "proxy", INT(KEEPALIVETRACKER_PROXY_INTERVAL) * INT(KEEPALIVETRACKER_PROXY_FACTOR) },
                { "target", INT(KEEPALIVETRACKER_TARGET_INTERVAL) * INT(KEEPALIVETRACKER_TARGET_FACTOR) },
        };
        for (size_t i = 0; i < ARRAY_LEN(sides); i++)
                if (sides[i].window > MINS(2))
                        return err_new(ERR_INVALID,
                                       "invalid keepalivetracker.%s: detection window (interval * factor) exceeds 2m",
                                       sides[i].side);
        return NULL;
}

static struct err *check_timeout(const struct config *c)
{
        char a[32], b[32];
        int64_t join = INT(TIMEOUT_JOIN_STARTUP_TIME);
        if (INT(TIMEOUT_MAX_KEEPALIVE) < 2 * INT(TIMEOUT_CPLANE_OPERATION))
                return err_new(ERR_INVALID, "invalid timeout.max_keepalive=%s, must be >= 2*(cplane_operation=%s)",
                               str_duration_text(INT(TIMEOUT_MAX_KEEPALIVE), a),
                               str_duration_text(INT(TIMEOUT_CPLANE_OPERATION), b));
        if (join && join < 2 * INT(TIMEOUT_STARTUP_TIME))
                return err_new(ERR_INVALID,
                               "invalid timeout.join_startup_time=%s, must be >= 2*(timeout.startup_time=%s)",
                               str_duration_text(join, a), str_duration_text(INT(TIMEOUT_STARTUP_TIME), b));
        if (INT(TIMEOUT_COLD_GET_CONFLICT) > INT(TIMEOUT_MAX_HOST_BUSY))
                return err_new(ERR_INVALID, "invalid timeout.cold_get_conflict=%s, must be <= (max_host_busy=%s)",
                               str_duration_text(INT(TIMEOUT_COLD_GET_CONFLICT), a),
                               str_duration_text(INT(TIMEOUT_MAX_HOST_BUSY), b));
        if (INT(CLIENT_CLIENT_LONG_TIMEOUT) < INT(CLIENT_CLIENT_TIMEOUT))
                return err_new(ERR_INVALID, "client_long_timeout=%s cannot be less than client_timeout=%s",
                               str_duration_text(INT(CLIENT_CLIENT_LONG_TIMEOUT), a),
                               str_duration_text(INT(CLIENT_CLIENT_TIMEOUT), b));
        if (INT(LSO_QUIESCENT) >= INT(LSO_IDLE_TIME))
                return err_new(ERR_INVALID, "invalid lso.quiescent=%s: must be less than lso.idle_time=%s",
                               str_duration_text(INT(LSO_QUIESCENT), a), str_duration_text(INT(LSO_IDLE_TIME), b));
        return NULL;
}

static struct err *check_tls(const char *where, const char *crt, const char *key, const char *ca, int64_t client_auth)
{
        if (!crt[0] != !key[0])
                return err_new(ERR_INVALID, "%s: both server_crt and server_key must be set (or neither)", where);
        if (client_auth >= 3 && !ca[0])
                return err_new(ERR_INVALID, "%s: client_ca_tls required when client_auth_tls >= 3 (got %d)", where,
                               (int)client_auth);
        return NULL;
}

static struct err *check_net(const struct config *c)
{
        int64_t idle = INT(NET_HTTP_IDLE_CONNS);
        if (BOOL(NET_HTTP_USE_HTTPS) && (!TEXT(NET_HTTP_SERVER_CRT)[0] || !TEXT(NET_HTTP_SERVER_KEY)[0]))
                return err_new(ERR_INVALID,
                               "net.http.server_crt and net.http.server_key are required when use_https=true "
                               "(set server_crt and server_key first, then enable use_https)");
        if (INT(NET_HTTP_IDLE_CONNS_PER_HOST) > MIN(idle, 128))
                return err_new(ERR_INVALID, "invalid idle_conns_per_host: %d (expecting range [0 - %d])",
                               (int)INT(NET_HTTP_IDLE_CONNS_PER_HOST), (int)MIN(idle, 128));
        TRY(check_tls("net.http", TEXT(NET_HTTP_SERVER_CRT), TEXT(NET_HTTP_SERVER_KEY), TEXT(NET_HTTP_CLIENT_CA_TLS),
                      INT(NET_HTTP_CLIENT_AUTH_TLS)));
        return check_tls("net.http.pub", TEXT(NET_HTTP_PUB_SERVER_CRT), TEXT(NET_HTTP_PUB_SERVER_KEY),
                         TEXT(NET_HTTP_PUB_CLIENT_CA_TLS), INT(NET_HTTP_PUB_CLIENT_AUTH_TLS));
}

static struct err *check_auth(const struct config *c)
{
        bool key = TEXT(AUTH_SIGNATURE_KEY)[0], method = TEXT(AUTH_SIGNATURE_METHOD)[0],
             oidc = TEXT(AUTH_OIDC_ALLOWED_ISS)[0];
        if (key && !method)
                return err_new(ERR_INVALID, "invalid auth signature config, method is required if key provided");
        if (BOOL(AUTH_CLIENT_AUTH_REQUIRED) && !method && !oidc)
                return err_new(ERR_INVALID, "invalid auth config: must provide one of signature or OIDC config when "
                                            "client authentication is "
                                            "required");
        if (method && oidc)
                return err_new(ERR_INVALID,
                               "invalid auth config: only one of signature or OIDC config should be provided");
        return NULL;
}

static struct err *check_backends(const struct config *c)
{
        AUTO_JSON json_t *doc = NULL;
        TRY(json_parse(str_of(TEXT(BACKEND)), SIZE_MAX, &doc));
        const char *key;
        json_t *v;
        json_object_foreach(doc, key, v)
        {
                enum provider p;
                struct err *e = key[0] ? provider_parse(str_of(key), &p) : NULL;
                if (e)
                        return err_recode(e, ERR_INVALID, "unknown backend provider \"%s\"", key);
        }
        return NULL;
}

/* New buckets inherit texts into fields of a fixed size. */
static struct err *check_inherited_texts(const struct config *c)
{
        for (size_t i = 0; i < bucket__prop_count(); i++) {
                const struct prop *p = bucket__prop(i);
                if (p->kind != PROP_TEXT || p->inherits < 0)
                        continue;
                const char *text = config_str_at(c, (enum config_option)p->inherits);
                if (strlen(text) >= p->size)
                        return err_new(ERR_INVALID, "invalid %s: too long (%zu > %zu)", bucket__prop_option(p)->path,
                                       strlen(text), p->size - 1);
        }
        return NULL;
}

static struct err *check_rest(const struct config *c)
{
        int64_t block = INT(TRANSPORT_LZ4_BLOCK);
        if (block != KIB(64) && block != KIB(256) && block != MIB(1) && block != MIB(4))
                return err_new(ERR_INVALID,
                               "invalid transport.lz4_block, expecting one of: [64KiB, 256KiB, 1MiB, 4MiB]");
        if (INT(GET_BATCH_MAX_GFN) > INT(GET_BATCH_MAX_SOFT_ERRS))
                return err_new(
                        ERR_INVALID,
                        "invalid get_batch.max_gfn=%d (expecting -1 to disable, 0 for default, or range [1, %d])",
                        (int)INT(GET_BATCH_MAX_GFN), (int)INT(GET_BATCH_MAX_SOFT_ERRS));
        if (INT(MEMSYS_DEFAULT_BUF) % KIB(4))
                return err_new(ERR_INVALID, "memsys.default_buf must be a multiple of 4KiB");
        return bucket__features_check((uint64_t)INT(FEATURES));
}

struct err *config_check(const struct config *c)
{
        struct bucket_props shared;
        TRY(check_inherited_texts(c));
        bucket_props_default(c, PROVIDER_AIS, &shared);
        TRY(bucket__sections_check(&shared, true));
        TRY(check_log(c));
        TRY(check_space(c));
        TRY(check_disk(c));
        TRY(check_keepalive(c));
        TRY(check_timeout(c));
        TRY(check_net(c));
        TRY(check_auth(c));
        TRY(check_backends(c));
        return check_rest(c);
}
