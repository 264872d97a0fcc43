/* daemon/ending.h: the end of the process has an end: when what is to be waited for does not come back (a disk that hangs
 * in a call), the process says what it was and goes, with ENDING_EXIT. Main thread. */
#ifndef ORLOP_DAEMON_ENDING_H
#define ORLOP_DAEMON_ENDING_H

#include <stdint.h>

#define ENDING_EXIT 3 /* exit code of an end that was not waited for */

/* From now on the process lives for so long at most. Nothing that was acknowledged is lost by going: durable writes are
 * on stable storage, and of fast ones a crash of the process takes nothing. */
void ending_begin(int64_t most_ns);
/* What is being waited for next; static text. */
void ending_step(const char *what);
/* The end went well: nobody is watching any more. */
void ending_done(void);

#endif
