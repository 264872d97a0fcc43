/* jobs/copy.c: copy-bck and copy-listrange: copies objects between two buckets under new names.
 *
 * One pass over the source; with "synchronize" a second one over the destination removes what the source lacks. A
 * source object that vanishes during the walk is skipped; a listed name that does not exist is noted. Any other failure
 * ends the job unless the client asked to go on. */
#include "jobs/priv.h"

#include <stdio.h>

struct copy_args {
        uint64_t from, to;
        struct job_names *sel;
        struct job_copy_options o; /* strings live in `arena` */
        struct arena arena;
};

static void free_args(void *p)
{
        struct copy_args *a = p;

        job_names_free(a->sel);
        arena_fini(&a->arena);
        free(a);
}

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

static struct err *copy_one(struct job *j, const struct copy_args *a, const struct bucket *from, struct str name)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        AUTO_ARENA struct arena arena;
        const struct bucket *to;
        struct str to_name;
        uint64_t bytes = 0;

        arena_init(&arena, 4096, 0);
        to_name = job_copy_name(&a->o, name, &arena);
        if (!to_name.p)
                return err_static(ERR_NO_MEMORY);
        TRY(object_name_check(to_name));
        if (a->o.dry_run) {
                struct obj_meta meta;

                TRY(flow_head(job_node(j), from, name, &arena, &meta));
                bytes = meta.size;
        } else {
                TRY(job__bucket(j, a->to, &snap, &to));
                if (from->bid == to->bid && str_eq(name, to_name))
                        return NULL;
                TRY(flow_copy(job_node(j), from, name, to, to_name, &bytes));
        }
        job_progress(j, 1, bytes);
        return NULL;
}

static struct err *visit(struct job *j, const struct bucket *from, struct str name, void *arg)
{
        const struct copy_args *a = arg;
        struct err *e = copy_one(j, a, from, name);
        enum err_code code = err_code(e);

        if (!e)
                return NULL;
        if (code == ERR_NOT_FOUND) {
                if (job__names_explicit(a->sel))
                        job_note_error(j, e);
                else
                        err_free(e);
                return NULL;
        }
        if (!a->o.limits.continue_on_error || code == ERR_NO_SPACE || code == ERR_BUCKET_NOT_FOUND)
                return e;
        job_note_error(j, e);
        return NULL;
}

/* Removes an object of the destination that has no namesake in the source. */
static struct err *prune(struct job *j, const struct bucket *to, struct str name, void *arg)
{
        const struct copy_args *a = arg;
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        AUTO_ARENA struct arena arena;
        const struct bucket *from;
        struct obj_meta meta;
        struct err *e;

        arena_init(&arena, 4096, 0);
        TRY(job__bucket(j, a->from, &snap, &from));
        e = flow_head(job_node(j), from, name, &arena, &meta);
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

static struct err *run(struct job *j, void *arg)
{
        const struct copy_args *a = arg;

        TRY(job__each(j, &(struct job_walk){ a->from, a->sel, visit, arg, a->o.limits.workers }));
        if (a->o.synchronize && !a->o.dry_run)
                TRY(job__each(j, &(struct job_walk){ a->to, a->sel, prune, arg, a->o.limits.workers }));
        return NULL;
}

static struct err *keep_options(struct copy_args *a, const struct job_copy_options *o)
{
        struct job_extension *ext;

        a->o = *o;
        a->o.prepend = str_arena(&a->arena, o->prepend);
        ext = arena_alloc(&a->arena, (o->nextensions + 1) * sizeof(*ext));
        if (!a->o.prepend.p || !ext)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < o->nextensions; i++) {
                ext[i].from = str_arena(&a->arena, o->extensions[i].from);
                ext[i].to = str_arena(&a->arena, o->extensions[i].to);
                if (!ext[i].from.p || !ext[i].to.p)
                        return err_static(ERR_NO_MEMORY);
        }
        a->o.extensions = ext;
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
        struct job_spec spec = { .kind = list ? "copy-listrange" : "copy-bck",
                                 .bck = list ? from->bck : to->bck,
                                 .src = from->bck,
                                 .dst = to->bck,
                                 .id_prefix = list ? "tco-" : NULL,
                                 .run = run,
                                 .free_arg = free_args };
        struct err *e = check(o);
        struct copy_args *a = e ? NULL : calloc(1, sizeof(*a));
        char src[192], dst[192], text[128];

        if (!a) {
                job_names_free(sel);
                return e ? e : err_static(ERR_NO_MEMORY);
        }
        a->from = from->bid;
        a->to = to->bid;
        a->sel = sel;
        arena_init(&a->arena, 1024, 0);
        e = keep_options(a, o);
        if (e) {
                free_args(a);
                return e;
        }
        spec.arg = a;
        snprintf(spec.ctlmsg, sizeof(spec.ctlmsg), "cp %.70s=>%.70s, %.90s%s", bck_text(&from->bck, src),
                 bck_text(&to->bck, dst), job_names_text(sel, text), o->dry_run ? ", dry-run" : "");
        return jobs_start(js, &spec, ret_id);
}
