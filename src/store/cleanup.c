/* Cleaning: work files nobody goes on with, trash, and contents without a record.
 *
 * A content is garbage when neither a record nor an upload names it and nobody is about to commit one that does. The
 * order makes that safe beside puts in flight: first the contents are listed, without those in flight
 * (content_in_flight) and the young; only then the records are read, from a snapshot taken after the list. A content of
 * the list is settled, so if a record was to name it, the snapshot has that record, or it was removed again, and then
 * the content is garbage. Each suspect is looked for in the records a second time before it is removed, since a rename
 * may carry a record past a reader that has no snapshot (the double of tests has none).
 *
 * Memory is bounded: contents are listed by ranges of their first byte, about SUSPECTS_MAX at a time, each range with a
 * reading of the records of its own. */
#include <stdatomic.h>
#include <stdlib.h>

#include "store/id_set.h"
#include "store/upload.h"

enum { SUSPECTS_MAX = 1 << 20, FANOUT = 256 };

/* ---- what uploads and appends hold ---- */

/* A row that can not be read holds something that we do not know: an error, so that nothing is removed. */
static struct err *id_of_row(const struct upload_key *k, struct str key, struct str value, bool *ret_any,
                             struct content_id *ret)
{
        struct part_row part;
        struct append_row append;

        *ret_any = k->kind != UPLOAD_ROW;
        if (k->kind == UPLOAD_ROW_PART) {
                TRY(part_row_decode(key, value, &part));
                *ret = part.id;
        } else if (k->kind == UPLOAD_ROW_APPEND) {
                TRY(append_row_decode(key, value, &append));
                *ret = append.id;
        }
        return NULL;
}

/* What rows hold, read when it is first asked for: after work/ was listed. */
struct held {
        struct mountpath *mp;
        struct id_set set;
        bool read;
        struct err *err; /* then everything counts as held */
};

static struct err *add_held(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct content_id id;
        bool any;

        TRY(id_of_row(k, key, value, &any, &id));
        return any ? id_set_add(arg, id) : NULL;
}

static bool is_held(void *arg, struct content_id id)
{
        struct held *h = arg;

        if (!h->read) {
                h->err = upload_each_row(h->mp->records, STR_NONE, STR_NONE, add_held, &h->set);
                id_set_sort(&h->set);
                h->read = true;
        }
        return h->err || id_set_find(&h->set, id) >= 0;
}

static struct err *clean_folders(struct mountpath *mp, int64_t min_age_ns, uint64_t *ret_files, uint64_t *ret_bytes)
{
        struct held h = { .mp = mp };
        struct err *e = content_clean(mp->contents, min_age_ns, is_held, &h, ret_files, ret_bytes);

        id_set_fini(&h.set);
        return err_first(e, h.err);
}

/* ---- contents without a record ---- */

struct suspects {
        struct mountpath *mp;
        int64_t born_before;
        struct id_set set;
        bool *named; /* parallel to set, once sorted */
};

static struct err *suspect(void *arg, struct content_id id, const struct stat *st)
{
        struct suspects *s = arg;

        if ((int64_t)st->st_ctim.tv_sec * NS_PER_SEC + st->st_ctim.tv_nsec > s->born_before ||
            content_in_flight(s->mp->contents, id))
                return NULL;
        return id_set_add(&s->set, id);
}

static void name_one(struct suspects *s, struct content_id id)
{
        ptrdiff_t at = id_set_find(&s->set, id);

        if (at >= 0)
                s->named[at] = true;
}

static void name_of_record(struct suspects *s, const struct record *r)
{
        struct str rest = r->chunks;
        struct record_chunk chunk;

        if (r->where == RECORD_FILE)
                name_one(s, r->id);
        while (r->where == RECORD_CHUNKS && record_chunk_next(&rest, &chunk))
                name_one(s, chunk.id);
}

static struct err *name_of_row(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct content_id id;
        bool any;

        TRY(id_of_row(k, key, value, &any, &id));
        if (any)
                name_one(arg, id);
        return NULL;
}

/* Marks every suspect that an upload or a record names: uploads first, since completing one carries its parts from
 * there to a record. A record that can not be read may name any: an error. */
static struct err *name_all(struct suspects *s)
{
        struct records_iter *it;
        struct err *e = NULL;

        TRY(upload_each_row(s->mp->records, STR_NONE, STR_NONE, name_of_row, s));
        TRY(records_iter_new(s->mp->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                struct record r;

                if (atomic_load(&s->mp->store->stopping))
                        e = err_static(ERR_CANCELLED);
                else
                        e = record_decode(records_iter_key(it), records_iter_value(it), &r);
                if (!e)
                        name_of_record(s, &r);
        }
        if (!e)
                e = records_iter_error(it);
        records_iter_free(it);
        return e;
}

/* Keeps those that were not named. */
static void drop_named(struct suspects *s)
{
        size_t n = 0;

        for (size_t i = 0; i < s->set.n; i++)
                if (!s->named[i])
                        s->set.id[n++] = s->set.id[i];
        s->set.n = n;
}

static struct err *remove_suspects(struct suspects *s, uint64_t *files)
{
        for (size_t i = 0; i < s->set.n; i++) {
                if (content_in_flight(s->mp->contents, s->set.id[i]))
                        continue; /* an append goes on with it */
                TRY(content_remove(s->mp->contents, s->set.id[i]));
                ++*files;
        }
        return NULL;
}

static struct err *judge_range(struct suspects *s, unsigned first, unsigned last, uint64_t *files)
{
        s->set.n = 0;
        TRY(content_each_of(s->mp->contents, first, last, suspect, s));
        id_set_sort(&s->set);
        for (int round = 0; round < 2 && s->set.n > 0; round++) {
                free(s->named);
                s->named = calloc(s->set.n, sizeof(*s->named));
                if (!s->named)
                        return err_static(ERR_NO_MEMORY);
                TRY(name_all(s));
                drop_named(s);
        }
        return remove_suspects(s, files);
}

static struct err *count_one(void *arg, struct content_id id, const struct stat *st)
{
        (void)id;
        (void)st;
        ++*(uint64_t *)arg;
        return NULL;
}

static struct err *clean_contents(struct mountpath *mp, int64_t min_age_ns, uint64_t *files)
{
        struct suspects s = { .mp = mp, .born_before = min_age_ns > 0 ? clock_wall_ns() - min_age_ns : INT64_MAX };
        struct err *e = NULL;
        uint64_t sample = 0;
        unsigned step;

        TRY(content_each_of(mp->contents, 0, 0, count_one, &sample)); /* ids are random: one directory tells of all */
        step = (unsigned)MIN((uint64_t)FANOUT, MAX((uint64_t)1, SUSPECTS_MAX / MAX(sample, (uint64_t)1)));
        for (unsigned first = 0; first < FANOUT && !e; first += step)
                e = judge_range(&s, first, MIN(first + step, (unsigned)FANOUT) - 1, files);
        id_set_fini(&s.set);
        free(s.named);
        return e;
}

/* ---- the two doors ---- */

struct err *store__cleanup_mountpath(struct store *s, struct mountpath *mp, int64_t min_age_ns, uint64_t *ret_files,
                                     uint64_t *ret_bytes)
{
        (void)s;
        TRY_WRAP(clean_folders(mp, min_age_ns, ret_files, ret_bytes), "clean %s", mp->path);
        return NULL;
}

static struct err *clean_mountpath(struct mountpath *mp, int64_t min_age_ns, uint64_t *files, uint64_t *bytes)
{
        uint64_t removed = 0, n = 0, size = 0;

        TRY(clean_folders(mp, min_age_ns, &n, &size));
        *files += n;
        *bytes += size;
        TRY(clean_contents(mp, min_age_ns, &removed)); /* stops at a record that can not be read */
        if (removed == 0)
                return NULL;
        /* They are young in trash, however old they were. */
        TRY(content_trash_empty(mp->contents, 0, UINT32_MAX, &n, &size));
        *files += n;
        *bytes += size;
        return NULL;
}

struct err *store_cleanup(struct store *s, int64_t min_age_ns, uint64_t *ret_files, uint64_t *ret_bytes)
{
        uint64_t files = 0, bytes = 0;
        struct err *first = NULL;

        for (unsigned i = 0; i < atomic_load(&s->nmp); i++) {
                struct mountpath *mp = s->mp[i];
                struct err *e;

                if (!mountpath_enter(mp))
                        continue;
                e = clean_mountpath(mp, min_age_ns, &files, &bytes);
                if (e)
                        first = err_first(first, err_wrap(e, "clean %s", mp->path));
                mountpath_leave(mp);
        }
        TRY(first);
        *ret_files = files;
        *ret_bytes = bytes;
        return NULL;
}
