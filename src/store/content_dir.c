/* The three folders of a mountpath that hold content files: making them, removing contents, cleaning, walking.
 *
 * content/ has 256 directories by the first byte of the id, all made (and synced) when the folder is opened, so that no
 * writer ever has to. A removed content moves to trash/ by one rename and is unlinked later by the background, since
 * freeing a large file takes long. Nothing here is synced but what content_writer_finish asks for: a removal that a
 * power cut undoes leaves a content without a record, which is garbage and found again.
 *
 * A content that was finished or kept, but whose record is still on its way, is "in flight": cleaning may not take it
 * for garbage, whatever its age. Its writer enters it, content_settled() or content_remove() end it. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "os/clock.h"
#include "store/content_priv.h"

struct flight {
        struct list link;
        struct content_id id;
};

static struct list *flight_bucket(struct content_dir *d, struct content_id id)
{
        return &d->flight[id.lo % CONTENT_FLIGHT_BUCKETS];
}

static struct flight *flight_find_locked(struct content_dir *d, struct content_id id)
{
        LIST_FOREACH(pos, flight_bucket(d, id)) {
                struct flight *f = LIST_ENTRY(pos, struct flight, link);

                if (f->id.hi == id.hi && f->id.lo == id.lo)
                        return f;
        }
        return NULL;
}

struct err *content__flight_add(struct content_dir *d, struct content_id id)
{
        struct flight *f = malloc(sizeof(*f));

        if (!f)
                return err_static(ERR_NO_MEMORY);
        f->id = id;
        LOCK_SCOPE(&d->lock);
        list_append(flight_bucket(d, id), &f->link);
        return NULL;
}

void content_settled(struct content_dir *d, struct content_id id)
{
        struct flight *f;

        mutex_lock(&d->lock);
        f = flight_find_locked(d, id);
        if (f)
                list_remove(&f->link);
        mutex_unlock(&d->lock);
        free(f);
}

bool content_in_flight(struct content_dir *d, struct content_id id)
{
        LOCK_SCOPE(&d->lock);
        return flight_find_locked(d, id) != NULL;
}

static struct err *open_folder(int orlop_fd, const char *name, int *ret_fd)
{
        TRY(file_mkdir(orlop_fd, name, 0700));
        return file_open_dir(orlop_fd, name, ret_fd);
}

static struct err *make_fanout(int content_fd)
{
        char name[3];

        for (unsigned i = 0; i < CONTENT_FANOUT; i++) {
                (void)snprintf(name, sizeof(name), "%02x", i & 0xff);
                TRY(file_mkdir(content_fd, name, 0700));
        }
        return file_sync(content_fd);
}

struct err *content_dir_open(int orlop_fd, struct content_dir **ret)
{
        struct content_dir *d = calloc(1, sizeof(*d));
        struct err *e;

        if (!d)
                return err_static(ERR_NO_MEMORY);
        d->content_fd = d->work_fd = d->trash_fd = -1;
        mutex_init(&d->lock, "store.content", RANK_LEAF);
        for (unsigned i = 0; i < CONTENT_FLIGHT_BUCKETS; i++)
                list_init(&d->flight[i]);
        e = open_folder(orlop_fd, "content", &d->content_fd);
        if (!e)
                e = open_folder(orlop_fd, "work", &d->work_fd);
        if (!e)
                e = open_folder(orlop_fd, "trash", &d->trash_fd);
        if (!e)
                e = file_sync(orlop_fd);
        if (!e)
                e = make_fanout(d->content_fd);
        if (e) {
                content_dir_close(d);
                return err_wrap(e, "open content folders");
        }
        *ret = d;
        return NULL;
}

void content_dir_close(struct content_dir *d)
{
        if (!d)
                return;
        for (unsigned i = 0; i < CONTENT_FLIGHT_BUCKETS; i++)
                LIST_FOREACH_SAFE(pos, tmp, &d->flight[i])
                        free(LIST_ENTRY(pos, struct flight, link));
        cleanup_fd(&d->content_fd);
        cleanup_fd(&d->work_fd);
        cleanup_fd(&d->trash_fd);
        mutex_fini(&d->lock);
        free(d);
}

struct err *content__sync_fanout(struct content_dir *d, struct content_id id)
{
        AUTO_FD int fd = -1;
        char path[CONTENT_PATH];

        content__path(id, "", path);
        path[2] = '\0';
        TRY(file_open_dir(d->content_fd, path, &fd));
        return file_sync(fd);
}

/* Null for a thing that is absent already. */
static struct err *absent_is_fine(struct err *e)
{
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        return NULL;
}

/* The description goes first: alone it would be a stray, while a content without it is merely called by its former name
 * until it is gone. */
struct err *content_remove(struct content_dir *d, struct content_id id)
{
        char path[CONTENT_PATH], name[CONTENT_NAME];
        struct err *e;

        content__path(id, ".self", path);
        e = absent_is_fine(file_unlink(d->content_fd, path));
        content__path(id, "", path);
        content__name(id, name);
        if (!e)
                e = absent_is_fine(file_rename(d->content_fd, path, d->trash_fd, name));
        content_settled(d, id);
        return e;
}

struct err *content_quarantine(struct content_dir *d, struct content_id id, int quarantine_fd)
{
        char path[CONTENT_PATH];

        content__path(id, ".self", path);
        TRY(absent_is_fine(file_rename(d->content_fd, path, quarantine_fd, path + 3)));
        content__path(id, "", path);
        TRY(absent_is_fine(file_rename(d->content_fd, path, quarantine_fd, path + 3)));
        return file_sync(quarantine_fd);
}

struct err *content_work_remove(struct content_dir *d, struct content_id id)
{
        char name[CONTENT_NAME + 8];

        content__name(id, name);
        TRY(absent_is_fine(file_unlink(d->work_fd, name)));
        memcpy(name + CONTENT_NAME - 1, ".sum", 5);
        TRY(absent_is_fine(file_unlink(d->work_fd, name)));
        content_settled(d, id);
        return NULL;
}

/* ---- cleaning ---- */

struct cleaning {
        struct content_dir *d;
        int fd; /* the directory being cleaned */
        int64_t born_before;
        bool (*keep)(void *arg, struct content_id id);
        void *arg;
        struct buf names; /* of work/, each with its NUL */
        unsigned left;    /* entries that may still be removed */
        uint64_t files, bytes;
};

/* Removes one entry (a file, or a whole directory of trash) that is old enough. */
static struct err *clean_entry(struct cleaning *c, const char *name)
{
        struct stat st;
        struct err *e = file_stat_at(c->fd, name, &st);

        if (e)
                return absent_is_fine(e);
        /* The change time, since a rename into trash/ sets it and clients can not. */
        if ((int64_t)st.st_ctim.tv_sec * NS_PER_SEC + st.st_ctim.tv_nsec > c->born_before)
                return NULL;
        if (S_ISDIR(st.st_mode))
                e = file_remove_tree(c->fd, name);
        else
                e = file_unlink(c->fd, name);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        c->files++;
        c->bytes += (uint64_t)st.st_blocks * 512;
        if (c->left > 0)
                c->left--;
        return NULL;
}

static struct err *clean_trash(void *arg, const char *name, unsigned char type)
{
        struct cleaning *c = arg;

        (void)type;
        return c->left > 0 ? clean_entry(c, name) : NULL;
}

/* First the names are listed, without those in flight; only then `keep` is asked, so that its answer is newer than the
 * list. */
static struct err *list_work(void *arg, const char *name, unsigned char type)
{
        struct cleaning *c = arg;
        struct content_id id;
        struct str s = str_of(name);

        (void)type;
        if (str_ends(s, STR(".sum")))
                s.n -= 4;
        if (!content__name_parse(s, &id) || !content_in_flight(c->d, id))
                buf_add(&c->names, name, strlen(name) + 1);
        return buf_err(&c->names);
}

/* "<id>" and "<id>.sum" are kept as long as somebody goes on with the content; any other name is none of ours and a
 * stray. */
static struct err *clean_work(struct cleaning *c)
{
        for (size_t at = 0; at < c->names.n; at += strlen(c->names.p + at) + 1) {
                const char *name = c->names.p + at;
                struct str s = str_of(name);
                struct content_id id;

                if (str_ends(s, STR(".sum")))
                        s.n -= 4;
                if (c->keep && content__name_parse(s, &id) && c->keep(c->arg, id))
                        continue;
                TRY(clean_entry(c, name));
        }
        return NULL;
}

/* In the fan-out directories: descriptions that lost their content, and what an interrupted replacement left. */
static struct err *clean_stray(void *arg, const char *name, unsigned char type)
{
        struct cleaning *c = arg;
        struct content_id id;
        struct str s = str_of(name);
        struct stat st;
        char base[CONTENT_NAME];
        struct err *e;

        (void)type;
        if (content__name_parse(s, &id))
                return NULL;
        if (str_ends(s, STR(".self")) && content__name_parse((struct str){ s.p, s.n - 5 }, &id)) {
                content__name(id, base);
                e = file_stat_at(c->fd, base, &st);
                if (err_code(e) != ERR_NOT_FOUND)
                        return e;
                err_free(e);
        }
        return clean_entry(c, name);
}

static struct err *clean_work_folder(struct cleaning *c)
{
        struct err *e = file_each(c->fd, ".", list_work, c);

        if (!e)
                e = clean_work(c);
        buf_fini(&c->names);
        return e;
}

static int64_t born_before(int64_t min_age_ns)
{
        return min_age_ns > 0 ? clock_wall_ns() - min_age_ns : INT64_MAX;
}

struct err *content_trash_empty(struct content_dir *d, int64_t min_age_ns, unsigned max, uint64_t *ret_files,
                                uint64_t *ret_bytes)
{
        struct cleaning c = { .d = d, .fd = d->trash_fd, .born_before = born_before(min_age_ns), .left = max };

        TRY_WRAP(file_each(d->trash_fd, ".", clean_trash, &c), "empty trash");
        *ret_files = c.files;
        *ret_bytes = c.bytes;
        return NULL;
}

struct err *content_clean(struct content_dir *d, int64_t min_age_ns, bool (*keep)(void *arg, struct content_id id),
                          void *arg, uint64_t *ret_files, uint64_t *ret_bytes)
{
        struct cleaning c = { .d = d,
                              .fd = d->trash_fd,
                              .born_before = born_before(min_age_ns),
                              .keep = keep,
                              .arg = arg,
                              .left = UINT32_MAX };
        char name[3];

        TRY_WRAP(file_each(d->trash_fd, ".", clean_trash, &c), "clean trash");
        c.fd = d->work_fd;
        TRY_WRAP(clean_work_folder(&c), "clean work files");
        for (unsigned i = 0; i < CONTENT_FANOUT; i++) {
                AUTO_FD int fd = -1;

                (void)snprintf(name, sizeof(name), "%02x", i & 0xff);
                TRY(file_open_dir(d->content_fd, name, &fd));
                c.fd = fd;
                TRY_WRAP(file_each(fd, ".", clean_stray, &c), "clean content/%s", name);
        }
        *ret_files = c.files;
        *ret_bytes = c.bytes;
        return NULL;
}

/* ---- walking ---- */

struct walk {
        int fd;
        struct err *(*fn)(void *arg, struct content_id id, const struct stat *st);
        void *arg;
};

static struct err *walk_entry(void *arg, const char *name, unsigned char type)
{
        struct walk *w = arg;
        struct content_id id;
        struct stat st;
        struct err *e;

        (void)type;
        if (!content__name_parse(str_of(name), &id))
                return NULL;
        e = file_stat_at(w->fd, name, &st);
        if (e)
                return absent_is_fine(e); /* removed meanwhile */
        return S_ISREG(st.st_mode) ? w->fn(w->arg, id, &st) : NULL;
}

struct err *content_each_of(struct content_dir *d, unsigned first, unsigned last,
                            struct err *(*fn)(void *arg, struct content_id id, const struct stat *st), void *arg)
{
        struct walk w = { .fn = fn, .arg = arg };
        char name[3];

        ASSERT(first <= last && last < CONTENT_FANOUT);
        for (unsigned i = first; i <= last; i++) {
                AUTO_FD int fd = -1;

                (void)snprintf(name, sizeof(name), "%02x", i & 0xff);
                TRY(file_open_dir(d->content_fd, name, &fd));
                w.fd = fd;
                TRY(file_each(fd, ".", walk_entry, &w));
        }
        return NULL;
}

struct err *content_each(struct content_dir *d,
                         struct err *(*fn)(void *arg, struct content_id id, const struct stat *st), void *arg)
{
        return content_each_of(d, 0, CONTENT_FANOUT - 1, fn, arg);
}
