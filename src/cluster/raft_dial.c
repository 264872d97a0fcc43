/* Connecting to other voters: dialling may block for seconds (names, TLS), so each attempt has a thread of its own. libraft
 * makes at most one attempt per peer at a time, and waits between them, so there are never more threads than peers. */
#include "cluster/raft_priv.h"

#include <stdlib.h>

#define LOG_FOLDER "cluster"
#include "base/log.h"
#include "os/file.h"

static void dial_main(void *arg)
{
        struct raft_dial *d = arg;
        struct engine *e = d->engine;
        int fd = -1;
        struct err *err = e->o.dial(e->o.events.arg, d->id, d->address, &fd);

        if (err) {
                log_err(LOG_DEBUG, LOG_FOLDER, err, "connect to voter %llx", (unsigned long long)d->id);
                fd = -1;
        }
        LOCK_SCOPE(&e->lock);
        d->fd = fd;
        list_append(&e->dialed, &d->ended);
        raft__wake_locked(e);
}

struct raft_dial *raft__dial_start(struct engine *e, uint64_t id, const char *address, void *request)
{
        struct raft_dial *d = calloc(1, sizeof(*d));

        if (!d)
                return NULL;
        list_init(&d->link);
        list_init(&d->ended);
        d->engine = e;
        d->id = id;
        d->request = request;
        d->fd = -1;
        if (!str_copy(d->address, sizeof(d->address), str_of(address))) {
                free(d);
                return NULL;
        }
        struct err *err = thread_start(&d->thread, "raft-dial", THREAD_WORKER, dial_main, d);
        if (err) {
                err_free(err);
                free(d);
                return NULL;
        }
        return d;
}

void raft__dial_free(struct raft_dial *d)
{
        struct engine *e = d->engine;

        thread_join(d->thread);
        mutex_lock(&e->lock);
        list_remove(&d->ended);
        mutex_unlock(&e->lock);
        list_remove(&d->link);
        cleanup_fd(&d->fd);
        free(d);
}
