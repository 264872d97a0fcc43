/* cli/interrupt.c: Ctrl-C asks the command to end after what is in flight; a second one does not ask. */
#include <signal.h>
#include <stdatomic.h>

#include "cli/priv.h"

static atomic_bool interrupted;

static void on_signal(int sig)
{
        struct sigaction dfl = { .sa_handler = SIG_DFL };
        atomic_store(&interrupted, true);
        sigaction(sig, &dfl, NULL);
}

void cli__signals(void)
{
        struct sigaction sa = { .sa_handler = on_signal }; /* no restart: a wait for input ends */
        struct sigaction ign = { .sa_handler = SIG_IGN };
        sigaction(SIGINT, &sa, NULL);
        sigaction(SIGTERM, &sa, NULL);
        sigaction(SIGPIPE, &ign, NULL);
}

bool cli__interrupted(void)
{
        return atomic_load_explicit(&interrupted, memory_order_relaxed);
}
