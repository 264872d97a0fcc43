/* base/err_codes.h: every error code: X(name, text, worth retrying).
 * api/errors.c maps each to an HTTP status, the wire's type code and the S3 name; a test fails when one lacks a row. */
#ifndef ORLOP_BASE_ERR_CODES_H
#define ORLOP_BASE_ERR_CODES_H

#define ERR_CODES(X)                                                                                                   \
        X(INTERNAL, "internal error", 0)                                                                               \
        X(NO_MEMORY, "out of memory", 1)                                                                               \
        X(INVALID, "invalid argument", 0)                                                                              \
        X(INVALID_NAME, "invalid name", 0)                                                                             \
        X(INVALID_PROVIDER, "invalid backend provider", 0)                                                             \
        X(UNKNOWN_FIELD, "unknown field", 0)                                                                           \
        X(MALFORMED, "malformed message", 0)                                                                           \
        X(TOO_LARGE, "message too large", 0)                                                                           \
        X(HEADERS_TOO_LARGE, "request headers too large", 0)                                                           \
        X(URI_TOO_LONG, "request line too long", 0)                                                                    \
        X(BAD_METHOD, "method not allowed", 0)                                                                         \
        X(NOT_FOUND, "does not exist", 0)                                                                              \
        X(BUCKET_NOT_FOUND, "bucket does not exist", 0)                                                                \
        X(REMOTE_BUCKET_NOT_FOUND, "remote bucket does not exist", 0)                                                  \
        X(NODE_NOT_FOUND, "node not found", 0)                                                                         \
        X(MOUNTPATH_NOT_FOUND, "mountpath not found", 0)                                                               \
        X(JOB_NOT_FOUND, "job not found", 0)                                                                           \
        X(UPLOAD_NOT_FOUND, "multipart upload not found", 0)                                                           \
        X(BUCKET_EXISTS, "bucket already exists", 0)                                                                   \
        X(BUCKET_EXISTS_TARGET, "destination bucket already exists", 0)                                                \
        X(EXISTS, "already exists", 0)                                                                                 \
        X(BUSY, "busy", 1)                                                                                             \
        X(CONFLICT, "conflicting operation is running", 1)                                                             \
        X(LOCKED, "object is locked", 1)                                                                               \
        X(PRECONDITION, "precondition failed", 0)                                                                      \
        X(NOT_MODIFIED, "not modified", 0)                                                                             \
        X(RANGE, "range not satisfiable", 0)                                                                           \
        X(MULTI_RANGE, "multiple ranges are not supported", 0)                                                         \
        X(BAD_CHECKSUM, "checksum mismatch", 0)                                                                        \
        X(CORRUPT, "stored data is corrupt", 0)                                                                        \
        X(IO, "input/output error", 1)                                                                                 \
        X(NO_SPACE, "out of space", 0)                                                                                 \
        X(ACCESS, "access denied", 0)                                                                                  \
        X(UNAUTHORIZED, "credentials required", 0)                                                                     \
        X(FORBIDDEN, "forbidden", 0)                                                                                   \
        X(DIRECT_ACCESS, "direct target access denied", 0)                                                             \
        X(RATE_LIMIT, "rate limit exceeded", 1)                                                                        \
        X(OVERLOAD, "overloaded", 1)                                                                                   \
        X(STARTING, "node is starting", 1)                                                                             \
        X(UNAVAILABLE, "not available now", 1)                                                                         \
        X(NOT_PRIMARY, "not the primary", 1)                                                                           \
        X(NOT_OWNER, "owned by another target", 1)                                                                     \
        X(UNSUPPORTED, "not supported", 0)                                                                             \
        X(NOT_IMPLEMENTED, "not implemented", 0)                                                                       \
        X(NOT_REMOTE_BUCKET, "expecting remote bucket", 0)                                                             \
        X(MISSING_BACKEND, "backend is not configured", 0)                                                             \
        X(PROMOTE_SOURCE, "invalid promote source", 0)                                                                 \
        X(NOT_ENOUGH_TARGETS, "not enough targets", 0)                                                                 \
        X(TIMEOUT, "timed out", 1)                                                                                     \
        X(CANCELLED, "cancelled", 0)                                                                                   \
        X(CLOSED, "connection closed", 1)                                                                              \
        X(FORMAT, "unknown on-disk format", 0)                                                                         \
        X(FOREIGN, "directory belongs to another node or cluster", 0)                                                  \
        X(IN_USE, "directory is in use by another process", 0)

#endif
