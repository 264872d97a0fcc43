/* flow/copy.c: copying an object, and storing a local file as one ("promote").
 *
 * The source is pinned while it is read, so that a writer in between changes nothing; the destination is an ordinary
 * put of its owner, here or on another target: all or nothing. */
#include "flow/priv.h"

struct err *flow_copy(struct node *n, const struct bucket *from, struct str from_name, const struct bucket *to,
                      struct str to_name, uint64_t *ret_bytes)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 512, 0);
        struct flow_object src;
        TRY(flow_open_read(n, from, from_name, &a, &src));
        struct flow_put_options o = { .size = (int64_t)src.meta.size,
                                      .custom = src.meta.custom,
                                      .has_custom = true,
                                      .custom_replace = true };
        struct flow_source source = { .size = src.meta.size, .content = src.content, .relay = src.relay };
        struct err *e = flow__write_anywhere(n, to, to_name, &o, &source, ret_bytes);
        flow_object_close(&src);
        return e;
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
        struct flow_source source = { .size = (uint64_t)st.st_size, .fd = fd };
        uint64_t bytes = 0;
        struct err *e = flow__write_anywhere(n, b, name, &o, &source, &bytes);
        bool kept = !overwrite && err_code(e) == ERR_PRECONDITION;
        if (e != NULL && !kept)
                return e;
        err_free(e);
        *ret_stored = !kept;
        *ret_bytes = kept ? 0 : bytes;
        return NULL;
}
