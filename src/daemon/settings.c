/* daemon/settings.c: the table of start options, and its three readers (file, environment, flags), lowest first. One dash
 * before a flag is as good as two, and '_' in it as '-': so is a node of the wire started, and so are its two files named
 * (node_files.c). */
#include "daemon/settings.h"

#include "daemon/node_files.h"
#include "os/file.h"

#define CONFIG_FILE_MAX (1024 * 1024)

enum setting_kind { SET_TEXT, SET_SWITCH };
struct setting {
        const char *name; /* flag --name; in the file the same with '_' for '-' */
        const char *env;  /* null: none */
        enum setting_kind kind;
        size_t offset;
        const char *arg, *help;
};
#define TEXT(name, env, member, arg, help) { name, env, SET_TEXT, offsetof(struct settings, member), arg, help }
#define SWITCH(name, env, member, help) { name, env, SET_SWITCH, offsetof(struct settings, member), NULL, help }

static const struct setting table[] = {
        TEXT("listen", "ORLOP_LISTEN", listen, "HOST:PORT", "native API (default 127.0.0.1:8080)"),
        TEXT("public-url", "ORLOP_PUBLIC_URL", public_url, "URL", "what clients are told to connect to (default: from --listen)"),
        TEXT("s3-listen", "ORLOP_S3_LISTEN", s3_listen, "HOST:PORT", "S3 API, or none (default 127.0.0.1:9000; none when --listen is given)"),
        TEXT("s3-keys", NULL, s3_keys, "FILE", "who may use S3: a list of {user, access_key, secret_key}, mode 0600"),
        TEXT("state", "ORLOP_STATE", state, "DIR", "where the node keeps its state (default: the first DIR)"),
        TEXT("config", "ORLOP_CONFIG", config, "FILE", "JSON file with any of these options, and \"cluster\": {…}"),
        TEXT("tls-cert", "ORLOP_TLS_CERT", tls_cert, "FILE", "PEM certificate chain: serve HTTPS"),
        TEXT("tls-key", "ORLOP_TLS_KEY", tls_key, "FILE", "PEM private key; both are read again on SIGHUP"),
        TEXT("log-level", "ORLOP_LOG_LEVEL", log_level, "SPEC", "debug, info, warn or error; by folder: info,store=debug"),
        TEXT("log-format", "ORLOP_LOG_FORMAT", log_format, "text|json", "form of log lines (default text)"),
        TEXT("log-dir", "ORLOP_LOG_DIR", log_dir, "DIR", "also keep rotated log files there"),
        TEXT("loops", "ORLOP_LOOPS", loops, "N", "event loops (default: one per core)"),
        TEXT("memory", "ORLOP_MEMORY", memory, "SIZE", "what requests in progress may hold (default: a quarter of machine or cgroup)"),
        TEXT("cache-size", "ORLOP_CACHE_SIZE", cache_size, "SIZE", "memory for cached contents (default 64MiB, less in a small cgroup)"),
        TEXT("cluster-listen", "ORLOP_CLUSTER_LISTEN", cluster_listen, "HOST:PORT", "port for the other nodes of the cluster (default: none, a cluster of one)"),
        TEXT("cluster-url", "ORLOP_CLUSTER_URL", cluster_url, "HOST:PORT", "what other nodes are told to connect to (default: from --cluster-listen)"),
        TEXT("role", "ORLOP_ROLE", role, "both|proxy|target", "what a new node does (default both)"),
        TEXT("join", "ORLOP_JOIN", join, "TOKEN", "a new node joins the cluster that gave this token (orlop cluster token)"),
        TEXT("local-config", NULL, local_config, "FILE", "the wire's local node file: state, addresses, directories; --config is its cluster file then"),
        TEXT("daemon-id", NULL, daemon_id, "ID", "start only as this node"),
        TEXT("ntargets", NULL, ntargets, "N", "no effect: a primary waits for no targets"),
        SWITCH("skip-startup", NULL, skip_startup, "no effect, likewise"),
        SWITCH("init", "ORLOP_INIT", init, "a new node with a cluster port makes a new cluster"),
        SWITCH("non-electable", "ORLOP_NON_ELECTABLE", non_electable, "a proxy that never becomes the primary"),
        TEXT("feature-level", "ORLOP_FEATURE_LEVEL", feature_level, "N", "understand no newer state of the cluster than level N, as an older program (default: all)"),
        SWITCH("insecure", "ORLOP_INSECURE", insecure, "allow listening beyond loopback without credentials"),
        SWITCH("help", NULL, help, "show this"),
        SWITCH("version", NULL, version, "show the version"),
};

static struct err *assign(struct settings *s, const struct setting *t, struct str value, const char *from)
{
        void *p = (char *)s + t->offset;
        if (t->kind == SET_TEXT) {
                struct str copy = str_arena(&s->arena, value);
                if (copy.p == NULL)
                        return err_static(ERR_NO_MEMORY);
                *(struct str *)p = copy;
                return NULL;
        }
        if (!str_bool(value, (bool *)p))
                return err_new(ERR_INVALID, "%s: expecting true or false, not \"" STR_FMT "\"", from, STR_ARG(value));
        return NULL;
}

static const struct setting *find(struct str name)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++) {
                struct str n = str_of(table[i].name);
                bool same = n.n == name.n;
                for (size_t k = 0; same && k < n.n; k++)
                        same = n.p[k] == (name.p[k] == '_' ? '-' : name.p[k]);
                if (same)
                        return &table[i];
        }
        return NULL;
}

struct err *settings_add_dir(struct settings *s, struct str dir)
{
        if (s->ndirs == SETTINGS_DIRS_MAX)
                return err_new(ERR_INVALID, "too many directories (at most %d)", SETTINGS_DIRS_MAX);
        s->dirs[s->ndirs] = str_arena(&s->arena, dir);
        return s->dirs[s->ndirs++].p == NULL ? err_static(ERR_NO_MEMORY) : NULL;
}

/* One member of the configuration file. */
static struct err *file_member(struct settings *s, const char *key, json_t *v)
{
        size_t i;
        json_t *item;
        const struct setting *t = find(str_of(key));
        if (strcmp(key, "cluster") == 0 && json_is_object(v)) {
                s->cluster = json_incref(v);
                return NULL;
        }
        if (strcmp(key, "mountpaths") == 0 && json_is_array(v)) {
                json_array_foreach(v, i, item)
                        TRY(json_is_string(item) ? settings_add_dir(s, json_str(item)) : err_new(ERR_INVALID, "mountpaths: expecting a list of directories"));
                return NULL;
        }
        if (t == NULL)
                return err_new(ERR_INVALID, "unknown option \"%s\"", key);
        if (t->kind == SET_SWITCH && json_is_boolean(v))
                return assign(s, t, json_is_true(v) ? STR("true") : STR("false"), key);
        if (!json_is_string(v))
                return err_new(ERR_INVALID, "option \"%s\": expecting a %s", key, t->kind == SET_SWITCH ? "boolean" : "string");
        return assign(s, t, json_str(v), key);
}

static struct err *read_file(struct settings *s, const char *path)
{
        AUTO_BUF struct buf text = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        const char *key;
        json_t *v;
        TRY_WRAP(file_read_all(AT_FDCWD, path, CONFIG_FILE_MAX, &text), "configuration file %s", path);
        TRY_WRAP(json_parse(buf_str(&text), CONFIG_FILE_MAX, &j), "configuration file %s", path);
        if (!json_is_object(j))
                return err_new(ERR_INVALID, "configuration file %s: expecting an object", path);
        json_object_foreach(j, key, v)
                TRY_WRAP(file_member(s, key, v), "configuration file %s", path);
        return NULL;
}

static struct err *read_env(struct settings *s)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++) {
                const char *v = table[i].env ? getenv(table[i].env) : NULL;
                if (v != NULL && v[0] != '\0')
                        TRY(assign(s, &table[i], str_of(v), table[i].env));
        }
        return NULL;
}

/* The flag's text after its dashes; null: no flag. */
static bool is_flag(struct str a, struct str *ret)
{
        if (a.n < 2 || a.p[0] != '-')
                return false;
        *ret = str_skip(a, a.p[1] == '-' ? 2 : 1);
        return true;
}

static bool is_file_option(const struct setting *t)
{
        return strcmp(t->name, "config") == 0 || strcmp(t->name, "local-config") == 0;
}

/* Flags: --name VALUE, --name=VALUE, --switch. only_files: look for those that name files alone (they are read before the rest). */
static struct err *read_flags(struct settings *s, int argc, char **argv, bool only_files)
{
        unsigned from_file = s->ndirs;
        for (int i = 1; i < argc; i++) {
                struct str a = str_of(argv[i]), value;
                if (!is_flag(a, &value)) {
                        if (only_files)
                                continue;
                        if (from_file > 0)
                                s->ndirs = from_file = 0; /* directories on the command line replace those of the file */
                        TRY(settings_add_dir(s, a));
                        continue;
                }
                bool inlined = str_find(value, '=') >= 0;
                struct str name = str_cut(&value, '=');
                const struct setting *t = find(name);
                if (t == NULL)
                        return err_new(ERR_INVALID, "unknown option %s (see --help)", argv[i]);
                if (t->kind == SET_TEXT && !inlined) {
                        if (++i == argc)
                                return err_new(ERR_INVALID, "option --%s wants a value: %s", t->name, t->arg);
                        value = str_of(argv[i]);
                } else if (t->kind == SET_SWITCH && !inlined) {
                        value = STR("true");
                }
                if (!only_files || is_file_option(t))
                        TRY(assign(s, t, value, t->name));
        }
        return NULL;
}

struct err *settings_read(struct settings *s, int argc, char **argv)
{
        arena_init(&s->arena, 4096, 0);
        const char *env_config = getenv("ORLOP_CONFIG");
        if (env_config != NULL)
                s->config = str_of(env_config);
        TRY(read_flags(s, argc, argv, true));
        if (s->config.n > 0 && s->local_config.n == 0)
                TRY(read_file(s, str_arena(&s->arena, s->config).p));
        TRY(read_env(s));
        TRY(read_flags(s, argc, argv, false));
        if (s->local_config.n > 0)
                TRY(node_files_read(s));
        if (s->listen.n == 0 && s->s3_listen.n == 0)
                s->s3_listen = STR("127.0.0.1:9000");
        if (str_eq(s->s3_listen, STR("none")))
                s->s3_listen = STR_NONE;
        if (s->listen.n == 0)
                s->listen = STR("127.0.0.1:8080");
        if ((s->tls_cert.n > 0) != (s->tls_key.n > 0))
                return err_new(ERR_INVALID, "--tls-cert and --tls-key go together");
        uint64_t level;
        if (s->feature_level.n > 0 && !str_u64(s->feature_level, &level))
                return err_new(ERR_INVALID, "--feature-level: expecting a number");
        if (!s->help && !s->version && s->ndirs == 0)
                return err_new(ERR_INVALID, "name at least one directory to store in (see --help)");
        return NULL;
}

void settings_fini(struct settings *s)
{
        json_decref(s->cluster);
        arena_fini(&s->arena);
}

void settings_usage(FILE *f)
{
        fputs("usage: orlopd [options] DIR [DIR...]\n"
              "       orlopd fsck [--repair | --rebuild] DIR [DIR...]\n"
              "       orlopd control inspect|export|recover STATE-DIR\n\n"
              "Serves a store that lives in DIR: one directory per disk, created if absent.\n\noptions:\n", f);
        for (size_t i = 0; i < ARRAY_LEN(table); i++) {
                char left[64];
                snprintf(left, sizeof(left), "--%s%s%s", table[i].name, table[i].arg ? " " : "", table[i].arg ? table[i].arg : "");
                fprintf(f, "  %-24s %s%s%s%s\n", left, table[i].help, table[i].env ? " [" : "", table[i].env ? table[i].env : "", table[i].env ? "]" : "");
        }
}
