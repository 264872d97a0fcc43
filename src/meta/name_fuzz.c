/* Names: whatever parses must print to a text that parses to the same name. */
#include <stddef.h>
#include <stdint.h>

#include "meta/name.h"
#include "meta/placement.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str s = { (const char *)data, size }, prefix = s, object = STR_NONE;
        struct bck b, back;
        char text[192], ns[104], uuid[NS_UUID_MAX + 1], name[NS_NAME_MAX + 1];
        err_free(object_name_check(s));
        err_free(object_prefix_check(&prefix));
        ASSERT(prefix.n <= s.n);
        struct err *e = namespace_parse(s, uuid, name);
        if (!e) {
                struct bck n = { 0 };
                memcpy(n.ns_uuid, uuid, sizeof(uuid));
                memcpy(n.ns_name, name, sizeof(name));
                char again_uuid[NS_UUID_MAX + 1], again_name[NS_NAME_MAX + 1];
                ASSERT(!namespace_parse(str_of(bck_ns_text(&n, ns)), again_uuid, again_name));
                ASSERT(strcmp(uuid, again_uuid) == 0 && strcmp(name, again_name) == 0);
        }
        err_free(e);
        e = uname_parse(s, &b, &object);
        if (!e) {
                ASSERT(object.n <= OBJECT_NAME_MAX);
                (void)placement_object_digest(&b, object);
                ASSERT(!uname_parse(str_of(bck_uname(&b, text)), &back, NULL));
                ASSERT(bck_eq(&b, &back) && bck_cmp(&b, &back) == 0);
                bck_text(&b, text);
        }
        err_free(e);
        return 0;
}
