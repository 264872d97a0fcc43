/* cluster/join.h (inside cluster): what both sides of a join share. */
#ifndef ORLOP_CLUSTER_JOIN_H
#define ORLOP_CLUSTER_JOIN_H

#include "base/hash.h"
#include "cluster/many.h"

#define TOKEN_PREFIX "orlop-join-"
#define TOKEN_KEY_BYTES 32
#define TOKEN_ADDRESSES 8

/* The key that the token's secret gives: SHA-256 of it. The state holds this, sealed, and never the secret. */
void cluster__token_key(struct str secret, unsigned char ret[static TOKEN_KEY_BYTES]);
/* Proof of knowing it, for one nonce and one request. */
void cluster__token_proof(const unsigned char key[static TOKEN_KEY_BYTES], struct str nonce, struct str request,
                          char ret_hex[static 2 * HASH_SHA256_BYTES + 1]);

#endif
