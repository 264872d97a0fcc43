/* The offline check of mountpaths: the order of its phases. See fsck.h.
 *
 *   open        lock, identity, records (repaired or begun anew if the mode says so)
 *   records     every record decoded, its content read in full; what proves corrupt goes to quarantine/ when repairing
 *   small       small contents that no record names
 *   uploads     rows and contents of uploads and appends
 *   duplicates  keys on several mountpaths: the largest stamp wins
 *   orphans     content files that nothing names: dropped when repairing, or made records of when rebuilding
 *   work        leftovers in work/ and trash/
 *
 * What is wrong with the data is a finding: one line, counted, and the check goes on. An error ends it: a directory in
 * use, no memory, a disk that can not be written while repairing. Nothing is deleted that may be somebody's data:
 * corrupt rows and contents are moved to quarantine/. */
#include "store/fsck_priv.h"

#include <stdio.h>
#include <unistd.h>

/* ---- talking ---- */

static void say_text(struct fsck *f, bool progress, struct buf *line)
{
        const char *text = buf_cstr(line);

        if (f->say)
                f->say(f->arg, progress, text ? text : "(out of memory)");
}

void fsck_say(struct fsck *f, const char *fmt, ...)
{
        AUTO_BUF struct buf line = BUF_INIT;
        va_list ap;

        va_start(ap, fmt);
        buf_vprintf(&line, fmt, ap);
        va_end(ap);
        say_text(f, false, &line);
}

void fsck_say_err(struct fsck *f, struct err *e, const char *fmt, ...)
{
        AUTO_BUF struct buf line = BUF_INIT;
        char text[512];
        va_list ap;

        va_start(ap, fmt);
        buf_vprintf(&line, fmt, ap);
        va_end(ap);
        buf_printf(&line, ": %s", err_text(e, text, sizeof(text)));
        err_free(e);
        say_text(f, false, &line);
}

void fsck_progress(struct fsck *f, const struct fsck_disk *d)
{
        int64_t now = clock_mono_ns();
        AUTO_BUF struct buf line = BUF_INIT;
        char size[32];

        if (now - f->said_ns < NS_PER_SEC)
                return;
        f->said_ns = now;
        buf_printf(&line, "%s: %llu objects, %llu contents, %s read", d->path, (unsigned long long)f->report.objects,
                   (unsigned long long)f->report.contents, str_size_text(f->bytes_read, size));
        say_text(f, true, &line);
}

const char *fsck_name(struct str name, char buf[static 256])
{
        size_t at = 0;

        for (size_t i = 0; i < name.n; i++) {
                unsigned char c = (unsigned char)name.p[i];

                if (at > 200) {
                        memcpy(buf + at, "...", 3);
                        at += 3;
                        break;
                }
                if (c >= 0x20 && c < 0x7f && c != '\\')
                        buf[at++] = (char)c;
                else
                        at += (size_t)snprintf(buf + at, 5, "\\x%02x", c);
        }
        buf[at] = '\0';
        return buf;
}

bool fsck_is_finding(const struct err *e)
{
        enum err_code c = err_code(e);

        return c == ERR_CORRUPT || c == ERR_FORMAT || c == ERR_NOT_FOUND || c == ERR_IO || c == ERR_INVALID;
}

/* ---- opening ---- */

static struct err *open_disk(struct fsck *f, struct fsck_disk *d)
{
        const struct mountpath_identity *first = &f->disk[0].identity;

        TRY(mountpath_lock(d->path, false, NULL, NULL, &d->orlop_fd, &d->identity));
        if (d != f->disk && (strcmp(d->identity.cluster_uuid, first->cluster_uuid) != 0 ||
                             strcmp(d->identity.target_id, first->target_id) != 0))
                return err_new(ERR_FOREIGN, "%s belongs to target %s, %s to target %s", d->path, d->identity.target_id,
                               f->disk[0].path, first->target_id);
        if (snprintf(d->records_dir, sizeof(d->records_dir), "%s/orlop/records", d->path) >=
            (int)sizeof(d->records_dir))
                return err_new(ERR_INVALID, "path %s is too long", d->path);
        TRY(content_dir_open(d->orlop_fd, &d->contents));
        return fsck_open_records(d);
}

static void close_disk(struct fsck_disk *d)
{
        /* A check leaves the records as it found them, as far as the engine lets it. */
        if (d->fsck->mode == FSCK_CHECK)
                records_close_abruptly(d->records);
        else
                records_close(d->records);
        content_dir_close(d->contents);
        cleanup_fd(&d->quarantine_fd);
        cleanup_fd(&d->orlop_fd);
        id_set_fini(&d->named);
}

/* ---- phases ---- */

static bool keep_named(void *arg, struct content_id id)
{
        const struct fsck_disk *d = arg;

        return id_set_find(&d->named, id) >= 0;
}

static struct err *clean_work(struct fsck_disk *d)
{
        uint64_t files, bytes;
        char size[32];

        TRY(content_clean(d->contents, 0, keep_named, d, &files, &bytes));
        if (files > 0)
                fsck_say(d->fsck, "%s: %llu leftovers in work and trash removed, %s", d->path,
                         (unsigned long long)files, str_size_text(bytes, size));
        return NULL;
}

/* The high-water of stamps that a mountpath remembers; 0 if it does not. */
static struct err *stored_hlc(struct fsck_disk *d, uint64_t *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(d->records, RECORDS_META, STR("hlc"), &v);
        uint64_t hlc = 0;

        if (e && !fsck_is_finding(e))
                return e;
        if (!e && v.data.n == sizeof(hlc))
                memcpy(&hlc, v.data.p, sizeof(hlc));
        err_free(e);
        *ret = hlc;
        return NULL;
}

/* New stamps must be larger than all that are there; and where the engine's files were lost, objects may lie where HRW
 * does not look first. */
static struct err *write_meta(struct fsck_disk *d)
{
        struct str hlc = { (const char *)&d->max_hlc, sizeof(d->max_hlc) };
        uint64_t stored;

        if (!d->lossy)
                return NULL;
        TRY(stored_hlc(d, &stored));
        if (stored < d->max_hlc)
                TRY(fsck_write_row(d, RECORDS_META, STR("hlc"), hlc, false));
        return d->fresh && d->fsck->n > 1 ? fsck_write_row(d, RECORDS_META, STR("mixed"), STR(""), false) : NULL;
}

static struct err *run(struct fsck *f)
{
        for (unsigned i = 0; i < f->n; i++)
                TRY(open_disk(f, &f->disk[i]));
        for (unsigned i = 0; i < f->n; i++) {
                struct fsck_disk *d = &f->disk[i];

                if (!d->records)
                        continue;
                TRY(fsck_records(d));
                TRY(fsck_small(d));
                TRY(fsck_uploads(d));
                id_set_sort(&d->named);
        }
        if (f->n > 1)
                TRY(fsck_duplicates(f));
        for (unsigned i = 0; i < f->n; i++)
                TRY(fsck_orphans(&f->disk[i]));
        for (unsigned i = 0; i < f->n && f->mode != FSCK_CHECK; i++) {
                if (!f->disk[i].records)
                        continue;
                TRY(write_meta(&f->disk[i]));
                TRY(clean_work(&f->disk[i]));
        }
        return NULL;
}

struct err *store_fsck(const char *const *paths, unsigned n, enum fsck_mode mode,
                       void (*say)(void *arg, bool progress, const char *line), void *arg,
                       struct fsck_report *ret_report)
{
        struct fsck f = { .mode = mode, .say = say, .arg = arg, .n = n };
        struct err *e;

        if (n == 0 || n > STORE_MOUNTPATHS_MAX)
                return err_new(ERR_INVALID, "1 to %d mountpaths can be checked", STORE_MOUNTPATHS_MAX);
        f.disk = calloc(n, sizeof(*f.disk));
        if (!f.disk)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++)
                f.disk[i] = (struct fsck_disk){ .fsck = &f, .path = paths[i], .orlop_fd = -1, .quarantine_fd = -1 };
        e = records_env_new(0, &f.env);
        if (!e)
                e = run(&f);
        for (unsigned i = 0; i < n; i++)
                close_disk(&f.disk[i]);
        records_env_free(f.env);
        free(f.disk);
        TRY(e);
        *ret_report = f.report;
        return NULL;
}
