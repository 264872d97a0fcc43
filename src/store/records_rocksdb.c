/* store/records_rocksdb.c: records.h on RocksDB's C interface (7.8 and 9.x). Nobody else includes it.
 *
 * What the options are for: little memory when idle (memtables grow as they fill, one bounded block cache for all
 * mountpaths), a log that is replayed quickly (at most 64 MiB), and no silent loss: checksums on every read, and a log
 * of which only an end that was never acknowledged may be missing (log_tail.h). RocksDB turns read-only by itself after
 * a failed write or sync of its log; the commit thread above does so too. */
#include "store/records.h"

#include <rocksdb/c.h>

#define LOG_FOLDER "store"
#include "base/hash.h"
#include "base/log.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/thread.h"
#include "store/log_note.h"
#include "store/log_tail.h"

#define MIB ((size_t)1 << 20)
#define GARBAGE_LEAST (64 * MIB)
#define REST_LEAST (2 * MIB)

struct records_env {
        rocksdb_env_t *env;
        rocksdb_cache_t *cache;
};
struct records {
        rocksdb_t *db;
        rocksdb_column_family_handle_t *cf[RECORDS_FAMILIES];
        rocksdb_options_t *options[RECORDS_FAMILIES]; /* the database's are those of RECORDS_META, the default family */
        rocksdb_readoptions_t *read;
        rocksdb_writeoptions_t *write, *write_sync;
        bool collecting; /* garbage of small contents, see records_tend */
        struct mutex write_lock; /* RANK_LEAF: writes and what is known of them: */
        bool synced;             /* all that was written is on stable storage */
        bool sealed;             /* nothing was written since the last seal */
        struct log_noter noter;
        char dir[600];
};
struct records_batch {
        rocksdb_writebatch_t *b;
};
struct records_iter {
        rocksdb_iterator_t *it;
        rocksdb_readoptions_t *read;
        char *lower, *upper; /* RocksDB keeps pointers to the bounds */
};

static const char *const family_names[RECORDS_FAMILIES] = {
        [RECORDS_OBJECTS] = "objects",
        [RECORDS_SMALL] = "small",
        [RECORDS_UPLOADS] = "uploads",
        [RECORDS_META] = "default",
};

/* Debian builds RocksDB for processors without a CRC instruction: its table-driven CRC32C took a sixth of a small
 * write's time (docs/adr/0006-crc32c-of-rocksdb.md). The library calls its function through the dynamic symbol table,
 * so this one, of the same name, type and result, takes its place. A RocksDB without that symbol uses its own. */
uint32_t records__crc32c_extend(uint32_t crc, const char *p, size_t n) __asm__("_ZN7rocksdb6crc32c6ExtendEjPKcm");
uint32_t records__crc32c_extend(uint32_t crc, const char *p, size_t n)
{
        return hash_crc32c(crc, p, n);
}

/* RocksDB reports by text alone; its first words are its status. */
static struct err *engine_error(char *text, const char *dir, const char *doing)
{
        struct str s = str_of(text);
        enum err_code code = ERR_IO;
        if (str_starts(s, STR("Corruption")))
                code = ERR_CORRUPT;
        else if (str_find_str(s, STR("No space left")) >= 0 || str_find_str(s, STR("Disk quota")) >= 0)
                code = ERR_NO_SPACE;
        else if (str_find_str(s, STR("lock ")) >= 0 && str_starts(s, STR("IO error")))
                code = ERR_IN_USE;
        else if (str_find_str(s, STR("create_if_missing is false")) >= 0)
                code = ERR_NOT_FOUND;
        struct err *e = err_new(code, "%s %s: %s", doing, dir, text);
        rocksdb_free(text);
        return e;
}

struct err *records_env_new(size_t cache_bytes, struct records_env **ret)
{
        AUTO_FREE struct records_env *e = calloc(1, sizeof *e);
        if (!e)
                return err_static(ERR_NO_MEMORY);
        e->env = rocksdb_create_default_env();
        rocksdb_env_set_background_threads(e->env, 1);
        rocksdb_env_set_high_priority_background_threads(e->env, 1);
        e->cache = rocksdb_cache_create_lru(cache_bytes ? cache_bytes : 24 * MIB);
        *ret = e;
        e = NULL;
        return NULL;
}

void records_env_free(struct records_env *e)
{
        if (!e)
                return;
        rocksdb_cache_destroy(e->cache);
        rocksdb_env_destroy(e->env);
        free(e);
}

static void set_tables(rocksdb_options_t *o, const struct records_env *e)
{
        rocksdb_block_based_table_options_t *t = rocksdb_block_based_options_create();
        rocksdb_block_based_options_set_block_cache(t, e->cache);
        rocksdb_block_based_options_set_block_size(t, 16 * 1024);
        rocksdb_block_based_options_set_filter_policy(t, rocksdb_filterpolicy_create_bloom_full(10));
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(t, 1); /* their memory is bounded too */
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(t, 1);
        rocksdb_block_based_options_set_format_version(t, 5);
        rocksdb_options_set_block_based_table_factory(o, t);
        rocksdb_block_based_options_destroy(t);
}

static rocksdb_options_t *family_options(const struct records_env *e, enum records_family f)
{
        rocksdb_options_t *o = rocksdb_options_create();
        set_tables(o, e);
        rocksdb_options_set_compression(o, rocksdb_no_compression);
        rocksdb_options_set_max_write_buffer_number(o, 3);
        rocksdb_options_set_level_compaction_dynamic_level_bytes(o, 1);
        switch (f) {
        case RECORDS_OBJECTS:
                rocksdb_options_set_write_buffer_size(o, 16 * MIB);
                rocksdb_options_set_memtable_prefix_bloom_size_ratio(o, 0.02);
                rocksdb_options_set_memtable_whole_key_filtering(
                        o, 1); /* most puts look for an old record that does not exist */
                break;
        case RECORDS_SMALL:
                rocksdb_options_set_write_buffer_size(o, 24 * MIB);
                rocksdb_options_set_enable_blob_files(o, 1); /* compactions move keys, not contents */
                rocksdb_options_set_min_blob_size(o, 512);
                rocksdb_options_set_blob_file_size(o, 128 * MIB);
                rocksdb_options_set_blob_compression_type(o, rocksdb_no_compression);
                rocksdb_options_set_enable_blob_gc(o, 0); /* records_tend decides */
                rocksdb_options_set_blob_gc_age_cutoff(o, 1.0);
                rocksdb_options_set_blob_gc_force_threshold(o, 0.3);
                rocksdb_options_set_blob_compaction_readahead_size(o, MIB / 4);
                rocksdb_options_set_level0_file_num_compaction_trigger(o, 8); /* tables of keys alone are small */
                break;
        default:
                rocksdb_options_set_write_buffer_size(o, 4 * MIB);
                break;
        }
        return o;
}

static struct err *database_options(struct records *r, const struct records_env *e, bool create)
{
        /* A log file that should be there and is not must not pass for an empty one; and a start after a crash need not
         * write out what it read from the log, which keeps it. These options have no call of their own in C. */
        rocksdb_options_t *base = r->options[RECORDS_META], *o = rocksdb_options_create();
        char *text = NULL;
        rocksdb_get_options_from_string(base, "track_and_verify_wals_in_manifest=true;avoid_flush_during_recovery=true", o,
                                        &text);
        if (text) {
                rocksdb_options_destroy(o);
                return engine_error(text, r->dir, "options of");
        }
        rocksdb_options_destroy(base);
        r->options[RECORDS_META] = o;
        rocksdb_options_set_env(o, e->env);
        rocksdb_options_set_create_if_missing(o, create);
        rocksdb_options_set_create_missing_column_families(o, 1);
        rocksdb_options_set_paranoid_checks(o, 1);
        rocksdb_options_set_max_total_wal_size(o, 64 * MIB);
        rocksdb_options_set_max_open_files(o, 256);
        rocksdb_options_set_max_background_jobs(o, 2);
        rocksdb_options_set_max_subcompactions(o, 1);
        rocksdb_options_compaction_readahead_size(o, MIB / 4);
        rocksdb_options_set_bytes_per_sync(o, MIB);
        rocksdb_options_set_skip_stats_update_on_db_open(o, 1);
        rocksdb_options_set_avoid_unnecessary_blocking_io(o, 1);
        rocksdb_options_set_stats_dump_period_sec(o, 0);
        rocksdb_options_set_stats_persist_period_sec(o, 0);
        rocksdb_options_set_info_log_level(o, 2); /* warnings */
        rocksdb_options_set_keep_log_file_num(o, 2);
        rocksdb_options_set_max_log_file_size(o, MIB);
        return NULL;
}

static void free_records(struct records *r)
{
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                if (r->options[f])
                        rocksdb_options_destroy(r->options[f]);
        if (r->read)
                rocksdb_readoptions_destroy(r->read);
        if (r->write)
                rocksdb_writeoptions_destroy(r->write);
        if (r->write_sync)
                rocksdb_writeoptions_destroy(r->write_sync);
        log_noter_fini(&r->noter);
        mutex_fini(&r->write_lock);
        free(r);
}

static struct err *new_records(struct records_env *e, const char *dir, bool create, struct records **ret)
{
        struct records *r = calloc(1, sizeof *r);
        if (!r)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&r->write_lock, "records", RANK_LEAF);
        r->noter = (struct log_noter){ .dirfd = -1, .note = -1, .log = -1 };
        r->synced = r->sealed = true; /* older log files are synced before they are replayed */
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                r->options[f] = family_options(e, (enum records_family)f);
        r->read = rocksdb_readoptions_create();
        r->write = rocksdb_writeoptions_create();
        r->write_sync = rocksdb_writeoptions_create();
        rocksdb_writeoptions_set_sync(r->write_sync, 1);
        struct err *err = NULL;
        if (!str_copy(r->dir, sizeof r->dir, str_of(dir)))
                err = err_new(ERR_INVALID, "path too long: %s", dir);
        if (!err)
                err = database_options(r, e, create);
        if (err) {
                free_records(r);
                return err;
        }
        *ret = r;
        return NULL;
}

/* Whether an entry of the directory shows that a database with content was here. */
static struct err *look_for_data(void *arg, const char *name, unsigned char type)
{
        struct str n = str_of(name);
        (void)type;
        if (str_eq(n, STR("CURRENT")))
                return err_static(ERR_EXISTS);
        *(bool *)arg |= str_ends(n, STR(".sst")) || str_ends(n, STR(".blob"));
        return NULL;
}

/* Without its file CURRENT the engine takes a directory for an empty one, and removes what it does not know. The new
 * database gives its logs numbers that a note of the old one may speak of. */
static struct err *refuse_headless(const char *dir)
{
        bool data = false;
        struct err *e = file_each(AT_FDCWD, dir, look_for_data, &data);
        enum err_code code = err_code(e);
        if (e && code != ERR_EXISTS && code != ERR_NOT_FOUND)
                return e;
        err_free(e);
        if (code == ERR_EXISTS)
                return NULL;
        if (!e && data)
                return err_new(ERR_CORRUPT, "records of %s: the file CURRENT is missing", dir);
        log_note_remove(dir);
        return NULL;
}

/* A torn end of the log is dropped; a damaged log is not opened. */
static struct err *choose_recovery(const char *dir, rocksdb_options_t *o)
{
        enum log_tail tail = LOG_TAIL_SOUND;
        char name[64];
        struct err *e = log_tail_judge(dir, &tail, name);
        if (e && err_code(e) != ERR_NOT_FOUND)
                return err_wrap(e, "log of %s", dir);
        err_free(e);
        if (tail == LOG_TAIL_DAMAGED)
                return err_new(ERR_CORRUPT, "%s/%s is damaged: something that was acknowledged is missing from it", dir,
                               name);
        if (tail == LOG_TAIL_TORN)
                log_warn("%s/%s ends in a record that was never acknowledged; it is dropped", dir, name);
        rocksdb_options_set_wal_recovery_mode(o, rocksdb_point_in_time_recovery);
        return NULL;
}

struct err *records_open(struct records_env *e, const char *dir, bool create, struct records **ret)
{
        struct records *r;
        TRY(refuse_headless(dir));
        struct err *err = log_tail_check_manifest(dir);
        if (err && err_code(err) != ERR_NOT_FOUND)
                return err;
        err_free(err);
        TRY(new_records(e, dir, create, &r));
        err = choose_recovery(dir, r->options[RECORDS_META]);
        if (err) {
                free_records(r);
                return err;
        }
        char *text = NULL;
        r->db = rocksdb_open_column_families(r->options[RECORDS_META], dir, RECORDS_FAMILIES, family_names,
                                             (const rocksdb_options_t *const *)r->options, r->cf, &text);
        if (text) {
                free_records(r);
                return engine_error(text, dir, "open records of");
        }
        log_noter_init(&r->noter, dir);
        *ret = r;
        return NULL;
}

static void close_database(struct records *r)
{
        rocksdb_cancel_all_background_work(r->db, 1);
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                rocksdb_column_family_handle_destroy(r->cf[f]);
        rocksdb_close(r->db);
        free_records(r);
}

void records_close(struct records *r)
{
        if (!r)
                return;
        rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(o, 1);
        for (int f = 0; f < RECORDS_FAMILIES; f++) {
                char *text = NULL;
                rocksdb_flush_cf(r->db, o, r->cf[f], &text);
                rocksdb_free(text); /* The log still has it. */
        }
        rocksdb_flushoptions_destroy(o);
        close_database(r);
}

void records_close_abruptly(struct records *r)
{
        if (r)
                close_database(r);
}

struct err *records_repair(struct records_env *e, const char *dir)
{
        struct records *r;
        TRY(new_records(e, dir, false, &r));
        char *text = NULL;
        rocksdb_repair_db(r->options[RECORDS_META], dir, &text);
        if (!text)
                log_note_remove(dir); /* the logs are tables now */
        free_records(r);
        return text ? engine_error(text, dir, "repair records of") : NULL;
}

struct records_batch *records_batch_new(void)
{
        struct records_batch *b = malloc(sizeof *b);
        if (b)
                b->b = rocksdb_writebatch_create();
        return b;
}

void records_batch_free(struct records_batch *b)
{
        if (!b)
                return;
        rocksdb_writebatch_destroy(b->b);
        free(b);
}

void records_batch_clear(struct records_batch *b)
{
        rocksdb_writebatch_clear(b->b);
}

void records_batch_put(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                       struct str value)
{
        rocksdb_writebatch_put_cf(b->b, r->cf[f], key.p, key.n, value.p, value.n);
}

void records_batch_put2(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                        struct str head, struct str tail)
{
        const char *values[2] = { head.p, tail.p };
        const size_t sizes[2] = { head.n, tail.n };
        rocksdb_writebatch_putv_cf(b->b, r->cf[f], 1, &key.p, &key.n, 2, values, sizes);
}

void records_batch_delete(struct records_batch *b, struct records *r, enum records_family f, struct str key)
{
        rocksdb_writebatch_delete_cf(b->b, r->cf[f], key.p, key.n);
}

void records_batch_delete_range(struct records_batch *b, struct records *r, enum records_family f, struct str from,
                                struct str to)
{
        rocksdb_writebatch_delete_range_cf(b->b, r->cf[f], from.p, from.n, to.p, to.n);
}

unsigned records_batch_count(const struct records_batch *b)
{
        return (unsigned)rocksdb_writebatch_count(b->b);
}

/* With the mark that what came before is on stable storage, if it is. */
static void write_marked(struct records *r, rocksdb_writebatch_t *b, bool sync, char **ret_text)
{
        mutex_assert_held(&r->write_lock);
        if (r->synced)
                rocksdb_writebatch_put_log_data(b, LOG_TAIL_MARK, sizeof LOG_TAIL_MARK - 1);
        rocksdb_write(r->db, sync ? r->write_sync : r->write, b, ret_text);
        r->synced = sync && !*ret_text;
}

/* A marked record after the last one, so that damage in that one can be told from a torn end. Not synced: it serves whoever reads
 * the log after a crash of the process, or half a minute later after a crash of the machine. */
static void seal(struct records *r)
{
        LOCK_SCOPE(&r->write_lock);
        if (r->sealed || !r->synced)
                return;
        rocksdb_writebatch_t *b = rocksdb_writebatch_create();
        char *text = NULL;
        rocksdb_writebatch_delete_cf(b, r->cf[RECORDS_META], "seal", 4); /* of what never was: a batch has to change something */
        write_marked(r, b, false, &text);
        if (!text)
                log_noter_written(&r->noter, false);
        rocksdb_free(text); /* the next write gets the same error */
        rocksdb_writebatch_destroy(b);
        r->sealed = true;
}

struct err *records_write(struct records *r, struct records_batch *b, bool sync)
{
        char *text = NULL;
        int sys = UNLIKELY(fault_on) ? fault_before("records", true, NULL) : 0;
        if (sys)
                return err_sys(sys, "write records of %s", r->dir);
        mutex_lock(&r->write_lock);
        write_marked(r, b->b, sync, &text);
        r->sealed = false;
        if (UNLIKELY(fault_on) && !text)
                fault_after("records");
        if (!text)
                log_noter_written(&r->noter, sync);
        mutex_unlock(&r->write_lock);
        return text ? engine_error(text, r->dir, "write records of") : NULL;
}

struct err *records_sync(struct records *r)
{
        char *text = NULL;
        LOCK_SCOPE(&r->write_lock);
        rocksdb_flush_wal(r->db, 1, &text);
        r->synced = !text;
        if (!text)
                log_noter_written(&r->noter, true);
        return text ? engine_error(text, r->dir, "sync records of") : NULL;
}

struct err *records_get(struct records *r, enum records_family f, struct str key, struct records_value *ret)
{
        char *text = NULL;
        rocksdb_pinnableslice_t *v = rocksdb_get_pinned_cf(r->db, r->read, r->cf[f], key.p, key.n, &text);
        if (text)
                return engine_error(text, r->dir, "read records of");
        if (!v)
                return err_static(ERR_NOT_FOUND);
        ret->pin = v;
        ret->data.p = rocksdb_pinnableslice_value(v, &ret->data.n);
        return NULL;
}

void records_value_release(struct records_value *v)
{
        if (v->pin)
                rocksdb_pinnableslice_destroy(v->pin);
        *v = (struct records_value){ STR_NONE, NULL };
}

struct err *records_iter_new(struct records *r, enum records_family f, struct str lower, struct str upper, bool bulk,
                             struct records_iter **ret)
{
        struct records_iter *it = calloc(1, sizeof *it);
        if (!it)
                return err_static(ERR_NO_MEMORY);
        it->lower = str_dup(lower);
        it->upper = str_dup(upper);
        if (!it->lower || !it->upper) {
                free(it->lower);
                free(it->upper);
                free(it);
                return err_static(ERR_NO_MEMORY);
        }
        it->read = rocksdb_readoptions_create();
        if (lower.n)
                rocksdb_readoptions_set_iterate_lower_bound(it->read, it->lower, lower.n);
        if (upper.n)
                rocksdb_readoptions_set_iterate_upper_bound(it->read, it->upper, upper.n);
        if (bulk) {
                rocksdb_readoptions_set_fill_cache(it->read, 0);
                rocksdb_readoptions_set_readahead_size(it->read, MIB);
        }
        it->it = rocksdb_create_iterator_cf(r->db, it->read, r->cf[f]);
        *ret = it;
        return NULL;
}

void records_iter_seek(struct records_iter *it, struct str key)
{
        if (key.n)
                rocksdb_iter_seek(it->it, key.p, key.n);
        else
                rocksdb_iter_seek_to_first(it->it);
}

void records_iter_next(struct records_iter *it)
{
        rocksdb_iter_next(it->it);
}

bool records_iter_valid(const struct records_iter *it)
{
        return rocksdb_iter_valid(it->it);
}

struct str records_iter_key(const struct records_iter *it)
{
        struct str s;
        s.p = rocksdb_iter_key(it->it, &s.n);
        return s;
}

struct str records_iter_value(const struct records_iter *it)
{
        struct str s;
        s.p = rocksdb_iter_value(it->it, &s.n);
        return s;
}

struct err *records_iter_error(const struct records_iter *it)
{
        char *text = NULL;
        rocksdb_iter_get_error(it->it, &text);
        return text ? engine_error(text, "the mountpath", "scan records of") : NULL;
}

void records_iter_free(struct records_iter *it)
{
        if (!it)
                return;
        rocksdb_iter_destroy(it->it);
        rocksdb_readoptions_destroy(it->read);
        free(it->lower);
        free(it->upper);
        free(it);
}

void records_compact(struct records *r, enum records_family f, struct str from, struct str to)
{
        rocksdb_compact_range_cf(r->db, r->cf[f], from.p, from.n, to.p, to.n);
}

/* Left to itself, the engine rewrites a part of all contents with each compaction, garbage or not: bytes stored once
 * would be written ten times. So collecting is off until garbage is half of all (what is written again is then no more
 * than what is won), and stays on until little is left. */
void records_tend(struct records *r)
{
        seal(r);
        rocksdb_column_family_handle_t *cf = r->cf[RECORDS_SMALL];
        uint64_t all = 0, garbage = 0;
        if (rocksdb_property_int_cf(r->db, cf, "rocksdb.live-blob-file-size", &all) ||
            rocksdb_property_int_cf(r->db, cf, "rocksdb.live-blob-file-garbage-size", &garbage))
                return;
        bool want = r->collecting ? garbage > all / 5 : garbage > all / 2 && garbage > GARBAGE_LEAST;
        if (want == r->collecting)
                return;
        const char *key = "enable_blob_garbage_collection", *value = want ? "true" : "false";
        char *text = NULL;
        rocksdb_set_options_cf(r->db, cf, 1, &key, &value, &text);
        if (!text)
                r->collecting = want;
        rocksdb_free(text); /* Tried again by the next call. */
}

void records_rest(struct records *r)
{
        rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
        rocksdb_flushoptions_set_wait(o, 0);
        for (int f = 0; f < RECORDS_FAMILIES; f++) {
                uint64_t n = 0;
                if (rocksdb_property_int_cf(r->db, r->cf[f], "rocksdb.cur-size-active-mem-table", &n) || n < REST_LEAST)
                        continue;
                char *text = NULL;
                rocksdb_flush_cf(r->db, o, r->cf[f], &text);
                rocksdb_free(text); /* What is wrong, the next write will say. */
        }
        rocksdb_flushoptions_destroy(o);
}

uint64_t records_estimate(struct records *r, enum records_family f)
{
        uint64_t n = 0;
        if (rocksdb_property_int_cf(r->db, r->cf[f], "rocksdb.estimate-num-keys", &n))
                return 0;
        return n;
}
