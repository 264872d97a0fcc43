/* Marks of a voter's directory. The one in the directory is written first: a crash in between leaves a start that is made again. */
#include "cluster/raft_mark.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/str.h"
#include "os/file.h"

#define MARK "voter"

/* Whether there is a mark in a directory; CORRUPT: one of another voter. */
static struct err *mark_there(int dir, struct str text, bool *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct err *e = file_read_all(dir, MARK, 64, &b);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                *ret = false;
                return NULL;
        }
        TRY(e);
        *ret = true;
        if (str_eq(buf_str(&b), text))
                return NULL;
        return err_new(ERR_CORRUPT, "its mark is that of voter " STR_FMT, STR_ARG(str_trim(buf_str(&b))));
}

struct err *raft__mark(int control_dir, const char *dir, uint64_t voter)
{
        AUTO_FD int fd = -1;
        char text[32];
        bool here, known;

        snprintf(text, sizeof(text), "%llu\n", (unsigned long long)voter);
        TRY(file_mkdir_all(dir, 0700));
        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        TRY_WRAP(mark_there(control_dir, str_of(text), &known), "control directory");
        TRY_WRAP(mark_there(fd, str_of(text), &here), "raft directory %s", dir);
        if (known && !here)
                return err_new(ERR_CORRUPT, "the log of this voter is gone from %s: a voter that has forgotten its votes must not come back. "
                               "Empty the node's directories, let it join anew, and remove the old member (orlop cluster remove --lost)", dir);
        if (!here)
                TRY(file_replace(fd, MARK, str_of(text), 0600));
        return known ? NULL : file_replace(control_dir, MARK, str_of(text), 0600);
}
