/* Faults on purpose: a short list of rules, looked through at each call while any is set.
 *
 * A set of rules is immutable once published, its counters aside, which are atomic; fault_set replaces it whole and
 * frees the old one when no thread is inside. A call that "kill-after" has chosen is remembered per thread between
 * fault_before and fault_after, since calls of several threads interleave. */
#include "os/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

_Atomic bool fault_on;

#ifdef ORLOP_FAULTS

enum { RULES_MAX = 32, CLASS_MAX = 64 };

enum action { ACT_ERRNO, ACT_SHORT, ACT_KILL, ACT_KILL_AFTER, ACT_HANG };

struct rule {
        char cls[CLASS_MAX]; /* class of calls, or name of a point */
        bool any, point, onwards;
        uint64_t nth;
        enum action action;
        int sys;
        _Atomic uint64_t seen;
};

struct rules {
        unsigned n;
        struct rule r[RULES_MAX];
};

static _Atomic(struct rules *) current;
static _Atomic unsigned inside; /* threads that may hold `current` */
static _Atomic uint64_t mutating_calls;
static bool counting;
static _Thread_local bool kill_after;

static const struct {
        const char *name;
        int sys;
} errnos[] = {
        { "EIO", EIO },       { "ENOSPC", ENOSPC }, { "EDQUOT", EDQUOT }, { "ENOMEM", ENOMEM }, { "EACCES", EACCES },
        { "EROFS", EROFS },   { "ENOENT", ENOENT }, { "EMFILE", EMFILE }, { "EEXIST", EEXIST }, { "EINTR", EINTR },
        { "EAGAIN", EAGAIN }, { "EPERM", EPERM },   { "EFBIG", EFBIG },   { "ENODEV", ENODEV },
};

static NORETURN void die(void)
{
        (void)kill(getpid(), SIGKILL);
        _exit(137);
}

/* A disk that does not answer any more. */
static NORETURN void hang(void)
{
        for (;;)
                (void)pause();
}

static bool parse_action(struct str s, struct rule *r)
{
        r->action = ACT_ERRNO;
        if (str_eq(s, STR("kill")))
                r->action = ACT_KILL;
        else if (str_eq(s, STR("kill-after")))
                r->action = ACT_KILL_AFTER;
        else if (str_eq(s, STR("hang")))
                r->action = ACT_HANG;
        else if (str_eq(s, STR("short")))
                r->action = ACT_SHORT;
        else {
                for (unsigned i = 0; i < ARRAY_LEN(errnos); i++)
                        if (str_eq(s, str_of(errnos[i].name)))
                                r->sys = errnos[i].sys;
                return r->sys != 0;
        }
        return !(r->point && r->action != ACT_ERRNO && r->action != ACT_KILL);
}

/* class:n[+]:action, with "point:" before the class for a named point. */
static struct err *parse_rule(struct str text, struct rule *r)
{
        struct str rest = text, cls = str_cut(&rest, ':'), nth;

        if (str_eq(cls, STR("point"))) {
                r->point = true;
                cls = str_cut(&rest, ':');
        }
        nth = str_cut(&rest, ':');
        if (nth.n > 0 && nth.p[nth.n - 1] == '+') {
                r->onwards = true;
                nth.n--;
        }
        r->any = !r->point && str_eq(cls, STR("any"));
        if (cls.n == 0 || !str_copy(r->cls, sizeof(r->cls), cls) || !str_u64(nth, &r->nth) || r->nth == 0 ||
            !parse_action(rest, r))
                return err_new(ERR_INVALID, "fault specification \"" STR_FMT "\"", STR_ARG(text));
        return NULL;
}

static struct err *parse_rules(struct str spec, struct rules *rules)
{
        while (spec.n > 0) {
                struct str one = str_trim(str_cut(&spec, ';'));

                if (one.n == 0)
                        continue;
                if (rules->n == RULES_MAX)
                        return err_new(ERR_INVALID, "more than %d faults", RULES_MAX);
                TRY(parse_rule(one, &rules->r[rules->n]));
                rules->n++;
        }
        return NULL;
}

static struct rules *enter(void)
{
        atomic_fetch_add(&inside, 1);
        return atomic_load(&current);
}

static void leave(void)
{
        atomic_fetch_sub(&inside, 1);
}

struct err *fault_set(struct str spec)
{
        AUTO_FREE struct rules *rules = calloc(1, sizeof(*rules));
        struct rules *old;
        bool any;

        if (!rules)
                return err_static(ERR_NO_MEMORY);
        TRY(parse_rules(spec, rules));
        any = rules->n > 0;
        old = atomic_exchange(&current, any ? rules : NULL);
        if (any)
                rules = NULL; /* published */
        atomic_store(&mutating_calls, 0);
        fault_on = any || counting;
        while (atomic_load(&inside) > 0)
                (void)sched_yield();
        free(old);
        return NULL;
}

/* Counts a passage of this rule; true when it is the one. */
static bool due(struct rule *r)
{
        uint64_t seen = atomic_fetch_add(&r->seen, 1) + 1;

        return r->onwards ? seen >= r->nth : seen == r->nth;
}

int fault_before(const char *cls, bool mutating, size_t *n)
{
        struct rules *rules = enter();
        uint64_t count = 0;
        bool hangs = false;
        int sys = 0;

        kill_after = false;
        if (mutating)
                count = atomic_fetch_add(&mutating_calls, 1) + 1;
        for (unsigned i = 0; rules && i < rules->n; i++) {
                struct rule *r = &rules->r[i];
                bool hit;

                if (r->point)
                        continue;
                if (r->any)
                        hit = mutating && (r->onwards ? count >= r->nth : count == r->nth);
                else
                        hit = strcmp(r->cls, cls) == 0 && due(r);
                if (!hit)
                        continue;
                if (r->action == ACT_KILL)
                        die();
                if (r->action == ACT_KILL_AFTER)
                        kill_after = true;
                hangs = hangs || r->action == ACT_HANG;
                if (r->action == ACT_SHORT && n && *n > 1)
                        *n /= 2;
                if (r->action == ACT_ERRNO && sys == 0)
                        sys = r->sys;
        }
        leave();
        if (hangs)
                hang();
        return sys;
}

void fault_after(const char *cls)
{
        (void)cls;
        if (kill_after)
                die();
}

struct err *fault_point(const char *name)
{
        struct rules *rules = enter();
        int sys = 0;

        for (unsigned i = 0; rules && i < rules->n; i++) {
                struct rule *r = &rules->r[i];

                if (!r->point || strcmp(r->cls, name) != 0 || !due(r))
                        continue;
                if (r->action == ACT_KILL)
                        die();
                sys = r->sys;
                break;
        }
        leave();
        return sys ? err_sys(sys, "fault point %s", name) : NULL;
}

static void write_count(void)
{
        const char *path = getenv("ORLOP_FAULT_COUNT");
        char text[32];
        int fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644) : -1;
        int n = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)atomic_load(&mutating_calls));

        if (fd < 0 || write(fd, text, (size_t)n) != n)
                (void)fputs("ORLOP_FAULT_COUNT: can not write\n", stderr);
        if (fd >= 0)
                (void)close(fd);
}

__attribute__((constructor)) static void read_environment(void)
{
        const char *spec = getenv("ORLOP_FAULT");
        struct err *e;
        char text[256];

        if (getenv("ORLOP_FAULT_COUNT") && atexit(write_count) == 0)
                fault_on = counting = true;
        if (!spec)
                return;
        e = fault_set(str_of(spec));
        if (e) {
                (void)fprintf(stderr, "ORLOP_FAULT: %s\n", err_text(e, text, sizeof(text)));
                err_free(e);
                _exit(2); /* a test that runs without its fault would pass for nothing */
        }
}

#else

struct err *fault_set(struct str spec)
{
        return spec.n ? err_new(ERR_UNSUPPORTED, "built without fault injection") : NULL;
}

int fault_before(const char *cls, bool mutating, size_t *n)
{
        (void)cls;
        (void)mutating;
        (void)n;
        return 0;
}

void fault_after(const char *cls)
{
        (void)cls;
}

struct err *fault_point(const char *name)
{
        (void)name;
        return NULL;
}

#endif
