/* store/upload.h (inside store): uploads and appends in progress, as rows of RECORDS_UPLOADS.
 *
 * The rows are the truth; nothing of them is kept in memory but who is at work on which (upload_lock.c). An upload's
 * rows all lie on one mountpath: the one that the key chose when it began. Contents that rows name are held by them:
 * cleanup leaves those alone. Format page: docs/format/mountpath.md. */
#ifndef ORLOP_STORE_UPLOAD_H
#define ORLOP_STORE_UPLOAD_H

#include "store/priv.h"

#define UPLOAD_ID 16u               /* characters of an id */
#define UPLOAD_KEY_MAX 32u          /* bytes of a row's key */
#define UPLOAD_PARTS_MAX 10000u

enum upload_row_kind { UPLOAD_ROW = 'U', UPLOAD_ROW_PART = 'P', UPLOAD_ROW_APPEND = 'A' };

struct upload_row {
        struct str name, custom;
        int64_t created_ns;
};
struct part_row {
        uint64_t size;
        int64_t mtime_ns;
        enum cksum_type cksum_type;
        struct str cksum;
        struct content_id id;
};
struct append_row {
        struct str name;
        int64_t created_ns;
        uint64_t size;
        struct content_id id; /* of work/, or, after a crash within a flush, of content/ */
};
/* What a row's key says. */
struct upload_key {
        uint64_t bid;
        enum upload_row_kind kind;
        char id[UPLOAD_ID + 1];
        unsigned part; /* of UPLOAD_ROW_PART */
};

/* ---- upload_row.c: pure ---- */

/* Whether a text can be an id: 16 letters and digits. */
bool upload_id_valid(struct str id);
/* The row's key, in out. */
struct str upload_row_key(const struct upload_key *k, char out[static UPLOAD_KEY_MAX]);
/* First key of a bucket's rows of this kind and id (empty: any id); *ret_end is the first key after them, in end. */
struct str upload_row_range(uint64_t bid, enum upload_row_kind kind, struct str id, char from[static UPLOAD_KEY_MAX],
                            char end[static UPLOAD_KEY_MAX], struct str *ret_end);
/* Splits a key. ERR_CORRUPT. */
MUST_CHECK struct err *upload_row_key_parse(struct str key, struct upload_key *ret);
/* Appends the value; `key` is covered by its checksum. */
void upload_row_encode(struct str key, const struct upload_row *r, struct buf *b);
/* Decodes; borrowed from v. ERR_CORRUPT, ERR_FORMAT. */
MUST_CHECK struct err *upload_row_decode(struct str key, struct str v, struct upload_row *ret);
/* See upload_row_encode. */
void part_row_encode(struct str key, const struct part_row *r, struct buf *b);
/* See upload_row_decode. */
MUST_CHECK struct err *part_row_decode(struct str key, struct str v, struct part_row *ret);
/* See upload_row_encode. */
void append_row_encode(struct str key, const struct append_row *r, struct buf *b);
/* See upload_row_decode. */
MUST_CHECK struct err *append_row_decode(struct str key, struct str v, struct append_row *ret);

/* Self-description of a part: of which upload it is. Not enough to rebuild an object, which parts it has only its
 * record says; for people. */
void part_self_encode(const struct obj_key *key, struct str id, unsigned part, struct buf *b);

/* ---- upload_lock.c ---- */

/* Who works on what: an upload as a whole (part 0) or one part of it. Entries exist only while held. */
struct uploads {
        struct mutex lock; /* guards held */
        struct cond changed;
        struct list held;
};
struct upload_lock {
        struct list link;
        struct uploads *in; /* null: not held */
        uint64_t bid;
        char id[UPLOAD_ID];
        unsigned part;
        bool shared;
};
/* Waits until nobody holds it in a way that excludes us. `l` is caller's memory and must stay in place. */
void upload_lock(struct uploads *u, uint64_t bid, struct str id, unsigned part, bool shared, struct upload_lock *l);
/* As upload_lock; false instead of waiting. */
bool upload_trylock(struct uploads *u, uint64_t bid, struct str id, unsigned part, bool shared, struct upload_lock *l);
/* Gives it back. One that is not held is fine. */
void upload_unlock(struct upload_lock *l);
#define AUTO_UPLOAD_LOCK __attribute__((cleanup(upload_unlock)))

/* ---- upload.c ---- */

/* Finds a row that belongs to `key` by its id, on the mountpath of the key or any other. `b` gets key and value, the
 * caller holds *ret_mp (mountpath_leave). NOT_FOUND. */
MUST_CHECK struct err *upload_find(struct store *s, const struct obj_key *key, enum upload_row_kind kind, struct str id,
                                   struct buf *b, struct str *ret_key, struct str *ret_value,
                                   struct mountpath **ret_mp);
/* As upload_find for the upload itself, decoded (borrowed from b) and of this object. UPLOAD_NOT_FOUND. */
MUST_CHECK struct err *upload_open(struct store *s, const struct obj_key *key, struct str id, struct buf *b,
                                   struct upload_row *ret, struct mountpath **ret_mp);
/* The mountpath that the key has now, held. */
MUST_CHECK struct err *upload_choose(struct store *s, const struct obj_key *key, struct mountpath **ret_mp);
/* Gives a put without bytes so far its content file. */
MUST_CHECK struct err *upload_need_writer(struct put *p);
/* Calls fn for every row of [from, to). */
MUST_CHECK struct err *upload_each_row(struct records *r, struct str from, struct str to,
                                       struct err *(*fn)(void *arg, const struct upload_key *k, struct str key,
                                                         struct str value),
                                       void *arg);
/* Calls fn for each part of an upload, ascending. */
MUST_CHECK struct err *upload_each_part(struct mountpath *mp, uint64_t bid, struct str id,
                                        struct err *(*fn)(void *arg, unsigned part, struct str key,
                                                          const struct part_row *row),
                                        void *arg);
/* ---- append.c ---- */

/* As upload_find for an append, decoded (borrowed from b) and of this object. NOT_FOUND. */
MUST_CHECK struct err *append_find(struct store *s, const struct obj_key *key, struct str id, struct buf *b,
                                   struct append_row *ret, struct str *ret_key, struct mountpath **ret_mp);

/* ---- upload_complete.c ---- */

/* After a commit: describes a content file by the record that now names it, so that fsck can rebuild it. Failure is
 * logged only. */
void upload_describe(struct store *s, const struct obj_key *key, struct stamp stamp, struct content_id id, bool fast);
static inline void cleanup_mountpath(struct mountpath **mp)
{
        if (*mp)
                mountpath_leave(*mp);
}
#define AUTO_MOUNTPATH __attribute__((cleanup(cleanup_mountpath)))
static inline void cleanup_set(struct mp_set **set)
{
        if (*set)
                store__set_leave(*set);
}
#define AUTO_SET __attribute__((cleanup(cleanup_set)))

#endif
