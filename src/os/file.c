/* Files: the calls that act on one open descriptor. Directories and whole files are in dir.c.
 *
 * Each system call goes through CALL, which asks os/fault.h first, repeats after EINTR, and reports a mutating
 * success to it. Short transfers are continued. fdatasync and fsync are never repeated after an error: the kernel
 * may have dropped the pages it could not write, and a second call would report success for data that is gone. */
#include "os/file.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "os/file_priv.h"

enum { XATTR_MAX = 65536 };

void cleanup_fd(int *fd)
{
        if (*fd >= 0) {
                int saved = errno;

                (void)close(*fd); /* nothing to do about an error: what had to be durable was synced */
                errno = saved;
        }
}

struct err *file_open(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd)
{
        bool mutating = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
        int fd;

        CALL(fd, "open", mutating, NULL, openat(dirfd, path, flags | O_CLOEXEC | O_NOFOLLOW, mode));
        if (fd < 0)
                return os__err(errno, "open %s", path);
        *ret_fd = fd;
        return NULL;
}

struct err *file_pread(int fd, void *p, size_t n, int64_t offset, size_t *ret_n)
{
        ssize_t r;

        CALL(r, "pread", false, &n, pread(fd, p, n, offset));
        if (r < 0)
                return err_sys(errno, "read");
        *ret_n = (size_t)r;
        return NULL;
}

struct err *file_pread_full(int fd, void *p, size_t n, int64_t offset)
{
        char *at = p;

        while (n > 0) {
                size_t got = 0;

                TRY(file_pread(fd, at, n, offset, &got));
                if (got == 0)
                        return err_new(ERR_CORRUPT, "file ends %zu bytes early", n);
                at += got;
                offset += (int64_t)got;
                n -= got;
        }
        return NULL;
}

struct err *file_read(int fd, void *p, size_t n, size_t *ret_n)
{
        ssize_t r;

        CALL(r, "read", false, &n, read(fd, p, n));
        if (r < 0)
                return err_sys(errno, "read");
        *ret_n = (size_t)r;
        return NULL;
}

struct err *file_pwrite_full(int fd, const void *p, size_t n, int64_t offset)
{
        const char *at = p;

        while (n > 0) {
                size_t len = n;
                ssize_t r;

                CALL(r, "pwrite", true, &len, pwrite(fd, at, len, offset));
                if (r < 0)
                        return err_sys(errno, "write");
                at += r;
                offset += r;
                n -= (size_t)r;
        }
        return NULL;
}

struct err *file_write_full(int fd, const void *p, size_t n)
{
        const char *at = p;

        while (n > 0) {
                size_t len = n;
                ssize_t r;

                CALL(r, "write", true, &len, write(fd, at, len));
                if (r < 0)
                        return err_sys(errno, "write");
                at += r;
                n -= (size_t)r;
        }
        return NULL;
}

struct err *file_datasync(int fd)
{
        int r;

        CALL_ONCE(r, "fdatasync", true, NULL, fdatasync(fd));
        return r == 0 ? NULL : err_sys(errno, "fdatasync");
}

struct err *file_sync(int fd)
{
        int r;

        CALL_ONCE(r, "fsync", true, NULL, fsync(fd));
        return r == 0 ? NULL : err_sys(errno, "fsync");
}

void file_writeback_hint(int fd, int64_t offset, int64_t n)
{
        (void)sync_file_range(fd, offset, n, SYNC_FILE_RANGE_WRITE);
}

void file_readahead_hint(int fd, int64_t offset, int64_t n)
{
        (void)posix_fadvise(fd, offset, n, POSIX_FADV_WILLNEED);
}

struct err *file_allocate(int fd, int64_t n)
{
        int r;

        CALL(r, "fallocate", true, NULL, fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, n));
        if (r == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
                return NULL;
        return err_sys(errno, "reserve %lld bytes", (long long)n);
}

struct err *file_truncate(int fd, int64_t n)
{
        int r;

        CALL(r, "ftruncate", true, NULL, ftruncate(fd, n));
        return r == 0 ? NULL : err_sys(errno, "truncate");
}

struct err *file_stat(int fd, struct stat *ret)
{
        struct stat st;
        int r;

        CALL(r, "fstat", false, NULL, fstat(fd, &st));
        if (r != 0)
                return err_sys(errno, "stat");
        *ret = st;
        return NULL;
}

struct err *file_xattr_set(int fd, const char *name, const void *p, size_t n)
{
        int r;

        CALL(r, "fsetxattr", true, NULL, fsetxattr(fd, name, p, n, 0));
        return r == 0 ? NULL : err_sys(errno, "set attribute %s", name);
}

struct err *file_xattr_get(int fd, const char *name, struct buf *b)
{
        size_t size = 256;

        for (;;) {
                char *p = buf_reserve(b, size);
                ssize_t r;

                if (!p)
                        return buf_err(b);
                CALL(r, "fgetxattr", false, NULL, fgetxattr(fd, name, p, size));
                if (r >= 0) {
                        b->n += (size_t)r;
                        return NULL;
                }
                if (errno == ENODATA)
                        return err_static(ERR_NOT_FOUND);
                if (errno != ERANGE || size >= XATTR_MAX)
                        return err_sys(errno, "get attribute %s", name);
                size = XATTR_MAX;
        }
}

struct err *file_lock(int fd)
{
        int r;

        CALL(r, "flock", false, NULL, flock(fd, LOCK_EX | LOCK_NB));
        if (r == 0)
                return NULL;
        return errno == EWOULDBLOCK ? err_static(ERR_IN_USE) : err_sys(errno, "lock");
}
