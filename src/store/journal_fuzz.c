/* Any bytes as a file of the journal, and as a MANIFEST: judged, never a crash; offsets lie within. */
#include "store/journal.h"
#include "store/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str file = { (const char *)data, MIN(size, (size_t)1 << 20) };
        struct journal_facts f;
        struct str payload;
        uint64_t id = 0, number, n = 0;
        size_t at = 0;

        if (file.n >= 24)
                memcpy(&id, file.p + 16, 8); /* as the first record has it */
        journal_scan(file, id, 0, &f);
        ASSERT(f.end <= file.n + JOURNAL_BLOCK);
        while (journal_next(file, id, f.segment, &at, &number, &payload)) {
                ASSERT(payload.n <= file.n && payload.p >= file.p && payload.p + payload.n <= file.p + file.n);
                n++;
        }
        ASSERT(f.segment == 0 || n >= 1);
        (void)manifest_is_cut(file);
        return 0;
}
