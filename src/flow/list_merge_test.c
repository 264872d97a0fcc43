/* The merged listing against a model: random buckets spread over several targets, with everything that a cluster on the
 * move leaves behind: older versions, tombstones, markers, objects that are between two targets while they are read,
 * epochs that end in the middle of a page. Every case must list exactly what one sorted table of the live names lists.
 * The seed is printed; LIST_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "flow/list_merge.h"

#define SOURCES_MAX 7
#define NAMES_MAX 400
#define NAME_MAX_LEN 12
#define ROUNDS 3000

static uint64_t rng;

static uint64_t rnd(uint64_t n)
{
        rng = rng * 6364136223846793005u + 1442695040888963407u;
        return (rng >> 33) % n;
}

/* ---- the model: the names of a bucket, sorted, and what is true of each ---- */

struct truth {
        char name[NAME_MAX_LEN];
        size_t n;
        bool live;
        uint64_t stamp, size;
        unsigned at; /* source that has it */
};
static struct truth names[NAMES_MAX];
static unsigned nnames;

static struct str name_of(const struct truth *t)
{
        return (struct str){ t->name, t->n };
}

static int by_name(const void *a, const void *b)
{
        return str_cmp(name_of(a), name_of(b));
}

static void make_names(void)
{
        static const char alphabet[] = { 'a', 'b', '/', '0', '.', (char)0xff, 1 };
        unsigned want = (unsigned)rnd(rnd(4) ? NAMES_MAX : 8), kept = 0;
        for (unsigned i = 0; i < want; i++) {
                names[i].n = 1 + rnd(NAME_MAX_LEN - 1);
                for (size_t k = 0; k < names[i].n; k++)
                        names[i].name[k] = alphabet[rnd(sizeof(alphabet))];
        }
        qsort(names, want, sizeof(names[0]), by_name);
        for (unsigned i = 0; i < want; i++)
                if (kept == 0 || by_name(&names[kept - 1], &names[i]) != 0)
                        names[kept++] = names[i];
        nnames = kept;
}

/* ---- fake targets ---- */

struct fake_row {
        const struct truth *name;
        enum list_kind kind;
        uint64_t stamp, size;
        unsigned from_look; /* seen once the sources were read anew from this name on so often */
        unsigned hidden;    /* times still to go */
};
struct fake {
        struct list_source src;
        struct fake_row rows[NAMES_MAX];
        unsigned n, pos;
        bool fold; /* folds directories itself */
        struct str prefix;
        struct list_row row;
        char dir[NAME_MAX_LEN];
        char id[16];
};
static struct fake fakes[SOURCES_MAX];
static unsigned nfakes, conflicts; /* one call in so many fails; 0: none */
static bool unsettled;

static void put_row(unsigned at, const struct truth *t, enum list_kind kind, uint64_t stamp, unsigned from_look)
{
        struct fake *f = &fakes[at];
        f->rows[f->n++] = (struct fake_row){ t, kind, stamp, kind == LIST_LIVE && stamp == t->stamp ? t->size : 77777,
                                             from_look, from_look };
}

/* What the other targets still have of a name: nothing that is newer. */
static void put_remains(const struct truth *t, bool gone)
{
        for (unsigned i = 0; i < nfakes; i++) {
                if ((i == t->at && !gone) || rnd(3))
                        continue;
                enum list_kind kind = (enum list_kind)(LIST_MOVED + rnd(3));
                uint64_t stamp = kind == LIST_MOVED && rnd(2) ? t->stamp : 1 + rnd(t->stamp - 1);
                if (!gone || kind == LIST_MOVED)
                        put_row(i, t, kind, stamp, 0);
        }
}

static void spread(void)
{
        for (unsigned i = 0; i < nnames; i++) {
                struct truth *t = &names[i];
                bool gone = unsettled && rnd(6) == 0; /* deleted when all was settled: no tombstone is left */
                t->stamp = 1000 + rnd(1000);
                t->size = rnd(500);
                t->at = (unsigned)rnd(nfakes);
                t->live = !gone && (!unsettled || rnd(4) > 0);
                if (unsettled)
                        put_remains(t, gone);
                if (gone)
                        continue;
                struct fake *f = &fakes[t->at];
                unsigned from_look = 0;
                /* Between two targets: the marker is seen, the object only at a later look. */
                unsigned other = (t->at + 1) % nfakes;
                if (unsettled && t->live && nfakes > 1 && rnd(8) == 0 &&
                    (fakes[other].n == 0 || fakes[other].rows[fakes[other].n - 1].name != t)) {
                        put_row(other, t, LIST_MOVED, t->stamp, 0);
                        from_look = (unsigned)rnd(3);
                }
                f->rows[f->n++] = (struct fake_row){ t, t->live ? LIST_LIVE : LIST_TOMBSTONE, t->stamp, t->size,
                                                     from_look, from_look };
        }
}

static struct err *maybe_conflict(void)
{
        return conflicts && rnd(conflicts) == 0 ? err_static(ERR_CONFLICT) : NULL;
}

static struct err *fake_next(struct list_source *s)
{
        struct fake *f = CONTAINER_OF(s, struct fake, src);
        TRY(maybe_conflict());
        s->row = NULL;
        while (f->pos < f->n && f->rows[f->pos].hidden > 0)
                f->pos++;
        if (f->pos == f->n || !str_starts(name_of(f->rows[f->pos].name), f->prefix))
                return NULL;
        const struct fake_row *r = &f->rows[f->pos++];
        f->row = (struct list_row){ .name = name_of(r->name), .kind = r->kind };
        f->row.meta.stamp.hlc = r->stamp;
        f->row.meta.size = r->size;
        size_t dir = f->fold ? flow__list_dir_length(f->row.name, f->prefix.n) : 0;
        if (dir) {
                memcpy(f->dir, f->row.name.p, dir);
                f->row = (struct list_row){ .name = { f->dir, dir }, .kind = LIST_DIR };
                while (f->pos < f->n && str_starts(name_of(f->rows[f->pos].name), f->row.name))
                        f->pos++;
        }
        s->row = &f->row;
        return NULL;
}

static void fake_place(struct fake *f, struct str from)
{
        f->pos = 0;
        while (f->pos < f->n && str_cmp(name_of(f->rows[f->pos].name), from) < 0)
                f->pos++;
        f->src.row = NULL;
}

static struct err *fake_seek(struct list_source *s, struct str from, size_t want)
{
        (void)want;
        fake_place(CONTAINER_OF(s, struct fake, src), from);
        return NULL;
}

static struct err *fake_restart(struct list_source *s, struct str from, size_t want)
{
        struct fake *f = CONTAINER_OF(s, struct fake, src);
        (void)want;
        fake_place(f, from);
        struct fake_row *r = &f->rows[f->pos];
        if (f->pos < f->n && r->hidden && str_eq(name_of(r->name), from))
                r->hidden--;
        return NULL;
}

static const struct list_source_ops fake_ops = { fake_next, fake_seek, fake_restart };

/* ---- what a listing gives ---- */

struct got {
        char name[NAME_MAX_LEN];
        size_t n;
        bool dir;
        uint64_t size;
};
struct result {
        struct got row[NAMES_MAX + 1];
        unsigned n;
        unsigned stop_at; /* the page is stopped at this many, 0: never */
};

static void collect(void *arg, const struct flow_list_entry *e)
{
        struct result *r = arg;
        assert_true(r->n < NAMES_MAX);
        struct got *g = &r->row[r->n++];
        assert_true(e->name.n > 0 && e->name.n <= sizeof(g->name));
        memcpy(g->name, e->name.p, e->name.n);
        g->n = e->name.n;
        g->dir = e->dir;
        g->size = e->meta ? e->meta->size : 0;
        assert_true(e->dir == (e->meta == NULL));
}

static bool stop(void *arg)
{
        const struct result *r = arg;
        return r->stop_at && r->n >= r->stop_at;
}

/* The same listing of the table of live names, in the plainest way. */
static void expect(const struct flow_list_options *o, const char *only, struct result *r)
{
        r->n = 0;
        for (unsigned i = 0; i < nnames && r->n < o->page_size && !(r->stop_at && r->n >= r->stop_at); i++) {
                const struct truth *t = &names[i];
                struct str name = name_of(t);
                if (!t->live || !str_starts(name, o->prefix) || (only && strcmp(fakes[t->at].id, only) != 0))
                        continue;
                ptrdiff_t slash = o->no_recursion ? str_find(str_skip(name, o->prefix.n), '/') : -1;
                if (slash >= 0)
                        name.n = o->prefix.n + (size_t)slash + 1;
                const struct got *last = r->n ? &r->row[r->n - 1] : NULL;
                bool again = last && str_eq(name, (struct str){ last->name, last->n });
                if (str_cmp(name, o->start_after) <= 0 || again || (slash >= 0 && o->no_dirs))
                        continue;
                struct got *g = &r->row[r->n++];
                memcpy(g->name, name.p, name.n);
                g->n = name.n;
                g->dir = slash >= 0;
                g->size = g->dir ? 0 : t->size;
        }
}

static void check_same(const struct result *a, const struct result *b)
{
        for (unsigned i = 0; i < MIN(a->n, b->n); i++) {
                const struct got *x = &a->row[i], *y = &b->row[i];
                assert_int_equal(x->n, y->n);
                assert_memory_equal(x->name, y->name, x->n);
                assert_int_equal(x->dir, y->dir);
                assert_int_equal(x->size, y->size);
        }
        assert_int_equal(a->n, b->n);
}

static void list(const struct flow_list_options *o, const char *only, struct result *r, bool *ret_more,
                 struct lister *l)
{
        struct list_source *src[SOURCES_MAX];
        struct list_merge m;
        flow__list_start(l, o, collect, r);
        l->only = only;
        r->n = 0;
        for (;;) { /* as list_all does: after a conflict another merge, where the last one stopped */
                for (unsigned i = 0; i < nfakes; i++) {
                        fakes[i].fold = o->no_recursion && !unsettled;
                        fakes[i].prefix = o->prefix;
                        fake_place(&fakes[i], (struct str){ l->from, l->from_n });
                        src[i] = &fakes[i].src;
                }
                flow__list_merge_init(&m, src, nfakes);
                struct err *e = flow__list_run(l, &m);
                if (!e)
                        break;
                assert_int_equal(err_code(e), ERR_CONFLICT);
                err_free(e);
        }
        *ret_more = l->stopped;
}

/* For the next page all that was on its way is on its way again. */
static void forget_looks(void)
{
        for (unsigned i = 0; i < nfakes; i++)
                for (unsigned k = 0; k < fakes[i].n; k++)
                        fakes[i].rows[k].hidden = fakes[i].rows[k].from_look;
}

static void check_pages(struct flow_list_options o, const char *only)
{
        char after[OBJECT_NAME_MAX + 1];
        bool more = true;
        while (more) {
                struct result want = { .stop_at = rnd(4) ? 0 : 1 + (unsigned)rnd(20) }, got = want;
                struct lister l;
                o.page_size = 1 + rnd(rnd(2) ? 10 : 500);
                o.stop = rnd(2) || want.stop_at ? stop : NULL;
                expect(&o, only, &want);
                forget_looks();
                list(&o, only, &got, &more, &l);
                check_same(&got, &want);
                assert_int_equal(more, got.n >= o.page_size || (got.stop_at && got.n >= got.stop_at));
                if (!more)
                        break;
                struct str last = flow__list_last(&l);
                memcpy(after, last.p, last.n);
                o.start_after = (struct str){ after, last.n };
        }
}

static struct str some_name(char buf[static NAME_MAX_LEN + 1])
{
        size_t n = 0;
        if (nnames && rnd(2)) {
                const struct truth *t = &names[rnd(nnames)];
                n = rnd(t->n + 1);
                memcpy(buf, t->name, n);
                if (rnd(4) == 0)
                        buf[n++] = '/';
        }
        return (struct str){ buf, n };
}

static void one_round(void)
{
        char prefix[NAME_MAX_LEN + 1], after[NAME_MAX_LEN + 1];
        nfakes = 1 + (unsigned)rnd(SOURCES_MAX);
        unsettled = rnd(3) > 0;
        conflicts = rnd(3) ? 0 : 50;
        for (unsigned i = 0; i < nfakes; i++) {
                fakes[i].n = 0;
                fakes[i].src.ops = &fake_ops;
                snprintf(fakes[i].id, sizeof(fakes[i].id), "t%u", i);
                fakes[i].src.target = fakes[i].id;
        }
        make_names();
        spread();
        struct flow_list_options o = { .prefix = some_name(prefix), .start_after = some_name(after),
                                       .no_recursion = rnd(2), .no_dirs = rnd(4) == 0 };
        bool only = unsettled && !o.no_recursion && rnd(5) == 0;
        if (conflicts == 0 || nnames < 60)
                check_pages(o, only ? fakes[rnd(nfakes)].id : NULL);
}

static void test_random(void **state)
{
        (void)state;
        const char *given = getenv("LIST_SEED");
        uint64_t seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
        print_message("LIST_SEED=%llu\n", (unsigned long long)seed);
        for (unsigned i = 0; i < ROUNDS; i++) {
                rng = seed * 1000003 + i;
                one_round();
        }
}

/* A single name in the ways that matter most, spelled out. */
static unsigned list_one(void)
{
        struct flow_list_options o = { .prefix = STR(""), .start_after = STR(""), .page_size = 10 };
        struct result r = { .n = 0 };
        struct lister l;
        bool more;
        unsettled = true;
        conflicts = 0;
        forget_looks();
        list(&o, NULL, &r, &more, &l);
        assert_false(more);
        return r.n;
}

static void begin_one(void)
{
        nfakes = 2;
        for (unsigned i = 0; i < nfakes; i++) {
                fakes[i].n = 0;
                fakes[i].src.ops = &fake_ops;
        }
        names[0] = (struct truth){ .name = "x", .n = 1, .live = true, .stamp = 5, .size = 1 };
        nnames = 1;
}

static void test_rules(void **state)
{
        (void)state;
        static const struct {
                enum list_kind kind[2];
                uint64_t stamp[2];
                unsigned listed;
        } cases[] = {
                { { LIST_LIVE, LIST_MOVED }, { 5, 5 }, 1 },      /* arrived, and a marker where it was */
                { { LIST_LIVE, LIST_MOVED }, { 5, 4 }, 1 },      /* came back with more */
                { { LIST_TOMBSTONE, LIST_LIVE }, { 5, 4 }, 0 },  /* deleted at its new owner */
                { { LIST_TOMBSTONE, LIST_LIVE }, { 4, 5 }, 1 },  /* written after a delete elsewhere */
                { { LIST_TOMBSTONE, LIST_MOVED }, { 5, 4 }, 0 },
                { { LIST_MOVED, LIST_MOVED }, { 5, 5 }, 0 },     /* markers that nobody needs any more */
                { { LIST_LIVE, LIST_LIVE }, { 5, 4 }, 1 },
        };
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                for (unsigned swap = 0; swap < 2; swap++) {
                        begin_one();
                        for (unsigned k = 0; k < 2; k++)
                                put_row(k ^ swap, &names[0], cases[i].kind[k], cases[i].stamp[k], 0);
                        assert_int_equal(list_one(), cases[i].listed);
                }
}

/* An object on its way is listed when it is found at the second or third look, not later: then it was deleted. */
static void test_looks(void **state)
{
        (void)state;
        for (unsigned look = 0; look < 4; look++) {
                begin_one();
                put_row(0, &names[0], LIST_MOVED, 5, 0);
                put_row(1, &names[0], LIST_LIVE, 5, look);
                assert_int_equal(list_one(), look < 3 ? 1 : 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_looks),
                cmocka_unit_test(test_random),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
