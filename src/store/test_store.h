/* store/test_store.h: what the tests of this folder share: a store in a fresh directory, short ways to put and get. */
#ifndef ORLOP_STORE_TEST_STORE_H
#define ORLOP_STORE_TEST_STORE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/cache.h"
#include "store/store.h"

#define TEST_MOUNTPATHS 4

struct test_store {
        char dir[128];
        char path[TEST_MOUNTPATHS][160];
        const char *paths[TEST_MOUNTPATHS];
        struct store *s;
        struct store_options o;
};

static inline void assert_ok_at(struct err *e, const char *file, int line)
{
        char text[1024];
        if (!e)
                return;
        err_text(e, text, sizeof text);
        err_free(e);
        print_error("%s:%d: %s\n", file, line, text);
        _fail(file, line);
}
#define assert_ok(e) assert_ok_at((e), __FILE__, __LINE__)
#define assert_code(e, c)                                                                                              \
        do {                                                                                                           \
                struct err *assert_e_ = (e);                                                                           \
                assert_string_equal(err_code_name(err_code(assert_e_)), err_code_name(c));                             \
                err_free(assert_e_);                                                                                   \
        } while (0)

static inline void test_store_open(struct test_store *t)
{
        assert_ok(store_open(&t->o, &t->s));
}

static inline void test_store_reopen(struct test_store *t)
{
        store_close(t->s);
        t->s = NULL;
        test_store_open(t);
}

static inline void test_store_begin(struct test_store *t, unsigned n)
{
        const char *tmp = getenv("TMPDIR");
        memset(t, 0, sizeof *t);
        snprintf(t->dir, sizeof t->dir, "%.80s/orlop-store-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(t->dir));
        for (unsigned i = 0; i < TEST_MOUNTPATHS; i++) {
                snprintf(t->path[i], sizeof t->path[i], "%s/m%u", t->dir, i);
                t->paths[i] = t->path[i];
                assert_ok(file_mkdir(AT_FDCWD, t->path[i], 0755));
        }
        t->o = (struct store_options){
                .paths = t->paths, .npaths = n, .cluster_uuid = "c1", .target_id = "t1", .node = 7
        };
        test_store_open(t);
}

static inline void test_store_end(struct test_store *t)
{
        store_close(t->s);
        assert_ok(file_remove_tree(AT_FDCWD, t->dir));
}

static inline struct obj_key test_key(const char *name)
{
        return (struct obj_key){ 1, str_of(name) };
}

static inline struct err *test_put_attrs(struct store *s, const char *name, struct str data, const struct put_attrs *a,
                                         struct put_result *ret)
{
        struct obj_key key = test_key(name);
        struct put *p;
        TRY(store_put_begin(s, &key, (int64_t)data.n, &p));
        struct err *e = store_put_write(p, data.p, data.n);
        if (e) {
                store_put_abort(p);
                return e;
        }
        return store_put_commit(p, a, ret);
}

static inline struct err *test_put(struct store *s, const char *name, struct str data)
{
        char hex[CKSUM_HEX_MAX];
        cksum_of(CKSUM_XXHASH, data.p, data.n, hex);
        struct put_attrs a = { .cksum_type = CKSUM_XXHASH, .cksum = str_of(hex), .versioned = true };
        struct put_result r;
        return test_put_attrs(s, name, data, &a, &r);
}

/* The whole content, in b. */
static inline struct err *test_get(struct store *s, const char *name, struct buf *b)
{
        struct obj_key key = test_key(name);
        struct content *c;
        TRY(store_open_object(s, &key, &c));
        size_t n = content_meta(c)->size;
        buf_clear(b);
        char *p = buf_reserve(b, n + 1);
        struct err *e = content_read(c, 0, p, n);
        b->n = n;
        content_unref(c);
        return e;
}

#define assert_content(s, name, data)                                                                                  \
        do {                                                                                                           \
                struct buf assert_b_ = BUF_INIT;                                                                       \
                struct str assert_d_ = (data);                                                                         \
                assert_ok(test_get((s), (name), &assert_b_));                                                          \
                assert_int_equal(assert_b_.n, assert_d_.n);                                                            \
                if (assert_d_.n)                                                                                       \
                        assert_memory_equal(assert_b_.p, assert_d_.p, assert_d_.n);                                    \
                buf_fini(&assert_b_);                                                                                  \
        } while (0)
#define assert_absent(s, name)                                                                                         \
        do {                                                                                                           \
                struct buf assert_b_ = BUF_INIT;                                                                       \
                assert_code(test_get((s), (name), &assert_b_), ERR_NOT_FOUND);                                         \
                buf_fini(&assert_b_);                                                                                  \
        } while (0)

static inline uint64_t test_version(struct store *s, const char *name)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 1024, 0);
        struct obj_meta m;
        struct obj_key key = test_key(name);
        assert_ok(store_head(s, &key, &a, &m));
        return m.version;
}

#endif
