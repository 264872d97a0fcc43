/* store/put.c: writing one object's content.
 *
 * Small contents gather in memory and travel with their record; what outgrows store_small_max goes to a content file as
 * it comes. Commit first finishes the file (synced, named), then hands the record to the commit thread; only then the
 * caller gets his answer. When the commit did not happen the file is removed; when nobody knows (an I/O error), it
 * stays and cleanup judges it by the records that the next start finds.
 *
 * The set of mountpaths may change while bytes arrive. The mountpath is chosen again at commit, since all writes of a
 * key must pass one commit thread at a time; if it is another one, the file is copied. */
#include "store/priv.h"

struct err *store__put_new(struct store *s, enum put_kind kind, const struct obj_key *key, struct mountpath *mp,
                           int64_t size_hint, size_t small_max, struct put **ret)
{
        ASSERT_MAY_BLOCK();
        char kb[RECORD_KEY_MAX];
        struct str k;
        TRY(record_key(key, kb, &k)); /* the name's length */
        TRY(store__space_check(s));
        if (atomic_load(&mp->state) == MOUNTPATH_FAILED)
                return err_new(ERR_IO, "mountpath %s failed and takes no more writes", mp->path);
        struct put *p = calloc(1, sizeof *p);
        char *name = str_dup(key->name);
        if (!p || !name || !mountpath_enter(mp)) {
                free(p);
                free(name);
                return p && name ? err_new(ERR_BUSY, "mountpath %s is being taken out", mp->path)
                                 : err_static(ERR_NO_MEMORY);
        }
        *p = (struct put){ .store = s,
                           .kind = kind,
                           .key = { key->bid, { name, key->name.n } },
                           .mp = mp,
                           .size_hint = size_hint,
                           .small_max = small_max };
        if (size_hint > 0 && (uint64_t)size_hint <= small_max)
                buf_reserve(&p->small, (size_t)size_hint);
        *ret = p;
        return NULL;
}

void store__put_free(struct put *p)
{
        if (p->ext_end)
                p->ext_end(p);
        content_writer_abort(p->writer);
        mountpath_leave(p->mp);
        buf_fini(&p->small);
        free((char *)p->key.name.p);
        free(p);
}

struct err *store_put_begin(struct store *s, const struct obj_key *key, int64_t size_hint, struct put **ret)
{
        struct mp_set *set = store__set_enter(s);
        struct err *e = store__put_new(s, PUT_OBJECT, key, store__set_choose(set, obj_key_digest(key)), size_hint,
                                       s->o.small_max, ret);
        store__set_leave(set);
        return e;
}

struct err *store_put_write(struct put *p, const void *data, size_t n)
{
        if (!p->writer && p->size + n > p->small_max) {
                int64_t hint = p->size_hint >= 0 ? MAX(p->size_hint, (int64_t)(p->size + n)) : -1;
                TRY(content_writer_new(p->mp->contents, hint, &p->writer));
                if (p->small.n)
                        TRY(content_writer_write(p->writer, p->small.p, p->small.n));
                buf_fini(&p->small);
        }
        if (p->writer)
                TRY(content_writer_write(p->writer, data, n));
        else {
                buf_add(&p->small, data, n);
                TRY(buf_err(&p->small));
        }
        p->size += n;
        return NULL;
}

uint64_t store_put_size(const struct put *p)
{
        return p->size;
}

void store_put_abort(struct put *p)
{
        if (p)
                store__put_free(p);
}

static struct err *check_attrs(const struct put_attrs *a)
{
        if (a->cksum.n >= CKSUM_HEX_MAX)
                return err_new(ERR_INVALID, "checksum of %zu characters", a->cksum.n);
        if (!record_custom_check(a->custom))
                return a->custom.n > RECORD_CUSTOM_MAX
                               ? err_new(ERR_TOO_LARGE, "custom metadata of %zu bytes", a->custom.n)
                               : err_new(ERR_INVALID, "malformed custom metadata");
        return a->given ? store__stamp_check(a->stamp) : NULL;
}

/* What the content file says of itself: what the record will say, but for the stamp and number that only the commit
 * knows. */
static void describe(const struct put *p, const struct put_attrs *a, struct content_id id, struct buf *b)
{
        int64_t now = clock_wall_ns();
        struct record r = { .stamp = a->given ? a->stamp : store__stamp_next(p->store),
                            .version = a->given ? a->version : a->versioned ? 1 : 0,
                            .size = p->size,
                            .mtime_ns = a->given ? a->mtime_ns : now,
                            .atime_ns = a->atime_ns ? a->atime_ns : now,
                            .cksum_type = a->cksum_type,
                            .custom = a->custom,
                            .where = RECORD_FILE,
                            .id = id };
        str_copy(r.cksum, sizeof r.cksum, a->cksum);
        record_self_encode(&p->key, &r, b);
}

/* Finishes the file; its content is in `*ret_id` on p->mp afterwards. */
static struct err *finish_file(struct put *p, const struct put_attrs *a, struct buf *self, struct content_id *ret_id)
{
        struct content_writer *w = p->writer;
        *ret_id = content_writer_id(w);
        describe(p, a, *ret_id, self);
        TRY(buf_err(self));
        p->writer = NULL; /* ended by finish, whatever the outcome */
        return content_writer_finish(w, buf_str(self), a->fast);
}

/* The content must lie where the record will: copies it if the set changed meanwhile. */
static struct err *follow(struct put *p, struct mountpath *mp, struct str self, bool fast, struct content_id *id)
{
        struct content_id copy;
        TRY(store__content_copy(p->mp, *id, p->size, mp, self, fast, &copy));
        struct err *e = content_remove(p->mp->contents, *id);
        if (e)
                log_err(LOG_WARN, LOG_FOLDER, e, "%s: the moved content stays until cleanup", p->mp->path);
        *id = copy;
        return NULL;
}

/* Commits within the set; *ret_mp is where the content lies now. */
static struct err *commit_in(struct put *p, struct mp_set *set, const struct put_attrs *a, struct str self, bool file,
                             struct content_id *id, struct mountpath **ret_mp, struct put_result *ret)
{
        struct mountpath *mp = store__set_choose(set, obj_key_digest(&p->key));
        if (file && mp != p->mp)
                TRY(follow(p, mp, self, a->fast, id));
        *ret_mp = mp;
        struct commit_op op = {
                .kind = COMMIT_PUT, .fast = a->fast, .key = p->key, .attrs = a, .size = p->size, .set = set
        };
        if (file) {
                op.where = RECORD_FILE;
                op.id = *id;
        } else {
                op.where = p->size ? RECORD_SMALL : RECORD_EMPTY;
                op.small = buf_str(&p->small);
        }
        TRY(store__commit(mp, &op));
        *ret = op.result;
        return NULL;
}

/* After the commit: what becomes of the content file. */
static void settle(struct mountpath *mp, struct content_id id, const struct err *e, bool unused)
{
        bool unknown = err_code(e) == ERR_IO || err_code(e) == ERR_NO_SPACE;
        if ((e && !unknown) || unused) {
                struct err *e2 = content_remove(mp->contents, id);
                if (e2)
                        log_err(LOG_WARN, LOG_FOLDER, e2, "%s: an unused content stays until cleanup", mp->path);
        } else
                content_settled(mp->contents, id);
}

static struct err *commit_put(struct put *p, const struct put_attrs *a, struct put_result *ret)
{
        AUTO_BUF struct buf self = BUF_INIT;
        struct content_id id = { 0, 0 };
        struct mountpath *mp = p->mp;
        struct put_result result = { .noop = false };
        bool file = p->writer;
        TRY(check_attrs(a));
        if (file)
                TRY(finish_file(p, a, &self, &id));
        struct mp_set *set = store__set_enter(p->store);
        struct err *e = commit_in(p, set, a, buf_str(&self), file, &id, &mp, &result);
        if (file)
                settle(mp, id, e, result.noop || result.superseded);
        store__set_leave(set);
        if (!e)
                *ret = result;
        return e;
}

struct err *store_put_commit(struct put *p, const struct put_attrs *a, struct put_result *ret)
{
        ASSERT_MAY_BLOCK();
        ASSERT(p->kind == PUT_OBJECT);
        struct err *e = commit_put(p, a, ret);
        store__put_free(p);
        return e;
}

/* ---- small contents without waiting ---- */

struct async_put {
        struct commit_op op;
        struct put_attrs attrs;
        store_put_done_fn *done;
        void *arg;
        char bytes[];
};

static void async_done(struct commit_op *op)
{
        struct async_put *p = CONTAINER_OF(op, struct async_put, op);
        store__set_leave(op->set);
        p->done(p->arg, op->err, op->err ? NULL : &op->result);
        free(p);
}

static struct str keep(char **at, struct str s)
{
        char *p = *at;
        if (s.n)
                memcpy(p, s.p, s.n);
        *at += s.n;
        return (struct str){ p, s.n };
}

static struct async_put *async_new(const struct obj_key *key, struct str data, const struct put_attrs *a)
{
        struct async_put *p = malloc(sizeof *p + key->name.n + a->cksum.n + a->custom.n + a->cond.cksum.n);
        if (!p)
                return NULL;
        char *at = p->bytes;
        p->attrs = *a;
        p->attrs.cksum = keep(&at, a->cksum);
        p->attrs.custom = keep(&at, a->custom);
        p->attrs.cond.cksum = keep(&at, a->cond.cksum);
        p->op = (struct commit_op){ .kind = COMMIT_PUT,
                                    .fast = a->fast,
                                    .key = { key->bid, keep(&at, key->name) },
                                    .attrs = &p->attrs,
                                    .size = data.n,
                                    .where = data.n ? RECORD_SMALL : RECORD_EMPTY,
                                    .done = async_done };
        p->op.small = data;
        return p;
}

bool store_put_small_async(struct store *s, const struct obj_key *key, const void *data, size_t n,
                           const struct put_attrs *a, store_put_done_fn *done, void *arg)
{
        AUTO_ERR struct err *e =
                n <= s->o.small_max && key->name.n <= 1024 ? store__space_check(s) : err_static(ERR_INVALID);
        if (!e)
                e = check_attrs(a);
        struct mp_set *set = e ? NULL : store__set_try_enter(s);
        if (!set) /* What is refused here gets its reason from store_put_begin and commit. */
                return false;
        struct async_put *p = async_new(key, (struct str){ data, n }, a);
        if (p) {
                p->done = done;
                p->arg = arg;
                p->op.set = set;
                if (store__commit_async(store__set_choose(set, obj_key_digest(key)), &p->op))
                        return true;
                free(p);
        }
        store__set_leave(set);
        return false;
}

size_t store_small_max(const struct store *s)
{
        return s->o.small_max;
}

void store_set_batch_hook(struct store *s, void (*fn)(void *arg), void *arg)
{
        atomic_store(&s->batch_hook, NULL);
        while (atomic_load(&s->batch_hook_users)) /* what the old one needs may be freed when we return */
                clock_sleep_ns(NS_PER_MS / 10);
        atomic_store(&s->batch_hook_arg, arg);
        atomic_store(&s->batch_hook, fn);
}
