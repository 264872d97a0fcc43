/* cluster/state_docs.c: the state as documents, and back (docs/format/control.md).
 *
 * `cluster` holds versions and placements, `member/<id>` a process, `bucket/<uname>` a bucket, `config` the persistent
 * configuration; whatever else there is (keys, tokens, jobs) stays as it is in state.docs. Decoding is strict: a document
 * that a later version has written is an error and not a guess; the feature level sees to it that none comes.
 * Errors: MALFORMED with the document's key, NO_MEMORY. */
#include <stdio.h>

#include "cluster/priv.h"

/* ---- encoding ---- */

static void encode_set(struct json_w *w, const char *key, const struct epoch_set *s, bool pending)
{
        jw_object(w, key);
        jw_u64s(w, "epoch", s->epoch);
        jw_array(w, "targets");
        for (unsigned i = 0; i < s->n; i++)
                jw_cstr(w, NULL, s->targets[i].id);
        jw_array_end(w);
        if (pending) {
                jw_array(w, "pending");
                for (unsigned i = 0; i < s->n; i++)
                        if (s->targets[i].pending)
                                jw_cstr(w, NULL, s->targets[i].id);
                jw_array_end(w);
        }
        jw_object_end(w);
}

struct err *cluster__encode_cluster(const struct state *s, struct buf *b)
{
        struct json_w w;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "uuid", s->uuid);
        jw_i64s(&w, "created", s->created_ns);
        jw_u64s(&w, "generation", s->generation);
        jw_u64s(&w, "feature_level", s->feature_level);
        jw_u64s(&w, "smap_version", s->smap_version);
        jw_u64s(&w, "bmd_version", s->bmd_version);
        jw_u64s(&w, "config_version", s->config_version);
        jw_u64s(&w, "next_bid", s->next_bid);
        jw_cstr(&w, "primary", s->primary);
        jw_u64s(&w, "term", s->term);
        jw_u64s(&w, "settled_hlc", s->settled_hlc);
        encode_set(&w, "placement", &s->epochs.current, false);
        jw_array(&w, "earlier");
        for (unsigned i = 0; i < s->epochs.earlier_count; i++)
                encode_set(&w, NULL, &s->epochs.earlier[i], true);
        jw_array_end(&w);
        jw_object_end(&w);
        return buf_err(b);
}

static const char *const net_names[CLUSTER_NETS] = { "public", "data", "control" };

struct err *cluster__encode_member(const struct member *m, struct buf *b)
{
        struct json_w w;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "proxy", m->m.proxy);
        jw_cstr(&w, "target", m->m.target);
        jw_cstr(&w, "host", m->m.host);
        jw_int(&w, "port", m->m.port);
        jw_bool(&w, "up", m->m.up);
        jw_bool(&w, "electable", m->m.voter);
        jw_int(&w, "proxy_flags", m->m.proxy_flags);
        jw_int(&w, "target_flags", m->m.target_flags);
        jw_i64s(&w, "joined", m->m.joined_ns);
        jw_i64s(&w, "down", m->m.down_ns);
        jw_u64s(&w, "incarnation", m->m.incarnation);
        jw_u64s(&w, "voter", m->voter_id);
        jw_u64s(&w, "since", m->since);
        jw_u64s(&w, "feature_level", m->feature_level);
        for (unsigned i = 0; i < CLUSTER_NETS; i++) {
                jw_object(&w, net_names[i]);
                jw_cstr(&w, "host", m->addr[i].host);
                jw_cstr(&w, "port", m->addr[i].port);
                jw_cstr(&w, "url", m->addr[i].url);
                jw_object_end(&w);
        }
        jw_object_end(&w);
        return buf_err(b);
}

struct err *cluster__encode_bucket(const struct bucket *bucket, struct buf *b)
{
        struct json_w w;
        char uname[192];
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "origin", bck_uname(&bucket->origin, uname));
        bucket_props_json(&w, "props", bucket);
        jw_object_end(&w);
        return buf_err(b);
}

struct err *cluster__encode_config(const struct config *c, struct buf *b)
{
        struct json_w w;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        config_json_private(&w, c);
        jw_object_end(&w);
        return buf_err(b);
}

/* ---- decoding ---- */

struct set_doc {
        uint64_t epoch;
        const json_t *targets, *pending;
};

static struct err *decode_set(const json_t *j, struct epoch_set *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct set_doc, "epoch", JSON_F_U64S, epoch),
                JSON_FIELD(struct set_doc, "targets", JSON_F_ARRAY, targets),
                JSON_FIELD(struct set_doc, "pending", JSON_F_ARRAY, pending),
        };
        struct set_doc d = { .epoch = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "placement", &d));
        size_t n = json_array_size(d.targets);
        if (d.epoch == 0 || !d.targets || n > EPOCHS_TARGETS_MAX)
                return err_new(ERR_MALFORMED, "invalid placement");
        struct epoch_set s = { d.epoch, 0, calloc(n + 1, sizeof(*s.targets)) };
        if (!s.targets)
                return err_static(ERR_NO_MEMORY);
        for (; s.n < n; s.n++) {
                struct str id = json_str(json_array_get(d.targets, s.n));
                str_copy(s.targets[s.n].id, sizeof(s.targets[s.n].id), id);
                if (!id_check(id) || (s.n && strcmp(s.targets[s.n - 1].id, s.targets[s.n].id) >= 0))
                        break;
        }
        size_t marked = 0;
        for (size_t i = 0; i < json_array_size(d.pending); i++)
                for (unsigned k = 0; k < s.n; k++)
                        if (str_eq(json_str(json_array_get(d.pending, i)), str_of(s.targets[k].id))) {
                                s.targets[k].pending = true;
                                marked++;
                        }
        if (s.n < n || marked != json_array_size(d.pending)) {
                free(s.targets);
                return err_new(ERR_MALFORMED, "targets of placement %llu", (unsigned long long)d.epoch);
        }
        *ret = s;
        return NULL;
}

static struct err *decode_epochs(const json_t *current, const json_t *earlier, struct epochs *e)
{
        TRY(decode_set(current, &e->current));
        if (json_array_size(earlier) > EPOCHS_EARLIER_HARD)
                return err_new(ERR_MALFORMED, "%zu earlier placements", json_array_size(earlier));
        for (size_t i = 0; i < json_array_size(earlier); i++) {
                TRY(decode_set(json_array_get(earlier, i), &e->earlier[i]));
                e->earlier_count++;
                if (e->earlier[i].epoch >= (i ? e->earlier[i - 1].epoch : e->current.epoch))
                        return err_new(ERR_MALFORMED, "earlier placements are not in order");
        }
        return NULL;
}

struct cluster_doc {
        struct str uuid, primary;
        int64_t created;
        uint64_t generation, feature_level, smap_version, bmd_version, config_version, next_bid, term, settled_hlc;
        const json_t *placement, *earlier;
};

static struct err *decode_cluster(const json_t *j, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct cluster_doc, "uuid", JSON_F_STR, uuid),
                JSON_FIELD(struct cluster_doc, "created", JSON_F_I64S, created),
                JSON_FIELD(struct cluster_doc, "generation", JSON_F_U64S, generation),
                JSON_FIELD(struct cluster_doc, "feature_level", JSON_F_U64S, feature_level),
                JSON_FIELD(struct cluster_doc, "smap_version", JSON_F_U64S, smap_version),
                JSON_FIELD(struct cluster_doc, "bmd_version", JSON_F_U64S, bmd_version),
                JSON_FIELD(struct cluster_doc, "config_version", JSON_F_U64S, config_version),
                JSON_FIELD(struct cluster_doc, "next_bid", JSON_F_U64S, next_bid),
                JSON_FIELD(struct cluster_doc, "primary", JSON_F_STR, primary),
                JSON_FIELD(struct cluster_doc, "term", JSON_F_U64S, term),
                JSON_FIELD(struct cluster_doc, "settled_hlc", JSON_F_U64S, settled_hlc),
                JSON_FIELD(struct cluster_doc, "placement", JSON_F_OBJECT, placement),
                JSON_FIELD(struct cluster_doc, "earlier", JSON_F_ARRAY, earlier),
        };
        struct cluster_doc d = { .created = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "cluster", &d));
        if (!id_check(d.uuid) || !d.placement || d.next_bid == 0 || d.primary.n > NODE_ID_MAX || d.created <= 0)
                return err_new(ERR_MALFORMED, "a part is missing");
        struct epochs e = { .earlier_count = 0 };
        struct err *err = decode_epochs(d.placement, d.earlier, &e);
        if (err) {
                cluster__epochs_fini(&e);
                return err;
        }
        cluster__epochs_fini(&s->epochs);
        s->epochs = e;
        str_copy(s->uuid, sizeof(s->uuid), d.uuid);
        str_copy(s->primary, sizeof(s->primary), d.primary);
        s->created_ns = d.created;
        s->generation = d.generation;
        s->feature_level = d.feature_level;
        s->smap_version = d.smap_version;
        s->bmd_version = d.bmd_version;
        s->config_version = d.config_version;
        s->next_bid = d.next_bid;
        s->term = d.term;
        s->settled_hlc = d.settled_hlc;
        return NULL;
}

struct addr_doc {
        struct str host, port, url;
};

static struct err *decode_addr(const json_t *j, struct cluster_addr *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct addr_doc, "host", JSON_F_STR, host),
                JSON_FIELD(struct addr_doc, "port", JSON_F_STR, port),
                JSON_FIELD(struct addr_doc, "url", JSON_F_STR, url),
        };
        struct addr_doc d = { .host = STR_NONE };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "address", &d));
        if (!str_copy(ret->host, sizeof(ret->host), d.host) || !str_copy(ret->port, sizeof(ret->port), d.port) ||
            !str_copy(ret->url, sizeof(ret->url), d.url))
                return err_new(ERR_MALFORMED, "an address is too long");
        return NULL;
}

struct member_doc {
        struct str proxy, target, host;
        int64_t port, proxy_flags, target_flags, joined, down;
        bool up, electable;
        uint64_t incarnation, voter, since, feature_level;
        const json_t *addr[CLUSTER_NETS];
};

static struct err *id_or_empty(struct str id, char *ret)
{
        if (id.n && !id_check(id))
                return err_new(ERR_MALFORMED, "invalid node id");
        str_copy(ret, NODE_ID_MAX + 1, id);
        return NULL;
}

struct err *cluster__decode_member(struct str id, const json_t *j, struct member *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct member_doc, "proxy", JSON_F_STR, proxy),
                JSON_FIELD(struct member_doc, "target", JSON_F_STR, target),
                JSON_FIELD(struct member_doc, "host", JSON_F_STR, host),
                JSON_FIELD(struct member_doc, "port", JSON_F_INT, port),
                JSON_FIELD(struct member_doc, "up", JSON_F_BOOL, up),
                JSON_FIELD(struct member_doc, "electable", JSON_F_BOOL, electable),
                JSON_FIELD(struct member_doc, "proxy_flags", JSON_F_INT, proxy_flags),
                JSON_FIELD(struct member_doc, "target_flags", JSON_F_INT, target_flags),
                JSON_FIELD(struct member_doc, "joined", JSON_F_I64S, joined),
                JSON_FIELD(struct member_doc, "down", JSON_F_I64S, down),
                JSON_FIELD(struct member_doc, "incarnation", JSON_F_U64S, incarnation),
                JSON_FIELD(struct member_doc, "voter", JSON_F_U64S, voter),
                JSON_FIELD(struct member_doc, "since", JSON_F_U64S, since),
                JSON_FIELD(struct member_doc, "feature_level", JSON_F_U64S, feature_level),
                JSON_FIELD(struct member_doc, "public", JSON_F_OBJECT, addr[CLUSTER_NET_PUBLIC]),
                JSON_FIELD(struct member_doc, "data", JSON_F_OBJECT, addr[CLUSTER_NET_DATA]),
                JSON_FIELD(struct member_doc, "control", JSON_F_OBJECT, addr[CLUSTER_NET_CONTROL]),
        };
        struct member_doc d = { .port = 0 };
        struct member m;
        memset(&m, 0, sizeof(m)); /* members are compared as bytes */
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "member", &d));
        if (!id_check(id) || d.port < 0 || d.port > 65535 || (d.proxy.n == 0 && d.target.n == 0) || d.voter == 0)
                return err_new(ERR_MALFORMED, "a part is missing or invalid");
        str_copy(m.m.id, sizeof(m.m.id), id);
        TRY(id_or_empty(d.proxy, m.m.proxy));
        TRY(id_or_empty(d.target, m.m.target));
        if (!str_copy(m.m.host, sizeof(m.m.host), d.host))
                return err_new(ERR_MALFORMED, "its host name is too long");
        m.m.port = (uint16_t)d.port;
        m.m.up = d.up;
        m.m.voter = d.electable;
        m.m.proxy_flags = (unsigned)d.proxy_flags;
        m.m.target_flags = (unsigned)d.target_flags;
        m.m.joined_ns = d.joined;
        m.m.down_ns = d.down;
        m.m.incarnation = d.incarnation;
        m.voter_id = d.voter;
        m.since = d.since;
        m.feature_level = d.feature_level;
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                TRY(decode_addr(d.addr[i], &m.addr[i]));
        *ret = m;
        return NULL;
}

struct bucket_doc {
        struct str origin;
        const json_t *props;
};

static struct err *decode_bucket(struct str uname, const json_t *j, struct shared_bucket **ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct bucket_doc, "origin", JSON_F_STR, origin),
                JSON_FIELD(struct bucket_doc, "props", JSON_F_OBJECT, props),
        };
        struct bucket_doc d = { .props = NULL };
        struct bck bck;
        struct bucket b;
        TRY(uname_parse(uname, &bck, NULL));
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "bucket", &d));
        TRY(bucket_from_json(d.props, &bck, &b));
        TRY(uname_parse(d.origin, &b.origin, NULL));
        if ((b.bid & ~BID_AIS) == 0)
                return err_new(ERR_MALFORMED, "it has no id");
        *ret = cluster__state_bucket_new(&b);
        return *ret ? NULL : err_static(ERR_NO_MEMORY);
}

/* ---- one document more ---- */

static struct err *take_bucket(struct state *s, struct str uname, const json_t *j)
{
        struct bck bck;
        bool found;
        TRY(uname_parse(uname, &bck, NULL));
        struct shared_bucket *b = NULL;
        if (j)
                TRY(decode_bucket(uname, j, &b));
        size_t i = cluster__state_bucket_find(s, &bck, &found);
        if (found)
                cluster__state_bucket_remove(s, i);
        return b ? cluster__state_bucket_insert(s, b) : NULL;
}

static struct err *take_member(struct state *s, struct str id, const json_t *j)
{
        struct member m;
        if (!j) {
                cluster__state_member_remove(s, id);
                return NULL;
        }
        TRY(cluster__decode_member(id, j, &m));
        return cluster__state_member_put(s, &m);
}

static struct err *take_config(struct state *s, const json_t *j)
{
        struct config *c = config_new();
        if (!c)
                return err_static(ERR_NO_MEMORY);
        struct err *e = config_load_private(c, j);
        struct shared_config *next = e ? NULL : cluster__state_config_new(c);
        if (e)
                config_free(c);
        else if (!next)
                e = err_static(ERR_NO_MEMORY);
        TRY(e);
        return cluster__state_config_take(s, next);
}

static struct err *take_parsed(struct state *s, struct str key, const json_t *j)
{
        struct str rest = key, kind = str_cut(&rest, '/');
        if (str_eq(key, STR("cluster")))
                return j ? decode_cluster(j, s) : err_new(ERR_MALFORMED, "it was removed");
        if (str_eq(key, STR("config")))
                return j ? take_config(s, j) : err_new(ERR_MALFORMED, "it was removed");
        return str_eq(kind, STR("bucket")) ? take_bucket(s, rest, j) : take_member(s, rest, j);
}

bool cluster__doc_is_typed(struct str key)
{
        return str_eq(key, STR("cluster")) || str_eq(key, STR("config")) || str_starts(key, STR("bucket/")) ||
               str_starts(key, STR("member/"));
}

struct err *cluster__state_take(struct state *s, const struct doc *d)
{
        if (!cluster__doc_is_typed(d->key))
                return cluster__docs_put(&s->docs, d->key, d->body, d->modified);
        AUTO_JSON json_t *j = NULL;
        struct err *e = d->body.p ? json_parse(d->body, DOC_BODY_MAX, &j) : NULL;
        if (!e)
                e = take_parsed(s, d->key, j);
        if (e && err_code(e) != ERR_NO_MEMORY)
                return err_recode(e, ERR_MALFORMED, "document \"" STR_FMT "\"", STR_ARG(d->key));
        return e;
}
