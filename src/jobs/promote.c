/* jobs/promote.c: promote: stores files of this machine as objects.
 *
 * Only files below PROMOTE_ROOT, given by an absolute path without "." and ".." elements; symbolic links are left
 * alone. A file becomes an object of the given name (or prefix + base name); of a directory each file becomes prefix +
 * its path below the directory. Up to SYNC_MAX files are stored before the call returns, more by a job. A file that
 * vanishes during the walk is skipped; any other failure ends the work; a source is deleted only after its object is
 * stored. */
#include "jobs/priv.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>

#define SYNC_MAX 16
#define DEPTH_MAX 64

struct promote {
        uint64_t bid;
        char source[4096];
        char prefix[OBJECT_NAME_MAX + 1];
        bool recursive, overwrite, delete_source;
};
/* One walk: visit() is called for each regular file with its path below the source. */
struct walk {
        const struct promote *p;
        struct err *(*visit)(struct walk *w, const char *path, struct str below);
        struct node *node;
        struct job *job; /* null: synchronous */
        unsigned count, depth;
        struct buf path; /* the directory being read, absolute */
};

static struct err *walk_dir(struct walk *w);

/* Opens the directory that holds `path` (which is PROMOTE_ROOT or below it), following no symbolic link on the way
 * down: whoever may put files there must not reach others by way of a link, also not by exchanging a directory for
 * one meanwhile. *ret_base: the last element. */
static struct err *open_parent(const char *path, int *ret_fd, const char **ret_base)
{
        AUTO_FD int fd = -1;
        struct str rest = str_skip(str_of(path), strlen(PROMOTE_ROOT) + 1);
        char name[NAME_MAX + 1];

        TRY(file_open_dir(AT_FDCWD, PROMOTE_ROOT, &fd));
        *ret_base = rest.n > 0 ? rest.p : ".";
        while (str_find(rest, '/') >= 0) {
                struct str item = str_cut(&rest, '/');
                int next;

                *ret_base = rest.n > 0 ? rest.p : ".";
                if (item.n == 0)
                        continue;
                if (!str_copy(name, sizeof(name), item))
                        return err_new(ERR_PROMOTE_SOURCE, "promote source: a name in the path is too long");
                TRY(file_open_dir(fd, name, &next));
                cleanup_fd(&fd);
                fd = next;
        }
        *ret_fd = fd;
        fd = -1;
        return NULL;
}

static struct err *walk_entry(void *arg, const char *name, unsigned char type)
{
        struct walk *w = arg;
        size_t was = w->path.n;
        struct err *e = NULL;
        struct stat st;

        if (w->job && !job_go_on(w->job))
                return job__cancelled();
        buf_addc(&w->path, '/');
        buf_adds(&w->path, str_of(name));
        TRY(buf_err(&w->path));
        if (type == DT_UNKNOWN) {
                TRY(file_stat_at(AT_FDCWD, buf_cstr(&w->path), &st));
                type = S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_LNK;
        }
        if (type == DT_REG)
                e = w->visit(w, buf_cstr(&w->path), str_skip(buf_str(&w->path), strlen(w->p->source) + 1));
        else if (type == DT_DIR && w->p->recursive)
                e = walk_dir(w);
        w->path.n = was;
        return e;
}

static struct err *walk_dir(struct walk *w)
{
        AUTO_BUF struct buf dir = BUF_INIT; /* w->path grows while the directory is read */
        AUTO_FD int parent = -1;
        const char *base;
        struct err *e;

        if (w->depth >= DEPTH_MAX)
                return err_new(ERR_INVALID, "more than %d levels of directories below %s", DEPTH_MAX, w->p->source);
        buf_adds(&dir, buf_str(&w->path));
        TRY(buf_err(&dir));
        TRY(open_parent(buf_cstr(&dir), &parent, &base));
        w->depth++;
        e = file_each(parent, base, walk_entry, w);
        w->depth--;
        return e;
}

static struct err *walk(struct walk *w)
{
        struct err *e;

        buf_adds(&w->path, str_of(w->p->source));
        e = buf_err(&w->path);
        if (!e)
                e = walk_dir(w);
        buf_fini(&w->path);
        return e;
}

static struct err *store_file(struct walk *w, const char *path, struct str name)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(w->node->cluster);
        const struct bucket *b = snapshot_bucket_by_id(snap, w->p->bid);
        AUTO_FD int dir = -1;
        const char *base;
        uint64_t bytes = 0;
        bool stored = false;
        struct err *e;

        if (!b)
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was destroyed meanwhile");
        TRY(object_name_check(name));
        e = open_parent(path, &dir, &base);
        if (!e)
                e = flow_promote_file(w->node, b, name, dir, base, w->p->overwrite, &stored, &bytes);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        if (e)
                return e;
        if (w->p->delete_source && stored)
                e = file_unlink(dir, base);
        if (err_code(e) == ERR_NOT_FOUND) { /* another target sees the same directory, and was faster */
                err_free(e);
                e = NULL;
        }
        TRY(e);
        if (w->job && stored)
                job_progress(w->job, 1, bytes);
        return NULL;
}

static struct err *visit_store(struct walk *w, const char *path, struct str below)
{
        char name[OBJECT_NAME_MAX + 4097];
        int n = snprintf(name, sizeof(name), "%s%.*s", w->p->prefix, (int)MIN(below.n, 4096), below.p);

        return store_file(w, path, (struct str){ name, (size_t)n });
}

static struct err *visit_count(struct walk *w, const char *path, struct str below)
{
        (void)path;
        (void)below;
        return ++w->count > SYNC_MAX ? job__cancelled() : NULL; /* enough to know */
}

static bool texts(struct promote *p, struct str source, struct str prefix)
{
        return str_copy(p->source, sizeof(p->source), source) && str_copy(p->prefix, sizeof(p->prefix), prefix);
}

static struct err *check_root(struct str s)
{
        struct stat st;
        struct err *e = file_stat_at(AT_FDCWD, PROMOTE_ROOT, &st);

        if (!e && S_ISDIR(st.st_mode))
                return NULL;
        err_free(e);
        return err_new(ERR_PROMOTE_SOURCE, "invalid promote source \"" STR_FMT "\": directory %s does not exist",
                       STR_ARG(s),
                       PROMOTE_ROOT);
}

static struct err *check_text(struct str s)
{
        struct str rest = s;

        if (!str_starts(s, STR(PROMOTE_ROOT "/")) && !str_eq(s, STR(PROMOTE_ROOT)))
                return err_new(ERR_PROMOTE_SOURCE,
                               "invalid promote source \"" STR_FMT "\": must be an absolute path under %s", STR_ARG(s),
                               PROMOTE_ROOT);
        if (memchr(s.p, '\0', s.n))
                return err_new(ERR_PROMOTE_SOURCE, "invalid promote source: must not contain NUL");
        while (rest.n > 0) {
                struct str item = str_cut(&rest, '/');

                if (str_eq(item, STR(".")) || str_eq(item, STR("..")))
                        return err_new(ERR_PROMOTE_SOURCE,
                                       "invalid promote source \"" STR_FMT "\": must not contain '.' or '..'",
                                       STR_ARG(s));
        }
        return NULL;
}

static struct err *check_source(struct str s)
{
        TRY(check_root(s));
        return check_text(s);
}

static struct err *one_file(struct node *node, struct promote *p)
{
        struct walk w = { .p = p, .node = node };
        const char *base = strrchr(p->source, '/') + 1;
        char name[OBJECT_NAME_MAX + 4097];
        bool whole = p->prefix[0] != '\0' && p->prefix[strlen(p->prefix) - 1] != '/';
        int n = snprintf(name, sizeof(name), "%s%s", p->prefix, whole ? "" : base);

        return store_file(&w, p->source, (struct str){ name, (size_t)n });
}

/* NOT_FOUND when there is none; whatever else is wrong with it, it is no source. */
static struct err *stat_source(const char *path, struct stat *ret)
{
        AUTO_FD int dir = -1;
        const char *base;
        struct err *e = open_parent(path, &dir, &base);

        if (!e)
                e = file_stat_at(dir, base, ret);
        return !e || err_code(e) == ERR_NOT_FOUND ? e : err_recode(e, ERR_PROMOTE_SOURCE, "promote source");
}

/* A directory with few files at once, else by a job. Takes the plan. */
static struct err *start_dir(struct jobs *js, struct promote *p, struct job_plan *plan, char ret_id[static 40])
{
        struct walk w = { .p = p, .visit = visit_count, .node = jobs__node(js) };
        struct err *e = walk(&w);

        if (w.count > SYNC_MAX) {
                err_free(e);
                return jobs__launch(js, plan, ret_id);
        }
        if (!e) {
                struct walk now = { .p = p, .visit = visit_store, .node = jobs__node(js) };

                ret_id[0] = '\0';
                e = walk(&now);
        }
        job__plan_free(plan);
        return e;
}

static struct err *make_plan(const struct bucket *b, const struct promote *p, struct job_plan **ret)
{
        struct job_plan *plan;
        struct err *e;

        TRY(job__plan_new("promote", &plan));
        plan->bck = b->bck;
        plan->bid = b->bid;
        plan->promote = (struct job_promote_options){ .recursive = p->recursive, .overwrite = p->overwrite,
                                                      .delete_source = p->delete_source };
        e = job__plan_text(plan, str_of(p->source), &plan->promote.source);
        if (!e)
                e = job__plan_text(plan, str_of(p->prefix), &plan->promote.object);
        if (e) {
                job__plan_free(plan);
                return e;
        }
        snprintf(plan->ctlmsg, sizeof(plan->ctlmsg), "src:%.100s, dst:%.100s", p->source, p->prefix);
        *ret = plan;
        return NULL;
}

struct err *job__promote(struct job *j, void *arg)
{
        const struct job_plan *plan = arg;
        const struct job_promote_options *o = &plan->promote;
        struct promote p = { .bid = plan->bid, .recursive = o->recursive, .overwrite = o->overwrite,
                             .delete_source = o->delete_source };
        struct walk w = { .p = &p, .visit = visit_store, .node = job_node(j), .job = j };
        struct stat st;

        struct err *e = check_source(o->source);

        if (!e && !texts(&p, o->source, o->object))
                e = err_new(ERR_PROMOTE_SOURCE, "promote source or object name is too long");
        if (!e)
                e = stat_source(p.source, &st);
        if (err_code(e) == ERR_NOT_FOUND && plan->node[0] == '\0') { /* other targets have it */
                err_free(e);
                return NULL;
        }
        TRY(e);
        return S_ISDIR(st.st_mode) ? walk(&w) : one_file(w.node, &p);
}

struct err *job__promote_check(const struct job_plan *plan)
{
        struct promote p;
        struct stat st;

        TRY(check_source(plan->promote.source));
        if (!texts(&p, plan->promote.source, plan->promote.object))
                return err_new(ERR_PROMOTE_SOURCE, "promote source or object name is too long");
        return stat_source(p.source, &st);
}

struct err *job_start_promote(struct jobs *js, const struct bucket *b, const struct job_promote_options *o,
                              char ret_id[static 40])
{
        struct promote p = {
                .bid = b->bid, .recursive = o->recursive, .overwrite = o->overwrite, .delete_source = o->delete_source
        };
        struct str source = o->source, prefix = o->object;
        struct job_plan *plan;
        struct stat st;

        while (source.n > 1 && source.p[source.n - 1] == '/')
                source.n--;
        if (!jobs__has_peers(js)) /* else each target looks for itself */
                TRY(check_root(source));
        TRY(check_text(source));
        TRY(object_prefix_check(&prefix));
        if (!texts(&p, source, prefix))
                return err_new(ERR_PROMOTE_SOURCE, "promote source or object name is too long");
        if (jobs__has_peers(js)) { /* each target stores what it finds there */
                TRY(make_plan(b, &p, &plan));
                str_copy(plan->node, sizeof(plan->node), o->node);
                return jobs__launch(js, plan, ret_id);
        }
        TRY(stat_source(p.source, &st));
        if (S_ISDIR(st.st_mode)) {
                TRY(make_plan(b, &p, &plan));
                return start_dir(js, &p, plan, ret_id);
        }
        if (!S_ISREG(st.st_mode))
                return err_new(ERR_PROMOTE_SOURCE, "invalid promote source \"%s\": neither a file nor a directory",
                               p.source);
        ret_id[0] = '\0';
        return one_file(jobs__node(js), &p);
}
