/* Names in directories, whole files, trees (the second half of os/file.h).
 *
 * Durability of a name needs a sync of its directory, which is left to the caller but in file_replace. A tree is
 * removed with one descriptor per level and a bounded depth, never by following a symbolic link. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"
#include "os/file_priv.h"
#include "os/random.h"

enum { TREE_DEPTH_MAX = 16 };

struct err *file_open_dir(int dirfd, const char *path, int *ret_fd)
{
        /* A path that the operator gave may be a link; one below our own directory may not. */
        int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (dirfd == AT_FDCWD ? 0 : O_NOFOLLOW);
        int fd;

        CALL(fd, "open", false, NULL, openat(dirfd, path, flags));
        if (fd < 0)
                return os__err(errno, "open directory %s", path);
        *ret_fd = fd;
        return NULL;
}

struct err *file_stat_at(int dirfd, const char *path, struct stat *ret)
{
        struct stat st;
        int r;

        CALL(r, "fstatat", false, NULL, fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW));
        if (r != 0)
                return err_sys(errno, "stat %s", path);
        *ret = st;
        return NULL;
}

struct err *file_rename(int olddir, const char *old, int newdir, const char *new_path)
{
        int r;

        CALL(r, "rename", true, NULL, renameat(olddir, old, newdir, new_path));
        return r == 0 ? NULL : os__err(errno, "rename %s to %s", old, new_path);
}

struct err *file_link_tmp(int fd, int dirfd, const char *path)
{
        char self[64];
        int r;

        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        CALL(r, "link", true, NULL, linkat(AT_FDCWD, self, dirfd, path, AT_SYMLINK_FOLLOW));
        return r == 0 ? NULL : os__err(errno, "link %s", path);
}

struct err *file_unlink(int dirfd, const char *path)
{
        int r;

        CALL(r, "unlink", true, NULL, unlinkat(dirfd, path, 0));
        return r == 0 ? NULL : err_sys(errno, "unlink %s", path);
}

struct err *file_rmdir(int dirfd, const char *path)
{
        int r;

        CALL(r, "rmdir", true, NULL, unlinkat(dirfd, path, AT_REMOVEDIR));
        return r == 0 ? NULL : os__err(errno, "remove directory %s", path);
}

struct err *file_mkdir(int dirfd, const char *path, mode_t mode)
{
        struct stat st;
        int r;

        CALL(r, "mkdir", true, NULL, mkdirat(dirfd, path, mode));
        if (r == 0)
                return NULL;
        if (errno == EEXIST && fstatat(dirfd, path, &st, 0) == 0 && S_ISDIR(st.st_mode))
                return NULL;
        return os__err(errno, "make directory %s", path);
}

struct err *file_mkdir_all(const char *path, mode_t mode)
{
        char part[PATH_MAX];

        if (!str_copy(part, sizeof(part), str_of(path)))
                return err_new(ERR_INVALID, "path is longer than %d bytes", PATH_MAX);
        for (char *p = part + 1; part[0] && *p; p++) {
                if (*p != '/')
                        continue;
                *p = 0;
                TRY(file_mkdir(AT_FDCWD, part, mode));
                *p = '/';
        }
        return file_mkdir(AT_FDCWD, part, mode);
}

struct err *file_each(int dirfd, const char *path, struct err *(*fn)(void *arg, const char *name, unsigned char type),
                      void *arg)
{
        int fd;
        DIR *d;
        struct err *e = NULL;

        TRY(file_open_dir(dirfd, path, &fd));
        d = fdopendir(fd);
        if (!d) {
                e = err_sys(errno, "read directory %s", path);
                (void)close(fd);
                return e;
        }
        while (!e) {
                struct dirent *entry;

                errno = 0;
                entry = readdir(d);
                if (!entry) {
                        if (errno != 0)
                                e = err_sys(errno, "read directory %s", path);
                        break;
                }
                if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
                        e = fn(arg, entry->d_name, entry->d_type);
        }
        (void)closedir(d);
        return e;
}

struct removal {
        int dirfd;
        unsigned depth;
};

static struct err *remove_entry(void *arg, const char *name, unsigned char type)
{
        const struct removal *at = arg;
        struct err *e;
        AUTO_FD int fd = -1;
        struct removal below;

        if (type != DT_DIR) {
                e = file_unlink(at->dirfd, name);
                if (!e || e->sys != EISDIR) { /* file systems without types say DT_UNKNOWN */
                        if (err_code(e) != ERR_NOT_FOUND)
                                return e;
                        err_free(e);
                        return NULL;
                }
                err_free(e);
        }
        if (at->depth >= TREE_DEPTH_MAX)
                return err_new(ERR_INVALID, "tree is deeper than %d", TREE_DEPTH_MAX);
        TRY(file_open_dir(at->dirfd, name, &fd));
        below = (struct removal){ fd, at->depth + 1 };
        TRY(file_each(fd, ".", remove_entry, &below));
        return file_rmdir(at->dirfd, name);
}

struct err *file_remove_tree(int dirfd, const char *path)
{
        struct removal at = { dirfd, 0 };
        struct stat st;
        struct err *e = file_stat_at(dirfd, path, &st);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        if (e)
                return e;
        return remove_entry(&at, path, S_ISDIR(st.st_mode) ? DT_DIR : DT_REG);
}

struct err *file_read_all(int dirfd, const char *path, size_t max, struct buf *b)
{
        AUTO_FD int fd = -1;
        size_t before = b->n, got;
        struct stat st;

        TRY(file_open(dirfd, path, O_RDONLY, 0, &fd));
        TRY(file_stat(fd, &st));
        for (;;) {
                size_t room = st.st_size > 0 ? (size_t)st.st_size + 1 : 4096; /* + 1: sees the end in the same call */
                char *p = buf_reserve(b, MIN(room, max - (b->n - before) + 1));

                if (!p)
                        return buf_err(b);
                TRY_WRAP(file_read(fd, p, MIN(room, max - (b->n - before) + 1), &got), "%s", path);
                if (got == 0)
                        return NULL;
                b->n += got;
                if (b->n - before > max)
                        return err_new(ERR_TOO_LARGE, "%s is longer than %zu bytes", path, max);
        }
}

/* Writes the temporary file and syncs it. */
static struct err *write_new(int dirfd, const char *name, struct str content, mode_t mode)
{
        AUTO_FD int fd = -1;

        TRY(file_open(dirfd, name, O_WRONLY | O_CREAT | O_EXCL, mode, &fd));
        TRY(file_write_full(fd, content.p, content.n));
        return file_sync(fd);
}

struct err *file_replace(int dirfd, const char *path, struct str content, mode_t mode)
{
        char dir[PATH_MAX], tmp[NAME_MAX + 1];
        const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
        AUTO_FD int fd = -1;
        struct err *e;

        if (slash && !str_copy(dir, sizeof(dir), (struct str){ path, (size_t)(slash - path) + 1 }))
                return err_new(ERR_INVALID, "path is longer than %d bytes", PATH_MAX);
        TRY(file_open_dir(dirfd, slash ? dir : ".", &fd));
        if (snprintf(tmp, sizeof(tmp), ".%s.%016llx", base, (unsigned long long)random_u64()) >= (int)sizeof(tmp))
                return err_new(ERR_INVALID, "name %s is too long", base);
        e = write_new(fd, tmp, content, mode);
        if (!e)
                e = file_rename(fd, tmp, fd, base);
        if (e) {
                err_free(file_unlink(fd, tmp));
                return err_wrap(e, "replace %s", path);
        }
        return file_sync(fd);
}
