/* Sealed texts and certificates from elsewhere: never trusted, never fatal. */
#include "base/buf.h"
#include "os/pki.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const unsigned char key[PKI_SEAL_KEY] = { 1 };
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_BUF struct buf text = BUF_INIT;
        struct str in = { (const char *)data, size };
        struct pki_facts f;
        AUTO_ERR struct err *seal = pki_unseal(key, in, &b);

        ASSERT(!seal || b.n == 0); /* what is not sound gives nothing out */
        buf_adds(&text, in);
        const char *pem = buf_cstr(&text);
        if (!pem)
                return 0;
        AUTO_ERR struct err *facts = pki_cert_facts(pem, &f);
        if (!facts)
                ASSERT(memchr(f.id, 0, sizeof(f.id)) && memchr(f.org, 0, sizeof(f.org)));
        return 0;
}
