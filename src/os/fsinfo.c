/* What the kernel knows about a file system and its disk: statvfs, /proc/self/mountinfo, /sys/dev/block,
 * /proc/diskstats.
 *
 * Missing pieces (containers hide some) leave empty texts; only the capacity must be there. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "os/file.h"
#include "os/file_priv.h"

enum { PROC_FILE_MAX = 4 * 1024 * 1024 };

/* Undoes mountinfo's \ooo in place of blanks. */
static void copy_unescaped(char *dst, size_t size, struct str s)
{
        size_t at = 0;

        for (size_t i = 0; i < s.n && at + 1 < size; i++) {
                if (s.p[i] == '\\' && i + 3 < s.n) {
                        dst[at++] = (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0'));
                        i += 3;
                } else {
                        dst[at++] = s.p[i];
                }
        }
        dst[at] = 0;
}

/* Fills type and source from the line "id parent maj:min root mountpoint options [fields] - type source super". Of
 * several mounts the one whose device matches wins, else the one with the longest mount point above `path` (btrfs:
 * subvolumes have devices of their own). */
static void find_mount(struct str text, dev_t dev, struct str path, struct fs_usage *u)
{
        char want[32];
        size_t best = 0;

        (void)snprintf(want, sizeof(want), "%u:%u", major(dev), minor(dev));
        while (text.n > 0) {
                struct str line = str_cut(&text, '\n'), rest, dev_text, point, tail;
                ptrdiff_t dash = str_find_str(line, STR(" - "));
                size_t score = 0;

                if (dash < 0)
                        continue;
                rest = line;
                (void)str_cut(&rest, ' ');
                (void)str_cut(&rest, ' ');
                dev_text = str_cut(&rest, ' ');
                (void)str_cut(&rest, ' ');
                point = str_cut(&rest, ' ');
                if (str_eq(dev_text, str_of(want)))
                        score = PATH_MAX + 1;
                else if (str_starts(path, point) && (point.n == 1 || path.n == point.n || path.p[point.n] == '/'))
                        score = point.n;
                if (score <= best)
                        continue;
                best = score;
                tail = str_skip(line, (size_t)dash + 3);
                (void)str_copy(u->type, sizeof(u->type), str_cut(&tail, ' '));
                copy_unescaped(u->source, sizeof(u->source), str_cut(&tail, ' '));
        }
}

/* The whole disk's name behind a device number: "vda" also for its partition vda1. */
static void find_disk(dev_t dev, char *disk, size_t size)
{
        char path[64], target[PATH_MAX], *name;
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
        n = readlink(path, target, sizeof(target) - 1);
        if (n <= 0)
                return;
        target[n] = 0;
        (void)snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/partition", major(dev), minor(dev));
        if (access(path, F_OK) == 0 && (name = strrchr(target, '/')))
                *name = 0;
        name = strrchr(target, '/');
        (void)str_copy(disk, size, str_of(name ? name + 1 : target));
}

/* The type by the file system's magic number (statfs(2)): for when its mount is not to be seen, as in a chroot. */
static const char *type_by_magic(uint64_t magic)
{
        static const struct {
                uint64_t magic;
                const char *type;
        } known[] = {
                { 0xef53, "ext4" },        { 0x58465342, "xfs" },   { 0x9123683e, "btrfs" }, { 0x01021994, "tmpfs" },
                { 0x794c7630, "overlay" }, { 0x2fc12fc1, "zfs" },   { 0xf2f52010, "f2fs" },  { 0x65735546, "fuse" },
                { 0x6969, "nfs" },         { 0xca451a4e, "bcachefs" },
        };
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
                if (known[i].magic == magic)
                        return known[i].type;
        return "unknown";
}

struct err *fs_usage(int fd, struct fs_usage *ret)
{
        struct fs_usage u = { .total = 0 };
        struct statfs s;
        struct stat st;
        AUTO_BUF struct buf mounts = BUF_INIT;
        char self[64], path[PATH_MAX];
        ssize_t n;
        int r;
        uint64_t unit;

        CALL(r, "statfs", false, NULL, fstatfs(fd, &s));
        if (r != 0)
                return err_sys(errno, "statfs");
        TRY(file_stat(fd, &st));
        unit = (uint64_t)(s.f_frsize ? s.f_frsize : s.f_bsize);
        u.total = s.f_blocks * unit;
        u.used = (s.f_blocks - s.f_bfree) * unit;
        u.avail = s.f_bavail * unit;
        u.fsid[0] = (uint32_t)s.f_fsid.__val[0];
        u.fsid[1] = (uint32_t)s.f_fsid.__val[1];
        u.dev = st.st_dev;
        (void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
        n = readlink(self, path, sizeof(path));
        /* Advice for people: what can not be read stays empty. */
        err_free(file_read_all(AT_FDCWD, "/proc/self/mountinfo", PROC_FILE_MAX, &mounts));
        find_mount(buf_str(&mounts), st.st_dev, (struct str){ path, n > 0 ? (size_t)n : 0 }, &u);
        if (u.type[0] == '\0')
                (void)str_copy(u.type, sizeof(u.type), str_of(type_by_magic((uint64_t)s.f_type)));
        find_disk(st.st_dev, u.disk, sizeof(u.disk));
        *ret = u;
        return NULL;
}

/* The next number of a blank-separated line. */
static uint64_t next_number(struct str *rest)
{
        uint64_t v = 0;

        *rest = str_trim(*rest);
        (void)str_u64(str_cut(rest, ' '), &v);
        return v;
}

struct err *disk_stats(const char *disk, struct disk_stats *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct str text;

        TRY(file_read_all(AT_FDCWD, "/proc/diskstats", PROC_FILE_MAX, &b));
        text = buf_str(&b);
        while (text.n > 0) {
                struct str line = str_trim(str_cut(&text, '\n'));
                uint64_t f[10];

                (void)next_number(&line);
                (void)next_number(&line);
                line = str_trim(line);
                if (!str_eq(str_cut(&line, ' '), str_of(disk)))
                        continue;
                for (unsigned i = 0; i < ARRAY_LEN(f); i++)
                        f[i] = next_number(&line);
                /* reads, merged, sectors, ms, writes, merged, sectors, ms, in flight, ms; a sector is 512 bytes here */
                *ret = (struct disk_stats){ .reads = f[0], .read_bytes = f[2] * 512, .read_ms = f[3], .writes = f[4],
                                            .written_bytes = f[6] * 512, .write_ms = f[7], .io_ms = f[9] };
                return NULL;
        }
        return err_new(ERR_NOT_FOUND, "disk %s", disk);
}
