/* meta/bucket.h: properties of a bucket: one table of leaves from which defaults, JSON, partial updates and validation
 * come. Plain values; pure; any thread. Wire: bucket properties JSON and its partial form. */
#ifndef ORLOP_META_BUCKET_H
#define ORLOP_META_BUCKET_H

#include "base/hash.h"
#include "base/json.h"
#include "meta/config.h"
#include "meta/name.h"

/* Access bits (wire values). */
enum bucket_access {
        ACCESS_GET = 1,
        ACCESS_HEAD_OBJ = 2,
        ACCESS_PUT = 4,
        ACCESS_APPEND = 8,
        ACCESS_DELETE_OBJ = 16,
        ACCESS_MOVE_OBJ = 32,
        ACCESS_PROMOTE = 64,
        ACCESS_UPDATE_OBJ = 128,
        ACCESS_HEAD_BCK = 256,
        ACCESS_LIST = 512,
        ACCESS_PATCH = 1024,
        ACCESS_SET_ACL = 2048,
        ACCESS_LIST_BUCKETS = 4096,
        ACCESS_SHOW_CLUSTER = 8192,
        ACCESS_CREATE = 16384,
        ACCESS_DESTROY = 32768,
        ACCESS_MOVE_BCK = 65536,
        ACCESS_ADMIN = 131072,
};

struct rate_limit {
        char per_op_max_tokens[64];
        int64_t interval_ns;
        int64_t max_tokens, num_retries, burst_size;
        bool enabled;
};
struct bucket_props {
        struct bck backend_bck;
        char write_policy_data[16], write_policy_md[16];
        struct {
                enum cksum_type type;
                bool validate_cold_get, validate_warm_get, validate_obj_move, enable_read_range;
        } checksum;
        struct {
                char aws_region[64], aws_endpoint[256], aws_profile[64];
                int64_t aws_max_pagesize;
                uint64_t aws_multipart_size;
                char gcp_creds[256], oci_region[64], custom[512];
        } extra;
        struct { struct rate_limit backend, frontend; } rate_limit;
        struct {
                char compression[16];
                int64_t bundle_multiplier, burst_buffer, objsize_limit, data_slices, parity_slices;
                bool enabled, disk_only;
        } ec;
        struct {
                uint64_t objsize_limit, max_monolithic_size, chunk_size;
                int64_t checkpoint_every;
                uint64_t flags;
        } chunks;
        struct { int64_t copies, burst_buffer; bool enabled; } mirror;
        struct { int64_t dont_evict_time_ns, capacity_upd_time_ns, batch_size; bool enabled; } lru;
        uint64_t access;
        uint64_t features;
        struct { bool enabled, validate_warm_get, synchronize; } versioning;
        /* Ours, not on the wire's default list: "durable" (default) or "fast"; JSON key "durability"; set by
         * {"durability":"fast"}. */
        bool fast;
};

/* A bucket of the cluster: immutable once published. */
struct bucket {
        struct bck bck;
        struct bck origin; /* its name at creation, by which objects are placed: a rename moves nothing */
        uint64_t bid; /* unique for ever; bit 63 set for ais buckets */
        int64_t created_ns;
        struct bucket_props props;
};

/* Defaults of a new bucket of this provider out of the cluster's configuration. */
void bucket_props_default(const struct config *c, enum provider p, struct bucket_props *ret);
/* Applies a partial update (wire: BpropsToSet) to *props: ERR_UNKNOWN_FIELD, ERR_MALFORMED, ERR_INVALID with the wire's
 * texts; on error *props is unchanged. `targets` and `mountpaths` bound EC and mirror. *ret_changed (may be null) tells
 * whether anything differs. */
MUST_CHECK struct err *bucket_props_update(struct bucket_props *props, const json_t *patch, unsigned targets,
                                           unsigned mountpaths, bool *ret_changed);
/* Writes the full JSON object (wire: bucket properties), as value of `key` or bare. */
void bucket_props_json(struct json_w *w, const char *key, const struct bucket *b);
/* Reads what bucket_props_json wrote: for our own stored state. */
MUST_CHECK struct err *bucket_from_json(const json_t *j, const struct bck *bck, struct bucket *ret);

#endif
