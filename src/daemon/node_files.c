/* daemon/node_files.c: the wire's node files, read into settings:
 *
 *   local:    confdir → --state; log_dir → --log-dir; host_net: hostname and port → --listen, hostname_intra_control and
 *             port_intra_control → --cluster-listen; fspaths (or root/mp1 … of test_fspaths) → directories. A proxy,
 *             which has none, keeps its state only.
 *   cluster:  net.http.use_https, server_crt, server_key → --tls-cert, --tls-key; identity and version are the cluster's
 *             own and left out; all other sections are first values of a new cluster's configuration.
 *
 * Nodes here have one port for each other: port_intra_data is not used. */
#include "daemon/node_files.h"

#include "os/file.h"

#define FILE_MAX (1024 * 1024)
#define TEST_PATHS_MAX 32

struct local_net {
        struct str host, control_host, data_host, port, control_port, data_port;
};

static struct err *read_object(struct str path, json_t **ret)
{
        AUTO_BUF struct buf text = BUF_INIT;
        TRY(file_read_all(AT_FDCWD, path.p, FILE_MAX, &text));
        TRY(json_parse(buf_str(&text), FILE_MAX, ret));
        return json_is_object(*ret) ? NULL : err_new(ERR_INVALID, "expecting an object");
}

/* Keeps a text when nothing else has set it. */
static struct err *set_text(struct settings *s, struct str *to, struct str value)
{
        if (to->n > 0 || value.n == 0)
                return NULL;
        *to = str_arena(&s->arena, value);
        return to->p != NULL ? NULL : err_static(ERR_NO_MEMORY);
}

/* The first of a list of names or addresses; loopback when there is none. */
static struct str first_host(struct str list)
{
        struct str host = str_cut(&list, ',');
        return host.n > 0 ? host : STR("127.0.0.1");
}

static struct err *set_address(struct settings *s, struct str *to, struct str hosts, struct str port)
{
        struct str host = first_host(hosts);
        if (to->n > 0 || port.n == 0)
                return NULL;
        *to = str_printf(&s->arena, STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(port));
        return to->p != NULL ? NULL : err_static(ERR_NO_MEMORY);
}

static struct err *take_net(struct settings *s, json_t *j)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct local_net, "hostname", JSON_F_STR, host),
                JSON_FIELD(struct local_net, "hostname_intra_control", JSON_F_STR, control_host),
                JSON_FIELD(struct local_net, "hostname_intra_data", JSON_F_STR, data_host),
                JSON_FIELD(struct local_net, "port", JSON_F_STR, port),
                JSON_FIELD(struct local_net, "port_intra_control", JSON_F_STR, control_port),
                JSON_FIELD(struct local_net, "port_intra_data", JSON_F_STR, data_port),
        };
        struct local_net n = { .host = STR_NONE };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "host_net", &n));
        TRY(set_address(s, &s->listen, n.host, n.port));
        return set_address(s, &s->cluster_listen, n.control_host.n > 0 ? n.control_host : n.host, n.control_port);
}

/* {"/disk/1": "label", …}; the labels are the cluster's to change, and not taken from here. */
static struct err *take_paths(struct settings *s, json_t *j)
{
        const char *path;
        json_t *label;
        json_object_foreach(j, path, label) {
                (void)label;
                TRY(settings_add_dir(s, str_of(path)));
        }
        return NULL;
}

static struct err *take_test_paths(struct settings *s, json_t *j)
{
        struct test_paths { struct str root; int64_t count, instance; } t = { STR_NONE, 0, 0 };
        static const struct json_field fields[] = {
                JSON_FIELD(struct test_paths, "root", JSON_F_STR, root),
                JSON_FIELD(struct test_paths, "count", JSON_F_INT, count),
                JSON_FIELD(struct test_paths, "instance", JSON_F_INT, instance),
        };
        char path[4096];
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "test_fspaths", &t));
        if (t.count < 0 || t.count > TEST_PATHS_MAX || t.instance < 0)
                return err_new(ERR_INVALID, "test_fspaths: expecting a count of 0 to %d, and no negative instance", TEST_PATHS_MAX);
        for (int i = 1; i <= t.count; i++) {
                int n = t.instance > 0 ? snprintf(path, sizeof(path), STR_FMT "/mp%d/%ld", STR_ARG(t.root), i, (long)t.instance)
                                       : snprintf(path, sizeof(path), STR_FMT "/mp%d", STR_ARG(t.root), i);
                if (n >= (int)sizeof(path))
                        return err_new(ERR_INVALID, "test_fspaths: the root is too long");
                TRY(settings_add_dir(s, (struct str){ path, (size_t)n }));
        }
        return NULL;
}

static struct err *take_dirs(struct settings *s, json_t *local)
{
        json_t *paths = json_object_get(local, "fspaths"), *nested = json_object_get(paths, "paths");
        if (s->ndirs > 0 || str_eq(s->role, STR("proxy")))
                return NULL;
        if (json_is_object(nested))
                paths = nested;
        if (json_is_object(paths))
                TRY(take_paths(s, paths));
        if (s->ndirs == 0 && json_is_object(json_object_get(local, "test_fspaths")))
                TRY(take_test_paths(s, json_object_get(local, "test_fspaths")));
        return NULL;
}

static struct err *take_local(struct settings *s, json_t *j)
{
        json_t *net = json_object_get(j, "host_net");
        TRY(set_text(s, &s->state, json_str(json_object_get(j, "confdir"))));
        TRY(set_text(s, &s->log_dir, json_str(json_object_get(j, "log_dir"))));
        if (net != NULL)
                TRY(take_net(s, net));
        TRY(take_dirs(s, j));
        return s->ndirs == 0 && s->state.n > 0 ? settings_add_dir(s, s->state) : NULL;
}

/* Takes the member at a path such as "net.l4" out of the document. */
static void drop(json_t *j, struct str path)
{
        char key[64];
        while (str_copy(key, sizeof(key), str_cut(&path, '.')) && path.n > 0)
                j = json_object_get(j, key);
        json_object_del(j, key);
}

static struct err *take_cluster(struct settings *s, json_t *j)
{
        /* What the cluster writes itself, what can not be chosen, and what is not built. */
        static const char *const own[] = { "uuid", "lastupdate_time", "config_version", "proxy", "ext", "net.l4",
                                           "distributed_sort", "tracing",
                                           "net.http.write_buffer_size", "net.http.read_buffer_size",
                                           "keepalivetracker.proxy.name", "keepalivetracker.target.name" };
        json_t *http = json_object_get(json_object_get(j, "net"), "http");
        if (json_is_true(json_object_get(http, "use_https"))) {
                TRY(set_text(s, &s->tls_cert, json_str(json_object_get(http, "server_crt"))));
                TRY(set_text(s, &s->tls_key, json_str(json_object_get(http, "server_key"))));
        }
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                drop(j, str_of(own[i]));
        if (s->cluster == NULL)
                s->cluster = json_incref(j);
        return NULL;
}

struct err *node_files_read(struct settings *s)
{
        AUTO_JSON json_t *local = NULL;
        AUTO_JSON json_t *cluster = NULL;
        struct err *e = read_object(s->local_config, &local);
        if (e == NULL)
                e = take_local(s, local);
        TRY_WRAP(e, "local configuration file %s", s->local_config.p);
        if (s->config.n == 0)
                return NULL;
        e = read_object(s->config, &cluster);
        if (e == NULL)
                e = take_cluster(s, cluster);
        TRY_WRAP(e, "configuration file %s", s->config.p);
        return NULL;
}
