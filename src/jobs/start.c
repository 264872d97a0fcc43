/* jobs/start.c: which function does the work of which kind; the generic start: which kinds a client may start by name,
 * and what each needs. */
#include "jobs/priv.h"

static const struct {
        const char *kind;
        job_fn *run;
        bool by_name; /* the generic start starts it */
} parts[] = {
        { "lru", job__lru, true },
        { "cleanup-store", job__cleanup, true },
        { "resilver", job__resilver, true },
        { "load-lom-cache", job__load_cache, true },
        { "rebalance", job__rebalance, false },
        { "copy-bck", job__copy, false },
        { "copy-listrange", job__copy, false },
        { "delete-listrange", job__delete, false },
        { "promote", job__promote, false },
        { "summary-bck", job__summary, false },
};

job_fn *jobs__part_of(const struct job_kind *kind)
{
        for (size_t i = 0; i < ARRAY_LEN(parts); i++)
                if (strcmp(parts[i].kind, kind->name) == 0)
                        return parts[i].run;
        return NULL;
}

static bool starts_by_name(const struct job_kind *kind)
{
        for (size_t i = 0; i < ARRAY_LEN(parts); i++)
                if (strcmp(parts[i].kind, kind->name) == 0)
                        return parts[i].by_name;
        return false;
}

static struct err *check_resilver(struct jobs *js, struct str id)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(jobs__node(js)->cluster);
        const struct cluster_node *node;

        if (id.n == 0)
                return err_new(ERR_UNSUPPORTED,
                               "cannot run resilver on all targets in the cluster - operation not supported");
        node = snapshot_node(snap, id);
        if (!node || !node->target)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%llu", STR_ARG(id),
                               (unsigned long long)snap->smap_version);
        return NULL;
}

static struct err *start(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        struct job_plan *p;

        if (a->kind->scope == JOB_NODE)
                TRY(check_resilver(js, a->node));
        TRY(job__plan_new(a->kind->name, &p));
        if (a->bucket) {
                p->bck = a->bucket->bck;
                p->bid = a->bucket->bid;
        }
        if (a->kind->scope == JOB_NODE)
                str_copy(p->node, sizeof(p->node), a->node);
        return jobs__launch(js, p, ret_id);
}

struct err *job_start_kind(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        const struct job_kind *k = a->kind;

        if (k->scope == JOB_BUCKET && !a->bucket)
                return err_new(ERR_INVALID, "xaction \"%s\" requires a bucket to start", k->name);
        if (strcmp(k->name, "rebalance") == 0)
                return jobs__start_rebalance(js, a, ret_id);
        if (strcmp(k->name, "prefetch-listrange") == 0 || strcmp(k->name, "blob-download") == 0) {
                char text[192];

                return err_new(ERR_NOT_REMOTE_BUCKET, "%s: expecting remote bucket (have %s)", k->name,
                               bck_text(&a->bucket->bck, text));
        }
        if (starts_by_name(k))
                return start(js, a, ret_id);
        if (!k->startable)
                return err_new(ERR_INVALID, "xaction \"%s\" cannot be started by name", k->name);
        return err_new(ERR_NOT_IMPLEMENTED, "xaction \"%s\" is not implemented", k->name);
}
