/* daemon/shares.c: the shares of requests, cache, workers, connections and files. Each has a size that serves well where
 * there is plenty, and gets less where a cgroup, the machine or ulimit allows little: a process that is killed for memory
 * answers nobody, and one without descriptors loses writes; one that says 503 for a moment does neither.
 *
 * Descriptors: five eighths for connections, one for cached contents, one for uploads; what is left serves records, work
 * files, reads of contents that are not cached, and other nodes (net gives them a sixteenth). */
#define LOG_FOLDER "daemon"
#include "daemon/shares.h"

#include "base/log.h"
#include "os/sysinfo.h"

#define MIB ((uint64_t)1 << 20)
#define ENOUGH (1024 * MIB)     /* from here on workers and cache have their full size */
#define LEAST_REQUESTS (8 * MIB)
#define LEAST_CACHE (4 * MIB)

static struct err *size_setting(struct str text, const char *name, uint64_t least, uint64_t *v)
{
        if (text.n == 0)
                return NULL;
        if (!str_size(text, v) || *v < least)
                return err_new(ERR_INVALID, "--%s: expecting a size such as 256MiB, at least %luMiB", name,
                               (unsigned long)(least / MIB));
        return NULL;
}

/* A part of `full` in proportion to what there is. */
static unsigned scaled(unsigned full, uint64_t all)
{
        return all >= ENOUGH ? full : (unsigned)MAX(full * all / ENOUGH, 8u);
}

struct err *shares_make(const struct settings *s, uint64_t files, struct shares *ret)
{
        uint64_t all = sysinfo_memory_limit();
        if (all == 0)
                all = ENOUGH; /* not known */
        uint64_t requests = all / 4, cache = MIN(64 * MIB, all / 16);
        TRY(size_setting(s->memory, "memory", LEAST_REQUESTS, &requests));
        TRY(size_setting(s->cache_size, "cache-size", LEAST_CACHE, &cache));
        if (all < ENOUGH)
                sysinfo_save_memory();
        unsigned eighth = (unsigned)MIN(files / 8, (uint64_t)1 << 20);
        *ret = (struct shares){
                .requests = MAX((size_t)requests, (size_t)LEAST_REQUESTS),
                .connections = MAX(5 * eighth, 16u),
                .cache_files = MIN(MAX(eighth, 1u), 8192u),
                .uploads = MAX(eighth, 8u),
                .cache = MAX((size_t)cache, (size_t)LEAST_CACHE),
                .workers = {
                        .max_running = { [POOL_CONTROL] = scaled(64, all), [POOL_DATA] = scaled(512, all),
                                         [POOL_UPLOAD] = scaled(512, all), [POOL_BACKEND] = scaled(64, all),
                                         [POOL_JOBS] = 32, [POOL_PEER] = scaled(256, all) },
                        .max_queued = { [POOL_CONTROL] = 4096, [POOL_DATA] = 16384, [POOL_UPLOAD] = 16384,
                                        [POOL_BACKEND] = 1024, [POOL_JOBS] = 1024, [POOL_PEER] = 16384 },
                },
        };
        log_info("memory: %lu MiB may be used, %lu MiB by requests, %lu MiB by the cache", (unsigned long)(all / MIB),
                 (unsigned long)(ret->requests / MIB), (unsigned long)(ret->cache / MIB));
        return NULL;
}
