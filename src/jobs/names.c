/* jobs/names.c: which objects a multi-object job means, and the walk over them.
 *
 * An explicit list and a template are names that may or may not exist; a prefix is listed, page by page. Each page
 * looks the bucket up again; its names are visited by several workers (crew.c). A walk that deletes what it visits is
 * safe: the next page starts after the last name of the page before. */
#include "jobs/priv.h"

#include <stdio.h>

#define PAGE_NAMES 1000

struct job_names {
        struct buf text; /* all names one after another, or the template */
        uint32_t *ends;  /* explicit: end offset of each name */
        size_t n;
        struct selection sel; /* template */
};

struct err *job_names_new(const struct str *names, size_t n, struct str template_text, struct job_names **ret)
{
        struct job_names *s = calloc(1, sizeof(*s));
        struct err *e = NULL;

        if (!s)
                return err_static(ERR_NO_MEMORY);
        if (n == 0) {
                buf_adds(&s->text, template_text);
                e = buf_err(&s->text);
                if (!e)
                        e = selection_parse(buf_str(&s->text), &s->sel);
                if (!e && s->sel.kind == SELECT_PREFIX)
                        e = object_prefix_check(&s->sel.prefix);
        } else {
                s->ends = calloc(n, sizeof(*s->ends));
                s->text.limit = UINT32_MAX;
                if (!s->ends)
                        e = err_static(ERR_NO_MEMORY);
                for (size_t i = 0; i < n && !e; i++) {
                        e = object_name_check(names[i]);
                        buf_adds(&s->text, names[i]);
                        s->ends[i] = (uint32_t)s->text.n;
                }
                s->n = n;
                e = err_first(e, buf_err(&s->text));
        }
        if (e) {
                job_names_free(s);
                return e;
        }
        *ret = s;
        return NULL;
}

struct err *job_names_prefix(struct str prefix, struct job_names **ret)
{
        struct job_names *s = calloc(1, sizeof(*s));
        struct err *e;

        if (!s)
                return err_static(ERR_NO_MEMORY);
        buf_adds(&s->text, prefix);
        s->sel.kind = SELECT_PREFIX;
        s->sel.prefix = buf_str(&s->text);
        e = buf_err(&s->text);
        if (e) {
                job_names_free(s);
                return e;
        }
        *ret = s;
        return NULL;
}

void job_names_free(struct job_names *s)
{
        if (!s)
                return;
        buf_fini(&s->text);
        free(s->ends);
        free(s);
}

const char *job_names_text(const struct job_names *s, char buf[static 128])
{
        if (!s || (s->n == 0 && s->sel.kind == SELECT_ALL))
                snprintf(buf, 128, "all objects");
        else if (s->n > 0)
                snprintf(buf, 128, "list: %zu names", s->n);
        else
                snprintf(buf, 128, "%s: %.*s", s->sel.kind == SELECT_PREFIX ? "prefix" : "template",
                         (int)MIN(s->text.n, 100), s->text.p);
        return buf;
}

bool job__names_explicit(const struct job_names *s)
{
        return s && s->n > 0;
}

struct err *job__bucket(struct job *j, uint64_t bid, const struct snapshot **ret_snap, const struct bucket **ret)
{
        const struct snapshot *snap = cluster_pin(job_node(j)->cluster);
        const struct bucket *b = snapshot_bucket_by_id(snap, bid);

        if (!b) {
                cluster_unpin(snap);
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was destroyed while the job was running");
        }
        *ret_snap = snap;
        *ret = b;
        return NULL;
}

struct page {
        struct str *names;
        unsigned n;
        struct arena *arena;
        bool full; /* out of arena */
};

static void collect(void *arg, const struct flow_list_entry *e)
{
        struct page *p = arg;

        p->names[p->n] = str_arena(p->arena, e->name);
        if (!p->names[p->n].p)
                p->full = true;
        else
                p->n++;
}

/* One page of a listing; *after is where the next one starts. */
static struct err *prefix_page(struct job *j, const struct job_walk *walk, struct str prefix, struct buf *after,
                               bool *ret_more)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const struct bucket *b;
        AUTO_ARENA struct arena arena;
        struct flow_list_options o = { .prefix = prefix, .start_after = buf_str(after), .page_size = PAGE_NAMES };
        struct page p = { .arena = &arena };
        struct str last;

        arena_init(&arena, 64 * 1024, 0);
        TRY(job__bucket(j, walk->bid, &snap, &b));
        p.names = arena_alloc(&arena, (PAGE_NAMES + 1) * sizeof(*p.names));
        if (!p.names)
                return err_static(ERR_NO_MEMORY);
        TRY(flow_list(job_node(j), b, &o, collect, &p, &arena, ret_more, &last));
        if (p.full)
                return err_static(ERR_NO_MEMORY);
        TRY(job__crew_run(j, walk, b, p.names, p.n));
        buf_clear(after);
        buf_adds(after, last);
        return buf_err(after);
}

static struct err *each_prefix(struct job *j, const struct job_walk *walk, struct str prefix)
{
        AUTO_BUF struct buf after = BUF_INIT;
        bool more = true;

        while (more) {
                if (!job_go_on(j))
                        return job__cancelled();
                TRY(prefix_page(j, walk, prefix, &after, &more));
        }
        return NULL;
}

/* Names i and following of a list or template, at most PAGE_NAMES. */
static struct err *known_page(struct job *j, const struct job_walk *walk, uint64_t i, unsigned n)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const struct job_names *s = walk->sel;
        const struct bucket *b;
        AUTO_BUF struct buf text = BUF_INIT;
        struct str names[PAGE_NAMES];
        size_t ends[PAGE_NAMES];

        TRY(job__bucket(j, walk->bid, &snap, &b));
        for (unsigned k = 0; k < n; k++) {
                if (s->n > 0) {
                        size_t start = i + k ? s->ends[i + k - 1] : 0;

                        names[k] = (struct str){ s->text.p + start, s->ends[i + k] - start };
                } else {
                        selection_name(&s->sel, i + k, &text);
                        ends[k] = text.n;
                }
        }
        TRY(buf_err(&text));
        for (unsigned k = 0; s->n == 0 && k < n; k++) { /* only now: the buffer moved while it grew */
                size_t start = k ? ends[k - 1] : 0;

                names[k] = (struct str){ text.p + start, ends[k] - start };
        }
        return job__crew_run(j, walk, b, names, n);
}

static struct err *each_known(struct job *j, const struct job_walk *walk)
{
        uint64_t n = walk->sel->n > 0 ? walk->sel->n : walk->sel->sel.count;

        for (uint64_t i = 0; i < n; i += PAGE_NAMES) {
                if (!job_go_on(j))
                        return job__cancelled();
                TRY(known_page(j, walk, i, (unsigned)MIN(n - i, PAGE_NAMES)));
        }
        return NULL;
}

struct err *job__each(struct job *j, const struct job_walk *walk)
{
        const struct job_names *s = walk->sel;

        if (s && (s->n > 0 || s->sel.kind == SELECT_TEMPLATE))
                return each_known(j, walk);
        return each_prefix(j, walk, s && s->sel.kind == SELECT_PREFIX ? s->sel.prefix : STR(""));
}
