/* Templates: whatever parses can name its first and last object. */
#include <stddef.h>
#include <stdint.h>

#include "meta/selection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str text = { (const char *)data, size };
        struct selection s;
        struct err *e = selection_parse(text, &s);
        if (e) {
                ASSERT(err_code(e) == ERR_INVALID);
                err_free(e);
                return 0;
        }
        if (s.kind != SELECT_TEMPLATE)
                return 0;
        ASSERT(s.count >= 1 && s.count <= 10000000);
        AUTO_BUF struct buf b = BUF_INIT;
        selection_name(&s, 0, &b);
        selection_name(&s, s.count - 1, &b);
        err_free(buf_err(&b));
        return 0;
}
