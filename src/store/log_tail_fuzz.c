/* Any bytes as a log file: judged, never a crash; offsets lie within. */
#include "store/log_tail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct log_facts f;

        log_tail_read((struct str){ (const char *)data, MIN(size, (size_t)1 << 20) }, &f);
        (void)log_tail_is_cut((struct str){ (const char *)data, MIN(size, (size_t)1 << 20) });
        ASSERT(f.bad_at <= (int64_t)size);
        ASSERT((f.bad_at < 0) == (f.tail == LOG_TAIL_SOUND));
        return 0;
}
