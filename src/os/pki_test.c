/* Authorities, requests, certificates; sealed texts. */
#include "os/test_util.h"

#include <string.h>

#include "os/clock.h"
#include "os/random.h"
#include "os/test_pki.h"

#define HOUR 3600

static void test_certificates(void **state)
{
        struct test_ca ca, other;
        struct test_node node;
        struct pki_facts f;
        char print[65];
        int64_t now = clock_wall_ns() / NS_PER_SEC;

        (void)state;
        test_ca_init(&ca, "cluster-1");
        test_ca_init(&other, "cluster-1");
        test_node_init(&node, &ca, "node-a", "uuid-1", HOUR);
        assert_ok(pki_cert_facts(ca.cert, &f));
        assert_string_equal(f.id, "cluster-1");
        assert_string_equal(f.org, "");
        assert_true(f.authority);
        assert_true(f.not_after - now > (int64_t)25 * 365 * 24 * HOUR);
        assert_ok(pki_cert_facts(node.cert, &f));
        assert_string_equal(f.id, "node-a");
        assert_string_equal(f.org, "uuid-1");
        assert_false(f.authority);
        assert_int_equal(strlen(f.serial), 32);
        assert_true(f.not_before < now && f.not_after >= now + HOUR && f.not_after < now + HOUR + 60);
        assert_ok(pki_verify(ca.cert, node.cert));
        assert_err(pki_verify(other.cert, node.cert), ERR_ACCESS); /* same name, another key */
        assert_err(pki_verify(node.cert, node.cert), ERR_ACCESS);  /* a node is no authority */
        clock_set_offset_ns(2 * HOUR * NS_PER_SEC);
        assert_err(pki_verify(ca.cert, node.cert), ERR_ACCESS);
        clock_set_offset_ns(0);
        assert_ok(pki_fingerprint(node.cert, print));
        assert_string_not_equal(print, ca.print);
        assert_int_equal(strlen(print), 64);
        test_node_fini(&node);
        test_ca_fini(&other);
        test_ca_fini(&ca);
}

/* A node can not certify others with its own certificate: the authority's path length and the node's CA:FALSE. */
static void test_node_is_no_authority(void **state)
{
        struct test_ca ca, fake;
        struct test_node node;
        char *key, *csr, *cert;
        int64_t later = clock_wall_ns() / NS_PER_SEC + HOUR;

        (void)state;
        test_ca_init(&ca, "cluster-1");
        test_node_init(&node, &ca, "node-a", "uuid-1", HOUR);
        assert_ok(pki_request_new("node-b", &key, &csr));
        fake = (struct test_ca){ .cert = node.cert, .key = node.key };
        assert_ok(pki_sign(fake.cert, fake.key, csr, "node-b", "uuid-1", later, &cert));
        assert_err(pki_verify(ca.cert, cert), ERR_ACCESS);
        assert_err(pki_verify(node.cert, cert), ERR_ACCESS);
        pki_secret_free(key);
        free(csr);
        free(cert);
        test_node_fini(&node);
        test_ca_fini(&ca);
}

static void test_refusals(void **state)
{
        static const char *const bad_names[] = { "", "a b", "a\nb", "\xc3\xa4",
                                                 "0123456789012345678901234567890123456789012345678901234567890123" };
        struct test_ca ca, other;
        struct pki_facts f;
        char *key, *csr, *cert, print[65];
        int64_t now = clock_wall_ns() / NS_PER_SEC;

        (void)state;
        test_ca_init(&ca, "cluster-1");
        test_ca_init(&other, "cluster-2");
        assert_ok(pki_request_new("x", &key, &csr));
        for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
                char *k, *r;

                assert_err(pki_ca_new(bad_names[i], &k, &r), ERR_INVALID);
                assert_err(pki_request_new(bad_names[i], &k, &r), ERR_INVALID);
                assert_err(pki_sign(ca.cert, ca.key, csr, bad_names[i], "o", now + 9, &cert), ERR_INVALID);
                assert_err(pki_sign(ca.cert, ca.key, csr, "x", bad_names[i], now + 9, &cert), ERR_INVALID);
        }
        assert_err(pki_sign(ca.cert, ca.key, csr, "x", "o", now, &cert), ERR_INVALID);       /* over already */
        assert_err(pki_sign(ca.cert, other.key, csr, "x", "o", now + 9, &cert), ERR_INVALID); /* not its key */
        assert_err(pki_sign(ca.cert, ca.key, ca.cert, "x", "o", now + 9, &cert), ERR_INVALID); /* no request */
        assert_err(pki_sign(ca.cert, ca.key, "", "x", "o", now + 9, &cert), ERR_INVALID);
        char *dot = strchr(csr, '\n') + 100; /* a request that was changed: the DER is damaged, or the signature wrong */
        *dot = *dot == 'A' ? 'B' : 'A';
        assert_err(pki_sign(ca.cert, ca.key, csr, "x", "o", now + 9, &cert), ERR_INVALID);
        assert_err(pki_cert_facts("nothing", &f), ERR_INVALID);
        assert_err(pki_fingerprint(ca.key, print), ERR_INVALID);
        pki_secret_free(key);
        pki_secret_free(NULL);
        free(csr);
        test_ca_fini(&other);
        test_ca_fini(&ca);
}

static void test_seal(void **state)
{
        static const char *const texts[] = { "", "x", "a secret of some length, with \xff bytes" };
        unsigned char key[PKI_SEAL_KEY], other[PKI_SEAL_KEY];

        (void)state;
        random_bytes(key, sizeof(key));
        memcpy(other, key, sizeof(other));
        other[31] ^= 1;
        for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
                AUTO_BUF struct buf sealed = BUF_INIT;
                AUTO_BUF struct buf again = BUF_INIT;
                AUTO_BUF struct buf plain = BUF_INIT;

                assert_ok(pki_seal(key, str_of(texts[i]), &sealed));
                assert_ok(pki_seal(key, str_of(texts[i]), &again));
                assert_false(str_eq(buf_str(&sealed), buf_str(&again))); /* nonces differ */
                assert_ok(pki_unseal(key, buf_str(&sealed), &plain));
                assert_true(str_eq(buf_str(&plain), str_of(texts[i])));
                assert_err(pki_unseal(other, buf_str(&sealed), &plain), ERR_CORRUPT);
                for (size_t at = 3; at < sealed.n; at++) { /* any digit changed */
                        char was = sealed.p[at];
                        struct err *e;

                        sealed.p[at] = was == 'A' ? 'E' : 'A';
                        e = pki_unseal(key, buf_str(&sealed), &plain);
                        assert_true(err_code(e) == ERR_CORRUPT || err_code(e) == ERR_MALFORMED);
                        err_free(e);
                        sealed.p[at] = was;
                }
                assert_int_equal(plain.n, strlen(texts[i])); /* failures gave nothing out */
                sealed.n -= 4;
                struct err *cut = pki_unseal(key, buf_str(&sealed), &plain);
                assert_true(err_code(cut) == ERR_CORRUPT || err_code(cut) == ERR_MALFORMED);
                err_free(cut);
        }
        AUTO_BUF struct buf b = BUF_INIT;
        assert_err(pki_unseal(key, STR(""), &b), ERR_MALFORMED);
        assert_err(pki_unseal(key, STR("s1."), &b), ERR_MALFORMED);
        assert_err(pki_unseal(key, STR("s2.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &b), ERR_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_certificates),
                cmocka_unit_test(test_node_is_no_authority),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_seal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
