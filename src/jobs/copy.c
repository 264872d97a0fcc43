/* jobs/copy.c: copy-bck and copy-listrange: copies objects between two buckets under new names.
 *
 * One pass over the source, each target over what it owns of it, while the copies belong to whoever owns their names;
 * with "synchronize" a second pass over the destination removes what the source lacks. A
 * source object that vanishes during the walk is skipped; a listed name that does not exist is noted. Any other failure
 * ends the job unless the client asked to go on. */
#include "jobs/priv.h"

#include <stdio.h>

struct str job_copy_name(const struct job_copy_options *o, struct str name, struct arena *a)
{
        const char *dot = name.n ? memrchr(name.p, '.', name.n) : NULL;
        struct str stem = name, ext = STR(""), out;
        char *p;

        if (dot) {
                struct str have = str_skip(name, (size_t)(dot - name.p) + 1);

                for (unsigned i = 0; i < o->nextensions; i++)
                        if (str_eq(o->extensions[i].from, have)) {
                                stem.n = (size_t)(dot - name.p) + 1;
                                ext = o->extensions[i].to;
                                while (ext.n > 0 && ext.p[0] == '.')
                                        ext = str_skip(ext, 1);
                                break;
                        }
        }
        out.n = o->prepend.n + stem.n + ext.n;
        out.p = p = arena_alloc(a, out.n + 1);
        if (!p)
                return STR_NONE;
        if (o->prepend.n)
                memcpy(p, o->prepend.p, o->prepend.n);
        memcpy(p + o->prepend.n, stem.p, stem.n);
        if (ext.n)
                memcpy(p + o->prepend.n + stem.n, ext.p, ext.n);
        return out;
}

static struct err *copy_one(struct job *j, const struct job_plan *p, const struct bucket *from, struct str name)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        AUTO_ARENA struct arena arena;
        const struct bucket *to;
        struct str to_name;
        uint64_t bytes = 0;
        struct err *e;

        arena_init(&arena, 4096, 0);
        to_name = job_copy_name(&p->copy, name, &arena);
        if (!to_name.p)
                return err_static(ERR_NO_MEMORY);
        TRY(object_name_check(to_name));
        if (p->copy.dry_run) {
                struct obj_meta meta;

                TRY(flow_head(job_node(j), from, name, &arena, &meta));
                bytes = meta.size;
        } else {
                TRY(job__bucket(j, p->to_bid, &snap, &to));
                if (from->bid == to->bid && str_eq(name, to_name))
                        return NULL;
                e = flow_copy(job_node(j), from, name, to, to_name, &bytes);
                if (err_code(e) == ERR_BUCKET_NOT_FOUND) /* it is known here: the owner of the copy will know it soon */
                        e = err_recode(e, ERR_UNAVAILABLE, "destination");
                TRY(e);
        }
        job_progress(j, 1, bytes);
        return NULL;
}

static struct err *visit(struct job *j, const struct bucket *from, struct str name, void *arg)
{
        const struct job_plan *p = arg;
        struct err *e = copy_one(j, p, from, name);
        enum err_code code = err_code(e);

        if (!e)
                return NULL;
        if (code == ERR_NOT_FOUND) {
                if (job__names_explicit(p->names))
                        job_note_error(j, e);
                else
                        err_free(e);
                return NULL;
        }
        if (!p->copy.limits.continue_on_error || code == ERR_NO_SPACE || code == ERR_BUCKET_NOT_FOUND ||
            code == ERR_NOT_OWNER || code == ERR_UNAVAILABLE)
                return e;
        job_note_error(j, e);
        return NULL;
}

/* Removes an object of the destination that has no namesake in the source. */
static struct err *prune(struct job *j, const struct bucket *to, struct str name, void *arg)
{
        const struct job_plan *p = arg;
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        AUTO_ARENA struct arena arena;
        const struct bucket *from;
        struct obj_meta meta;
        struct err *e;

        arena_init(&arena, 4096, 0);
        TRY(job__bucket(j, p->bid, &snap, &from));
        e = flow_head_anywhere(job_node(j), from, name, &arena, &meta);
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        e = flow_delete(job_node(j), to, name);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                e = NULL;
        }
        return e;
}

struct err *job__copy(struct job *j, void *plan)
{
        const struct job_plan *p = plan;
        int64_t workers = p->copy.limits.workers;

        TRY(job__each(j, &(struct job_walk){ p->bid, p->names, visit, plan, workers, p->spread }));
        if (p->copy.synchronize && !p->copy.dry_run)
                TRY(job__each(j, &(struct job_walk){ p->to_bid, p->names, prune, plan, workers, p->spread }));
        return NULL;
}

static struct err *keep_options(struct job_plan *p, const struct job_copy_options *o)
{
        struct job_extension *ext = arena_alloc(&p->arena, (o->nextensions + 1) * sizeof(*ext));

        if (!ext)
                return err_static(ERR_NO_MEMORY);
        p->copy = *o;
        p->copy.extensions = ext;
        TRY(job__plan_text(p, o->prepend, &p->copy.prepend));
        for (unsigned i = 0; i < o->nextensions; i++) {
                TRY(job__plan_text(p, o->extensions[i].from, &ext[i].from));
                TRY(job__plan_text(p, o->extensions[i].to, &ext[i].to));
        }
        return NULL;
}

static struct err *check(const struct job_copy_options *o)
{
        if (o->limits.workers < -1)
                return err_new(ERR_INVALID, "invalid num-workers=%lld (expecting -1, 0, or a positive number)",
                               (long long)o->limits.workers);
        if (o->synchronize && o->prepend.n > 0)
                return err_new(ERR_INVALID,
                               "prepend option (\"" STR_FMT
                               "\") is incompatible with the request to synchronize buckets",
                               STR_ARG(o->prepend));
        if (o->synchronize && o->nextensions > 0)
                return err_new(ERR_INVALID,
                               "changing extensions is incompatible with the request to synchronize buckets");
        return NULL;
}

struct err *job_start_copy(struct jobs *js, bool list, const struct bucket *from, const struct bucket *to,
                           struct job_names *sel, const struct job_copy_options *o, char ret_id[static 40])
{
        struct job_plan *p = NULL;
        struct err *e = check(o);
        char src[192], dst[192], text[128];

        if (!e)
                e = job__plan_new(list ? "copy-listrange" : "copy-bck", &p);
        if (e) {
                job_names_free(sel);
                return e;
        }
        p->bck = list ? from->bck : to->bck;
        p->src = from->bck;
        p->dst = to->bck;
        p->bid = from->bid;
        p->to_bid = to->bid;
        p->names = sel;
        e = keep_options(p, o);
        if (e) {
                job__plan_free(p);
                return e;
        }
        snprintf(p->ctlmsg, sizeof(p->ctlmsg), "cp %.70s=>%.70s, %.90s%s", bck_text(&from->bck, src),
                 bck_text(&to->bck, dst), job_names_text(sel, text), o->dry_run ? ", dry-run" : "");
        return jobs__launch(js, p, ret_id);
}
