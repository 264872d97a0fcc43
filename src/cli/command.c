/* cli/command.c: the table of commands. Parsing, help, completion and the manual page come from here and from nowhere else. */
#include "cli/priv.h"

const struct cli_option cli_global_options[] = {
        { 0, "endpoint", "URL", "where the cluster is (ORLOP_ENDPOINT, AIS_ENDPOINT, else http://127.0.0.1:8080)", CLI_NOTHING },
        { 0, "token", "TOKEN", "bearer token (ORLOP_TOKEN, AIS_AUTHN_TOKEN)", CLI_NOTHING },
        { 0, "ca-file", "FILE", "certificates to trust, PEM (ORLOP_CA_FILE)", CLI_FILE },
        { 0, "insecure", NULL, "do not verify the server's certificate", CLI_NOTHING },
        { 0, "timeout", "DURATION", "longest wait without an answer or progress (60s)", CLI_NOTHING },
        { 0, "json", NULL, "results as JSON", CLI_NOTHING },
        { 'q', "quiet", NULL, "no text on success", CLI_NOTHING },
        { 'h', "help", NULL, "this help", CLI_NOTHING },
        { 0, "version", NULL, "version of this program", CLI_NOTHING },
        { 0 },
};

#define OPT_RECURSIVE(text) { 'r', "recursive", NULL, text, CLI_NOTHING }
#define OPT_JOBS { 'j', "jobs", "N", "operations at once (16)", CLI_NOTHING }
#define OPT_PROGRESS                                                                                                   \
        { 0, "progress", NULL, "show progress even when stderr is no terminal", CLI_NOTHING },                         \
        { 0, "no-progress", NULL, "do not show progress", CLI_NOTHING }
#define OPT_UPLOAD                                                                                                     \
        { 0, "checksum", "TYPE", "have the server verify this type: xxhash2, crc32c, md5, sha256, sha512; none: no check", CLI_NOTHING }, \
        { 0, "part-size", "SIZE", "send files above this size in parts of it (64MiB, for files above 256MiB)", CLI_NOTHING }, \
        { 0, "custom", "KEY=VALUE", "custom metadata; may be repeated", CLI_NOTHING }
#define OPT_RANGE { 0, "range", "A-B", "bytes A to B, A- from A on, -N the last N", CLI_NOTHING }
#define OPT_ARCHPATH { 0, "archpath", "NAME", "one member of an archive (tar, tgz, zip)", CLI_NOTHING }
#define OPT_NO_VERIFY { 0, "no-verify", NULL, "do not compare content and checksum", CLI_NOTHING }
#define OPT_WAIT { 'w', "wait", NULL, "wait until the job has ended", CLI_NOTHING }
#define OPT_NO_REBALANCE { 0, "no-rebalance", NULL, "do not move objects now", CLI_NOTHING }
#define OPT_NODE { 0, "node", "ID", "one node instead of the cluster", CLI_NOTHING }

static const struct cli_option ls_options[] = {
        OPT_RECURSIVE("all objects below, not one level"),
        { 'l', "long", NULL, "size, last access, version and checksum too", CLI_NOTHING },
        { 0, "prefix", "TEXT", "names that begin with this, below the URI", CLI_NOTHING },
        { 0, "start-after", "NAME", "names after this one", CLI_NOTHING },
        { 's', "summary", NULL, "count objects and bytes instead", CLI_NOTHING },
        { 0 },
};
static const struct cli_option put_options[] = {
        OPT_RECURSIVE("all files below directories"), OPT_JOBS, OPT_UPLOAD, OPT_PROGRESS, { 0 },
};
static const struct cli_option get_options[] = {
        OPT_RECURSIVE("all objects whose name begins with the URI"), OPT_JOBS, OPT_RANGE, OPT_ARCHPATH, OPT_NO_VERIFY, OPT_PROGRESS, { 0 },
};
static const struct cli_option cat_options[] = { OPT_RANGE, OPT_ARCHPATH, OPT_NO_VERIFY, { 0 } };
static const struct cli_option rm_options[] = {
        OPT_RECURSIVE("all objects whose name begins with the URI"),
        { 'f', "force", NULL, "do not ask; an absent object is no error", CLI_NOTHING },
        OPT_JOBS,
        OPT_PROGRESS,
        { 0 },
};
static const struct cli_option cp_options[] = {
        OPT_RECURSIVE("all below"), OPT_JOBS, OPT_UPLOAD, OPT_NO_VERIFY, OPT_PROGRESS, { 0 },
};
static const struct cli_option promote_options[] = {
        OPT_RECURSIVE("directories with all below"),
        { 0, "overwrite", NULL, "replace objects that exist", CLI_NOTHING },
        { 0, "delete-source", NULL, "remove the files when they are stored", CLI_NOTHING },
        OPT_WAIT,
        { 0 },
};
static const struct cli_option create_options[] = {
        { 'p', "props", "KEY=VALUE", "a property that differs from the default; may be repeated", CLI_NOTHING },
        { 0, "ignore-existing", NULL, "a bucket that exists is no error", CLI_NOTHING },
        { 0 },
};
static const struct cli_option bucket_rm_options[] = {
        { 'f', "force", NULL, "with all objects, without asking", CLI_NOTHING },
        { 0 },
};
static const struct cli_option wait_options[] = { OPT_WAIT, { 0 } };
static const struct cli_option bucket_cp_options[] = {
        { 0, "prefix", "TEXT", "only names that begin with this", CLI_NOTHING },
        { 0, "prepend", "TEXT", "put this before each name", CLI_NOTHING },
        OPT_WAIT,
        { 0 },
};
static const struct cli_option bucket_ls_options[] = {
        { 's', "summary", NULL, "count objects and bytes of each", CLI_NOTHING },
        { 0 },
};
static const struct cli_option node_options[] = { OPT_NODE, { 0 } };
static const struct cli_option config_set_options[] = {
        OPT_NODE,
        { 0, "transient", NULL, "until the next start only", CLI_NOTHING },
        { 0 },
};
static const struct cli_option job_ls_options[] = {
        { 0, "kind", "KIND", "only this kind (copy-bck, …)", CLI_NOTHING },
        { 0, "bucket", "URI", "only of this bucket", CLI_BUCKET },
        { 0, "running", NULL, "only those that run", CLI_NOTHING },
        { 0 },
};
static const struct cli_option job_start_options[] = {
        OPT_NODE,
        OPT_WAIT,
        { 0, "prefix", "TEXT", "only names that begin with this (rebalance of one bucket)", CLI_NOTHING },
        { 0 },
};
static const struct cli_option job_stop_options[] = {
        { 0, "kind", "KIND", "all jobs of a kind", CLI_NOTHING },
        { 'f', "force", NULL, "also a rebalance that empties a node that leaves", CLI_NOTHING },
        { 0 },
};
static const struct cli_option token_options[] = {
        { 0, "ttl", "DURATION", "how long it can be used (1h)", CLI_NOTHING },
        { 0, "uses", "N", "how many nodes may join with it (1)", CLI_NOTHING },
        { 0 },
};
static const struct cli_option moving_options[] = {
        { 'w', "wait", NULL, "wait until all objects are where they belong", CLI_NOTHING },
        OPT_PROGRESS,
        { 0 },
};
static const struct cli_option maintenance_options[] = {
        OPT_NO_REBALANCE,
        { 'w', "wait", NULL, "wait until all objects are where they belong", CLI_NOTHING },
        OPT_PROGRESS,
        { 0 },
};
static const struct cli_option decommission_options[] = {
        OPT_NO_REBALANCE,
        { 0, "rm-data", NULL, "remove what the node stores, once it has moved", CLI_NOTHING },
        { 0, "keep-config", NULL, "keep its settings, so that it can join again", CLI_NOTHING },
        { 0, "no-shutdown", NULL, "let the process run on", CLI_NOTHING },
        { 'f', "force", NULL, "do not ask", CLI_NOTHING },
        { 'w', "wait", NULL, "wait until all objects are where they belong", CLI_NOTHING },
        OPT_PROGRESS,
        { 0 },
};
static const struct cli_option cluster_remove_options[] = {
        { 0, "lost", NULL, "its disks are lost: what only it stores is given up", CLI_NOTHING },
        { 'f', "force", NULL, "do not ask", CLI_NOTHING },
        { 0 },
};
static const struct cli_option shutdown_options[] = {
        { 'f', "force", NULL, "do not ask", CLI_NOTHING },
        { 'w', "wait", NULL, "wait until all objects of the node have moved", CLI_NOTHING },
        OPT_PROGRESS,
        { 0 },
};
static const struct cli_option control_options[] = {
        { 0, "yes", NULL, "recover: the other voters are lost for good", CLI_NOTHING },
        { 0 },
};
static const struct cli_option log_options[] = {
        { 0, "severity", "LEVEL", "info, warning or error and above", CLI_NOTHING },
        { 'f', "follow", NULL, "go on as the log grows", CLI_NOTHING },
        { 0 },
};
static const struct cli_option fsck_options[] = {
        { 0, "repair", NULL, "mend what can be mended without loss", CLI_NOTHING },
        { 0, "rebuild", NULL, "make the records anew out of what contents say of themselves", CLI_NOTHING },
        { 0 },
};

static const struct cli_command commands[] = {
        { .name = "ls", .synopsis = "[URI...]", .summary = "list buckets, or objects of a bucket",
          .details = "Without URI lists buckets; with one, objects whose name begins with it, one level unless -r: deeper names appear as\n"
                     "directories that end in \"/\". Objects come in order of their names and are printed as they arrive.",
          .examples = "  orlop ls\n  orlop ls ais://data/train/ -l\n  orlop ls ais://data -r --json | wc -l\n  orlop ls ais://data --summary",
          .options = ls_options, .max_args = 1000, .complete = CLI_URI, .run = cli__run_ls },
        { .name = "put", .synopsis = "FILE|DIR|- ... URI", .summary = "store files as objects",
          .details = "A URI that names a bucket or ends in \"/\" gets the file's own name added; a directory (-r) stores every file below it under its\n"
                     "path there. \"-\" is standard input. What was stored is compared with what was sent. Ends with a summary: objects, bytes, rate,\n"
                     "latency of single objects.",
          .examples = "  orlop put model.bin ais://data/models/\n  orlop put -r ./train ais://data/train\n  tar c . | orlop put - ais://data/all.tar",
          .options = put_options, .min_args = 2, .max_args = 100000, .complete = CLI_FILE, .run = cli__run_put },
        { .name = "get", .synopsis = "URI [FILE|DIR|-]", .summary = "read objects into files",
          .details = "Without destination the file goes to the current directory. With -r every object whose name begins with the URI is stored below the\n"
                     "directory; the part of the URI up to its last \"/\" is not repeated there. A file appears under its name only when it is whole and\n"
                     "equals its checksum.",
          .examples = "  orlop get ais://data/models/model.bin\n  orlop get -r ais://data/train/ ./train\n  orlop get ais://data/log --range -1000 -",
          .options = get_options, .min_args = 1, .max_args = 2, .complete = CLI_URI, .run = cli__run_get },
        { .name = "cat", .synopsis = "URI...", .summary = "write objects to standard output",
          .details = "Content that differs from its checksum ends with exit code 1, after its bytes were written.",
          .options = cat_options, .min_args = 1, .max_args = 100000, .complete = CLI_URI, .run = cli__run_cat },
        { .name = "rm", .synopsis = "URI...", .summary = "remove objects",
          .details = "With -r removes every object whose name begins with the URI: \"ais://data/train/\" is a directory, \"ais://data\" the whole content.",
          .options = rm_options, .min_args = 1, .max_args = 100000, .complete = CLI_URI, .run = cli__run_rm },
        { .name = "cp", .synopsis = "SOURCE... DESTINATION", .summary = "copy objects or files",
          .details = "Copies inside the cluster when both sides are URIs, otherwise as put and get do. URIs need their scheme here.",
          .examples = "  orlop cp ais://data/a ais://backup/a\n  orlop cp -r ais://data/train/ ais://backup/train/\n  orlop cp *.jpg ais://data/pictures/",
          .options = cp_options, .min_args = 2, .max_args = 100000, .complete = CLI_FILE, .run = cli__run_cp },
        { .name = "mv", .synopsis = "SOURCE... DESTINATION", .summary = "rename or move objects or files",
          .details = "As cp, and removes each source once its copy is stored and checked. Inside one bucket objects are renamed.",
          .options = cp_options, .min_args = 2, .max_args = 100000, .complete = CLI_FILE, .run = cli__run_mv },
        { .name = "head", .alias = "stat", .synopsis = "URI...", .summary = "show facts of objects", .min_args = 1, .max_args = 100000,
          .complete = CLI_URI, .run = cli__run_head },
        { .name = "append", .synopsis = "FILE|- URI", .summary = "append a file to an object, creating it if absent", .min_args = 2, .max_args = 2,
          .complete = CLI_FILE, .run = cli__run_append },
        { .name = "promote", .synopsis = "PATH URI", .summary = "store files that lie on the storage node itself",
          .details = "PATH is absolute on the server. The server accepts only directories that its configuration allows.",
          .options = promote_options, .min_args = 2, .max_args = 2, .complete = CLI_FILE, .run = cli__run_promote },
        { .name = "bucket create", .alias = "mb", .synopsis = "BUCKET...", .summary = "create buckets",
          .examples = "  orlop bucket create ais://data\n  orlop bucket create scratch -p versioning.enabled=false", .options = create_options, .min_args = 1,
          .max_args = 1000, .complete = CLI_BUCKET, .run = cli__run_bucket_create },
        { .name = "bucket rm", .alias = "rb", .synopsis = "BUCKET...", .summary = "remove buckets", .options = bucket_rm_options, .min_args = 1,
          .max_args = 1000, .complete = CLI_BUCKET, .run = cli__run_bucket_rm },
        { .name = "bucket mv", .synopsis = "BUCKET NEW-NAME", .summary = "rename a bucket", .options = wait_options, .min_args = 2, .max_args = 2,
          .complete = CLI_BUCKET, .run = cli__run_bucket_mv },
        { .name = "bucket cp", .synopsis = "BUCKET DESTINATION", .summary = "copy a bucket by a job of the cluster", .options = bucket_cp_options,
          .min_args = 2, .max_args = 2, .complete = CLI_BUCKET, .run = cli__run_bucket_cp },
        { .name = "bucket ls", .synopsis = "[PROVIDER://]", .summary = "list buckets", .options = bucket_ls_options, .max_args = 1,
          .run = cli__run_bucket_ls },
        { .name = "bucket head", .synopsis = "BUCKET", .summary = "count objects and bytes of a bucket", .min_args = 1, .max_args = 1,
          .complete = CLI_BUCKET, .run = cli__run_bucket_head },
        { .name = "bucket props show", .synopsis = "BUCKET [SECTION]", .summary = "show properties", .min_args = 1, .max_args = 2,
          .complete = CLI_BUCKET, .run = cli__run_props_show },
        { .name = "bucket props set", .synopsis = "BUCKET KEY=VALUE...", .summary = "change properties",
          .examples = "  orlop bucket props set ais://data checksum.type=sha256 versioning.enabled=false", .options = wait_options, .min_args = 2,
          .max_args = 100, .complete = CLI_BUCKET, .run = cli__run_props_set },
        { .name = "bucket props reset", .synopsis = "BUCKET", .summary = "set all properties to the cluster's defaults", .min_args = 1, .max_args = 1,
          .complete = CLI_BUCKET, .run = cli__run_props_reset },
        { .name = "status", .synopsis = "", .summary = "show health, nodes, capacity and uptime of the cluster", .run = cli__run_status },
        { .name = "cluster show", .synopsis = "", .summary = "show nodes, primary, and whether all objects are where they belong", .run = cli__run_cluster_show },
        { .name = "cluster nodes", .synopsis = "", .summary = "list nodes, those that are down too", .run = cli__run_cluster_nodes },
        { .name = "cluster token", .synopsis = "", .summary = "make a token with which new nodes join",
          .details = "Whoever has the token can join the cluster and then sees all that it stores: treat it as a password.",
          .examples = "  orlopd --cluster-listen 10.0.0.2:9080 --join $(orlop cluster token) /data", .options = token_options, .run = cli__run_token },
        { .name = "cluster join-help", .synopsis = "", .summary = "make a token and print how a new node joins with it", .options = token_options,
          .run = cli__run_join_help },
        { .name = "cluster maintenance start", .synopsis = "NODE...", .summary = "move objects away from nodes, which stay in the cluster",
          .details = "A storage node in maintenance gets no requests for objects; its objects move to the others. Stop it only when it is empty (--wait).",
          .options = maintenance_options, .min_args = 1, .max_args = 100, .run = cli__run_maintenance },
        { .name = "cluster maintenance stop", .synopsis = "NODE...", .summary = "take nodes back into service", .options = maintenance_options, .min_args = 1,
          .max_args = 100, .run = cli__run_maintenance },
        { .name = "cluster decommission", .synopsis = "NODE...", .summary = "move objects away from nodes, then let them leave for good",
          .options = decommission_options, .min_args = 1, .max_args = 100, .run = cli__run_decommission },
        { .name = "cluster remove", .synopsis = "NODE", .summary = "forget a node that does not come back",
          .details = "Refused while it may store what no other node has, unless --lost is given: then that is given up.", .options = cluster_remove_options,
          .min_args = 1, .max_args = 1, .run = cli__run_cluster_remove },
        { .name = "cluster shutdown", .synopsis = "[NODE...]", .summary = "stop all nodes, or some after their objects have moved",
          .options = shutdown_options, .max_args = 100, .run = cli__run_cluster_shutdown },
        { .name = "cluster primary", .synopsis = "", .summary = "show the primary", .run = cli__run_primary },
        { .name = "cluster primary set", .synopsis = "NODE", .summary = "make another proxy the primary", .min_args = 1, .max_args = 1,
          .run = cli__run_primary_set },
        { .name = "cluster rebalance status", .synopsis = "", .summary = "show how far objects have moved", .options = moving_options,
          .run = cli__run_rebalance_status },
        { .name = "cluster rebalance start", .synopsis = "", .summary = "move objects to where they belong", .options = moving_options,
          .run = cli__run_rebalance_start },
        { .name = "cluster rebalance stop", .synopsis = "", .summary = "stop moving objects; they stay reachable", .run = cli__run_rebalance_stop },
        { .name = "config show", .synopsis = "[SECTION]", .summary = "show the configuration", .options = node_options, .max_args = 1,
          .run = cli__run_config_show },
        { .name = "config set", .synopsis = "KEY=VALUE...", .summary = "change the configuration",
          .examples = "  orlop config set checksum.type=crc32c log.level=4", .options = config_set_options, .min_args = 1, .max_args = 100,
          .run = cli__run_config_set },
        { .name = "config reset", .synopsis = "", .summary = "go back to the configuration that the cluster started with", .options = node_options,
          .run = cli__run_config_reset },
        { .name = "mountpath ls", .synopsis = "", .summary = "list the disks of storage nodes", .options = node_options, .run = cli__run_mountpath_ls },
        { .name = "mountpath attach", .synopsis = "PATH", .summary = "add a disk", .options = node_options, .min_args = 1, .max_args = 1,
          .complete = CLI_DIR, .run = cli__run_mountpath_change },
        { .name = "mountpath detach", .synopsis = "PATH", .summary = "take a disk away", .options = node_options, .min_args = 1, .max_args = 1,
          .complete = CLI_DIR, .run = cli__run_mountpath_change },
        { .name = "mountpath enable", .synopsis = "PATH", .summary = "use a disabled disk again", .options = node_options, .min_args = 1,
          .max_args = 1, .complete = CLI_DIR, .run = cli__run_mountpath_change },
        { .name = "mountpath disable", .synopsis = "PATH", .summary = "stop using a disk", .options = node_options, .min_args = 1, .max_args = 1,
          .complete = CLI_DIR, .run = cli__run_mountpath_change },
        { .name = "job ls", .synopsis = "", .summary = "list jobs", .options = job_ls_options, .run = cli__run_job_ls },
        { .name = "job show", .synopsis = "ID", .summary = "show one job", .options = job_ls_options, .min_args = 1, .max_args = 1,
          .run = cli__run_job_show },
        { .name = "job wait", .synopsis = "ID", .summary = "wait until a job has ended; --timeout bounds it", .min_args = 1, .max_args = 1,
          .run = cli__run_job_wait },
        { .name = "job stop", .synopsis = "ID | --kind KIND", .summary = "ask a job to end", .options = job_stop_options, .max_args = 1,
          .run = cli__run_job_stop },
        { .name = "job start", .synopsis = "KIND [BUCKET]", .summary = "start a job of the cluster (resilver, lru, cleanup, …)", .options = job_start_options,
          .min_args = 1, .max_args = 2, .run = cli__run_job_start },
        { .name = "log", .synopsis = "[NODE]", .summary = "show a node's log", .options = log_options, .max_args = 1, .run = cli__run_log },
        { .name = "fsck", .synopsis = "DIR...", .summary = "check the directories of a stopped node",
          .details = "Runs the check of orlopd, which must be installed too. Nothing is changed without --repair or --rebuild.\n"
                     "Exit codes are its own: 0 clean or all repaired, 1 something is corrupt or missing, 2 the check could not be done.",
          .options = fsck_options,
          .min_args = 1, .max_args = 1000, .complete = CLI_DIR, .offline = true, .run = cli__run_fsck },
        { .name = "control inspect", .synopsis = "STATE-DIR", .summary = "show the ordered state of a stopped voter", .options = control_options,
          .min_args = 1, .max_args = 1, .complete = CLI_DIR, .offline = true, .run = cli__run_control },
        { .name = "control export", .synopsis = "STATE-DIR", .summary = "print all documents of a stopped voter, one JSON document per line",
          .options = control_options, .min_args = 1, .max_args = 1, .complete = CLI_DIR, .offline = true, .run = cli__run_control },
        { .name = "control recover", .synopsis = "STATE-DIR", .summary = "make a stopped voter the only one, when the majority is lost for good",
          .details = "The directory is copied first. All other voters must be stopped and never be started again with their old directories; they join\n"
                     "anew. What only they knew is lost. Without --yes it only says what it would do.",
          .options = control_options, .min_args = 1, .max_args = 1, .complete = CLI_DIR, .offline = true, .run = cli__run_control },
        { .name = "completion", .synopsis = "bash|zsh|fish", .summary = "print a completion script",
          .examples = "  source <(orlop completion bash)\n  orlop completion fish > ~/.config/fish/completions/orlop.fish", .min_args = 1, .max_args = 1,
          .offline = true, .run = cli__run_completion },
        { .name = "man", .synopsis = "", .summary = "print the manual page", .examples = "  orlop man | man -l -", .offline = true, .run = cli__run_man },
        { .name = "version", .synopsis = "", .summary = "print the version", .offline = true, .run = cli__run_version },
};

const struct cli_command *cli_commands(unsigned *ret_n)
{
        *ret_n = ARRAY_LEN(commands);
        return commands;
}
