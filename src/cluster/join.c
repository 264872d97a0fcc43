/* cluster/join.c: how a process becomes a member: the leader's side. POST /cluster/hello gives a nonce, POST /cluster/join
 * takes {request, nonce, proof}: proof is HMAC-SHA256 by the token's key over nonce and request, so that the secret never
 * travels and a request can neither be changed nor used by another. The joiner has pinned the authority by the token.
 * POST /cluster/renew gives a member a new certificate.
 *
 * A use of a token is consumed by the same command that writes the member down. Refusals are logged and counted. */
#define LOG_FOLDER "cluster"

#include "base/hash.h"
#include "base/log.h"
#include "cluster/join.h"
#include "os/clock.h"
#include "os/random.h"

#include <stdio.h>

#define NONCE_NS (60 * NS_PER_SEC)

void cluster__token_key(struct str secret, unsigned char ret[static TOKEN_KEY_BYTES])
{
        char hex[CKSUM_HEX_MAX];
        cksum_of(CKSUM_SHA256, secret.p, secret.n, hex);
        bool ok = str_from_hex(str_of(hex), ret, TOKEN_KEY_BYTES);
        ASSERT(ok);
}

void cluster__token_proof(const unsigned char key[static TOKEN_KEY_BYTES], struct str nonce, struct str request,
                          char ret_hex[static 2 * HASH_SHA256_BYTES + 1])
{
        AUTO_BUF struct buf b = BUF_INIT;
        unsigned char mac[HASH_SHA256_BYTES];
        buf_printf(&b, STR_FMT "\n", STR_ARG(nonce));
        buf_adds(&b, request);
        hash_hmac_sha256(key, TOKEN_KEY_BYTES, b.p, b.n, mac);
        str_to_hex(mac, sizeof(mac), ret_hex);
}

/* ---- tokens ---- */

static struct err *token_text(struct many *m, const char *id, const char *secret, struct buf *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ARENA struct arena arena;
        struct json_w w;
        char fingerprint[65];
        arena_init(&arena, 4096, 1 << 20);
        TRY(pki_fingerprint(m->cred.ca, fingerprint));
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", m->c->id.uuid);
        jw_cstr(&w, "authority", fingerprint);
        jw_cstr(&w, "id", id);
        jw_cstr(&w, "secret", secret);
        jw_array(&w, "addresses");
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        unsigned n = 0;
        for (unsigned i = 0; i < s->member_count && n < TOKEN_ADDRESSES; i++) {
                const struct cluster_member *x = &s->members[i];
                if (!x->proxy[0] || !x->port)
                        continue;
                jw_object(&w, NULL);
                jw_cstr(&w, "host", x->host);
                jw_int(&w, "port", x->port);
                jw_object_end(&w);
                n++;
        }
        jw_array_end(&w);
        jw_object_end(&w);
        TRY(buf_err(&b));
        struct str text = str_base64url(&arena, b.p, b.n);
        buf_printf(ret, TOKEN_PREFIX STR_FMT, STR_ARG(text));
        return text.p ? buf_err(ret) : err_static(ERR_NO_MEMORY);
}

struct err *cluster_token_new(struct cluster *c, int64_t ttl_ns, unsigned uses, struct buf *ret_text)
{
        struct many *m = c->many;
        if (!m)
                return err_new(ERR_INVALID, "this node has no cluster port: start it with one before others can join");
        if (ttl_ns <= 0 || uses == 0 || uses > 1000)
                return err_new(ERR_INVALID, "a token lives for more than no time and has 1 to 1000 uses");
        char id[13], secret[33], key[32], hex[2 * TOKEN_KEY_BYTES + 1];
        unsigned char k[TOKEN_KEY_BYTES];
        AUTO_BUF struct buf sealed = BUF_INIT, doc = BUF_INIT;
        struct json_w w;
        AUTO_CHANGE struct change ch = { .c = NULL };
        random_id(id, 12);
        random_id(secret, 32);
        cluster__token_key(str_of(secret), k);
        str_to_hex(k, sizeof(k), hex);
        TRY(cluster__change_begin(c, &ch));
        TRY(pki_seal(m->cred.voter_key, str_of(hex), &sealed));
        jw_init(&w, &doc, false);
        jw_object(&w, NULL);
        jw_str(&w, "key", buf_str(&sealed));
        jw_i64s(&w, "expires", cluster_time_ns(c) + ttl_ns);
        jw_int(&w, "uses", uses);
        jw_object_end(&w);
        TRY(buf_err(&doc));
        snprintf(key, sizeof(key), "join/%s", id);
        TRY(cluster__docs_put(&ch.next.docs, str_of(key), buf_str(&doc), 0));
        TRY(cluster__change_commit(&ch));
        return token_text(m, id, secret, ret_text);
}

struct token_doc {
        struct str key;
        int64_t expires, uses;
};

static struct err *token_decode(const json_t *j, struct token_doc *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct token_doc, "key", JSON_F_STR, key),
                JSON_FIELD(struct token_doc, "expires", JSON_F_I64S, expires),
                JSON_FIELD(struct token_doc, "uses", JSON_F_INT, uses),
        };
        return json_decode(j, fields, ARRAY_LEN(fields), true, "token", ret);
}

/* Takes one use of the token out of the state, if the proof is right. */
static struct err *token_use(struct many *m, struct state *s, struct str id, struct str nonce, struct str request,
                             struct str proof)
{
        char key[64], want[2 * HASH_SHA256_BYTES + 1];
        unsigned char k[TOKEN_KEY_BYTES];
        AUTO_JSON json_t *j = NULL;
        AUTO_BUF struct buf plain = BUF_INIT, next = BUF_INIT;
        struct token_doc d = { .uses = 0 };
        struct json_w w;
        snprintf(key, sizeof(key), "join/%.*s", (int)MIN(id.n, (size_t)32), id.p ? id.p : "");
        const struct doc_ref *doc = cluster__docs_get(&s->docs, str_of(key));
        if (!doc)
                return err_new(ERR_FORBIDDEN, "the join token is not known, or used up");
        TRY(json_parse(doc->body, DOC_BODY_MAX, &j));
        TRY(token_decode(j, &d));
        TRY(pki_unseal(m->cred.voter_key, d.key, &plain));
        if (!str_from_hex(buf_str(&plain), k, sizeof(k)))
                return err_new(ERR_MALFORMED, "join token");
        cluster__token_proof(k, nonce, request, want);
        if (proof.n != sizeof(want) - 1 || !hash_equal_ct(proof.p, want, proof.n))
                return err_new(ERR_FORBIDDEN, "the join token is forged");
        if (cluster_time_ns(m->c) > d.expires)
                return err_new(ERR_FORBIDDEN, "the join token has expired");
        if (d.uses <= 1)
                return cluster__docs_put(&s->docs, str_of(key), STR_NONE, 0);
        jw_init(&w, &next, false);
        jw_object(&w, NULL);
        jw_str(&w, "key", d.key);
        jw_i64s(&w, "expires", d.expires);
        jw_int(&w, "uses", d.uses - 1);
        jw_object_end(&w);
        TRY(buf_err(&next));
        return cluster__docs_put(&s->docs, str_of(key), buf_str(&next), 0);
}

/* ---- nonces: the time, and our mark on it; no memory of them is needed ---- */

static void nonce_mark(const struct many *m, const char *time, char ret[static 2 * HASH_SHA256_BYTES + 1])
{
        unsigned char mac[HASH_SHA256_BYTES];
        hash_hmac_sha256(m->nonce_key, sizeof(m->nonce_key), time, strlen(time), mac);
        str_to_hex(mac, sizeof(mac), ret);
}

static bool nonce_is_ours(const struct many *m, struct str nonce)
{
        char time[24], mark[2 * HASH_SHA256_BYTES + 1];
        struct str rest = nonce, t = str_cut(&rest, '.');
        int64_t then, now = clock_mono_ns();
        if (!str_copy(time, sizeof(time), t) || !str_i64(t, &then) || then > now || now - then > NONCE_NS)
                return false;
        nonce_mark(m, time, mark);
        return rest.n == sizeof(mark) - 1 && hash_equal_ct(rest.p, mark, rest.n);
}

static struct err *handle_hello(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        char time[24], mark[2 * HASH_SHA256_BYTES + 1], nonce[24 + sizeof(mark)];
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        snprintf(time, sizeof(time), "%lld", (long long)clock_mono_ns());
        nonce_mark(m, time, mark);
        snprintf(nonce, sizeof(nonce), "%s.%s", time, mark);
        return rpc_reply_json(rq, json_pack("{s:s, s:s}", "cluster", m->c->id.uuid, "nonce", nonce));
}

/* ---- joining ---- */

struct join_doc {
        struct str request, nonce, proof;
};
struct request_doc {
        struct str cluster, token, member, csr;
        const json_t *self;
};

static struct err *ids_are_free(const struct state *s, const struct member *new)
{
        const char *ids[] = { new->m.id, new->m.proxy, new->m.target };
        for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
                if (cluster__state_member_of(s, str_of(ids[i])))
                        return err_new(ERR_FORBIDDEN, "there is a member with id %s already", ids[i]);
        for (unsigned i = 0; i < s->member_count; i++)
                if (s->members[i].voter_id == new->voter_id)
                        return err_new(ERR_FORBIDDEN, "there is a member with this voter id already");
        return NULL;
}

static struct err *join_reply(struct many *m, struct rpc_req *rq, const char *cert, bool voter)
{
        char member_key[2 * PKI_SEAL_KEY + 1], voter_key[2 * PKI_SEAL_KEY + 1];
        str_to_hex(m->cred.member_key, PKI_SEAL_KEY, member_key);
        str_to_hex(m->cred.voter_key, PKI_SEAL_KEY, voter_key);
        char created[24];
        snprintf(created, sizeof(created), "%lld", (long long)cluster_time_ns(m->c));
        return rpc_reply_json(rq, json_pack("{s:s, s:s, s:s, s:s, s:s}", "certificate", cert, "ca", m->cred.ca,
                                            "member_key", member_key, "voter_key", voter ? voter_key : "", "time",
                                            created));
}

static struct err *join_decided(struct many *m, struct rpc_req *rq, const struct join_doc *d,
                                const struct request_doc *r, struct member *new)
{
        struct cluster *c = m->c;
        char *cert = NULL, *csr = str_dup(r->csr);
        AUTO_CHANGE struct change ch = { .c = NULL };
        struct err *e = csr ? cluster__change_begin(c, &ch) : err_static(ERR_NO_MEMORY);
        if (!e)
                e = token_use(m, &ch.next, r->token, d->nonce, d->request, d->proof);
        if (!e && new->feature_level < ch.next.feature_level)
                e = err_new(ERR_FORMAT, "the joining program is too old for this cluster: level %llu, needed %llu",
                            (unsigned long long)new->feature_level, (unsigned long long)ch.next.feature_level);
        if (!e)
                e = ids_are_free(&ch.next, new);
        if (!e) {
                /* It is up when it has been heard. */
                new->m.up = false;
                new->m.joined_ns = new->m.down_ns = cluster_time_ns(c);
                new->m.proxy_flags = new->m.target_flags = 0;
                new->since = 0;
                e = cluster__state_member_put(&ch.next, new);
        }
        if (!e)
                e = cluster__ca_sign(m, csr, new->m.id, &cert);
        if (!e)
                e = cluster__change_commit(&ch);
        if (!e) {
                log_info("member %s joined from %s", new->m.id, rq->http->peer ? rq->http->peer : "somewhere");
                e = join_reply(m, rq, cert, new->m.proxy[0]);
        }
        free(cert);
        free(csr);
        return e;
}

static struct err *join(struct many *m, struct rpc_req *rq)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct join_doc, "request", JSON_F_STR, request),
                JSON_FIELD(struct join_doc, "nonce", JSON_F_STR, nonce),
                JSON_FIELD(struct join_doc, "proof", JSON_F_STR, proof),
        };
        static const struct json_field request_fields[] = {
                JSON_FIELD(struct request_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct request_doc, "token", JSON_F_STR, token),
                JSON_FIELD(struct request_doc, "member", JSON_F_STR, member),
                JSON_FIELD(struct request_doc, "csr", JSON_F_STR, csr),
                JSON_FIELD(struct request_doc, "self", JSON_F_OBJECT, self),
        };
        AUTO_JSON json_t *j = NULL, *inner = NULL;
        struct join_doc d = { .request = STR_NONE };
        struct request_doc r = { .self = NULL };
        struct member new;
        TRY(rpc_read_json(rq, &j));
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "join", &d));
        if (!nonce_is_ours(m, d.nonce))
                return err_new(ERR_FORBIDDEN, "the nonce is not ours, or too old");
        TRY(json_parse(d.request, 1 << 20, &inner));
        TRY(json_decode(inner, request_fields, ARRAY_LEN(request_fields), true, "join", &r));
        if (!str_eq(r.cluster, str_of(m->c->id.uuid)))
                return err_new(ERR_FORBIDDEN, "the join token is that of cluster " STR_FMT, STR_ARG(r.cluster));
        TRY(cluster__decode_member(r.member, r.self, &new));
        return join_decided(m, rq, &d, &r, &new);
}

static struct err *handle_join(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        struct err *e = join(m, rq);
        if (e) {
                char text[256];
                atomic_fetch_add(&m->joins_refused, 1);
                log_warn("a join from %s was refused: %s", rq->http->peer ? rq->http->peer : "somewhere",
                         err_text(e, text, sizeof(text)));
        }
        return e;
}

static struct err *handle_renew(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        AUTO_JSON json_t *j = NULL;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        TRY(rpc_read_json(rq, &j));
        const char *csr = json_string_value(json_object_get(j, "csr"));
        if (!csr)
                return err_new(ERR_MALFORMED, "no request for a certificate");
        char *cert = NULL;
        TRY(cluster__ca_sign(m, csr, rq->peer_id, &cert));
        struct err *e = rpc_reply_json(rq, json_pack("{s:s}", "certificate", cert));
        free(cert);
        return e;
}

const struct rpc_route cluster__join_routes[] = {
        { .method = "POST", .path = "/cluster/hello", .anonymous = true, .cls = POOL_CONTROL, .handle = handle_hello },
        { .method = "POST", .path = "/cluster/join", .anonymous = true, .cls = POOL_CONTROL, .handle = handle_join },
        { .method = "POST", .path = "/cluster/renew", .cls = POOL_CONTROL, .handle = handle_renew },
        { .method = NULL },
};
