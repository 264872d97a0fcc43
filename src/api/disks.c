/* api/disks.c: rates of the disks below the mountpaths, from two readings of the kernel's counters.
 *
 * The front keeps the last reading of each disk and the rates that it gave; a reading less than a second later repeats
 * those rates. The first question about a disk answers zero. The short critical section is a spin lock: counters are
 * read outside it. A disk without counters (a container, tmpfs) is shown with zero rates. */
#include "api/views.h"

#include "os/clock.h"

#define SAMPLE_MIN_NS NS_PER_SEC

static void lock(struct api_disks *d)
{
        while (atomic_flag_test_and_set_explicit(&d->busy, memory_order_acquire))
                ;
}

static void unlock(struct api_disks *d)
{
        atomic_flag_clear_explicit(&d->busy, memory_order_release);
}

static int64_t per_second(uint64_t now, uint64_t before, int64_t ns)
{
        return now < before ? 0 : (int64_t)((double)(now - before) * 1e9 / (double)ns);
}

static int64_t average(uint64_t bytes, uint64_t bytes_before, uint64_t n, uint64_t n_before)
{
        return n <= n_before || bytes < bytes_before ? 0 : (int64_t)((bytes - bytes_before) / (n - n_before));
}

static void update(struct api_disk *d, const struct disk_stats *s, int64_t now)
{
        int64_t ns = now - d->at_ns;

        if (d->at_ns != 0 && ns < SAMPLE_MIN_NS)
                return;
        if (d->at_ns != 0) {
                d->rbps = per_second(s->read_bytes, d->last.read_bytes, ns);
                d->wbps = per_second(s->written_bytes, d->last.written_bytes, ns);
                d->ravg = average(s->read_bytes, d->last.read_bytes, s->reads, d->last.reads);
                d->wavg = average(s->written_bytes, d->last.written_bytes, s->writes, d->last.writes);
                d->util = MIN(per_second(s->io_ms, d->last.io_ms, ns) / 10, 100);
        }
        d->last = *s;
        d->at_ns = now;
}

/* The slot of a disk, made if there is room; null if not. */
static struct api_disk *slot(struct api_disks *d, const char *name)
{
        for (unsigned i = 0; i < API_DISKS_MAX; i++) {
                if (d->disk[i].name[0] == '\0')
                        str_copy(d->disk[i].name, sizeof(d->disk[i].name), str_of(name));
                if (strcmp(d->disk[i].name, name) == 0)
                        return &d->disk[i];
        }
        return NULL;
}

static bool listed(const struct view_disk *list, unsigned n, const char *name)
{
        for (unsigned i = 0; i < n; i++)
                if (strcmp(list[i].name, name) == 0)
                        return true;
        return false;
}

unsigned api__disks(struct api_req *r, const struct mountpath_info *mps, unsigned nmps,
                    struct view_disk ret[static API_DISKS_MAX])
{
        unsigned n = 0;

        for (unsigned i = 0; i < nmps && n < API_DISKS_MAX; i++) {
                const char *name = mps[i].fs.disk;
                struct disk_stats s;
                struct api_disk copy = { .name = "" }, *d;

                if (name[0] == '\0' || listed(ret, n, name))
                        continue;
                struct err *e = disk_stats(name, &s);
                if (e == NULL) {
                        lock(&r->api->disks);
                        d = slot(&r->api->disks, name);
                        if (d) {
                                update(d, &s, clock_mono_ns());
                                copy = *d;
                        }
                        unlock(&r->api->disks);
                }
                err_free(e);
                ret[n] = (struct view_disk){
                        .rbps = copy.rbps, .ravg = copy.ravg, .wbps = copy.wbps, .wavg = copy.wavg, .util = copy.util
                };
                str_copy(ret[n++].name, sizeof(ret[0].name), str_of(name));
        }
        return n;
}
