/* Commands are a pure function of the set: replays, snapshots in between, conditions, retried requests, limits, damage, and
 * the bytes of format 1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "cluster/doc_set.h"

enum { COMMANDS = 300, KEYS = 40 };

static uint64_t rnd_state;
static uint32_t rnd(uint32_t below)
{
        rnd_state = rnd_state * UINT64_C(6364136223846793005) + 1442695040888963407u;
        return (uint32_t)(rnd_state >> 33) % below;
}

static void add(struct buf *b, uint64_t client, uint64_t sequence, const struct doc *docs, size_t n)
{
        assert_ok(doc_command_encode(b, client, sequence, 7, docs, n));
}

/* One random command: some documents, right, wrong and no conditions, sometimes a repeated request. */
static void random_command(struct buf *b, uint64_t index)
{
        char key[4][32], body[4][64];
        struct doc docs[4];
        size_t n = 1 + rnd(4);

        for (size_t i = 0; i < n; i++) {
                snprintf(key[i], sizeof(key[i]), "k/%zu-%02u", i, rnd(KEYS));
                snprintf(body[i], sizeof(body[i]), "{\"v\":%u}%*s", rnd(1000), (int)rnd(30), "");
                docs[i] = (struct doc){ str_of(key[i]), rnd(4) ? str_of(body[i]) : STR_NONE,
                                        rnd(3) ? DOC_ANY : rnd(2) ? 0 : index - rnd(9) };
        }
        add(b, rnd(3), index / 2, docs, n);
}

static void apply(struct doc_set *s, uint64_t index, struct str command, struct doc_result *r)
{
        assert_ok(doc_set_apply(s, index, command, r));
        assert_int_equal(s->index, index);
}

static struct str flat(const struct doc_set *s, struct buf *b)
{
        struct doc_snapshot p;
        assert_ok(doc_set_snapshot(s, &p));
        buf_clear(b);
        buf_add(b, p.head, p.head_n);
        for (size_t i = 0; i < p.n; i++)
                buf_add(b, p.blocks[i]->bytes, p.blocks[i]->size);
        doc_snapshot_fini(&p);
        return buf_str(b);
}

static void a_replay_gives_the_same_set_also_across_a_snapshot_at_each_index(void **state)
{
        struct buf commands[COMMANDS] = { 0 };
        struct doc_set first, second;
        AUTO_BUF struct buf end = BUF_INIT, at = BUF_INIT, other = BUF_INIT;
        struct doc_result r, q;
        unsigned done = 0, refused = 0, repeated = 0;

        (void)state;
        rnd_state = 42;
        doc_set_init(&first);
        for (unsigned i = 0; i < COMMANDS; i++) {
                random_command(&commands[i], i + 10);
                apply(&first, i + 10, buf_str(&commands[i]), &r);
                done += r.status == DOC_DONE && !r.repeated;
                refused += r.status == DOC_CONFLICT;
                repeated += r.repeated;
        }
        assert_true(done > 50 && refused > 20 && repeated > 20);
        flat(&first, &end);
        for (unsigned cut = 0; cut < COMMANDS; cut++) {
                doc_set_init(&second);
                for (unsigned i = 0; i < COMMANDS; i++) {
                        apply(&second, i + 10, buf_str(&commands[i]), &q);
                        if (i == cut) {
                                flat(&second, &at);
                                assert_ok(doc_set_restore(&second, buf_str(&at)));
                                assert_true(str_eq(flat(&second, &other), buf_str(&at)));
                        }
                }
                assert_int_equal(second.hash, first.hash);
                assert_true(str_eq(flat(&second, &other), buf_str(&end)));
                doc_set_fini(&second);
        }
        doc_set_fini(&first);
        for (unsigned i = 0; i < COMMANDS; i++)
                buf_fini(&commands[i]);
}

static enum doc_status run(struct doc_set *s, uint64_t index, const struct doc *docs, size_t n, struct doc_result *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        add(&b, 0, 0, docs, n);
        apply(s, index, buf_str(&b), r);
        return r->status;
}

static void conditions_are_all_or_nothing(void **state)
{
        struct doc_set s;
        struct doc_result r;

        (void)state;
        doc_set_init(&s);
        struct doc two[] = { { STR("a"), STR("1"), 0 }, { STR("b"), STR("2"), 0 } };
        assert_int_equal(run(&s, 5, two, 2, &r), DOC_DONE);
        assert_int_equal(r.n, 2);
        assert_int_equal(doc_set_find(&s, STR("a"))->modified, 5);
        uint64_t hash = s.hash;
        /* the second condition fails: the first document stays as it was */
        struct doc mixed[] = { { STR("a"), STR("3"), 5 }, { STR("b"), STR("4"), 4 } };
        assert_int_equal(run(&s, 6, mixed, 2, &r), DOC_CONFLICT);
        assert_int_equal(r.n, 0);
        assert_int_equal(s.hash, hash);
        /* must not exist */
        assert_int_equal(run(&s, 7, two, 1, &r), DOC_CONFLICT);
        /* whatever it is; an absent one need not be removed */
        struct doc any[] = { { STR("a"), STR_NONE, DOC_ANY }, { STR("z"), STR_NONE, DOC_ANY }, { STR("c"), STR(""), DOC_ANY } };
        assert_int_equal(run(&s, 8, any, 3, &r), DOC_DONE);
        assert_int_equal(r.n, 2);
        assert_null(r.docs[0].body.p);
        assert_true(str_eq(r.docs[1].key, STR("c")) && r.docs[1].body.p && r.docs[1].body.n == 0);
        assert_null(doc_set_find(&s, STR("a")));
        assert_int_equal(s.n, 2);
        doc_set_fini(&s);
}

static void a_retried_request_is_applied_once(void **state)
{
        struct doc_set s;
        struct doc_result r;
        AUTO_BUF struct buf one = BUF_INIT, two = BUF_INIT, old = BUF_INIT;
        struct doc d = { STR("k"), STR("1"), 0 }, e = { STR("k"), STR("2"), 5 };

        (void)state;
        doc_set_init(&s);
        add(&one, 77, 1, &d, 1);
        add(&two, 77, 2, &e, 1);
        apply(&s, 5, buf_str(&one), &r);
        assert_false(r.repeated);
        apply(&s, 6, buf_str(&one), &r);
        assert_true(r.repeated && r.status == DOC_DONE && r.index == 5 && r.n == 0);
        apply(&s, 7, buf_str(&two), &r);
        assert_true(!r.repeated && r.status == DOC_DONE && r.n == 1);
        /* a refusal is kept as well */
        add(&old, 78, 1, &d, 1);
        apply(&s, 8, buf_str(&old), &r);
        assert_true(!r.repeated && r.status == DOC_CONFLICT);
        apply(&s, 9, buf_str(&old), &r);
        assert_true(r.repeated && r.status == DOC_CONFLICT && r.index == 8);
        /* what came before the last is not known any more */
        apply(&s, 10, buf_str(&one), &r);
        assert_true(!r.repeated && r.status == DOC_SEQUENCE_OLD);
        doc_set_fini(&s);
}

static void the_client_idle_for_longest_makes_room(void **state)
{
        struct doc_set s;
        struct doc_result r;
        struct doc d = { STR("k"), STR("1"), DOC_ANY };
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        doc_set_init(&s);
        for (uint64_t c = 1; c <= DOC_CLIENTS_MAX + 1; c++) {
                buf_clear(&b);
                add(&b, c, 1, &d, 1);
                apply(&s, 10 + c, buf_str(&b), &r);
        }
        assert_int_equal(s.n_clients, DOC_CLIENTS_MAX);
        buf_clear(&b);
        add(&b, 2, 1, &d, 1);
        apply(&s, 1000, buf_str(&b), &r);
        assert_true(r.repeated);
        buf_clear(&b);
        add(&b, 1, 1, &d, 1);
        apply(&s, 1001, buf_str(&b), &r);
        assert_false(r.repeated);
        doc_set_fini(&s);
}

static void the_total_is_limited(void **state)
{
        struct doc_set s;
        struct doc_result r;
        char key[16];
        AUTO_FREE char *body = calloc(1, DOC_BODY_MAX);
        uint64_t index = 1;
        enum doc_status st = DOC_DONE;

        (void)state;
        doc_set_init(&s);
        while (st == DOC_DONE && index < 100) {
                snprintf(key, sizeof(key), "%03u", (unsigned)index);
                st = run(&s, index++, &(struct doc){ str_of(key), { body, DOC_BODY_MAX }, 0 }, 1, &r);
        }
        assert_int_equal(st, DOC_TOTAL_TOO_LARGE);
        assert_in_range(s.bytes, DOC_TOTAL_MAX - DOC_BODY_MAX - 100, DOC_TOTAL_MAX);
        /* what is smaller than before goes in */
        assert_int_equal(run(&s, 100, &(struct doc){ STR("001"), { body, 10 }, 1 }, 1, &r), DOC_DONE);
        doc_set_fini(&s);
}

static void what_can_not_be_a_command_is_refused(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_FREE char *big = calloc(1, DOC_BODY_MAX + 1);
        struct doc_command c;
        struct doc twice[] = { { STR("a"), STR("1"), 0 }, { STR("a"), STR("2"), 0 } };

        (void)state;
        assert_err(doc_command_encode(&b, 0, 0, 0, twice, 2), ERR_INVALID);
        assert_err(doc_command_encode(&b, 0, 0, 0, &(struct doc){ STR(""), STR("1"), 0 }, 1), ERR_INVALID);
        assert_err(doc_command_encode(&b, 0, 0, 0, &(struct doc){ { big, DOC_KEY_MAX + 1 }, STR("1"), 0 }, 1), ERR_INVALID);
        assert_err(doc_command_encode(&b, 0, 0, 0, &(struct doc){ STR("a"), { big, DOC_BODY_MAX + 1 }, 0 }, 1), ERR_TOO_LARGE);
        assert_int_equal(b.n, 0);
        add(&b, 1, 2, twice, 1);
        assert_ok(doc_command_decode(buf_str(&b), &c));
        for (size_t i = 0; i < b.n; i++) { /* a damaged byte, and a command cut short */
                b.p[i] ^= 4;
                assert_err(doc_command_decode(buf_str(&b), &c), i < 4 ? ERR_FORMAT : ERR_CORRUPT);
                b.p[i] ^= 4;
                assert_err(doc_command_decode((struct str){ b.p, i }, &c), ERR_CORRUPT);
        }
}

static void a_damaged_snapshot_is_refused(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT, one = BUF_INIT;
        struct doc_set s;
        struct doc_result r;

        (void)state;
        rnd_state = 1;
        doc_set_init(&s);
        for (unsigned i = 0; i < 20; i++) {
                buf_clear(&one);
                random_command(&one, i + 1);
                apply(&s, i + 1, buf_str(&one), &r);
        }
        uint64_t hash = s.hash;
        flat(&s, &b);
        for (size_t i = 0; i < b.n; i++) {
                b.p[i] ^= 32;
                assert_err(doc_set_restore(&s, buf_str(&b)), ERR_CORRUPT);
                b.p[i] ^= 32;
                assert_err(doc_set_restore(&s, (struct str){ b.p, i }), ERR_CORRUPT);
        }
        assert_int_equal(s.hash, hash);
        assert_ok(doc_set_restore(&s, buf_str(&b)));
        assert_int_equal(s.hash, hash);
        doc_set_fini(&s);
}

/* The worked examples of docs/format/raft.md: what was written once can be read for ever. */
static const char golden_command[] =
        "01000100" "4b000000" "4b84deea" "02000000" "0700000000000000" "0300000000000000" "15cd5b0700000000"
        "01000100" "01000000" "ffffffffffffffff" "61" "78"
        "02000100" "00000000" "0900000000000000" "62";
static const char golden_snapshot[] =
        "4f524c50444f4353" "0100" "0000" "4dc482af" "0c00000000000000" "0100000000000000" "01000000" "ce38011c"
        "4800000000000000" "4bff300578629d6e" "0000000000000000"
        "0700000000000000" "0300000000000000" "0c00000000000000" "00000000" "8072f485"
        "28000000" "c052cfbe" "0c00000000000000" "0c00000000000000" "0100" "0000" "01000000" "61" "78" "000000000000";

static void format_1(void **state)
{
        struct doc docs[] = { { STR("a"), STR("x"), DOC_ANY }, { STR("b"), STR_NONE, 9 } };
        AUTO_BUF struct buf b = BUF_INIT;
        char hex[1024];
        struct doc_set s;
        struct doc_result r;

        (void)state;
        assert_ok(doc_command_encode(&b, 7, 3, 123456789, docs, 2));
        str_to_hex(b.p, b.n, hex);
        assert_string_equal(hex, golden_command);
        doc_set_init(&s);
        buf_clear(&b);
        assert_ok(doc_command_encode(&b, 7, 3, 123456789, docs, 1));
        apply(&s, 12, buf_str(&b), &r);
        flat(&s, &b);
        str_to_hex(b.p, b.n, hex);
        assert_string_equal(hex, golden_snapshot);
        doc_set_fini(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_replay_gives_the_same_set_also_across_a_snapshot_at_each_index),
                cmocka_unit_test(conditions_are_all_or_nothing),
                cmocka_unit_test(a_retried_request_is_applied_once),
                cmocka_unit_test(the_client_idle_for_longest_makes_room),
                cmocka_unit_test(the_total_is_limited),
                cmocka_unit_test(what_can_not_be_a_command_is_refused),
                cmocka_unit_test(a_damaged_snapshot_is_refused),
                cmocka_unit_test(format_1),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
