/* cluster/offline.c: a stopped voter's state directory: its identity says which voter it is, the ordered state where it
 * was reached. */
#include "cluster/offline.h"

#include <fcntl.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/json.h"
#include "os/file.h"

#define IDENTITY_MAX 65536

struct identity_doc {
        struct str cluster, member;
        uint64_t voter;
};

/* The JSON document of a framed file (docs/format/control.md). */
static struct err *unframe(struct str all, struct str *ret)
{
        struct str body = all, line = str_cut(&body, '\n'), sum = line;
        uint64_t want;
        while (str_find(sum, ' ') >= 0)
                (void)str_cut(&sum, ' ');
        if (!str_hex64(sum, &want) || hash_xxh64(body.p, body.n, 0) != want)
                return err_new(ERR_CORRUPT, "identity.json is damaged");
        *ret = body;
        return NULL;
}

static struct err *read_identity(const char *state_dir, struct offline_voter *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct identity_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct identity_doc, "member", JSON_F_STR, member),
                JSON_FIELD(struct identity_doc, "voter", JSON_F_U64S, voter),
        };
        AUTO_BUF struct buf path = BUF_INIT, text = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        struct identity_doc d = { .voter = 0 };
        struct str body;
        buf_printf(&path, "%s/orlop/control/identity.json", state_dir);
        TRY(buf_err(&path));
        TRY_WRAP(file_read_all(AT_FDCWD, buf_cstr(&path), IDENTITY_MAX, &text), "state directory %s", state_dir);
        TRY(unframe(buf_str(&text), &body));
        TRY(json_parse(body, IDENTITY_MAX, &j));
        TRY(json_decode(j, fields, ARRAY_LEN(fields), false, "identity", &d));
        if (d.voter == 0)
                return err_new(ERR_NOT_FOUND, "%s belongs to a cluster of one: it has no voters", state_dir);
        ret->id = d.voter;
        str_copy(ret->cluster, sizeof(ret->cluster), d.cluster);
        str_copy(ret->member, sizeof(ret->member), d.member);
        return NULL;
}

struct err *cluster_offline_inspect(const char *state_dir, struct offline_voter *ret)
{
        /* Any address will do for looking: the one that counts is in what is looked at. */
        static const char nowhere[] = "127.0.0.1:1";
        *ret = (struct offline_voter){ .id = 0 };
        TRY(read_identity(state_dir, ret));
        int n = snprintf(ret->dir, sizeof(ret->dir), "%s/orlop/raft", state_dir);
        if (n < 0 || (size_t)n >= sizeof(ret->dir))
                return err_new(ERR_INVALID, "the directory's name is too long");
        TRY(raft_inspect(ret->dir, ret->id, nowhere, &ret->now));
        for (unsigned i = 0; i < ret->now.voters; i++)
                if (ret->now.voter[i].id == ret->id)
                        str_copy(ret->address, sizeof(ret->address), str_of(ret->now.voter[i].address));
        return NULL;
}

struct err *cluster_offline_export(const struct offline_voter *v,
                                   struct err *(*visit)(void *arg, const struct doc *d), void *arg)
{
        return raft_export(v->dir, v->id, v->address[0] ? v->address : "127.0.0.1:1", visit, arg);
}

struct err *cluster_offline_recover(const struct offline_voter *v)
{
        if (!v->address[0])
                return err_new(ERR_INVALID, "member %s is not among the voters of its cluster: recover one that is",
                               v->member);
        return raft_recover_alone(v->dir, v->id, v->address);
}
