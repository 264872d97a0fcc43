/* Any text as a URI: what is taken must read back the same from its own text. */
#include <string.h>

#include "base/str.h"
#include "client/orlop.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_FREE char *uri = str_dup((struct str){ (const char *)data, size });
        struct orlop_bucket a, b;
        char object[ORLOP_OBJECT_MAX + 1], again[ORLOP_OBJECT_MAX + 1], text[ORLOP_OBJECT_MAX + 256];
        if (!uri || orlop_uri_parse(uri, &a, object, NULL) || !a.name[0])
                return 0;
        ASSERT(orlop_uri_parse(orlop_uri_text(&a, object, text, sizeof(text)), &b, again, NULL) == ORLOP_OK);
        ASSERT(memcmp(&a, &b, sizeof(a)) == 0 && strcmp(object, again) == 0);
        return 0;
}
