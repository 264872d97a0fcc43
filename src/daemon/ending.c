/* daemon/ending.c: a thread that watches the end. It sleeps until the end went well, or until the time is up; then it
 * logs what was waited for and leaves by _exit: exit handlers might wait for the same thing. */
#define LOG_FOLDER "daemon"
#include "daemon/ending.h"

#include <stdatomic.h>
#include <unistd.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/thread.h"

static struct {
        struct mutex lock;
        struct cond changed;
        struct thread *thread;
        int64_t deadline_ns;
        bool done;                 /* guarded by lock */
        _Atomic(const char *) what;
} ending;

static void watch(void *arg)
{
        (void)arg;
        mutex_lock(&ending.lock);
        while (!ending.done && cond_wait_until(&ending.changed, &ending.lock, ending.deadline_ns))
                ;
        bool done = ending.done;
        mutex_unlock(&ending.lock);
        if (done)
                return;
        log_error("the end is not waited for any longer: %s did not come to an end (exit code %d)",
                  atomic_load(&ending.what), ENDING_EXIT);
        _exit(ENDING_EXIT);
}

void ending_begin(int64_t most_ns)
{
        mutex_init(&ending.lock, "daemon.ending", RANK_LEAF);
        cond_init(&ending.changed);
        ending.deadline_ns = clock_mono_ns() + most_ns;
        atomic_store(&ending.what, "the service");
        log_err(LOG_WARN, LOG_FOLDER, thread_start(&ending.thread, "ending", THREAD_OTHER, watch, NULL),
                "the end is not bounded");
}

void ending_step(const char *what)
{
        atomic_store(&ending.what, what);
}

void ending_done(void)
{
        mutex_lock(&ending.lock);
        ending.done = true;
        cond_broadcast(&ending.changed);
        mutex_unlock(&ending.lock);
        thread_join(ending.thread);
}
