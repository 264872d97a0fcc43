/* cluster/join_client.c: how a process becomes a member: its own side, at its first start. Nothing of it stays on disk
 * before all is known; the identity is written last, so that a join that is cut short is begun again, with a new id. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/join.h"
#include "os/clock.h"
#include "os/tls.h"

#include <stdio.h>

#define JOIN_WAIT_NS (60 * NS_PER_SEC)
#define CALL_WAIT_NS (10 * NS_PER_SEC)

struct token {
        struct str cluster, authority, id, secret;
        const json_t *addresses;
};

static struct err *token_parse(struct arena *arena, const char *text, json_t **ret_j, struct token *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct token, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct token, "authority", JSON_F_STR, authority),
                JSON_FIELD(struct token, "id", JSON_F_STR, id),
                JSON_FIELD(struct token, "secret", JSON_F_STR, secret),
                JSON_FIELD(struct token, "addresses", JSON_F_ARRAY, addresses),
        };
        struct str t = str_trim(str_of(text)), plain;
        if (!str_starts(t, STR(TOKEN_PREFIX)))
                return err_new(ERR_INVALID, "this is not a join token");
        struct err *e = str_base64_decode(arena, str_skip(t, strlen(TOKEN_PREFIX)), &plain);
        if (!e)
                e = json_parse(plain, 65536, ret_j);
        if (!e)
                e = json_decode(*ret_j, fields, ARRAY_LEN(fields), true, "token", ret);
        if (e)
                return err_recode(e, ERR_INVALID, "this is not a join token");
        if (!id_check(ret->cluster) || ret->authority.n != 64 || !ret->id.n || !ret->secret.n ||
            json_array_size(ret->addresses) == 0)
                return err_new(ERR_INVALID, "the join token is incomplete");
        return NULL;
}

struct joining {
        struct cluster *c;
        const struct cluster_opts *o;
        struct token token;
        struct identity id;
        char *key, *csr;
        struct rpc_client *client; /* pinned: it takes nobody but the token's authority */
        struct credentials cred;
};

static void self_of(const struct joining *j, struct member *m)
{
        memset(m, 0, sizeof(*m));
        str_copy(m->m.id, sizeof(m->m.id), str_of(j->id.member));
        str_copy(m->m.proxy, sizeof(m->m.proxy), str_of(j->id.proxy));
        str_copy(m->m.target, sizeof(m->m.target), str_of(j->id.target));
        str_copy(m->m.host, sizeof(m->m.host), str_of(j->o->cluster_host));
        m->m.port = j->o->cluster_port;
        m->m.voter = j->id.proxy[0] && !j->o->non_electable;
        m->voter_id = j->id.voter_id;
        m->feature_level = j->c->feature_level;
        for (unsigned i = 0; i < CLUSTER_NETS; i++) {
                str_copy(m->addr[i].host, sizeof(m->addr[i].host), str_of(j->o->addr[i].host));
                str_copy(m->addr[i].port, sizeof(m->addr[i].port), str_of(j->o->addr[i].port));
                str_copy(m->addr[i].url, sizeof(m->addr[i].url), str_of(j->o->addr[i].url));
        }
}

static struct err *call(struct joining *j, struct rpc_peer *peer, const char *target, struct str body, json_t **ret)
{
        AUTO_JSON json_t *extra = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        const struct rpc_request rq = { .method = "POST", .target = str_of(target), .body = body,
                                        .deadline_ns = clock_mono_ns() + CALL_WAIT_NS, .ret_extra = &extra };
        struct err *e = rpc_call_with(j->client, peer, &rq, &b);
        if (!e)
                return json_parse(buf_str(&b), 1 << 20, ret);
        struct str host = json_str(json_object_get(extra, "host"));
        json_int_t port = json_integer_value(json_object_get(extra, "port"));
        if (err_code(e) == ERR_NOT_PRIMARY && host.n && port > 0 && port < 65536) {
                memset(peer, 0, sizeof(*peer));
                str_copy(peer->host, sizeof(peer->host), host);
                peer->port = (uint16_t)port;
        }
        return e;
}

static struct err *request_text(struct joining *j, struct buf *b)
{
        AUTO_BUF struct buf self = BUF_INIT;
        struct member m;
        struct json_w w;
        self_of(j, &m);
        TRY(cluster__encode_member(&m, &self));
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_str(&w, "cluster", j->token.cluster);
        jw_str(&w, "token", j->token.id);
        jw_cstr(&w, "member", j->id.member);
        jw_cstr(&w, "csr", j->csr);
        jw_raw(&w, "self", buf_str(&self));
        jw_object_end(&w);
        return buf_err(b);
}

static struct err *take_reply(struct joining *j, const json_t *reply)
{
        struct credentials *c = &j->cred;
        struct str voter = json_str(json_object_get(reply, "voter_key"));
        char fingerprint[65];
        c->ca = str_dup(json_str(json_object_get(reply, "ca")));
        c->cert = str_dup(json_str(json_object_get(reply, "certificate")));
        if (!c->ca || !c->cert)
                return err_static(ERR_NO_MEMORY);
        TRY(pki_fingerprint(c->ca, fingerprint));
        if (!str_eq(str_of(fingerprint), j->token.authority))
                return err_new(ERR_FOREIGN, "the authority is not that of the token");
        TRY(pki_verify(c->ca, c->cert));
        c->has_voter_key = voter.n > 0;
        if (!str_from_hex(json_str(json_object_get(reply, "member_key")), c->member_key, PKI_SEAL_KEY) ||
            (voter.n && !str_from_hex(voter, c->voter_key, PKI_SEAL_KEY)))
                return err_new(ERR_MALFORMED, "the answer lacks keys");
        c->key = j->key;
        j->key = NULL;
        return NULL;
}

static struct err *ask(struct joining *j, struct rpc_peer *peer)
{
        AUTO_JSON json_t *hello = NULL, *reply = NULL;
        AUTO_BUF struct buf request = BUF_INIT, body = BUF_INIT;
        unsigned char key[TOKEN_KEY_BYTES];
        char proof[2 * HASH_SHA256_BYTES + 1];
        struct json_w w;
        TRY(call(j, peer, "/cluster/hello", STR("{}"), &hello));
        struct str nonce = json_str(json_object_get(hello, "nonce"));
        TRY(request_text(j, &request));
        cluster__token_key(j->token.secret, key);
        cluster__token_proof(key, nonce, buf_str(&request), proof);
        jw_init(&w, &body, false);
        jw_object(&w, NULL);
        jw_str(&w, "request", buf_str(&request));
        jw_str(&w, "nonce", nonce);
        jw_cstr(&w, "proof", proof);
        jw_object_end(&w);
        TRY(buf_err(&body));
        TRY(call(j, peer, "/cluster/join", buf_str(&body), &reply));
        return take_reply(j, reply);
}

static bool is_final(const struct err *e)
{
        switch (err_code(e)) {
        case ERR_FORBIDDEN:
        case ERR_FORMAT:
        case ERR_FOREIGN:
        case ERR_INVALID:
        case ERR_MALFORMED:
        case ERR_NO_MEMORY:
                return true;
        default:
                return false;
        }
}

/* The whole state, asked for with the new certificate. */
static struct err *fetch_state(struct joining *j, const struct rpc_peer *peer, struct found *f)
{
        const struct tls_pem pem = { j->cred.cert, j->cred.key, j->cred.ca };
        struct tls_ctx *tls = NULL;
        struct rpc_client *client = NULL;
        json_t *answer = NULL;
        struct err *e = tls_mutual_client_new(&pem, &tls);
        const struct rpc_client_options o = { .tls = tls };
        if (!e)
                e = rpc_client_new(&o, &client);
        for (int64_t end = clock_mono_ns() + JOIN_WAIT_NS; !e;) {
                e = cluster__watch_fetch(client, peer, 0, 0, &answer);
                /* The one we ask may hear of us a moment later. To give up wastes the token: it has been used. */
                if (!e || (is_final(e) && err_code(e) != ERR_FORBIDDEN) || clock_mono_ns() > end)
                        break;
                err_free(e);
                e = NULL;
                clock_sleep_ns(NS_PER_SEC / 10);
        }
        if (!e)
                e = cluster__watch_take(answer, &f->table, &f->index);
        json_decref(answer);
        rpc_client_free(client);
        tls_ctx_free(tls);
        return e;
}

static struct err *ask_all(struct joining *j, struct rpc_peer *ret_peer)
{
        int64_t end = clock_mono_ns() + JOIN_WAIT_NS;
        for (size_t turn = 0;; turn++) {
                const json_t *a = json_array_get(j->token.addresses, turn % json_array_size(j->token.addresses));
                struct rpc_peer peer = { .port = (uint16_t)json_integer_value(json_object_get(a, "port")) };
                str_copy(peer.host, sizeof(peer.host), json_str(json_object_get(a, "host")));
                struct err *e = NULL;
                for (unsigned hops = 0; hops < 3; hops++) {
                        err_free(e);
                        e = ask(j, &peer);
                        if (err_code(e) != ERR_NOT_PRIMARY)
                                break;
                }
                *ret_peer = peer;
                if (!e || is_final(e) || clock_mono_ns() > end)
                        return e;
                if (turn == 0)
                        log_err(LOG_INFO, LOG_FOLDER, e, "join by %s: trying again", peer.host);
                else
                        err_free(e);
                clock_sleep_ns(NS_PER_SEC / 4);
        }
}

static struct err *write_all(struct joining *j, struct found *f)
{
        struct cluster *c = j->c;
        TRY(cluster__credentials_write(c->dir, &j->cred));
        TRY(cluster__local_write(c->dir, j->id.uuid, &c->local, &f->local));
        TRY(cluster__state_write(c->dir, j->id.uuid, &f->table, f->index, STATE_FOLLOWED));
        TRY(cluster__identity_write(c->dir, &j->id));
        c->id = j->id;
        f->engine = STATE_FOLLOWED;
        return NULL;
}

struct err *cluster__join(struct cluster *c, const struct cluster_opts *o, struct found *f)
{
        AUTO_ARENA struct arena arena;
        AUTO_JSON json_t *t = NULL;
        struct joining j = { .c = c, .o = o };
        struct rpc_peer peer;
        struct tls_ctx *tls = NULL;
        char fingerprint[65], uuid[CLUSTER_UUID_MAX + 1];
        arena_init(&arena, 4096, 1 << 20);
        if (!o->cluster_host)
                return err_new(ERR_INVALID, "a node that joins needs a cluster port");
        TRY(token_parse(&arena, o->join, &t, &j.token));
        str_copy(fingerprint, sizeof(fingerprint), j.token.authority);
        str_copy(uuid, sizeof(uuid), j.token.cluster);
        if (o->cluster_uuid && strcmp(o->cluster_uuid, uuid) != 0)
                return err_new(ERR_FOREIGN, "the join token is that of cluster %s, not %s", uuid, o->cluster_uuid);
        TRY(cluster__identity_new(o, uuid, &j.id));
        struct err *e = pki_request_new(j.id.member, &j.key, &j.csr);
        if (!e)
                e = tls_pinned_client_new(fingerprint, &tls);
        const struct rpc_client_options co = { .tls = tls };
        if (!e)
                e = rpc_client_new(&co, &j.client);
        if (!e)
                e = ask_all(&j, &peer);
        if (!e)
                e = fetch_state(&j, &peer, f);
        if (!e)
                e = write_all(&j, f);
        rpc_client_free(j.client);
        tls_ctx_free(tls);
        pki_secret_free(j.key);
        free(j.csr);
        cluster__credentials_fini(&j.cred);
        if (!e)
                log_info("joined cluster %s as %s", c->id.uuid, c->id.member);
        return e;
}
