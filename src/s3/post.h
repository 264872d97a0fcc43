/* s3/post.h: uploads by browser forms (POST Object): the form, as it streams in, and the policy document that its maker
 * signed. One thread at a time; reading blocks when the source does.
 *
 * Fields come first and are kept (at most 20 KiB together); the field "file" must be the last, and its bytes are read
 * like any body: put a struct s3_body on top (PAYLOAD_UNSIGNED), whose last byte stays back until this end of the form
 * was right. Source: "Browser-based uploads using POST" of the S3 API. */
#ifndef ORLOP_S3_POST_H
#define ORLOP_S3_POST_H

#include "base/arena.h"
#include "net/http_client.h"
#include "s3/code.h"

#define S3_FORM_FIELDS_MAX 100
#define S3_FORM_BYTES_MAX (20 * 1024) /* of all fields but the file */
#define S3_FORM_STAGE (24 * 1024)

struct s3_form_field {
        struct str name, value;
};
struct s3_form {
        http_body_read_fn *source;
        void *arg;
        struct arena *a;
        struct s3_form_field fields[S3_FORM_FIELDS_MAX];
        unsigned nfields;
        struct str filename, file_type; /* of the file's own headers; p null: none */
        uint64_t min, max, got;         /* of the file: from the policy (set by the caller), and so far */
        struct s3_fault fault;
        int state;
        size_t fields_n, at, n;
        char delimiter[80]; /* CRLF "--" boundary */
        size_t delimiter_n;
        char stage[S3_FORM_STAGE];
};
/* Reads the fields up to the file's first byte. content_type: of the request. MalformedPOSTRequest, or what the source
 * says as *ret_err. */
MUST_CHECK enum s3_code s3_form_begin(struct s3_form *f, struct arena *a, struct str content_type,
                                      http_body_read_fn *source, void *arg, struct s3_fault *ret_fault,
                                      struct err **ret_err);
/* A field's value, names compared without case; STR_NONE if absent. */
struct str s3_form_field(const struct s3_form *f, const char *name);
/* The object's key: the field "key" with "${filename}" replaced. In the arena; p null: none. */
struct str s3_form_key(const struct s3_form *f);
/* An http_body_read_fn over a struct s3_form: the bytes of the file; *ret_n = 0 at its end, when it was within min and
 * max and the form was closed. Else MALFORMED with f->fault. */
struct err *s3_form_read(void *form, void *p, size_t n, size_t *ret_n);

/* What the policy allows the file to be. */
struct s3_post_limits {
        uint64_t min, max; /* bytes; 0 and UINT64_MAX if it does not say */
};
/* Judges the fields of a form by its policy (the JSON text, out of base64). AccessDenied when it has expired or a field
 * is not as it says, or not named in it; InvalidPolicyDocument when it is malformed. */
MUST_CHECK enum s3_code s3_post_policy(struct str policy, const struct s3_form *f, struct str bucket, int64_t now_ns,
                                       struct s3_post_limits *ret, struct s3_fault *ret_fault);

#endif
