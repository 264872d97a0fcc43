/* os/file.h: files and directories, with EINTR, short transfers and fault injection handled here.
 *
 * All calls may block: never from a loop, but file_sendfile_nowait-style calls that say so. Errors: NOT_FOUND,
 * EXISTS, NO_SPACE, IO, … by err_sys. Every call passes os/fault.h first, so that tests can make the n-th call fail.
 * Paths below a directory descriptor are opened without following symbolic links. */
#ifndef ORLOP_OS_FILE_H
#define ORLOP_OS_FILE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/buf.h"
#include "base/err.h"

/* Closes *fd if not -1. */
void cleanup_fd(int *fd);
#define AUTO_FD __attribute__((cleanup(cleanup_fd)))

/* openat with O_CLOEXEC|O_NOFOLLOW added. dirfd AT_FDCWD allowed. */
MUST_CHECK struct err *file_open(int dirfd, const char *path, int flags, mode_t mode, int *ret_fd);
/* Opens a directory (O_DIRECTORY). */
MUST_CHECK struct err *file_open_dir(int dirfd, const char *path, int *ret_fd);
/* Reads exactly n bytes at offset; fewer in the file is ERR_CORRUPT. */
MUST_CHECK struct err *file_pread_full(int fd, void *p, size_t n, int64_t offset);
/* Reads up to n bytes at offset; *ret_n = 0 at the end. */
MUST_CHECK struct err *file_pread(int fd, void *p, size_t n, int64_t offset, size_t *ret_n);
/* Reads up to n bytes at the position; 0 at the end. */
MUST_CHECK struct err *file_read(int fd, void *p, size_t n, size_t *ret_n);
/* Writes all n bytes at offset. */
MUST_CHECK struct err *file_pwrite_full(int fd, const void *p, size_t n, int64_t offset);
/* Writes all n bytes at the position. */
MUST_CHECK struct err *file_write_full(int fd, const void *p, size_t n);
/* fdatasync. An error means that the content of the file is unknown from now on (promise 1: never try again and
 * believe it). */
MUST_CHECK struct err *file_datasync(int fd);
/* fsync, for directories too. */
MUST_CHECK struct err *file_sync(int fd);
/* Starts write-back of what was written without waiting. Advice: no error. */
void file_writeback_hint(int fd, int64_t offset, int64_t n);
/* Tells the kernel what will be read next, or that a range is not needed. Advice: no error. */
void file_readahead_hint(int fd, int64_t offset, int64_t n);
/* Reserves space. ERR_NO_SPACE; file systems that can not are fine. */
MUST_CHECK struct err *file_allocate(int fd, int64_t n);
/* Sets the length. */
MUST_CHECK struct err *file_truncate(int fd, int64_t n);
/* fstat. */
MUST_CHECK struct err *file_stat(int fd, struct stat *ret);
/* fstatat without following links. NOT_FOUND if absent. */
MUST_CHECK struct err *file_stat_at(int dirfd, const char *path, struct stat *ret);
/* Renames within one file system; replaces. */
MUST_CHECK struct err *file_rename(int olddir, const char *old, int newdir, const char *new_path);
/* Gives an O_TMPFILE descriptor a name; EXISTS if taken. */
MUST_CHECK struct err *file_link_tmp(int fd, int dirfd, const char *path);
/* Removes a file; absent is NOT_FOUND. */
MUST_CHECK struct err *file_unlink(int dirfd, const char *path);
/* Removes an empty directory. */
MUST_CHECK struct err *file_rmdir(int dirfd, const char *path);
/* mkdirat; an existing directory is fine. */
MUST_CHECK struct err *file_mkdir(int dirfd, const char *path, mode_t mode);
/* mkdir -p. */
MUST_CHECK struct err *file_mkdir_all(const char *path, mode_t mode);
/* Removes a directory with all below it; absent is fine. Bounded depth 16. */
MUST_CHECK struct err *file_remove_tree(int dirfd, const char *path);
/* Whole file into b; longer than max is TOO_LARGE. */
MUST_CHECK struct err *file_read_all(int dirfd, const char *path, size_t max, struct buf *b);
/* Replaces a file atomically and durably: temporary name, write, sync, rename, sync of the directory. */
MUST_CHECK struct err *file_replace(int dirfd, const char *path, struct str content, mode_t mode);
/* Sets an extended attribute on an open file. */
MUST_CHECK struct err *file_xattr_set(int fd, const char *name, const void *p, size_t n);
/* Reads one; NOT_FOUND if absent. */
MUST_CHECK struct err *file_xattr_get(int fd, const char *name, struct buf *b);
/* flock(LOCK_EX|LOCK_NB); held elsewhere: ERR_IN_USE. */
MUST_CHECK struct err *file_lock(int fd);
/* Calls fn for each entry but . and .. (type DT_*), until it returns an error. */
MUST_CHECK struct err *file_each(int dirfd, const char *path,
                                 struct err *(*fn)(void *arg, const char *name, unsigned char type), void *arg);

struct fs_usage {
        uint64_t total, used, avail; /* bytes; avail: for unprivileged users */
        uint64_t fsid[2];
        char type[32];   /* "ext4" */
        char source[64]; /* "/dev/vda" */
        char disk[32];   /* "vda", "" if none */
        dev_t dev;
};
/* Capacity and identity of the file system that holds fd. */
MUST_CHECK struct err *fs_usage(int fd, struct fs_usage *ret);
struct disk_stats {
        uint64_t reads, read_bytes, read_ms, writes, written_bytes, write_ms, io_ms;
};
/* Counters of a block device of /proc/diskstats. NOT_FOUND. */
MUST_CHECK struct err *disk_stats(const char *disk, struct disk_stats *ret);

#endif
