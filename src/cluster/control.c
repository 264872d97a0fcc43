/* cluster/control.c: opening and closing: who this process is, and the state that it finds or founds.
 *
 * A first start writes local.json, state.json and last identity.json, which completes it: a crash before is a first start
 * again. A process with a cluster port goes on in many.c with what is found here. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"

#include <stdio.h>

/* ---- identity ---- */

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

struct err *cluster__identity_new(const struct cluster_opts *o, const char *uuid_wish, struct identity *ret)
{
        struct identity id;
        memset(&id, 0, sizeof(id));
        id.created_ns = clock_wall_ns();
        id.voter_id = random_u64() >> 1 | 1;
        char node[9], uuid[10];
        random_id(node, 8);
        random_id(uuid, 9);
        TRY(id_choose(uuid_wish, "", uuid, id.uuid, sizeof(id.uuid)));
        /* Both roles of one process share the random part, so that people see who belongs together. */
        if (o->role != CLUSTER_ROLE_TARGET)
                TRY(id_choose(o->proxy_id, "p", node, id.proxy, sizeof(id.proxy)));
        if (o->role != CLUSTER_ROLE_PROXY)
                TRY(id_choose(o->target_id, "t", node, id.target, sizeof(id.target)));
        snprintf(id.member, sizeof(id.member), "%sm", node);
        if (strcmp(id.proxy, id.target) == 0)
                return err_new(ERR_INVALID, "proxy and target can not both be named %s", id.proxy);
        *ret = id;
        return NULL;
}

static struct err *identity_agrees(const char *what, const char *wish, const char *have)
{
        if (wish && strcmp(wish, have) != 0)
                return err_new(ERR_FOREIGN, "the state belongs to %s %s, not %s", what, have, wish);
        return NULL;
}

static struct err *role_agrees(const struct identity *id, enum cluster_role role)
{
        bool proxy = role != CLUSTER_ROLE_TARGET, target = role != CLUSTER_ROLE_PROXY;
        if (proxy != (id->proxy[0] != '\0') || target != (id->target[0] != '\0'))
                return err_new(ERR_FOREIGN, "the state is that of %s",
                               !id->proxy[0] ? "a target" : !id->target[0] ? "a proxy" : "a proxy and target");
        return NULL;
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

/* ---- first start ---- */

static void set_addresses(struct state *s, const struct identity *id, const struct cluster_opts *o)
{
        struct member *m = cluster__state_member(s, str_of(id->member));
        for (unsigned i = 0; m && i < CLUSTER_NETS; i++) {
                /* Field by field: members are compared as bytes. */
                memset(&m->addr[i], 0, sizeof(m->addr[i]));
                str_copy(m->addr[i].host, sizeof(m->addr[i].host), str_of(o->addr[i].host));
                str_copy(m->addr[i].port, sizeof(m->addr[i].port), str_of(o->addr[i].port));
                str_copy(m->addr[i].url, sizeof(m->addr[i].url), str_of(o->addr[i].url));
        }
}

static struct err *founded(struct cluster *c, const struct cluster_opts *o, struct state *s)
{
        struct config *config;
        TRY(cluster__config_base(c, &config));
        struct shared_config *shared = cluster__state_config_new(config);
        if (!shared)
                return err_static(ERR_NO_MEMORY);
        TRY(cluster__state_config_take(s, shared));
        TRY(cluster__state_found(s, &c->id, c->feature_level));
        s->smap_version = s->bmd_version = s->config_version = s->next_bid = 1;
        set_addresses(s, &c->id, o);
        return cluster__state_config_stamp(s, c->id.created_ns);
}

/* Everything but the identity is written first, so that a crash in between is a first start again. */
static struct err *first_start(struct cluster *c, const struct cluster_opts *o, struct docs *table)
{
        struct state s = { .created_ns = 0 }, none = { .created_ns = 0 };
        struct diff d = { .n = 0 };
        if (o->role == CLUSTER_ROLE_TARGET)
                return err_new(ERR_INVALID, "a target alone is no cluster: it needs a join token");
        TRY(cluster__identity_new(o, o->cluster_uuid, &c->id));
        struct err *e = founded(c, o, &s);
        if (!e)
                e = cluster__diff(&none, &s, table, &d);
        for (size_t i = 0; !e && i < d.n; i++)
                e = cluster__docs_put(table, d.docs[i].key, d.docs[i].body, 1);
        if (!e)
                e = cluster__local_write(c->dir, c->id.uuid, &c->local, &s);
        if (!e)
                e = cluster__state_write(c->dir, c->id.uuid, table, 1, STATE_FILE_ENGINE);
        if (!e)
                e = cluster__identity_write(c->dir, &c->id);
        cluster__diff_fini(&d);
        cluster__state_fini(&s);
        if (!e)
                log_info("new cluster %s, proxy %s, target %s", c->id.uuid, c->id.proxy,
                         c->id.target[0] ? c->id.target : "none");
        return e;
}

/* A state file without an identity: only one that never had a bucket is a first start that a crash has cut short. */
static struct err *check_unfinished_start(struct cluster *c)
{
        struct state s = { .next_bid = 0 };
        struct docs docs = { .n = 0 };
        struct local local;
        uint64_t index;
        enum state_engine engine;
        bool old;
        struct err *e = cluster__state_read(c->dir, NULL, &docs, &index, &engine, &s, &old);
        if (!e && !old)
                e = cluster__local_read(c->dir, NULL, &local, &s);
        bool used = !e && (index > 1 || s.next_bid > 1 || s.mountpath_count);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                e = NULL;
        }
        cluster__docs_fini(&docs);
        cluster__state_fini(&s);
        TRY(e);
        if (used)
                return err_new(ERR_CORRUPT, "identity.json is missing beside state.json");
        return NULL;
}

/* ---- later starts ---- */

static struct err *later_start(struct cluster *c, const struct cluster_opts *o, struct found *f)
{
        TRY(identity_agrees("cluster", o->cluster_uuid, c->id.uuid));
        TRY(identity_agrees("proxy", o->proxy_id, c->id.proxy));
        TRY(identity_agrees("target", o->target_id, c->id.target));
        TRY(role_agrees(&c->id, o->role));
        bool old = false;
        struct err *e = cluster__state_read(c->dir, &c->id, &f->table, &f->index, &f->engine, &f->local, &old);
        if (err_code(e) == ERR_NOT_FOUND)
                return err_recode(e, ERR_CORRUPT, "state.json is missing beside identity.json");
        TRY(e);
        if (old)
                return NULL;
        e = cluster__local_read(c->dir, c->id.uuid, &c->local, &f->local);
        return err_code(e) == ERR_NOT_FOUND ? err_recode(e, ERR_CORRUPT, "local.json is missing beside identity.json") :
                                              e;
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

static struct err *find_state(struct cluster *c, const struct cluster_opts *o, struct found *f)
{
        TRY_WRAP(open_dir(c, o->state_dir), "%s", o->state_dir);
        TRY(cluster__sweep(c->dir));
        struct err *e = cluster__identity_read(c->dir, &c->id);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                TRY(check_unfinished_start(c));
                f->index = 1;
                f->engine = STATE_FILE_ENGINE;
                if (!o->join) {
                        TRY_WRAP(first_start(c, o, &f->table), "first start");
                } else {
                        TRY_WRAP(cluster__join(c, o, f), "join the cluster");
                }
        } else {
                TRY(e);
                TRY(later_start(c, o, f));
        }
        c->local.starts++;
        return cluster__local_write(c->dir, c->id.uuid, &c->local, &f->local);
}

/* The documents found become the first snapshot. */
static struct err *first_snapshot(struct cluster *c, struct found *f)
{
        struct prepared p;
        struct doc *docs = calloc(f->table.n + 1, sizeof(*docs));
        if (!docs)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < f->table.n; i++)
                docs[i] = (struct doc){ f->table.list[i]->key, f->table.list[i]->body, f->table.list[i]->modified };
        LOCK_SCOPE(&c->publish);
        struct err *e = cluster__state_mountpaths_set(&c->state, f->local.mountpaths, f->local.mountpath_count);
        c->state.overrides = f->local.overrides ? cluster__doc_ref(f->local.overrides) : NULL;
        if (!e)
                e = cluster__prepare(c, f->index, true, docs, f->table.n, &p);
        free(docs);
        if (e && err_code(e) != ERR_NO_MEMORY && err_code(e) != ERR_FORMAT)
                e = err_recode(e, ERR_CORRUPT, "content of state.json");
        TRY(e);
        cluster__publish(c, &p);
        return NULL;
}

/* A cluster of one: nobody else can act on a key, all epochs are open, and its addresses are what it is told now. */
static struct err *open_alone(struct cluster *c, const struct cluster_opts *o, const struct found *f)
{
        if (f->engine != STATE_FILE_ENGINE || cluster__many_has_engine(c))
                return err_new(ERR_INVALID, "this node belongs to a cluster of several: start it with its cluster port");
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(c, &ch));
        set_addresses(&ch.next, &c->id, o);
        TRY(cluster__change_commit(&ch));
        cluster__gate_move(&c->gate, c->current->placement.epoch);
        cluster__gate_open(&c->gate, c->current->placement.epoch);
        cluster__gate_lease(&c->gate, INT64_MAX);
        return NULL;
}

static struct err *open_all(struct cluster *c, const struct cluster_opts *o)
{
        struct found f = { .index = 0 };
        struct err *e = find_state(c, o, &f);
        if (!e && o->cluster_host)
                e = cluster__many_open(c, o, &f);
        if (!e)
                e = first_snapshot(c, &f);
        if (!e)
                e = o->cluster_host ? cluster__many_run(c, &f) : open_alone(c, o, &f);
        cluster__docs_fini(&f.table);
        cluster__state_fini(&f.local);
        return e;
}

struct err *cluster_open(const struct cluster_opts *opts, struct cluster **ret)
{
        ASSERT_MAY_BLOCK();
        struct cluster *c = calloc(1, sizeof(*c));
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->dir = c->lock = -1;
        c->feature_level = opts->old_level ? MIN(opts->feature_level, FEATURE_LEVEL) : FEATURE_LEVEL;
        c->config_base = opts->config_base;
        c->config_arg = opts->config_arg;
        mutex_init(&c->change, "cluster.change", RANK_CLUSTER);
        mutex_init(&c->publish, "cluster.publish", RANK_CLUSTER_PUBLISH);
        mutex_init(&c->pin, "cluster.pin", RANK_LEAF);
        mutex_init(&c->wait, "cluster.wait", RANK_LEAF);
        cond_init(&c->news);
        cluster__gate_init(&c->gate);
        struct err *e = open_all(c, opts);
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
        cluster__many_close(c);
        cluster_unpin(c->current);
        cluster__state_fini(&c->state);
        cluster__docs_fini(&c->table);
        mutex_fini(&c->change);
        mutex_fini(&c->publish);
        mutex_fini(&c->pin);
        mutex_fini(&c->wait);
        cond_fini(&c->news);
        cleanup_fd(&c->lock);
        cleanup_fd(&c->dir);
        free(c);
}
