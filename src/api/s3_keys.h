/* api/s3_keys.h (inside api): access keys of S3. Made before the server starts; any thread. */
#ifndef ORLOP_API_S3_KEYS_H
#define ORLOP_API_S3_KEYS_H

#include "cluster/control.h"

struct s3_keys;
struct s3_sig_keys;
/* Keys of a file (null: none; a list of {user, display_name, access_key, secret_key}, mode 0600) and one pair of the environment
 * (empty: none). FORBIDDEN, MALFORMED, INVALID, IO. */
MUST_CHECK struct err *api__s3_keys_new(const char *file, struct str access, struct str secret, struct s3_keys **ret);
/* Wipes and frees. Null is fine. */
void api__s3_keys_free(struct s3_keys *k);
/* What a user is called in answers: the display_name of the file, else his own name. */
struct str api__s3_keys_display(const struct s3_keys *k, struct str user);
/* The cache of signing keys. */
struct s3_sig_keys *api__s3_keys_cache(struct s3_keys *k);
/* Whether there is any key, here or in the cluster's state. */
bool api__s3_keys_exist(struct s3_keys *k, struct cluster *c);
/* Looks a key up; strings live as long as k or the arena. */
bool api__s3_keys_find(struct s3_keys *k, struct cluster *c, struct arena *a, struct str access, struct str *ret_secret,
                       struct str *ret_user);

#endif
