/* api/priv.h: one request of the native API, as its handlers see it. */
#ifndef ORLOP_API_PRIV_H
#define ORLOP_API_PRIV_H

#include <stdatomic.h>

#include "api/api.h"
#include "base/json.h"
#include "os/thread.h"

#define API_VERSION "5.0.0" /* what the wire calls ais_version: major.minor.build, must parse */
#define API_DEPLOYMENT "linux"
#define API_BUILD_TIME "" /* builds are reproducible */
#define CONTROL_BODY_MAX (1024 * 1024)
#define LIST_BODY_MAX (64 * 1024 * 1024)

/* Last readings of disks, for rates (disks.c). All-zero at first; guarded by busy. */
#define API_DISKS_MAX 32
struct api_disk {
        char name[32];
        struct disk_stats last;
        int64_t at_ns; /* 0: never read */
        int64_t rbps, ravg, wbps, wavg, util;
};
struct api_disks {
        atomic_flag busy;
        struct api_disk disk[API_DISKS_MAX];
};

struct api {
        struct node *node;
        struct jobs *jobs;
        struct pool *pool;
        struct logfile *log;
        struct tls_ctx *tls;
        const char *state_dir, *log_dir; /* may be null */
        char public_url[128], host[64], port[16];
        void (*shutdown)(void *arg);
        void *shutdown_arg;
        struct http_server *server;
        int64_t start_mono_ns;
        struct api_disks disks;
        size_t reserve_max;     /* bytes that requests may hold together, see api_reserve */
        atomic_size_t reserved;
        unsigned uploads_max;   /* contents that may be received at once: each has a file open */
        atomic_uint uploads;
        atomic_bool ready;      /* api_ready has been called: calls of other nodes are answered */
        struct mutex lock;
        struct cond changed;    /* index has grown */
        uint64_t index;         /* of the newest snapshot that the watcher saw; guarded by lock */
        struct s3_keys *s3_keys; /* who may sign */
        struct api_leave *leave; /* see leave.c; null without a cluster port */
};

/* The wire's {"action","name","value"}. */
struct api_envelope {
        struct str action, name;
        json_t *value; /* borrowed from doc; null if absent or JSON null */
        json_t *doc;
};
#define API_QUERY_MAX 100
struct api_param {
        struct str key, value; /* decoded */
};
struct api_req {
        struct api *api;
        struct node *node;
        struct http_req *rq;
        struct http_resp *rs;
        const struct snapshot *snap; /* pinned for the request */
        struct arena *arena;
        unsigned nitems;
        struct str items[8]; /* decoded path items after "/v1": items[0] = "buckets" …; for objects items[1] = bucket */
        struct str object;           /* objects: the decoded rest of the path; may be empty */
        unsigned nparams;
        struct api_param params[API_QUERY_MAX];
        struct api_envelope env;     /* when the route reads it */
        struct str body;             /* of the envelope, raw; p null: none */
        struct bck bck;              /* of the path and query; empty name if the path has none */
        const struct bucket *bucket; /* looked up for routes that need it */
        bool role_target;            /* errors name t[ID] instead of p[ID] */
        bool internal;               /* a member passed it on (relay.c): */
        const char *caller;          /* "p[ID]" of that member; else "" */
        struct err *(*take)(void *arg, const void *p, size_t n); /* null: no body is being taken (body.c) */
        struct err *(*taken)(struct api_req *r, void *arg, struct err *e);
        void *take_arg;
        uint64_t taken_bytes;
        bool admitted; /* the upload counts (body.c) */
};
typedef struct err *api_handler_fn(struct api_req *r);

/* One row of the route table. Handlers return an error, or leave a complete response. */
enum api_needs {
        NEED_NONE = 0,
        NEED_ENVELOPE = 1,  /* body is an envelope; its action selects the row */
        NEED_BUCKET = 2,    /* path names a bucket that exists */
        NEED_BUCKET_NAME = 4, /* path names a bucket; it may not exist */
        NEED_OBJECT = 8,    /* path names an object, checked */
        NEED_ANY_ACTION = 16, /* row without action: takes messages with any action too */
        NEED_PRIMARY = 32, /* only the leader decides it: other nodes pass the request on to it (relay.c) */
        NEED_MEMBER = 64  /* not for clients: there is no such row for them */
};
struct api_route {
        enum http_method method;
        const char *resource; /* "buckets", "cluster", … */
        const char *action;   /* null: no action, or none of the others */
        unsigned needs;
        uint64_t access;      /* bits of bucket_access that the bucket must allow */
        api_handler_fn *fn;
};
/* Tables, one per file of handlers; each ends with a row whose fn is null. */
extern const struct api_route api_routes_objects[], api_routes_buckets[], api_routes_cluster[], api_routes_daemon[],
        api_routes_other[], api_routes_own[];

/* A query parameter's value, STR_NONE if absent. Present but empty gives p non-null, n 0. */
struct str api_param(const struct api_req *r, const char *key);
/* Boolean parameter (wire words); absent is false. ERR_INVALID for other words. */
MUST_CHECK struct err *api_param_bool(const struct api_req *r, const char *key, bool *ret);
/* Accounts for n bytes that this request is going to hold, until its answer is sent: large messages and answers of all requests together are
 * bounded, however slowly clients read them. OVERLOAD. */
MUST_CHECK struct err *api_reserve(struct api_req *r, size_t n);
/* Answers. */
void api_reply_empty(struct api_req *r, int status);
/* JSON with the wire's content type and final newline; takes the buffer's memory. */
MUST_CHECK struct err *api_reply_json(struct api_req *r, struct buf *b);
/* Raw text (job ids). */
void api_reply_text(struct api_req *r, int status, struct str text);
/* A body of this type; takes the buffer's memory. */
MUST_CHECK struct err *api_reply_buf(struct api_req *r, const char *content_type, struct buf *b);
/* Pretty JSON is asked for (browser). */
bool api_wants_pretty(const struct api_req *r);
/* Whether Accept names application/msgpack. */
bool api_accepts_msgpack(const struct api_req *r);
/* Decodes env.value strictly into a struct by a table. */
MUST_CHECK struct err *api_value(struct api_req *r, const struct json_field *f, size_t n, const char *what, void *out);
/* Looks a bucket up (BUCKET_NOT_FOUND with the wire's text, MISSING_BACKEND …). */
MUST_CHECK struct err *api_find_bucket(struct api_req *r, const struct bck *bck, const struct bucket **ret);
/* Checks access bits: ERR_ACCESS. */
MUST_CHECK struct err *api_check_access(struct api_req *r, const struct bucket *b, uint64_t bits);
/* The bucket that query parameter bck_to names. */
MUST_CHECK struct err *api_param_bck_to(struct api_req *r, struct bck *ret);
/* The node that this request is about: its target entry or its proxy entry, by role_target; the one it has if it has
 * only one. Never null. */
const struct cluster_node *api_self(const struct api_req *r);
/* Fills rs with the wire's error (body, or Hdr-Error for HEAD) and frees e. */
void api_reply_err(struct api_req *r, struct err *e);
/* Status, wire type code of an error code. */
struct api_error_row {
        int status;
        const char *tcode; /* "" = omitted */
        const char *s3;
};
/* The row of a code. */
const struct api_error_row *api_error_row(enum err_code code);

#endif
