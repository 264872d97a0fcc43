/* jobs/kinds.c: the table of job kinds that the wire knows, by name and by display name. Constant data; any thread.
 *
 * Columns as in jobs.h: scope, startable, notifies, conflicts, idle, built. A kind that is not built exists by name
 * alone: queries about it answer "none", starting it is NOT_IMPLEMENTED. */
#include "jobs/jobs.h"

static const struct job_kind kinds[] = {
        /* name               display                scope              start  notif  confl  idle   built */
        { "election", "elect-primary", JOB_CLUSTER, false, false, false, false, false },
        { "rebalance", "rebalance", JOB_CLUSTER, true, true, false, false, false },
        { "etl-inline", "etl-inline", JOB_CLUSTER, false, true, false, false, false },
        { "lru", "lru-eviction", JOB_BUCKET_OR_ALL, true, true, false, false, true },
        { "cleanup-store", "cleanup", JOB_BUCKET_OR_ALL, true, true, true, false, true },
        { "summary-bck", "summary", JOB_BUCKET_OR_ALL, false, false, false, false, true },
        { "summary-shard", "shard-summary", JOB_BUCKET, false, false, false, false, false },
        { "resilver", "resilver", JOB_NODE, true, false, false, false, true },
        { "rechunk", "rechunk", JOB_BUCKET, true, true, true, false, false },
        { "index-shard", "shard-index", JOB_BUCKET, false, true, true, false, false },
        { "ec-get", "ec-get", JOB_BUCKET, false, false, false, true, false },
        { "ec-put", "ec-put", JOB_BUCKET, false, false, false, true, false },
        { "ec-resp", "ec-resp", JOB_BUCKET, false, false, false, true, false },
        { "put-copies", "put-copies", JOB_BUCKET, false, false, false, true, false },
        { "archive", "archive", JOB_BUCKET, false, false, false, true, false },
        { "copy-listrange", "copy-objects", JOB_BUCKET, false, false, true, true, true },
        { "etl-listrange", "etl-objects", JOB_BUCKET, false, false, true, true, false },
        { "blob-download", "blob-download", JOB_BUCKET, true, false, false, false, false },
        { "download", "download", JOB_CLUSTER, false, true, false, true, false },
        { "dsort", "dsort", JOB_BUCKET, false, false, true, false, false },
        { "promote", "promote-files", JOB_BUCKET, false, true, false, false, true },
        { "evict-listrange", "evict-objects", JOB_BUCKET, false, true, false, false, false },
        { "evict-remote-bck", "evict-remote-bucket", JOB_BUCKET, false, false, false, false, false },
        { "delete-listrange", "delete-objects", JOB_BUCKET, false, true, false, false, true },
        { "prefetch-listrange", "prefetch-objects", JOB_BUCKET, true, true, false, false, false },
        { "ec-encode", "ec-bucket", JOB_BUCKET, true, true, true, false, false },
        { "make-n-copies", "mirror", JOB_BUCKET, true, true, false, false, false },
        { "move-bck", "rename-bucket", JOB_BUCKET, false, true, true, false, true },
        { "copy-bck", "copy-bucket", JOB_BUCKET, false, true, true, false, true },
        { "etl-bck", "etl-bucket", JOB_BUCKET, false, true, true, false, false },
        { "list", "list", JOB_BUCKET, false, false, false, true, true },
        { "get-batch", "get-batch", JOB_BUCKET_OR_ALL, false, false, true, true, false },
        { "create-inventory", "create-inventory", JOB_BUCKET, false, true, true, false, false },
        { "load-lom-cache", "warm-up-metadata", JOB_BUCKET, true, false, false, false, true },
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
