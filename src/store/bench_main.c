/* store/bench_main.c: figures of the store alone, without HTTP: orlop-store-bench DIR [THREADS [SECONDS [NAMES]]].
 *
 * DIR must be empty or hold an earlier run's store; it is left as it is, so that a second run measures the start with
 * what the first one stored. Not part of the library. */
#include "store/store.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "os/clock.h"
#include "os/sysinfo.h"
#include "os/thread.h"

struct load {
        struct store *s;
        size_t size;
        bool fast, read;
        _Atomic bool stop;
        _Atomic uint64_t next, done, failed, waited_ns;
};
static char bytes[1 << 20];

static void must(struct err *e, const char *doing)
{
        char text[512];
        if (!e)
                return;
        fprintf(stderr, "%s: %s\n", doing, err_text(e, text, sizeof text));
        exit(1);
}

static struct err *one_put(struct load *l, const struct obj_key *key)
{
        struct put *p;
        struct put_result r;
        struct put_attrs a = {
                .cksum_type = CKSUM_XXHASH, .cksum = STR("0123456789abcdef"), .versioned = true, .fast = l->fast
        };
        TRY(store_put_begin(l->s, key, (int64_t)l->size, &p));
        struct err *e = store_put_write(p, bytes, l->size);
        if (e) {
                store_put_abort(p);
                return e;
        }
        return store_put_commit(p, &a, &r);
}

static struct err *one_get(struct load *l, const struct obj_key *key)
{
        struct content *c = store_cached(l->s, key);
        if (!c)
                TRY(store_open_object(l->s, key, &c));
        content_unref(c);
        return NULL;
}

static void worker(void *arg)
{
        struct load *l = arg;
        while (!atomic_load(&l->stop)) {
                char name[64];
                uint64_t i = atomic_fetch_add(&l->next, 1);
                int n = snprintf(name, sizeof name, "put/%zu/%d/%012" PRIu64, l->size, l->fast,
                                 l->read ? hash_mix(i) % 2000 : i);
                struct obj_key key = { 1, { name, (size_t)n } };
                int64_t start = clock_mono_ns();
                struct err *e = l->read ? one_get(l, &key) : one_put(l, &key);
                atomic_fetch_add(&l->waited_ns, (uint64_t)(clock_mono_ns() - start));
                atomic_fetch_add(e ? &l->failed : &l->done, 1);
                err_free(e);
        }
}

static void run(struct store *s, const char *what, size_t size, bool fast, bool read, unsigned threads,
                unsigned seconds)
{
        struct load l = { .s = s, .size = size, .fast = fast, .read = read };
        struct thread *t[256];
        struct store_stats a, b;
        struct sysinfo_cpu_mem m0, m1;
        must(sysinfo_read(&m0), "sysinfo");
        store_stats(s, &a);
        int64_t start = clock_mono_ns();
        for (unsigned i = 0; i < threads; i++)
                must(thread_start(&t[i], "bench", THREAD_WORKER, worker, &l), "thread");
        clock_sleep_ns(seconds * NS_PER_SEC);
        atomic_store(&l.stop, true);
        for (unsigned i = 0; i < threads; i++)
                thread_join(t[i]);
        double took = (double)(clock_mono_ns() - start) / 1e9;
        must(sysinfo_read(&m1), "sysinfo");
        store_stats(s, &b);
        uint64_t done = l.done ? l.done : 1, batches = b.batches - a.batches;
        printf("%-28s %3u threads %9.0f/s %8.1f MB/s  mean %7.0f us  cpu %5.1f us/op  %6.1f per batch  failed %" PRIu64
               "\n",
               what, threads, (double)l.done / took, (double)l.done * (double)size / took / 1e6,
               (double)l.waited_ns / (double)done / 1e3,
               (double)(m1.cpu_user_ms + m1.cpu_system_ms - m0.cpu_user_ms - m0.cpu_system_ms) * 1e3 / (double)done,
               batches ? (double)l.done / (double)batches : 0.0, l.failed);
}

struct filler {
        _Atomic uint64_t in_flight;
};

static void filled(void *arg, struct err *e, const struct put_result *r)
{
        (void)r;
        must(e, "fill");
        atomic_fetch_sub(&((struct filler *)arg)->in_flight, 1);
}

static void fill(struct store *s, uint64_t names)
{
        struct filler f = { 0 };
        struct put_attrs a = {
                .cksum_type = CKSUM_XXHASH, .cksum = STR("0123456789abcdef"), .versioned = true, .fast = true
        };
        int64_t start = clock_mono_ns();
        for (uint64_t i = 0; i < names; i++) {
                char name[64];
                int n = snprintf(name, sizeof name, "dir%03" PRIu64 "/object-%09" PRIu64 ".bin", hash_mix(i) % 1000, i);
                struct obj_key key = { 2, { name, (size_t)n } };
                atomic_fetch_add(&f.in_flight, 1);
                while (!store_put_small_async(s, &key, bytes, 100, &a, filled, &f))
                        clock_sleep_ns(100 * NS_PER_US);
        }
        while (f.in_flight)
                clock_sleep_ns(NS_PER_MS);
        printf("fill                         %9.0f names/s\n", (double)names * 1e9 / (double)(clock_mono_ns() - start));
}

static uint64_t list(struct store *s, bool full, struct str after, uint64_t max)
{
        struct scan *sc;
        struct str name;
        struct obj_meta m;
        struct sysinfo_cpu_mem m0, m1;
        uint64_t n = 0, bytes_seen = 0;
        must(sysinfo_read(&m0), "sysinfo");
        int64_t start = clock_mono_ns();
        must(store_scan_open(s, 2, STR(""), after, &sc), "scan");
        while (n < max && store_scan_next(sc, full, &name, &m)) {
                n++;
                bytes_seen += m.size;
        }
        must(store_scan_close(sc), "scan");
        double took = (double)(clock_mono_ns() - start) / 1e9;
        must(sysinfo_read(&m1), "sysinfo");
        uint64_t cpu_ms = m1.cpu_user_ms + m1.cpu_system_ms - m0.cpu_user_ms - m0.cpu_system_ms;
        printf("list %-23s %9.0f names/s (%" PRIu64 " names, %.2f ms, %" PRIu64 " ms of cpu, %" PRIu64 " bytes)\n",
               full ? "full" : "brief", (double)n / took, n, took * 1e3, cpu_ms, bytes_seen);
        return n;
}

static void rss(const char *when)
{
        struct sysinfo_cpu_mem m;
        must(sysinfo_read(&m), "sysinfo");
        printf("resident %-20s %6.1f MiB\n", when, (double)m.proc_resident / 1048576.0);
}

int main(int argc, char **argv)
{
        if (argc < 2) {
                fprintf(stderr, "usage: %s DIR [THREADS [SECONDS [NAMES]]]\n", argv[0]);
                return 2;
        }
        unsigned threads = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 64, seconds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 3;
        uint64_t names = argc > 4 ? strtoull(argv[4], NULL, 10) : 1000000;
        struct store_options o = { .paths = (const char *const[]){ argv[1] },
                                   .npaths = 1,
                                   .cluster_uuid = "bench",
                                   .target_id = "bench",
                                   .node = 1 };
        struct store *s;
        threads = MIN(MAX(threads, 1u), 256u);
        int64_t start = clock_mono_ns();
        must(store_open(&o, &s), "open");
        printf("open                         %9.1f ms\n", (double)(clock_mono_ns() - start) / 1e6);
        rss("after open");
        list(s, false, STR("dir500"), 1000);
        if (seconds) {
                run(s, "put 4 KiB durable", 4096, false, false, threads, seconds);
                run(s, "put 4 KiB durable", 4096, false, false, 1, seconds);
                run(s, "put 4 KiB fast", 4096, true, false, threads, seconds);
                run(s, "put 1 MiB durable", 1 << 20, false, false, MIN(threads, 16u), seconds);
                run(s, "get 4 KiB cached", 4096, false, true, 2, seconds);
                rss("after load");
        }
        if (list(s, false, STR(""), UINT64_MAX) < names) {
                fill(s, names);
                list(s, false, STR(""), UINT64_MAX);
        }
        list(s, false, STR(""), UINT64_MAX);
        list(s, true, STR(""), UINT64_MAX);
        list(s, false, STR("dir500"), 1000);
        rss("after lists");
        start = clock_mono_ns();
        store_close(s);
        printf("close                        %9.1f ms\n", (double)(clock_mono_ns() - start) / 1e6);
        return 0;
}
