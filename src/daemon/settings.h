/* daemon/settings.h: how one process is started: flags over environment over a JSON file over defaults, all from one table.
 * Plain values; made once on the main thread before anything else runs. */
#ifndef ORLOP_DAEMON_SETTINGS_H
#define ORLOP_DAEMON_SETTINGS_H

#include <stdio.h>

#include "base/arena.h"
#include "base/json.h"

#define SETTINGS_DIRS_MAX 64

struct settings {
        struct arena arena; /* owns all texts */
        struct str config;  /* path of the JSON file, if any */
        struct str listen, public_url, s3_listen, s3_keys, state, tls_cert, tls_key, log_level, log_format, log_dir, loops, memory, cache_size,
                cluster_listen, cluster_url, role, join, feature_level, local_config, daemon_id, ntargets;
        bool insecure, init, non_electable, skip_startup, help, version;
        struct str dirs[SETTINGS_DIRS_MAX];
        unsigned ndirs;
        json_t *cluster; /* "cluster": first values of the cluster's configuration (wire names); null if none */
};

/* Reads everything. ERR_INVALID names the flag, variable or file and what is wrong with it. *s must be zero; settings_fini() in any case. */
MUST_CHECK struct err *settings_read(struct settings *s, int argc, char **argv);
/* One more directory to store in; copied. ERR_INVALID when there are too many. */
MUST_CHECK struct err *settings_add_dir(struct settings *s, struct str dir);
/* Frees. */
void settings_fini(struct settings *s);
/* Prints usage, made from the table. */
void settings_usage(FILE *f);

#endif
