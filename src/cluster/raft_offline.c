/* What is done to a voter's directory while no process runs on it: look, export, recover. Each is tried in a child process first, and
 * locks the directory. Looking changes nothing, because it is done to a copy beside the directory, which needs the room. */
#include "cluster/raft_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"

/* A load tidies the directory, so it is done to a copy. */
static struct err *load_copy(const char *dir, uint64_t id, const char *address, struct raft_loaded *ret)
{
        AUTO_FD int lock = -1;
        char copy[4096];

        TRY(raft__lock_dir(dir, &lock));
        int n = snprintf(copy, sizeof(copy), "%s.look-%ld", dir, (long)getpid());
        if (n < 0 || (size_t)n >= sizeof(copy))
                return err_new(ERR_INVALID, "the directory's name is too long");
        TRY(file_remove_tree(AT_FDCWD, copy));
        struct err *e = raft__copy_dir(dir, copy);
        if (!e)
                e = raft__try(copy, id, address);
        if (!e)
                e = raft__load(copy, id, address, ret);
        struct err *f = file_remove_tree(AT_FDCWD, copy);
        if (!e && f)
                doc_set_fini(&ret->set);
        return err_first(e, f);
}

struct err *raft_inspect(const char *dir, uint64_t id, const char *address, struct raft_inspection *ret)
{
        struct raft_loaded l;

        TRY(load_copy(dir, id, address, &l));
        *ret = l.info;
        doc_set_fini(&l.set);
        return NULL;
}

struct err *raft_export(const char *dir, uint64_t id, const char *address, struct err *(*visit)(void *arg, const struct doc *d),
                        void *arg)
{
        struct raft_loaded l;
        struct err *e = NULL;

        TRY(load_copy(dir, id, address, &l));
        for (size_t i = 0; i < l.set.n && !e; i++)
                e = visit(arg, &l.set.blocks[i]->doc);
        doc_set_fini(&l.set);
        return e;
}

struct err *raft_recover_alone(const char *dir, uint64_t id, const char *address)
{
        AUTO_FD int lock = -1;
        struct raft_inspection now;
        struct stat st;
        char copy[4096];

        TRY(raft_inspect(dir, id, address, &now));
        if (now.last_index == 0)
                return err_new(ERR_NOT_FOUND, "raft directory %s has no log: there is nothing to recover", dir);
        TRY(raft__lock_dir(dir, &lock));
        for (unsigned i = 1;; i++) {
                int n = snprintf(copy, sizeof(copy), "%s.before-recover-%u", dir, i);
                if (n < 0 || (size_t)n >= sizeof(copy))
                        return err_new(ERR_INVALID, "the directory's name is too long");
                struct err *e = file_stat_at(AT_FDCWD, copy, &st);
                if (err_code(e) == ERR_NOT_FOUND) {
                        err_free(e);
                        break;
                }
                TRY(e);
        }
        TRY(raft__copy_dir(dir, copy));
        return raft__recover(dir, id, address);
}
