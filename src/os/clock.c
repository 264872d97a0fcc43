/* Time. Dates are computed here rather than by gmtime_r, which takes a process-wide lock in glibc; the civil
 * calendar arithmetic is the usual one of 400-year eras that begin in March. Nothing here can fail. */
#include "os/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/macros.h"

static _Atomic int64_t wall_offset_ns;

static int64_t read_clock(clockid_t id)
{
        struct timespec ts;
        int r = clock_gettime(id, &ts);

        ASSERT(r == 0);
        return (int64_t)ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

int64_t clock_wall_ns(void)
{
        return read_clock(CLOCK_REALTIME) + atomic_load_explicit(&wall_offset_ns, memory_order_relaxed);
}

int64_t clock_mono_ns(void)
{
        return read_clock(CLOCK_MONOTONIC);
}

int64_t clock_mono_coarse_ns(void)
{
        return read_clock(CLOCK_MONOTONIC_COARSE);
}

void clock_sleep_ns(int64_t ns)
{
        struct timespec ts = { .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };

        if (ns <= 0)
                return;
        while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
                ;
}

void clock_set_offset_ns(int64_t offset)
{
        atomic_store_explicit(&wall_offset_ns, offset, memory_order_relaxed);
}

struct civil {
        int64_t year;
        unsigned month, day, hour, minute, second, weekday; /* month 1.., weekday 0 = Sunday */
        unsigned ns;
};

static struct civil civil_of(int64_t wall_ns)
{
        int64_t sec = wall_ns / NS_PER_SEC, ns = wall_ns % NS_PER_SEC, days, era;
        unsigned rest, doe, yoe, doy, mp;
        struct civil c;

        if (ns < 0) {
                ns += NS_PER_SEC;
                sec--;
        }
        days = sec / 86400;
        if (sec % 86400 < 0)
                days--;
        rest = (unsigned)(sec - days * 86400);
        c.weekday = (unsigned)(((days % 7) + 7 + 4) % 7); /* 1970-01-01 was a Thursday */
        days += 719468;                                   /* days from 0000-03-01 */
        era = (days >= 0 ? days : days - 146096) / 146097;
        doe = (unsigned)(days - era * 146097);
        yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
        mp = (5 * doy + 2) / 153;
        c.day = doy - (153 * mp + 2) / 5 + 1;
        c.month = mp < 10 ? mp + 3 : mp - 9;
        c.year = (int64_t)yoe + era * 400 + (c.month <= 2);
        c.hour = rest / 3600;
        c.minute = rest / 60 % 60;
        c.second = rest % 60;
        c.ns = (unsigned)ns;
        return c;
}

const char *clock_http_date(int64_t wall_ns, char buf[static 32])
{
        static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
        static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
        struct civil c = civil_of(wall_ns);

        (void)snprintf(buf, 32, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[c.weekday], c.day, months[c.month - 1],
                       (unsigned)(c.year % 10000), c.hour, c.minute, c.second);
        return buf;
}

const char *clock_rfc3339(int64_t wall_ns, char buf[static 40])
{
        struct civil c = civil_of(wall_ns);
        int n;

        if (wall_ns == 0) {
                (void)snprintf(buf, 40, "0001-01-01T00:00:00Z");
                return buf;
        }
        n = snprintf(buf, 40, "%04u-%02u-%02uT%02u:%02u:%02u", (unsigned)(c.year % 10000), c.month, c.day, c.hour,
                     c.minute, c.second);
        if (c.ns) {
                n += snprintf(buf + n, (size_t)(40 - n), ".%09u", c.ns);
                while (buf[n - 1] == '0')
                        n--;
        }
        buf[n] = 'Z';
        buf[n + 1] = 0;
        return buf;
}
