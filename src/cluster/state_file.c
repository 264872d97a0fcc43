/* cluster/state_file.c: the files of the control plane.
 *
 * Each is one line of frame ("orlop-NAME VERSION LENGTH CHECKSUM\n": bytes that follow, XXH64 in hex) and a JSON document,
 * and is replaced as a whole: temporary file, sync, rename, sync of the directory. So a crash leaves the old file or the
 * new one, and whatever else is read is damage: ERR_CORRUPT with the file's name, and nothing is written. A frame of a
 * later version is ERR_FORMAT. docs/format/control.md is the format page. */
#include <stdio.h>
#include <time.h>

#include "base/hash.h"
#include "cluster/priv.h"
#include "os/clock.h"
#include "os/file.h"

#define STATE_FILE "state.json"
#define IDENTITY_FILE "identity.json"
#define LOCAL_FILE "local.json"
#define FILE_BYTES_MAX ((size_t)1 << 30)

void cluster__time_text(int64_t ns, char *buf, size_t size)
{
        time_t t = (time_t)(ns / NS_PER_SEC);
        struct tm tm;
        gmtime_r(&t, &tm);
        if (strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm) == 0)
                buf[0] = '\0';
}

/* ---- frame ---- */

/* The version that is written; all before it are read. */
static uint64_t version_of(const char *name)
{
        return strcmp(name, STATE_FILE) == 0 || strcmp(name, IDENTITY_FILE) == 0 ? 2 : 1;
}

struct err *cluster__file_write(int dir, const char *name, struct buf *doc)
{
        AUTO_BUF struct buf out = BUF_INIT;
        TRY(buf_err(doc));
        buf_addc(doc, '\n');
        TRY(buf_err(doc));
        buf_printf(&out, "orlop-%s %llu %zu %016llx\n", name, (unsigned long long)version_of(name), doc->n,
                   (unsigned long long)hash_xxh64(doc->p, doc->n, 0));
        buf_adds(&out, buf_str(doc));
        TRY(buf_err(&out));
        return file_replace(dir, name, buf_str(&out), 0600);
}

/* The document behind the frame, borrowed from content. */
static struct err *frame_open(const char *name, struct str content, struct str *ret, uint64_t *ret_version)
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
        *ret_version = v;
        return NULL;
}

static struct err *file_parse(int dir, const char *name, json_t **ret, uint64_t *ret_version)
{
        AUTO_BUF struct buf content = BUF_INIT;
        struct str doc;
        TRY(file_read_all(dir, name, FILE_BYTES_MAX, &content));
        TRY(frame_open(name, buf_str(&content), &doc, ret_version));
        struct err *e = json_parse(doc, FILE_BYTES_MAX, ret);
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

struct err *cluster__file_read(int dir, const char *name, struct buf *b)
{
        AUTO_BUF struct buf content = BUF_INIT;
        struct str doc;
        uint64_t version;
        TRY(file_read_all(dir, name, FILE_BYTES_MAX, &content));
        TRY(frame_open(name, buf_str(&content), &doc, &version));
        buf_adds(b, doc);
        return buf_err(b);
}

/* ---- identity ---- */

struct identity_doc {
        struct str uuid, proxy, target, member;
        int64_t created;
        uint64_t voter;
};

static struct err *identity_decode(const json_t *j, uint64_t version, struct identity *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct identity_doc, "cluster", JSON_F_STR, uuid),
                JSON_FIELD(struct identity_doc, "member", JSON_F_STR, member),
                JSON_FIELD(struct identity_doc, "proxy", JSON_F_STR, proxy),
                JSON_FIELD(struct identity_doc, "target", JSON_F_STR, target),
                JSON_FIELD(struct identity_doc, "voter", JSON_F_U64S, voter),
                JSON_FIELD(struct identity_doc, "created", JSON_F_I64S, created),
        };
        struct identity_doc d = { .created = 0 };
        struct identity id;
        memset(&id, 0, sizeof(id));
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "identity", &d));
        str_copy(id.uuid, sizeof(id.uuid), d.uuid);
        str_copy(id.proxy, sizeof(id.proxy), d.proxy);
        str_copy(id.target, sizeof(id.target), d.target);
        str_copy(id.member, sizeof(id.member), d.member);
        id.voter_id = d.voter;
        id.created_ns = d.created;
        if (version == 1) {
                snprintf(id.member, sizeof(id.member), "m-%.30s", id.proxy);
                id.voter_id = hash_xxh64(id.member, strlen(id.member), 0) >> 1 | 1;
        }
        if (!id_check(d.uuid) || (d.proxy.n && !id_check(d.proxy)) || (d.target.n && !id_check(d.target)) ||
            !(d.proxy.n || d.target.n) || !id_check(str_of(id.member)) || d.created <= 0 || id.voter_id == 0)
                return err_new(ERR_MALFORMED, "an identifier is missing or invalid");
        *ret = id;
        return NULL;
}

struct err *cluster__identity_read(int dir, struct identity *ret)
{
        AUTO_JSON json_t *j = NULL;
        uint64_t version;
        TRY(file_parse(dir, IDENTITY_FILE, &j, &version));
        return corrupt(identity_decode(j, version, ret), IDENTITY_FILE);
}

struct err *cluster__identity_write(int dir, const struct identity *id)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, true);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", id->uuid);
        jw_cstr(&w, "member", id->member);
        jw_cstr(&w, "proxy", id->proxy);
        jw_cstr(&w, "target", id->target);
        jw_u64s(&w, "voter", id->voter_id);
        jw_i64s(&w, "created", id->created_ns);
        jw_object_end(&w);
        return cluster__file_write(dir, IDENTITY_FILE, &b);
}

/* ---- state ---- */

struct err *cluster__state_write(int dir, const char *uuid, const struct docs *table, uint64_t index,
                                 enum state_engine engine)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", uuid);
        jw_cstr(&w, "engine", engine == STATE_FILE_ENGINE ? "file" : "follow");
        jw_u64s(&w, "index", index);
        jw_array(&w, "documents");
        for (size_t i = 0; i < table->n; i++) {
                jw_array(&w, NULL);
                jw_str(&w, NULL, table->list[i]->key);
                jw_u64s(&w, NULL, table->list[i]->modified);
                jw_str(&w, NULL, table->list[i]->body);
                jw_array_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        return cluster__file_write(dir, STATE_FILE, &b);
}

struct file_doc {
        struct str cluster, engine;
        uint64_t index;
        const json_t *documents;
};

static struct err *documents_decode(const json_t *list, struct docs *ret)
{
        for (size_t i = 0; i < json_array_size(list); i++) {
                const json_t *d = json_array_get(list, i);
                struct str key = json_str(json_array_get(d, 0)), body = json_str(json_array_get(d, 2));
                uint64_t modified;
                if (json_array_size(d) != 3 || !key.n || !body.p || !str_u64(json_str(json_array_get(d, 1)), &modified))
                        return err_new(ERR_MALFORMED, "document %zu is not one", i);
                TRY(cluster__docs_put(ret, key, body, modified));
        }
        return NULL;
}

static struct err *state_decode(const json_t *j, const char *uuid, struct docs *ret, uint64_t *ret_index,
                                enum state_engine *ret_engine)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct file_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct file_doc, "engine", JSON_F_STR, engine),
                JSON_FIELD(struct file_doc, "index", JSON_F_U64S, index),
                JSON_FIELD(struct file_doc, "documents", JSON_F_ARRAY, documents),
        };
        struct file_doc d = { .index = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "state", &d));
        bool file = str_eq(d.engine, STR("file"));
        if (!d.documents || d.index == 0 || !(file || str_eq(d.engine, STR("follow"))))
                return err_new(ERR_MALFORMED, "a part is missing");
        if (uuid && !str_eq(d.cluster, str_of(uuid)))
                return err_new(ERR_MALFORMED, "it belongs to cluster " STR_FMT ", not %s", STR_ARG(d.cluster), uuid);
        struct docs docs = { .n = 0 };
        struct err *e = documents_decode(d.documents, &docs);
        if (e) {
                cluster__docs_fini(&docs);
                return e;
        }
        *ret = docs;
        *ret_index = d.index;
        *ret_engine = file ? STATE_FILE_ENGINE : STATE_FOLLOWED;
        return NULL;
}

/* A file of version 1 as documents. */
static struct err *convert_v1(const json_t *j, const struct identity *id, struct docs *ret, struct state *s)
{
        struct state from, none = { .created_ns = 0 };
        struct docs docs = { .n = 0 };
        struct diff d = { .n = 0 };
        TRY(cluster__state_decode_v1(j, id ? id->uuid : NULL, &from));
        struct err *e = cluster__state_mountpaths_set(s, from.mountpaths, from.mountpath_count);
        if (!e && id)
                e = cluster__state_found(&from, id, FEATURE_LEVEL);
        if (!e && id)
                e = cluster__diff(&none, &from, &docs, &d);
        for (size_t i = 0; !e && i < d.n; i++)
                e = cluster__docs_put(&docs, d.docs[i].key, d.docs[i].body, 1);
        s->next_bid = from.next_bid;
        cluster__diff_fini(&d);
        cluster__state_fini(&from);
        if (e)
                cluster__docs_fini(&docs);
        else
                *ret = docs;
        return e;
}

struct err *cluster__state_read(int dir, const struct identity *id, struct docs *ret, uint64_t *ret_index,
                                enum state_engine *ret_engine, struct state *s, bool *ret_old)
{
        AUTO_JSON json_t *j = NULL;
        uint64_t version;
        TRY(file_parse(dir, STATE_FILE, &j, &version));
        *ret_old = version == 1;
        if (version > 1)
                return corrupt(state_decode(j, id ? id->uuid : NULL, ret, ret_index, ret_engine), STATE_FILE);
        *ret_index = 1;
        *ret_engine = STATE_FILE_ENGINE;
        return corrupt(convert_v1(j, id, ret, s), STATE_FILE);
}

/* ---- this process alone ---- */

struct mountpath_doc {
        struct str path, label;
        bool enabled;
};

struct err *cluster__mountpaths_decode(const json_t *j, struct state *s)
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

struct err *cluster__local_write(int dir, const char *uuid, const struct local *l, const struct state *s)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, true);
        jw_object(&w, NULL);
        jw_cstr(&w, "cluster", uuid);
        jw_u64s(&w, "starts", l->starts);
        jw_u64s(&w, "confirmed_epoch", l->confirmed);
        jw_u64s(&w, "recoveries", l->recoveries);
        jw_array(&w, "mountpaths");
        for (size_t i = 0; i < s->mountpath_count; i++) {
                jw_object(&w, NULL);
                jw_cstr(&w, "path", s->mountpaths[i].path);
                jw_cstr(&w, "label", s->mountpaths[i].label);
                jw_bool(&w, "enabled", s->mountpaths[i].enabled);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        if (s->overrides)
                jw_raw(&w, "config", s->overrides->body);
        jw_object_end(&w);
        return cluster__file_write(dir, LOCAL_FILE, &b);
}

struct local_doc {
        struct str cluster;
        uint64_t starts, confirmed, recoveries;
        const json_t *mountpaths, *config;
};

static struct err *overrides_decode(const json_t *j, struct state *s)
{
        char *text = json_dumps(j, JSON_COMPACT);
        struct doc_ref *d = text ? cluster__doc_new(STR(""), str_of(text), 0) : NULL;
        free(text);
        if (!d)
                return err_static(ERR_NO_MEMORY);
        cluster__doc_unref(s->overrides);
        s->overrides = d;
        return NULL;
}

static struct err *local_decode(const json_t *j, const char *uuid, struct local *ret, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct local_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct local_doc, "starts", JSON_F_U64S, starts),
                JSON_FIELD(struct local_doc, "confirmed_epoch", JSON_F_U64S, confirmed),
                JSON_FIELD(struct local_doc, "recoveries", JSON_F_U64S, recoveries),
                JSON_FIELD(struct local_doc, "mountpaths", JSON_F_ARRAY, mountpaths),
                JSON_FIELD(struct local_doc, "config", JSON_F_OBJECT, config),
        };
        struct local_doc d = { .starts = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "local", &d));
        if (!d.mountpaths || (uuid && !str_eq(d.cluster, str_of(uuid))))
                return err_new(ERR_MALFORMED, "it is incomplete, or belongs to another cluster");
        TRY(cluster__mountpaths_decode(d.mountpaths, s));
        if (d.config)
                TRY(overrides_decode(d.config, s));
        *ret = (struct local){ d.starts, d.confirmed, d.recoveries };
        return NULL;
}

struct err *cluster__local_read(int dir, const char *uuid, struct local *ret, struct state *s)
{
        AUTO_JSON json_t *j = NULL;
        uint64_t version;
        TRY(file_parse(dir, LOCAL_FILE, &j, &version));
        return corrupt(local_decode(j, uuid, ret, s), LOCAL_FILE);
}

/* ---- what a crash left ---- */

static struct err *sweep_one(void *arg, const char *name, unsigned char type)
{
        (void)type;
        struct str s = str_of(name);
        if (!str_starts(s, STR(".")) || str_find_str(s, STR(".json.")) < 0)
                return NULL;
        return file_unlink(*(const int *)arg, name);
}

struct err *cluster__sweep(int dir)
{
        return file_each(dir, ".", sweep_one, &dir);
}
