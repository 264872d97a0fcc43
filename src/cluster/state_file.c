/* cluster/state_file.c: the two files of the control plane.
 *
 * Each is one line of frame ("orlop-NAME 1 LENGTH CHECKSUM\n": format version, bytes that follow, XXH64 in hex) and a
 * JSON document, and is replaced as a whole: temporary file, sync, rename, sync of the directory. So a crash leaves the
 * old file or the new one, and whatever else is read is damage: ERR_CORRUPT with the file's name, and nothing is
 * written. A frame of a later version is ERR_FORMAT. docs/format/control.md is the format page. */
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "cluster/priv.h"
#include "os/clock.h"
#include "os/file.h"

#define STATE_FILE "state.json"
#define IDENTITY_FILE "identity.json"
#define STATE_MAX ((size_t)1 << 30)
#define STATE_VERSION 2 /* 1: without origins and documents */
#define IDENTITY_VERSION 1

void cluster__time_text(int64_t ns, char *buf, size_t size)
{
        time_t t = (time_t)(ns / NS_PER_SEC);
        struct tm tm;
        gmtime_r(&t, &tm);
        if (strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                buf[0] = '\0';
}

/* ---- frame ---- */

static uint64_t version_of(const char *name)
{
        return strcmp(name, STATE_FILE) == 0 ? STATE_VERSION : IDENTITY_VERSION;
}

static struct err *file_write(int dir, const char *name, struct buf *doc)
{
        AUTO_BUF struct buf out = BUF_INIT;
        TRY(buf_err(doc));
        buf_addc(doc, '\n');
        buf_printf(&out, "orlop-%s %llu %zu %016llx\n", name, (unsigned long long)version_of(name), doc->n,
                   (unsigned long long)hash_xxh64(doc->p, doc->n, 0));
        buf_adds(&out, buf_str(doc));
        TRY(buf_err(&out));
        return file_replace(dir, name, buf_str(&out), 0600);
}

/* The document behind the frame, borrowed from content. */
static struct err *frame_open(const char *name, struct str content, struct str *ret)
{
        struct str doc = content;
        struct str line = str_cut(&doc, '\n');
        struct str magic = str_cut(&line, ' '), version = str_cut(&line, ' '), length = str_cut(&line, ' ');
        uint64_t v, n, sum;
        if (!str_starts(magic, STR("orlop-")) || !str_eq(str_skip(magic, 6), str_of(name)) || !str_u64(version, &v))
                return err_new(ERR_CORRUPT, "%s has no valid first line", name);
        if (v == 0 || v > version_of(name))
                return err_new(ERR_FORMAT, "%s has format version %llu, this program knows %llu", name,
                               (unsigned long long)v, (unsigned long long)version_of(name));
        if (!str_u64(length, &n) || line.n != 16 || !str_hex64(line, &sum))
                return err_new(ERR_CORRUPT, "%s has no valid first line", name);
        if (n != doc.n)
                return err_new(ERR_CORRUPT, "%s has %zu bytes of content instead of %llu", name, doc.n,
                               (unsigned long long)n);
        if (hash_xxh64(doc.p, doc.n, 0) != sum)
                return err_new(ERR_CORRUPT, "%s does not match its checksum", name);
        *ret = doc;
        return NULL;
}

static struct err *file_parse(int dir, const char *name, json_t **ret)
{
        AUTO_BUF struct buf content = BUF_INIT;
        struct str doc;
        TRY(file_read_all(dir, name, STATE_MAX, &content));
        TRY(frame_open(name, buf_str(&content), &doc));
        struct err *e = json_parse(doc, STATE_MAX, ret);
        if (e && err_code(e) != ERR_NO_MEMORY)
                return err_recode(e, ERR_CORRUPT, "%s is not a valid document", name);
        return e;
}

static struct err *corrupt(struct err *e, const char *name)
{
        if (!e || err_code(e) == ERR_NO_MEMORY)
                return e;
        return err_recode(e, ERR_CORRUPT, "content of %s", name);
}

/* ---- identity ---- */

struct identity_doc {
        struct str uuid, proxy, target;
        int64_t created;
};

static struct err *identity_decode(const json_t *j, struct identity *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct identity_doc, "cluster", JSON_F_STR, uuid),
                JSON_FIELD(struct identity_doc, "proxy", JSON_F_STR, proxy),
                JSON_FIELD(struct identity_doc, "target", JSON_F_STR, target),
                JSON_FIELD(struct identity_doc, "created", JSON_F_I64S, created),
        };
        struct identity_doc d = { .created = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "identity", &d));
        if (!id_check(d.uuid) || !id_check(d.proxy) || !id_check(d.target) || d.created <= 0)
                return err_new(ERR_MALFORMED, "an identifier is missing or invalid");
        struct identity id = { .created_ns = d.created };
        str_copy(id.uuid, sizeof(id.uuid), d.uuid);
        str_copy(id.proxy, sizeof(id.proxy), d.proxy);
        str_copy(id.target, sizeof(id.target), d.target);
        cluster__time_text(id.created_ns, id.creation_time, sizeof(id.creation_time));
        snprintf(id.member, sizeof(id.member), "m-%.30s", id.proxy);
        *ret = id;
        return NULL;
}

struct err *cluster__identity_read(int dir, struct identity *ret)
{
        AUTO_JSON json_t *j = NULL;
        TRY(file_parse(dir, IDENTITY_FILE, &j));
        return corrupt(identity_decode(j, ret), IDENTITY_FILE);
}

struct err *cluster__identity_write(int dir, const struct identity *id)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, true);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", id->uuid);
        jw_cstr(&w, "proxy", id->proxy);
        jw_cstr(&w, "target", id->target);
        jw_i64s(&w, "created", id->created_ns);
        jw_object_end(&w);
        return file_write(dir, IDENTITY_FILE, &b);
}

/* ---- state ---- */

static const char *const net_names[CLUSTER_NETS] = { "public", "data", "control" };

static void state_encode(struct json_w *w, const char *uuid, const struct state *s)
{
        char ns[104], uname[192];
        jw_object(w, NULL);
        jw_cstr(w, "cluster", uuid);
        jw_u64s(w, "smap_version", s->smap_version);
        jw_u64s(w, "bmd_version", s->bmd_version);
        jw_u64s(w, "config_version", s->config_version);
        jw_u64s(w, "next_bid", s->next_bid);
        jw_object(w, "urls");
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                jw_cstr(w, net_names[i], s->addr[i].url);
        jw_object_end(w);
        jw_array(w, "mountpaths");
        for (size_t i = 0; i < s->mountpath_count; i++) {
                jw_object(w, NULL);
                jw_cstr(w, "path", s->mountpaths[i].path);
                jw_cstr(w, "label", s->mountpaths[i].label);
                jw_bool(w, "enabled", s->mountpaths[i].enabled);
                jw_object_end(w);
        }
        jw_array_end(w);
        jw_object(w, "config");
        config_json_private(w, s->config->c);
        jw_object_end(w);
        jw_array(w, "buckets");
        for (size_t i = 0; i < s->bucket_count; i++) {
                const struct bucket *b = &s->buckets[i]->b;
                jw_object(w, NULL);
                jw_cstr(w, "name", b->bck.name);
                jw_cstr(w, "provider", provider_name(b->bck.provider));
                jw_cstr(w, "namespace", bck_ns_text(&b->bck, ns));
                jw_cstr(w, "origin", bck_uname(&b->origin, uname));
                bucket_props_json(w, "props", b);
                jw_object_end(w);
        }
        jw_array_end(w);
        jw_object(w, "documents");
        for (size_t i = 0; i < s->docs.n; i++)
                jw_str(w, s->docs.list[i]->key.p, s->docs.list[i]->body);
        jw_object_end(w);
        jw_object_end(w);
}

struct err *cluster__state_write(int dir, const char *cluster_uuid, const struct state *s)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, false);
        state_encode(&w, cluster_uuid, s);
        return file_write(dir, STATE_FILE, &b);
}

struct mountpath_doc {
        struct str path, label;
        bool enabled;
};

static struct err *mountpaths_decode(const json_t *j, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct mountpath_doc, "path", JSON_F_STR, path),
                JSON_FIELD(struct mountpath_doc, "label", JSON_F_STR, label),
                JSON_FIELD(struct mountpath_doc, "enabled", JSON_F_BOOL, enabled),
        };
        struct cluster_mountpath list[CLUSTER_MOUNTPATHS_MAX];
        size_t n = json_array_size(j);
        if (n > CLUSTER_MOUNTPATHS_MAX)
                return err_new(ERR_MALFORMED, "%zu mountpaths", n);
        for (size_t i = 0; i < n; i++) {
                struct mountpath_doc d = { .enabled = false };
                TRY(json_decode(json_array_get(j, i), fields, ARRAY_LEN(fields), true, "mountpath", &d));
                if (d.path.n == 0)
                        return err_new(ERR_MALFORMED, "a mountpath without a path");
                /* Texts of a JSON document end in NUL and hold none inside. */
                list[i] = (struct cluster_mountpath){ d.path.p, d.label.n ? d.label.p : "", d.enabled };
        }
        return cluster__state_mountpaths_set(s, list, n);
}

struct bucket_doc {
        struct str name, provider, ns, origin;
        const json_t *props;
};

static struct err *bucket_decode(const json_t *j, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct bucket_doc, "name", JSON_F_STR, name),
                JSON_FIELD(struct bucket_doc, "provider", JSON_F_STR, provider),
                JSON_FIELD(struct bucket_doc, "namespace", JSON_F_STR, ns),
                JSON_FIELD(struct bucket_doc, "origin", JSON_F_STR, origin),
                JSON_FIELD(struct bucket_doc, "props", JSON_F_OBJECT, props),
        };
        struct bucket_doc d = { .props = NULL };
        struct bck bck;
        struct bucket b;
        char text[192];
        bool found;
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "bucket", &d));
        TRY(bck_make(d.name, d.provider, d.ns, &bck));
        TRY_WRAP(bucket_from_json(d.props, &bck, &b), "bucket %s", bck_text(&bck, text));
        if (d.origin.n)
                TRY_WRAP(uname_parse(d.origin, &b.origin, NULL), "origin of bucket %s", bck_text(&bck, text));
        cluster__state_bucket_find(s, &bck, &found);
        if (found || (b.bid & ~BID_AIS) >= s->next_bid || (b.bid & ~BID_AIS) == 0)
                return err_new(ERR_MALFORMED, "bucket %s is there twice or has an id that was never given",
                               bck_text(&bck, text));
        return cluster__state_bucket_insert(s, cluster__state_bucket_new(&b));
}

struct state_doc {
        struct str cluster;
        uint64_t smap_version, bmd_version, config_version, next_bid;
        const json_t *urls, *mountpaths, *config, *buckets, *documents;
};
struct urls_doc {
        struct str url[CLUSTER_NETS];
};

static struct err *state_decode_parts(const struct state_doc *d, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct urls_doc, "public", JSON_F_STR, url[CLUSTER_NET_PUBLIC]),
                JSON_FIELD(struct urls_doc, "data", JSON_F_STR, url[CLUSTER_NET_DATA]),
                JSON_FIELD(struct urls_doc, "control", JSON_F_STR, url[CLUSTER_NET_CONTROL]),
        };
        struct urls_doc urls = { 0 };
        TRY(json_decode(d->urls, fields, ARRAY_LEN(fields), true, "urls", &urls));
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                str_copy(s->addr[i].url, sizeof(s->addr[i].url), urls.url[i]);
        TRY(mountpaths_decode(d->mountpaths, s));
        s->config = cluster__state_config_new(config_new());
        if (!s->config)
                return err_static(ERR_NO_MEMORY);
        s->in_force = cluster__state_config_ref(s->config);
        TRY_WRAP(config_load_private(s->config->c, d->config), "config");
        for (size_t i = 0; i < json_array_size(d->buckets); i++)
                TRY(bucket_decode(json_array_get(d->buckets, i), s));
        const char *key;
        json_t *body;
        json_object_foreach((json_t *)(uintptr_t)d->documents, key, body)
        {
                if (!json_is_string(body))
                        return err_new(ERR_MALFORMED, "document %s is not a text", key);
                TRY(cluster__docs_put(&s->docs, str_of(key), json_str(body), 0));
        }
        return NULL;
}

static struct err *state_decode(const json_t *j, const char *uuid, struct state *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct state_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct state_doc, "smap_version", JSON_F_U64S, smap_version),
                JSON_FIELD(struct state_doc, "bmd_version", JSON_F_U64S, bmd_version),
                JSON_FIELD(struct state_doc, "config_version", JSON_F_U64S, config_version),
                JSON_FIELD(struct state_doc, "next_bid", JSON_F_U64S, next_bid),
                JSON_FIELD(struct state_doc, "urls", JSON_F_OBJECT, urls),
                JSON_FIELD(struct state_doc, "mountpaths", JSON_F_ARRAY, mountpaths),
                JSON_FIELD(struct state_doc, "config", JSON_F_OBJECT, config),
                JSON_FIELD(struct state_doc, "buckets", JSON_F_ARRAY, buckets),
                JSON_FIELD(struct state_doc, "documents", JSON_F_OBJECT, documents),
        };
        struct state_doc d = { .next_bid = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "state", &d));
        if (!d.urls || !d.mountpaths || !d.config || !d.buckets || d.next_bid == 0)
                return err_new(ERR_MALFORMED, "a part is missing");
        if (uuid && !str_eq(d.cluster, str_of(uuid)))
                return err_new(ERR_MALFORMED, "it belongs to cluster " STR_FMT ", not %s", STR_ARG(d.cluster), uuid);
        struct state s = { .smap_version = d.smap_version,
                           .bmd_version = d.bmd_version,
                           .config_version = d.config_version,
                           .next_bid = d.next_bid };
        struct err *e = state_decode_parts(&d, &s);
        if (e) {
                cluster__state_fini(&s);
                return e;
        }
        *ret = s;
        return NULL;
}

struct err *cluster__state_read(int dir, const char *cluster_uuid, struct state *ret)
{
        AUTO_JSON json_t *j = NULL;
        TRY(file_parse(dir, STATE_FILE, &j));
        return corrupt(state_decode(j, cluster_uuid, ret), STATE_FILE);
}

struct err *cluster__state_peek(int dir, struct state *ret)
{
        return cluster__state_read(dir, NULL, ret);
}

/* ---- what a crash left ---- */

static struct err *sweep_one(void *arg, const char *name, unsigned char type)
{
        (void)type;
        struct str s = str_of(name);
        if (!str_starts(s, STR("." STATE_FILE ".")) && !str_starts(s, STR("." IDENTITY_FILE ".")))
                return NULL;
        return file_unlink(*(const int *)arg, name);
}

struct err *cluster__sweep(int dir)
{
        return file_each(dir, ".", sweep_one, &dir);
}
