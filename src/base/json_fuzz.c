/* Any text: what is taken must be written as JSON that reads back and is written the same way again. */
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_text(struct buf *b, const json_t *j, bool pretty)
{
        struct json_w w;
        jw_init(&w, b, pretty);
        jw_json(&w, NULL, j);
        ASSERT(!b->bad);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_JSON json_t *j = NULL, *again = NULL;
        AUTO_ERR struct err *e = json_parse((struct str){ (const char *)data, size }, 1 << 20, &j);
        if (e)
                return 0;
        AUTO_BUF struct buf first = BUF_INIT, second = BUF_INIT;
        write_text(&first, j, size & 1);
        AUTO_ERR struct err *f = json_parse(buf_str(&first), SIZE_MAX, &again);
        ASSERT(!f);
        write_text(&second, again, size & 1);
        ASSERT(str_eq(buf_str(&first), buf_str(&second)));
        return 0;
}
