/* cluster/control.c: opening and closing, publishing snapshots, and the frame of a change.
 *
 * A change copies the state, edits the copy, builds the snapshot that it would give (so that memory can no longer be
 * short), writes the state file, and only then publishes. If the write fails, memory keeps the old state, and it is
 * written back, since the file may hold either, as after a crash: a bucket that goes on must not be missing at the next
 * start. Watchers run before the change returns, under the change lock, so that they see the order. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/priv.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"

#include <stdio.h>

/* ---- snapshots of the moment ---- */

const struct snapshot *cluster_pin(struct cluster *c)
{
        mutex_lock(&c->pin);
        const struct snapshot *s = snapshot_ref(c->current);
        mutex_unlock(&c->pin);
        return s;
}

const struct snapshot *cluster_snapshot_cached(struct cluster *c, struct snapshot_cache *cache)
{
        if (LIKELY(cache->s != NULL && cache->s->seq == atomic_load_explicit(&c->seq, memory_order_acquire)))
                return cache->s;
        snapshot_cache_drop(cache);
        cache->s = cluster_pin(c);
        return cache->s;
}

void snapshot_cache_drop(struct snapshot_cache *cache)
{
        cluster_unpin(cache->s);
        cache->s = NULL;
}

static void publish(struct cluster *c, struct snapshot *s)
{
        mutex_lock(&c->pin);
        struct snapshot *old = c->current;
        c->current = s;
        atomic_store_explicit(&c->seq, s->seq, memory_order_release);
        mutex_unlock(&c->pin);
        cluster_unpin(old);
}

/* ---- changes ---- */

struct err *cluster__change_begin(struct cluster *c, struct change *ch)
{
        ASSERT_MAY_BLOCK();
        mutex_lock(&c->change);
        struct state next;
        struct err *e = cluster__state_clone(&c->state, &next);
        if (e) {
                mutex_unlock(&c->change);
                return e;
        }
        *ch = (struct change){ .c = c, .next = next };
        return NULL;
}

struct err *cluster__change_commit(struct change *ch, bool durable)
{
        struct cluster *c = ch->c;
        struct snapshot *after = cluster__snapshot_new(&c->id, &ch->next, c->current->seq + 1);
        if (!after)
                return err_static(ERR_NO_MEMORY);
        struct err *e = durable ? cluster__state_write(c->dir, c->id.uuid, &ch->next) : NULL;
        if (e) {
                /* The file may hold what we refuse now: never give these ids to others. */
                c->state.next_bid = ch->next.next_bid;
                cluster_unpin(after);
                struct err *e2 = cluster__state_write(c->dir, c->id.uuid, &c->state);
                if (e2)
                        log_err(LOG_ERROR, LOG_FOLDER, e2, "the state that stays in force could not be written back: "
                                                           "a restart may find the change that failed");
                return err_wrap(e, "write the cluster's state");
        }
        AUTO_SNAPSHOT const struct snapshot *before = cluster_pin(c);
        cluster__state_fini(&c->state);
        c->state = ch->next;
        ch->done = true;
        publish(c, after);
        for (unsigned i = 0; i < c->watch_count; i++)
                c->watches[i].fn(c->watches[i].arg, before, after);
        return NULL;
}

void cluster__change_end(struct change *ch)
{
        if (!ch->c)
                return;
        if (!ch->done)
                cluster__state_fini(&ch->next);
        mutex_unlock(&ch->c->change);
        ch->c = NULL;
}

unsigned cluster__targets_active(struct cluster *c)
{
        unsigned n = 0;
        for (unsigned i = 0; i < c->current->node_count; i++) {
                const struct cluster_node *node = &c->current->nodes[i];
                n += node->target && !(node->flags & (NODE_MAINTENANCE | NODE_DECOMMISSION));
        }
        return n;
}

void cluster_watch(struct cluster *c, cluster_watch_fn *fn, void *arg)
{
        LOCK_SCOPE(&c->change);
        ASSERT(c->watch_count < CLUSTER_WATCHES_MAX);
        c->watches[c->watch_count++] = (struct watch){ fn, arg };
}

/* ---- opening ---- */

static struct err *id_choose(const char *wish, const char *suffix, const char *base, char *ret, size_t size)
{
        if (wish && (strlen(wish) < 8 || !id_check(str_of(wish))))
                return err_new(
                        ERR_INVALID,
                        "identifier \"%s\" must be 8 to 32 letters, digits, '-' and '_', these not first or last",
                        wish);
        snprintf(ret, size, "%s%s", wish ? wish : base, wish ? "" : suffix);
        return NULL;
}

static struct err *identity_new(const struct cluster_opts *o, struct identity *ret)
{
        struct identity id = { .created_ns = clock_wall_ns() };
        char node[9], uuid[10];
        random_id(node, 8);
        random_id(uuid, 9);
        TRY(id_choose(o->cluster_uuid, "", uuid, id.uuid, sizeof(id.uuid)));
        /* Both roles of one process share the random part, so that people see who belongs together. */
        TRY(id_choose(o->proxy_id, "p", node, id.proxy, sizeof(id.proxy)));
        TRY(id_choose(o->target_id, "t", node, id.target, sizeof(id.target)));
        if (strcmp(id.proxy, id.target) == 0)
                return err_new(ERR_INVALID, "proxy and target can not both be named %s", id.proxy);
        cluster__time_text(id.created_ns, id.creation_time, sizeof(id.creation_time));
        snprintf(id.member, sizeof(id.member), "m-%.30s", id.proxy);
        *ret = id;
        return NULL;
}

static struct err *identity_agrees(const char *what, const char *wish, const char *have)
{
        if (wish && strcmp(wish, have) != 0)
                return err_new(ERR_FOREIGN, "the state belongs to %s %s, not %s", what, have, wish);
        return NULL;
}

static void addr_set(struct state *s, const struct cluster_opts *o)
{
        memcpy(s->addr, o->addr, sizeof(s->addr));
}

struct err *cluster__config_base(struct cluster *c, struct config **ret)
{
        struct config *config = config_new();
        if (!config)
                return err_static(ERR_NO_MEMORY);
        struct err *e = c->config_base ? c->config_base(c->config_arg, config) : NULL;
        if (!e)
                e = config_check(config);
        if (e) {
                config_free(config);
                return err_wrap(e, "configuration");
        }
        *ret = config;
        return NULL;
}

/* Everything but the identity is written first, so that a crash in between is a first start again. */
static struct err *first_start(struct cluster *c, const struct cluster_opts *o)
{
        struct config *config;
        TRY(identity_new(o, &c->id));
        TRY(cluster__config_base(c, &config));
        c->state.config = cluster__state_config_new(config);
        if (!c->state.config)
                return err_static(ERR_NO_MEMORY);
        c->state.in_force = cluster__state_config_ref(c->state.config);
        c->state.smap_version = c->state.bmd_version = c->state.config_version = c->state.next_bid = 1;
        addr_set(&c->state, o);
        TRY(cluster__state_config_stamp(&c->state, &c->id, c->id.created_ns));
        TRY(cluster__state_write(c->dir, c->id.uuid, &c->state));
        TRY(cluster__identity_write(c->dir, &c->id));
        log_info("new cluster %s, proxy %s, target %s", c->id.uuid, c->id.proxy, c->id.target);
        return NULL;
}

/* New addresses make a new version of the map. */
static struct err *later_start(struct cluster *c, const struct cluster_opts *o)
{
        TRY(identity_agrees("cluster", o->cluster_uuid, c->id.uuid));
        TRY(identity_agrees("proxy", o->proxy_id, c->id.proxy));
        TRY(identity_agrees("target", o->target_id, c->id.target));
        struct err *e = cluster__state_read(c->dir, c->id.uuid, &c->state);
        if (err_code(e) == ERR_NOT_FOUND)
                return err_recode(e, ERR_CORRUPT, "state.json is missing beside identity.json");
        TRY(e);
        bool moved = false;
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                moved |= strcmp(c->state.addr[i].url, o->addr[i].url) != 0;
        addr_set(&c->state, o);
        TRY(cluster__state_config_stamp(&c->state, &c->id, 0));
        if (!moved)
                return NULL;
        c->state.smap_version++;
        return cluster__state_write(c->dir, c->id.uuid, &c->state);
}

/* A state file without an identity: only one that never had a bucket is a first start that a crash has cut short. */
static struct err *check_unfinished_start(struct cluster *c)
{
        struct state s = { 0 };
        struct err *e = cluster__state_peek(c->dir, &s);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        bool used = s.next_bid > 1 || s.mountpath_count;
        cluster__state_fini(&s);
        if (used)
                return err_new(ERR_CORRUPT, "identity.json is missing beside state.json");
        return NULL;
}

static struct err *open_dir(struct cluster *c, const char *state_dir)
{
        AUTO_FD int top = -1, orlop = -1;
        TRY(file_open_dir(AT_FDCWD, state_dir, &top));
        TRY(file_mkdir(top, "orlop", 0700));
        TRY(file_open_dir(top, "orlop", &orlop));
        TRY(file_mkdir(orlop, "control", 0700));
        TRY(file_open_dir(orlop, "control", &c->dir));
        TRY(file_sync(orlop));
        TRY(file_sync(top));
        TRY(file_open(c->dir, "lock", O_RDWR | O_CREAT, 0600, &c->lock));
        return file_lock(c->lock);
}

static struct err *open_state(struct cluster *c, const struct cluster_opts *o)
{
        TRY_WRAP(open_dir(c, o->state_dir), "%s", o->state_dir);
        TRY(cluster__sweep(c->dir));
        struct err *e = cluster__identity_read(c->dir, &c->id);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                TRY(check_unfinished_start(c));
                TRY_WRAP(first_start(c, o), "first start");
        } else {
                TRY(e);
                TRY(later_start(c, o));
        }
        c->current = cluster__snapshot_new(&c->id, &c->state, 1);
        if (!c->current)
                return err_static(ERR_NO_MEMORY);
        atomic_store(&c->seq, 1);
        /* A cluster of one: nobody else can act on a key, and all epochs are open. */
        cluster__gate_move(&c->gate, c->current->placement.epoch);
        cluster__gate_open(&c->gate, c->current->placement.epoch);
        cluster__gate_lease(&c->gate, INT64_MAX);
        return NULL;
}

struct err *cluster_open(const struct cluster_opts *opts, struct cluster **ret)
{
        ASSERT_MAY_BLOCK();
        struct cluster *c = calloc(1, sizeof(*c));
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->dir = c->lock = -1;
        c->config_base = opts->config_base;
        c->config_arg = opts->config_arg;
        mutex_init(&c->change, "cluster.change", RANK_CLUSTER);
        mutex_init(&c->pin, "cluster.pin", RANK_LEAF);
        cluster__gate_init(&c->gate);
        struct err *e = open_state(c, opts);
        if (e) {
                cluster_close(c);
                return e;
        }
        *ret = c;
        return NULL;
}

void cluster_close(struct cluster *c)
{
        if (!c)
                return;
        cluster_unpin(c->current);
        cluster__state_fini(&c->state);
        mutex_fini(&c->change);
        mutex_fini(&c->pin);
        cleanup_fd(&c->lock);
        cleanup_fd(&c->dir);
        free(c);
}
