/* client/orlop.h: liborlop, the C client of Orlop and of any server that speaks its native HTTP interface.
 *
 * A handle is a base URL with a pool of keep-alive connections. All calls block until the answer is complete; a handle may be used
 * by any number of threads at once. Redirects (301, 302, 303, 307, 308) are followed, bodies are sent again.
 *
 * Errors: each call returns an `enum orlop_code`, ORLOP_OK = 0 being success, and describes a failure in *ret_error, which may be null.
 * Out-parameters are written only on success. Texts are NUL-terminated UTF-8; object names hold no NUL.
 * Memory: what a call allocates says how it is freed; everything else is the caller's. */
#ifndef ORLOP_H
#define ORLOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum orlop_code {
        ORLOP_OK,
        ORLOP_FAILED,      /* the server says so, and none of the rest fits */
        ORLOP_INVALID,     /* an argument is wrong (HTTP 400) */
        ORLOP_NOT_FOUND,   /* no such bucket, object, job, node (404) */
        ORLOP_CONFLICT,    /* exists already, or another operation is in the way (409, 423) */
        ORLOP_DENIED,      /* credentials missing or not sufficient (401, 403) */
        ORLOP_CHECKSUM,    /* content differs from its checksum */
        ORLOP_RANGE,       /* range outside the object (416) */
        ORLOP_BUSY,        /* starting, overloaded or rate-limited: try again later (429, 503) */
        ORLOP_NO_SPACE,    /* (507) */
        ORLOP_UNSUPPORTED, /* (405, 501) */
        ORLOP_CONNECTION,  /* no connection, or it was lost */
        ORLOP_TIMEOUT,     /* no answer in time */
        ORLOP_CANCELLED,   /* a callback of the caller said stop */
        ORLOP_NO_MEMORY,
};

struct orlop_error {
        enum orlop_code code;
        int status;         /* HTTP status, 0 if there was no answer */
        char tcode[48];     /* the server's type code, "" if none */
        char message[1024]; /* one line for humans */
};

/* "not found", … */
const char *orlop_code_text(enum orlop_code code);

/* ---- names ---- */

#define ORLOP_BUCKET_MAX 64
#define ORLOP_OBJECT_MAX 1024

struct orlop_bucket {
        char name[ORLOP_BUCKET_MAX + 1];
        char provider[8];     /* "ais", "aws", "gcp", "azure", "oci" */
        char namespace_[104]; /* "@uuid#name", "" for the global one */
};

/* Takes "ais://bucket/object", "s3://…", "gs://…", "az://…", "oc://…", "ais://@uuid#ns/bucket/object" or plain "bucket/object" apart. The object part
 * may be empty or a prefix; a scheme alone ("ais://") gives an empty bucket name. */
enum orlop_code orlop_uri_parse(const char *uri, struct orlop_bucket *ret_bucket, char ret_object[static ORLOP_OBJECT_MAX + 1],
                                struct orlop_error *ret_error);
/* Whether the text starts with one of the schemes above. */
bool orlop_uri_has_scheme(const char *text);
/* "ais://bucket" or "ais://bucket/object" (object may be null); buf always terminated; returns buf. */
const char *orlop_uri_text(const struct orlop_bucket *b, const char *object, char *buf, size_t size);

/* ---- the handle ---- */

struct orlop_options {
        const char *endpoint;   /* "http://host:port" or "https://…"; null: ORLOP_ENDPOINT, else AIS_ENDPOINT, else http://127.0.0.1:8080 */
        const char *token;      /* bearer token; null: ORLOP_TOKEN, else AIS_AUTHN_TOKEN, else none */
        const char *ca_file;    /* PEM; null: ORLOP_CA_FILE, else the system's */
        bool insecure;          /* do not verify certificates */
        unsigned timeout_ms;    /* to connect, and without progress; 0: 60,000 */
        unsigned connections;   /* kept idle at most; 0: 64 */
        const char *user_agent; /* null: "orlop/VERSION" */
};
struct orlop;

/* A handle; opens no connection yet. */
enum orlop_code orlop_open(const struct orlop_options *o, struct orlop **ret, struct orlop_error *ret_error);
/* Ends it; no call may be in progress. Null is fine. */
void orlop_close(struct orlop *h);
/* The base URL in use. */
const char *orlop_endpoint(const struct orlop *h);
/* "0.1.0" */
const char *orlop_version(void);

/* ---- any call of the interface ---- */

struct orlop_reply;
struct orlop_call {
        const char *method;    /* "GET", … */
        const char *path;      /* "/v1/daemon", already percent-encoded */
        const char *query;     /* "what=smap", encoded, or null */
        const char *node_id;   /* null, or the node to relay to: path must then start with /v1/reverse */
        const char *json;      /* request body, or null */
        const char *header[4]; /* further "Name: value" lines, the unused null */
};
/* Makes one call whose answer fits memory (at most 256 MiB). Free *ret with orlop_reply_free. Status 400 and above are errors. */
enum orlop_code orlop_call(struct orlop *h, const struct orlop_call *c, struct orlop_reply **ret, struct orlop_error *ret_error);
/* HTTP status of the answer. */
int orlop_reply_status(const struct orlop_reply *r);
/* Its body, NUL-terminated; *ret_n (may be null) the length. */
const char *orlop_reply_body(const struct orlop_reply *r, size_t *ret_n);
/* A header's value, null if absent. */
const char *orlop_reply_header(const struct orlop_reply *r, const char *name);
/* Null is fine. */
void orlop_reply_free(struct orlop_reply *r);

/* ---- buckets ---- */

/* Creates it; props_json is a partial set of properties or null. Exists already: CONFLICT. */
enum orlop_code orlop_bucket_create(struct orlop *h, const struct orlop_bucket *b, const char *props_json, struct orlop_error *ret_error);
/* Removes it with all it holds. */
enum orlop_code orlop_bucket_remove(struct orlop *h, const struct orlop_bucket *b, struct orlop_error *ret_error);
/* Starts renaming; *ret_job gets the job's identifier. */
enum orlop_code orlop_bucket_rename(struct orlop *h, const struct orlop_bucket *from, const struct orlop_bucket *to, char ret_job[static 64],
                                    struct orlop_error *ret_error);
/* Starts copying what begins with `prefix` (null: all), names prepended by `prepend` (null: nothing). */
enum orlop_code orlop_bucket_copy(struct orlop *h, const struct orlop_bucket *from, const struct orlop_bucket *to, const char *prefix,
                                  const char *prepend, char ret_job[static 64], struct orlop_error *ret_error);
/* Its properties as JSON text; free() it. */
enum orlop_code orlop_bucket_props(struct orlop *h, const struct orlop_bucket *b, char **ret_json, struct orlop_error *ret_error);
/* Changes properties by a partial JSON object; ret_job "" when no job was started. */
enum orlop_code orlop_bucket_props_set(struct orlop *h, const struct orlop_bucket *b, const char *props_json, char ret_job[static 64],
                                       struct orlop_error *ret_error);
/* Sets all properties to the cluster's defaults. */
enum orlop_code orlop_bucket_props_reset(struct orlop *h, const struct orlop_bucket *b, struct orlop_error *ret_error);
/* Calls fn for each bucket of a provider (null: all); fn returns false to stop (CANCELLED). */
enum orlop_code orlop_bucket_list(struct orlop *h, const char *provider, bool (*fn)(void *arg, const struct orlop_bucket *b), void *arg,
                                  struct orlop_error *ret_error);

struct orlop_summary {
        struct orlop_bucket bucket;
        uint64_t objects, bytes, min_size, avg_size, max_size, disk_bytes;
        unsigned used_pct;
};
/* Counts one bucket (b) or all (null) below a prefix (null: all); waits for the server's job. fn as above. */
enum orlop_code orlop_bucket_summary(struct orlop *h, const struct orlop_bucket *b, const char *prefix,
                                     bool (*fn)(void *arg, const struct orlop_summary *s), void *arg, struct orlop_error *ret_error);

/* ---- listing ---- */

#define ORLOP_LIST_RECURSIVE 1u  /* else one level: deeper names appear as directories "dir/" */
#define ORLOP_LIST_DETAILS 2u    /* checksum, version, access time, custom metadata, location too; else name and size */
struct orlop_entry {
        const char *name;
        uint64_t size;
        bool dir;
        const char *checksum, *version, *atime, *custom, *location; /* "" if not known */
        unsigned copies;
};
/* Calls fn for each object whose name begins with `prefix` (null: all), in order, page by page; fn returns false to stop (CANCELLED).
 * `start_after` (null: from the start) is exclusive. */
enum orlop_code orlop_list(struct orlop *h, const struct orlop_bucket *b, const char *prefix, const char *start_after, unsigned flags,
                           bool (*fn)(void *arg, const struct orlop_entry *e), void *arg, struct orlop_error *ret_error);

/* ---- objects ---- */

struct orlop_info {
        uint64_t size;
        char cksum_type[16], cksum_value[132]; /* "" if the bucket keeps none */
        char version[64];
        char etag[160], last_modified[40];
        char location[256];
        int64_t atime_ns;
        unsigned copies;
        bool present;
        unsigned ncustom;
        char custom[2560]; /* "key=value" texts, each ended by NUL */
};

/* A body to send. read() fills up to n bytes and sets *ret_n (0: end) and returns false to cancel. rewind() goes back to the start for a redirect or a
 * second attempt; null: the body can be sent once only. */
struct orlop_source {
        int64_t length; /* -1: not known */
        bool (*read)(void *arg, void *p, size_t n, size_t *ret_n);
        bool (*rewind)(void *arg);
        void *arg;
};
/* A source over bytes in memory; `state` must live as long. */
struct orlop_memory {
        const char *p;
        size_t n, pos;
};
struct orlop_source orlop_source_memory(struct orlop_memory *state);

struct orlop_put_options {
        const char *cksum_type, *cksum_value; /* both or none: the server verifies before it commits */
        const char *const *custom;            /* "key=value", null-terminated list, or null */
        bool overwrite_unseen;                /* do not look at the object that is there (skip_vc) */
};
/* Stores an object. o and ret_info may be null. ret_info: what the server says it stored (type and value "" when the content was there already). */
enum orlop_code orlop_put(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_source *body,
                          const struct orlop_put_options *o, struct orlop_info *ret_info, struct orlop_error *ret_error);

struct orlop_get_options {
        int64_t offset, length;    /* length 0: to the end; negative offset: that many last bytes */
        const char *archive_path;  /* one member of an archive, or null */
        bool no_verify;            /* do not compare the content with the checksum of the answer */
        /* Called once with what the answer's head says, before the first write; may be null. False: CANCELLED. */
        bool (*on_info)(void *arg, const struct orlop_info *info, uint64_t body_length);
};
/* Reads an object into write(arg, …), which returns false to cancel. A whole object is compared with its checksum: CHECKSUM after the last write. */
enum orlop_code orlop_get(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_get_options *o,
                          bool (*write)(void *arg, const void *p, size_t n), void *arg, struct orlop_info *ret_info,
                          struct orlop_error *ret_error);
/* Facts of an object. */
enum orlop_code orlop_head(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_info *ret_info,
                           struct orlop_error *ret_error);
/* Removes an object; NOT_FOUND if absent. */
enum orlop_code orlop_remove(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_error *ret_error);
/* Gives it another name in the same bucket. */
enum orlop_code orlop_rename(struct orlop *h, const struct orlop_bucket *b, const char *from, const char *to, struct orlop_error *ret_error);
/* Copies inside the cluster. */
enum orlop_code orlop_copy(struct orlop *h, const struct orlop_bucket *from, const char *from_object, const struct orlop_bucket *to,
                           const char *to_object, struct orlop_error *ret_error);
/* Sets custom metadata ("key=value", null-terminated list): replaces the set, or merges into it. */
enum orlop_code orlop_set_custom(struct orlop *h, const struct orlop_bucket *b, const char *object, const char *const *custom, bool replace,
                                 struct orlop_error *ret_error);
/* Appends a body to an object, creating it if absent; visible when the call returns. */
enum orlop_code orlop_append(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_source *body,
                             struct orlop_error *ret_error);
/* Stores files of the server's machine; ret_job "" when done already. */
struct orlop_promote_options {
        const char *object; /* name or prefix to give; null: the source's */
        bool recursive, overwrite, remove_source;
};
/* See orlop_promote_options; `source` is an absolute path there. */
enum orlop_code orlop_promote(struct orlop *h, const struct orlop_bucket *b, const char *source, const struct orlop_promote_options *o,
                              char ret_job[static 64], struct orlop_error *ret_error);

/* Multipart upload: begin; parts 1… in any order from any thread; complete or abort. */
struct orlop_upload;
/* Begins; free with complete or abort. */
enum orlop_code orlop_upload_begin(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_upload **ret,
                                   struct orlop_error *ret_error);
/* Sends one part. Any thread. */
enum orlop_code orlop_upload_part(struct orlop_upload *u, unsigned number, const struct orlop_source *body, struct orlop_error *ret_error);
/* Makes the object out of parts 1 to n. Ends the upload when it succeeds. */
enum orlop_code orlop_upload_complete(struct orlop_upload *u, unsigned nparts, struct orlop_error *ret_error);
/* Drops it, at the server too if it can be reached. Null is fine. */
void orlop_upload_abort(struct orlop_upload *u);

/* ---- jobs ---- */

/* Waits until a job has ended, at most timeout_ms (0: no limit). A job that ended with an error: FAILED with its text. */
enum orlop_code orlop_job_wait(struct orlop *h, const char *id, unsigned timeout_ms, struct orlop_error *ret_error);

/* ---- checksums ---- */

struct orlop_cksum;
/* A running checksum of a type by name ("xxhash2", "md5", "crc32c", "sha256", "sha512", "xxhash"); null for an unknown name or "none". */
struct orlop_cksum *orlop_cksum_new(const char *type);
/* Adds bytes. */
void orlop_cksum_update(struct orlop_cksum *c, const void *p, size_t n);
/* Writes the value in hex and frees c. */
void orlop_cksum_final(struct orlop_cksum *c, char ret_hex[static 132]);
/* Frees c without a value. Null is fine. */
void orlop_cksum_free(struct orlop_cksum *c);

#ifdef __cplusplus
}
#endif
#endif
