/* s3/lifecycle.c: judging. Of all enabled rules that fit, the one with the earliest date decides; what they delete does
 * not depend on their order. */
#include "s3/lifecycle.h"

/* ---- time ---- */

static int64_t due_ns(int64_t from_ns, unsigned days, int64_t day_ns)
{
        int64_t due;
        if (__builtin_mul_overflow((int64_t)days, day_ns, &due) || __builtin_add_overflow(due, from_ns, &due))
                return INT64_MAX;
        if (day_ns == S3_LIFE_DAY_NS && due % day_ns != 0 && due < INT64_MAX - day_ns)
                due += day_ns - due % day_ns;
        return due;
}

/* ---- filters ---- */

static bool has_tag(const struct s3_tags *tags, const struct s3_tag *t)
{
        for (unsigned i = 0; tags != NULL && i < tags->n; i++)
                if (str_eq(tags->tags[i].key, t->key) && str_eq(tags->tags[i].value, t->value))
                        return true;
        return false;
}

static bool fits(const struct s3_life_rule *r, const struct s3_life_object *o)
{
        if (!r->enabled || !str_starts(o->key, r->prefix))
                return false;
        if ((r->has_greater && o->size <= r->greater) || (r->has_less && o->size >= r->less))
                return false;
        for (unsigned i = 0; i < r->tags.n; i++)
                if (!has_tag(o->tags, &r->tags.tags[i]))
                        return false;
        return true;
}

/* ---- judging ---- */

bool s3_life_expiry(const struct s3_life *l, const struct s3_life_object *o, int64_t day_ns, int64_t *ret_when_ns,
                    const struct s3_life_rule **ret_rule)
{
        int64_t best = INT64_MAX;
        const struct s3_life_rule *by = NULL;
        for (unsigned i = 0; i < l->n && o->latest && !o->marker; i++) {
                const struct s3_life_rule *r = &l->rules[i];
                if ((r->days == 0 && !r->has_date) || !fits(r, o))
                        continue;
                int64_t when = r->has_date ? r->date_ns : due_ns(o->modified_ns, r->days, day_ns);
                if (when < best) {
                        best = when;
                        by = r;
                }
        }
        if (by == NULL)
                return false;
        *ret_when_ns = best;
        *ret_rule = by;
        return true;
}

/* A marker without versions behind it: ExpiredObjectDeleteMarker says so, and days of expiration imply it. */
static bool marker_ends(const struct s3_life_rule *r, const struct s3_life_object *o, int64_t now_ns, int64_t day_ns)
{
        if (r->expired_marker)
                return true;
        return (r->days != 0 && now_ns >= due_ns(o->modified_ns, r->days, day_ns)) ||
               (r->has_date && now_ns >= r->date_ns);
}

enum s3_life_action s3_life_judge(const struct s3_life *l, const struct s3_life_object *o, int64_t now_ns,
                                  int64_t day_ns, const struct s3_life_rule **ret_rule)
{
        const struct s3_life_rule *by = NULL;
        enum s3_life_action action = S3_LIFE_KEEP;
        int64_t when;
        if (o->latest && !o->marker) {
                if (s3_life_expiry(l, o, day_ns, &when, &by) && now_ns >= when)
                        action = S3_LIFE_EXPIRE;
        }
        for (unsigned i = 0; i < l->n && action == S3_LIFE_KEEP; i++) {
                const struct s3_life_rule *r = &l->rules[i];
                if (!fits(r, o))
                        continue;
                if (!o->latest && r->noncurrent_days != 0 && o->newer_noncurrent >= r->newer_noncurrent &&
                    now_ns >= due_ns(o->noncurrent_since_ns, r->noncurrent_days, day_ns))
                        action = S3_LIFE_DELETE_VERSION;
                else if (o->latest && o->marker && o->alone && marker_ends(r, o, now_ns, day_ns))
                        action = S3_LIFE_DELETE_MARKER;
                by = r;
        }
        if (action != S3_LIFE_KEEP && ret_rule != NULL)
                *ret_rule = by;
        return action;
}

bool s3_life_aborts(const struct s3_life *l, struct str key, int64_t initiated_ns, int64_t now_ns, int64_t day_ns)
{
        for (unsigned i = 0; i < l->n; i++) {
                const struct s3_life_rule *r = &l->rules[i];
                if (r->enabled && r->abort_days != 0 && str_starts(key, r->prefix) &&
                    now_ns >= due_ns(initiated_ns, r->abort_days, day_ns))
                        return true;
        }
        return false;
}
