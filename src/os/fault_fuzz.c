/* Any text as a fault specification: refused or taken, never a crash. Kill rules are parsed but never passed. */
#include "os/fault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        err_free(fault_set((struct str){ (const char *)data, MIN(size, (size_t)4096) }));
        err_free(fault_set(STR("")));
        return 0;
}
