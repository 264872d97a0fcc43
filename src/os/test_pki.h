/* os/test_pki.h: a cluster's authority and its nodes, for tests of whatever talks between nodes. */
#ifndef ORLOP_OS_TEST_PKI_H
#define ORLOP_OS_TEST_PKI_H

#include "os/test_util.h"

#include "os/clock.h"
#include "os/pki.h"
#include "os/tls.h"

struct test_ca {
        char *cert, *key;
        char print[65];
};
static inline void test_ca_init(struct test_ca *ca, const char *name)
{
        assert_ok(pki_ca_new(name, &ca->cert, &ca->key));
        assert_ok(pki_fingerprint(ca->cert, ca->print));
}
static inline void test_ca_fini(struct test_ca *ca)
{
        free(ca->cert);
        pki_secret_free(ca->key);
}

/* A node's credentials; pem borrows from the node and from the authority. */
struct test_node {
        char *cert, *key;
        struct tls_pem pem;
};
/* Good for `seconds` from now. */
static inline void test_node_init(struct test_node *n, const struct test_ca *ca, const char *id, const char *org,
                                  int64_t seconds)
{
        char *csr;

        assert_ok(pki_request_new(id, &n->key, &csr));
        assert_ok(pki_sign(ca->cert, ca->key, csr, id, org, clock_wall_ns() / NS_PER_SEC + seconds, &n->cert));
        free(csr);
        n->pem = (struct tls_pem){ .cert = n->cert, .key = n->key, .ca = ca->cert };
}
static inline void test_node_fini(struct test_node *n)
{
        free(n->cert);
        pki_secret_free(n->key);
}

#endif
