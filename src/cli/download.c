/* cli/download.c: one object into a file or to stdout, compared with its checksum on the way (liborlop does that).
 *
 * A file appears under its name only when it is whole: bytes go to a temporary name beside it first, removed when something fails. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"

struct sink {
        struct cli_work *work;
        int fd;
        bool main_thread;
        int failed;         /* errno of a failed write */
        bool add_total;
};

static bool sink_write(void *arg, const void *p, size_t n)
{
        struct sink *s = arg;
        const char *pos = p;
        while (n > 0) {
                if (cli__interrupted())
                        return false;
                ssize_t w = write(s->fd, pos, n);
                if (w < 0 && errno == EINTR)
                        continue;
                if (w < 0) {
                        s->failed = errno;
                        return false;
                }
                pos += w;
                n -= (size_t)w;
                atomic_fetch_add(&s->work->progress.bytes, (uint64_t)w);
        }
        if (s->main_thread)
                cli__progress_tick(&s->work->progress);
        return true;
}

static bool sink_info(void *arg, const struct orlop_info *info, uint64_t length)
{
        struct sink *s = arg;
        (void)info;
        if (s->add_total)
                atomic_fetch_add(&s->work->progress.bytes_total, length);
        return true;
}

static int get_failed(const struct sink *s, const struct orlop_error *e, const struct orlop_bucket *b, const char *object, const char *path)
{
        char uri[ORLOP_OBJECT_MAX + 256];
        orlop_uri_text(b, object, uri, sizeof(uri));
        if (s->failed == EPIPE)
                return CLI_FAILED; /* the reader has enough */
        if (s->failed) {
                cli__error("get %s: write %s: %s", uri, path, strerror(s->failed));
                return CLI_FAILED;
        }
        return cli__fail(e, "get %s", uri);
}

static int get_into(struct sink *s, const struct orlop_get_options *how, const struct orlop_bucket *b, const char *object, const char *path)
{
        struct orlop_get_options o = how ? *how : (struct orlop_get_options){ 0 };
        struct orlop_error error;
        o.on_info = sink_info;
        return orlop_get(s->work->cli->h, b, object, &o, sink_write, s, NULL, &error) ? get_failed(s, &error, b, object, path) : CLI_OK;
}

int cli__get_stdout(struct cli_work *w, const struct orlop_get_options *o, const struct orlop_bucket *b, const char *object)
{
        struct sink s = { .work = w, .fd = STDOUT_FILENO, .main_thread = true, .add_total = true };
        int64_t start = clock_mono_ns();
        fflush(stdout);
        atomic_store(&w->progress.scanning, false);
        atomic_fetch_add(&w->progress.total, 1);
        int code = get_into(&s, o, b, object, "standard output");
        cli__work_done(w, code == CLI_OK, start);
        return code;
}

/* Devices and pipes are written in place. */
static bool is_special(const char *path)
{
        struct stat st;
        return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static int file_failed(const char *path)
{
        cli__error("%s: %s", path, strerror(errno));
        return CLI_FAILED;
}

static int get_new_file(struct cli_work *w, const struct orlop_get_options *o, const struct orlop_bucket *b, const char *object, const char *path)
{
        char suffix[16];
        AUTO_BUF struct buf name = BUF_INIT;
        random_id(suffix, 8);
        bool special = is_special(path);
        buf_adds(&name, str_of(path));
        if (!special)
                buf_printf(&name, ".part-%s", suffix);
        const char *tmp = buf_cstr(&name);
        if (!tmp)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        AUTO_FD int fd = open(tmp, O_WRONLY | O_CLOEXEC | (special ? 0 : O_CREAT | O_EXCL), 0666);
        if (fd < 0)
                return file_failed(path);
        struct sink s = { .work = w, .fd = fd, .add_total = o != NULL };
        int code = get_into(&s, o, b, object, path);
        if (!special && code)
                (void)unlink(tmp);
        if (!special && !code && rename(tmp, path) != 0) {
                code = file_failed(path);
                (void)unlink(tmp);
        }
        return code;
}

int cli__get_file(struct cli_work *w, const struct orlop_get_options *o, const struct orlop_bucket *b, const char *object, const char *path)
{
        int64_t start = clock_mono_ns();
        struct err *e = cli__make_parents(path);
        int code = e ? cli__fail_err(e) : get_new_file(w, o, b, object, path);
        cli__work_done(w, code == CLI_OK, start);
        return code;
}
