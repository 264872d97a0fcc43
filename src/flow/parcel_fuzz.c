/* Streams of parcels from other nodes: whatever comes, it is refused or read; what is read is written the same. */
#include "flow/parcel.h"

struct input {
        const uint8_t *p;
        size_t n;
};

static struct err *read_some(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct input *in = arg;
        n = MIN(n, in->n);
        n = MIN(n, (size_t)97); /* in pieces that end anywhere */
        memcpy(p, in->p, n);
        in->p += n;
        in->n -= n;
        *ret_n = n;
        return NULL;
}

static void check_again(const struct parcel *p)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct parcel again;
        parcel_encode(p, &b);
        ASSERT(!b.bad);
        ASSERT(parcel_decode(str_skip(buf_str(&b), 4), &again) == NULL);
        ASSERT(again.bid == p->bid && str_eq(again.name, p->name) && again.meta.size == p->meta.size &&
               again.meta.stamp.hlc == p->meta.stamp.hlc && str_eq(again.meta.custom, p->meta.custom) &&
               again.absent == p->absent && again.meta.tombstone == p->meta.tombstone);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct input in = { data, size };
        struct parcel_stream s = { .read = read_some, .arg = &in };
        struct parcel p;
        struct parcel_result result;
        bool end = false;
        char piece[256];
        size_t n = 1;
        while (!end) {
                struct err *e = parcel_next(&s, &end, &p);
                if (e == NULL && !end) {
                        check_again(&p);
                        e = parcel_read(&s, piece, sizeof(piece), &n); /* some of it; the rest is skipped */
                }
                err_free(e);
                if (e != NULL)
                        break;
        }
        parcel_stream_fini(&s);
        err_free(parcel_result_decode((struct str){ (const char *)data, size }, size > 0 ? data[0] % 4 : 0, &result));
        return 0;
}
