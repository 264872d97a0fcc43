/* api/s3_keys.c: who may sign: access keys of the environment and a file, which hold for this node, and of the cluster's
 * state (documents "s3key/<access key>"), which hold for all.
 *
 * While there is no key at all, S3 asks nobody who he is, as the native API: the daemon listens on loopback alone then,
 * or was told --insecure. */
#define LOG_FOLDER "api"
#include "api/s3_keys.h"

#include <sys/stat.h>

#include "base/json.h"
#include "base/log.h"
#include "os/file.h"
#include "s3/sig.h"

#define FILE_MAX ((size_t)1 << 20)
#define DOC_PREFIX "s3key/"
#define S3_USER_MAX 128

struct s3_key {
        char access[S3_ACCESS_KEY_MAX + 1], secret[S3_SECRET_MAX + 1], user[S3_USER_MAX + 1], display[S3_USER_MAX + 1];
};
struct s3_keys {
        struct s3_key *list;
        size_t n;
        struct s3_sig_keys *cache;
};

static struct err *add(struct s3_keys *k, struct str access, struct str secret, struct str user, struct str display)
{
        struct s3_key *list = realloc(k->list, (k->n + 1) * sizeof(*list));
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        k->list = list;
        memset(&list[k->n], 0, sizeof(list[0]));
        if (access.n == 0 || secret.n == 0 || !str_copy(list[k->n].access, sizeof(list[0].access), access) ||
            !str_copy(list[k->n].secret, sizeof(list[0].secret), secret) ||
            !str_copy(list[k->n].user, sizeof(list[0].user), user.n > 0 ? user : STR("main")))
                return err_new(ERR_INVALID, "an access key, its secret and its user must have 1 to %d characters each", S3_USER_MAX);
        str_copy(list[k->n].display, sizeof(list[0].display), display);
        k->n++;
        return NULL;
}

static struct err *add_file(struct s3_keys *k, const char *path)
{
        AUTO_FD int fd = -1;
        AUTO_BUF struct buf b = BUF_INIT;
        struct stat st;
        TRY(file_open(AT_FDCWD, path, O_RDONLY, 0, &fd));
        TRY(file_stat(fd, &st));
        if ((st.st_mode & 077) != 0)
                return err_new(ERR_FORBIDDEN, "others may read it: chmod 600 %s", path);
        TRY(file_read_all(AT_FDCWD, path, FILE_MAX, &b));
        json_t *doc;
        TRY(json_parse(buf_str(&b), FILE_MAX, &doc));
        struct err *e = json_is_array(doc) ? NULL : err_new(ERR_MALFORMED, "expecting a list of {user, access_key, secret_key}");
        for (size_t i = 0; e == NULL && i < json_array_size(doc); i++) {
                const json_t *item = json_array_get(doc, i);
                e = add(k, json_str(json_object_get(item, "access_key")), json_str(json_object_get(item, "secret_key")), json_str(json_object_get(item, "user")),
                        json_str(json_object_get(item, "display_name")));
        }
        json_decref(doc);
        return e;
}

struct err *api__s3_keys_new(const char *file, struct str access, struct str secret, struct s3_keys **ret)
{
        struct s3_keys *k = calloc(1, sizeof(*k));
        if (k == NULL)
                return err_static(ERR_NO_MEMORY);
        struct err *e = s3_sig_keys_new(&k->cache);
        if (e == NULL && (access.n > 0 || secret.n > 0))
                e = err_wrap(add(k, access, secret, STR_NONE, STR_NONE), "ORLOP_ACCESS_KEY and ORLOP_SECRET_KEY");
        if (e == NULL && file != NULL)
                e = err_wrap(add_file(k, file), "--s3-keys %s", file);
        if (e != NULL) {
                api__s3_keys_free(k);
                return e;
        }
        *ret = k;
        return NULL;
}

void api__s3_keys_free(struct s3_keys *k)
{
        if (k == NULL)
                return;
        s3_sig_keys_free(k->cache);
        for (size_t i = 0; i < k->n; i++)
                explicit_bzero(&k->list[i], sizeof(k->list[i]));
        free(k->list);
        free(k);
}

struct str api__s3_keys_display(const struct s3_keys *k, struct str user)
{
        for (size_t i = 0; i < k->n; i++)
                if (k->list[i].display[0] != '\0' && str_eq(user, str_of(k->list[i].user)))
                        return str_of(k->list[i].display);
        return user;
}

struct s3_sig_keys *api__s3_keys_cache(struct s3_keys *k)
{
        return k->cache;
}

/* ---- the state ---- */

struct looking {
        struct str key;
        struct arena *a;
        struct str secret, user;
        bool any;
};

static struct err *on_doc(void *arg, struct str key, struct str body)
{
        struct looking *l = arg;
        json_t *doc;
        l->any = true;
        if (l->key.p == NULL || !str_eq(str_skip(key, sizeof(DOC_PREFIX) - 1), l->key))
                return NULL;
        TRY(json_parse(body, FILE_MAX, &doc));
        l->secret = str_arena(l->a, json_str(json_object_get(doc, "secret")));
        l->user = str_arena(l->a, json_str(json_object_get(doc, "user")));
        json_decref(doc);
        return NULL;
}

bool api__s3_keys_exist(struct s3_keys *k, struct cluster *c)
{
        struct looking l = { .any = k->n > 0 };
        if (!l.any)
                err_free(cluster_doc_each(c, STR(DOC_PREFIX), on_doc, &l));
        return l.any;
}

bool api__s3_keys_find(struct s3_keys *k, struct cluster *c, struct arena *a, struct str access, struct str *ret_secret, struct str *ret_user)
{
        for (size_t i = 0; i < k->n; i++)
                if (str_eq(access, str_of(k->list[i].access))) {
                        *ret_secret = str_of(k->list[i].secret);
                        *ret_user = str_of(k->list[i].user);
                        return true;
                }
        struct looking l = { .key = access, .a = a };
        struct str prefix = str_printf(a, DOC_PREFIX STR_FMT, STR_ARG(access));
        if (prefix.p == NULL || access.n == 0)
                return false;
        log_err(LOG_WARN, LOG_FOLDER, cluster_doc_each(c, prefix, on_doc, &l), "access key " STR_FMT, STR_ARG(access));
        *ret_secret = l.secret;
        *ret_user = l.user;
        return l.secret.n > 0;
}
