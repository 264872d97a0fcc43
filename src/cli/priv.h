/* cli/priv.h: what the files of the command share. */
#ifndef ORLOP_CLI_PRIV_H
#define ORLOP_CLI_PRIV_H

#include <stdatomic.h>
#include <stdio.h>

#include "base/json.h"
#include "cli/args.h"
#include "client/orlop.h"

enum cli_exit {
        CLI_OK = 0,
        CLI_FAILED = 1,
        CLI_USAGE = 2,
        CLI_NOT_FOUND = 3,
        CLI_PARTIAL = 4,
        CLI_CONNECTION = 5,
        CLI_INTERRUPTED = 130,
};

/* One run of the program. Immutable once the command runs. */
struct cli {
        struct orlop *h; /* null for offline commands */
        const char *program; /* argv[0] */
        bool json, quiet, tty_out, tty_err;
};

/* ---- out.c: what the user reads ---- */

/* One line on stderr, "orlop: …". Any thread. */
void cli__error(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* A failed call: says what was being done; adds what to do about it. Returns the exit code. */
int cli__fail(const struct orlop_error *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A local error; frees it. Returns the exit code. */
int cli__fail_err(struct err *e);
/* A mistake in the command line; frees it. Returns CLI_USAGE. */
int cli__usage(const struct cli_args *a, struct err *e);
/* Exit code of a failed call. */
int cli__exit_code(enum orlop_code code);
/* Text for people, on stdout, unless --json or --quiet. */
void cli__say(const struct cli *c, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Starts a JSON object of one line (or indented for a terminal); ends and prints it. */
void cli__json_begin(const struct cli *c, struct json_w *w, struct buf *b);
/* See cli__json_begin. Frees b. */
void cli__json_end(struct json_w *w);
/* Prints a JSON text: as it is with --json, else as "path.to.key  value" lines of those whose path starts with `section` (null: all). */
int cli__print_json(const struct cli *c, const char *json, const char *section);
/* Flushes stdout; CLI_FAILED with a message when it could not be written (a reader that went away is silent). */
int cli__flush(int code);
/* "1,234,567". buf of 32; returns buf. */
const char *cli__count(uint64_t n, char buf[static 32]);
/* "12.3 MiB". buf of 32; returns buf. */
const char *cli__bytes(uint64_t n, char buf[static 32]);
/* "1.23 ms", "4.5 s". buf of 32; returns buf. */
const char *cli__elapsed(int64_t ns, char buf[static 32]);
/* A text of an object; "" if there is none. */
const char *cli__field(const json_t *j, const char *key);
/* A number of an object, whether it is written as one or as a text (wire: both); 0 if there is none. */
uint64_t cli__number(const json_t *j, const char *key);
/* "2026-11-23 06:00:54" in local time; "-" for 0. buf of 32; returns buf. */
const char *cli__when(int64_t wall_ns, char buf[static 32]);
/* Name with control bytes made visible, for terminals. */
void cli__put_name(const struct cli *c, const char *name);
/* Asks a yes/no question on the terminal; false when stdin is none. */
bool cli__confirm(const char *question);

/* ---- interrupt.c ---- */

/* First Ctrl-C or SIGTERM sets a flag, the second ends the process; SIGPIPE is ignored. */
void cli__signals(void);
/* Whether the flag is set. Any thread. */
bool cli__interrupted(void);

/* ---- uris ---- */

struct cli_uri {
        struct orlop_bucket bucket;
        char object[ORLOP_OBJECT_MAX + 1]; /* or prefix, or "" */
};
/* As orlop_uri_parse, but refuses an empty bucket. Prints what is wrong; returns 0 or CLI_USAGE. */
int cli__uri(const char *text, struct cli_uri *ret);
/* As above, and refuses what the flag says: an object is needed, or none is allowed. */
int cli__uri_object(const char *text, struct cli_uri *ret);
/* See cli__uri_object. */
int cli__uri_bucket(const char *text, struct cli_uri *ret);

/* ---- latency.c: durations of operations ---- */

#define CLI_LATENCY_SLOTS (64 * 16)
/* Counts per logarithmic slot, 16 to the octave: percentiles within 6 %. Atomic. */
struct cli_latency {
        atomic_uint_fast64_t slot[CLI_LATENCY_SLOTS];
};
/* Adds one. Any thread. */
void cli__latency_add(struct cli_latency *l, int64_t ns);
/* The p-th percentile (0 to 100) in ns; 0 when empty. */
int64_t cli__latency_pct(const struct cli_latency *l, double pct);

/* ---- progress.c ---- */

/* Counters of a transfer; atomic. */
struct cli_progress {
        atomic_uint_fast64_t done, total, failed, bytes, bytes_total;
        atomic_bool scanning; /* totals still grow */
        int64_t start_ns;     /* set before threads start */
        bool shown, drawn, tty;
        int64_t last_ns;      /* main thread */
        uint64_t last_bytes;
        double rate;
};
struct cli_progress_view {
        uint64_t done, total, failed, bytes, bytes_total;
        bool scanning;
        double rate; /* bytes/s */
};
/* One line of at most width-1 columns for the numbers. Pure. */
void cli__progress_text(const struct cli_progress_view *v, unsigned width, char *buf, size_t size);
/* Shown on a terminal, or when asked for. */
void cli__progress_init(const struct cli *c, const struct cli_args *a, struct cli_progress *p);
/* Draws if it is time to. Main thread. */
void cli__progress_tick(struct cli_progress *p);
/* Clears the line. Main thread. */
void cli__progress_end(struct cli_progress *p);

/* ---- work.c: many operations by N threads ---- */

struct cli_item {
        struct cli_item *next;
        char *from, *to; /* heap; either may be null */
        uint64_t size;
        int64_t offset;
        unsigned number; /* of a part */
        void *shared;    /* what the parts of one file share */
};
struct cli_work;
/* Handles one item; returns an exit code. It has printed what went wrong. Any worker. */
typedef int cli_work_fn(struct cli_work *w, struct cli_item *item);
struct cli_work {
        const struct cli *cli;
        cli_work_fn *fn;
        void *arg;
        struct cli_progress progress;
        struct cli_latency latency;
        atomic_int worst; /* exit code of the first failure */
        struct cli_pool *pool;
};
/* Starts `threads` workers. */
MUST_CHECK struct err *cli__work_start(struct cli_work *w, const struct cli *c, const struct cli_args *a, unsigned threads, cli_work_fn *fn,
                                       void *arg);
/* Hands over a copy of the item's values (from and to are duplicated); waits while the queue is full. False when interrupted or out of memory. */
bool cli__work_add(struct cli_work *w, const struct cli_item *item);
/* Waits for all, ends the threads, clears the progress line. Returns the exit code of the whole. */
int cli__work_finish(struct cli_work *w);
/* Counts one finished operation. Any worker. */
void cli__work_done(struct cli_work *w, bool ok, int64_t start_ns);
/* Prints the closing summary ("put", …), as text or JSON. */
void cli__work_summary(struct cli_work *w, const char *verb);
/* --jobs, 1 to 256, default 16. */
MUST_CHECK struct err *cli__jobs(const struct cli_args *a, unsigned *ret);

/* ---- tree.c: local files ---- */

/* Calls fn(arg, path, path below root, size) for each regular file below root, names in order; symbolic links are followed to files only. False from fn
 * stops. What cannot be read is reported and counted in *ret_skipped. */
MUST_CHECK struct err *cli__tree_walk(const char *root, bool (*fn)(void *arg, const char *path, const char *below, uint64_t size), void *arg,
                                      unsigned *ret_skipped);
/* Whether the path is a directory. */
bool cli__is_dir(const char *path);
/* The part after the last slash. */
const char *cli__basename(const char *path);
/* "a" + "/" + "b", heap; exactly one slash in between unless a is empty. */
char *cli__join(const char *a, const char *b);
/* Makes all directories above the file. */
MUST_CHECK struct err *cli__make_parents(const char *path);

/* ---- transfer.c: one object up or down ---- */

struct cli_put_how {
        const char *cksum;        /* type by name, or null: what the server keeps */
        const char *const *custom;
        uint64_t part_size, part_above;
};
/* Reads the options of put and cp. ERR_INVALID. */
MUST_CHECK struct err *cli__put_how(const struct cli_args *a, const char **custom, struct cli_put_how *ret);
/* Sends one local file and checks what was stored. Prints failures. */
int cli__put_file(struct cli_work *w, const struct cli_put_how *how, const char *path, const struct orlop_bucket *b, const char *object);
/* Sends stdin. */
int cli__put_stdin(struct cli_work *w, const struct cli_put_how *how, const struct orlop_bucket *b, const char *object);
/* Queues a file in parts, sent by all workers. */
int cli__put_parts(struct cli_work *w, const struct cli_put_how *how, const char *path, uint64_t size, const struct orlop_bucket *b,
                   const char *object);
/* Sends one of those parts. */
int cli__put_part(struct cli_work *w, struct cli_item *item);
/* Stores an object in a file, through a temporary name. Prints failures. `o` may be null. */
int cli__get_file(struct cli_work *w, const struct orlop_get_options *o, const struct orlop_bucket *b, const char *object, const char *path);
/* Writes an object to stdout. */
int cli__get_stdout(struct cli_work *w, const struct orlop_get_options *o, const struct orlop_bucket *b, const char *object);

/* ---- whole transfers, shared by put, get, cp, mv ---- */

/* Local file, directory or "-" to a URI. remove: unlink each file when it is stored. */
int cli__upload(struct cli *c, const struct cli_args *a, const char *const *sources, unsigned n, const char *uri, bool remove, const char *verb);
/* URI to local file, directory or "-". remove: delete each object when it is here. */
int cli__download(struct cli *c, const struct cli_args *a, const char *uri, const char *dest, bool remove, const char *verb);

/* ---- generated texts ---- */

/* Overview, or the page of a group of commands. */
void cli__help_all(FILE *f, const char *group);
/* Page of one command. */
void cli__help_command(FILE *f, const struct cli_command *c);
/* Completion script for "bash", "zsh" or "fish"; false for another shell. */
bool cli__completion(FILE *f, const char *shell);
/* orlop.1 in mdoc-free man macros. */
void cli__man(FILE *f);

/* ---- calls of the interface used by several commands ---- */

/* GET path?query, answer parsed. Prints failures; returns an exit code. Caller json_decref()s. */
int cli__get_json(struct cli *c, const char *path, const char *query, const char *node, const char *body, json_t **ret);
/* As cli__get_json, but says nothing when the answer is "not found". */
int cli__find_json(struct cli *c, const char *path, const char *query, const char *node, const char *body, json_t **ret);
/* Any call with an envelope {"action","name","value"}; value is JSON text or null. The answer's text (may be null) is heap. */
int cli__act(struct cli *c, const char *method, const char *path, const char *query, const char *node, const char *action, const char *name,
             const char *value, char **ret_text);
/* The only target, or the one named by --node. Prints; returns an exit code. */
int cli__target(struct cli *c, const struct cli_args *a, char ret[static 64]);
/* Says that a job was started, and waits for it with --wait. */
int cli__job_started(struct cli *c, const struct cli_args *a, const char *what, const char *id);

/* What /v1/orlop/cluster says: members and placements; null when the server does not know it. Caller json_decref()s. */
json_t *cli__cluster_state(struct cli *c);
/* Names of the targets that may still hold what is not theirs any more, each once: "a, b"; and how many. state may be null. */
void cli__cluster_pending(const json_t *state, struct buf *names, unsigned *ret_n);

/* ---- commands ---- */

int cli__run_ls(struct cli *c, const struct cli_args *a);
int cli__run_put(struct cli *c, const struct cli_args *a);
int cli__run_get(struct cli *c, const struct cli_args *a);
int cli__run_cat(struct cli *c, const struct cli_args *a);
int cli__run_rm(struct cli *c, const struct cli_args *a);
int cli__run_cp(struct cli *c, const struct cli_args *a);
int cli__run_mv(struct cli *c, const struct cli_args *a);
int cli__run_head(struct cli *c, const struct cli_args *a);
int cli__run_append(struct cli *c, const struct cli_args *a);
int cli__run_promote(struct cli *c, const struct cli_args *a);
int cli__run_bucket_create(struct cli *c, const struct cli_args *a);
int cli__run_bucket_rm(struct cli *c, const struct cli_args *a);
int cli__run_bucket_mv(struct cli *c, const struct cli_args *a);
int cli__run_bucket_cp(struct cli *c, const struct cli_args *a);
int cli__run_bucket_ls(struct cli *c, const struct cli_args *a);
int cli__run_bucket_head(struct cli *c, const struct cli_args *a);
int cli__run_props_show(struct cli *c, const struct cli_args *a);
int cli__run_props_set(struct cli *c, const struct cli_args *a);
int cli__run_props_reset(struct cli *c, const struct cli_args *a);
int cli__run_status(struct cli *c, const struct cli_args *a);
int cli__run_config_show(struct cli *c, const struct cli_args *a);
int cli__run_config_set(struct cli *c, const struct cli_args *a);
int cli__run_config_reset(struct cli *c, const struct cli_args *a);
int cli__run_mountpath_ls(struct cli *c, const struct cli_args *a);
int cli__run_mountpath_change(struct cli *c, const struct cli_args *a);
int cli__run_job_ls(struct cli *c, const struct cli_args *a);
int cli__run_job_show(struct cli *c, const struct cli_args *a);
int cli__run_job_wait(struct cli *c, const struct cli_args *a);
int cli__run_job_stop(struct cli *c, const struct cli_args *a);
int cli__run_job_start(struct cli *c, const struct cli_args *a);
int cli__run_cluster_show(struct cli *c, const struct cli_args *a);
int cli__run_cluster_nodes(struct cli *c, const struct cli_args *a);
int cli__run_token(struct cli *c, const struct cli_args *a);
int cli__run_join_help(struct cli *c, const struct cli_args *a);
int cli__run_primary(struct cli *c, const struct cli_args *a);
int cli__run_primary_set(struct cli *c, const struct cli_args *a);
int cli__run_maintenance(struct cli *c, const struct cli_args *a);
int cli__run_decommission(struct cli *c, const struct cli_args *a);
int cli__run_cluster_remove(struct cli *c, const struct cli_args *a);
int cli__run_cluster_shutdown(struct cli *c, const struct cli_args *a);
int cli__run_rebalance_start(struct cli *c, const struct cli_args *a);
int cli__run_rebalance_stop(struct cli *c, const struct cli_args *a);
int cli__run_rebalance_status(struct cli *c, const struct cli_args *a);
int cli__run_control(struct cli *c, const struct cli_args *a);
int cli__run_log(struct cli *c, const struct cli_args *a);
int cli__run_fsck(struct cli *c, const struct cli_args *a);
int cli__run_version(struct cli *c, const struct cli_args *a);
int cli__run_completion(struct cli *c, const struct cli_args *a);
int cli__run_man(struct cli *c, const struct cli_args *a);

#endif
