/* cluster/many.c: a process with a cluster port: its engine, the order of commands, and what it knows of the leader. A
 * cluster of one has none of it: it leads, holds its lease for ever, and every epoch is open. */
#define LOG_FOLDER "cluster"

#include "cluster/many.h"

#include "base/log.h"
#include "cluster/raft_mark.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/random.h"
#include "os/tls.h"

#include <stdio.h>

#define ORDER_WAIT_NS (10 * NS_PER_SEC)
#define IMPORT_BYTES ((size_t)512 * 1024)
#define STREAM_PROTOCOL "orlop-raft"

bool cluster__many_leads(const struct many *m)
{
        return m->engine && atomic_load(&m->deciding) && engine_is_fresh_leader(m->engine, NULL);
}

bool cluster__many_ends(const struct cluster *c)
{
        return c->many && atomic_load(&c->many->stopping);
}

struct rpc_peer cluster__peer_of(const struct cluster_member *m)
{
        struct rpc_peer p = { .port = m->port };
        str_copy(p.id, sizeof(p.id), str_of(m->id));
        str_copy(p.host, sizeof(p.host), str_of(m->host));
        return p;
}

static const struct cluster_member *member_of_voter(struct cluster *c, const struct snapshot *s, uint64_t voter)
{
        const struct cluster_member *found = NULL;
        LOCK_SCOPE(&c->publish);
        for (unsigned i = 0; voter && i < c->state.member_count; i++)
                if (c->state.members[i].voter_id == voter)
                        found = snapshot_member(s, str_of(c->state.members[i].m.id));
        return found;
}

bool cluster__leader_peer(struct cluster *c, struct rpc_peer *ret)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        uint64_t voter = atomic_load(&c->many->leader_voter);
        const struct cluster_member *leader = voter ? member_of_voter(c, s, voter) : cluster_leader(s);
        if (!leader || !leader->port || strcmp(leader->id, c->id.member) == 0)
                return false;
        *ret = cluster__peer_of(leader);
        return true;
}

struct err *cluster__not_leader(struct many *m, struct rpc_req *rq)
{
        struct rpc_peer p;
        if (!cluster__leader_peer(m->c, &p))
                return err_new(ERR_UNAVAILABLE, "no leader is known at this moment: a majority of the voters must run");
        rpc_error_extra(rq, json_pack("{s:s, s:s, s:i}", "leader", p.id, "host", p.host, "port", (int)p.port));
        return err_new(ERR_NOT_PRIMARY, "%s leads", p.id);
}

struct err *cluster__many_may_decide(struct cluster *c)
{
        struct many *m = c->many;
        struct rpc_peer p;
        if (cluster__many_leads(m))
                return NULL;
        if (cluster__leader_peer(c, &p))
                return err_new(ERR_NOT_PRIMARY, "%s leads the cluster", p.id);
        return err_new(ERR_UNAVAILABLE, "no leader at this moment: a majority of the voting proxies must run and reach each "
                                        "other (if they are lost for good: orlopd control recover)");
}

struct err *cluster__many_order(struct cluster *c, const struct diff *d)
{
        uint64_t index;
        int64_t deadline = clock_mono_ns() + ORDER_WAIT_NS;
        struct err *e = engine_propose(c->many->engine, d->docs, d->n, deadline, &index);
        /* What was ordered is not published here yet (a full disk holds it up): nothing was changed, and asking again helps. */
        if (err_code(e) == ERR_CONFLICT)
                return err_recode(e, ERR_UNAVAILABLE, "decided on a state that is behind");
        TRY(e);
        return cluster__wait_index(c, index, deadline);
}

void cluster__many_self(const struct many *m, struct member *ret)
{
        const struct identity *id = &m->c->id;
        memset(ret, 0, sizeof(*ret));
        str_copy(ret->m.id, sizeof(ret->m.id), str_of(id->member));
        str_copy(ret->m.proxy, sizeof(ret->m.proxy), str_of(id->proxy));
        str_copy(ret->m.target, sizeof(ret->m.target), str_of(id->target));
        str_copy(ret->m.host, sizeof(ret->m.host), str_of(m->host));
        ret->m.port = m->port;
        ret->m.voter = id->proxy[0] && !m->non_electable;
        ret->m.incarnation = m->c->local.starts;
        ret->voter_id = id->voter_id;
        ret->feature_level = m->c->feature_level;
        memcpy(ret->addr, m->addr, sizeof(ret->addr));
}

/* ---- the engine's events ---- */

static void on_applied(void *arg, uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        struct many *m = arg;
        if (index == 0)
                return;
        /* After a recovery the generation is raised by a command; until it comes, ours is what we know. */
        mutex_lock(&m->feed);
        uint64_t generation = m->fed_generation;
        mutex_unlock(&m->feed);
        cluster__feed(m, generation, index, whole, docs, n);
}

static void on_role(void *arg, const struct engine_role *role)
{
        struct many *m = arg;
        atomic_store(&m->term, role->term);
        atomic_store(&m->leader_voter, role->leader_id);
        atomic_store(&m->led, role->leader);
        cluster__duty_kick(m);
        cluster__beat_kick(m);
}

static void on_alarm(void *arg, const char *text)
{
        (void)arg;
        log_error("%s", text);
}

/* "host:port", or "[host]:port". */
static struct err *address_parse(const char *address, struct rpc_peer *p)
{
        struct str host = str_of(address), port = host;
        while (str_find(port, ':') >= 0)
                (void)str_cut(&port, ':');
        uint64_t number;
        if (!str_u64(port, &number) || number > 65535 || host.n < port.n + 2)
                return err_new(ERR_INVALID, "address %s of a voter", address);
        host.n -= port.n + 1;
        if (host.n > 2 && host.p[0] == '[')
                host = (struct str){ host.p + 1, host.n - 2 };
        p->port = (uint16_t)number;
        if (!str_copy(p->host, sizeof(p->host), host))
                return err_new(ERR_INVALID, "address %s of a voter", address);
        return NULL;
}

/* Where a voter said that it is when it last called here. */
static void told_address(struct many *m, uint64_t voter, const char *address)
{
        LOCK_SCOPE(&m->lease);
        unsigned i = 0;
        while (i < RAFT_VOTERS_MAX - 1 && m->told[i].id && m->told[i].id != voter)
                i++;
        m->told[i].id = voter;
        str_copy(m->told[i].address, sizeof(m->told[i].address), str_of(address));
}

static bool address_told(struct many *m, uint64_t voter, char ret[static 272])
{
        LOCK_SCOPE(&m->lease);
        for (unsigned i = 0; i < RAFT_VOTERS_MAX; i++)
                if (m->told[i].id == voter && m->told[i].address[0]) {
                        memcpy(ret, m->told[i].address, sizeof(m->told[i].address));
                        return true;
                }
        return false;
}

/* Voters that come back elsewhere are found before their list is changed, which takes a majority that they may be needed for:
 * by what they said themselves, then by the state, then by the list. */
static struct err *find_voter(struct many *m, uint64_t id, const char *address, struct rpc_peer *p, bool *ret_told)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        const struct cluster_member *member = member_of_voter(m->c, s, id);
        char told[272];
        *p = (struct rpc_peer){ .port = 0 };
        *ret_told = member && address_told(m, id, told);
        if (member && member->port)
                *p = cluster__peer_of(member);
        else
                TRY(address_parse(address, p));
        return *ret_told ? address_parse(told, p) : NULL;
}

static struct err *dial(void *arg, uint64_t id, const char *address, int *ret_fd)
{
        struct many *m = arg;
        struct rpc_peer p;
        bool told;
        TRY(find_voter(m, id, address, &p, &told));
        char target[400];
        snprintf(target, sizeof(target), "/cluster/raft?voter=%llu&address=%s", (unsigned long long)m->c->id.voter_id,
                 m->address);
        struct http_upgraded u = { .fd = -1 };
        struct err *e = rpc_upgrade(m->client, &p, target, STREAM_PROTOCOL, clock_mono_ns() + 3 * NS_PER_SEC, &u);
        if (e && told)
                told_address(m, id, ""); /* not there any more: the next try asks the state */
        TRY(e);
        e = pumps_add(m->pumps, u.fd, u.tls, buf_str(&u.early), ret_fd);
        buf_fini(&u.early);
        return e;
}

/* ---- the other end of a stream ---- */

struct stream {
        struct many *m;
        uint64_t voter;
        char address[272];
};

static void stream_taken(void *arg, int fd, struct tls_conn *tls, const char *early, size_t early_n)
{
        struct stream *s = arg;
        int end = -1;
        if (fd >= 0) {
                struct err *e = pumps_add(s->m->pumps, fd, tls, (struct str){ early, early_n }, &end);
                if (!e)
                        e = raft_engine_accept(s->m->engine, s->voter, s->address, end);
                log_err(LOG_WARN, LOG_FOLDER, e, "a stream from voter %s", s->address);
        }
        free(s);
}

static struct err *handle_stream(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        uint64_t voter;
        TRY(rpc_query_u64(rq, "voter", 0, &voter));
        struct str address = rpc_query(rq, "address");
        if (!m->engine || atomic_load(&m->stopping) || !http_req_upgrades(rq->http, STR(STREAM_PROTOCOL)))
                return err_new(ERR_INVALID, "no stream to a voter");
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(m->c);
        const struct cluster_member *member = member_of_voter(m->c, snap, voter);
        if (!member || strcmp(member->id, rq->peer_id) != 0)
                return err_new(ERR_FORBIDDEN, "%s is not voter %llu", rq->peer_id, (unsigned long long)voter);
        struct stream *s = calloc(1, sizeof(*s));
        if (!s)
                return err_static(ERR_NO_MEMORY);
        s->m = m;
        s->voter = voter;
        str_copy(s->address, sizeof(s->address), address);
        told_address(m, voter, s->address);
        http_resp_upgrade(rq->resp, STREAM_PROTOCOL, stream_taken, s);
        return NULL;
}

static const struct rpc_route stream_routes[] = {
        { .method = "GET", .path = "/cluster/raft", .cls = POOL_CONTROL, .handle = handle_stream },
        { .method = NULL },
};

/* ---- opening ---- */

bool cluster__many_has_engine(struct cluster *c)
{
        struct stat st;
        struct err *e = file_stat_at(c->dir, "../raft", &st);
        bool there = !e;
        err_free(e);
        return there;
}

/* Only members call; runs on loops. */
static bool peer_allowed(void *arg, const char *id)
{
        struct many *m = arg;
        if (!atomic_load(&m->c->seq)) /* no state yet */
                return false;
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        const struct cluster_member *member = snapshot_member(s, str_of(id));
        return member && strcmp(member->id, id) == 0;
}

static struct err *open_credentials(struct many *m, bool founder)
{
        struct cluster *c = m->c;
        struct err *e = cluster__credentials_read(c->dir, &m->cred);
        if (err_code(e) == ERR_NOT_FOUND && founder) {
                err_free(e);
                TRY(cluster__credentials_found(&c->id, &m->cred));
                e = cluster__credentials_write(c->dir, &m->cred);
        } else if (err_code(e) == ERR_NOT_FOUND) {
                e = err_recode(e, ERR_CORRUPT, "keys.json is missing beside identity.json");
        }
        TRY(e);
        TRY(cluster__credentials_use(m));
        const struct rpc_client_options o = { .tls = m->tls, .pool = m->pool };
        return rpc_client_new(&o, &m->client);
}

static struct err *routes_add(struct many *m)
{
        if (!m->rpc)
                return NULL;
        rpc_server_set_uuid(m->rpc, m->c->id.uuid);
        rpc_server_set_peer_allowed(m->rpc, peer_allowed, m);
        TRY(rpc_server_add(m->rpc, stream_routes, m));
        TRY(rpc_server_add(m->rpc, cluster__beat_routes, m));
        TRY(rpc_server_add(m->rpc, cluster__watch_routes, m));
        TRY(rpc_server_add(m->rpc, cluster__join_routes, m));
        return rpc_server_add(m->rpc, cluster__relay_routes, m);
}

static struct err *engine_start(struct many *m, bool bootstrap)
{
        char dir[4096 + 16];
        snprintf(dir, sizeof(dir), "%s/orlop/raft", m->state_dir);
        TRY(raft__mark(m->c->dir, dir, m->c->id.voter_id));
        const struct raft_options o = {
                .dir = dir,
                .id = m->c->id.voter_id,
                .address = m->address,
                .bootstrap = bootstrap,
                .dial = dial,
                .events = { m, on_applied, on_role, on_alarm },
        };
        return raft_engine_open(&o, &m->engine);
}

/* Waits until the only voter leads. */
static struct err *wait_lead(struct many *m, int64_t deadline)
{
        while (!atomic_load(&m->led)) {
                if (clock_mono_ns() > deadline)
                        return err_new(ERR_UNAVAILABLE, "the first voter does not lead: its log names other voters");
                clock_sleep_ns(10 * NS_PER_MS);
        }
        return NULL;
}

static struct err *import_docs(struct many *m, const struct doc *docs, size_t n, uint64_t *ret_index)
{
        int64_t deadline = clock_mono_ns() + 30 * NS_PER_SEC;
        for (size_t from = 0; from < n;) {
                size_t to = from, bytes = 0;
                while (to < n && to - from < 1000 && (to == from || bytes + docs[to].body.n < IMPORT_BYTES))
                        bytes += docs[to++].body.n;
                TRY(engine_propose(m->engine, docs + from, to - from, deadline, ret_index));
                from = to;
        }
        return NULL;
}

/* The state of a cluster of one becomes the first commands; the document "cluster" comes last and completes it. What the
 * engine then has is what was found. A crash in between begins again. */
static struct err *import_state(struct many *m, struct found *f)
{
        struct cluster *c = m->c;
        struct docs ordered = { .n = 0 };
        uint64_t index = 0;
        TRY(wait_lead(m, clock_mono_ns() + 20 * NS_PER_SEC));
        TRY(cluster__feed_drain(m, &ordered, &index));
        if (!cluster__docs_get(&ordered, STR("cluster"))) {
                AUTO_BUF struct buf ca = BUF_INIT;
                TRY(cluster__ca_document(&m->cred, &ca));
                struct doc *docs = calloc(f->table.n + 2, sizeof(*docs));
                if (!docs)
                        return err_static(ERR_NO_MEMORY);
                size_t n = 0;
                docs[n++] = (struct doc){ STR("ca"), buf_str(&ca), DOC_ANY };
                const struct doc_ref *last = cluster__docs_get(&f->table, STR("cluster"));
                for (size_t i = 0; i < f->table.n; i++)
                        if (f->table.list[i] != last)
                                docs[n++] = (struct doc){ f->table.list[i]->key, f->table.list[i]->body, DOC_ANY };
                if (last)
                        docs[n++] = (struct doc){ last->key, last->body, DOC_ANY };
                struct err *e = import_docs(m, docs, n, &index);
                free(docs);
                TRY_WRAP(e, "bring the state along");
                TRY(cluster__feed_drain(m, &ordered, &index));
                m->founder = true;
                log_info("the state of cluster %s is ordered by voters from now on", c->id.uuid);
        }
        cluster__docs_fini(&f->table);
        f->table = ordered;
        f->index = index;
        f->engine = STATE_FOLLOWED;
        return cluster__state_write(c->dir, c->id.uuid, &f->table, index, STATE_FOLLOWED);
}

static struct err *count_recovery(void *arg, const char *name, unsigned char type)
{
        (void)type;
        *(uint64_t *)arg += str_starts(str_of(name), STR("raft.before-recover-"));
        return NULL;
}

struct err *cluster__many_open(struct cluster *c, const struct cluster_opts *o, struct found *f)
{
        struct many *m = calloc(1, sizeof(*m));
        if (!m)
                return err_static(ERR_NO_MEMORY);
        c->many = m;
        m->c = c;
        m->port = o->cluster_port;
        m->rpc = o->rpc;
        m->pool = o->pool;
        m->non_electable = o->non_electable;
        m->credentials = o->credentials;
        m->credentials_arg = o->credentials_arg;
        mutex_init(&m->feed, "cluster.feed", RANK_LEAF);
        mutex_init(&m->lease, "cluster.lease", RANK_LEAF);
        mutex_init(&m->beat, "cluster.beat", RANK_LEAF);
        mutex_init(&m->clock, "cluster.clock", RANK_LEAF);
        mutex_init(&m->watch, "cluster.watch", RANK_NET);
        cond_init(&m->fed);
        cond_init(&m->beat_now);
        cond_init(&m->duty_now);
        cond_init(&m->voters_now);
        list_init(&m->waiters);
        random_bytes(m->nonce_key, sizeof(m->nonce_key));
        for (unsigned i = 0; i < CLUSTER_NETS; i++) {
                str_copy(m->addr[i].host, sizeof(m->addr[i].host), str_of(o->addr[i].host));
                str_copy(m->addr[i].port, sizeof(m->addr[i].port), str_of(o->addr[i].port));
                str_copy(m->addr[i].url, sizeof(m->addr[i].url), str_of(o->addr[i].url));
        }
        bool v6 = strchr(o->cluster_host, ':') != NULL;
        snprintf(m->address, sizeof(m->address), "%s%s%s:%u", v6 ? "[" : "", o->cluster_host, v6 ? "]" : "", m->port);
        if (!str_copy(m->host, sizeof(m->host), str_of(o->cluster_host)) || !m->port ||
            !str_copy(m->state_dir, sizeof(m->state_dir) - 16, str_of(o->state_dir)))
                return err_new(ERR_INVALID, "cluster address %s:%u", o->cluster_host, m->port);
        m->removed = calloc(WATCH_REMOVED_MAX, sizeof(*m->removed));
        if (!m->removed)
                return err_static(ERR_NO_MEMORY);
        TRY(pumps_new(&m->pumps));
        TRY(file_each(c->dir, "..", count_recovery, &m->recoveries));
        if (c->id.proxy[0] == '\0' && f->engine == STATE_FILE_ENGINE)
                return err_new(ERR_INVALID, "a target alone is no cluster");
        TRY(open_credentials(m, f->engine == STATE_FILE_ENGINE));
        if (f->engine == STATE_FOLLOWED)
                return NULL;
        TRY(engine_start(m, true));
        return import_state(m, f);
}

struct err *cluster__many_run(struct cluster *c, const struct found *f)
{
        struct many *m = c->many;
        atomic_store(&m->confirmed, 0);
        mutex_lock(&m->feed);
        m->fed_generation = c->state.generation;
        m->fed_index = MAX(m->fed_index, f->index);
        mutex_unlock(&m->feed);
        m->removed_floor = f->index;
        if (c->id.proxy[0] && !m->engine)
                TRY(engine_start(m, false));
        cluster__gate_follow(m);
        TRY(routes_add(m));
        return cluster__feed_start(m);
}

/* ---- running ---- */

struct err *cluster_start(struct cluster *c, int64_t deadline_mono_ns)
{
        struct many *m = c->many;
        if (!m)
                return NULL;
        TRY(cluster__beats_start(m));
        TRY(cluster__watch_start(m));
        if (m->engine)
                TRY(cluster__duties_start(m));
        while (!cluster_has_lease(c, clock_mono_ns()) && clock_mono_ns() < deadline_mono_ns) {
                LOCK_SCOPE(&c->wait);
                (void)cond_wait_until(&c->news, &c->wait, MIN(deadline_mono_ns, clock_mono_ns() + NS_PER_SEC / 10));
        }
        return NULL;
}

void cluster_stop(struct cluster *c)
{
        struct many *m = c->many;
        if (!m || atomic_exchange(&m->stopping, true))
                return;
        struct raft_voter voters[RAFT_VOTERS_MAX];
        if (m->engine && atomic_load(&m->led) && engine_voters(m->engine, voters) > 1)
                log_err(LOG_WARN, LOG_FOLDER, engine_transfer(m->engine, 0, clock_mono_ns() + 3 * NS_PER_SEC),
                        "hand leadership over");
        cluster__gate_revoke(&c->gate);
        cluster__duties_stop(m);
        cluster__beats_stop(m);
        cluster__beat_goodbye(m);
        cluster__watch_stop(m);
        cluster__feed_stop(m);
        cluster__news(c);
}

void cluster__many_close(struct cluster *c)
{
        struct many *m = c->many;
        if (!m)
                return;
        cluster_stop(c);
        if (m->rpc) {
                rpc_server_set_peer_allowed(m->rpc, NULL, NULL);
                rpc_server_set_uuid(m->rpc, "");
        }
        engine_close(m->engine);
        pumps_free(m->pumps);
        rpc_client_free(m->client);
        tls_ctx_free(m->tls);
        cluster__leases_fini(&m->leases);
        cluster__credentials_fini(&m->cred);
        mutex_fini(&m->feed);
        mutex_fini(&m->lease);
        mutex_fini(&m->beat);
        mutex_fini(&m->clock);
        mutex_fini(&m->watch);
        cond_fini(&m->fed);
        cond_fini(&m->beat_now);
        cond_fini(&m->duty_now);
        cond_fini(&m->voters_now);
        free(m->removed);
        free(m);
        c->many = NULL;
}

/* ---- what others ask ---- */

bool cluster_is_leader(struct cluster *c)
{
        return !c->many || cluster__many_leads(c->many);
}

bool cluster_member_votes(struct cluster *c, const struct cluster_member *m)
{
        struct raft_voter voters[RAFT_VOTERS_MAX];
        if (!c->many)
                return strcmp(m->id, c->id.member) == 0;
        unsigned n = c->many->engine ? engine_voters(c->many->engine, voters) : 0;
        uint64_t id = 0;
        LOCK_SCOPE(&c->publish);
        const struct member *member = cluster__state_member(&c->state, str_of(m->id));
        if (member)
                id = member->voter_id;
        for (unsigned i = 0; i < n; i++)
                if (voters[i].id == id && voters[i].voting)
                        return true;
        return false;
}

bool cluster_has_lease(struct cluster *c, int64_t now_mono_ns)
{
        return now_mono_ns < atomic_load_explicit(&c->gate.lease_until_ns, memory_order_relaxed);
}

int64_t cluster_time_ns(struct cluster *c)
{
        int64_t now = c->many ? cluster__clock_now(c->many) : clock_wall_ns(), last = atomic_load(&c->last_time_ns);
        while (last < now)
                if (atomic_compare_exchange_weak(&c->last_time_ns, &last, now))
                        return now;
        return last;
}

uint64_t cluster_open_epoch(struct cluster *c)
{
        return atomic_load_explicit(&c->gate.open, memory_order_acquire);
}

bool cluster_gate_enter(struct cluster *c, uint64_t epoch, struct gate_pass *ret)
{
        return cluster__gate_enter(&c->gate, epoch, clock_mono_ns(), &ret->slot);
}

void cluster_gate_leave(struct cluster *c, struct gate_pass pass)
{
        cluster__gate_leave(&c->gate, pass.slot);
}

void cluster_set_stamps(struct cluster *c, uint64_t (*largest)(void *arg), void (*observe)(void *arg, uint64_t hlc),
                        void *arg)
{
        if (!c->many)
                return;
        LOCK_SCOPE(&c->many->beat);
        c->many->stamps_largest = largest;
        c->many->stamps_observe = observe;
        c->many->stamps_arg = arg;
}

struct rpc_client *cluster_rpc(struct cluster *c)
{
        return c->many ? c->many->client : NULL;
}
