/* tests/cluster/clockshim.c: a preloaded library that shifts the wall clock of one process, while it runs.
 *
 * CLOCKSHIM names a file of eight bytes: the shift in ns, little-endian, read at each look at the clock. Other clocks are left alone. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t *shift;
static int (*real_gettime)(clockid_t, struct timespec *);

__attribute__((constructor)) static void setup(void)
{
        const char *path = getenv("CLOCKSHIM");
        int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*shift), PROT_READ, MAP_SHARED, fd, 0);

        real_gettime = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
        if (p != MAP_FAILED)
                shift = p;
        if (fd >= 0)
                close(fd);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
        if (!real_gettime)
                setup();
        int r = real_gettime(id, ts);
        if (r == 0 && shift && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
                int64_t ns = (int64_t)ts->tv_sec * 1000000000 + ts->tv_nsec + *shift;
                ts->tv_sec = (time_t)(ns / 1000000000);
                ts->tv_nsec = (long)(ns % 1000000000);
        }
        return r;
}

time_t time(time_t *t)
{
        struct timespec ts = { 0, 0 };
        clock_gettime(CLOCK_REALTIME, &ts);
        if (t)
                *t = ts.tv_sec;
        return ts.tv_sec;
}

int gettimeofday(struct timeval *tv, void *zone)
{
        struct timespec ts = { 0, 0 };
        (void)zone;
        clock_gettime(CLOCK_REALTIME, &ts);
        tv->tv_sec = ts.tv_sec;
        tv->tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
        return 0;
}
