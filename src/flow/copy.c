/* flow/copy.c: copying an object, and storing a local file as one ("promote").
 *
 * The source is pinned while it is read, so that a writer in between changes nothing; the destination is an ordinary
 * put: all or nothing. */
#include "flow/priv.h"

#define COPY_STEP (512u * 1024u) /* bytes per read */

/* Moves `size` bytes of an open content into a put. */
static struct err *copy_bytes(struct content *from, uint64_t size, struct flow_put *to)
{
        struct str mem = content_mem(from);
        if (mem.p != NULL)
                return flow_put_write(to, mem.p, mem.n);
        AUTO_FREE char *step = malloc(COPY_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < size;) {
                size_t n = (size_t)MIN((uint64_t)COPY_STEP, size - at);
                TRY(content_read(from, at, step, n));
                TRY(flow_put_write(to, step, n));
                at += n;
        }
        return NULL;
}

static struct err *copy_open(struct node *n, struct content *from, const struct bucket *to, struct str to_name,
                             uint64_t *ret_bytes)
{
        const struct obj_meta *m = content_meta(from);
        struct flow_put_options o = {
                .size = (int64_t)m->size, .custom = m->custom, .has_custom = true, .custom_replace = true
        };
        struct flow_put *put;
        TRY(flow_put_begin(n, to, to_name, &o, &put));
        struct err *e = copy_bytes(from, m->size, put);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        AUTO_ARENA struct arena a;
        arena_init(&a, 512, 0);
        struct obj_meta done;
        bool noop;
        TRY(flow_put_commit(put, &a, &done, &noop));
        if (ret_bytes != NULL)
                *ret_bytes = done.size;
        return NULL;
}

struct err *flow_copy(struct node *n, const struct bucket *from, struct str from_name, const struct bucket *to,
                      struct str to_name, uint64_t *ret_bytes)
{
        struct content *c;
        TRY(flow_open(n, from, from_name, &c));
        struct err *e = copy_open(n, c, to, to_name, ret_bytes);
        content_unref(c);
        return e;
}

static struct err *promote_bytes(int fd, struct flow_put *put)
{
        AUTO_FREE char *step = malloc(COPY_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (;;) {
                size_t n;
                TRY(file_read(fd, step, COPY_STEP, &n));
                if (n == 0)
                        return NULL;
                TRY(flow_put_write(put, step, n));
        }
}

struct err *flow_promote_file(struct node *n, const struct bucket *b, struct str name, int dirfd, const char *path,
                              bool overwrite, bool *ret_stored, uint64_t *ret_bytes)
{
        AUTO_FD int fd = -1;
        struct stat st;
        TRY(file_open(dirfd, path, O_RDONLY | O_NONBLOCK, 0, &fd)); /* a pipe would wait for its writer */
        TRY(file_stat(fd, &st));
        if (!S_ISREG(st.st_mode))
                return err_new(ERR_PROMOTE_SOURCE, "%s is not a regular file", path);
        struct flow_put_options o = { .size = st.st_size };
        if (!overwrite)
                o.cond.kind = COND_ABSENT;
        struct flow_put *put;
        TRY(flow_put_begin(n, b, name, &o, &put));
        struct err *e = promote_bytes(fd, put);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        AUTO_ARENA struct arena a;
        arena_init(&a, 512, 0);
        struct obj_meta done;
        bool noop;
        e = flow_put_commit(put, &a, &done, &noop);
        bool kept = !overwrite && err_code(e) == ERR_PRECONDITION;
        if (e != NULL && !kept)
                return e;
        err_free(e);
        *ret_stored = !kept;
        *ret_bytes = kept ? 0 : done.size;
        return NULL;
}
