/* What other nodes and the cluster's state say of jobs: any bytes are read or refused; what was read is written so that
 * it is read again. */
#include "jobs/peers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        struct str text = { (const char *)data, n };
        struct job_plan *p, *again;
        struct job_doc d;
        AUTO_BUF struct buf b = BUF_INIT;
        struct err *e = job__message_read(text, &p);

        if (!e) {
                job__message_write(&b, p, NULL, NULL);
                if (job__names_count(p->names) > 0 || !p->names) {
                        e = job__message_read(buf_str(&b), &again);
                        ASSERT(e == NULL);
                        ASSERT(job__names_count(p->names) == job__names_count(again->names));
                        job__plan_free(again);
                }
                job__plan_free(p);
        }
        err_free(e);
        e = job__doc_read(text, &d);
        if (!e) {
                buf_clear(&b);
                e = job__doc_write(&d, &b);
                ASSERT(e == NULL);
                job__doc_fini(&d);
                e = job__doc_read(buf_str(&b), &d);
                ASSERT(e == NULL);
                job__doc_fini(&d);
        }
        err_free(e);
        return 0;
}
