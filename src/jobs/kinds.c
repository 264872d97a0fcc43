/* jobs/kinds.c: the table of job kinds that the wire knows, by name and by display name. Constant data; any thread.
 *
 * Columns as in jobs.h: scope, startable, notifies, conflicts, idle, built, change. A kind that is not built exists
 * by name alone: queries about it answer "none", starting it is NOT_IMPLEMENTED. */
#include "jobs/jobs.h"

#define STAYS JOB_CHANGE_NOTHING
#define AGAIN JOB_CHANGE_AGAIN
#define ENDS JOB_CHANGE_ENDS

static const struct job_kind kinds[] = {
        /* name               display                scope              start  notif  confl  idle   built  change */
        { "election", "elect-primary", JOB_CLUSTER, false, false, false, false, false, STAYS },
        { "rebalance", "rebalance", JOB_CLUSTER, true, true, false, false, true, STAYS },
        { "etl-inline", "etl-inline", JOB_CLUSTER, false, true, false, false, false, STAYS },
        { "lru", "lru-eviction", JOB_BUCKET_OR_ALL, true, true, false, false, true, STAYS },
        { "cleanup-store", "cleanup", JOB_BUCKET_OR_ALL, true, true, true, false, true, STAYS },
        { "summary-bck", "summary", JOB_BUCKET_OR_ALL, false, false, false, false, true, STAYS },
        { "summary-shard", "shard-summary", JOB_BUCKET, false, false, false, false, false, STAYS },
        { "resilver", "resilver", JOB_NODE, true, false, false, false, true, STAYS },
        { "rechunk", "rechunk", JOB_BUCKET, true, true, true, false, false, STAYS },
        { "index-shard", "shard-index", JOB_BUCKET, false, true, true, false, false, STAYS },
        { "ec-get", "ec-get", JOB_BUCKET, false, false, false, true, false, STAYS },
        { "ec-put", "ec-put", JOB_BUCKET, false, false, false, true, false, STAYS },
        { "ec-resp", "ec-resp", JOB_BUCKET, false, false, false, true, false, STAYS },
        { "put-copies", "put-copies", JOB_BUCKET, false, false, false, true, false, STAYS },
        { "archive", "archive", JOB_BUCKET, false, false, false, true, false, STAYS },
        { "copy-listrange", "copy-objects", JOB_BUCKET, false, false, true, true, true, ENDS },
        { "etl-listrange", "etl-objects", JOB_BUCKET, false, false, true, true, false, STAYS },
        { "blob-download", "blob-download", JOB_BUCKET, true, false, false, false, false, STAYS },
        { "download", "download", JOB_CLUSTER, false, true, false, true, false, STAYS },
        { "dsort", "dsort", JOB_BUCKET, false, false, true, false, false, STAYS },
        { "promote", "promote-files", JOB_BUCKET, false, true, false, false, true, STAYS },
        { "evict-listrange", "evict-objects", JOB_BUCKET, false, true, false, false, false, STAYS },
        { "evict-remote-bck", "evict-remote-bucket", JOB_BUCKET, false, false, false, false, false, STAYS },
        { "delete-listrange", "delete-objects", JOB_BUCKET, false, true, false, false, true, AGAIN },
        { "prefetch-listrange", "prefetch-objects", JOB_BUCKET, true, true, false, false, false, STAYS },
        { "ec-encode", "ec-bucket", JOB_BUCKET, true, true, true, false, false, STAYS },
        { "make-n-copies", "mirror", JOB_BUCKET, true, true, false, false, false, STAYS },
        { "move-bck", "rename-bucket", JOB_BUCKET, false, true, true, false, true, STAYS },
        { "copy-bck", "copy-bucket", JOB_BUCKET, false, true, true, false, true, ENDS },
        { "etl-bck", "etl-bucket", JOB_BUCKET, false, true, true, false, false, STAYS },
        { "list", "list", JOB_BUCKET, false, false, false, true, true, STAYS },
        { "get-batch", "get-batch", JOB_BUCKET_OR_ALL, false, false, true, true, false, STAYS },
        { "create-inventory", "create-inventory", JOB_BUCKET, false, true, true, false, false, STAYS },
        { "load-lom-cache", "warm-up-metadata", JOB_BUCKET, true, false, false, false, true, STAYS },
};

const struct job_kind *job_kind_find(struct str name)
{
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                if (str_eq(name, str_of(kinds[i].name)) || str_eq(name, str_of(kinds[i].display)))
                        return &kinds[i];
        return NULL;
}

const struct job_kind *job_kinds(unsigned *ret_n)
{
        *ret_n = ARRAY_LEN(kinds);
        return kinds;
}
