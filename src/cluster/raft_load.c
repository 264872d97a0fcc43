/* cluster/raft_load.c: a raft directory while nobody serves it: read as a start would, and made that of one voter alone. */
#include "cluster/raft_core.h"

static void loaded_members(const struct raft_configuration *conf, struct raft_inspection *ret)
{
        ret->voters = 0;
        for (unsigned i = 0; i < conf->n && ret->voters < RAFT_VOTERS_MAX; i++) {
                struct raft_voter *v = &ret->voter[ret->voters++];
                v->id = conf->servers[i].id;
                v->voting = conf->servers[i].role == RAFT_VOTER;
                str_copy(v->address, sizeof(v->address), str_of(conf->servers[i].address));
        }
}

static struct err *loaded_entry(struct raft_core *c, const struct raft_entry *entry, raft_index index, struct raft_inspection *info)
{
        struct doc_result r;

        if (entry->type == RAFT_CHANGE) {
                struct raft_configuration conf;
                int rv = raft_configuration_decode(&entry->buf, &conf);
                if (rv != 0)
                        return raft__error(rv, "an entry of the log", "configuration");
                loaded_members(&conf, info);
                raft_configuration_close(&conf);
        } else if (entry->type == RAFT_COMMAND) {
                return doc_set_apply(&c->set, index, (struct str){ entry->buf.base, entry->buf.len }, &r);
        }
        return NULL;
}

static void entries_free(struct raft_entry *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (i == 0 || v[i].batch != v[i - 1].batch)
                        raft_free(v[i].batch);
        }
        raft_free(v);
}

static void snapshot_free(struct raft_snapshot *s)
{
        if (!s)
                return;
        raft_configuration_close(&s->configuration);
        for (unsigned i = 0; i < s->n_bufs; i++)
                raft_free(s->bufs[i].base);
        raft_free(s->bufs);
        raft_free(s);
}

static struct err *load(struct raft_core *c, struct raft_inspection *info)
{
        struct raft_snapshot *s = NULL;
        struct raft_entry *entries = NULL;
        raft_term term;
        raft_id vote;
        raft_index start = 0, past = 0;
        size_t n = 0;
        struct err *e = NULL;
        int rv = c->io.load(&c->io, &term, &vote, &s, &start, &entries, &n);

        if (rv != 0)
                return raft__error(rv, "raft directory", c->io.errmsg);
        info->term = term;
        if (s) {
                past = s->index;
                loaded_members(&s->configuration, info);
                e = doc_set_restore(&c->set, (struct str){ s->bufs[0].base, s->bufs[0].len });
        }
        info->last_index = n ? start + n - 1 : past;
        for (size_t i = 0; i < n && !e; i++) {
                if (start + i > past)
                        e = loaded_entry(c, &entries[i], start + i, info);
        }
        snapshot_free(s);
        if (entries)
                entries_free(entries, n);
        return e;
}

/* Opens a core, does fn, closes it. */
static struct err *offline(const char *dir, uint64_t id, const char *address, struct err *(*fn)(struct raft_core *, void *), void *arg)
{
        struct raft_core *c = calloc(1, sizeof(*c));

        if (!c)
                return err_static(ERR_NO_MEMORY);
        struct err *e = raft__core_open(c, dir, id, address);
        if (!e) {
                e = fn(c, arg);
                c->closing = true;
                raft_close(&c->raft, raft__closed);
                raft__core_close(c);
        }
        free(c);
        return e;
}

static struct err *load_into(struct raft_core *c, void *arg)
{
        struct raft_loaded *l = arg;

        TRY(load(c, &l->info));
        l->info.state_hash = c->set.hash;
        l->info.documents = c->set.n;
        l->set = c->set;
        doc_set_init(&c->set);
        return NULL;
}

struct err *raft__load(const char *dir, uint64_t id, const char *address, struct raft_loaded *ret)
{
        struct raft_loaded l = { 0 };

        TRY(offline(dir, id, address, load_into, &l));
        *ret = l;
        return NULL;
}

static struct err *recover_alone(struct raft_core *c, void *arg)
{
        (void)arg;
        return raft__alone(c, raft_recover, "recovery");
}

struct err *raft__recover(const char *dir, uint64_t id, const char *address)
{
        return offline(dir, id, address, recover_alone, NULL);
}
