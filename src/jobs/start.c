/* jobs/start.c: the generic start: which kinds a client may start by name, and what each needs. */
#include "jobs/priv.h"

struct err *job_start_kind(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        static const struct {
                const char *kind;
                struct err *(*start)(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]);
        } starters[] = {
                { "lru", job__start_lru },
                { "cleanup-store", job__start_cleanup },
                { "resilver", job__start_resilver },
                { "load-lom-cache", job__start_load_cache },
        };
        const struct job_kind *k = a->kind;

        if (k->scope == JOB_BUCKET && !a->bucket)
                return err_new(ERR_INVALID, "xaction \"%s\" requires a bucket to start", k->name);
        if (strcmp(k->name, "rebalance") == 0) {
                AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(jobs__node(js)->cluster);

                return err_new(ERR_NOT_ENOUGH_TARGETS, "not enough targets: Smap v%llu, need 2, have %u",
                               (unsigned long long)snap->smap_version, snap->target_count);
        }
        if (strcmp(k->name, "prefetch-listrange") == 0 || strcmp(k->name, "blob-download") == 0) {
                char text[192];

                return err_new(ERR_NOT_REMOTE_BUCKET, "%s: expecting remote bucket (have %s)", k->name,
                               bck_text(&a->bucket->bck, text));
        }
        for (size_t i = 0; i < ARRAY_LEN(starters); i++)
                if (strcmp(starters[i].kind, k->name) == 0)
                        return starters[i].start(js, a, ret_id);
        if (!k->startable)
                return err_new(ERR_INVALID, "xaction \"%s\" cannot be started by name", k->name);
        return err_new(ERR_NOT_IMPLEMENTED, "xaction \"%s\" is not implemented", k->name);
}
