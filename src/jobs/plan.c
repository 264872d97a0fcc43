/* jobs/plan.c: plans of jobs, the messages that start parts, and the documents of jobs, as JSON.
 *
 * Members that a reader does not know are ignored, so that an older node takes part in what a newer one has started.
 * What comes from another node, or from the state, is checked like a client's message: names, templates, buckets. */
#include "jobs/plan.h"

#include <stdio.h>

#include "jobs/priv.h"

#define MESSAGE_MAX ((size_t)8 << 20) /* of the JSON part */

struct err *job__plan_new(const char *kind, struct job_plan **ret)
{
        struct job_plan *p = calloc(1, sizeof(*p));

        if (!p)
                return err_static(ERR_NO_MEMORY);
        p->kind = job_kind_find(str_of(kind));
        ASSERT(p->kind != NULL);
        arena_init(&p->arena, 1024, 0);
        *ret = p;
        return NULL;
}

void job__plan_free(struct job_plan *p)
{
        if (!p)
                return;
        job_names_free(p->names);
        arena_fini(&p->arena);
        free(p);
}

void job__plan_free_arg(void *p)
{
        job__plan_free(p);
}

struct err *job__plan_text(struct job_plan *p, struct str s, struct str *ret)
{
        struct str copy = str_arena(&p->arena, s);

        if (!copy.p)
                return err_static(ERR_NO_MEMORY);
        *ret = copy;
        return NULL;
}

struct err *job__plan_check(const struct job_plan *p)
{
        const struct str texts[] = { p->copy.prepend, p->promote.source, p->promote.object, p->under,
                                     job__names_form(p->names) };

        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                if (texts[i].n > 0 && !str_is_utf8(texts[i]))
                        return err_new(ERR_UNSUPPORTED,
                                       "%s: a name or prefix that is not UTF-8 - operation not supported",
                                       p->kind->name);
        return NULL;
}

/* ---- writing ---- */

void job__bck_write(struct json_w *w, const char *key, const struct bck *b)
{
        char text[192];

        if (b->name[0] != '\0')
                jw_cstr(w, key, bck_uname(b, text));
}

static void write_text(struct json_w *w, const char *key, struct str s)
{
        if (s.n > 0)
                jw_str(w, key, s);
}

static void write_flag(struct json_w *w, const char *key, bool flag)
{
        if (flag)
                jw_bool(w, key, true);
}

static void write_names(struct json_w *w, const struct job_names *s, bool with_names)
{
        size_t n = job__names_count(s);

        if (n == 0) {
                if (s)
                        jw_str(w, job__names_is_prefix(s) ? "prefix" : "template", job__names_form(s));
                return;
        }
        jw_u64s(w, "count", n);
        if (!with_names)
                return;
        jw_array(w, "names");
        for (size_t i = 0; i < n; i++)
                jw_str(w, NULL, job__names_at(s, i));
        jw_array_end(w);
}

void job__plan_write(struct json_w *w, const char *key, const struct job_plan *p, bool with_names)
{
        const struct job_copy_options *c = &p->copy;
        AUTO_BUF struct buf from = BUF_INIT;

        jw_object(w, key);
        jw_cstr(w, "kind", p->kind->name);
        jw_cstr(w, "id", p->id);
        job__bck_write(w, "bck", &p->bck);
        job__bck_write(w, "src", &p->src);
        job__bck_write(w, "dst", &p->dst);
        jw_u64s(w, "bid", p->bid);
        jw_u64s(w, "to_bid", p->to_bid);
        write_text(w, "node", str_of(p->node));
        jw_cstr(w, "ctlmsg", p->ctlmsg);
        jw_i64s(w, "start", p->start_ns);
        jw_u64s(w, "epoch", p->epoch);
        write_flag(w, "spread", p->spread);
        write_names(w, p->names, with_names);
        jw_int(w, "workers", c->limits.workers);
        write_flag(w, "coer", c->limits.continue_on_error);
        write_text(w, "prepend", c->prepend);
        if (c->nextensions > 0) {
                jw_object(w, "ext");
                for (unsigned i = 0; i < c->nextensions; i++) {
                        buf_clear(&from);
                        buf_adds(&from, c->extensions[i].from);
                        if (buf_cstr(&from))
                                jw_str(w, buf_cstr(&from), c->extensions[i].to);
                }
                jw_object_end(w);
        }
        write_flag(w, "dry_run", c->dry_run);
        write_flag(w, "synchronize", c->synchronize);
        write_text(w, "source", p->promote.source);
        write_text(w, "object", p->promote.object);
        write_flag(w, "recursive", p->promote.recursive);
        write_flag(w, "overwrite", p->promote.overwrite);
        write_flag(w, "delete_source", p->promote.delete_source);
        write_text(w, "under", p->under);
        jw_object_end(w);
}

/* ---- reading ---- */

struct raw {
        struct str kind, id, bck, src, dst, node, ctlmsg, template_text, prefix, prepend, source, object, under;
        uint64_t bid, to_bid, epoch, count;
        int64_t start_ns, workers;
        bool spread, coer, dry_run, synchronize, recursive, overwrite, delete_source, has_template, has_prefix;
        json_t *names, *ext;
};
static const struct json_field raw_fields[] = {
        JSON_FIELD(struct raw, "kind", JSON_F_STR, kind),
        JSON_FIELD(struct raw, "id", JSON_F_STR, id),
        JSON_FIELD(struct raw, "bck", JSON_F_STR, bck),
        JSON_FIELD(struct raw, "src", JSON_F_STR, src),
        JSON_FIELD(struct raw, "dst", JSON_F_STR, dst),
        JSON_FIELD(struct raw, "bid", JSON_F_U64S, bid),
        JSON_FIELD(struct raw, "to_bid", JSON_F_U64S, to_bid),
        JSON_FIELD(struct raw, "node", JSON_F_STR, node),
        JSON_FIELD(struct raw, "ctlmsg", JSON_F_STR, ctlmsg),
        JSON_FIELD(struct raw, "start", JSON_F_I64S, start_ns),
        JSON_FIELD(struct raw, "epoch", JSON_F_U64S, epoch),
        JSON_FIELD(struct raw, "spread", JSON_F_BOOL, spread),
        JSON_FIELD(struct raw, "count", JSON_F_U64S, count),
        JSON_FIELD(struct raw, "names", JSON_F_ARRAY, names),
        JSON_FIELD_SEEN(struct raw, "template", JSON_F_STR, template_text, has_template),
        JSON_FIELD_SEEN(struct raw, "prefix", JSON_F_STR, prefix, has_prefix),
        JSON_FIELD(struct raw, "workers", JSON_F_INT, workers),
        JSON_FIELD(struct raw, "coer", JSON_F_BOOL, coer),
        JSON_FIELD(struct raw, "prepend", JSON_F_STR, prepend),
        JSON_FIELD(struct raw, "ext", JSON_F_OBJECT, ext),
        JSON_FIELD(struct raw, "dry_run", JSON_F_BOOL, dry_run),
        JSON_FIELD(struct raw, "synchronize", JSON_F_BOOL, synchronize),
        JSON_FIELD(struct raw, "source", JSON_F_STR, source),
        JSON_FIELD(struct raw, "object", JSON_F_STR, object),
        JSON_FIELD(struct raw, "recursive", JSON_F_BOOL, recursive),
        JSON_FIELD(struct raw, "overwrite", JSON_F_BOOL, overwrite),
        JSON_FIELD(struct raw, "delete_source", JSON_F_BOOL, delete_source),
        JSON_FIELD(struct raw, "under", JSON_F_STR, under),
};

struct err *job__bck_read(struct str text, struct bck *ret)
{
        struct str object;

        if (text.n == 0)
                return NULL;
        TRY(uname_parse(text, ret, &object));
        return object.n == 0 ? NULL : err_new(ERR_INVALID, "expecting a bucket, not an object");
}

static struct err *read_extensions(struct job_plan *p, json_t *ext)
{
        struct job_extension *list;
        const char *key;
        json_t *value;
        unsigned n = 0;

        if (!ext)
                return NULL;
        list = arena_alloc(&p->arena, json_object_size(ext) * sizeof(*list));
        if (!list)
                return err_static(ERR_NO_MEMORY);
        json_object_foreach(ext, key, value) {
                if (!json_is_string(value))
                        return err_new(ERR_MALFORMED, "ext: expecting a map of texts");
                TRY(job__plan_text(p, str_of(key), &list[n].from));
                TRY(job__plan_text(p, json_str(value), &list[n].to));
                n++;
        }
        p->copy.extensions = list;
        p->copy.nextensions = n;
        return NULL;
}

static struct err *read_list(const json_t *array, struct job_names **ret)
{
        size_t n = json_array_size(array);
        AUTO_FREE struct str *names = calloc(n + 1, sizeof(*names));

        if (!names)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                if (!json_is_string(json_array_get(array, i)))
                        return err_new(ERR_MALFORMED, "names: expecting a list of texts");
                names[i] = json_str(json_array_get(array, i));
        }
        return job_names_new(names, n, STR(""), ret);
}

static struct err *read_names(struct job_plan *p, const struct raw *r)
{
        p->lost = r->count > 0 && json_array_size(r->names) == 0;
        if (json_array_size(r->names) > 0)
                return read_list(r->names, &p->names);
        if (p->lost)
                return NULL;
        if (r->has_prefix) {
                struct str prefix = r->prefix;

                TRY(object_prefix_check(&prefix));
                return job_names_prefix(r->prefix, &p->names);
        }
        return r->has_template ? job_names_new(NULL, 0, r->template_text, &p->names) : NULL;
}

static struct err *read_into(struct job_plan *p, const struct raw *r)
{
        if (!str_copy(p->id, sizeof(p->id), r->id) || !id_check(r->id))
                return err_new(ERR_INVALID, "not a job's id");
        if (!str_copy(p->node, sizeof(p->node), r->node))
                return err_new(ERR_INVALID, "not a node's id");
        str_copy(p->ctlmsg, sizeof(p->ctlmsg), r->ctlmsg);
        TRY(job__bck_read(r->bck, &p->bck));
        TRY(job__bck_read(r->src, &p->src));
        TRY(job__bck_read(r->dst, &p->dst));
        p->bid = r->bid;
        p->to_bid = r->to_bid;
        p->epoch = r->epoch;
        p->start_ns = r->start_ns;
        p->spread = r->spread;
        p->copy.limits = (struct job_limits){ r->workers, r->coer };
        p->copy.dry_run = r->dry_run;
        p->copy.synchronize = r->synchronize;
        p->promote.recursive = r->recursive;
        p->promote.overwrite = r->overwrite;
        p->promote.delete_source = r->delete_source;
        TRY(job__plan_text(p, r->prepend, &p->copy.prepend));
        TRY(job__plan_text(p, r->source, &p->promote.source));
        TRY(job__plan_text(p, r->object, &p->promote.object));
        TRY(job__plan_text(p, r->under, &p->under));
        TRY(read_extensions(p, r->ext));
        return read_names(p, r);
}

struct err *job__plan_read(const json_t *doc, struct job_plan **ret)
{
        struct raw r = { .kind = STR_NONE };
        struct job_plan *p;
        struct err *e;

        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, "job: expecting an object");
        TRY(json_decode(doc, raw_fields, ARRAY_LEN(raw_fields), false, "job", &r));
        if (!job_kind_find(r.kind))
                return err_new(ERR_INVALID, "unknown kind of job \"" STR_FMT "\"", STR_ARG(r.kind));
        TRY(job__plan_new(job_kind_find(r.kind)->name, &p));
        e = read_into(p, &r);
        if (e) {
                job__plan_free(p);
                return e;
        }
        *ret = p;
        return NULL;
}

/* ---- messages ---- */

void job__message_write(struct buf *b, const struct job_plan *p, bool (*keep)(void *arg, struct str name), void *arg)
{
        struct json_w w;

        jw_init(&w, b, false);
        job__plan_write(&w, NULL, p, false);
        buf_addc(b, '\0');
        for (size_t i = 0; i < job__names_count(p->names); i++) {
                struct str name = job__names_at(p->names, i);

                if (keep && !keep(arg, name))
                        continue;
                buf_adds(b, name);
                buf_addc(b, '\0');
        }
}

static struct err *read_tail(struct str tail, struct job_names **ret)
{
        AUTO_FREE struct str *names = NULL;
        struct str rest = tail;
        size_t n = 0;

        if (tail.n == 0)
                return NULL;
        if (tail.p[tail.n - 1] != '\0')
                return err_new(ERR_MALFORMED, "list of names: the last one has no end");
        while (rest.n > 0) {
                str_cut(&rest, '\0');
                n++;
        }
        names = calloc(n, sizeof(*names));
        if (!names)
                return err_static(ERR_NO_MEMORY);
        n = 0;
        for (rest = tail; rest.n > 0;)
                names[n++] = str_cut(&rest, '\0');
        return job_names_new(names, n, STR(""), ret);
}

struct err *job__message_read(struct str message, struct job_plan **ret)
{
        AUTO_JSON json_t *doc = NULL;
        struct str rest = message, head = str_cut(&rest, '\0');
        struct job_names *names = NULL;
        struct job_plan *p;

        TRY(json_parse(head, MESSAGE_MAX, &doc));
        TRY(read_tail(rest, &names));
        struct err *e = job__plan_read(doc, &p);
        if (e) {
                job_names_free(names);
                return e;
        }
        if (p->lost) { /* its names are those behind it; none of them may be this target's */
                p->names = names;
                p->lost = false;
                if (!names) {
                        e = job__names_none(&p->names);
                        if (e) {
                                job__plan_free(p);
                                return e;
                        }
                }
        } else {
                job_names_free(names);
        }
        *ret = p;
        return NULL;
}

/* ---- documents ---- */

static const char *const state_names[] = { "running", "stopping", "ended" };
#define ENDED_HEAD "{\"state\":\"ended\""

void job__doc_fini(struct job_doc *d)
{
        job__plan_free(d->plan);
        d->plan = NULL;
}

struct err *job__doc_write(const struct job_doc *d, struct buf *b)
{
        struct json_w w;

        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "state", state_names[d->state]); /* first: job__doc_has_ended */
        jw_i64s(&w, "changed", d->changed_ns);
        jw_cstr(&w, "err", d->err);
        jw_cstr(&w, "abort_err", d->abort_err);
        job__plan_write(&w, "plan", d->plan,
                        d->state != JOB_DOC_ENDED && job__names_bytes(d->plan->names) <= JOB_NAMES_IN_DOCUMENT);
        jw_object_end(&w);
        return buf_err(b);
}

bool job__doc_has_ended(struct str text)
{
        return str_starts(text, STR(ENDED_HEAD));
}

struct err *job__doc_read(struct str text, struct job_doc *ret)
{
        struct raw_doc {
                struct str state, err, abort_err;
                int64_t changed_ns;
                json_t *plan;
        } r = { .state = STR_NONE };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw_doc, "state", JSON_F_STR, state),
                JSON_FIELD(struct raw_doc, "err", JSON_F_STR, err),
                JSON_FIELD(struct raw_doc, "abort_err", JSON_F_STR, abort_err),
                JSON_FIELD(struct raw_doc, "changed", JSON_F_I64S, changed_ns),
                JSON_FIELD(struct raw_doc, "plan", JSON_F_OBJECT, plan),
        };
        AUTO_JSON json_t *doc = NULL;
        struct job_doc d = { .changed_ns = 0 };
        unsigned state = 0;

        TRY(json_parse(text, MESSAGE_MAX, &doc));
        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, "job's document: expecting an object");
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "job's document", &r));
        while (state < ARRAY_LEN(state_names) && !str_eq(r.state, str_of(state_names[state])))
                state++;
        if (state == ARRAY_LEN(state_names))
                return err_new(ERR_MALFORMED, "job's document: unknown state \"" STR_FMT "\"", STR_ARG(r.state));
        d.state = (enum job_doc_state)state;
        d.changed_ns = r.changed_ns;
        str_copy(d.err, sizeof(d.err), r.err);
        str_copy(d.abort_err, sizeof(d.abort_err), r.abort_err);
        TRY(job__plan_read(r.plan, &d.plan));
        *ret = d;
        return NULL;
}

void job__doc_snap(const struct job_doc *d, struct job_snap *ret)
{
        const struct job_plan *p = d->plan;

        *ret = (struct job_snap){ .kind = p->kind, .bck = p->bck, .src = p->src, .dst = p->dst,
                                  .start_ns = p->start_ns };
        memcpy(ret->id, p->id, sizeof(ret->id));
        memcpy(ret->ctlmsg, p->ctlmsg, sizeof(ret->ctlmsg));
        memcpy(ret->err, d->err, sizeof(ret->err));
        memcpy(ret->abort_err, d->abort_err, sizeof(ret->abort_err));
        ret->aborted = d->abort_err[0] != '\0';
        ret->end_ns = d->state == JOB_DOC_ENDED ? MAX(d->changed_ns, p->start_ns + 1) : 0;
        ret->idle = ret->end_ns != 0;
        ret->epoch = p->epoch;
}
