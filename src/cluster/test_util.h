/* cluster/test_util.h: what the tests of the control plane share. */
#ifndef ORLOP_CLUSTER_TEST_UTIL_H
#define ORLOP_CLUSTER_TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "cluster/control.h"
#include "os/file.h"

/* A fresh directory; the test removes it with test_dir_free. */
static inline char *test_dir_new(void)
{
        const char *tmp = getenv("TMPDIR");
        char *path = NULL;
        assert_true(asprintf(&path, "%s/orlop-cluster-XXXXXX", tmp ? tmp : "/tmp") > 0);
        assert_non_null(mkdtemp(path));
        return path;
}

static inline void test_dir_free(char *path)
{
        assert_ok(file_remove_tree(AT_FDCWD, path));
        free(path);
}

static inline struct cluster_opts test_opts(const char *dir)
{
        struct cluster_opts o = { .state_dir = dir };
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                o.addr[i] = (struct cluster_addr){ "127.0.0.1", "8080", "http://127.0.0.1:8080" };
        return o;
}

static inline struct cluster *test_open(const char *dir)
{
        struct cluster_opts o = test_opts(dir);
        struct cluster *c = NULL;
        assert_ok(cluster_open(&o, &c));
        return c;
}

static inline struct bck test_bck(const char *name)
{
        struct bck b;
        assert_ok(bck_make(str_of(name), STR_NONE, STR_NONE, &b));
        return b;
}

static inline uint64_t test_create(struct cluster *c, const char *name)
{
        struct bck b = test_bck(name);
        uint64_t bid = 0;
        assert_ok(cluster_bucket_create(c, &b, NULL, &bid));
        return bid;
}

#endif
