/* bench/main.c: orlop-bench, the load generator: see README.md. Starts the threads, waits until the time is over or
 * everything was sent, and prints one line:
 * RESULT requests µs bytes errors p50 p99 max p99.9 redirects (latencies in µs).
 *
 * Failure: exit code 1 when a connection failed (client.c says which), 2 for usage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/load.h"
#include "os/clock.h"

/* ---- figures ---- */

/* The middle of a bucket, in µs. */
static double bucket_us(unsigned at)
{
        uint64_t low = (uint64_t)(at % LOAD_FINE + LOAD_FINE) << (at / LOAD_FINE);
        return ((double)low + 0.5 * (double)(UINT64_C(1) << (at / LOAD_FINE)) - LOAD_FINE) * 64 / 1e3;
}

static double percentile(const uint32_t *latencies, uint64_t all, double part)
{
        uint64_t want = (uint64_t)((double)all * part), seen = 0;
        for (unsigned i = 0; i < LOAD_BUCKETS; i++) {
                seen += latencies[i];
                if (seen > want)
                        return bucket_us(i);
        }
        return 0;
}

static void add_figures(struct worker *sum, const struct worker *w)
{
        sum->requests += w->requests;
        sum->hops += w->hops;
        sum->bytes += w->bytes;
        sum->errors += w->errors;
        sum->lost |= w->lost;
        sum->max_ns = MAX(sum->max_ns, w->max_ns);
        sum->end_ns = MAX(sum->end_ns, w->end_ns);
        for (unsigned k = 0; k < LOAD_BUCKETS; k++)
                sum->latencies[k] += w->latencies[k];
}

static void print_figures(const struct worker *sum, int64_t begin)
{
        printf("RESULT %llu %lld %llu %llu %.1f %.1f %.1f %.1f %llu\n", (unsigned long long)sum->requests,
               (long long)(sum->end_ns - begin) / 1000, (unsigned long long)sum->bytes, (unsigned long long)sum->errors,
               percentile(sum->latencies, sum->requests, 0.5), percentile(sum->latencies, sum->requests, 0.99),
               (double)sum->max_ns / 1e3, percentile(sum->latencies, sum->requests, 0.999),
               (unsigned long long)sum->hops);
}

/* ---- threads ---- */

static void on_end(struct loop_timer *t)
{
        struct worker *w = CONTAINER_OF(t, struct worker, end);
        w->end_ns = clock_mono_ns();
        loop_stop(w->loop);
}

static void run(void *arg)
{
        struct worker *w = arg;
        if (!w->load->total)
                loop_timer_set(w->loop, &w->end, clock_mono_ns() + w->load->run_ns);
        if (w->busy > 0)
                loop_run(w->loop);
}

static struct err *start(struct worker *w, const struct load *l, unsigned index)
{
        w->load = l;
        w->index = index;
        w->turn = l->put ? 0 : index * 7919u;
        w->end.on_timer = on_end;
        TRY(loop_new(&w->loop));
        for (unsigned i = index; i < l->connections; i += l->threads)
                TRY(client_add(w));
        return thread_start(&w->thread, "load", THREAD_LOOP, run, w);
}

static struct err *measure(const struct load *l)
{
        struct worker *all = calloc(l->threads, sizeof(*all));
        if (!all)
                return err_static(ERR_NO_MEMORY);
        int64_t begin = clock_mono_ns();
        for (unsigned i = 0; i < l->threads; i++)
                TRY(start(&all[i], l, i));
        for (unsigned i = 0; i < l->threads; i++)
                thread_join(all[i].thread);
        for (unsigned i = 1; i < l->threads; i++)
                add_figures(&all[0], &all[i]);
        if (all[0].lost)
                return err_static(ERR_CLOSED);
        print_figures(&all[0], begin);
        return NULL; /* the process ends: connections and loops with it */
}

/* ---- command line ---- */

/* Options stand before the rest; the index of what follows them, or 0. */
static int take_options(int argc, char **argv, struct load *l)
{
        int i = 1;
        for (; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
                if (strcmp(argv[i], "--follow") == 0)
                        l->follow = true;
                else if (strcmp(argv[i], "--total") == 0 && i + 1 < argc)
                        l->total = strtoull(argv[++i], NULL, 10);
                else if (strcmp(argv[i], "--pause-ms") == 0 && i + 1 < argc)
                        l->pause_ns = (int64_t)(strtod(argv[++i], NULL) * 1e6);
                else
                        return 0;
        }
        bool known = argc - i == 7 && (strcmp(argv[i], "put") == 0 || (strcmp(argv[i], "get") == 0 && !l->total));
        return known ? i : 0;
}

static struct err *load_of(char **argv, struct load *l)
{
        l->put = strcmp(argv[0], "put") == 0;
        l->address = argv[1];
        l->prefix = argv[4];
        l->query = argv[6];
        l->connections = (unsigned)strtoul(argv[2], NULL, 10);
        l->run_ns = (int64_t)(strtod(argv[3], NULL) * 1e9);
        size_t n = strtoul(argv[5], NULL, 10);
        if (l->connections == 0 || l->run_ns <= 0 || n == 0)
                return err_new(ERR_INVALID, "connections, seconds and count or size must be above 0");
        l->threads = l->connections == 1 ? 1 : 2;
        l->run = (unsigned long)(clock_wall_ns() / NS_PER_MS) & 0xffffffff;
        l->count = (unsigned)n;
        if (!l->put)
                return NULL;
        l->body = malloc(n);
        l->body_n = n;
        if (!l->body)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++)
                l->body[i] = (char)(32 + (i * 7 + i / 64) % 90);
        return NULL;
}

int main(int argc, char **argv)
{
        struct load l = { .put = false };
        int first = take_options(argc, argv, &l);
        if (!first) {
                fputs("usage: orlop-bench [OPTIONS] get ADDRESS CONNECTIONS SECONDS PREFIX COUNT QUERY\n"
                      "       orlop-bench [OPTIONS] put ADDRESS CONNECTIONS SECONDS PREFIX BYTES QUERY\n"
                      "  --follow        follow redirects\n"
                      "  --total N       put: the names PREFIX0 to PREFIX<N-1>, once each, however long it takes\n"
                      "  --pause-ms N    of each connection after each answer (steps of 50)\n",
                      stderr);
                return 2;
        }
        struct err *e = load_of(argv + first, &l);
        if (!e)
                e = measure(&l);
        if (!e)
                return 0;
        char text[512];
        fprintf(stderr, "orlop-bench: %s\n", err_text(e, text, sizeof(text)));
        err_free(e);
        return 1;
}
