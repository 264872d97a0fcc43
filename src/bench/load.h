/* bench/load.h (inside bench): what is asked for, the figures of one thread, and its connections (client.c).
 *
 * A worker and its clients belong to the worker's loop thread; the main thread reads them when it has ended. */
#ifndef ORLOP_BENCH_LOAD_H
#define ORLOP_BENCH_LOAD_H

#include "base/str.h"
#include "os/loop.h"
#include "os/thread.h"

#define LOAD_SCRATCH ((size_t)256 * 1024)
#define LOAD_FINE 32u /* steps per doubling of a latency: 3 % */
#define LOAD_BUCKETS (40u * LOAD_FINE)

struct load {
        bool put, follow;
        const char *address, *prefix, *query;
        unsigned connections, threads, count; /* count: of paths to GET */
        uint64_t total;                       /* PUT the names 0 … total - 1 once each; 0: new names until the time is over */
        int64_t run_ns, pause_ns;             /* pause: of a connection between two requests */
        char *body;
        size_t body_n;
        unsigned long run; /* makes names new in each run */
};
struct worker {
        const struct load *load;
        struct loop *loop;
        struct thread *thread;
        struct loop_timer end;
        unsigned index, busy; /* busy: connections that have something to do */
        uint64_t turn, requests, hops, bytes, errors;
        int64_t max_ns, end_ns;
        bool lost;
        uint32_t latencies[LOAD_BUCKETS];
        char scratch[LOAD_SCRATCH];
};

/* Connects one more client and sends its first request. Before the worker's thread starts. */
struct err *client_add(struct worker *w);

#endif
