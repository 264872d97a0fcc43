/* The configuration: "path=value" in the first line, a partial document in the rest. Whatever is accepted must survive
 * being written and read. */
#include <stddef.h>
#include <stdint.h>

#include "meta/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct config *c)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        struct json_w w;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        config_json_private(&w, c);
        jw_object_end(&w);
        ASSERT(!json_parse(buf_str(&b), SIZE_MAX, &j));
        struct config *back = config_new();
        ASSERT(back && !config_load_private(back, j));
        config_free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str rest = { (const char *)data, size };
        struct str line = str_cut(&rest, '\n');
        struct str path = str_cut(&line, '=');
        struct config *c = config_new();
        ASSERT(c);
        err_free(config_set(c, path, line, CONFIG_SCOPE_CLUSTER, NULL));
        AUTO_JSON json_t *j = NULL;
        struct err *e = json_parse(rest, 1 << 16, &j);
        if (!e)
                e = config_apply(c, j, CONFIG_SCOPE_CLUSTER, NULL);
        err_free(e);
        err_free(config_check(c));
        round_trip(c);
        config_free(c);
        return 0;
}
