/* Bucket properties: any partial update is refused without a trace, or gives properties that survive being written and
 * read. */
#include <stddef.h>
#include <stdint.h>

#include "meta/bucket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void round_trip(const struct bucket_props *p)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        struct json_w w;
        struct bucket bucket = { .bid = 1, .props = *p }, back;
        ASSERT(!bck_make(STR("b"), STR_NONE, STR_NONE, &bucket.bck));
        jw_init(&w, &b, false);
        bucket_props_json(&w, NULL, &bucket);
        ASSERT(!json_parse(buf_str(&b), SIZE_MAX, &j));
        ASSERT(!bucket_from_json(j, &bucket.bck, &back));
        ASSERT(back.props.mirror.copies == p->mirror.copies && back.props.fast == p->fast &&
               back.props.access == p->access);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_JSON json_t *j = NULL;
        struct err *e = json_parse((struct str){ (const char *)data, size }, 1 << 16, &j);
        if (e) {
                err_free(e);
                return 0;
        }
        struct config *c = config_new();
        ASSERT(c);
        struct bucket_props p, before;
        bucket_props_default(c, PROVIDER_AIS, &p);
        config_free(c);
        memcpy(&before, &p, sizeof(p));
        e = bucket_props_update(&p, j, 4, 3, NULL);
        if (e)
                ASSERT(memcmp(&before, &p, sizeof(p)) == 0);
        else
                round_trip(&p);
        err_free(e);
        return 0;
}
