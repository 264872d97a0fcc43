/* cluster/raft_test_util.h: several voters in one process, joined by socket pairs. For tests alone. */
#ifndef ORLOP_CLUSTER_RAFT_TEST_UTIL_H
#define ORLOP_CLUSTER_RAFT_TEST_UTIL_H

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/test_assert.h"
#include "cluster/engine.h"
#include "os/clock.h"
#include "os/file.h"

enum { NODES_MAX = 8, MIRROR_MAX = 4096 };

/* What the events have said, kept as a table. */
struct mirror {
        pthread_mutex_t lock;
        struct {
                char *key, *body;
                uint64_t modified;
        } doc[MIRROR_MAX];
        unsigned n, wholes, alarms, calls;
        uint64_t index;
        bool backwards; /* an index was not larger than the one before */
        char alarm[320];
};

struct node {
        uint64_t id; /* 0: unused */
        char dir[300], address[32];
        pthread_rwlock_t lock; /* engine: read to use it from a dial, write to open and close */
        struct engine *e;
        struct mirror mirror;
        uint64_t min_free;
        unsigned watch_ms, stall_ms;
};

static struct node nodes[NODES_MAX + 1]; /* by id */
static char *nodes_dir;
static unsigned election_ms = 300, heartbeat_ms = 50;

static inline int64_t soon(int seconds)
{
        return clock_mono_ns() + seconds * NS_PER_SEC;
}

static inline void mirror_put(struct mirror *m, const struct doc *d)
{
        unsigned i = 0;

        while (i < m->n && !str_eq(str_of(m->doc[i].key), d->key))
                i++;
        if (i < m->n) {
                free(m->doc[i].key);
                free(m->doc[i].body);
                m->doc[i] = m->doc[--m->n];
        }
        if (!d->body.p)
                return;
        ASSERT(m->n < MIRROR_MAX);
        m->doc[m->n].key = str_dup(d->key);
        m->doc[m->n].body = str_dup(d->body);
        m->doc[m->n++].modified = d->modified;
}

static inline void mirror_clear(struct mirror *m)
{
        for (unsigned i = 0; i < m->n; i++) {
                free(m->doc[i].key);
                free(m->doc[i].body);
        }
        m->n = 0;
}

static inline void on_applied(void *arg, uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        struct mirror *m = &((struct node *)arg)->mirror;

        pthread_mutex_lock(&m->lock);
        if (whole)
                mirror_clear(m);
        m->backwards |= m->calls > 0 && index <= m->index;
        m->wholes += whole;
        m->calls++;
        m->index = index;
        for (size_t i = 0; i < n; i++)
                mirror_put(m, &docs[i]);
        pthread_mutex_unlock(&m->lock);
}

static inline void on_alarm(void *arg, const char *text)
{
        struct mirror *m = &((struct node *)arg)->mirror;

        pthread_mutex_lock(&m->lock);
        m->alarms++;
        snprintf(m->alarm, sizeof(m->alarm), "%s", text);
        pthread_mutex_unlock(&m->lock);
}

/* The body at a key in the mirror, or "". */
static inline void mirror_get(struct node *n, const char *key, char *out, size_t size)
{
        struct mirror *m = &n->mirror;

        out[0] = 0;
        pthread_mutex_lock(&m->lock);
        for (unsigned i = 0; i < m->n; i++) {
                if (strcmp(m->doc[i].key, key) == 0)
                        snprintf(out, size, "%s", m->doc[i].body);
        }
        pthread_mutex_unlock(&m->lock);
}

static inline struct err *node_dial(void *arg, uint64_t id, const char *address, int *ret_fd)
{
        struct node *from = arg, *to = &nodes[id];
        int ends[2];
        struct err *e = NULL;

        if (id > NODES_MAX || strcmp(address, to->address) != 0 || pthread_rwlock_tryrdlock(&to->lock) != 0)
                return err_static(ERR_CLOSED);
        if (!to->e) {
                e = err_static(ERR_CLOSED);
        } else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
                e = err_static(ERR_CLOSED);
        } else {
                e = raft_engine_accept(to->e, from->id, from->address, ends[1]);
                if (e)
                        close(ends[0]);
                else
                        *ret_fd = ends[0];
        }
        pthread_rwlock_unlock(&to->lock);
        return e;
}

static inline struct err *node_try_open(uint64_t id, bool bootstrap)
{
        struct node *n = &nodes[id];
        struct raft_options o = {
                .dir = n->dir, .id = id, .address = n->address, .election_ms = election_ms, .heartbeat_ms = heartbeat_ms,
                .bootstrap = bootstrap, .dial = node_dial,
                .events = { n, on_applied, NULL, on_alarm },
                .min_free_bytes = n->min_free ? n->min_free : 1, .watch_ms = n->watch_ms, .stall_ms = n->stall_ms,
        };

        pthread_mutex_lock(&n->mirror.lock);
        mirror_clear(&n->mirror);
        n->mirror.calls = n->mirror.wholes = n->mirror.alarms = 0;
        n->mirror.backwards = false;
        pthread_mutex_unlock(&n->mirror.lock);
        struct engine *e = NULL;
        struct err *err = raft_engine_open(&o, &e);
        pthread_rwlock_wrlock(&n->lock);
        n->e = e;
        pthread_rwlock_unlock(&n->lock);
        return err;
}

static inline void node_open(uint64_t id, bool bootstrap)
{
        assert_ok(node_try_open(id, bootstrap));
}

static inline void node_close(uint64_t id)
{
        struct node *n = &nodes[id];

        pthread_rwlock_wrlock(&n->lock);
        engine_close(n->e);
        n->e = NULL;
        pthread_rwlock_unlock(&n->lock);
}

static inline int nodes_setup(void **state)
{
        const char *tmp = getenv("TMPDIR");

        (void)state;
        assert_ok(log_set_levels(STR("error")));
        assert_true(asprintf(&nodes_dir, "%s/orlop-raft-XXXXXX", tmp ? tmp : "/tmp") > 0);
        assert_non_null(mkdtemp(nodes_dir));
        for (uint64_t id = 1; id <= NODES_MAX; id++) {
                struct node *n = &nodes[id];
                memset(n, 0, sizeof(*n));
                n->id = id;
                pthread_rwlock_init(&n->lock, NULL);
                pthread_mutex_init(&n->mirror.lock, NULL);
                snprintf(n->dir, sizeof(n->dir), "%s/%u", nodes_dir, (unsigned)id);
                snprintf(n->address, sizeof(n->address), "node%u:1", (unsigned)id);
        }
        return 0;
}

static inline int nodes_teardown(void **state)
{
        (void)state;
        for (uint64_t id = 1; id <= NODES_MAX; id++)
                node_close(id);
        for (uint64_t id = 1; id <= NODES_MAX; id++) { /* now nobody dials any more */
                mirror_clear(&nodes[id].mirror);
                pthread_rwlock_destroy(&nodes[id].lock);
                pthread_mutex_destroy(&nodes[id].mirror.lock);
        }
        assert_ok(file_remove_tree(AT_FDCWD, nodes_dir));
        free(nodes_dir);
        return 0;
}

/* The id of the open node that leads and is ready; 0 if none after the time. */
static inline uint64_t leader_within(int seconds)
{
        int64_t end = soon(seconds);
        struct engine_status st;

        do {
                for (uint64_t id = 1; id <= NODES_MAX; id++) {
                        if (!nodes[id].e)
                                continue;
                        engine_status(nodes[id].e, &st);
                        if (st.role.leader)
                                return id;
                }
                clock_sleep_ns(5 * NS_PER_MS);
        } while (clock_mono_ns() < end);
        return 0;
}

static inline uint64_t the_leader(void)
{
        uint64_t id = leader_within(20);

        assert_true(id != 0);
        return id;
}

static inline struct err *put(uint64_t id, const char *key, const char *body, uint64_t modified, uint64_t *ret_index)
{
        struct doc d = { str_of(key), str_of(body), modified };

        return engine_propose(nodes[id].e, &d, 1, soon(20), ret_index);
}

/* At whoever leads, until it is done. */
static inline void put_anywhere(const char *key, const char *body)
{
        for (unsigned i = 0; i < 2000; i++) {
                uint64_t id = leader_within(20);
                struct err *e = id ? put(id, key, body, DOC_ANY, NULL) : err_static(ERR_NOT_PRIMARY);
                if (!e)
                        return;
                err_free(e);
                clock_sleep_ns(10 * NS_PER_MS);
        }
        fail_msg("no leader takes %s", key);
}

static inline void add_node(uint64_t id)
{
        node_open(id, false);
        for (unsigned i = 0; i < 20; i++) {
                struct err *e = engine_voter_add(nodes[the_leader()].e, id, nodes[id].address, soon(20));
                if (!e)
                        return;
                enum err_code code = err_code(e);
                err_free(e);
                assert_true(code == ERR_NOT_PRIMARY || code == ERR_UNAVAILABLE);
        }
        fail_msg("voter %u can not be added", (unsigned)id);
}

/* One voter, then others join it. */
static inline void grow_to(unsigned n)
{
        if (!nodes[1].e) {
                node_open(1, true);
                assert_int_equal(the_leader(), 1);
        }
        for (uint64_t id = 2; id <= n; id++) {
                if (!nodes[id].e)
                        add_node(id);
        }
}

/* All open nodes come to the same index with the same hash, and their events have told the same. */
static inline void assert_all_agree(void)
{
        int64_t end = soon(30);
        struct engine_status first, st;
        bool same = false;

        while (!same && clock_mono_ns() < end) {
                uint64_t a = the_leader();
                engine_status(nodes[a].e, &first);
                same = first.applied_index == first.last_index;
                for (uint64_t id = 1; id <= NODES_MAX; id++) {
                        if (!nodes[id].e)
                                continue;
                        engine_status(nodes[id].e, &st);
                        same &= st.applied_index == first.applied_index && st.state_hash == first.state_hash;
                }
                if (!same)
                        clock_sleep_ns(20 * NS_PER_MS);
        }
        assert_true(same);
        for (uint64_t id = 1; id <= NODES_MAX; id++) {
                if (!nodes[id].e)
                        continue;
                assert_int_equal(nodes[id].mirror.n, first.documents);
                assert_false(nodes[id].mirror.backwards);
        }
}

/* Seconds of a test's long form are asked for with ORLOP_RAFT_LONG=1. */
static inline bool long_form(void)
{
        const char *v = getenv("ORLOP_RAFT_LONG");

        return v && *v && strcmp(v, "0") != 0;
}

#endif
