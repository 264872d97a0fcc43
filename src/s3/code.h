/* s3/code.h: how S3 says no: its codes, their HTTP status and text, and the document that carries them.
 *
 * The functions of this folder that judge what a client sent return one of these codes, S3_OK (0) when it may pass:
 * S3's codes are finer than ours and travel one step only, to the answer. A `struct s3_fault` adds what the answer's
 * fields tell. Errors from below (`struct err`) become codes by s3_code_of(). Pure; any thread. Source: "Error
 * responses" of the Amazon S3 API reference. */
#ifndef ORLOP_S3_CODE_H
#define ORLOP_S3_CODE_H

#include "base/buf.h"

/* X(name, code on the wire, status, message) */
#define S3_CODES(X)                                                                                                    \
        X(ACCESS_DENIED, "AccessDenied", 403, "Access Denied")                                                         \
        X(ACCESS_CONTROL_LIST_NOT_SUPPORTED, "AccessControlListNotSupported", 400, "The bucket does not allow ACLs")   \
        X(AUTH_HEADER_MALFORMED, "AuthorizationHeaderMalformed", 400, "The authorization header is malformed")         \
        X(AUTH_QUERY_PARAMETERS, "AuthorizationQueryParametersError", 400,                                             \
          "Error parsing the authorization parameters of the query")                                                   \
        X(BAD_DIGEST, "BadDigest", 400,                                                                                \
          "The Content-MD5 or checksum value that you specified did not match what we received")                       \
        X(BUCKET_ALREADY_EXISTS, "BucketAlreadyExists", 409, "The requested bucket name is not available")             \
        X(BUCKET_ALREADY_OWNED, "BucketAlreadyOwnedByYou", 409,                                                        \
          "Your previous request to create the named bucket succeeded and you already own it")                         \
        X(BUCKET_NOT_EMPTY, "BucketNotEmpty", 409, "The bucket you tried to delete is not empty")                      \
        X(CONDITIONAL_REQUEST_CONFLICT, "ConditionalRequestConflict", 409,                                             \
          "A conflicting operation occurred during this conditional request; try again")                               \
        X(ENTITY_TOO_LARGE, "EntityTooLarge", 400, "Your proposed upload exceeds the maximum allowed object size")     \
        X(ENTITY_TOO_SMALL, "EntityTooSmall", 400, "Your proposed upload is smaller than the minimum allowed size")    \
        X(EXPIRED_TOKEN, "ExpiredToken", 400, "The provided token has expired")                                        \
        X(ILLEGAL_LOCATION, "IllegalLocationConstraintException", 400,                                                 \
          "The specified location constraint is not valid for this endpoint")                                          \
        X(ILLEGAL_VERSIONING, "IllegalVersioningConfigurationException", 400,                                          \
          "The versioning configuration is not valid")                                                                 \
        X(INCOMPLETE_BODY, "IncompleteBody", 400, "You did not provide the number of bytes that you announced")        \
        X(INTERNAL_ERROR, "InternalError", 500, "We encountered an internal error. Please try again")                  \
        X(INVALID_ACCESS_KEY_ID, "InvalidAccessKeyId", 403,                                                            \
          "The access key id you provided does not exist in our records")                                              \
        X(INVALID_ARGUMENT, "InvalidArgument", 400, "Invalid Argument")                                                \
        X(INVALID_BUCKET_NAME, "InvalidBucketName", 400, "The specified bucket is not valid")                          \
        X(INVALID_BUCKET_STATE, "InvalidBucketState", 409,                                                             \
          "The request is not valid for the current state of the bucket")                                              \
        X(INVALID_DIGEST, "InvalidDigest", 400, "The Content-MD5 or checksum value that you specified is not valid")   \
        X(INVALID_ENCRYPTION, "InvalidEncryptionAlgorithmError", 400,                                                  \
          "The encryption request you specified is not valid")                                                         \
        X(INVALID_LOCATION, "InvalidLocationConstraint", 400, "The specified location constraint is not valid")        \
        X(INVALID_OBJECT_STATE, "InvalidObjectState", 403,                                                             \
          "The operation is not valid for the current state of the object")                                            \
        X(INVALID_PART, "InvalidPart", 400,                                                                            \
          "One or more of the specified parts could not be found, or its entity tag did not match")                    \
        X(INVALID_PART_NUMBER, "InvalidPartNumber", 416, "The requested part number is not satisfiable")               \
        X(INVALID_PART_ORDER, "InvalidPartOrder", 400, "The list of parts was not in ascending order")                 \
        X(INVALID_POLICY_DOCUMENT, "InvalidPolicyDocument", 400,                                                       \
          "The content of the form does not meet the conditions of the policy document")                               \
        X(INVALID_RANGE, "InvalidRange", 416, "The requested range is not satisfiable")                                \
        X(INVALID_REQUEST, "InvalidRequest", 400, "Invalid Request")                                                   \
        X(INVALID_RETENTION_PERIOD, "InvalidRetentionPeriod", 400, "The retention period is not valid")                \
        X(INVALID_STORAGE_CLASS, "InvalidStorageClass", 400, "The storage class you specified is not valid")           \
        X(INVALID_TAG, "InvalidTag", 400, "The tag provided was not a valid tag")                                      \
        X(INVALID_TOKEN, "InvalidToken", 400, "The provided token is malformed or otherwise not valid")                \
        X(INVALID_URI, "InvalidURI", 400, "Couldn't parse the specified URI")                                          \
        X(KEY_TOO_LONG, "KeyTooLongError", 400, "Your key is too long")                                                \
        X(MALFORMED_ACL, "MalformedACLError", 400, "The ACL that you provided was not well formed")                    \
        X(MALFORMED_POLICY, "MalformedPolicy", 400, "This policy contains invalid Json or an invalid statement")       \
        X(MALFORMED_POST, "MalformedPOSTRequest", 400,                                                                 \
          "The body of your POST request is not well-formed multipart/form-data")                                      \
        X(MALFORMED_TRAILER, "MalformedTrailerError", 400,                                                             \
          "The request contained trailing data that was not well-formed or did not conform to our published schema")   \
        X(MALFORMED_XML, "MalformedXML", 400,                                                                          \
          "The XML you provided was not well-formed or did not validate against our published schema")                 \
        X(MAX_MESSAGE_LENGTH, "MaxMessageLengthExceeded", 400, "Your request was too big")                             \
        X(METADATA_TOO_LARGE, "MetadataTooLarge", 400,                                                                 \
          "Your metadata headers exceed the maximum allowed metadata size")                                            \
        X(METHOD_NOT_ALLOWED, "MethodNotAllowed", 405, "The specified method is not allowed against this resource")    \
        X(MISSING_CONTENT_LENGTH, "MissingContentLength", 411, "You must provide the Content-Length HTTP header")      \
        X(MISSING_REQUEST_BODY, "MissingRequestBodyError", 400, "The request body is empty")                           \
        X(MISSING_SECURITY_HEADER, "MissingSecurityHeader", 400, "Your request was missing a required header")         \
        X(NO_SUCH_BUCKET, "NoSuchBucket", 404, "The specified bucket does not exist")                                  \
        X(NO_SUCH_BUCKET_POLICY, "NoSuchBucketPolicy", 404, "The bucket policy does not exist")                        \
        X(NO_SUCH_CORS, "NoSuchCORSConfiguration", 404, "The CORS configuration does not exist")                       \
        X(NO_SUCH_KEY, "NoSuchKey", 404, "The specified key does not exist")                                           \
        X(NO_SUCH_LIFECYCLE, "NoSuchLifecycleConfiguration", 404, "The lifecycle configuration does not exist")        \
        X(NO_SUCH_OBJECT_LOCK, "NoSuchObjectLockConfiguration", 404,                                                   \
          "The specified object does not have an ObjectLock configuration")                                            \
        X(NO_SUCH_OWNERSHIP, "OwnershipControlsNotFoundError", 404, "The bucket ownership controls were not found")    \
        X(NO_SUCH_PUBLIC_ACCESS_BLOCK, "NoSuchPublicAccessBlockConfiguration", 404,                                    \
          "The public access block configuration was not found")                                                       \
        X(NO_SUCH_TAG_SET, "NoSuchTagSet", 404, "The TagSet does not exist")                                           \
        X(NO_SUCH_UPLOAD, "NoSuchUpload", 404, "The specified multipart upload does not exist")                        \
        X(NO_SUCH_VERSION, "NoSuchVersion", 404, "The specified version does not exist")                               \
        X(NO_SUCH_WEBSITE, "NoSuchWebsiteConfiguration", 404,                                                          \
          "The specified bucket does not have a website configuration")                                                \
        X(NOT_IMPLEMENTED, "NotImplemented", 501,                                                                      \
          "A header or parameter you provided implies functionality that is not implemented")                          \
        X(NOT_MODIFIED, "NotModified", 304, "Not Modified")                                                            \
        X(OBJECT_LOCK_NOT_FOUND, "ObjectLockConfigurationNotFoundError", 404,                                          \
          "Object Lock configuration does not exist for this bucket")                                                  \
        X(OPERATION_ABORTED, "OperationAborted", 409,                                                                  \
          "A conflicting conditional operation is currently in progress; try again")                                   \
        X(PRECONDITION_FAILED, "PreconditionFailed", 412,                                                              \
          "At least one of the pre-conditions you specified did not hold")                                             \
        X(REPLICATION_NOT_FOUND, "ReplicationConfigurationNotFoundError", 404,                                         \
          "The replication configuration was not found")                                                               \
        X(REQUEST_HEADERS_TOO_LARGE, "RequestHeaderSectionTooLarge", 400,                                              \
          "Your request header section exceeds the maximum allowed size")                                              \
        X(REQUEST_TIMEOUT, "RequestTimeout", 400,                                                                      \
          "Your socket connection to the server was not read from or written to within the timeout period")            \
        X(REQUEST_TIME_TOO_SKEWED, "RequestTimeTooSkewed", 403,                                                        \
          "The difference between the request time and the current time is too large")                                 \
        X(SERVER_SIDE_ENCRYPTION_NOT_FOUND, "ServerSideEncryptionConfigurationNotFoundError", 404,                     \
          "The server side encryption configuration was not found")                                                    \
        X(SERVICE_UNAVAILABLE, "ServiceUnavailable", 503, "Service is unable to handle request")                       \
        X(SHA256_MISMATCH, "XAmzContentSHA256Mismatch", 400,                                                           \
          "The provided 'x-amz-content-sha256' header does not match what was computed")                               \
        X(SIGNATURE_DOES_NOT_MATCH, "SignatureDoesNotMatch", 403,                                                      \
          "The request signature we calculated does not match the signature you provided. Check your key and signing " \
          "method")                                                                                                    \
        X(SLOW_DOWN, "SlowDown", 503, "Please reduce your request rate")                                               \
        X(STORAGE_FULL, "InsufficientCapacity", 507, "There is not enough space for the object")                       \
        X(TOO_MANY_BUCKETS, "TooManyBuckets", 400, "You have attempted to create more buckets than allowed")           \
        X(UNEXPECTED_CONTENT, "UnexpectedContent", 400, "This request does not support content")                       \
        X(UNRESOLVABLE_GRANT, "UnresolvableGrantByEmailAddress", 400,                                                  \
          "The email address you provided does not match any account on record")

enum s3_code {
        S3_OK = 0,
#define X(name, code, status, text) S3_##name,
        S3_CODES(X)
#undef X
                S3_CODE_COUNT
};
/* "NoSuchKey"; "" for S3_OK. */
const char *s3_code_name(enum s3_code c);
/* The HTTP status; 200 for S3_OK. */
int s3_code_status(enum s3_code c);
/* The text for humans. */
const char *s3_code_text(enum s3_code c);
/* What an error from below is for S3 clients. */
enum s3_code s3_code_of(enum err_code code);

/* What an answer tells beyond its code; a plain value. Everything may be empty. */
struct s3_fault {
        enum s3_code code;
        char text[256];    /* instead of the table's text */
        const char *field; /* name of one more element ("Region", "ArgumentName"), static; null: none */
        char value[128];   /* its text */
};
/* Fills a fault (text may be null: the table's) and returns the code. */
enum s3_code s3_fault_set(struct s3_fault *f, enum s3_code c, const char *text, ...) PRINTF_LIKE(3, 4);
/* The error document. resource is the path as sent; bucket and key may be STR_NONE. */
void s3_error_xml(struct buf *b, const struct s3_fault *f, struct str bucket, struct str key, struct str resource,
                  struct str request_id, struct str host_id);

#endif
