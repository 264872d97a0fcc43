/* Plans, messages and documents of jobs: what is written is what is read; what is wrong is refused; who does which
 * name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "jobs/peers.h"
#include "meta/placement.h"

static void ok(struct err *e)
{
        char text[512];

        if (e)
                fail_msg("%s", err_text(e, text, sizeof(text)));
}

static struct bck bck_named(const char *name)
{
        struct bck b = { .provider = PROVIDER_AIS };

        str_copy(b.name, sizeof(b.name), str_of(name));
        return b;
}

/* A copy of three listed names with every wish set. */
static struct job_plan *full_plan(void)
{
        static const struct job_extension ext[] = { { STR("jpg"), STR("png") }, { STR("tar"), STR("tgz") } };
        const struct str names[] = { STR("a"), STR("b/\xc3\xa4"), STR("c") };
        struct job_plan *p;

        ok(job__plan_new("copy-listrange", &p));
        str_copy(p->id, sizeof(p->id), STR("tco-abcdefgh12"));
        p->src = p->bck = bck_named("from");
        p->dst = bck_named("to");
        p->bid = UINT64_MAX - 3;
        p->to_bid = 12;
        p->start_ns = 1795416078134920126;
        p->epoch = 7;
        str_copy(p->ctlmsg, sizeof(p->ctlmsg), STR("cp \"x\""));
        p->copy = (struct job_copy_options){ STR("pre/"), ext, 2, true, false, { -1, true } };
        p->under = STR("under/");
        p->promote.source = STR("/s");
        ok(job_names_new(names, 3, STR(""), &p->names));
        return p;
}

static void check_same(const struct job_plan *a, const struct job_plan *b)
{
        assert_string_equal(a->id, b->id);
        assert_ptr_equal(a->kind, b->kind);
        assert_true(bck_eq(&a->bck, &b->bck) && bck_eq(&a->src, &b->src) && bck_eq(&a->dst, &b->dst));
        assert_true(a->bid == b->bid && a->to_bid == b->to_bid && a->epoch == b->epoch && a->start_ns == b->start_ns);
        assert_string_equal(a->ctlmsg, b->ctlmsg);
        assert_string_equal(a->node, b->node);
        assert_true(str_eq(a->copy.prepend, b->copy.prepend) && str_eq(a->under, b->under) &&
                    str_eq(a->promote.source, b->promote.source));
        assert_int_equal(a->copy.nextensions, b->copy.nextensions);
        for (unsigned i = 0; i < a->copy.nextensions; i++)
                assert_true(str_eq(a->copy.extensions[i].from, b->copy.extensions[i].from) &&
                            str_eq(a->copy.extensions[i].to, b->copy.extensions[i].to));
        assert_true(a->copy.dry_run == b->copy.dry_run && a->copy.synchronize == b->copy.synchronize);
        assert_int_equal(a->copy.limits.workers, b->copy.limits.workers);
        assert_true(a->copy.limits.continue_on_error == b->copy.limits.continue_on_error);
        assert_int_equal(job__names_count(a->names), job__names_count(b->names));
        for (size_t i = 0; i < job__names_count(a->names); i++)
                assert_true(str_eq(job__names_at(a->names, i), job__names_at(b->names, i)));
}

static void test_message(void **state)
{
        struct job_plan *p = full_plan(), *q;
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        job__message_write(&b, p, NULL, NULL);
        ok(buf_err(&b));
        ok(job__message_read(buf_str(&b), &q));
        check_same(p, q);
        assert_false(q->lost);
        job__plan_free(q);
        job__plan_free(p);
}

static bool not_a(void *arg, struct str name)
{
        (void)arg;
        return !str_eq(name, STR("a"));
}

static bool nothing(void *arg, struct str name)
{
        (void)arg;
        (void)name;
        return false;
}

/* A target that owns none of the names must not take the list for "all objects". */
static void test_message_spread(void **state)
{
        struct job_plan *p = full_plan(), *q;
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        job__message_write(&b, p, not_a, NULL);
        ok(job__message_read(buf_str(&b), &q));
        assert_int_equal(job__names_count(q->names), 2);
        assert_true(str_eq(job__names_at(q->names, 1), STR("c")));
        job__plan_free(q);
        buf_clear(&b);
        job__message_write(&b, p, nothing, NULL);
        ok(job__message_read(buf_str(&b), &q));
        assert_non_null(q->names);
        assert_int_equal(job__names_count(q->names), 0);
        assert_false(q->lost);
        job__plan_free(q);
        job__plan_free(p);
}

static void test_selections(void **state)
{
        struct job_plan *p, *q;
        AUTO_BUF struct buf b = BUF_INIT;
        char text[128];

        (void)state;
        for (unsigned i = 0; i < 3; i++) {
                ok(job__plan_new("delete-listrange", &p));
                str_copy(p->id, sizeof(p->id), STR("abcdefgh12"));
                if (i == 1)
                        ok(job_names_new(NULL, 0, STR("x-{1..3}"), &p->names));
                if (i == 2) /* taken as it is, not as a template */
                        ok(job_names_prefix(STR("x-{1..3}"), &p->names));
                buf_clear(&b);
                job__message_write(&b, p, NULL, NULL);
                ok(job__message_read(buf_str(&b), &q));
                assert_string_equal(job_names_text(q->names, text),
                                    i == 0 ? "all objects" : i == 1 ? "template: x-{1..3}" : "prefix: x-{1..3}");
                job__plan_free(p);
                job__plan_free(q);
        }
}

static void test_document(void **state)
{
        struct job_doc d = { .state = JOB_DOC_RUNNING, .plan = full_plan(), .changed_ns = 5 }, got;
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_snap s;

        (void)state;
        ok(job__doc_write(&d, &b));
        assert_false(job__doc_has_ended(buf_str(&b)));
        ok(job__doc_read(buf_str(&b), &got));
        assert_int_equal(got.state, JOB_DOC_RUNNING);
        check_same(d.plan, got.plan);
        job__doc_snap(&got, &s);
        assert_true(s.end_ns == 0 && !s.aborted && !s.idle);
        job__doc_fini(&got);

        d.state = JOB_DOC_ENDED;
        d.changed_ns = d.plan->start_ns + 1000;
        str_copy(d.abort_err, sizeof(d.abort_err), STR("user abort"));
        buf_clear(&b);
        ok(job__doc_write(&d, &b));
        assert_true(job__doc_has_ended(buf_str(&b)));
        ok(job__doc_read(buf_str(&b), &got));
        assert_true(got.plan->lost); /* what has ended keeps no names */
        job__doc_snap(&got, &s);
        assert_true(s.aborted && s.end_ns == d.changed_ns);
        assert_string_equal(s.id, "tco-abcdefgh12");
        job__doc_fini(&got);
        job__doc_fini(&d);
}

/* A list that is too long for the state: the document knows how many names there were. */
static void test_large_list(void **state)
{
        struct job_doc d = { .state = JOB_DOC_RUNNING }, got;
        unsigned n = 10000;
        struct str *names = calloc(n, sizeof(*names));
        char *text = malloc(n * 40);
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        assert_true(names && text);
        for (unsigned i = 0; i < n; i++) {
                snprintf(text + i * 40, 40, "some/longer/name/of/an/object-%06u", i);
                names[i] = str_of(text + i * 40);
        }
        ok(job__plan_new("delete-listrange", &d.plan));
        str_copy(d.plan->id, sizeof(d.plan->id), STR("abcdefgh12"));
        ok(job_names_new(names, n, STR(""), &d.plan->names));
        assert_true(job__names_bytes(d.plan->names) > JOB_NAMES_IN_DOCUMENT);
        ok(job__doc_write(&d, &b));
        assert_true(b.n < 1000);
        ok(job__doc_read(buf_str(&b), &got));
        assert_true(got.plan->lost && !got.plan->names);
        job__doc_fini(&got);
        job__doc_fini(&d);
        free(names);
        free(text);
}

static void test_refusals(void **state)
{
        static const struct {
                struct str text;
                enum err_code code;
        } rows[] = {
                { STR(""), ERR_MALFORMED },
                { STR("[]"), ERR_MALFORMED },
                { STR("{}"), ERR_INVALID },
                { STR("{\"kind\":\"nothing\",\"id\":\"abcdefgh12\"}"), ERR_INVALID },
                { STR("{\"kind\":\"lru\",\"id\":\"../x\"}"), ERR_INVALID },
                { STR("{\"kind\":\"lru\",\"id\":\"abcdefgh12\",\"bck\":\"ais/@#/b/object\"}"), ERR_INVALID },
                { STR("{\"kind\":\"lru\",\"id\":\"abcdefgh12\",\"names\":[1]}"), ERR_MALFORMED },
                { STR("{\"kind\":\"lru\",\"id\":\"abcdefgh12\",\"names\":[\"../x\"]}"), ERR_INVALID_NAME },
                { STR("{\"kind\":\"lru\",\"id\":\"abcdefgh12\",\"template\":\"a-{5..1}\"}"), ERR_INVALID },
                { STR("{\"kind\":\"lru\",\"id\":\"abcdefgh12\",\"count\":\"1\"}\0no end"), ERR_MALFORMED },
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct job_plan *p;
                struct err *e = job__message_read(rows[i].text, &p);

                if (err_code(e) != rows[i].code)
                        fail_msg("row %zu: %s", i, e ? e->msg : "accepted");
                err_free(e);
        }
}

static void test_not_utf8(void **state)
{
        struct job_plan *p;
        struct err *e;

        (void)state;
        ok(job__plan_new("summary-bck", &p));
        ok(job__plan_check(p));
        p->under = STR("a\xff");
        e = job__plan_check(p);
        assert_int_equal(err_code(e), ERR_UNSUPPORTED);
        err_free(e);
        job__plan_free(p);
}

static void test_snapshot(void **state)
{
        struct job_snap s = { .id = "abcdefgh12", .kind = job_kind_find(STR("lru")), .start_ns = 5, .end_ns = 9,
                              .objects = 1,
                              .bytes = 2, .out_objects = 3, .out_bytes = 4, .in_objects = 5, .in_bytes = 6, .epoch = 7,
                              .aborted = true, .idle = true, .abort_err = "why", .err = "what", .ctlmsg = "\"text\"" },
                        got;
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_JSON json_t *doc = NULL;
        struct json_w w;

        (void)state;
        s.src = bck_named("from");
        jw_init(&w, &b, false);
        jobs__snap_write(&w, &s);
        ok(buf_err(&b));
        ok(json_parse(buf_str(&b), 0x10000, &doc));
        memset(&got, 0, sizeof(got));
        ok(jobs__snap_read(doc, &got));
        assert_string_equal(got.id, s.id);
        assert_true(got.kind == s.kind && got.start_ns == 5 && got.end_ns == 9 && got.objects == 1 && got.bytes == 2);
        assert_true(got.out_objects == 3 && got.out_bytes == 4 && got.in_objects == 5 && got.in_bytes == 6 &&
                    got.epoch == 7);
        assert_true(got.aborted && got.idle && bck_eq(&got.src, &s.src) && got.bck.name[0] == '\0');
        assert_string_equal(got.abort_err, "why");
        assert_string_equal(got.err, "what");
        assert_string_equal(got.ctlmsg, "\"text\"");
}

/* Each name is done by exactly one of three targets, whatever the bucket is called by now. */
static void test_who_does_what(void **state)
{
        static const char ids[3][NODE_ID_MAX + 1] = { "target-a1", "target-b2", "target-c3" };
        uint64_t digests[3];
        bool pending[3] = { false };
        struct cluster_node nodes[3];
        struct snapshot s[3];
        struct bucket b = { .bid = 1 };
        unsigned done[3] = { 0 };

        (void)state;
        b.bck = bck_named("b");
        memset(nodes, 0, sizeof(nodes));
        for (unsigned i = 0; i < 3; i++) {
                digests[i] = placement_digest(str_of(ids[i]));
                memcpy(nodes[i].id, ids[i], sizeof(ids[i]));
                nodes[i].target = true;
                nodes[i].digest = digests[i];
        }
        for (unsigned i = 0; i < 3; i++) {
                memset(&s[i], 0, sizeof(s[i]));
                s[i].target = &nodes[i];
                s[i].nodes = nodes;
                s[i].node_count = s[i].target_count = 3;
                s[i].placement = (struct placement){ .epoch = 1, .n = 3, .ids = ids, .digests = digests,
                                                     .pending = pending };
        }
        for (unsigned k = 0; k < 300; k++) {
                char name[32];
                unsigned who = 0;

                snprintf(name, sizeof(name), "o-%u", k);
                for (unsigned i = 0; i < 3; i++)
                        if (job__is_ours(&s[i], &b, str_of(name))) {
                                done[i]++;
                                who++;
                        }
                assert_int_equal(who, 1);
        }
        for (unsigned i = 0; i < 3; i++)
                assert_true(done[i] > 50);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_message),       cmocka_unit_test(test_message_spread),
                cmocka_unit_test(test_selections),    cmocka_unit_test(test_document),
                cmocka_unit_test(test_large_list),    cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_not_utf8),      cmocka_unit_test(test_snapshot),
                cmocka_unit_test(test_who_does_what),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
