/* The directory of a voter: tried in a child process, copied, and told fresh from used.
 *
 * libraft ends the process on some kinds of damage (a log segment cut short). The child takes that fall: it loads the directory
 * exactly as the start will, in one thread, starts nothing, and says through a pipe how it went. */
#include "cluster/raft_priv.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"

#define TRY_DEADLINE_NS (60 * NS_PER_SEC)

NORETURN static void child(const char *dir, uint64_t id, const char *address, int out)
{
        struct raft_loaded loaded;
        char text[480] = "";
        struct err *e = raft__load(dir, id, address, &loaded);
        unsigned char code = (unsigned char)err_code(e);

        if (e)
                err_text(e, text, sizeof(text));
        if (write(out, &code, 1) == 1 && write(out, text, strlen(text)) >= 0)
                _exit(0);
        _exit(1);
}

/* What the child said; an empty answer if it ended before. */
static struct err *listen_to(int fd, pid_t pid, char *text, size_t size, size_t *ret_n)
{
        int64_t deadline = clock_mono_ns() + TRY_DEADLINE_NS;
        size_t n = 0, more = 1;

        while (more > 0 && n < size) {
                struct err *e = sock_wait(fd, POLLIN, deadline);
                if (!e)
                        e = file_read(fd, text + n, size - n, &more);
                if (e) {
                        kill(pid, SIGKILL);
                        return err_wrap(e, "trial start of the raft directory");
                }
                n += more;
        }
        *ret_n = n;
        return NULL;
}

struct err *raft__try(const char *dir, uint64_t id, const char *address)
{
        int ends[2], status = 0;
        char text[512];
        size_t n = 0;

        if (pipe2(ends, O_CLOEXEC) != 0)
                return err_sys(errno, "pipe");
        AUTO_FD int in = ends[0];
        pid_t pid = fork();
        if (pid == 0)
                child(dir, id, address, ends[1]);
        close(ends[1]);
        if (pid < 0)
                return err_sys(errno, "fork");
        struct err *e = listen_to(in, pid, text, sizeof(text) - 1, &n);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                continue;
        if (e)
                return e;
        if (!WIFEXITED(status) || n == 0)
                return err_new(ERR_CORRUPT, "raft directory %s: reading it ends in a crash (signal %d): it is damaged", dir,
                               WIFSIGNALED(status) ? WTERMSIG(status) : 0);
        text[n] = 0;
        unsigned code = (unsigned char)text[0];
        if (code == ERR_NONE)
                return NULL;
        return err_new(code < ERR_CODE_COUNT ? (enum err_code)code : ERR_CORRUPT, "%s", text + 1);
}

struct err *raft__lock_dir(const char *dir, int *ret_fd)
{
        AUTO_FD int fd = -1;

        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        TRY_WRAP(file_lock(fd), "raft directory %s", dir);
        *ret_fd = fd;
        fd = -1;
        return NULL;
}

struct copy {
        const char *from;
        int from_fd, to_fd;
};

static struct err *copy_file(void *arg, const char *name, unsigned char type)
{
        struct copy *c = arg;
        AUTO_FD int in = -1, out = -1;
        AUTO_FREE char *piece = malloc(1 << 20);
        size_t n;

        if (type != DT_REG)
                return NULL;
        if (!piece)
                return err_static(ERR_NO_MEMORY);
        TRY(file_open(c->from_fd, name, O_RDONLY, 0, &in));
        TRY(file_open(c->to_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600, &out));
        for (;;) {
                TRY(file_read(in, piece, 1 << 20, &n));
                if (n == 0)
                        break;
                TRY(file_write_full(out, piece, n));
        }
        return file_sync(out);
}

struct err *raft__copy_dir(const char *from, const char *to)
{
        struct copy c = { from, -1, -1 };
        AUTO_FD int from_fd = -1, to_fd = -1;

        TRY(file_open_dir(AT_FDCWD, from, &from_fd));
        TRY(file_mkdir(AT_FDCWD, to, 0700));
        TRY(file_open_dir(AT_FDCWD, to, &to_fd));
        c.from_fd = from_fd;
        c.to_fd = to_fd;
        TRY_WRAP(file_each(from_fd, ".", copy_file, &c), "copy %s to %s", from, to);
        return file_sync(to_fd);
}

struct contents {
        unsigned logs, metadata;
};

static struct err *count_file(void *arg, const char *name, unsigned char type)
{
        struct contents *c = arg;

        (void)type;
        if (strncmp(name, "metadata", 8) == 0)
                c->metadata++;
        else if (strncmp(name, "open-", 5) == 0 || strncmp(name, "snapshot-", 9) == 0 || (name[0] >= '0' && name[0] <= '9'))
                c->logs++;
        return NULL;
}

/* A metadata file as the very first write leaves it (format 1, version 1, term 1, no vote), or shorter: the bootstrap was cut off. */
static bool is_first_metadata(struct str s)
{
        struct buf_reader r = buf_reader_of(s);
        uint64_t format = buf_get_u64(&r), version = buf_get_u64(&r), term = buf_get_u64(&r), vote = buf_get_u64(&r);

        return r.bad || (format == 1 && version == 1 && term == 1 && vote == 0);
}

struct err *raft__dir_fresh(const char *dir, bool *ret)
{
        AUTO_FD int fd = -1;
        AUTO_BUF struct buf b = BUF_INIT;
        struct contents c = { 0 };

        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        TRY(file_each(fd, ".", count_file, &c));
        *ret = c.logs == 0 && c.metadata == 0;
        if (c.logs > 0 || c.metadata == 0)
                return NULL;
        struct err *e = c.metadata == 1 ? file_read_all(fd, "metadata1", 4096, &b) : NULL;
        if (e || c.metadata != 1 || !is_first_metadata(buf_str(&b)))
                return err_first(e, err_new(ERR_CORRUPT, "raft directory %s has a term but no log: it is damaged", dir));
        TRY(file_unlink(fd, "metadata1"));
        *ret = true;
        return file_sync(fd);
}
