/* store/decide_given.c: changes whose stamp is given: copies and tombstones that another node sent, records that were
 * handed to another node, confirmations, and the end of tombstones and markers. On the commit thread, see decide.c.
 *
 * The rule is one: the larger stamp wins. So all of these may come twice, late, or in any order. */
#include "store/commit_priv.h"

static void raise_epoch(struct committer *c, struct commit_op *op, struct entry *en, uint64_t epoch)
{
        struct record r = en->record;
        r.epoch = epoch;
        entry_set(c, en, &r, STR_NONE);
        op->happened = true;
}

bool decide_given_wins(struct committer *c, struct commit_op *op, struct entry *en, struct stamp stamp, uint64_t epoch)
{
        int order = en->present ? stamp_cmp(stamp, en->record.stamp) : 1;
        if (order > 0 || (order == 0 && en->record.moved)) /* it came back */
                return true;
        decide_report(op, &en->record, en->record.version, order == 0, false);
        op->result.superseded = order < 0;
        if (order == 0 && !en->other && epoch > en->record.epoch)
                raise_epoch(c, op, en, epoch);
        return false;
}

struct err *decide_tombstone(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!decide_given_wins(c, op, en, op->record->stamp, op->record->epoch))
                return NULL;
        bool replaced = entry_alive(en);
        entry_observe(c, op->record->stamp);
        entry_set(c, en, op->record, STR_NONE);
        decide_report(op, op->record, 0, false, replaced);
        op->happened = true;
        return NULL;
}

struct err *decide_moved(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!en->present || stamp_cmp(en->record.stamp, op->cond->stamp) != 0)
                return err_static(ERR_PRECONDITION);
        if (en->record.moved)
                return NULL;
        if (en->other) /* is brought here, and this tried again */
                return err_new(ERR_BUSY, "the object lies on %s", en->other->path);
        struct record r = en->record;
        r.moved = true;
        r.where = RECORD_EMPTY;
        r.custom = r.chunks = STR_NONE;
        r.nchunks = 0;
        entry_set(c, en, &r, STR_NONE);
        op->happened = true;
        return NULL;
}

struct err *decide_confirm(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!en->present || en->record.moved || stamp_cmp(en->record.stamp, op->cond->stamp) != 0)
                return err_static(ERR_PRECONDITION);
        if (op->epoch <= en->record.epoch)
                return NULL;
        if (en->other)
                return err_new(ERR_BUSY, "the object lies on %s", en->other->path);
        raise_epoch(c, op, en, op->epoch);
        return NULL;
}

struct err *decide_purge(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, NULL, &en));
        if (!en->present || en->other || entry_alive(en) || stamp_cmp(en->record.stamp, op->cond->stamp) != 0)
                return err_static(ERR_NOT_FOUND);
        entry_remove(c, en);
        op->happened = true;
        return NULL;
}
