/* tests/crash/killshim.c: a preloaded library that ends the process at the n-th call that changes a file, before it or right after it.
 *
 * It stands between the daemon (RocksDB included) and libc. What counts: calls that change a regular file or a directory, but not standard
 * streams, RocksDB's info log, directories that exist already, memory maps, or anything else that is not a regular file. Control is one shared page, named by
 * KILLSHIM, that the test writes while the daemon runs:
 *   armed: count calls; target: the number of the call to die at (0: none); after: die after it instead of before; count: calls so far.
 * KILLSHIM_TRACE names a file to which each counted call is appended (name and path), for reading what a point is. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

struct control {
        _Atomic unsigned armed, target, after, count;
};

static struct control *control;
static int trace_fd = -1;
static char ignored[65536]; /* by descriptor: RocksDB's info log */

__attribute__((constructor)) static void setup(void)
{
        const char *path = getenv("KILLSHIM"), *trace = getenv("KILLSHIM_TRACE");
        int fd;
        void *p;

        if (!path)
                return;
        fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
        p = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (p == MAP_FAILED) {
                (void)fputs("killshim: no control page\n", stderr);
                _exit(3);
        }
        control = p;
        if (trace)
                trace_fd = (int)syscall(SYS_openat, AT_FDCWD, trace, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
}

static void die(void)
{
        (void)syscall(SYS_kill, getpid(), SIGKILL);
        for (;;)
                (void)pause();
}

static void trace(const char *name, int fd, const char *path)
{
        char line[512], link[64], target[256];
        ssize_t n;

        if (trace_fd < 0)
                return;
        if (!path) {
                (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                n = readlink(link, target, sizeof(target) - 1);
                target[n < 0 ? 0 : n] = 0;
                path = target;
        }
        n = snprintf(line, sizeof(line), "%u %s %s\n", atomic_load(&control->count), name, path);
        if (n > 0)
                (void)!syscall(SYS_write, trace_fd, line, (size_t)n);
}

/* Counts one call; true when the process is to die after it. */
static int hit(const char *name, int fd, const char *path)
{
        unsigned n;
        int saved = errno;

        if (!control || !atomic_load(&control->armed))
                return 0;
        n = atomic_fetch_add(&control->count, 1) + 1;
        trace(name, fd, path);
        errno = saved;
        if (n != atomic_load(&control->target))
                return 0;
        if (!atomic_load(&control->after))
                die();
        return 1;
}

static int counts(int fd)
{
        struct stat st;
        int saved = errno, ok;

        if (fd <= 2 || (fd < (int)sizeof(ignored) && ignored[fd]))
                return 0;
        ok = fstat(fd, &st) == 0 && (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode));
        errno = saved;
        return ok;
}

static int is_info_log(const char *path)
{
        const char *base = strrchr(path, '/');

        base = base ? base + 1 : path;
        return strncmp(base, "LOG", 3) == 0 && (base[3] == 0 || base[3] == '.');
}

#define REAL(name) ((__typeof__(&name))real(#name))
static void *real(const char *name)
{
        void *p = dlsym(RTLD_NEXT, name);

        if (!p)
                _exit(3);
        return p;
}

#define AROUND(type, call, counted, label, fd, path)                                                                   \
        do {                                                                                                           \
                int last = (counted) ? hit((label), (fd), (path)) : 0;                                                 \
                type r = (call);                                                                                       \
                if (last)                                                                                              \
                        die();                                                                                         \
                return r;                                                                                              \
        } while (0)

/* Opening changes something when it makes or empties a file. */
static int open_any(int dirfd, const char *path, int flags, mode_t mode)
{
        int makes = (flags & (O_CREAT | O_TRUNC)) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
        int log = is_info_log(path), last, fd;

        last = makes && !log ? hit("open", -1, path) : 0;
        fd = (int)syscall(SYS_openat, dirfd, path, flags, mode);
        if (fd >= 0 && fd < (int)sizeof(ignored))
                ignored[fd] = (char)log;
        if (last)
                die();
        return fd;
}

#define OPEN_MODE(flags, mode)                                                                                         \
        mode_t mode = 0;                                                                                               \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                                         \
                va_list ap;                                                                                            \
                va_start(ap, flags);                                                                                   \
                mode = va_arg(ap, mode_t);                                                                             \
                va_end(ap);                                                                                            \
        }

int open(const char *path, int flags, ...)
{
        OPEN_MODE(flags, mode)
        return open_any(AT_FDCWD, path, flags, mode);
}
int open64(const char *path, int flags, ...)
{
        OPEN_MODE(flags, mode)
        return open_any(AT_FDCWD, path, flags, mode);
}
int openat(int dirfd, const char *path, int flags, ...)
{
        OPEN_MODE(flags, mode)
        return open_any(dirfd, path, flags, mode);
}
int openat64(int dirfd, const char *path, int flags, ...)
{
        OPEN_MODE(flags, mode)
        return open_any(dirfd, path, flags, mode);
}
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
        return open_any(AT_FDCWD, path, flags, 0);
}
int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
        return open_any(AT_FDCWD, path, flags, 0);
}
int __openat_2(int dirfd, const char *path, int flags);
int __openat_2(int dirfd, const char *path, int flags)
{
        return open_any(dirfd, path, flags, 0);
}
int __openat64_2(int dirfd, const char *path, int flags);
int __openat64_2(int dirfd, const char *path, int flags)
{
        return open_any(dirfd, path, flags, 0);
}

ssize_t write(int fd, const void *p, size_t n)
{
        AROUND(ssize_t, syscall(SYS_write, fd, p, n), counts(fd), "write", fd, NULL);
}
ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
        AROUND(ssize_t, syscall(SYS_pwrite64, fd, p, n, at), counts(fd), "pwrite", fd, NULL);
}
ssize_t pwrite64(int fd, const void *p, size_t n, off64_t at)
{
        AROUND(ssize_t, syscall(SYS_pwrite64, fd, p, n, at), counts(fd), "pwrite", fd, NULL);
}
ssize_t writev(int fd, const struct iovec *v, int n)
{
        AROUND(ssize_t, syscall(SYS_writev, fd, v, n), counts(fd), "writev", fd, NULL);
}
ssize_t pwritev(int fd, const struct iovec *v, int n, off_t at)
{
        AROUND(ssize_t, REAL(pwritev)(fd, v, n, at), counts(fd), "pwritev", fd, NULL);
}
ssize_t pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
        AROUND(ssize_t, REAL(pwritev64)(fd, v, n, at), counts(fd), "pwritev", fd, NULL);
}
int fdatasync(int fd)
{
        AROUND(int, (int)syscall(SYS_fdatasync, fd), counts(fd), "fdatasync", fd, NULL);
}
int fsync(int fd)
{
        AROUND(int, (int)syscall(SYS_fsync, fd), counts(fd), "fsync", fd, NULL);
}
int syncfs(int fd)
{
        AROUND(int, (int)syscall(SYS_syncfs, fd), counts(fd), "syncfs", fd, NULL);
}
int ftruncate(int fd, off_t n)
{
        AROUND(int, (int)syscall(SYS_ftruncate, fd, n), counts(fd), "ftruncate", fd, NULL);
}
int ftruncate64(int fd, off64_t n)
{
        AROUND(int, (int)syscall(SYS_ftruncate, fd, n), counts(fd), "ftruncate", fd, NULL);
}
int truncate(const char *path, off_t n)
{
        AROUND(int, (int)syscall(SYS_truncate, path, n), 1, "truncate", -1, path);
}
int fallocate(int fd, int mode, off_t at, off_t n)
{
        AROUND(int, (int)syscall(SYS_fallocate, fd, mode, at, n), counts(fd), "fallocate", fd, NULL);
}
int fallocate64(int fd, int mode, off64_t at, off64_t n)
{
        AROUND(int, (int)syscall(SYS_fallocate, fd, mode, at, n), counts(fd), "fallocate", fd, NULL);
}
int rename(const char *from, const char *to)
{
        AROUND(int, (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to), !is_info_log(from), "rename", -1, to);
}
int renameat(int fromdir, const char *from, int todir, const char *to)
{
        AROUND(int, (int)syscall(SYS_renameat, fromdir, from, todir, to), !is_info_log(from), "rename", -1, to);
}
int unlink(const char *path)
{
        AROUND(int, (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0), !is_info_log(path), "unlink", -1, path);
}
int unlinkat(int dirfd, const char *path, int flags)
{
        AROUND(int, (int)syscall(SYS_unlinkat, dirfd, path, flags), 1, "unlink", -1, path);
}
int rmdir(const char *path)
{
        AROUND(int, (int)syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR), 1, "rmdir", -1, path);
}
int link(const char *from, const char *to)
{
        AROUND(int, (int)syscall(SYS_linkat, AT_FDCWD, from, AT_FDCWD, to, 0), 1, "link", -1, to);
}
int linkat(int fromdir, const char *from, int todir, const char *to, int flags)
{
        AROUND(int, (int)syscall(SYS_linkat, fromdir, from, todir, to, flags), 1, "link", -1, to);
}
int mkdir(const char *path, mode_t mode)
{
        AROUND(int, (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode), faccessat(AT_FDCWD, path, F_OK, 0) != 0, "mkdir", -1, path);
}
int mkdirat(int dirfd, const char *path, mode_t mode)
{
        AROUND(int, (int)syscall(SYS_mkdirat, dirfd, path, mode), faccessat(dirfd, path, F_OK, 0) != 0, "mkdir", -1, path);
}
int fsetxattr(int fd, const char *name, const void *p, size_t n, int flags)
{
        AROUND(int, (int)syscall(SYS_fsetxattr, fd, name, p, n, flags), counts(fd), "fsetxattr", fd, NULL);
}
