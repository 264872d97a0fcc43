/* cli/tree.c: walking a local directory, in order of names, without following links to directories (so that no walk is endless). */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "cli/priv.h"
#include "os/file.h"

#define TREE_DEPTH_MAX 128

bool cli__is_dir(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

const char *cli__basename(const char *path)
{
        const char *slash = strrchr(path, '/');
        return slash ? slash + 1 : path;
}

char *cli__join(const char *a, const char *b)
{
        size_t n = strlen(a);
        bool slash = n && a[n - 1] != '/';
        AUTO_BUF struct buf out = BUF_INIT;
        buf_printf(&out, "%s%s%s", a, slash ? "/" : "", b);
        const char *text = buf_cstr(&out);
        return text ? strdup(text) : NULL;
}

struct err *cli__make_parents(const char *path)
{
        const char *slash = strrchr(path, '/');
        if (!slash || slash == path)
                return NULL;
        AUTO_FREE char *dir = str_dup((struct str){ path, (size_t)(slash - path) });
        return dir ? file_mkdir_all(dir, 0777) : err_static(ERR_NO_MEMORY);
}

struct walk {
        bool (*fn)(void *arg, const char *path, const char *below, uint64_t size);
        void *arg;
        size_t root_len; /* path bytes before what is below the root */
        unsigned skipped;
        bool stop;
};

static int by_name(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
        char **v;
        size_t n, cap;
};

static void names_fini(struct names *s)
{
        for (size_t i = 0; i < s->n; i++)
                free(s->v[i]);
        free(s->v);
}

static struct err *names_add(void *arg, const char *name, unsigned char type)
{
        (void)type;
        struct names *s = arg;
        if (s->n == s->cap) {
                size_t cap = s->cap ? s->cap * 2 : 64;
                char **v = realloc(s->v, cap * sizeof(*v));
                if (!v)
                        return err_static(ERR_NO_MEMORY);
                s->v = v;
                s->cap = cap;
        }
        s->v[s->n] = strdup(name);
        return s->v[s->n] ? (s->n++, NULL) : err_static(ERR_NO_MEMORY);
}

static struct err *walk_dir(struct walk *w, const char *dir, unsigned depth);

static void skip(struct walk *w, const char *path, const char *why)
{
        cli__error("%s: %s, skipped", path, why);
        w->skipped++;
}

static struct err *walk_entry(struct walk *w, const char *path, unsigned depth)
{
        struct stat st;
        if (lstat(path, &st) != 0) {
                skip(w, path, strerror(errno));
                return NULL;
        }
        if (S_ISDIR(st.st_mode))
                return walk_dir(w, path, depth + 1);
        bool link = S_ISLNK(st.st_mode);
        if (link && stat(path, &st) != 0)
                return NULL; /* dangling: there is nothing to store */
        if (S_ISREG(st.st_mode))
                w->stop = !w->fn(w->arg, path, path + w->root_len, (uint64_t)st.st_size);
        return NULL;
}

static struct err *walk_dir(struct walk *w, const char *dir, unsigned depth)
{
        if (depth > TREE_DEPTH_MAX) {
                skip(w, dir, "nested too deep");
                return NULL;
        }
        __attribute__((cleanup(names_fini))) struct names names = { NULL, 0, 0 };
        struct err *e = file_each(AT_FDCWD, dir, names_add, &names);
        if (e) {
                if (depth == 0)
                        return err_wrap(e, "%s", dir);
                char text[512];
                skip(w, dir, err_text(e, text, sizeof(text)));
                err_free(e);
                return NULL;
        }
        if (names.n)
                qsort(names.v, names.n, sizeof(*names.v), by_name);
        for (size_t i = 0; i < names.n && !w->stop; i++) {
                AUTO_FREE char *path = cli__join(dir, names.v[i]);
                if (!path)
                        return err_static(ERR_NO_MEMORY);
                TRY(walk_entry(w, path, depth));
        }
        return NULL;
}

struct err *cli__tree_walk(const char *root, bool (*fn)(void *arg, const char *path, const char *below, uint64_t size), void *arg,
                           unsigned *ret_skipped)
{
        size_t n = strlen(root);
        struct walk w = { fn, arg, n && root[n - 1] == '/' ? n : n + 1, 0, false };
        TRY(walk_dir(&w, root, 0));
        *ret_skipped = w.skipped;
        return NULL;
}
