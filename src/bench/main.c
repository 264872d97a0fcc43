/* bench/main.c: orlop-bench, the load generator: see README.md. Each connection sends a request, reads its answer to
 * the last byte, notes the time that took, and goes on, until the time is over. Prints one line:
 * RESULT requests µs bytes errors p50 p99 max (of latencies in µs).
 *
 * Failure: exit code 1 when a connection is refused or lost, or an answer is no HTTP/1.1 with a length; 2 for usage. A
 * status other than 2xx is counted and goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/str.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/sock.h"
#include "os/thread.h"

#define SCRATCH ((size_t)256 * 1024)
#define HEAD_MAX ((size_t)4096)
#define FINE 32u /* steps per doubling of a latency: 3 % */
#define BUCKETS (40u * FINE)

struct load {
        bool put;
        struct str host;
        uint16_t port;
        const char *address, *prefix, *query;
        unsigned connections, threads, count; /* count: of paths to GET */
        int64_t run_ns;
        char *body;
        size_t body_n;
        unsigned long run; /* makes names new in each run */
};
struct worker {
        const struct load *load;
        struct loop *loop;
        struct thread *thread;
        struct loop_timer end;
        unsigned index;
        uint64_t turn, requests, bytes, errors;
        int64_t max_ns, end_ns;
        bool lost;
        uint32_t latencies[BUCKETS];
        char scratch[SCRATCH];
};
struct client {
        struct loop_fd w;
        struct worker *worker;
        int64_t start_ns;
        char out[HEAD_MAX], in[HEAD_MAX]; /* request head; answer's head as far as it is here */
        size_t out_n, out_sent, in_n;
        uint64_t body_left;
        bool in_body;
};

/* ---- figures ---- */

static unsigned bucket_of(int64_t ns)
{
        uint64_t v = (uint64_t)ns / 64 + FINE;
        unsigned doublings = 63u - (unsigned)__builtin_clzll(v) - 5u;
        unsigned at = doublings * FINE + (unsigned)(v >> doublings) - FINE;
        return MIN(at, BUCKETS - 1);
}

/* The middle of a bucket, in µs. */
static double bucket_us(unsigned at)
{
        uint64_t low = (uint64_t)(at % FINE + FINE) << (at / FINE);
        return ((double)low + 0.5 * (double)(UINT64_C(1) << (at / FINE)) - FINE) * 64 / 1e3;
}

static double percentile(const uint32_t *latencies, uint64_t all, double part)
{
        uint64_t want = (uint64_t)((double)all * part), seen = 0;
        for (unsigned i = 0; i < BUCKETS; i++) {
                seen += latencies[i];
                if (seen > want)
                        return bucket_us(i);
        }
        return 0;
}

/* ---- a connection ---- */

static void lose(struct client *c, const char *why)
{
        fprintf(stderr, "orlop-bench: %s: %s\n", c->worker->load->address, why);
        c->worker->lost = true;
        loop_fd_remove(c->worker->loop, &c->w);
        loop_stop(c->worker->loop);
}

/* What the socket takes of the request; the rest when it is writable. */
static bool send_more(struct client *c)
{
        const struct load *l = c->worker->load;
        while (c->out_sent < c->out_n + l->body_n) {
                size_t head = c->out_sent < c->out_n ? c->out_n - c->out_sent : 0;
                size_t body_at = c->out_sent > c->out_n ? c->out_sent - c->out_n : 0;
                struct iovec iov[2] = { { c->out + c->out_n - head, head },
                                        { l->body + body_at, l->body_n - body_at } };
                struct msghdr m = { .msg_iov = head ? iov : iov + 1 };
                m.msg_iovlen = (head ? 1u : 0u) + (l->body_n ? 1u : 0u);
                ssize_t n = sendmsg(c->w.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0)
                        return false;
                c->out_sent += (size_t)n;
        }
        return true;
}

static bool send_request(struct client *c)
{
        struct worker *w = c->worker;
        const struct load *l = w->load;
        int n;
        if (l->put)
                n = snprintf(c->out, sizeof c->out,
                             "PUT %s%lx-%u-%llu%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %zu\r\n\r\n", l->prefix,
                             l->run, w->index, (unsigned long long)w->turn++, l->query, l->address, l->body_n);
        else
                n = snprintf(c->out, sizeof c->out, "GET %s%llu%s HTTP/1.1\r\nHost: %s\r\n\r\n", l->prefix,
                             (unsigned long long)(w->turn++ % l->count), l->query, l->address);
        if (n < 0 || (size_t)n >= sizeof c->out)
                return false;
        c->out_n = (size_t)n;
        c->out_sent = c->in_n = 0;
        c->in_body = false;
        c->start_ns = clock_mono_ns();
        return send_more(c);
}

static void count(struct client *c)
{
        struct worker *w = c->worker;
        int64_t ns = clock_mono_ns() - c->start_ns;
        w->requests++;
        w->latencies[bucket_of(ns)]++;
        w->max_ns = MAX(w->max_ns, ns);
}

/* The head of the answer, once it is whole: its status and length. False: no HTTP, or no length. */
static bool take_head(struct client *c, size_t head_n)
{
        static const char name[] = "\r\ncontent-length:";
        if (head_n < 13 || memcmp(c->in, "HTTP/1.1 ", 9) != 0)
                return false;
        c->worker->errors += c->in[9] != '2';
        for (size_t i = 0; i + sizeof name < head_n; i++)
                if (c->in[i] == '\r' && strncasecmp(c->in + i, name, sizeof name - 1) == 0) {
                        c->body_left = strtoull(c->in + i + sizeof name - 1, NULL, 10);
                        c->in_body = true;
                        return true;
                }
        return c->in[9] == '2' && c->in[10] == '0' && c->in[11] == '4'; /* nginx's 201 has a length, its 204 none */
}

/* Uses n bytes that were received; false ends the connection. */
static bool take(struct client *c, const char *p, size_t n)
{
        c->worker->bytes += n;
        if (!c->in_body) {
                size_t before = c->in_n, room = MIN(n, HEAD_MAX - before);
                memcpy(c->in + before, p, room);
                c->in_n += room;
                const char *end = memmem(c->in, c->in_n, "\r\n\r\n", 4);
                if (!end)
                        return c->in_n < HEAD_MAX;
                size_t head_n = (size_t)(end - c->in) + 4;
                c->body_left = 0;
                if (!take_head(c, head_n))
                        return false;
                c->in_body = true;
                n -= head_n - before;
        }
        if (n > c->body_left)
                return false;
        c->body_left -= n;
        if (c->body_left)
                return true;
        count(c);
        return send_request(c);
}

static void on_event(struct loop_fd *w, uint32_t events)
{
        struct client *c = CONTAINER_OF(w, struct client, w);
        if ((events & EPOLLOUT) && !send_more(c)) {
                lose(c, "request could not be sent");
                return;
        }
        for (;;) {
                ssize_t n = recv(w->fd, c->worker->scratch, SCRATCH, MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0 || !take(c, c->worker->scratch, (size_t)n)) {
                        lose(c, n <= 0 ? "connection lost" : "answer not understood");
                        return;
                }
                /* epoll(7): a short read has emptied the socket. After a whole answer the others have their turn: the next
                 * one comes with an edge of its own. */
                if ((size_t)n < SCRATCH || (!c->in_body && c->in_n == 0))
                        return;
        }
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
        loop_timer_set(w->loop, &w->end, clock_mono_ns() + w->load->run_ns);
        loop_run(w->loop);
}

static struct err *add_client(struct worker *w)
{
        struct client *c = calloc(1, sizeof *c);
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->worker = w;
        c->w.on_event = on_event;
        TRY(sock_connect(w->load->host, w->load->port, clock_mono_ns() + 10 * NS_PER_SEC, &c->w.fd));
        TRY(loop_fd_set(w->loop, &c->w, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
        return send_request(c) ? NULL : err_new(ERR_IO, "request could not be sent");
}

static struct err *start(struct worker *w, const struct load *l, unsigned index)
{
        w->load = l;
        w->index = index;
        w->turn = l->put ? 0 : index * 7919u;
        w->end.on_timer = on_end;
        TRY(loop_new(&w->loop));
        for (unsigned i = index; i < l->connections; i += l->threads)
                TRY(add_client(w));
        return thread_start(&w->thread, "load", THREAD_LOOP, run, w);
}

static struct err *measure(const struct load *l)
{
        struct worker *all = calloc(l->threads, sizeof *all);
        if (!all)
                return err_static(ERR_NO_MEMORY);
        int64_t begin = clock_mono_ns();
        for (unsigned i = 0; i < l->threads; i++)
                TRY(start(&all[i], l, i));
        for (unsigned i = 0; i < l->threads; i++)
                thread_join(all[i].thread);
        struct worker *sum = &all[0];
        for (unsigned i = 1; i < l->threads; i++) {
                const struct worker *w = &all[i];
                sum->requests += w->requests;
                sum->bytes += w->bytes;
                sum->errors += w->errors;
                sum->lost |= w->lost;
                sum->max_ns = MAX(sum->max_ns, w->max_ns);
                sum->end_ns = MAX(sum->end_ns, w->end_ns);
                for (unsigned k = 0; k < BUCKETS; k++)
                        sum->latencies[k] += w->latencies[k];
        }
        if (sum->lost)
                return err_static(ERR_CLOSED);
        printf("RESULT %llu %lld %llu %llu %.1f %.1f %.1f\n", (unsigned long long)sum->requests,
               (long long)(sum->end_ns - begin) / 1000, (unsigned long long)sum->bytes, (unsigned long long)sum->errors,
               percentile(sum->latencies, sum->requests, 0.5), percentile(sum->latencies, sum->requests, 0.99),
               (double)sum->max_ns / 1e3);
        return NULL; /* the process ends: connections and loops with it */
}

static struct err *load_of(char **argv, struct load *l)
{
        *l = (struct load){ .address = argv[2], .prefix = argv[5], .query = argv[7] };
        l->put = strcmp(argv[1], "put") == 0;
        TRY(sock_split_address(str_of(argv[2]), &l->host, &l->port));
        l->connections = (unsigned)strtoul(argv[3], NULL, 10);
        l->run_ns = (int64_t)(strtod(argv[4], NULL) * 1e9);
        size_t n = strtoul(argv[6], NULL, 10);
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
        if (argc != 8 || (strcmp(argv[1], "get") != 0 && strcmp(argv[1], "put") != 0)) {
                fputs("usage: orlop-bench get ADDRESS CONNECTIONS SECONDS PREFIX COUNT QUERY\n"
                      "       orlop-bench put ADDRESS CONNECTIONS SECONDS PREFIX BYTES QUERY\n",
                      stderr);
                return 2;
        }
        struct load l;
        struct err *e = load_of(argv, &l);
        if (!e)
                e = measure(&l);
        if (!e)
                return 0;
        char text[512];
        fprintf(stderr, "orlop-bench: %s\n", err_text(e, text, sizeof text));
        err_free(e);
        return 1;
}
