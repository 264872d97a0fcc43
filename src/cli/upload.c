/* cli/upload.c: local bytes to the server, each object checked.
 *
 * Small files are read whole, hashed, and sent with the value, so that the server refuses a damaged body before it commits. Larger ones are hashed
 * while they are sent and compared with what the server says it stored. Very large ones go in parts, by all workers at once. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"
#include "os/file.h"

#define SMALL_MAX ((uint64_t)4 << 20)
#define DEFAULT_CKSUM "xxhash2"
#define HASH_PIECE ((size_t)1 << 20)

struct err *cli__put_how(const struct cli_args *a, const char **custom, struct cli_put_how *ret)
{
        *ret = (struct cli_put_how){ .cksum = cli_opt(a, "checksum"), .custom = custom };
        if (ret->cksum && strcmp(ret->cksum, "none") != 0) {
                struct orlop_cksum *c = orlop_cksum_new(ret->cksum);
                if (!c)
                        return err_new(ERR_INVALID, "--checksum: unknown type \"%s\", expected xxhash2, crc32c, md5, sha256, sha512 or none",
                                       ret->cksum);
                orlop_cksum_free(c);
        }
        TRY(cli_opt_size(a, "part-size", (uint64_t)64 << 20, &ret->part_size));
        if (ret->part_size < ((uint64_t)1 << 20))
                return err_new(ERR_INVALID, "--part-size: at least 1MiB");
        ret->part_above = cli_has(a, "part-size") ? ret->part_size : (uint64_t)256 << 20;
        unsigned n = 0;
        for (const char *kv; (kv = cli_opt_nth(a, "custom", n)); n++) {
                const char *eq = strchr(kv, '=');
                if (!eq || eq == kv)
                        return err_new(ERR_INVALID, "--custom: expected KEY=VALUE, not \"%s\"", kv);
                custom[n] = kv;
        }
        custom[n] = NULL;
        return NULL;
}

/* ---- a descriptor as a source ---- */

struct fd_source {
        struct cli_work *work;
        int fd;
        int64_t offset, length; /* of the run that is sent; offset -1: not seekable */
        int64_t pos;            /* bytes given */
        struct orlop_cksum *cksum;
        const char *type;
        int failed; /* errno of a failed read */
};

static bool source_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct fd_source *s = arg;
        if (cli__interrupted())
                return false;
        ssize_t got;
        if (s->length >= 0)
                n = (size_t)MIN((int64_t)n, s->length - s->pos);
        do
                got = s->offset < 0 ? read(s->fd, p, n) : pread(s->fd, p, n, s->offset + s->pos);
        while (got < 0 && errno == EINTR && !cli__interrupted());
        if (cli__interrupted())
                return false; /* an end of input that comes with Ctrl-C is no end */
        if (got < 0) {
                s->failed = errno;
                return false;
        }
        if (s->cksum)
                orlop_cksum_update(s->cksum, p, (size_t)got);
        s->pos += got;
        atomic_fetch_add(&s->work->progress.bytes, (uint64_t)got);
        if (s->offset < 0)
                cli__progress_tick(&s->work->progress);
        *ret_n = (size_t)got;
        return true;
}

static bool source_rewind(void *arg)
{
        struct fd_source *s = arg;
        atomic_fetch_sub(&s->work->progress.bytes, (uint64_t)s->pos);
        s->pos = 0;
        if (s->cksum) {
                orlop_cksum_free(s->cksum);
                s->cksum = orlop_cksum_new(s->type);
        }
        return true;
}

/* Checksum of a run of an open file. False when it cannot be read. */
static bool hash_file(int fd, int64_t offset, int64_t length, const char *type, char hex[static 132])
{
        struct orlop_cksum *c = orlop_cksum_new(type);
        AUTO_FREE char *piece = malloc(HASH_PIECE);
        int64_t pos = 0;
        while (c && piece && pos < length && !cli__interrupted()) {
                ssize_t n = pread(fd, piece, (size_t)MIN((int64_t)HASH_PIECE, length - pos), offset + pos);
                if (n <= 0)
                        break;
                orlop_cksum_update(c, piece, (size_t)n);
                pos += n;
        }
        if (!c || pos < length) {
                orlop_cksum_free(c);
                return false;
        }
        orlop_cksum_final(c, hex);
        return true;
}

/* ---- outcomes ---- */

static int put_failed(const struct orlop_error *e, int read_errno, const char *path, const struct orlop_bucket *b, const char *object)
{
        char uri[ORLOP_OBJECT_MAX + 256];
        orlop_uri_text(b, object, uri, sizeof(uri));
        if (read_errno) {
                cli__error("put %s: read %s: %s", uri, path, strerror(read_errno));
                return CLI_FAILED;
        }
        return cli__fail(e, "put %s", uri);
}

static int put_mismatch(const char *path, const struct orlop_bucket *b, const char *object, const char *type, const char *ours, const char *theirs)
{
        char uri[ORLOP_OBJECT_MAX + 256];
        cli__error("put %s: %s of %s is %s, but the server stored %s: the file changed meanwhile, or was damaged on the way; put it again",
                   orlop_uri_text(b, object, uri, sizeof(uri)), type, path, ours, theirs);
        return CLI_FAILED;
}

static int open_failed(const char *path)
{
        cli__error("%s: %s", path, strerror(errno));
        return errno == ENOENT ? CLI_NOT_FOUND : CLI_FAILED;
}

/* ---- small files ---- */

static int put_small(struct cli_work *w, const struct cli_put_how *how, int fd, size_t size, const char *path, const struct orlop_bucket *b,
                     const char *object)
{
        AUTO_FREE char *content = malloc(size + 1);
        char hex[132];
        size_t got;
        struct err *e = content ? file_pread(fd, content, size, 0, &got) : err_static(ERR_NO_MEMORY);
        if (e)
                return cli__fail_err(err_wrap(e, "%s", path));
        struct orlop_memory m = { content, got, 0 };
        struct orlop_source source = orlop_source_memory(&m);
        struct orlop_put_options o = { .custom = how->custom };
        const char *type = how->cksum ? how->cksum : DEFAULT_CKSUM;
        struct orlop_cksum *c = orlop_cksum_new(type);
        if (c) {
                orlop_cksum_update(c, content, got);
                orlop_cksum_final(c, hex);
                o.cksum_type = type;
                o.cksum_value = hex;
        }
        struct orlop_error error;
        if (orlop_put(w->cli->h, b, object, &source, &o, NULL, &error))
                return put_failed(&error, 0, path, b, object);
        atomic_fetch_add(&w->progress.bytes, got);
        return CLI_OK;
}

/* ---- larger ones ---- */

/* Compares what was sent with what the server says it stored. `hex` is of `type`; another type makes us read the file again. */
static int compare(const struct orlop_info *info, int fd, int64_t length, const char *type, char hex[static 132], const char *path,
                   const struct orlop_bucket *b, const char *object)
{
        if (!info->cksum_value[0] || strcmp(info->cksum_type, "none") == 0)
                return CLI_OK;
        if (strcmp(info->cksum_type, type) != 0 && !hash_file(fd, 0, length, info->cksum_type, hex))
                return CLI_OK; /* a type that we do not know */
        if (strcmp(hex, info->cksum_value) == 0)
                return CLI_OK;
        return put_mismatch(path, b, object, info->cksum_type, hex, info->cksum_value);
}

static int put_large(struct cli_work *w, const struct cli_put_how *how, int fd, uint64_t size, const char *path, const struct orlop_bucket *b,
                     const char *object)
{
        char hex[132] = "";
        bool verify = !how->cksum || strcmp(how->cksum, "none") != 0;
        struct orlop_put_options o = { .custom = how->custom };
        struct fd_source s = { .work = w, .fd = fd, .length = (int64_t)size, .type = DEFAULT_CKSUM };
        struct orlop_source source = { (int64_t)size, source_read, source_rewind, &s };
        struct orlop_info info;
        struct orlop_error error;
        if (how->cksum && verify) {
                /* Asked for by name: the server checks it before it commits, at the price of reading twice. */
                if (!hash_file(fd, 0, (int64_t)size, how->cksum, hex))
                        return put_failed(&error, errno ? errno : EIO, path, b, object);
                o.cksum_type = how->cksum;
                o.cksum_value = hex;
        } else if (verify) {
                s.cksum = orlop_cksum_new(s.type);
        }
        enum orlop_code code = orlop_put(w->cli->h, b, object, &source, &o, &info, &error);
        if (s.cksum)
                orlop_cksum_final(s.cksum, hex);
        if (code)
                return put_failed(&error, s.failed, path, b, object);
        return verify && !how->cksum ? compare(&info, fd, (int64_t)size, s.type, hex, path, b, object) : CLI_OK;
}

int cli__put_file(struct cli_work *w, const struct cli_put_how *how, const char *path, const struct orlop_bucket *b, const char *object)
{
        /* Paths of the command line follow links, as everywhere in the shell; so not file_open(). */
        AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
        struct stat st;
        int64_t start = clock_mono_ns();
        int code;
        if (fd < 0 || fstat(fd, &st) != 0)
                code = open_failed(path);
        else if (S_ISDIR(st.st_mode))
                code = (cli__error("%s is a directory: use -r", path), CLI_FAILED);
        else if (!S_ISREG(st.st_mode))
                code = (cli__error("%s is not a regular file: use \"-\" and a redirection", path), CLI_FAILED);
        else if ((uint64_t)st.st_size <= SMALL_MAX)
                code = put_small(w, how, fd, (size_t)st.st_size, path, b, object);
        else
                code = put_large(w, how, fd, (uint64_t)st.st_size, path, b, object);
        cli__work_done(w, code == CLI_OK, start);
        return code;
}

int cli__put_stdin(struct cli_work *w, const struct cli_put_how *how, const struct orlop_bucket *b, const char *object)
{
        char hex[132] = "";
        struct fd_source s = { .work = w, .fd = STDIN_FILENO, .offset = -1, .length = -1, .type = how->cksum ? how->cksum : DEFAULT_CKSUM };
        s.cksum = orlop_cksum_new(s.type);
        struct orlop_source source = { -1, source_read, NULL, &s };
        struct orlop_put_options o = { .custom = how->custom };
        struct orlop_info info;
        struct orlop_error error;
        int64_t start = clock_mono_ns();
        enum orlop_code code = orlop_put(w->cli->h, b, object, &source, &o, &info, &error);
        if (s.cksum)
                orlop_cksum_final(s.cksum, hex);
        int result = code ? put_failed(&error, s.failed, "standard input", b, object) : CLI_OK;
        if (!code && hex[0] && strcmp(info.cksum_type, s.type) == 0 && strcmp(info.cksum_value, hex) != 0)
                result = put_mismatch("standard input", b, object, s.type, hex, info.cksum_value);
        cli__work_done(w, result == CLI_OK, start);
        return result;
}

/* ---- parts ---- */

struct parts {
        struct cli_put_how how;
        struct orlop_upload *upload;
        struct orlop_bucket bucket;
        char *object, *path;
        int fd;
        uint64_t size;
        unsigned count;
        int64_t start_ns;
        atomic_uint left; /* parts not finished, and one for the producer */
        atomic_int failed;
};

static int parts_verify(struct cli_work *w, struct parts *p)
{
        struct orlop_info info;
        struct orlop_error error;
        char hex[132] = "";
        if (orlop_head(w->cli->h, &p->bucket, p->object, &info, &error))
                return put_failed(&error, 0, p->path, &p->bucket, p->object);
        if (info.size != p->size) {
                char ours[32], theirs[32];
                snprintf(ours, sizeof(ours), "%" PRIu64, p->size);
                snprintf(theirs, sizeof(theirs), "%" PRIu64, info.size);
                return put_mismatch(p->path, &p->bucket, p->object, "size", ours, theirs);
        }
        if (p->how.cksum && strcmp(p->how.cksum, "none") == 0)
                return CLI_OK;
        return compare(&info, p->fd, (int64_t)p->size, "", hex, p->path, &p->bucket, p->object);
}

/* The last one to let go completes the upload, or drops it. */
static int parts_unref(struct cli_work *w, struct parts *p)
{
        if (atomic_fetch_sub(&p->left, 1) > 1)
                return CLI_OK;
        int code = atomic_load(&p->failed);
        struct orlop_error error;
        if (code || cli__interrupted()) {
                orlop_upload_abort(p->upload);
        } else if (orlop_upload_complete(p->upload, p->count, &error)) {
                code = put_failed(&error, 0, p->path, &p->bucket, p->object);
                orlop_upload_abort(p->upload);
        } else {
                if (p->how.custom && p->how.custom[0] && orlop_set_custom(w->cli->h, &p->bucket, p->object, p->how.custom, true, &error))
                        code = put_failed(&error, 0, p->path, &p->bucket, p->object);
                if (!code)
                        code = parts_verify(w, p);
        }
        cli__work_done(w, code == CLI_OK, p->start_ns);
        (void)close(p->fd);
        free(p->object);
        free(p->path);
        free(p);
        return code;
}

int cli__put_part(struct cli_work *w, struct cli_item *item)
{
        struct parts *p = item->shared;
        if (!atomic_load(&p->failed) && !cli__interrupted()) {
                struct fd_source s = { .work = w, .fd = p->fd, .offset = item->offset, .length = (int64_t)item->size };
                struct orlop_source source = { (int64_t)item->size, source_read, source_rewind, &s };
                struct orlop_error error;
                if (orlop_upload_part(p->upload, item->number, &source, &error)) {
                        int none = CLI_OK;
                        int code = put_failed(&error, s.failed, p->path, &p->bucket, p->object);
                        atomic_compare_exchange_strong(&p->failed, &none, code);
                }
        }
        return parts_unref(w, p);
}

static struct parts *parts_new(const struct cli_put_how *how, const char *path, uint64_t size, const struct orlop_bucket *b, const char *object)
{
        struct parts *p = calloc(1, sizeof(*p));
        if (!p)
                return NULL;
        *p = (struct parts){ .how = *how, .bucket = *b, .size = size, .fd = -1, .start_ns = clock_mono_ns() };
        p->object = strdup(object);
        p->path = strdup(path);
        /* At most 10,000 parts. */
        uint64_t part = MAX(how->part_size, size / 10000 + 1);
        p->how.part_size = part;
        p->count = (unsigned)((size + part - 1) / part);
        atomic_init(&p->left, p->count + 1);
        return p;
}

static void parts_drop(struct parts *p)
{
        if (p->fd >= 0)
                (void)close(p->fd);
        free(p->object);
        free(p->path);
        free(p);
}

int cli__put_parts(struct cli_work *w, const struct cli_put_how *how, const char *path, uint64_t size, const struct orlop_bucket *b,
                   const char *object)
{
        struct orlop_error error;
        struct parts *p = parts_new(how, path, size, b, object);
        if (!p || !p->object || !p->path) {
                cli__error("out of memory");
                if (p)
                        parts_drop(p);
                return CLI_FAILED;
        }
        p->fd = open(path, O_RDONLY | O_CLOEXEC);
        if (p->fd < 0 || orlop_upload_begin(w->cli->h, b, object, &p->upload, &error)) {
                int code = p->fd < 0 ? open_failed(path) : put_failed(&error, 0, path, b, object);
                cli__work_done(w, false, p->start_ns);
                parts_drop(p);
                return code;
        }
        unsigned added = 0;
        for (; added < p->count; added++) {
                uint64_t offset = (uint64_t)added * p->how.part_size;
                struct cli_item item = { .shared = p, .number = added + 1, .offset = (int64_t)offset,
                                         .size = MIN(p->how.part_size, size - offset) };
                if (!cli__work_add(w, &item))
                        break;
        }
        if (added < p->count) {
                atomic_store(&p->failed, CLI_INTERRUPTED);
                atomic_fetch_sub(&p->left, p->count - added);
        }
        return parts_unref(w, p);
}
