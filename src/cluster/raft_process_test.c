/* Voters as processes: the leader is killed again and again under load, stopped and continued. Nothing that was acknowledged may be
 * lost or done twice, no fence may be stale, and a continued leader must not believe in itself.
 *
 * The test starts itself anew for each voter ("node" as first argument). A voter serves one port of loopback: streams of other voters,
 * and requests of the test, each as one struct. ORLOP_RAFT_LONG=1: five voters, too. */
#include "cluster/raft_test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "os/sock.h"

/* Decimal digits that this program wrote itself. */
static long long number(const char *text)
{
        return strtoll(text, NULL, 10);
}

enum op { OP_RAFT = 1, OP_PUT, OP_FENCE_GET, OP_STATUS, OP_ADD, OP_TRANSFER, OP_FRESH };
struct hello {
        uint32_t op, port; /* OP_RAFT: a voter's stream; else a request follows */
        uint64_t id;
};
struct request {
        uint32_t op, spare;
        uint64_t client, sequence, id;
        char key[32], value[32];
};
struct answer {
        uint32_t code, fresh;
        struct engine_status status;
        char value[32];
};

static bool move_all(int fd, void *p, size_t n, bool out)
{
        char *c = p;

        while (n > 0) {
                ssize_t k = out ? send(fd, c, n, MSG_NOSIGNAL) : recv(fd, c, n, 0);
                if (k <= 0 && !(k < 0 && errno == EINTR))
                        return false;
                if (k > 0) {
                        c += k;
                        n -= (size_t)k;
                }
        }
        return true;
}

/* A blocking connection to a port of loopback with time limits. */
static int connect_port(unsigned port, int64_t limit_ns)
{
        int fd = -1;
        struct err *e = sock_connect(STR("127.0.0.1"), (uint16_t)port, clock_mono_ns() + limit_ns, &fd);

        if (e) {
                err_free(e);
                return -1;
        }
        struct timeval tv = { limit_ns / NS_PER_SEC, 0 };
        fcntl(fd, F_SETFL, 0);
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
        return fd;
}

/* ---- a voter ---- */

static struct {
        struct engine *e;
        unsigned port;
        uint64_t id;
        pthread_mutex_t lock;
        char x[32]; /* the body of document "x" */
} me;

static void note_x(void *arg, uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        (void)arg;
        (void)index;
        (void)whole;
        pthread_mutex_lock(&me.lock);
        for (size_t i = 0; i < n; i++) {
                if (str_eq(docs[i].key, STR("x")))
                        str_copy(me.x, sizeof(me.x), docs[i].body);
        }
        pthread_mutex_unlock(&me.lock);
}

static struct err *dial_port(void *arg, uint64_t id, const char *address, int *ret_fd)
{
        unsigned port = (unsigned)(int)number(strrchr(address, ':') + 1);
        struct hello h = { OP_RAFT, me.port, me.id };

        (void)arg;
        (void)id;
        int fd = connect_port(port, NS_PER_SEC);
        if (fd < 0)
                return err_static(ERR_CLOSED);
        if (!move_all(fd, &h, sizeof(h), true)) {
                close(fd);
                return err_static(ERR_CLOSED);
        }
        *ret_fd = fd;
        return NULL;
}

static void answer_one(const struct request *q, struct answer *a)
{
        struct doc d = { str_of(q->key), str_of(q->value), q->client ? 0 : DOC_ANY };
        char address[32];
        struct err *e = NULL;

        a->fresh = engine_is_fresh_leader(me.e, NULL);
        snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)q->sequence);
        if (q->op == OP_PUT)
                e = engine_propose_once(me.e, q->client, q->sequence, &d, 1, soon(3), NULL);
        else if (q->op == OP_FENCE_GET)
                e = engine_fence(me.e, soon(3));
        else if (q->op == OP_ADD)
                e = engine_voter_add(me.e, q->id, address, soon(10));
        else if (q->op == OP_TRANSFER)
                e = engine_transfer(me.e, q->id, soon(5));
        a->code = err_code(e);
        err_free(e);
        pthread_mutex_lock(&me.lock);
        memcpy(a->value, me.x, sizeof(a->value));
        pthread_mutex_unlock(&me.lock);
        engine_status(me.e, &a->status);
}

static void *serve(void *arg)
{
        int fd = (int)(intptr_t)arg;
        struct hello h;
        struct request q;

        if (!move_all(fd, &h, sizeof(h), false)) {
                close(fd);
                return NULL;
        }
        if (h.op == OP_RAFT) {
                char address[32];
                snprintf(address, sizeof(address), "127.0.0.1:%u", h.port);
                err_free(raft_engine_accept(me.e, h.id, address, fd));
                return NULL;
        }
        while (move_all(fd, &q, sizeof(q), false)) {
                struct answer a;
                memset(&a, 0, sizeof(a));
                answer_one(&q, &a);
                if (!move_all(fd, &a, sizeof(a), true))
                        break;
        }
        close(fd);
        return NULL;
}

/* node ID LISTENING-FD PORT DIR BOOTSTRAP ELECTION-MS */
static int node_main(char **argv)
{
        char address[32];

        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
        me.id = (uint64_t)(int)number(argv[2]);
        me.port = (unsigned)(int)number(argv[4]);
        pthread_mutex_init(&me.lock, NULL);
        snprintf(address, sizeof(address), "127.0.0.1:%u", me.port);
        struct raft_options o = { .dir = argv[5], .id = me.id, .address = address, .bootstrap = (int)number(argv[6]) != 0,
                                  .election_ms = (unsigned)(int)number(argv[7]), .heartbeat_ms = 50, .dial = dial_port,
                                  .events.applied = note_x, .min_free_bytes = 1 };
        struct err *e = log_set_levels(STR("error"));
        if (!e)
                e = raft_engine_open(&o, &me.e);
        if (e) {
                log_err(LOG_ERROR, "test", e, "voter");
                return 1;
        }
        int listener = (int)number(argv[3]);
        fcntl(listener, F_SETFL, 0);
        for (;;) {
                pthread_t t;
                int fd = accept(listener, NULL, NULL);
                if (fd < 0)
                        continue;
                if (pthread_create(&t, NULL, serve, (void *)(intptr_t)fd) != 0)
                        return 1;
                pthread_detach(t);
        }
}

/* ---- the test's side ---- */

static struct proc {
        pid_t pid;
        unsigned port;
        int listener; /* kept across restarts, so that the port stays */
} procs[6];
static unsigned n_procs, proc_election = 250;
static char *dir;

static void proc_start(unsigned id, bool bootstrap)
{
        char num[16], fd[16], port[16], path[320], boot[4], election[16];
        extern char **environ;

        snprintf(num, sizeof(num), "%u", id);
        snprintf(fd, sizeof(fd), "%d", procs[id].listener);
        snprintf(port, sizeof(port), "%u", procs[id].port);
        snprintf(path, sizeof(path), "%s/%u", dir, id);
        snprintf(boot, sizeof(boot), "%d", bootstrap);
        snprintf(election, sizeof(election), "%u", proc_election);
        char self[] = "raft_process_test", role[] = "node";
        char *argv[] = { self, role, num, fd, port, path, boot, election, NULL };
        assert_int_equal(posix_spawn(&procs[id].pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
}

static void proc_end(unsigned id)
{
        int status;

        if (procs[id].pid <= 0)
                return;
        kill(procs[id].pid, SIGKILL);
        waitpid(procs[id].pid, &status, 0);
        procs[id].pid = 0;
}

/* One request over a connection of its own or a kept one; false when the voter does not answer. */
static bool ask(int *kept, unsigned id, const struct request *q, struct answer *a)
{
        struct hello h = { OP_PUT, 0, 0 };
        struct request copy = *q;

        if (*kept < 0) {
                *kept = connect_port(procs[id].port, 5 * NS_PER_SEC);
                if (*kept >= 0 && !move_all(*kept, &h, sizeof(h), true))
                        cleanup_fd(kept);
        }
        if (*kept >= 0 && move_all(*kept, &copy, sizeof(copy), true) && move_all(*kept, a, sizeof(*a), false))
                return true;
        if (*kept >= 0)
                close(*kept);
        *kept = -1;
        return false;
}

static bool ask_once(unsigned id, uint32_t op, uint64_t arg, uint64_t arg2, struct answer *a)
{
        struct request q;
        int fd = -1;

        memset(&q, 0, sizeof(q));
        q.op = op;
        q.id = arg;
        q.sequence = arg2;
        bool good = ask(&fd, id, &q, a);
        if (fd >= 0)
                close(fd);
        return good;
}

static unsigned proc_leader(void)
{
        struct answer a;
        int64_t end = soon(30);

        while (clock_mono_ns() < end) {
                for (unsigned id = 1; id <= n_procs; id++) {
                        if (procs[id].pid > 0 && ask_once(id, OP_STATUS, 0, 0, &a) && a.status.role.leader)
                                return id;
                }
                clock_sleep_ns(5 * NS_PER_MS);
        }
        fail_msg("no leader");
        return 0;
}

static void procs_start(unsigned n)
{
        const char *tmp = getenv("TMPDIR");
        struct answer a;

        n_procs = n;
        assert_true(asprintf(&dir, "%s/orlop-raftp-XXXXXX", tmp ? tmp : "/tmp") > 0);
        assert_non_null(mkdtemp(dir));
        for (unsigned id = 1; id <= n; id++) {
                char text[64];
                assert_ok(sock_listen(STR("127.0.0.1:0"), false, 64, &procs[id].listener));
                procs[id].port = (unsigned)(int)number(strrchr(sock_local_text(procs[id].listener, text), ':') + 1);
                fcntl(procs[id].listener, F_SETFD, 0);
                proc_start(id, id == 1);
        }
        unsigned leader = proc_leader();
        for (unsigned id = 2; id <= n; id++) {
                do {
                        assert_true(ask_once(leader, OP_ADD, id, procs[id].port, &a));
                        leader = proc_leader();
                } while (a.code != ERR_NONE);
        }
}

static void procs_stop(void)
{
        for (unsigned id = 1; id <= n_procs; id++) {
                proc_end(id);
                close(procs[id].listener);
        }
        assert_ok(file_remove_tree(AT_FDCWD, dir));
        free(dir);
}

/* ---- writers that never give up ---- */

enum { WRITERS = 4 };
static atomic_bool stop_writing, twice;
static atomic_uint acked[WRITERS];
static _Atomic int64_t last_ack_ns;

static void *write_keys(void *arg)
{
        unsigned w = *(unsigned *)arg, at = 1 + w % n_procs;
        int fd = -1;
        struct answer a;

        for (unsigned i = 1; !atomic_load(&stop_writing); i++) {
                struct request q = { .op = OP_PUT, .client = 100 + w, .sequence = i };
                snprintf(q.key, sizeof(q.key), "w%u/%06u", w, i);
                snprintf(q.value, sizeof(q.value), "%u", i);
                for (;;) { /* the same request until its outcome is known; its condition is that the key does not exist */
                        bool answered = ask(&fd, at, &q, &a);
                        if (answered && a.code == ERR_NONE)
                                break;
                        if (answered && a.code == ERR_CONFLICT)
                                atomic_store(&twice, true);
                        if (atomic_load(&twice) || atomic_load(&stop_writing))
                                goto out;
                        if (fd >= 0)
                                close(fd);
                        fd = -1;
                        at = answered && a.status.role.leader_id ? (unsigned)a.status.role.leader_id : 1 + at % n_procs;
                        clock_sleep_ns(2 * NS_PER_MS);
                }
                atomic_store(&acked[w], i);
                atomic_store(&last_ack_ns, clock_mono_ns());
        }
out:
        if (fd >= 0)
                close(fd);
        return NULL;
}

static struct err *note_key(void *arg, const struct doc *d)
{
        unsigned char *seen = arg;
        unsigned w, i;
        char key[DOC_KEY_MAX + 1];

        str_copy(key, sizeof(key), d->key);
        if (sscanf(key, "w%u/%u", &w, &i) == 2 && w < WRITERS && i < 200000)
                seen[w * 200000 + i] = 1;
        return NULL;
}

static void check_directories(void)
{
        struct raft_inspection first, in;
        char path[320], address[32];
        unsigned total = 0;

        for (unsigned id = 1; id <= n_procs; id++) {
                AUTO_FREE unsigned char *seen = calloc(WRITERS, 200000);
                assert_non_null(seen);
                snprintf(path, sizeof(path), "%s/%u", dir, id);
                snprintf(address, sizeof(address), "127.0.0.1:%u", procs[id].port);
                assert_ok(raft_inspect(path, id, address, &in));
                assert_ok(raft_export(path, id, address, note_key, seen));
                for (unsigned w = 0; w < WRITERS; w++) {
                        for (unsigned i = 1; i <= atomic_load(&acked[w]); i++)
                                assert_int_equal(seen[w * 200000 + i], 1);
                        total += id == 1 ? atomic_load(&acked[w]) : 0;
                }
                if (id == 1)
                        first = in;
                assert_int_equal(in.state_hash, first.state_hash);
        }
        print_message("%u acknowledged, all there on all %u\n", total, n_procs);
}

static void wait_equal(void)
{
        int64_t end = soon(30);
        struct answer a, b;
        bool same = false;

        while (!same && clock_mono_ns() < end) {
                unsigned leader = proc_leader();
                same = ask_once(leader, OP_FENCE_GET, 0, 0, &a) && a.code == ERR_NONE;
                for (unsigned id = 1; id <= n_procs; id++)
                        same &= ask_once(id, OP_STATUS, 0, 0, &b) && b.status.last_index == a.status.last_index &&
                                b.status.applied_index == b.status.last_index && b.status.state_hash == a.status.state_hash;
                clock_sleep_ns(50 * NS_PER_MS);
        }
        assert_true(same);
}

static int by_size(const void *a, const void *b)
{
        int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

        return x < y ? -1 : x > y;
}

static void kill_leaders(unsigned voters, unsigned kills)
{
        pthread_t threads[WRITERS];
        unsigned number[WRITERS];
        int64_t gap[64];

        atomic_store(&stop_writing, false);
        procs_start(voters);
        for (unsigned w = 0; w < WRITERS; w++) {
                number[w] = w;
                atomic_store(&acked[w], 0);
                assert_int_equal(pthread_create(&threads[w], NULL, write_keys, &number[w]), 0);
        }
        for (unsigned k = 0; k < kills; k++) {
                clock_sleep_ns(60 * NS_PER_MS);
                unsigned leader = proc_leader();
                int64_t t = clock_mono_ns();
                proc_end(leader);
                proc_start(leader, false);
                proc_leader(); /* it may be the same one, started again */
                while (atomic_load(&last_ack_ns) < t + 30 * NS_PER_MS && clock_mono_ns() < t + 20 * NS_PER_SEC)
                        clock_sleep_ns(NS_PER_MS);
                gap[k] = atomic_load(&last_ack_ns) - t;
                assert_true(gap[k] > 0);
        }
        clock_sleep_ns(200 * NS_PER_MS);
        atomic_store(&stop_writing, true);
        for (unsigned w = 0; w < WRITERS; w++)
                pthread_join(threads[w], NULL);
        assert_false(atomic_load(&twice));
        wait_equal();
        for (unsigned id = 1; id <= n_procs; id++)
                proc_end(id);
        check_directories();
        qsort(gap, kills, sizeof(gap[0]), by_size);
        print_message("%u kills of the leader of %u, election time-out %u ms: gap median %ld ms, longest %ld ms\n", kills, voters,
                      proc_election, (long)(gap[kills / 2] / NS_PER_MS), (long)(gap[kills - 1] / NS_PER_MS));
        procs_stop();
}

static void killing_the_leader_loses_nothing(void **state)
{
        (void)state;
        kill_leaders(3, 20);
        if (long_form())
                kill_leaders(5, 20);
}

static bool put_x(unsigned id, const char *value)
{
        struct request q = { .op = OP_PUT };
        struct answer a;
        int fd = -1;

        snprintf(q.key, sizeof(q.key), "x");
        snprintf(q.value, sizeof(q.value), "%s", value);
        bool good = ask(&fd, id, &q, &a) && a.code == ERR_NONE;
        if (fd >= 0)
                close(fd);
        return good;
}

static void a_stopped_leader_wakes_up_humble(void **state)
{
        unsigned rounds = long_form() ? 10 : 3;
        struct answer a;

        (void)state;
        procs_start(3);
        for (unsigned r = 0; r < rounds; r++) {
                char before[32], after[32];
                snprintf(before, sizeof(before), "before %u", r);
                snprintf(after, sizeof(after), "after %u", r);
                unsigned old = proc_leader();
                while (!put_x(old, before))
                        old = proc_leader();
                kill(procs[old].pid, SIGSTOP);
                unsigned now = 0;
                int64_t end = soon(20);
                for (unsigned id = 1; !now && clock_mono_ns() < end; id = 1 + id % n_procs) {
                        if (id != old && ask_once(id, OP_STATUS, 0, 0, &a) && a.status.role.leader)
                                now = id;
                        clock_sleep_ns(5 * NS_PER_MS);
                }
                assert_true(now != 0);
                assert_true(put_x(now, after));
                /* the question lies in its socket when it wakes up: it is answered at once */
                struct request q = { .op = OP_FRESH };
                struct hello h = { OP_PUT, 0, 0 };
                int fd = connect_port(procs[old].port, 5 * NS_PER_SEC);
                assert_true(fd >= 0 && move_all(fd, &h, sizeof(h), true) && move_all(fd, &q, sizeof(q), true));
                kill(procs[old].pid, SIGCONT);
                assert_true(move_all(fd, &a, sizeof(a), false));
                assert_false(a.fresh);
                close(fd);
                /* a fence at the old leader fails, or shows the new value */
                for (unsigned i = 0; i < 20; i++) {
                        if (ask_once(old, OP_FENCE_GET, 0, 0, &a) && a.code == ERR_NONE)
                                assert_string_equal(a.value, after);
                }
        }
        wait_equal();
        procs_stop();
}

static unsigned long rss_kb(pid_t pid)
{
        char path[64], line[256];
        unsigned long kb = 0;

        snprintf(path, sizeof(path), "/proc/%d/status", pid);
        FILE *f = fopen(path, "r");
        while (f && fgets(line, sizeof(line), f))
                (void)(sscanf(line, "VmRSS: %lu", &kb) == 1);
        if (f)
                fclose(f);
        return kb;
}

/* Figures for the log of the test, judged by nobody. */
static void what_idling_costs(void **state)
{
        struct answer a, b;

        (void)state;
        proc_election = 500;
        procs_start(3);
        unsigned leader = proc_leader();
        assert_true(ask_once(leader, OP_STATUS, 0, 0, &a));
        clock_sleep_ns(NS_PER_SEC);
        assert_true(ask_once(leader, OP_STATUS, 0, 0, &b));
        print_message("idle leader of 3, heartbeat 50 ms: %lu messages/s, %lu bytes/s sent; resident %lu KiB\n",
                      (unsigned long)(b.status.messages_sent - a.status.messages_sent),
                      (unsigned long)(b.status.bytes_sent - a.status.bytes_sent), rss_kb(procs[leader].pid));
        procs_stop();
        proc_election = 250;
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(killing_the_leader_loses_nothing),
                cmocka_unit_test(a_stopped_leader_wakes_up_humble),
                cmocka_unit_test(what_idling_costs),
        };

        if (argc == 8 && strcmp(argv[1], "node") == 0)
                return node_main(argv);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
