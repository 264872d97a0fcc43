/* net/addrs.c: how many connections each client address has: a hash table with chaining, guarded by one lock that is
 * taken at accept and close only. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "net/priv.h"

#define BUCKETS 1024u

struct entry {
        struct entry *next;
        struct net_addr addr;
        unsigned n;
};
struct net_addrs {
        struct mutex lock;
        unsigned max;
        struct entry *buckets[BUCKETS];
};

struct net_addrs *net__addrs_new(unsigned max)
{
        struct net_addrs *t = calloc(1, sizeof(*t));
        if (!t)
                return NULL;
        mutex_init(&t->lock, "net.addrs", RANK_NET);
        t->max = max;
        return t;
}

void net__addrs_free(struct net_addrs *t)
{
        if (!t)
                return;
        for (unsigned i = 0; i < BUCKETS; i++)
                ASSERT(!t->buckets[i]); /* every connection took its count back */
        mutex_fini(&t->lock);
        free(t);
}

/* The link that points to the entry of `a`, or to the null where it would hang. */
static struct entry **find(struct net_addrs *t, const struct net_addr *a)
{
        uint64_t h = UINT64_C(0xcbf29ce484222325);
        for (size_t i = 0; i < sizeof(a->bytes); i++)
                h = (h ^ a->bytes[i]) * UINT64_C(0x100000001b3);
        struct entry **e = &t->buckets[(h >> 32) % BUCKETS];
        while (*e && memcmp(&(*e)->addr, a, sizeof(*a)) != 0)
                e = &(*e)->next;
        return e;
}

bool net__addrs_add(struct net_addrs *t, const struct net_addr *a)
{
        LOCK_SCOPE(&t->lock);
        struct entry **at = find(t, a);
        if (!*at) {
                struct entry *e = calloc(1, sizeof(*e));
                if (!e)
                        return false;
                e->addr = *a;
                *at = e;
        }
        if ((*at)->n >= t->max)
                return false;
        (*at)->n++;
        return true;
}

void net__addrs_remove(struct net_addrs *t, const struct net_addr *a)
{
        LOCK_SCOPE(&t->lock);
        struct entry **at = find(t, a), *e = *at;
        ASSERT(e && e->n > 0);
        if (--e->n == 0) {
                *at = e->next;
                free(e);
        }
}

static const unsigned char mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }; /* RFC 4291 §2.5.5.2 */

bool net__addr_of(const struct sockaddr *sa, struct net_addr *ret)
{
        if (sa->sa_family == AF_INET) {
                struct sockaddr_in v4;
                memcpy(&v4, sa, sizeof(v4));
                memcpy(ret->bytes, mapped, sizeof(mapped));
                memcpy(ret->bytes + sizeof(mapped), &v4.sin_addr, 4);
                return true;
        }
        if (sa->sa_family == AF_INET6) {
                struct sockaddr_in6 v6;
                memcpy(&v6, sa, sizeof(v6));
                memcpy(ret->bytes, &v6.sin6_addr, 16);
                return true;
        }
        return false;
}

bool net__addr_is_loopback(const struct net_addr *a)
{
        static const unsigned char loopback6[16] = { [15] = 1 };
        if (memcmp(a->bytes, mapped, sizeof(mapped)) == 0)
                return a->bytes[12] == 127;
        return memcmp(a->bytes, loopback6, sizeof(loopback6)) == 0;
}
