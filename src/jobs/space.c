/* jobs/space.c: cleanup-store and lru.
 *
 * cleanup-store removes left-over work, trash and contents without a record. It needs no bucket: what it removes
 * belongs to none. lru evicts objects of remote buckets when space is short. Objects of ais buckets have no other copy
 * and are never evicted, so that without remote buckets it looks and ends. */
#include "jobs/priv.h"

struct err *job__cleanup(struct job *j, void *plan)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);
        uint64_t files = 0, bytes = 0;

        (void)plan;
        if (!job_go_on(j))
                return job__cancelled();
        TRY(store_cleanup(job_node(j)->store, config_int(snap->config, "space.dont_cleanup_time"), &files, &bytes));
        job_progress(j, files, bytes);
        stat_add(&job_node(j)->stats, STAT_CLEANUP_N, (int64_t)files);
        stat_add(&job_node(j)->stats, STAT_CLEANUP_SIZE, (int64_t)bytes);
        return NULL;
}

struct err *job__lru(struct job *j, void *plan)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);

        (void)plan;
        for (size_t i = 0; i < snap->bucket_count; i++)
                if (bck_is_remote(&snap->buckets[i]->bck))
                        return err_new(ERR_NOT_IMPLEMENTED, "eviction from remote buckets is not built");
        return NULL;
}
