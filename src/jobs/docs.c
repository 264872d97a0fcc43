/* jobs/docs.c: documents of jobs in the cluster's state: "job/<id>". What one version of the program can not read
 * another may: it is left alone, and logged. Bounds: of documents that have ended ENDED_KEEP are kept; of running
 * ones RUNNING_MAX can be started (launch.c). */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"

#define ENDED_KEEP 256
#define TRIM_AT (ENDED_KEEP + 32) /* not one command for each job */

static struct str key_of(const char *id, char buf[static 48])
{
        snprintf(buf, 48, "job/%s", id);
        return str_of(buf);
}

struct err *jobs__doc_put(struct jobs *js, const struct job_doc *d)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char key[48];

        TRY(job__doc_write(d, &b));
        return cluster_doc_put(js->node->cluster, key_of(d->plan->id, key), buf_str(&b));
}

struct err *jobs__doc_remove(struct jobs *js, const char *id)
{
        char key[48];

        return cluster_doc_put(js->node->cluster, key_of(id, key), STR_NONE);
}

/* Texts are copied first: the state is not to be held while they are worked on. */
struct copies {
        struct str *text;
        size_t n, room;
        bool ended;
};

static struct err *copy_text(void *arg, struct str key, struct str body)
{
        struct copies *c = arg;

        (void)key;
        if (!c->ended && job__doc_has_ended(body))
                return NULL;
        if (c->n == c->room) {
                size_t room = c->room ? 2 * c->room : 64;
                struct str *more = realloc(c->text, room * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                c->text = more;
                c->room = room;
        }
        c->text[c->n] = (struct str){ str_dup(body), body.n };
        if (!c->text[c->n].p)
                return err_static(ERR_NO_MEMORY);
        c->n++;
        return NULL;
}

struct err *jobs__doc_each(struct jobs *js, bool ended, struct err *(*fn)(void *arg, struct job_doc *d), void *arg)
{
        struct copies c = { .ended = ended };
        struct err *e = cluster_doc_each(js->node->cluster, STR("job/"), copy_text, &c);

        for (size_t i = 0; i < c.n; i++) {
                AUTO_JOB_DOC struct job_doc d = { .plan = NULL };
                struct err *bad = e ? NULL : job__doc_read(c.text[i], &d);

                if (bad)
                        log_err(LOG_WARN, LOG_FOLDER, bad, "a job's document");
                else if (!e)
                        e = fn(arg, &d);
                free((void *)(uintptr_t)c.text[i].p);
        }
        free(c.text);
        return e;
}

struct seek {
        char key[48];
        bool found;
};

static struct err *seek(void *arg, struct str key, struct str body)
{
        struct seek *s = arg;

        (void)body;
        s->found = s->found || str_eq(key, str_of(s->key));
        return NULL;
}

bool jobs__doc_exists(struct jobs *js, const char *id)
{
        struct seek s = { .found = false };

        err_free(cluster_doc_each(js->node->cluster, key_of(id, s.key), seek, &s));
        return s.found;
}

struct old {
        char id[40];
        int64_t end_ns;
};
struct olds {
        struct old *all;
        size_t n, room;
};

static struct err *count_ended(void *arg, struct str key, struct str body)
{
        (void)key;
        *(size_t *)arg += job__doc_has_ended(body);
        return NULL;
}

static struct err *note_ended(void *arg, struct job_doc *d)
{
        struct olds *o = arg;

        if (d->state != JOB_DOC_ENDED || o->n == o->room)
                return NULL;
        memcpy(o->all[o->n].id, d->plan->id, sizeof(o->all[o->n].id));
        o->all[o->n++].end_ns = d->changed_ns;
        return NULL;
}

static int by_end(const void *a, const void *b)
{
        const struct old *x = a, *y = b;

        return (x->end_ns > y->end_ns) - (x->end_ns < y->end_ns);
}

void jobs__doc_trim(struct jobs *js)
{
        struct olds o = { .n = 0 };
        char newest[40];
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct err *e = cluster_doc_each(js->node->cluster, STR("job/"), count_ended, &o.room);

        if (!e && o.room > TRIM_AT) {
                o.all = calloc(o.room, sizeof(*o.all));
                e = o.all ? jobs__doc_each(js, true, note_ended, &o) : err_static(ERR_NO_MEMORY);
        }
        if (o.n > 0)
                qsort(o.all, o.n, sizeof(*o.all), by_end);
        job_rebalance_id(snap->placement.epoch, 0, newest); /* its absence would start it again */
        for (size_t i = 0; !e && i + ENDED_KEEP < o.n; i++)
                if (strcmp(o.all[i].id, newest) != 0)
                        e = jobs__doc_remove(js, o.all[i].id);
        free(o.all);
        if (e)
                log_err(LOG_DEBUG, LOG_FOLDER, e, "history of jobs");
}
