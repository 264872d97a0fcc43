/* What the machine and this process use, from /proc, bounded by the cgroup (v2, else v1) that the process lives in,
 * since in a container the machine's numbers mislead. Percentages are differences since the call before, kept under
 * a lock.
 *
 * /proc/meminfo and /proc/self must be readable; the rest is best effort and stays zero. */
#include "os/sysinfo.h"

#include <malloc.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

enum { PROC_FILE_MAX = 1024 * 1024 };

static struct mutex lock = { .m = PTHREAD_MUTEX_INITIALIZER, .name = "sysinfo", .rank = RANK_OS };
static struct {
        int64_t at_ns;
        uint64_t proc_ms, busy, total;
} last; /* guarded by lock */

/* A small file as text; empty when it can not be read. */
static struct str slurp(const char *path, struct buf *b)
{
        buf_clear(b);
        err_free(file_read_all(AT_FDCWD, path, PROC_FILE_MAX, b));
        return buf_str(b);
}

/* The number after "key" at the start of a line, 0 if there is none. */
static uint64_t field(struct str text, const char *key)
{
        while (text.n > 0) {
                struct str line = str_cut(&text, '\n'), rest;
                uint64_t v = 0;

                if (!str_starts(line, str_of(key)))
                        continue;
                rest = str_trim(str_skip(line, strlen(key)));
                (void)str_u64(str_cut(&rest, ' '), &v);
                return v;
        }
        return 0;
}

/* One number in a file; false for "max" or no such file. */
static bool number_in(const char *path, struct buf *b, uint64_t *ret)
{
        return str_u64(str_trim(slurp(path, b)), ret);
}

/* Where a hierarchy is mounted, and the names of its files. */
struct hierarchy {
        const char *controller; /* in /proc/self/cgroup; "" is v2 */
        const char *mount, *limit, *used, *cache;
};
static const struct hierarchy hierarchies[] = {
        { "", "/sys/fs/cgroup", "memory.max", "memory.current", "file " },
        { "memory", "/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_cache " },
};

/* This process's place in a hierarchy, "/" and on; false: it is in none. */
static bool own_path(const struct hierarchy *h, char *ret, size_t size)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct str text = slurp("/proc/self/cgroup", &b);

        while (text.n > 0) {
                struct str line = str_cut(&text, '\n'), list;

                (void)str_cut(&line, ':'); /* "4:memory:/path", "0::/path" */
                list = str_cut(&line, ':');
                do {
                        if (str_eq(str_cut(&list, ','), str_of(h->controller)))
                                return str_copy(ret, size, line);
                } while (list.n > 0);
        }
        return false;
}

static bool cgroup_number(const struct hierarchy *h, const char *path, const char *file, struct buf *b, uint64_t *ret)
{
        char name[1024];
        int n = snprintf(name, sizeof(name), "%s%s/%s", h->mount, path, file);

        return n > 0 && (size_t)n < sizeof(name) && number_in(name, b, ret);
}

/* The least limit from this process's group up to the root, and the group that has it: false if there is none. In a
 * container the path may be the host's; then only the root, which is the container's own, is there. */
static bool least_limit(const struct hierarchy *h, struct buf *b, char *path, size_t size, uint64_t *ret)
{
        char at[512];
        bool found = false;

        if (!own_path(h, at, sizeof(at)))
                return false;
        for (;;) {
                uint64_t limit;
                char *slash = strrchr(at, '/');

                if (slash && slash[1] == '\0')
                        *slash = '\0'; /* the root */
                if (cgroup_number(h, at, h->limit, b, &limit) && (!found || limit < *ret)) {
                        found = true;
                        *ret = limit;
                        (void)str_copy(path, size, str_of(at));
                }
                slash = strrchr(at, '/');
                if (!slash)
                        return found;
                *slash = '\0';
        }
}

/* Lowers totals to the cgroup's limit. */
static void apply_cgroup(struct sysinfo_cpu_mem *m, struct buf *b)
{
        char path[512], stat[1024];

        for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++) {
                const struct hierarchy *h = &hierarchies[i];
                uint64_t limit, used, cache;

                if (!least_limit(h, b, path, sizeof(path), &limit) || limit >= m->mem_total ||
                    !cgroup_number(h, path, h->used, b, &used))
                        continue;
                (void)snprintf(stat, sizeof(stat), "%s%s/memory.stat", h->mount, path);
                cache = field(slurp(stat, b), h->cache);
                used = MIN(used, limit);
                cache = MIN(cache, used);
                m->mem_total = limit;
                m->mem_used = used;
                m->mem_free = limit - used;
                m->mem_buff_cache = cache;
                m->mem_actual_used = used - cache;
                m->mem_actual_free = limit - m->mem_actual_used;
        }
}

uint64_t sysinfo_memory_limit(void)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char path[512];
        uint64_t least = field(slurp("/proc/meminfo", &b), "MemTotal:") * 1024, limit;

        for (size_t i = 0; i < ARRAY_LEN(hierarchies); i++)
                if (least_limit(&hierarchies[i], &b, path, sizeof(path), &limit) && (least == 0 || limit < least))
                        least = limit;
        return least;
}

static struct err *read_memory(struct sysinfo_cpu_mem *m, struct buf *b)
{
        struct str text;
        uint64_t avail;

        buf_clear(b);
        TRY(file_read_all(AT_FDCWD, "/proc/meminfo", PROC_FILE_MAX, b));
        text = buf_str(b);
        m->mem_total = field(text, "MemTotal:") * 1024;
        m->mem_free = field(text, "MemFree:") * 1024;
        m->mem_buff_cache = (field(text, "Buffers:") + field(text, "Cached:") + field(text, "SReclaimable:")) * 1024;
        avail = field(text, "MemAvailable:") * 1024;
        m->mem_used = m->mem_total - m->mem_free;
        m->mem_actual_free = avail ? avail : m->mem_free + m->mem_buff_cache;
        m->mem_actual_used = m->mem_total - MIN(m->mem_actual_free, m->mem_total);
        m->swap_total = field(text, "SwapTotal:") * 1024;
        m->swap_free = field(text, "SwapFree:") * 1024;
        m->swap_used = m->swap_total - MIN(m->swap_free, m->swap_total);
        apply_cgroup(m, b);
        return NULL;
}

static uint64_t next_number(struct str *rest)
{
        uint64_t v = 0;

        *rest = str_trim(*rest);
        (void)str_u64(str_cut(rest, ' '), &v);
        return v;
}

static struct err *read_process(struct sysinfo_cpu_mem *m, struct buf *b)
{
        struct str text;
        uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
        struct rusage ru;

        buf_clear(b);
        TRY(file_read_all(AT_FDCWD, "/proc/self/statm", PROC_FILE_MAX, b));
        text = buf_str(b);
        m->proc_size = next_number(&text) * page;
        m->proc_resident = next_number(&text) * page;
        m->proc_share = next_number(&text) * page;
        if (getrusage(RUSAGE_SELF, &ru) == 0) {
                m->cpu_user_ms = (uint64_t)ru.ru_utime.tv_sec * 1000 + (uint64_t)ru.ru_utime.tv_usec / 1000;
                m->cpu_system_ms = (uint64_t)ru.ru_stime.tv_sec * 1000 + (uint64_t)ru.ru_stime.tv_usec / 1000;
        }
        return NULL;
}

static unsigned count_cpus(void)
{
        cpu_set_t set;
        int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 0;

        return n > 0 ? (unsigned)n : 1;
}

/* Percentages since the call before; zero at the first. */
static void add_percentages(struct sysinfo_cpu_mem *m, struct buf *b)
{
        struct str text = slurp("/proc/stat", b), line = str_cut(&text, '\n');
        uint64_t f[8], total = 0, busy, proc_ms = m->cpu_user_ms + m->cpu_system_ms;
        int64_t now = clock_mono_ns();

        (void)str_cut(&line, ' ');
        for (unsigned i = 0; i < ARRAY_LEN(f); i++)
                total += f[i] = next_number(&line);
        busy = total - f[3] - f[4]; /* without idle and iowait */
        LOCK_SCOPE(&lock);
        if (last.at_ns) {
                int64_t wall_ms = (now - last.at_ns) / NS_PER_MS;

                if (wall_ms > 0)
                        m->proc_cpu_pct = 100.0 * (double)(proc_ms - last.proc_ms) / (double)wall_ms;
                if (total > last.total && busy >= last.busy)
                        m->cpu_util_pct = (int)MIN(100 * (busy - last.busy) / (total - last.total), 100u);
        }
        last.at_ns = now;
        last.proc_ms = proc_ms;
        last.busy = busy;
        last.total = total;
}

struct err *sysinfo_read(struct sysinfo_cpu_mem *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct sysinfo_cpu_mem m = { .mem_total = 0 };
        double load[3] = { 0, 0, 0 };

        TRY_WRAP(read_memory(&m, &b), "memory of this machine");
        TRY_WRAP(read_process(&m, &b), "memory of this process");
        (void)getloadavg(load, 3);
        m.load1 = load[0];
        m.load5 = load[1];
        m.load15 = load[2];
        m.cpus = count_cpus();
        add_percentages(&m, &b);
        *ret = m;
        return NULL;
}

void sysinfo_save_memory(void)
{
        (void)mallopt(M_ARENA_MAX, 2);                  /* else up to eight per processor, each with its own holes */
        (void)mallopt(M_MMAP_THRESHOLD, 64 * 1024);     /* buffers of requests come and go as mappings */
        (void)mallopt(M_TRIM_THRESHOLD, 1024 * 1024);
}

void sysinfo_hostname(char *buf, size_t size)
{
        if (gethostname(buf, size) != 0)
                (void)str_copy(buf, size, STR("localhost"));
        buf[size - 1] = 0;
}

uint64_t sysinfo_raise_nofile(void)
{
        struct rlimit l;

        if (getrlimit(RLIMIT_NOFILE, &l) != 0)
                return 1024;
        if (l.rlim_cur < l.rlim_max) {
                rlim_t before = l.rlim_cur;

                l.rlim_cur = l.rlim_max;
                if (setrlimit(RLIMIT_NOFILE, &l) != 0)
                        l.rlim_cur = before;
        }
        return l.rlim_cur;
}
