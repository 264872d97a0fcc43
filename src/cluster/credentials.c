/* cluster/credentials.c: what members prove themselves with: the cluster's own authority, certificates, and the keys that
 * seal secrets inside documents. keys.json (0600) holds this process's; the authority's key is in the document "ca",
 * sealed with the key that voters have. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"
#include "os/random.h"
#include "os/tls.h"

#include <stdio.h>

#define CERT_LIFE_S (INT64_C(90) * 86400)
#define KEY_LIFE_NS (24 * 3600 * NS_PER_SEC)
#define KEYS_FILE "keys.json"
#define SWAP_TEXT(a, b)          \
        do {                     \
                char *t_ = (a);  \
                (a) = (b);       \
                (b) = t_;        \
        } while (0)

struct keys_doc {
        struct str ca, cert, key, ca_key, member_key, voter_key;
};

static struct err *keys_decode(const json_t *j, struct credentials *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct keys_doc, "ca", JSON_F_STR, ca),
                JSON_FIELD(struct keys_doc, "certificate", JSON_F_STR, cert),
                JSON_FIELD(struct keys_doc, "key", JSON_F_STR, key),
                JSON_FIELD(struct keys_doc, "ca_key", JSON_F_STR, ca_key),
                JSON_FIELD(struct keys_doc, "member_key", JSON_F_STR, member_key),
                JSON_FIELD(struct keys_doc, "voter_key", JSON_F_STR, voter_key),
        };
        struct keys_doc d = { .ca = STR_NONE };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "keys", &d));
        struct credentials c = { .has_voter_key = d.voter_key.n > 0 };
        if (!d.ca.n || !d.cert.n || !d.key.n || !str_from_hex(d.member_key, c.member_key, sizeof(c.member_key)) ||
            (c.has_voter_key && !str_from_hex(d.voter_key, c.voter_key, sizeof(c.voter_key))))
                return err_new(ERR_CORRUPT, "%s is incomplete", KEYS_FILE);
        c.ca = str_dup(d.ca);
        c.cert = str_dup(d.cert);
        c.key = str_dup(d.key);
        c.ca_key = d.ca_key.n ? str_dup(d.ca_key) : NULL;
        *ret = c;
        return c.ca && c.cert && c.key ? NULL : err_static(ERR_NO_MEMORY);
}

struct err *cluster__credentials_read(int dir, struct credentials *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        TRY(cluster__file_read(dir, KEYS_FILE, &b));
        struct err *e = json_parse(buf_str(&b), 1 << 20, &j);
        if (!e)
                e = keys_decode(j, ret);
        return e && err_code(e) != ERR_NO_MEMORY ? err_recode(e, ERR_CORRUPT, "content of %s", KEYS_FILE) : e;
}

struct err *cluster__credentials_write(int dir, const struct credentials *cr)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        char hex[2 * PKI_SEAL_KEY + 1];
        jw_init(&w, &b, true);
        jw_object(&w, NULL);
        jw_cstr(&w, "ca", cr->ca);
        jw_cstr(&w, "certificate", cr->cert);
        jw_cstr(&w, "key", cr->key);
        jw_cstr(&w, "ca_key", cr->ca_key);
        str_to_hex(cr->member_key, sizeof(cr->member_key), hex);
        jw_cstr(&w, "member_key", hex);
        str_to_hex(cr->voter_key, sizeof(cr->voter_key), hex);
        jw_cstr(&w, "voter_key", cr->has_voter_key ? hex : "");
        jw_object_end(&w);
        return cluster__file_write(dir, KEYS_FILE, &b);
}

void cluster__credentials_fini(struct credentials *cr)
{
        free(cr->ca);
        free(cr->cert);
        pki_secret_free(cr->key);
        pki_secret_free(cr->ca_key);
        memset(cr, 0, sizeof(*cr));
}

struct err *cluster__credentials_found(const struct identity *id, struct credentials *ret)
{
        struct credentials c = { .has_voter_key = true };
        char *csr = NULL;
        struct err *e = pki_ca_new(id->uuid, &c.ca, &c.ca_key);
        if (!e)
                e = pki_request_new(id->member, &c.key, &csr);
        if (!e)
                e = pki_sign(c.ca, c.ca_key, csr, id->member, id->uuid, clock_wall_ns() / NS_PER_SEC + CERT_LIFE_S,
                             &c.cert);
        free(csr);
        if (e) {
                cluster__credentials_fini(&c);
                return e;
        }
        random_bytes(c.member_key, sizeof(c.member_key));
        random_bytes(c.voter_key, sizeof(c.voter_key));
        *ret = c;
        return NULL;
}

struct err *cluster__ca_document(const struct credentials *cr, struct buf *b)
{
        AUTO_BUF struct buf sealed = BUF_INIT;
        struct json_w w;
        TRY(pki_seal(cr->voter_key, str_of(cr->ca_key), &sealed));
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "certificate", cr->ca);
        jw_str(&w, "key", buf_str(&sealed));
        jw_object_end(&w);
        return buf_err(b);
}

/* A member of a document of the state, as text in b. */
static struct err *doc_member(struct cluster *c, struct str key, const char *member, struct buf *b)
{
        AUTO_JSON json_t *j = NULL;
        LOCK_SCOPE(&c->publish);
        const struct doc_ref *d = cluster__docs_get(&c->state.docs, key);
        if (!d)
                return err_new(ERR_UNAVAILABLE, "the state has no document \"" STR_FMT "\"", STR_ARG(key));
        TRY(json_parse(d->body, DOC_BODY_MAX, &j));
        buf_adds(b, json_str(json_object_get(j, member)));
        return buf_err(b);
}

struct err *cluster__ca_sign(struct many *m, const char *csr, const char *member, char **ret_cert)
{
        AUTO_BUF struct buf sealed = BUF_INIT, key = BUF_INIT;
        if (!m->cred.has_voter_key)
                return err_new(ERR_UNAVAILABLE, "this process can not sign certificates");
        TRY(doc_member(m->c, STR("ca"), "key", &sealed));
        TRY(pki_unseal(m->cred.voter_key, buf_str(&sealed), &key));
        struct err *e = pki_sign(m->cred.ca, buf_cstr(&key), csr, member, m->c->id.uuid,
                                 clock_wall_ns() / NS_PER_SEC + CERT_LIFE_S, ret_cert);
        if (key.p)
                memset(key.p, 0, key.n);
        return e;
}

struct err *cluster__credentials_use(struct many *m)
{
        const struct tls_pem pem = { m->cred.cert, m->cred.key, m->cred.ca };
        if (m->tls)
                TRY(tls_ctx_set_pem(m->tls, &pem));
        else
                TRY(tls_mutual_client_new(&pem, &m->tls));
        return m->credentials ? m->credentials(m->credentials_arg, m->cred.cert, m->cred.key, m->cred.ca) : NULL;
}

static struct err *renew(struct many *m)
{
        struct pki_facts facts;
        TRY(pki_cert_facts(m->cred.cert, &facts));
        int64_t now = clock_wall_ns() / NS_PER_SEC;
        if (now < facts.not_before + (facts.not_after - facts.not_before) / 3 * 2)
                return NULL;
        char *key = NULL, *csr = NULL, *cert = NULL;
        struct err *e = pki_request_new(m->c->id.member, &key, &csr);
        struct rpc_peer leader;
        if (!e && cluster__many_leads(m)) {
                e = cluster__ca_sign(m, csr, m->c->id.member, &cert);
        } else if (!e && cluster__leader_peer(m->c, &leader)) {
                AUTO_JSON json_t *in = json_pack("{s:s}", "csr", csr), *out = NULL;
                e = rpc_call_json(m->client, &leader, "POST", "/cluster/renew", in, clock_mono_ns() + 5 * NS_PER_SEC,
                                  &out);
                cert = e ? NULL : str_dup(json_str(json_object_get(out, "certificate")));
        }
        if (!e && cert && cert[0]) {
                SWAP_TEXT(m->cred.key, key);
                SWAP_TEXT(m->cred.cert, cert);
                e = cluster__credentials_write(m->c->dir, &m->cred);
                if (!e)
                        e = cluster__credentials_use(m);
        }
        pki_secret_free(key);
        free(csr);
        free(cert);
        return e;
}

void cluster__credentials_renew(struct many *m)
{
        log_err(LOG_WARN, LOG_FOLDER, renew(m), "renew this process's certificate");
}

/* ---- keys of signatures ---- */

struct key_found {
        struct cluster_key key;
        int64_t created_ns;
};

static struct err *key_decode(const struct cluster *c, const struct doc_ref *d, struct key_found *ret)
{
        AUTO_JSON json_t *j = NULL;
        AUTO_BUF struct buf plain = BUF_INIT;
        TRY(json_parse(d->body, DOC_BODY_MAX, &j));
        if (!str_i64(json_str(json_object_get(j, "created")), &ret->created_ns))
                return err_new(ERR_MALFORMED, "a key without time");
        TRY(pki_unseal(c->many->cred.member_key, json_str(json_object_get(j, "secret")), &plain));
        if (plain.n != sizeof(ret->key.secret))
                return err_new(ERR_MALFORMED, "a key of %zu bytes", plain.n);
        memcpy(ret->key.secret, plain.p, plain.n);
        str_copy(ret->key.id, sizeof(ret->key.id), str_skip(d->key, strlen("key/")));
        return NULL;
}

unsigned cluster__keys_open(const struct cluster *c, const struct state *s, struct cluster_key ret[SNAPSHOT_KEYS_MAX])
{
        struct key_found list[SNAPSHOT_KEYS_MAX + 1];
        unsigned n = 0;
        bool found;
        if (!c->many)
                return 0;
        for (size_t i = cluster__docs_find(&s->docs, STR("key/"), &found);
             i < s->docs.n && str_starts(s->docs.list[i]->key, STR("key/")); i++) {
                struct key_found k = { .created_ns = 0 };
                struct err *e = key_decode(c, s->docs.list[i], &k);
                if (e) {
                        log_err(LOG_ERROR, LOG_FOLDER, e, "a key for signatures can not be used");
                        continue;
                }
                unsigned at = n;
                for (; at > 0 && list[at - 1].created_ns < k.created_ns; at--)
                        list[at] = list[at - 1];
                list[at] = k;
                n = MIN(n + 1, (unsigned)SNAPSHOT_KEYS_MAX);
        }
        for (unsigned i = 0; i < n; i++)
                ret[i] = list[i].key;
        return n;
}

struct err *cluster__keys_rotate(struct many *m, struct state *s, bool *ret_changed)
{
        struct str oldest = STR_NONE;
        int64_t newest_ns = 0, oldest_ns = INT64_MAX, now = cluster__clock_now(m);
        unsigned n = 0;
        bool found;
        *ret_changed = false;
        for (size_t i = cluster__docs_find(&s->docs, STR("key/"), &found);
             i < s->docs.n && str_starts(s->docs.list[i]->key, STR("key/")); i++, n++) {
                struct key_found k = { .created_ns = 0 };
                err_free(key_decode(m->c, s->docs.list[i], &k));
                newest_ns = MAX(newest_ns, k.created_ns);
                if (k.created_ns < oldest_ns) {
                        oldest_ns = k.created_ns;
                        oldest = s->docs.list[i]->key;
                }
        }
        if (n && now - newest_ns < KEY_LIFE_NS)
                return NULL;
        AUTO_BUF struct buf b = BUF_INIT, sealed = BUF_INIT;
        unsigned char secret[32];
        char id[9], key[16];
        struct json_w w;
        random_bytes(secret, sizeof(secret));
        random_id(id, 8);
        TRY(pki_seal(m->cred.member_key, (struct str){ (const char *)secret, sizeof(secret) }, &sealed));
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_i64s(&w, "created", now);
        jw_str(&w, "secret", buf_str(&sealed));
        jw_object_end(&w);
        TRY(buf_err(&b));
        if (n >= 2)
                TRY(cluster__docs_put(&s->docs, oldest, STR_NONE, 0));
        snprintf(key, sizeof(key), "key/%s", id);
        *ret_changed = true;
        return cluster__docs_put(&s->docs, str_of(key), buf_str(&b), 0);
}
