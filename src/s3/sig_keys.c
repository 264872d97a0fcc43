/* s3/sig_keys.c: signing keys, and the cache of them: sets of four, the oldest of a set gives way. A lock covers every
 * sixteenth set. The secret itself is part of what is looked up, so that a changed secret needs no invalidation. */
#include "s3/priv.h"

#include <stdio.h>

#include "os/thread.h"

#define SETS 256u
#define WAYS 4u
#define LOCKS 16u

struct slot {
        uint64_t hash; /* 0: free */
        uint32_t secret_n, region_n;
        char secret[S3_SECRET_MAX], region[S3_REGION_MAX], day[SIG_DAY_CHARS];
        struct hash_hmac_key key;
};
struct set {
        struct slot slots[WAYS];
        unsigned next;
};
struct s3_sig_keys {
        struct mutex locks[LOCKS];
        struct set sets[SETS]; /* set i: guarded by lock i % LOCKS */
};

struct err *s3_sig_keys_new(struct s3_sig_keys **ret)
{
        struct s3_sig_keys *k = calloc(1, sizeof(*k));
        if (k == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < LOCKS; i++)
                mutex_init(&k->locks[i], "s3.keys", RANK_LEAF);
        *ret = k;
        return NULL;
}

void s3_sig_keys_free(struct s3_sig_keys *k)
{
        if (k == NULL)
                return;
        for (unsigned i = 0; i < LOCKS; i++)
                mutex_fini(&k->locks[i]);
        explicit_bzero(k->sets, sizeof(k->sets));
        free(k);
}

/* "AWS4" secret, then day, region, service, a fixed word: each the key of the next. */
static void derive(struct str secret, struct str day, struct str region, struct hash_hmac_key *ret)
{
        unsigned char k[HASH_SHA256_BYTES];
        struct buf first = BUF_INIT;
        char small[4 + S3_SECRET_MAX];
        if (secret.n <= S3_SECRET_MAX) {
                memcpy(small, "AWS4", 4);
                if (secret.n != 0)
                        memcpy(small + 4, secret.p, secret.n);
                hash_hmac_sha256(small, 4 + secret.n, day.p, day.n, k);
        } else {
                buf_adds(&first, STR("AWS4"));
                buf_adds(&first, secret);
                hash_hmac_sha256(first.p, first.n, day.p, day.n, k);
                explicit_bzero(first.p, first.n);
        }
        hash_hmac_sha256(k, sizeof(k), region.p, region.n, k);
        hash_hmac_sha256(k, sizeof(k), "s3", 2, k);
        hash_hmac_sha256(k, sizeof(k), "aws4_request", 12, k);
        hash_hmac_init(ret, k, sizeof(k));
        explicit_bzero(k, sizeof(k));
        explicit_bzero(small, sizeof(small));
        buf_fini(&first);
}

static bool holds(const struct slot *s, uint64_t hash, struct str secret, struct str day, struct str region)
{
        return s->hash == hash && str_eq((struct str){ s->secret, s->secret_n }, secret) &&
               str_eq((struct str){ s->region, s->region_n }, region) && memcmp(s->day, day.p, SIG_DAY_CHARS) == 0;
}

static void keep(struct slot *s, uint64_t hash, struct str secret, struct str day, struct str region,
                 const struct hash_hmac_key *key)
{
        s->hash = hash;
        s->secret_n = (uint32_t)secret.n;
        s->region_n = (uint32_t)region.n;
        memcpy(s->secret, secret.p, secret.n);
        memcpy(s->region, region.p, region.n);
        memcpy(s->day, day.p, SIG_DAY_CHARS);
        s->key = *key;
}

void s3_sig_key(struct s3_sig_keys *k, struct str secret, struct str day, struct str region, struct hash_hmac_key *ret)
{
        if (k == NULL || secret.n == 0 || secret.n > S3_SECRET_MAX || region.n == 0 || region.n > S3_REGION_MAX ||
            day.n != SIG_DAY_CHARS) {
                derive(secret, day, region, ret);
                return;
        }
        uint64_t hash = hash_xxh64(region.p, region.n, hash_xxh64(day.p, day.n, hash_xxh64(secret.p, secret.n, 0))) | 1;
        unsigned at = (unsigned)(hash >> 8) % SETS;
        struct set *set = &k->sets[at];
        {
                LOCK_SCOPE(&k->locks[at % LOCKS]);
                for (unsigned i = 0; i < WAYS; i++) {
                        if (holds(&set->slots[i], hash, secret, day, region)) {
                                *ret = set->slots[i].key;
                                return;
                        }
                }
        }
        derive(secret, day, region, ret);
        LOCK_SCOPE(&k->locks[at % LOCKS]);
        keep(&set->slots[set->next++ % WAYS], hash, secret, day, region, ret);
}
