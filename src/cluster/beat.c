/* cluster/beat.c: beats: how a member gets its lease, confirms epochs and learns the time; and the leader's answer.
 *
 * One thread sends a beat every half second, and at once when an epoch can be confirmed. The lease counts from the moment
 * before it was sent. An epoch is confirmed when the watchers have seen it, the gate of the one before is empty, and
 * local.json says so: after a restart this target acts under no earlier one. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"

#include <stdio.h>

#define BEAT_NS (NS_PER_SEC / 2)
#define BEAT_WAIT_NS NS_PER_SEC
#define GOODBYE_WAIT_NS (NS_PER_SEC / 2)
#define GATE_ALARM_NS (10 * NS_PER_SEC)
#define RENEW_NS (600 * NS_PER_SEC)

void cluster__beat_kick(struct many *m)
{
        LOCK_SCOPE(&m->beat);
        m->kicked = true;
        cond_signal(&m->beat_now);
}

/* ---- the gate ---- */

static uint64_t confirmed_on_disk(struct cluster *c)
{
        LOCK_SCOPE(&c->publish);
        return c->local.confirmed;
}

void cluster__gate_follow(struct many *m)
{
        struct cluster *c = m->c;
        uint64_t epoch = atomic_load(&c->published_epoch), confirmed = confirmed_on_disk(c);
        LOCK_SCOPE(&m->beat); /* one mover */
        if (epoch >= confirmed && cluster__gate_drained(&c->gate))
                cluster__gate_move(&c->gate, epoch);
}

/* Confirms the newest epoch if nothing is at work under an older one. True: there is something new to tell. */
static bool confirm(struct many *m, int64_t *waiting_since)
{
        struct cluster *c = m->c;
        cluster__gate_follow(m);
        uint64_t epoch = atomic_load(&c->gate.newest) >> 1;
        bool behind = atomic_load(&c->published_epoch) > epoch;
        if (epoch == 0 || (epoch <= atomic_load(&m->confirmed) && !behind)) {
                *waiting_since = 0;
                return false;
        }
        if (!cluster__gate_drained(&c->gate)) {
                int64_t now = clock_mono_ns();
                *waiting_since = *waiting_since ? *waiting_since : now;
                if (now - *waiting_since > GATE_ALARM_NS) {
                        log_warn("a commit under an epoch before %llu has not ended for %lld s: it holds the epoch back",
                                 (unsigned long long)epoch, (long long)((now - *waiting_since) / NS_PER_SEC));
                        *waiting_since = now;
                }
                return false;
        }
        *waiting_since = 0;
        if (epoch > confirmed_on_disk(c)) {
                LOCK_SCOPE(&c->publish);
                struct local l = c->local;
                l.confirmed = epoch;
                struct err *e = c->id.target[0] ? cluster__local_write(c->dir, c->id.uuid, &l, &c->state) : NULL;
                if (e) {
                        log_err(LOG_ERROR, LOG_FOLDER, e, "an epoch can not be confirmed");
                        return false;
                }
                c->local = l;
        }
        atomic_store(&m->confirmed, epoch);
        return true;
}

/* ---- sending ---- */

static uint64_t largest_stamp(struct many *m)
{
        mutex_lock(&m->beat);
        uint64_t (*fn)(void *) = m->stamps_largest;
        void *arg = m->stamps_arg;
        mutex_unlock(&m->beat);
        return fn ? fn(arg) : 0;
}

static void observe_stamp(struct many *m, uint64_t hlc)
{
        mutex_lock(&m->beat);
        void (*fn)(void *, uint64_t) = m->stamps_observe;
        void *arg = m->stamps_arg;
        mutex_unlock(&m->beat);
        if (fn && hlc)
                fn(arg, hlc);
}

static void lease_got(struct many *m, int64_t sent_ns, uint64_t open, int64_t time_ns, uint64_t observe)
{
        struct cluster *c = m->c;
        bool before = cluster_has_lease(c, clock_mono_ns());
        uint64_t was = cluster_open_epoch(c);
        if (time_ns)
                cluster__clock_follow(m, time_ns);
        observe_stamp(m, observe);
        cluster__gate_open(&c->gate, open);
        if (!atomic_load(&m->broken) && !atomic_load(&m->stopping))
                cluster__gate_lease(&c->gate, cluster__lease_end(sent_ns));
        if (m->lost_since_ns)
                log_info("lease again after %lld ms", (long long)((clock_mono_ns() - m->lost_since_ns) / NS_PER_MS));
        m->lost_since_ns = 0;
        if (!before || open != was)
                cluster__news(c);
}

/* Whom to ask: who answered last, who is said to lead, the primary of the map, then one after another. */
static bool choose_peer(struct many *m, struct rpc_peer *ret)
{
        if (m->hint.port) {
                *ret = m->hint;
                return true;
        }
        if (m->turn++ % 2 == 0 && cluster__leader_peer(m->c, ret))
                return true;
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct cluster_member *x = &s->members[(i + m->turn / 2) % s->member_count];
                if (x->proxy[0] && x->port && strcmp(x->id, s->member_id) != 0) {
                        *ret = cluster__peer_of(x);
                        return true;
                }
        }
        return false;
}

static json_t *beat_body(struct many *m, bool ends)
{
        struct member self;
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        cluster__many_self(m, &self);
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_u64s(&w, "confirmed", atomic_load(&m->confirmed));
        jw_u64s(&w, "incarnation", m->c->local.starts);
        jw_u64s(&w, "stamp", largest_stamp(m));
        jw_bool(&w, "ends", ends);
        AUTO_BUF struct buf text = BUF_INIT;
        err_free(cluster__encode_member(&self, &text));
        jw_raw(&w, "self", buf_str(&text));
        jw_object_end(&w);
        json_t *j = NULL;
        err_free(json_parse(buf_str(&b), 1 << 20, &j));
        return j;
}

/* The leader named by a peer that does not lead. */
static void take_hint(struct many *m, const json_t *extra)
{
        struct str id = json_str(json_object_get(extra, "leader")), host = json_str(json_object_get(extra, "host"));
        json_int_t port = json_integer_value(json_object_get(extra, "port"));
        memset(&m->hint, 0, sizeof(m->hint));
        if (!id.n || !host.n || port <= 0 || port > 65535 || str_eq(id, str_of(m->c->id.member)))
                return;
        str_copy(m->hint.id, sizeof(m->hint.id), id);
        str_copy(m->hint.host, sizeof(m->hint.host), host);
        m->hint.port = (uint16_t)port;
}

struct beat_answer {
        struct str lease;
        uint64_t open, observe;
        int64_t time;
};

static struct err *post_beat(struct many *m, const struct rpc_peer *peer, bool ends, int64_t deadline, json_t **ret_extra,
                             struct buf *b)
{
        AUTO_JSON json_t *in = beat_body(m, ends);
        if (!in)
                return err_static(ERR_NO_MEMORY);
        char *text = json_dumps(in, JSON_COMPACT);
        const struct rpc_request rq = { .method = "POST", .target = STR("/cluster/beat"), .body = str_of(text),
                                        .replay_any = true, .deadline_ns = deadline, .ret_extra = ret_extra };
        struct err *e = rpc_call_with(m->client, peer, &rq, b);
        free(text);
        return e;
}

void cluster__beat_goodbye(struct many *m)
{
        AUTO_BUF struct buf body = BUF_INIT;
        struct rpc_peer peer = m->hint;
        if (!atomic_load(&m->c->seq)) /* it never began */
                return;
        if (!peer.port && !cluster__leader_peer(m->c, &peer))
                return;
        log_err(LOG_DEBUG, LOG_FOLDER, post_beat(m, &peer, true, clock_mono_ns() + GOODBYE_WAIT_NS, NULL, &body),
                "goodbye to %s", peer.id);
}

static struct err *beat_once(struct many *m, const struct rpc_peer *peer)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct beat_answer, "lease", JSON_F_STR, lease),
                JSON_FIELD(struct beat_answer, "open", JSON_F_U64S, open),
                JSON_FIELD(struct beat_answer, "observe", JSON_F_U64S, observe),
                JSON_FIELD(struct beat_answer, "time", JSON_F_I64S, time),
        };
        AUTO_JSON json_t *out = NULL, *extra = NULL;
        AUTO_BUF struct buf body = BUF_INIT;
        int64_t sent = clock_mono_ns();
        struct err *e = post_beat(m, peer, false, sent + BEAT_WAIT_NS, &extra, &body);
        if (e) {
                take_hint(m, extra);
                return e;
        }
        TRY(json_parse(buf_str(&body), 1 << 20, &out));
        struct beat_answer a = { .time = 0 };
        TRY(json_decode(out, fields, ARRAY_LEN(fields), false, "beat", &a));
        m->hint = *peer;
        if (str_eq(a.lease, STR("given"))) {
                lease_got(m, sent, a.open, a.time, a.observe);
                return NULL;
        }
        if (a.time)
                cluster__clock_follow(m, a.time);
        return err_new(ERR_UNAVAILABLE, "%s gave no lease: " STR_FMT, peer->id, STR_ARG(a.lease));
}

/* ---- the leader's answer ---- */

static enum lease_answer answer(struct many *m, const char *id, uint64_t incarnation, uint64_t confirmed,
                                uint64_t stamp, uint64_t *ret_open, uint64_t *ret_largest)
{
        bool fresh = cluster__many_leads(m);
        LOCK_SCOPE(&m->lease);
        enum lease_answer a = cluster__leases_beat(&m->leases, clock_mono_ns(), fresh, id, incarnation, confirmed);
        m->largest_heard = MAX(m->largest_heard, stamp);
        *ret_open = m->leases.open;
        *ret_largest = m->largest_heard;
        return a;
}

static bool said_before(const struct member *have, const struct member *self)
{
        return have->m.incarnation == self->m.incarnation && have->m.port == self->m.port &&
               have->m.voter == self->m.voter && have->feature_level == self->feature_level &&
               strcmp(have->m.host, self->m.host) == 0 && memcmp(have->addr, self->addr, sizeof(self->addr)) == 0;
}

/* What a member says of itself, if the state has it otherwise: to be written down by the duties. */
static void note_self(struct many *m, const struct member *self)
{
        struct cluster *c = m->c;
        mutex_lock(&c->publish);
        const struct member *have = cluster__state_member(&c->state, str_of(self->m.id));
        bool same = !have || said_before(have, self);
        mutex_unlock(&c->publish);
        if (same)
                return;
        LOCK_SCOPE(&m->lease);
        for (unsigned i = 0; i < m->news_count; i++)
                if (strcmp(m->news[i].m.id, self->m.id) == 0) {
                        m->news[i] = *self;
                        return;
                }
        if (m->news_count < NEWS_MAX)
                m->news[m->news_count++] = *self;
        m->duty_kicked = true;
        cond_signal(&m->duty_now);
}

static void beat_self(struct many *m)
{
        uint64_t open, largest;
        struct member self;
        int64_t now = clock_mono_ns();
        cluster__many_self(m, &self);
        note_self(m, &self);
        enum lease_answer a = answer(m, self.m.id, self.m.incarnation, atomic_load(&m->confirmed), largest_stamp(m),
                                     &open, &largest);
        if (a == LEASE_GIVEN)
                lease_got(m, now, open, 0, largest);
}

static const char *const answers[] = {
        [LEASE_GIVEN] = "given",
        [LEASE_NOT_LEADER] = "this process does not lead",
        [LEASE_UNKNOWN] = "not a member",
        [LEASE_OLD_PROCESS] = "a later process of this member is known",
        [LEASE_DOWN] = "down, and coming back",
        [LEASE_BEHIND] = "behind the newest epoch",
};

struct beat_doc {
        uint64_t confirmed, incarnation, stamp;
        bool ends;
        const json_t *self;
};

static struct err *take_goodbye(struct many *m, struct rpc_req *rq, uint64_t incarnation)
{
        mutex_lock(&m->lease);
        bool taken = cluster__leases_goodbye(&m->leases, rq->peer_id, incarnation);
        m->duty_kicked = m->duty_kicked || taken;
        cond_signal(&m->duty_now);
        mutex_unlock(&m->lease);
        cluster__watch_wake(m, rq->peer_id); /* it waits for its question to be answered */
        return rpc_reply_json(rq, json_object());
}

static struct err *handle_beat(struct rpc_req *rq)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct beat_doc, "confirmed", JSON_F_U64S, confirmed),
                JSON_FIELD(struct beat_doc, "incarnation", JSON_F_U64S, incarnation),
                JSON_FIELD(struct beat_doc, "stamp", JSON_F_U64S, stamp),
                JSON_FIELD(struct beat_doc, "ends", JSON_F_BOOL, ends),
                JSON_FIELD(struct beat_doc, "self", JSON_F_OBJECT, self),
        };
        struct many *m = rq->ctx;
        AUTO_JSON json_t *j = NULL;
        struct beat_doc d = { .self = NULL };
        struct member self;
        uint64_t open, largest;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        TRY(rpc_read_json(rq, &j));
        TRY(json_decode(j, fields, ARRAY_LEN(fields), false, "beat", &d));
        if (d.ends)
                return take_goodbye(m, rq, d.incarnation);
        TRY(cluster__decode_member(str_of(rq->peer_id), d.self, &self));
        enum lease_answer a = answer(m, rq->peer_id, d.incarnation, d.confirmed, d.stamp, &open, &largest);
        if (a == LEASE_NOT_LEADER)
                return cluster__not_leader(m, rq);
        if (a != LEASE_UNKNOWN && a != LEASE_OLD_PROCESS)
                note_self(m, &self);
        char open_text[24], largest_text[24], time_text[24];
        snprintf(open_text, sizeof(open_text), "%llu", (unsigned long long)open);
        snprintf(largest_text, sizeof(largest_text), "%llu", (unsigned long long)largest);
        snprintf(time_text, sizeof(time_text), "%lld", (long long)cluster_time_ns(m->c));
        return rpc_reply_json(rq, json_pack("{s:s, s:s, s:s, s:s}", "lease", answers[a], "open", open_text, "observe",
                                            largest_text, "time", time_text));
}

const struct rpc_route cluster__beat_routes[] = {
        { .method = "POST", .path = "/cluster/beat", .cls = POOL_CONTROL, .handle = handle_beat },
        { .method = NULL },
};

/* ---- the thread ---- */

static void send_beat(struct many *m)
{
        struct rpc_peer peer;
        if (cluster__many_leads(m)) {
                m->hint.port = 0;
                beat_self(m);
                return;
        }
        /* Who does not lead says who does: that one is asked at once. */
        for (unsigned tries = 0; tries < 2; tries++) {
                bool hinted = m->hint.port != 0;
                if (!choose_peer(m, &peer))
                        return;
                struct err *e = beat_once(m, &peer);
                if (!e)
                        return;
                if (hinted && m->hint.port && strcmp(m->hint.id, peer.id) == 0 && err_code(e) != ERR_UNAVAILABLE)
                        m->hint.port = 0;
                if (err_code(e) == ERR_TIMEOUT || err_code(e) == ERR_IO || err_code(e) == ERR_CLOSED)
                        m->hint.port = 0;
                int64_t now = clock_mono_ns();
                if (!m->lost_since_ns) {
                        m->lost_since_ns = now;
                        log_err(LOG_DEBUG, LOG_FOLDER, e, "beat to %s", peer.id);
                } else if (now - m->lost_since_ns > 5 * NS_PER_SEC && m->turn % 16 == 0) {
                        log_err(LOG_WARN, LOG_FOLDER, e, "no lease for %lld s",
                                (long long)((now - m->lost_since_ns) / NS_PER_SEC));
                } else {
                        err_free(e);
                }
                if (!m->hint.port)
                        return;
        }
}

static void beater_main(void *arg)
{
        struct many *m = arg;
        int64_t next = 0, waiting_since = 0, renew = clock_mono_ns() + RENEW_NS / 10;
        while (!atomic_load(&m->stopping)) {
                bool news = confirm(m, &waiting_since);
                int64_t now = clock_mono_ns();
                if (news || now >= next || !cluster_has_lease(m->c, now)) {
                        send_beat(m);
                        next = now + BEAT_NS;
                }
                if (now >= renew) {
                        cluster__credentials_renew(m);
                        renew = now + RENEW_NS;
                }
                int64_t wake = waiting_since ? now + 2 * NS_PER_MS :
                               cluster_has_lease(m->c, clock_mono_ns()) ? next : now + NS_PER_SEC / 10;
                LOCK_SCOPE(&m->beat);
                while (!m->kicked && !atomic_load(&m->stopping))
                        if (!cond_wait_until(&m->beat_now, &m->beat, wake))
                                break;
                m->kicked = false;
        }
}

struct err *cluster__beats_start(struct many *m)
{
        return thread_start(&m->beater, "cl-beat", THREAD_WORKER, beater_main, m);
}

void cluster__beats_stop(struct many *m)
{
        cluster__beat_kick(m);
        thread_join(m->beater);
        m->beater = NULL;
}
