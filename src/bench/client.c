/* bench/client.c: one client of the load: sends a request, reads its answer to the last byte, notes the time that took,
 * and goes on. It follows redirects when asked to, over one kept connection per address; the time then is that of the
 * whole way. What is large is announced first ("Expect: 100-continue") where a redirect may come, as clients do.
 *
 * Failure: a connection that is refused or lost, or an answer that is no HTTP/1.1 with a length, ends the whole run. A
 * status other than 2xx is counted and goes on. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "bench/load.h"
#include "os/clock.h"
#include "os/sock.h"

#define HEAD_MAX ((size_t)4096)
#define LINKS_MAX 32u
#define HOPS_MAX 4u
#define EXPECT_ABOVE ((size_t)64 * 1024)

struct client;
struct link {
        struct loop_fd w;
        struct client *client;
        char address[80];
        bool open;
};
struct client {
        struct worker *worker;
        struct link links[LINKS_MAX], *at; /* at: where the request under way is */
        unsigned nlinks, hops;
        struct loop_timer pause;
        int64_t start_ns;
        char out[HEAD_MAX], in[HEAD_MAX], location[HEAD_MAX]; /* heads, as far as they are here; where to go on */
        size_t out_n, out_sent, body_n, in_n; /* body_n: to be sent behind the head */
        uint64_t body_left;
        int status;
        bool in_body, closes;
};

static bool begin(struct client *c);

static void lose(struct client *c, const char *why)
{
        fprintf(stderr, "orlop-bench: %s: %s\n", c->at->address, why);
        c->worker->lost = true;
        loop_stop(c->worker->loop);
}

static void link_close(struct link *k)
{
        if (!k->open)
                return;
        loop_fd_remove(k->client->worker->loop, &k->w);
        close(k->w.fd);
        k->open = false;
}

/* ---- sending ---- */

/* What the socket takes of the request; the rest when it is writable. */
static bool send_more(struct client *c)
{
        const struct load *l = c->worker->load;
        while (c->out_sent < c->out_n + c->body_n) {
                size_t head = c->out_sent < c->out_n ? c->out_n - c->out_sent : 0;
                size_t body_at = c->out_sent > c->out_n ? c->out_sent - c->out_n : 0;
                struct iovec iov[2] = { { c->out + c->out_n - head, head },
                                        { l->body + body_at, c->body_n - body_at } };
                struct msghdr m = { .msg_iov = head ? iov : iov + 1 };
                m.msg_iovlen = (head ? 1u : 0u) + (c->body_n ? 1u : 0u);
                ssize_t n = sendmsg(c->at->w.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0)
                        return false;
                c->out_sent += (size_t)n;
        }
        return true;
}

static void on_event(struct loop_fd *w, uint32_t events);

static struct err *link_open(struct client *c, struct link *k)
{
        struct str host;
        uint16_t port;
        TRY(sock_split_address(str_of(k->address), &host, &port));
        k->w.on_event = on_event;
        k->client = c;
        TRY(sock_connect(host, port, clock_mono_ns() + 10 * NS_PER_SEC, &k->w.fd));
        TRY(loop_fd_set(c->worker->loop, &k->w, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET));
        k->open = true;
        return NULL;
}

static bool link_ready(struct client *c, struct link *k)
{
        struct err *e = k->open ? NULL : link_open(c, k);
        err_free(e);
        return !e;
}

static struct link *link_to(struct client *c, struct str address)
{
        for (unsigned i = 0; i < c->nlinks; i++)
                if (str_eq(address, str_of(c->links[i].address)))
                        return &c->links[i];
        struct link *k = &c->links[c->nlinks];
        if (c->nlinks == LINKS_MAX || !str_copy(k->address, sizeof(k->address), address))
                return NULL;
        c->nlinks++;
        return k;
}

static bool send_to(struct client *c, struct link *k, const char *target)
{
        const struct load *l = c->worker->load;
        bool ask = l->put && l->follow && c->hops == 0 && l->body_n > EXPECT_ABOVE;
        char length[96] = "";
        if (!k || !link_ready(c, k))
                return false;
        c->at = k;
        if (l->put)
                snprintf(length, sizeof(length), "Content-Length: %zu\r\n%s", l->body_n,
                         ask ? "Expect: 100-continue\r\n" : "");
        int n = snprintf(c->out, sizeof(c->out), "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", l->put ? "PUT" : "GET", target,
                         k->address, length);
        if (n < 0 || (size_t)n >= sizeof(c->out))
                return false;
        c->out_n = (size_t)n;
        c->out_sent = c->in_n = 0;
        c->body_n = ask ? 0 : l->body_n;
        c->in_body = false;
        return send_more(c);
}

/* "http://host:port/path?query" */
static bool go_on_at(struct client *c)
{
        struct str rest = str_of(c->location);
        if (!str_starts(rest, STR("http://")) || ++c->hops > HOPS_MAX)
                return false;
        rest = str_skip(rest, 7);
        const char *slash = memchr(rest.p, '/', rest.n);
        if (!slash)
                return false;
        c->worker->hops++;
        return send_to(c, link_to(c, (struct str){ rest.p, (size_t)(slash - rest.p) }), slash);
}

/* The next request; nothing when all are under way. False: it can not be sent. */
static bool begin(struct client *c)
{
        struct worker *w = c->worker;
        const struct load *l = w->load;
        char target[HEAD_MAX];
        uint64_t turn = w->turn++, number = turn * l->threads + w->index;
        if (l->total && number >= l->total) {
                w->end_ns = clock_mono_ns();
                if (--w->busy == 0)
                        loop_stop(w->loop);
                return true;
        }
        if (l->total)
                snprintf(target, sizeof(target), "%s%llu%s", l->prefix, (unsigned long long)number, l->query);
        else if (l->put)
                snprintf(target, sizeof(target), "%s%lx-%u-%llu%s", l->prefix, l->run, w->index, (unsigned long long)turn,
                         l->query);
        else
                snprintf(target, sizeof(target), "%s%llu%s", l->prefix, (unsigned long long)(turn % l->count), l->query);
        c->hops = 0;
        c->start_ns = clock_mono_ns();
        return send_to(c, &c->links[0], target);
}

/* ---- answers ---- */

static unsigned bucket_of(int64_t ns)
{
        uint64_t v = (uint64_t)ns / 64 + LOAD_FINE;
        unsigned doublings = 63u - (unsigned)__builtin_clzll(v) - 5u;
        unsigned at = doublings * LOAD_FINE + (unsigned)(v >> doublings) - LOAD_FINE;
        return MIN(at, LOAD_BUCKETS - 1);
}

static void count(struct client *c)
{
        struct worker *w = c->worker;
        int64_t ns = clock_mono_ns() - c->start_ns;
        w->requests++;
        w->errors += c->status / 100 != 2;
        w->latencies[bucket_of(ns)]++;
        w->max_ns = MAX(w->max_ns, ns);
}

static void on_pause_over(struct loop_timer *t)
{
        struct client *c = CONTAINER_OF(t, struct client, pause);
        if (!begin(c))
                lose(c, "request could not be sent");
}

/* The answer is whole. */
static bool answered(struct client *c)
{
        const struct load *l = c->worker->load;
        if (c->closes)
                link_close(c->at);
        if (l->follow && c->status / 100 == 3)
                return go_on_at(c);
        count(c);
        if (!l->pause_ns)
                return begin(c);
        c->in_n = 0;
        c->in_body = false;
        loop_timer_set(c->worker->loop, &c->pause, clock_mono_ns() + l->pause_ns);
        return true;
}

/* Value of a header line of the answer; STR_NONE. */
static struct str header(const struct client *c, size_t head_n, struct str name)
{
        for (size_t i = 0; i + name.n + 3 < head_n; i++) {
                const char *p = c->in + i;
                if (*p != '\n' || strncasecmp(p + 1, name.p, name.n) != 0 || p[1 + name.n] != ':')
                        continue;
                p += name.n + 2;
                while (*p == ' ')
                        p++;
                const char *end = memchr(p, '\r', (size_t)(c->in + head_n - p));
                return end ? (struct str){ p, (size_t)(end - p) } : STR_NONE;
        }
        return STR_NONE;
}

/* The head of the answer, once it is whole. False: no HTTP, or no length. */
static bool take_head(struct client *c, size_t head_n)
{
        if (head_n < 13 || memcmp(c->in, "HTTP/1.1 ", 9) != 0)
                return false;
        c->status = (int)strtol(c->in + 9, NULL, 10);
        if (c->status == 100) {
                c->body_n = c->worker->load->body_n;
                c->in_n = 0;
                return send_more(c);
        }
        struct str length = header(c, head_n, STR("Content-Length"));
        c->body_left = length.p ? strtoull(length.p, NULL, 10) : 0;
        c->closes = str_eq_nocase(header(c, head_n, STR("Connection")), STR("close"));
        c->in_body = true;
        if (c->status / 100 == 3 && !str_copy(c->location, sizeof(c->location), header(c, head_n, STR("Location"))))
                return false;
        return length.p || c->status == 204;
}

/* Uses n bytes that were received; false ends the run. */
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
                if (!take_head(c, head_n))
                        return false;
                n -= head_n - before;
                if (!c->in_body)
                        return n == 0;
        }
        if (n > c->body_left)
                return false;
        c->body_left -= n;
        return c->body_left > 0 || answered(c);
}

static void on_event(struct loop_fd *w, uint32_t events)
{
        struct link *k = CONTAINER_OF(w, struct link, w);
        struct client *c = k->client;
        if (k != c->at) { /* nothing is asked there */
                if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
                        link_close(k);
                return;
        }
        if ((events & EPOLLOUT) && !send_more(c)) {
                lose(c, "request could not be sent");
                return;
        }
        for (;;) {
                ssize_t n = recv(w->fd, c->worker->scratch, LOAD_SCRATCH, MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return;
                if (n <= 0 || !take(c, c->worker->scratch, (size_t)n)) {
                        lose(c, n <= 0 ? "connection lost" : "answer not understood");
                        return;
                }
                /* epoll(7): a short read has emptied the socket. After a whole answer the others have their turn: the next
                 * one comes with an edge of its own. */
                if ((size_t)n < LOAD_SCRATCH || (!c->in_body && c->in_n == 0) || c->at != k)
                        return;
        }
}

struct err *client_add(struct worker *w)
{
        struct client *c = calloc(1, sizeof(*c));
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->worker = w;
        c->pause.on_timer = on_pause_over;
        w->busy++;
        c->at = link_to(c, str_of(w->load->address));
        if (!c->at)
                return err_new(ERR_INVALID, "address is too long");
        TRY(link_open(c, c->at));
        return begin(c) ? NULL : err_new(ERR_IO, "request could not be sent");
}
