/* The next step of parts and of whole jobs; and a small world in which targets restart, join and leave, and the leader's
 * memory is lost: whatever happens, a job comes to an end, and only when each target has done its part under the last
 * set of targets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "jobs/steps.h"

static enum job_part_step part(enum job_doc_state doc, enum job_part state, struct job_part_view v)
{
        v.doc = doc;
        v.part = state;
        return job__part_step(&v);
}

static void test_part(void **state)
{
        struct job_part_view v = { .takes_part = true, .part_epoch = 3, .epoch_now = 3 };
        struct job_part_view lost = v, moved = v, other = v, failed;

        (void)state;
        lost.lost = true;
        moved.epoch_now = 4;
        moved.change = JOB_CHANGE_AGAIN;
        failed = moved;
        failed.failed = true;
        other.takes_part = false;
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_NONE, v), JOB_PART_START);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_NONE, lost), JOB_PART_TELL_LOST);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_NONE, other), JOB_PART_WAIT);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_RUNS, v), JOB_PART_WAIT);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_ENDED, v), JOB_PART_TELL);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_ENDED, moved), JOB_PART_AGAIN);
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_ENDED, failed), JOB_PART_TELL);
        moved.change = JOB_CHANGE_NOTHING;
        assert_int_equal(part(JOB_DOC_RUNNING, JOB_PART_ENDED, moved), JOB_PART_TELL);
        assert_int_equal(part(JOB_DOC_STOPPING, JOB_PART_NONE, v), JOB_PART_TELL_LOST);
        assert_int_equal(part(JOB_DOC_STOPPING, JOB_PART_RUNS, v), JOB_PART_STOP);
        assert_int_equal(part(JOB_DOC_STOPPING, JOB_PART_ENDED, v), JOB_PART_TELL);
        assert_int_equal(part(JOB_DOC_ENDED, JOB_PART_NONE, v), JOB_PART_WAIT);
        assert_int_equal(part(JOB_DOC_ENDED, JOB_PART_RUNS, v), JOB_PART_STOP);
        assert_int_equal(part(JOB_DOC_ENDED, JOB_PART_ENDED, v), JOB_PART_WAIT);
}

static void test_whole(void **state)
{
        static const char *const targets[] = { "a", "b" };
        struct job_part_end ends[3] = { { .target = "a", .epoch = 3 },
                                        { .target = "b", .epoch = 3 },
                                        { .target = "gone", .epoch = 2 } };
        struct job_whole_view v = { .epoch_now = 3, .change = JOB_CHANGE_AGAIN, .targets = targets, .ntargets = 2,
                                    .ends = ends, .nends = 1 };
        const struct job_part_end *why;

        (void)state;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_WAIT);
        v.nends = 3;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_END);
        assert_null(why);
        v.epoch_now = 4; /* keys have moved: both work again */
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_WAIT);
        v.change = JOB_CHANGE_NOTHING;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_END);
        v.superseded = true;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_STOP);
        v.superseded = false;
        ends[1].failed = true;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_STOP);
        assert_ptr_equal(why, &ends[1]);
        v.doc = JOB_DOC_STOPPING;
        v.epoch_now = 9; /* does not matter to who stops */
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_END);
        v.nends = 1;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_WAIT);
        v.since_ns = JOB_STOP_PATIENCE_NS + 1;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_END);
        v.since_ns = 0;
        v.gone = true;
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_END);
        v = (struct job_whole_view){ .doc = JOB_DOC_RUNNING }; /* no target at all: nobody can have done it */
        assert_int_equal(job__whole_step(&v, &why), JOB_WHOLE_WAIT);
}

/* ---- a small world ---- */

#define TARGETS 4
struct world {
        enum job_doc_state doc;
        uint64_t epoch;
        bool member[TARGETS]; /* of the present map */
        enum job_part part[TARGETS];
        uint64_t part_epoch[TARGETS];
        uint64_t walked[TARGETS]; /* the truth: the last set of targets under which it finished a walk */
        struct job_part_end ends[TARGETS];
        unsigned nends;
        uint64_t seed;
};
static const char *const names[TARGETS] = { "a", "b", "c", "d" };

static unsigned roll(struct world *w, unsigned n)
{
        w->seed = w->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        return (unsigned)(w->seed >> 33) % n;
}

static void tell(struct world *w, unsigned t)
{
        unsigned i = 0;

        while (i < w->nends && strcmp(w->ends[i].target, names[t]) != 0)
                i++;
        w->nends = i == w->nends ? i + 1 : w->nends;
        w->ends[i] = (struct job_part_end){ .epoch = w->part_epoch[t] };
        str_copy(w->ends[i].target, sizeof(w->ends[i].target), str_of(names[t]));
}

static void step_target(struct world *w, unsigned t)
{
        struct job_part_view v = { .doc = w->doc, .change = JOB_CHANGE_AGAIN, .takes_part = true, .part = w->part[t],
                                   .part_epoch = w->part_epoch[t], .epoch_now = w->epoch };

        switch (job__part_step(&v)) {
        case JOB_PART_START:
        case JOB_PART_AGAIN:
                w->part[t] = JOB_PART_RUNS;
                w->part_epoch[t] = w->epoch;
                break;
        case JOB_PART_TELL:
                tell(w, t);
                break;
        case JOB_PART_STOP:
                w->part[t] = JOB_PART_ENDED;
                break;
        case JOB_PART_TELL_LOST:
        case JOB_PART_WAIT:
                break;
        }
}

static void step_leader(struct world *w)
{
        const char *present[TARGETS];
        struct job_whole_view v = { .doc = w->doc, .change = JOB_CHANGE_AGAIN, .epoch_now = w->epoch,
                                    .targets = present, .ends = w->ends, .nends = w->nends };
        const struct job_part_end *why;

        for (unsigned t = 0; t < TARGETS; t++)
                if (w->member[t])
                        present[v.ntargets++] = names[t];
        if (job__whole_step(&v, &why) != JOB_WHOLE_END)
                return;
        w->doc = JOB_DOC_ENDED;
        for (unsigned t = 0; t < TARGETS; t++)
                if (w->member[t] && w->walked[t] != w->epoch)
                        fail_msg("ended while target %s had not done its part under epoch %lu", names[t],
                                 (unsigned long)w->epoch);
}

/* A walk ends under the set of targets with which it began; one that noticed a change begins again by itself. */
static void work(struct world *w, unsigned t)
{
        if (w->part[t] != JOB_PART_RUNS)
                return;
        if (w->part_epoch[t] != w->epoch && roll(w, 2)) {
                w->part_epoch[t] = w->epoch;
                return;
        }
        w->part[t] = JOB_PART_ENDED;
        w->walked[t] = w->part_epoch[t];
}

static void disturb(struct world *w)
{
        unsigned t = roll(w, TARGETS);

        switch (roll(w, 4)) {
        case 0: /* restarts */
                w->part[t] = JOB_PART_NONE;
                w->part_epoch[t] = 0;
                break;
        case 1: /* joins, or leaves unless it is the last */
                if (!w->member[t] || w->member[(t + 1) % TARGETS]) {
                        w->member[t] = !w->member[t];
                        w->epoch++;
                }
                break;
        case 2: /* a new leader */
                w->nends = 0;
                break;
        default:
                break;
        }
}

static void test_world(void **state)
{
        (void)state;
        for (uint64_t seed = 1; seed <= 3000; seed++) {
                struct world w = { .doc = JOB_DOC_RUNNING, .epoch = 1, .seed = seed };
                unsigned steps = 0;

                w.member[0] = w.member[1] = true;
                while (w.doc != JOB_DOC_ENDED) {
                        if (++steps > 2000)
                                fail_msg("seed %lu: the job does not end", (unsigned long)seed);
                        if (steps < 60 && roll(&w, 4) == 0)
                                disturb(&w);
                        for (unsigned t = 0; t < TARGETS; t++) {
                                if (!w.member[t])
                                        continue;
                                if (roll(&w, 2))
                                        step_target(&w, t);
                                if (roll(&w, 3) == 0)
                                        work(&w, t);
                        }
                        step_leader(&w);
                }
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_part),
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_world),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
