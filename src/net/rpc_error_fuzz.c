/* What a peer says when it fails: whatever comes is an error with a code, and one of ours survives the way. */
#include "net/rpc_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str in = { (const char *)data, size };
        AUTO_JSON json_t *whole = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ERR struct err *e = rpc__error_read(in, 500, "peer", &whole);

        ASSERT(e && err_code(e) != ERR_NONE);
        rpc__error_write(err_code(e), e->msg, whole, &b);
        AUTO_ERR struct err *again = rpc__error_read(buf_str(&b), 500, "peer", NULL);
        ASSERT(b.bad || b.n > RPC_ERROR_MAX || err_code(again) == err_code(e));
        return 0;
}
