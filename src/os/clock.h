/* os/clock.h: time. Any thread; nothing blocks but clock_sleep. Replaceable for tests by clock_set_offset(). */
#ifndef ORLOP_OS_CLOCK_H
#define ORLOP_OS_CLOCK_H

#include <stdint.h>

#define NS_PER_US INT64_C(1000)
#define NS_PER_MS INT64_C(1000000)
#define NS_PER_SEC INT64_C(1000000000)

/* Wall clock, ns since 1970 UTC. May jump. */
int64_t clock_wall_ns(void);
/* Monotonic, ns since an arbitrary moment. Never goes back. */
int64_t clock_mono_ns(void);
/* Monotonic, a few ms old, without a system call: for idle times and deadlines of connections. */
int64_t clock_mono_coarse_ns(void);
/* Blocks for ns. */
void clock_sleep_ns(int64_t ns);
/* Shifts the wall clock of this process: tests of clock jumps. */
void clock_set_offset_ns(int64_t offset);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7); buf of 32 bytes; returns buf. */
const char *clock_http_date(int64_t wall_ns, char buf[static 32]);
/* RFC 3339 with nanoseconds, UTC, trailing zeros dropped as Go does ("0001-01-01T00:00:00Z" for 0); buf of 40;
 * returns buf. */
const char *clock_rfc3339(int64_t wall_ns, char buf[static 40]);

#endif
