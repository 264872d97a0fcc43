/* net/conn_answer.c: from a request to its answer: by the loop, by a worker, or by the app later.
 *
 * A worker gets the whole connection and gives it back with the result of its sending; whatever is left to send is the
 * loop's then (send.c tells what may run where). When the pool takes no more, a request is refused; an answer under way
 * waits, or its file is read on the loop, slowly but surely. */
#define LOG_FOLDER "net"
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/log.h"
#include "net/priv.h"

#define RETRY_NS (50 * NS_PER_MS)

/* A full socket tells when its peer has taken something. With nothing on the way to the peer, it was the kernel that had
 * no memory for us, and nobody will tell. */
static bool nobody_will_tell(const struct conn *c)
{
        int unacknowledged = 1;
        return ioctl(c->w.fd, SIOCOUTQ, &unacknowledged) == 0 && unacknowledged == 0;
}

/* The connection is the loop's again. From the post on it may end, and the last one's end is the server's: `posting`
 * keeps the loop until we have left it. */
static void give_back(struct conn *c, enum net_sent result)
{
        struct http_server *s = c->lp->server;
        c->result = result;
        atomic_fetch_add(&s->posting, 1);
        loop_post(c->lp->loop, &c->task);
        atomic_fetch_sub(&s->posting, 1);
}

/* On a worker: the answer is there, unless the rest of the body is to be taken first. */
static void answer_or_park(struct conn *c)
{
        while (c->x->sink.end) {
                if (!net__receive(c)) {
                        give_back(c, NET_SENT_PARK);
                        return;
                }
        }
        net__answer_prepare(c);
        give_back(c, net__send(c, true));
}

/* On a worker. */
static void worker_handle(struct pool_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, work);
        const struct http_app *app = net__app(c);
        if (c->x->rq.collect && !c->x->body.ended)
                net__receive_whole(c);
        else
                app->handle(app->ctx, &c->x->rq, &c->x->rs);
        answer_or_park(c);
}

/* On a worker: more of a body. */
static void worker_receive(struct pool_task *t)
{
        answer_or_park(CONTAINER_OF(t, struct conn, work));
}

/* On a worker: the next pieces of an answer. */
static void worker_send(struct pool_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, work);
        give_back(c, net__send(c, true));
}

static void task_worker_done(struct loop_task *t);

static bool to_worker(struct conn *c, void (*run)(struct pool_task *t))
{
        bool reads = run != worker_send && !c->x->body.ended;
        c->work.run = run;
        c->task.run = task_worker_done;
        c->writable = false;
        if (reads)
                loop_fd_remove(c->lp->loop, &c->w);
        enum conn_state before = c->state;
        int64_t since = c->since_ns;
        net__conn_move(c, CONN_WORKER);
        if (pool_submit(c->lp->server->pool, c->x->cls, &c->work))
                return true;
        /* Nothing was taken: the connection is the loop's as before. */
        net__count(&c->lp->count[CONN_WORKER], (uint64_t)-1);
        net__count(&c->lp->count[before], 1);
        c->state = before;
        c->since_ns = since;
        return false;
}

/* Puts the descriptor back after a worker had it alone: epoll tells at once what is ready. */
static bool watch(struct conn *c)
{
        if (c->w.events)
                return true;
        struct err *e = loop_fd_set(c->lp->loop, &c->w, NET_EDGES);
        if (!e)
                return true;
        log_err(LOG_WARN, LOG_FOLDER, e, "connection of %s", c->peer);
        return false;
}

/* Waits for more of the body, without a worker. */
static void park(struct conn *c)
{
        c->readable = false; /* the worker read it empty; what came since is told by watch() */
        net__conn_move(c, CONN_PARKED);
        if (!watch(c)) {
                c->x->body.lost = ERR_NO_MEMORY;
                net__conn_resume(c);
                return;
        }
        net__conn_arm(c);
}

void net__conn_resume(struct conn *c)
{
        struct net_body *b = &c->x->body;
        int64_t now = loop_now_ns(c->lp->loop);
        b->waited_ns += now - c->since_ns;
        c->since_ns = now;
        c->readable = true;
        if (!to_worker(c, worker_receive))
                loop_timer_set(c->lp->loop, &c->timer, now + RETRY_NS);
}

/* The loop sends what it may. */
void net__conn_push(struct conn *c, enum net_sent r)
{
        bool retry = false;
        switch (r) {
        case NET_SENT_ALL:
                net__conn_done(c, true);
                return;
        case NET_SENT_LOST:
                net__conn_done(c, false);
                return;
        case NET_SENT_PARK:
                park(c);
                return;
        case NET_SENT_FULL:
                retry = nobody_will_tell(c);
                break;
        case NET_SENT_SLICE:
                net__conn_again(c);
                break;
        case NET_SENT_WORKER:
                if (to_worker(c, worker_send))
                        return;
                /* Every worker is taken. A cold file is read here rather than not at all; a generator must wait: see
                 * on_timer. */
                c->cold_ok = c->x->rs.kind == BODY_FILE;
                if (c->cold_ok)
                        net__conn_again(c);
                retry = !c->cold_ok;
                break;
        }
        if (c->state != CONN_SEND || retry) { /* what is not the client's fault does not count */
                net__conn_move(c, CONN_SEND);
                net__conn_window(c);
        }
        if (retry)
                loop_timer_set(c->lp->loop, &c->timer, loop_now_ns(c->lp->loop) + RETRY_NS);
}

void net__conn_answer(struct conn *c)
{
        net__answer_prepare(c);
        net__conn_push(c, net__send(c, false));
}

/* A request that the server itself refuses. */
void net__conn_refuse(struct conn *c, enum err_code code, const char *why, int status, bool close)
{
        c->x->active = true;
        net__refuse(c, code, why, status, close);
        net__conn_answer(c);
}

static void task_worker_done(struct loop_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, task);
        enum net_sent r = c->result;
        if (r == NET_SENT_PARK) {
                net__conn_push(c, r);
                return;
        }
        if (c->tls)
                c->readable = true; /* the session may hold decrypted bytes, of which no edge will tell */
        if (!watch(c))
                r = NET_SENT_LOST;
        if (r == NET_SENT_FULL && c->writable)
                r = net__send(c, false);
        net__conn_push(c, r);
        net__conn_go_on(c);
}

void net__conn_completed(struct exchange *x)
{
        struct conn *c = x->conn;
        ASSERT(c->state == CONN_PENDING);
        net__conn_answer(c);
        net__conn_go_on(c);
}

void net__conn_work(struct conn *c)
{
        if (to_worker(c, worker_handle))
                return;
        if (watch(c))
                net__conn_refuse(c, ERR_OVERLOAD, "too many requests in progress", 0, false);
        else
                net__conn_done(c, false);
}
