/* meta/config_table.h: every option of the cluster's configuration, in the order of the wire's document.
 *
 *   X(NAME, path, type, default, min, max, words, flags)
 *
 * NAME gives CONFIG_O_NAME; type is one of CONFIG_type (meta/config.h); min and max bound numbers (sizes in bytes,
 * durations in ns); words are the values that a text may take, separated by '|', or NULL. Flags (meta/option.h):
 *   F_C     cluster-wide only                   F_R     needs a restart
 *   F_Z     zero stands for the default         F_OFF   zero is allowed below min
 *   F_NEG   so are negative values              F_OMIT  left out of documents when empty
 *   F_RO    visible, refused as "readonly"      F_OWN   set by the cluster itself, unknown to clients
 *   F_SECRET  censored in documents             F_LIST  a list of texts
 *   F_DOC   an object of any shape
 * Source: the wire's cluster configuration. Its sections "distributed_sort" and "tracing" are optional: absent here. */
#ifndef ORLOP_META_CONFIG_TABLE_H
#define ORLOP_META_CONFIG_TABLE_H

/* clang-format off */
#define CONFIG_TABLE(X)                                                                                                \
        X(WRITE_POLICY_DATA, "write_policy.data", STR, "immediate", 0, 0, "immediate", 0)                              \
        X(WRITE_POLICY_MD, "write_policy.md", STR, "immediate", 0, 0, "immediate|delayed|never", 0)                    \
        X(CHECKSUM_TYPE, "checksum.type", STR, "xxhash2", 0, 0, "crc32c|md5|sha256|sha512|xxhash|xxhash2|none", F_C)   \
        X(CHECKSUM_VALIDATE_COLD_GET, "checksum.validate_cold_get", BOOL, "false", 0, 0, NULL, F_C)                    \
        X(CHECKSUM_VALIDATE_WARM_GET, "checksum.validate_warm_get", BOOL, "false", 0, 0, NULL, F_C)                    \
        X(CHECKSUM_VALIDATE_OBJ_MOVE, "checksum.validate_obj_move", BOOL, "false", 0, 0, NULL, F_C)                    \
        X(CHECKSUM_ENABLE_READ_RANGE, "checksum.enable_read_range", BOOL, "false", 0, 0, NULL, F_C)                    \
        X(TCB_COMPRESSION, "tcb.compression", STR, "never", 0, 0, "never|always", F_C)                                 \
        X(TCB_BUNDLE_MULTIPLIER, "tcb.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                            \
        X(TCB_BURST_BUFFER, "tcb.burst_buffer", INT, "512", 32, 10000, NULL, F_C | F_Z)                                \
        X(TCO_COMPRESSION, "tco.compression", STR, "never", 0, 0, "never|always", F_C)                                 \
        X(TCO_BUNDLE_MULTIPLIER, "tco.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                            \
        X(TCO_BURST_BUFFER, "tco.burst_buffer", INT, "512", 32, 10000, NULL, F_C | F_Z)                                \
        X(ARCH_COMPRESSION, "arch.compression", STR, "never", 0, 0, "never|always", F_C)                               \
        X(ARCH_BUNDLE_MULTIPLIER, "arch.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                          \
        X(ARCH_BURST_BUFFER, "arch.burst_buffer", INT, "512", 32, 10000, NULL, F_C | F_Z)                              \
        X(LSO_COMPRESSION, "lso.compression", STR, "never", 0, 0, "never|always", F_C)                                 \
        X(LSO_BUNDLE_MULTIPLIER, "lso.bundle_multiplier", INT, "1", 1, 16, NULL, F_C | F_Z)                            \
        X(LSO_BURST_BUFFER, "lso.burst_buffer", INT, "32", 32, 10000, NULL, F_C | F_Z)                                 \
        X(LSO_WALK_BUFFER, "lso.walk_buffer", INT, "128", 16, 4096, NULL, F_C | F_Z)                                   \
        X(LSO_IDLE_TIME, "lso.idle_time", DURATION, "20s", SECS(5), MINS(10), NULL, F_C | F_Z)                         \
        X(LSO_QUIESCENT, "lso.quiescent", DURATION, "5s", SECS(2), MINS(1), NULL, F_C | F_Z)                           \
        X(RATE_LIMIT_BACKEND_PER_OP_MAX_TOKENS, "rate_limit.backend.per_op_max_tokens", STR, "", 0, 0, NULL, F_OMIT)   \
        X(RATE_LIMIT_BACKEND_INTERVAL, "rate_limit.backend.interval", DURATION, "1m", SECS(1), MINS(60), NULL, F_Z)    \
        X(RATE_LIMIT_BACKEND_MAX_TOKENS, "rate_limit.backend.max_tokens", INT, "1000", 1, INT32_MAX - 1, NULL, F_Z)    \
        X(RATE_LIMIT_BACKEND_ENABLED, "rate_limit.backend.enabled", BOOL, "false", 0, 0, NULL, 0)                      \
        X(RATE_LIMIT_BACKEND_NUM_RETRIES, "rate_limit.backend.num_retries", INT, "3", 1, 10, NULL, F_Z)                \
        X(RATE_LIMIT_FRONTEND_PER_OP_MAX_TOKENS, "rate_limit.frontend.per_op_max_tokens", STR, "", 0, 0,               \
          NULL, F_OMIT)                                                                                                \
        X(RATE_LIMIT_FRONTEND_INTERVAL, "rate_limit.frontend.interval", DURATION, "1m", SECS(1), MINS(60),             \
          NULL, F_Z)                                                                                                   \
        X(RATE_LIMIT_FRONTEND_MAX_TOKENS, "rate_limit.frontend.max_tokens", INT, "1000", 1, INT32_MAX - 1,             \
          NULL, F_Z)                                                                                                   \
        X(RATE_LIMIT_FRONTEND_ENABLED, "rate_limit.frontend.enabled", BOOL, "false", 0, 0, NULL, 0)                    \
        X(RATE_LIMIT_FRONTEND_BURST_SIZE, "rate_limit.frontend.burst_size", INT, "375", 1, INT32_MAX, NULL, F_Z)       \
        X(KEEPALIVETRACKER_PROXY_NAME, "keepalivetracker.proxy.name", STR, "heartbeat", 0, 0, "heartbeat", F_RO)       \
        X(KEEPALIVETRACKER_PROXY_INTERVAL, "keepalivetracker.proxy.interval", DURATION, "10s", SECS(1), MINS(1),       \
          NULL, F_Z)                                                                                                   \
        X(KEEPALIVETRACKER_PROXY_FACTOR, "keepalivetracker.proxy.factor", INT, "3", 1, 10, NULL, F_Z)                  \
        X(KEEPALIVETRACKER_TARGET_NAME, "keepalivetracker.target.name", STR, "heartbeat", 0, 0, "heartbeat", F_RO)     \
        X(KEEPALIVETRACKER_TARGET_INTERVAL, "keepalivetracker.target.interval", DURATION, "10s", SECS(1), MINS(1),     \
          NULL, F_Z)                                                                                                   \
        X(KEEPALIVETRACKER_TARGET_FACTOR, "keepalivetracker.target.factor", INT, "3", 1, 10, NULL, F_Z)                \
        X(KEEPALIVETRACKER_NUM_RETRIES, "keepalivetracker.num_retries", INT, "3", 1, 10, NULL, F_Z)                    \
        X(KEEPALIVETRACKER_RETRY_FACTOR, "keepalivetracker.retry_factor", INT, "4", 1, 10, NULL, F_Z)                  \
        X(REBALANCE_COMPRESSION, "rebalance.compression", STR, "never", 0, 0, "never|always", F_C)                     \
        X(REBALANCE_BUNDLE_MULTIPLIER, "rebalance.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                \
        X(REBALANCE_BURST_BUFFER, "rebalance.burst_buffer", INT, "1024", 32, 10000, NULL, F_C | F_Z)                   \
        X(REBALANCE_DEST_RETRY_TIME, "rebalance.dest_retry_time", DURATION, "2m", SECS(1), MINS(10),                   \
          NULL, F_C | F_Z)                                                                                             \
        X(REBALANCE_ENABLED, "rebalance.enabled", BOOL, "true", 0, 0, NULL, F_C)                                       \
        X(LOG_LEVEL, "log.level", STR, "3", 0, 0, NULL, 0)                                                             \
        X(LOG_MAX_SIZE, "log.max_size", SIZE, "64MiB", KIB(1), GIB(1), NULL, F_Z)                                      \
        X(LOG_MAX_TOTAL, "log.max_total", SIZE, "512MiB", MIB(1), GIB(10), NULL, F_Z)                                  \
        X(LOG_FLUSH_TIME, "log.flush_time", DURATION, "1m", 1, MINS(60), NULL, F_Z)                                    \
        X(LOG_STATS_TIME, "log.stats_time", DURATION, "3m", 1, MINS(10), NULL, F_Z)                                    \
        X(LOG_TO_STDERR, "log.to_stderr", BOOL, "false", 0, 0, NULL, 0)                                                \
        X(EC_COMPRESSION, "ec.compression", STR, "never", 0, 0, "never|always", F_C)                                   \
        X(EC_BUNDLE_MULTIPLIER, "ec.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                              \
        X(EC_BURST_BUFFER, "ec.burst_buffer", INT, "512", 32, 10000, NULL, F_C | F_Z)                                  \
        X(EC_OBJSIZE_LIMIT, "ec.objsize_limit", INT, "262144", -1, INT64_MAX, NULL, F_C)                               \
        X(EC_DATA_SLICES, "ec.data_slices", INT, "2", 1, 32, NULL, F_C | F_Z)                                          \
        X(EC_PARITY_SLICES, "ec.parity_slices", INT, "2", 1, 32, NULL, F_C | F_Z)                                      \
        X(EC_ENABLED, "ec.enabled", BOOL, "false", 0, 0, NULL, F_C)                                                    \
        X(EC_DISK_ONLY, "ec.disk_only", BOOL, "false", 0, 0, NULL, F_C)                                                \
        X(GET_BATCH_COMPRESSION, "get_batch.compression", STR, "never", 0, 0, "never|always", F_C)                     \
        X(GET_BATCH_BUNDLE_MULTIPLIER, "get_batch.bundle_multiplier", INT, "2", 1, 16, NULL, F_C | F_Z)                \
        X(GET_BATCH_BURST_BUFFER, "get_batch.burst_buffer", INT, "512", 32, 10000, NULL, F_C | F_Z)                    \
        X(GET_BATCH_MAX_WAIT, "get_batch.max_wait", DURATION, "20s", SECS(1), MINS(1), NULL, F_C | F_Z | F_OMIT)       \
        X(GET_BATCH_WARMUP_WORKERS, "get_batch.warmup_workers", INT, "-1", -1, 10, NULL, F_C | F_Z | F_OMIT)           \
        X(GET_BATCH_MAX_SOFT_ERRS, "get_batch.max_soft_errs", INT, "8", 1, INT32_MAX, NULL, F_C | F_Z | F_OMIT)        \
        X(GET_BATCH_MAX_GFN, "get_batch.max_gfn", INT, "5", -1, INT32_MAX, NULL, F_C | F_Z | F_OMIT)                   \
        X(SPACE_CLEANUPWM, "space.cleanupwm", INT, "65", 1, 100, NULL, 0)                                              \
        X(SPACE_LOWWM, "space.lowwm", INT, "75", 1, 100, NULL, 0)                                                      \
        X(SPACE_HIGHWM, "space.highwm", INT, "90", 1, 100, NULL, 0)                                                    \
        X(SPACE_OUT_OF_SPACE, "space.out_of_space", INT, "95", 1, 100, NULL, 0)                                        \
        X(SPACE_BATCH_SIZE, "space.batch_size", INT, "32768", 1024, 524288, NULL, F_Z | F_OMIT)                        \
        X(SPACE_DONT_CLEANUP_TIME, "space.dont_cleanup_time", DURATION, "2h0m", MINS(15), INT64_MAX,                   \
          NULL, F_Z | F_OMIT)                                                                                          \
        X(TRANSPORT_MAX_HEADER, "transport.max_header", INT, "4096", 512, 131072, NULL, F_C | F_Z)                     \
        X(TRANSPORT_BURST_BUFFER, "transport.burst_buffer", INT, "1024", 256, 4096, NULL, F_C | F_Z)                   \
        X(TRANSPORT_IDLE_TEARDOWN, "transport.idle_teardown", DURATION, "4s", SECS(1), INT64_MAX, NULL, F_C | F_Z)     \
        X(TRANSPORT_QUIESCENT, "transport.quiescent", DURATION, "10s", SECS(8), INT64_MAX, NULL, F_C | F_Z)            \
        X(TRANSPORT_LZ4_BLOCK, "transport.lz4_block", SIZE, "256KiB", KIB(64), MIB(4), NULL, F_C | F_Z)                \
        X(TRANSPORT_LZ4_FRAME_CHECKSUM, "transport.lz4_frame_checksum", BOOL, "false", 0, 0, NULL, F_C)                \
        X(DISK_DISK_UTIL_LOW_WM, "disk.disk_util_low_wm", INT, "20", 1, 100, NULL, 0)                                  \
        X(DISK_DISK_UTIL_HIGH_WM, "disk.disk_util_high_wm", INT, "80", 1, 100, NULL, 0)                                \
        X(DISK_DISK_UTIL_MAX_WM, "disk.disk_util_max_wm", INT, "95", 1, 100, NULL, 0)                                  \
        X(DISK_IOSTAT_TIME_LONG, "disk.iostat_time_long", DURATION, "2s", SECS(2), MINS(1), NULL, F_Z)                 \
        X(DISK_IOSTAT_TIME_SHORT, "disk.iostat_time_short", DURATION, "100ms", MSECS(1), MINS(1), NULL, F_Z)           \
        X(DISK_IOSTAT_TIME_SMOOTH, "disk.iostat_time_smooth", DURATION, "8s", 1, MINS(10), NULL, F_Z | F_OMIT)         \
        X(FSHC_TEST_FILES, "fshc.test_files", INT, "4", 4, INT32_MAX, NULL, F_Z)                                       \
        X(FSHC_ERROR_LIMIT, "fshc.error_limit", INT, "2", 2, INT32_MAX, NULL, F_Z)                                     \
        X(FSHC_IO_ERR_LIMIT, "fshc.io_err_limit", INT, "10", 10, INT32_MAX, NULL, F_Z | F_OMIT)                        \
        X(FSHC_IO_ERR_TIME, "fshc.io_err_time", DURATION, "10s", SECS(10), MINS(1), NULL, F_Z | F_OMIT)                \
        X(FSHC_ENABLED, "fshc.enabled", BOOL, "true", 0, 0, NULL, 0)                                                   \
        X(CHUNKS_OBJSIZE_LIMIT, "chunks.objsize_limit", SIZE, "0B", 0, TIB(1), NULL, F_C)                              \
        X(CHUNKS_MAX_MONOLITHIC_SIZE, "chunks.max_monolithic_size", SIZE, "1TiB", GIB(1), TIB(1),                      \
          NULL, F_C | F_Z | F_OMIT)                                                                                    \
        X(CHUNKS_CHUNK_SIZE, "chunks.chunk_size", SIZE, "1GiB", KIB(1), GIB(5), NULL, F_C | F_Z | F_OMIT)              \
        X(CHUNKS_CHECKPOINT_EVERY, "chunks.checkpoint_every", INT, "0", 0, 1024, NULL, F_C | F_OMIT)                   \
        X(CHUNKS_FLAGS, "chunks.flags", INT, "0", 0, INT64_MAX, NULL, F_C | F_OMIT)                                    \
        X(LRU_DONT_EVICT_TIME, "lru.dont_evict_time", DURATION, "2h0m", MINS(60), INT64_MAX, NULL, F_Z)                \
        X(LRU_CAPACITY_UPD_TIME, "lru.capacity_upd_time", DURATION, "10m", SECS(10), INT64_MAX, NULL, F_Z)             \
        X(LRU_BATCH_SIZE, "lru.batch_size", INT, "32768", 1024, 524288, NULL, F_Z | F_OMIT)                            \
        X(LRU_ENABLED, "lru.enabled", BOOL, "false", 0, 0, NULL, 0)                                                    \
        X(MIRROR_COPIES, "mirror.copies", INT, "2", 2, 32, NULL, F_C | F_Z)                                            \
        X(MIRROR_BURST_BUFFER, "mirror.burst_buffer", INT, "512", 1, INT32_MAX, NULL, F_C | F_Z)                       \
        X(MIRROR_ENABLED, "mirror.enabled", BOOL, "false", 0, 0, NULL, F_C)                                            \
        X(PERIODIC_STATS_TIME, "periodic.stats_time", DURATION, "10s", SECS(1), MINS(1), NULL, F_C | F_Z)              \
        X(PERIODIC_RETRY_SYNC_TIME, "periodic.retry_sync_time", DURATION, "2s", MSECS(10), SECS(10),                   \
          NULL, F_C | F_Z)                                                                                             \
        X(PERIODIC_NOTIF_TIME, "periodic.notif_time", DURATION, "30s", SECS(1), MINS(1), NULL, F_C | F_Z)              \
        X(CLIENT_CLIENT_TIMEOUT, "client.client_timeout", DURATION, "10s", SECS(1), MINS(30), NULL, F_Z)               \
        X(CLIENT_CLIENT_LONG_TIMEOUT, "client.client_long_timeout", DURATION, "5m", SECS(1), MINS(30), NULL, F_Z)      \
        X(CLIENT_LIST_TIMEOUT, "client.list_timeout", DURATION, "5m", SECS(1), MINS(30), NULL, F_Z)                    \
        X(DOWNLOADER_TIMEOUT, "downloader.timeout", DURATION, "1h0m", SECS(1), MINS(60), NULL, F_Z)                    \
        X(AUTH_SIGNATURE_KEY, "auth.signature.key", STR, "", 0, 0, NULL, F_C | F_OMIT | F_SECRET)                      \
        X(AUTH_SIGNATURE_METHOD, "auth.signature.method", STR, "", 0, 0,                                               \
          "|HMAC|HS256|HS384|HS512|RSA|RS256|RS384|RS512", F_C | F_OMIT)                                               \
        X(AUTH_REQUIRED_CLAIMS_AUD, "auth.required_claims.aud", JSON, "", 0, 0, NULL, F_C | F_OMIT | F_LIST)           \
        X(AUTH_OIDC_ALLOWED_ISS, "auth.oidc.allowed_iss", JSON, "", 0, 0, NULL, F_C | F_OMIT | F_LIST)                 \
        X(AUTH_OIDC_ISSUER_CA_BUNDLE, "auth.oidc.issuer_ca_bundle", STR, "", 0, 0, NULL, F_C | F_OMIT)                 \
        X(AUTH_OIDC_JWKS_CACHE_MIN_ROTATION_REFRESH, "auth.oidc.jwks_cache.min_rotation_refresh",                      \
          DURATION, "0s", SECS(1), INT64_MAX,                                                                          \
          NULL, F_C | F_OMIT | F_OFF)                                                                                  \
        X(AUTH_OIDC_JWKS_CACHE_MIN_BACKGROUND_REFRESH, "auth.oidc.jwks_cache.min_background_refresh",                  \
          DURATION, "0s", MINS(5), INT64_MAX,                                                                          \
          NULL, F_C | F_OMIT | F_OFF)                                                                                  \
        X(AUTH_INTRA_CLUSTER_NODE_JOIN_SECRET_PATH, "auth.intra_cluster.node_join_secret_path", STR, "", 0, 0,         \
          NULL, F_C | F_OMIT)                                                                                          \
        X(AUTH_INTRA_CLUSTER_TTL, "auth.intra_cluster.ttl", DURATION, "0s", MINS(60), INT64_MAX,                       \
          NULL, F_C | F_OMIT | F_OFF)                                                                                  \
        X(AUTH_INTRA_CLUSTER_NONCE_WINDOW, "auth.intra_cluster.nonce_window", DURATION, "0s", 1, MINS(10),             \
          NULL, F_C | F_OMIT | F_OFF)                                                                                  \
        X(AUTH_INTRA_CLUSTER_ROTATION_GRACE, "auth.intra_cluster.rotation_grace", DURATION, "0s", 1, MINS(60),         \
          NULL, F_C | F_OMIT | F_OFF)                                                                                  \
        X(AUTH_INTRA_CLUSTER_REQUEST_AUTH, "auth.intra_cluster.request_auth", BOOL, "false", 0, 0,                     \
          NULL, F_C | F_OMIT)                                                                                          \
        X(AUTH_CLIENT_AUTH_REQUIRED, "auth.client_auth_required", BOOL, "false", 0, 0, NULL, F_C)                      \
        X(BACKEND, "backend", JSON, "{}", 0, 0, NULL, F_C | F_DOC)                                                     \
        X(UUID, "uuid", STR, "", 0, 0, NULL, F_OWN)                                                                    \
        X(LASTUPDATE_TIME, "lastupdate_time", STR, "", 0, 0, NULL, F_OWN)                                              \
        X(PROXY_PRIMARY_URL, "proxy.primary_url", STR, "", 0, 0, NULL, F_C | F_OWN)                                    \
        X(PROXY_ORIGINAL_URL, "proxy.original_url", STR, "", 0, 0, NULL, F_C | F_OWN)                                  \
        X(PROXY_DISCOVERY_URL, "proxy.discovery_url", STR, "", 0, 0, NULL, F_C | F_OWN)                                \
        X(PROXY_NON_ELECTABLE, "proxy.non_electable", BOOL, "false", 0, 0, NULL, F_C | F_OWN)                          \
        X(NET_L4_PROTO, "net.l4.proto", STR, "tcp", 0, 0, "tcp", F_C | F_R | F_OWN)                                    \
        X(NET_L4_SNDRCV_BUF_SIZE, "net.l4.sndrcv_buf_size", INT, "131072", 0, INT32_MAX, NULL, F_C | F_R | F_OWN)      \
        X(NET_HTTP_SERVER_CRT, "net.http.server_crt", STR, "", 0, 0, NULL, F_C | F_R)                                  \
        X(NET_HTTP_SERVER_KEY, "net.http.server_key", STR, "", 0, 0, NULL, F_C | F_R)                                  \
        X(NET_HTTP_CLIENT_CA_TLS, "net.http.client_ca_tls", STR, "", 0, 0, NULL, F_C | F_R)                            \
        X(NET_HTTP_CLIENT_AUTH_TLS, "net.http.client_auth_tls", INT, "0", 0, 4, NULL, F_C | F_R)                       \
        X(NET_HTTP_DOMAIN_TLS, "net.http.domain_tls", STR, "", 0, 0, "", F_C | F_R)                                    \
        X(NET_HTTP_IDLE_CONN_TIME, "net.http.idle_conn_time", DURATION, "6s", 1, SECS(30), NULL, F_C | F_R | F_Z)      \
        X(NET_HTTP_BACKEND_IDLE_CONN_TIME, "net.http.backend_idle_conn_time", DURATION, "6s", 1, INT64_MAX,            \
          NULL, F_C | F_R | F_Z)                                                                                       \
        X(NET_HTTP_IDLE_CONNS_PER_HOST, "net.http.idle_conns_per_host", INT, "32", 0, 128, NULL, F_C | F_R)            \
        X(NET_HTTP_IDLE_CONNS, "net.http.idle_conns", INT, "256", 0, 4096, NULL, F_C | F_R)                            \
        X(NET_HTTP_WRITE_BUFFER_SIZE, "net.http.write_buffer_size", INT, "0", 0, INT32_MAX, NULL, F_C | F_R | F_RO)    \
        X(NET_HTTP_READ_BUFFER_SIZE, "net.http.read_buffer_size", INT, "0", 0, INT32_MAX, NULL, F_C | F_R | F_RO)      \
        X(NET_HTTP_USE_HTTPS, "net.http.use_https", BOOL, "false", 0, 0, NULL, F_C | F_R)                              \
        X(NET_HTTP_SKIP_VERIFY, "net.http.skip_verify", BOOL, "false", 0, 0, NULL, F_C | F_R)                          \
        X(NET_HTTP_CHUNKED_TRANSFER, "net.http.chunked_transfer", BOOL, "true", 0, 0, NULL, F_C | F_R)                 \
        X(NET_HTTP_PUB_SERVER_CRT, "net.http.pub.server_crt", STR, "", 0, 0, NULL, F_C | F_R | F_OMIT)                 \
        X(NET_HTTP_PUB_SERVER_KEY, "net.http.pub.server_key", STR, "", 0, 0, NULL, F_C | F_R | F_OMIT)                 \
        X(NET_HTTP_PUB_CLIENT_CA_TLS, "net.http.pub.client_ca_tls", STR, "", 0, 0, NULL, F_C | F_R | F_OMIT)           \
        X(NET_HTTP_PUB_CLIENT_AUTH_TLS, "net.http.pub.client_auth_tls", INT, "0", 0, 4, NULL, F_C | F_R | F_OMIT)      \
        X(NET_USE_IPV6, "net.use_ipv6", BOOL, "false", 0, 0, NULL, F_C | F_R)                                          \
        X(TIMEOUT_CPLANE_OPERATION, "timeout.cplane_operation", DURATION, "2s", MSECS(10), INT64_MAX, NULL, F_R)       \
        X(TIMEOUT_MAX_KEEPALIVE, "timeout.max_keepalive", DURATION, "5s", MSECS(20), INT64_MAX, NULL, F_R)             \
        X(TIMEOUT_MAX_HOST_BUSY, "timeout.max_host_busy", DURATION, "20s", SECS(10), INT64_MAX, NULL, 0)               \
        X(TIMEOUT_STARTUP_TIME, "timeout.startup_time", DURATION, "1m", SECS(30), INT64_MAX, NULL, 0)                  \
        X(TIMEOUT_JOIN_STARTUP_TIME, "timeout.join_startup_time", DURATION, "3m", SECS(60), INT64_MAX, NULL, F_OFF)    \
        X(TIMEOUT_SEND_FILE_TIME, "timeout.send_file_time", DURATION, "5m", MINS(1), INT64_MAX, NULL, 0)               \
        X(TIMEOUT_EC_STREAMS_TIME, "timeout.ec_streams_time", DURATION, "10m", MINS(5), INT64_MAX,                     \
          NULL, F_OMIT | F_OFF | F_NEG)                                                                                \
        X(TIMEOUT_OBJECT_MD, "timeout.object_md", DURATION, "2h0m", MINS(20), MINS(960), NULL, F_OMIT | F_OFF)         \
        X(TIMEOUT_COLD_GET_CONFLICT, "timeout.cold_get_conflict", DURATION, "5s", SECS(1), INT64_MAX,                  \
          NULL, F_OMIT | F_OFF)                                                                                        \
        X(MEMSYS_MIN_FREE, "memsys.min_free", SIZE, "2GiB", MIB(100), INT64_MAX, NULL, F_R | F_OFF)                    \
        X(MEMSYS_DEFAULT_BUF, "memsys.default_buf", SIZE, "32KiB", KIB(4), KIB(128), NULL, F_R | F_OFF)                \
        X(MEMSYS_TO_GC, "memsys.to_gc", SIZE, "4GiB", 0, TIB(1), NULL, F_R)                                            \
        X(MEMSYS_HK_TIME, "memsys.hk_time", DURATION, "3m", 0, MINS(60), NULL, F_R)                                    \
        X(MEMSYS_MIN_PCT_TOTAL, "memsys.min_pct_total", INT, "0", 0, 95, NULL, F_R)                                    \
        X(MEMSYS_MIN_PCT_FREE, "memsys.min_pct_free", INT, "0", 0, 95, NULL, F_R)                                      \
        X(FEATURES, "features", U64S, "0", 0, 0, NULL, F_C)                                                            \
        X(CONFIG_VERSION, "config_version", INTS, "0", 0, INT64_MAX, NULL, F_OWN)                                      \
        X(VERSIONING_ENABLED, "versioning.enabled", BOOL, "true", 0, 0, NULL, F_C)                                     \
        X(VERSIONING_VALIDATE_WARM_GET, "versioning.validate_warm_get", BOOL, "false", 0, 0, NULL, F_C)                \
        X(VERSIONING_SYNCHRONIZE, "versioning.synchronize", BOOL, "false", 0, 0, NULL, F_C)                            \
        X(RESILVER_ENABLED, "resilver.enabled", BOOL, "true", 0, 0, NULL, 0)
/* clang-format on */

#endif
