/* meta/name.h: names of buckets, objects, providers and namespaces: validated once, into typed values. Pure; any
 * thread.
 *
 * Rules: wire-level facts of the native API. Bucket: 1-64 of [A-Za-z0-9._-], no "..", a leading dot only for the system
 * buckets. Object: 1-1024 bytes, no "." or ".." element, no leading "~/", no trailing '/', no bytes below 0x20 and no
 * 0x7f; inner "//" is kept as it is. */
#ifndef ORLOP_META_NAME_H
#define ORLOP_META_NAME_H

#include "base/str.h"

#define BUCKET_NAME_MAX 64
#define OBJECT_NAME_MAX 1024
#define NS_UUID_MAX 32
#define NS_NAME_MAX 64

enum provider { PROVIDER_AIS, PROVIDER_AWS, PROVIDER_GCP, PROVIDER_AZURE, PROVIDER_OCI, PROVIDER_COUNT };

/* A bucket's full name; a plain value. All-zero is the empty name. */
struct bck {
        char name[BUCKET_NAME_MAX + 1];
        enum provider provider;
        char ns_uuid[NS_UUID_MAX + 1]; /* remote cluster, without '@' */
        char ns_name[NS_NAME_MAX + 1]; /* namespace, without '#' */
};

/* "ais", "aws", … */
const char *provider_name(enum provider p);
/* "ais", "s3" for aws, "gs", "az", "oc": scheme of bucket URIs. */
const char *provider_scheme(enum provider p);
/* From a query or URI: names and aliases; empty is ais. ERR_INVALID_PROVIDER. */
MUST_CHECK struct err *provider_parse(struct str s, enum provider *ret);
/* Checks a bucket name with the wire's messages. ERR_INVALID_NAME. */
MUST_CHECK struct err *bck_name_check(struct str name);
/* Whether it is a system bucket (".sys-…"): hidden from listings. */
bool bck_is_system(const struct bck *b);
/* Whether the bucket lives in a cloud or a remote cluster. */
bool bck_is_remote(const struct bck *b);
/* "@uuid#name", either part may be missing. ERR_INVALID_NAME. */
MUST_CHECK struct err *namespace_parse(struct str s, char ret_uuid[static NS_UUID_MAX + 1],
                                       char ret_name[static NS_NAME_MAX + 1]);
/* Fills a bck from its three texts (validated). */
MUST_CHECK struct err *bck_make(struct str name, struct str provider, struct str ns, struct bck *ret);
/* Same bucket? */
bool bck_eq(const struct bck *a, const struct bck *b);
/* Order by provider name, namespace, name. */
int bck_cmp(const struct bck *a, const struct bck *b);
/* "ais://name", "ais://@uuid#ns/name": for messages (clients parse it). buf of 192; returns buf. */
const char *bck_text(const struct bck *b, char buf[static 192]);
/* "@uuid#ns" ("@#" for the global one). buf of 104; returns buf. */
const char *bck_ns_text(const struct bck *b, char buf[static 104]);
/* "ais/@#/name/": what bck_to carries. buf of 192; returns buf. */
const char *bck_uname(const struct bck *b, char buf[static 192]);
/* Parses a uname "ais/@#/bucket/" or "ais/@#/bucket/object…"; *ret_object may be null when only a bucket is expected;
 * borrowed from s. */
MUST_CHECK struct err *uname_parse(struct str s, struct bck *ret, struct str *ret_object);
/* Checks an object name. ERR_INVALID_NAME, ERR_UNSUPPORTED never. */
MUST_CHECK struct err *object_name_check(struct str name);
/* Checks a listing prefix: the same element rules; empty is fine; a trailing '*' is cut from *prefix. */
MUST_CHECK struct err *object_prefix_check(struct str *prefix);
/* Checks a job or upload identifier's form: up to 32 of [A-Za-z0-9_-], first and last alphanumeric. */
bool id_check(struct str id);

#endif
