/* store/records_rocksdb.c: records.h on RocksDB's C interface (7.8 and 9.x). Nobody else includes it.
 *
 * A batch goes to our journal first (journal.h, docs/adr/0010-own-journal.md), then to RocksDB, whose own log is off. A
 * thread has RocksDB write out its memtables whenever the journal takes another file, and notes in the family "default"
 * up to which record they hold everything; what is above that number is replayed at the next open. Replaying what is
 * held already does no harm: a key ends as its last record says.
 *
 * What the options are for: little memory when idle (memtables grow as they fill, one bounded block cache for all
 * mountpaths), and checksums on every read. After a failed write nothing is written any more; the commit thread above
 * sees to that too. */
#include "store/records.h"

#include <rocksdb/c.h>

#define LOG_FOLDER "store"
#include "base/hash.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/file.h"
#include "os/random.h"
#include "os/thread.h"
#include "store/journal.h"
#include "store/manifest.h"

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
        rocksdb_writeoptions_t *write;
        bool collecting; /* garbage of small contents, see records_tend */
        struct thread *flusher;
        struct mutex write_lock; /* RANK_LEAF: what follows */
        struct cond wake, room;  /* the flusher has work; it has done it */
        struct journal *journal;
        uint64_t journal_id;
        bool apart; /* a batch is in the journal and not in the database: no number may be noted any more */
        bool want_flush, stop;
        enum err_code flush_error; /* of the last try */
        char dir[600];
};
struct records_batch {
        rocksdb_writebatch_t *b;
        struct journal_record record; /* the same changes, for the journal */
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
                rocksdb_options_set_write_buffer_size(o, 40 * MIB); /* the journal's files end before it is full */
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
        /* What is not written out is in the journal. This option has no call of its own in C. */
        rocksdb_options_t *base = r->options[RECORDS_META], *o = rocksdb_options_create();
        char *text = NULL;
        rocksdb_get_options_from_string(base, "avoid_flush_during_shutdown=true", o, &text);
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
        rocksdb_options_set_wal_recovery_mode(o, rocksdb_absolute_consistency_recovery); /* there is nothing in it */
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
        journal_close(r->journal);
        cond_fini(&r->wake);
        cond_fini(&r->room);
        mutex_fini(&r->write_lock);
        free(r);
}

static struct err *new_records(struct records_env *e, const char *dir, bool create, struct records **ret)
{
        struct records *r = calloc(1, sizeof *r);
        if (!r)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&r->write_lock, "records", RANK_LEAF);
        cond_init(&r->wake);
        cond_init(&r->room);
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                r->options[f] = family_options(e, (enum records_family)f);
        r->read = rocksdb_readoptions_create();
        r->write = rocksdb_writeoptions_create();
        rocksdb_writeoptions_disable_WAL(r->write, 1);
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
        *(bool *)arg |= str_ends(n, STR(".sst")) || str_ends(n, STR(".blob")) || str_starts(n, STR(JOURNAL_PREFIX));
        return NULL;
}

/* Without its file CURRENT the engine takes a directory for an empty one, and removes what it does not know. */
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
        return !e && data ? err_new(ERR_CORRUPT, "records of %s: the file CURRENT is missing", dir) : NULL;
}

/* ---- the journal ---- */

#define PLACE_KEY STR("journal")
enum { PLACE_SIZE = 16 };

/* Reads the row of the family "default" that knows the journal: id, and the number up to which everything is held. */
static struct err *get_place(struct records *r, struct journal_place *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        TRY(records_get(r, RECORDS_META, PLACE_KEY, &v));
        if (v.data.n != PLACE_SIZE)
                return err_new(ERR_CORRUPT, "records of %s: the row of the journal", r->dir);
        struct buf_reader b = buf_reader_of(v.data);
        ret->id = buf_get_u64(&b);
        ret->flushed = buf_get_u64(&b);
        return NULL;
}

/* The row does not go through the journal: it tells what is held without it. */
static struct err *put_place(struct records *r, uint64_t flushed)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char *text = NULL;
        buf_add_u64(&b, r->journal_id);
        buf_add_u64(&b, flushed);
        TRY(buf_err(&b));
        rocksdb_put_cf(r->db, r->write, r->cf[RECORDS_META], PLACE_KEY.p, PLACE_KEY.n, b.p, b.n, &text);
        return text ? engine_error(text, r->dir, "write records of") : NULL;
}

static struct err *flush_family(struct records *r, enum records_family f)
{
        rocksdb_flushoptions_t *o = rocksdb_flushoptions_create();
        char *text = NULL;
        rocksdb_flushoptions_set_wait(o, 1);
        rocksdb_flush_cf(r->db, o, r->cf[f], &text);
        rocksdb_flushoptions_destroy(o);
        return text ? engine_error(text, r->dir, "write out records of") : NULL;
}

/* Everything up to now goes to tables; the row that says so goes last, with its family. */
static struct err *flush_all(struct records *r)
{
        mutex_lock(&r->write_lock);
        uint64_t number = journal_last(r->journal);
        bool apart = r->apart;
        mutex_unlock(&r->write_lock);
        if (apart)
                return err_new(ERR_IO, "records of %s: an earlier write failed", r->dir);
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                if (f != RECORDS_META)
                        TRY(flush_family(r, (enum records_family)f));
        TRY(put_place(r, number));
        TRY(flush_family(r, RECORDS_META));
        LOCK_SCOPE(&r->write_lock);
        journal_flushed(r->journal, number);
        return NULL;
}

static void flusher(void *arg)
{
        struct records *r = arg;
        mutex_lock(&r->write_lock);
        while (!r->stop) {
                if (!r->want_flush) {
                        cond_wait(&r->wake, &r->write_lock);
                        continue;
                }
                r->want_flush = false;
                mutex_unlock(&r->write_lock);
                struct err *e = flush_all(r);
                enum err_code code = err_code(e);
                if (e)
                        log_err(LOG_WARN, LOG_FOLDER, e, "records of %s could not be written out", r->dir);
                mutex_lock(&r->write_lock);
                r->flush_error = code;
                cond_broadcast(&r->room);
        }
        mutex_unlock(&r->write_lock);
}

static void stop_flusher(struct records *r)
{
        if (!r->flusher)
                return;
        mutex_lock(&r->write_lock);
        r->stop = true;
        cond_broadcast(&r->wake);
        cond_broadcast(&r->room);
        mutex_unlock(&r->write_lock);
        thread_join(r->flusher);
        r->flusher = NULL;
}

/* A record's payload is a row of changes: kind and family (1 byte), bytes key, and bytes value (put) or bytes end
 * (range). */
enum change { CHANGE_PUT, CHANGE_DELETE, CHANGE_RANGE };

static void add_lengthened(struct journal_record *j, size_t whole, struct str first)
{
        unsigned char b[10];
        size_t n = 0;
        do {
                b[n++] = (unsigned char)((whole & 0x7f) | (whole > 0x7f ? 0x80 : 0));
        } while (whole >>= 7);
        journal_record_add(j, b, n);
        journal_record_add(j, first.p, first.n);
}

static void add_change(struct records_batch *b, enum change kind, enum records_family f, struct str key)
{
        unsigned char head = (unsigned char)((unsigned)kind << 4 | (unsigned)f);
        journal_record_add(&b->record, &head, 1);
        add_lengthened(&b->record, key.n, key);
}

static struct err *apply_record(void *arg, struct str payload)
{
        struct records *r = arg;
        struct buf_reader p = buf_reader_of(payload);
        rocksdb_writebatch_t *b = rocksdb_writebatch_create();
        char *text = NULL;
        while (p.p < p.end && !p.bad) {
                unsigned head = buf_get_u8(&p);
                struct str key = buf_get_lstr(&p);
                struct str value = head >> 4 == CHANGE_DELETE ? STR_NONE : buf_get_lstr(&p);
                if (head >> 4 > CHANGE_RANGE || (head & 15) >= RECORDS_FAMILIES)
                        p.bad = true;
                if (p.bad)
                        break;
                rocksdb_column_family_handle_t *cf = r->cf[head & 15];
                if (head >> 4 == CHANGE_PUT)
                        rocksdb_writebatch_put_cf(b, cf, key.p, key.n, value.p, value.n);
                else if (head >> 4 == CHANGE_DELETE)
                        rocksdb_writebatch_delete_cf(b, cf, key.p, key.n);
                else
                        rocksdb_writebatch_delete_range_cf(b, cf, key.p, key.n, value.p, value.n);
        }
        if (!p.bad)
                rocksdb_write(r->db, r->write, b, &text);
        rocksdb_writebatch_destroy(b);
        if (p.bad)
                return err_new(ERR_CORRUPT, "records of %s: a record of the journal makes no sense", r->dir);
        return text ? engine_error(text, r->dir, "write records of") : NULL;
}

static struct err *look_for_journal(void *arg, const char *name, unsigned char type)
{
        (void)type;
        *(bool *)arg |= str_starts(str_of(name), STR(JOURNAL_PREFIX));
        return NULL;
}

/* A journal of its own for a new database. Where there is one already, the row is what was lost. */
static struct err *begin_journal(struct records *r, bool salvage)
{
        bool journal = false;
        TRY(file_each(AT_FDCWD, r->dir, look_for_journal, &journal));
        if (journal && !salvage)
                return err_new(ERR_CORRUPT, "records of %s: which part of the journal they hold is not known", r->dir);
        r->journal_id = 0;
        if (journal)
                TRY(journal_find_id(r->dir, &r->journal_id));
        while (!r->journal_id)
                r->journal_id = random_u64();
        TRY(put_place(r, 0));
        return flush_family(r, RECORDS_META);
}

/* Small files make tests pass through all of their life. */
static size_t segment_bytes(void)
{
#if ORLOP_FAULTS
        uint64_t n;
        const char *s = getenv("ORLOP_TEST_JOURNAL");
        if (s && str_u64(str_of(s), &n))
                return (size_t)n;
#endif
        return JOURNAL_SEGMENT;
}

static struct err *open_journal(struct records *r, bool salvage)
{
        struct journal_place place = { 0, 0 };
        struct err *e = get_place(r, &place);
        if (err_code(e) == ERR_NOT_FOUND) {
                TRY(begin_journal(r, salvage));
                place.id = r->journal_id;
        } else {
                TRY(e);
                r->journal_id = place.id;
        }
        TRY_WRAP(journal_open(r->dir, place, salvage, segment_bytes(), apply_record, r, &r->journal), "%s", r->dir);
        return salvage ? flush_all(r) : NULL;
}

/* ---- life ---- */

static void close_database(struct records *r)
{
        stop_flusher(r);
        rocksdb_cancel_all_background_work(r->db, 1);
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                rocksdb_column_family_handle_destroy(r->cf[f]);
        rocksdb_close(r->db);
        free_records(r);
}

static struct err *open_database(struct records_env *e, const char *dir, bool create, bool salvage,
                                 struct records **ret)
{
        struct records *r;
        TRY(new_records(e, dir, create, &r));
        char *text = NULL;
        r->db = rocksdb_open_column_families(r->options[RECORDS_META], dir, RECORDS_FAMILIES, family_names,
                                             (const rocksdb_options_t *const *)r->options, r->cf, &text);
        if (text) {
                free_records(r);
                return engine_error(text, dir, "open records of");
        }
        struct err *err = open_journal(r, salvage);
        if (!err)
                err = thread_start(&r->flusher, "records", THREAD_OTHER, flusher, r);
        if (err) {
                close_database(r);
                return err;
        }
        *ret = r;
        return NULL;
}

struct err *records_open(struct records_env *e, const char *dir, bool create, struct records **ret)
{
        TRY(refuse_headless(dir));
        struct err *err = manifest_check(dir);
        if (err && err_code(err) != ERR_NOT_FOUND)
                return err;
        err_free(err);
        return open_database(e, dir, create, false, ret);
}

void records_close(struct records *r)
{
        if (!r)
                return;
        stop_flusher(r);
        err_free(flush_all(r)); /* the journal still has it */
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
        free_records(r);
        if (text)
                return engine_error(text, dir, "repair records of");
        TRY(open_database(e, dir, false, true, &r));
        close_database(r);
        return NULL;
}

struct records_batch *records_batch_new(void)
{
        struct records_batch *b = calloc(1, sizeof *b);
        if (b)
                b->b = rocksdb_writebatch_create();
        return b;
}

void records_batch_free(struct records_batch *b)
{
        if (!b)
                return;
        rocksdb_writebatch_destroy(b->b);
        journal_record_fini(&b->record);
        free(b);
}

void records_batch_clear(struct records_batch *b)
{
        rocksdb_writebatch_clear(b->b);
        journal_record_clear(&b->record);
}

void records_batch_put(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                       struct str value)
{
        rocksdb_writebatch_put_cf(b->b, r->cf[f], key.p, key.n, value.p, value.n);
        add_change(b, CHANGE_PUT, f, key);
        add_lengthened(&b->record, value.n, value);
}

void records_batch_put2(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                        struct str head, struct str tail)
{
        const char *values[2] = { head.p, tail.p };
        const size_t sizes[2] = { head.n, tail.n };
        rocksdb_writebatch_putv_cf(b->b, r->cf[f], 1, &key.p, &key.n, 2, values, sizes);
        add_change(b, CHANGE_PUT, f, key);
        add_lengthened(&b->record, head.n + tail.n, head);
        journal_record_add(&b->record, tail.p, tail.n);
}

void records_batch_delete(struct records_batch *b, struct records *r, enum records_family f, struct str key)
{
        rocksdb_writebatch_delete_cf(b->b, r->cf[f], key.p, key.n);
        add_change(b, CHANGE_DELETE, f, key);
}

void records_batch_delete_range(struct records_batch *b, struct records *r, enum records_family f, struct str from,
                                struct str to)
{
        rocksdb_writebatch_delete_range_cf(b->b, r->cf[f], from.p, from.n, to.p, to.n);
        add_change(b, CHANGE_RANGE, f, from);
        add_lengthened(&b->record, to.n, to);
}

unsigned records_batch_count(const struct records_batch *b)
{
        return (unsigned)rocksdb_writebatch_count(b->b);
}

/* Waits while too much is in the journal alone. */
static struct err *wait_for_room(struct records *r)
{
        for (bool tried = false; journal_live(r->journal) > JOURNAL_LIVE_MAX && !r->stop; tried = true) {
                if (tried && r->flush_error)
                        return err_new(r->flush_error, "records of %s can not be written out", r->dir);
                r->want_flush = true;
                cond_signal(&r->wake);
                cond_wait(&r->room, &r->write_lock);
        }
        return NULL;
}

/* To the journal, then to the database. */
static struct err *write_both(struct records *r, struct records_batch *b, bool sync)
{
        char *text = NULL;
        TRY(wait_for_room(r));
        r->apart = true;
        unsigned live = journal_live(r->journal);
        TRY_WRAP(journal_append(r->journal, &b->record, sync), "write records of %s", r->dir);
        rocksdb_write(r->db, r->write, b->b, &text);
        if (text)
                return engine_error(text, r->dir, "write records of");
        r->apart = false;
        if (live > 0 && journal_live(r->journal) > live) { /* it took another file */
                r->want_flush = true;
                cond_signal(&r->wake);
        }
        return NULL;
}

struct err *records_write(struct records *r, struct records_batch *b, bool sync)
{
        int sys = UNLIKELY(fault_on) ? fault_before("records", false, NULL) : 0; /* the journal's calls are counted */
        if (sys)
                return err_sys(sys, "write records of %s", r->dir);
        LOCK_SCOPE(&r->write_lock);
        return write_both(r, b, sync);
}

struct err *records_sync(struct records *r)
{
        LOCK_SCOPE(&r->write_lock);
        TRY_WRAP(journal_sync(r->journal), "sync records of %s", r->dir);
        return NULL;
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
        mutex_lock(&r->write_lock);
        struct err *e = journal_seal(r->journal); /* what is wrong, the next write will say */
        mutex_unlock(&r->write_lock);
        err_free(e);
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
        uint64_t sum = 0, n;
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                if (!rocksdb_property_int_cf(r->db, r->cf[f], "rocksdb.cur-size-active-mem-table", &n))
                        sum += n;
        if (sum < REST_LEAST)
                return;
        LOCK_SCOPE(&r->write_lock);
        r->want_flush = true;
        cond_signal(&r->wake);
}

uint64_t records_estimate(struct records *r, enum records_family f)
{
        uint64_t n = 0;
        if (rocksdb_property_int_cf(r->db, r->cf[f], "rocksdb.estimate-num-keys", &n))
                return 0;
        return n;
}
