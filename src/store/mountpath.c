/* store/mountpath.c: one directory: its identity, its lock, opening and closing what lies in it.
 *
 * <path>/orlop/identity is text, written once, replaced never:
 *     orlop-mountpath 1
 *     id <24 characters>
 *     cluster <uuid>
 *     target <id>
 *     crc32c <8 hex digits over the lines above>
 * The lock is a flock on <path>/orlop, held as long as the directory is open. */
#include "store/mountpath.h"

#include <stdio.h>
#include <unistd.h>

#define IDENTITY_MAX 1024u

static void identity_text(const struct mountpath_identity *id, struct buf *b)
{
        buf_printf(b, "orlop-mountpath %u\nid %s\ncluster %s\ntarget %s\n", id->format, id->id, id->cluster_uuid,
                   id->target_id);
        uint32_t crc = hash_crc32c(0, b->p, b->n);
        buf_printf(b, "crc32c %08x\n", crc);
}

static bool cut_line(struct str *text, struct str word, char *out, size_t size)
{
        struct str line = str_cut(text, '\n');
        if (!str_starts(line, word) || line.n <= word.n || line.p[word.n] != ' ')
                return false;
        return str_copy(out, size, str_skip(line, word.n + 1));
}

struct err *mountpath__identity_parse(struct str text, struct mountpath_identity *ret)
{
        struct str rest = text;
        struct mountpath_identity id = { .format = 0 };
        char format[16], crc_text[16];
        uint64_t v, crc;
        if (!cut_line(&rest, STR("orlop-mountpath"), format, sizeof format) || !str_u64(str_of(format), &v))
                return err_new(ERR_CORRUPT, "identity: not an Orlop directory");
        if (v != STORE_FORMAT)
                return err_new(ERR_FORMAT, "identity: format %s", format);
        id.format = (unsigned)v;
        bool ok = cut_line(&rest, STR("id"), id.id, sizeof id.id) &&
                  cut_line(&rest, STR("cluster"), id.cluster_uuid, sizeof id.cluster_uuid) &&
                  cut_line(&rest, STR("target"), id.target_id, sizeof id.target_id);
        size_t covered = (size_t)(rest.p - text.p);
        if (!ok || !cut_line(&rest, STR("crc32c"), crc_text, sizeof crc_text) || !str_hex64(str_of(crc_text), &crc) ||
            crc != hash_crc32c(0, text.p, covered))
                return err_new(ERR_CORRUPT, "identity: damaged");
        *ret = id;
        return NULL;
}

static struct err *make_identity(int orlop_fd, const char *cluster_uuid, const char *target_id,
                                 struct mountpath_identity *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct mountpath_identity id = { .format = STORE_FORMAT };
        random_id(id.id, 24);
        if (!str_copy(id.cluster_uuid, sizeof id.cluster_uuid,
                      str_of(cluster_uuid && *cluster_uuid ? cluster_uuid : "-")) ||
            !str_copy(id.target_id, sizeof id.target_id, str_of(target_id && *target_id ? target_id : "-")))
                return err_new(ERR_INVALID, "cluster or target id is too long");
        identity_text(&id, &b);
        TRY(buf_err(&b));
        TRY(file_replace(orlop_fd, "identity", buf_str(&b), 0644));
        *ret = id;
        return NULL;
}

static bool foreign(const char *want, const char *have)
{
        return want && *want && strcmp(want, have) != 0;
}

static struct err *identity(int orlop_fd, const char *path, bool create, const char *cluster_uuid,
                            const char *target_id, struct mountpath_identity *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct stat st;
        struct err *e = file_read_all(orlop_fd, "identity", IDENTITY_MAX, &b);
        if (err_code(e) == ERR_NOT_FOUND && create) {
                err_free(e);
                /* Records without an identity are somebody's: never take them over. */
                e = file_stat_at(orlop_fd, "records", &st);
                if (!e)
                        return err_new(ERR_CORRUPT, "%s/orlop holds records but its identity file is missing", path);
                if (err_code(e) != ERR_NOT_FOUND)
                        return e;
                err_free(e);
                return make_identity(orlop_fd, cluster_uuid, target_id, ret);
        }
        TRY(e);
        struct mountpath_identity id;
        TRY_WRAP(mountpath__identity_parse(buf_str(&b), &id), "%s/orlop", path);
        if (foreign(cluster_uuid, id.cluster_uuid) || foreign(target_id, id.target_id))
                return err_new(ERR_FOREIGN, "%s belongs to target %s of cluster %s", path, id.target_id,
                               id.cluster_uuid);
        *ret = id;
        return NULL;
}

struct err *mountpath_lock(const char *path, bool create, const char *cluster_uuid, const char *target_id,
                           int *ret_orlop_fd, struct mountpath_identity *ret)
{
        AUTO_FD int dir = -1;
        AUTO_FD int orlop = -1;
        if (path[0] != '/')
                return err_new(ERR_INVALID, "mountpath %s is not absolute", path);
        TRY_WRAP(file_open_dir(AT_FDCWD, path, &dir), "mountpath %s", path);
        if (create)
                TRY_WRAP(file_mkdir(dir, "orlop", 0700), "mountpath %s", path);
        TRY_WRAP(file_open_dir(dir, "orlop", &orlop), "mountpath %s", path);
        TRY_WRAP(file_lock(orlop), "mountpath %s", path);
        TRY(identity(orlop, path, create, cluster_uuid, target_id, ret));
        if (create)
                TRY(file_sync(dir)); /* the entry "orlop" */
        *ret_orlop_fd = orlop;
        orlop = -1;
        return NULL;
}

/* ---- one mountpath of a store ---- */

static struct err *load_hlc(struct mountpath *mp)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(mp->records, RECORDS_META, STR("hlc"), &v);
        if (err_code(e) == ERR_NOT_FOUND)
                return NULL;
        TRY(e);
        uint64_t hlc;
        if (v.data.n != sizeof hlc)
                return err_new(ERR_CORRUPT, "high-water of stamps");
        memcpy(&hlc, v.data.p, sizeof hlc);
        store__stamp_seen(mp->store, (struct stamp){ hlc, 0 });
        return NULL;
}

static struct err *open_parts(struct mountpath *mp)
{
        char dir[600];
        snprintf(dir, sizeof dir, "%s/orlop/records", mp->path);
        TRY(records_open(mp->store->env, dir, true, &mp->records));
        TRY(file_sync(mp->orlop_fd));
        TRY(content_dir_open(mp->orlop_fd, &mp->contents));
        TRY(load_hlc(mp));
        return committer_start(mp, &mp->committer);
}

/* Makes the directory if there is none, with its names on stable storage. */
static struct err *make_directory(const char *path)
{
        struct stat st;
        char parent[512];
        struct err *e = file_stat_at(AT_FDCWD, path, &st);
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        TRY(file_mkdir_all(path, 0755));
        str_copy(parent, sizeof parent, str_of(path));
        for (char *slash = strrchr(parent, '/'); slash; slash = strrchr(parent, '/')) {
                AUTO_FD int fd = -1;
                slash[slash == parent] = 0;
                e = file_open(AT_FDCWD, parent, O_RDONLY | O_DIRECTORY, 0, &fd);
                if (!e)
                        TRY(file_sync(fd));
                err_free(e); /* one that may not be read was not made by us */
                if (slash == parent)
                        break;
        }
        return NULL;
}

struct err *mountpath__open(struct mountpath *mp, enum mountpath_make make)
{
        struct store *s = mp->store;
        struct mountpath_identity id;
        struct fs_usage fs;
        if (make == MOUNTPATH_MAKE_ALL)
                TRY_WRAP(make_directory(mp->path), "mountpath %s", mp->path);
        struct err *e = mountpath_lock(mp->path, make != MOUNTPATH_MAKE_NOTHING, s->cluster_uuid, s->target_id,
                                       &mp->orlop_fd, &id);
        if (err_code(e) == ERR_NOT_FOUND && make == MOUNTPATH_MAKE_NOTHING)
                return err_wrap(e, "mountpath %s was in use before; is its disk mounted?", mp->path);
        TRY(e);
        if (*mp->id && strcmp(mp->id, id.id) != 0)
                e = err_new(ERR_FOREIGN, "another file system lies at %s now", mp->path);
        if (!e)
                e = fs_usage(mp->orlop_fd, &fs);
        if (!e) {
                str_copy(mp->id, sizeof mp->id, str_of(id.id));
                str_copy(mp->disk, sizeof mp->disk, str_of(fs.disk));
                mp->dev = fs.dev;
                mp->digest = hash_xxh64(mp->id, strlen(mp->id), 0);
                e = open_parts(mp);
        }
        if (e) {
                mountpath__close(mp);
                return err_wrap(e, "mountpath %s", mp->path);
        }
        atomic_store(&mp->closing, false);
        atomic_store(&mp->state, MOUNTPATH_ACTIVE);
        atomic_store(&mp->unopened, false);
        atomic_store(&mp->open, true);
        return NULL;
}

void mountpath__close(struct mountpath *mp)
{
        atomic_store(&mp->open, false);
        committer_stop(mp->committer);
        mp->committer = NULL;
        if (mp->contents)
                content_dir_close(mp->contents);
        mp->contents = NULL;
        if (atomic_load(&mp->state) == MOUNTPATH_FAILED)
                records_close_abruptly(mp->records); /* Nothing more is written to it. */
        else
                records_close(mp->records);
        mp->records = NULL;
        if (mp->orlop_fd >= 0)
                close(mp->orlop_fd);
        mp->orlop_fd = -1;
}

struct err *mountpath__new(struct store *s, const char *path, const char *label, struct mountpath **ret)
{
        unsigned index = atomic_load(&s->nmp);
        if (index == STORE_MOUNTPATHS_MAX)
                return err_new(ERR_INVALID, "more than %u mountpaths", STORE_MOUNTPATHS_MAX);
        struct mountpath *mp = calloc(1, sizeof *mp);
        if (!mp)
                return err_static(ERR_NO_MEMORY);
        mp->store = s;
        mp->index = index;
        mp->orlop_fd = -1;
        mp->state = MOUNTPATH_DISABLED;
        struct str p = str_of(path);
        while (p.n > 1 && p.p[p.n - 1] == '/')
                p.n--;
        if (!p.n || p.p[0] != '/' || !str_copy(mp->path, sizeof mp->path - 16, p)) {
                free(mp);
                return err_new(ERR_INVALID, "mountpath \"%s\": want an absolute path of less than 496 bytes", path);
        }
        str_copy(mp->label, sizeof mp->label, str_of(label ? label : ""));
        *ret = mp;
        return NULL;
}

bool mountpath__nested(const char *a, const char *b)
{
        size_t na = strlen(a), nb = strlen(b), n = MIN(na, nb);
        return memcmp(a, b, n) == 0 && (na == nb || n == 1 || (na > nb ? a : b)[n] == '/');
}
