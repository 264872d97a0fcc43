/* s3/lifecycle_xml.c: lifecycle rules in and out of their document. */
#include <stdio.h>

#include "base/hash.h"
#include "s3/lifecycle.h"
#include "s3/read_priv.h"
#include "s3/when.h"
#include "s3/write_priv.h"

struct reading {
        struct arena *a;
        struct s3_fault *f;
};

static enum s3_code invalid(struct reading *r, const char *text)
{
        return s3_fault_set(r->f, S3_INVALID_ARGUMENT, "%s", text);
}

/* ---- filters ---- */

static enum s3_code read_size(struct reading *r, struct str text, bool *has, uint64_t *ret)
{
        if (*has || !str_u64(str_trim(text), ret))
                return s3__read_bad(r->f, NULL);
        *has = true;
        return S3_OK;
}

static enum s3_code read_tag(struct reading *r, const struct xml_node *n, struct s3_tags *t, unsigned max)
{
        if (n->count != 2 || xml_child(n, "Key") == NULL || xml_child(n, "Value") == NULL || t->n == max)
                return s3__read_bad(r->f, NULL);
        t->tags[t->n++] = (struct s3_tag){ xml_child_text(n, "Key"), xml_child_text(n, "Value") };
        for (unsigned i = 0; i + 1 < t->n; i++)
                if (str_eq(t->tags[i].key, t->tags[t->n - 1].key))
                        return s3_fault_set(r->f, S3_INVALID_REQUEST, "Duplicate Tag Keys are not allowed.");
        return S3_OK;
}

/* The children of Filter or of And. */
static enum s3_code read_filter(struct reading *r, const struct xml_node *n, struct s3_life_rule *rule, bool inside_and)
{
        enum s3_code c = S3_OK;
        if (!inside_and && n->count > 1)
                return s3__read_bad(r->f, NULL);
        rule->tags.tags = arena_alloc(r->a, (n->count + 1) * sizeof(*rule->tags.tags));
        if (rule->tags.tags == NULL)
                return s3_fault_set(r->f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *x = n->first; x != NULL && c == S3_OK; x = x->next) {
                if (str_eq(x->name, STR("And")) && !inside_and) {
                        rule->anded = true;
                        return read_filter(r, x, rule, true);
                }
                if (str_eq(x->name, STR("Prefix")) && rule->prefix.p == NULL)
                        rule->prefix = x->text;
                else if (str_eq(x->name, STR("Tag")))
                        c = read_tag(r, x, &rule->tags, n->count);
                else if (str_eq(x->name, STR("ObjectSizeGreaterThan")))
                        c = read_size(r, x->text, &rule->has_greater, &rule->greater);
                else if (str_eq(x->name, STR("ObjectSizeLessThan")))
                        c = read_size(r, x->text, &rule->has_less, &rule->less);
                else
                        c = s3__read_bad(r->f, NULL);
        }
        return c;
}

/* ---- actions ---- */

static enum s3_code read_days(struct reading *r, struct str text, unsigned *ret)
{
        return s3__read_positive(text, ret)
                       ? S3_OK
                       : invalid(r, "A number of days in a lifecycle rule must be a positive integer");
}

static enum s3_code read_expiration(struct reading *r, const struct xml_node *n, struct s3_life_rule *rule)
{
        if (n->count != 1)
                return s3__read_bad(r->f, NULL);
        struct str text = str_trim(n->first->text);
        if (str_eq(n->first->name, STR("Days")))
                return read_days(r, text, &rule->days);
        if (str_eq(n->first->name, STR("Date"))) {
                if (!s3_when_iso(text, &rule->date_ns))
                        return s3__read_bad(r->f, NULL);
                rule->has_date = true;
                return rule->date_ns % S3_LIFE_DAY_NS == 0 ? S3_OK : invalid(r, "'Date' must be at midnight GMT");
        }
        rule->expired_marker = str_eq(text, STR("true"));
        return str_eq(n->first->name, STR("ExpiredObjectDeleteMarker")) &&
                               (rule->expired_marker || str_eq(text, STR("false")))
                       ? S3_OK
                       : s3__read_bad(r->f, NULL);
}

static enum s3_code read_noncurrent(struct reading *r, const struct xml_node *n, struct s3_life_rule *rule)
{
        static const char *const names[] = { "NoncurrentDays", "NewerNoncurrentVersions", NULL };
        struct str days = xml_child_text(n, "NoncurrentDays"), newer = xml_child_text(n, "NewerNoncurrentVersions");
        enum s3_code c = s3__read_only(n, names, r->f);
        if (c != S3_OK)
                return c;
        if (days.p == NULL)
                return s3__read_bad(r->f, NULL);
        if (newer.p != NULL && (!s3__read_positive(newer, &rule->newer_noncurrent) || rule->newer_noncurrent > 100))
                return invalid(r, "NewerNoncurrentVersions must be between 1 and 100");
        return read_days(r, days, &rule->noncurrent_days);
}

static enum s3_code read_element(struct reading *r, const struct xml_node *n, struct s3_life_rule *rule)
{
        if (str_eq(n->name, STR("ID"))) {
                rule->id = str_trim(n->text);
                return rule->id.n <= 255 ? S3_OK : invalid(r, "ID length should not exceed allowed limit of 255");
        }
        if (str_eq(n->name, STR("Status"))) {
                rule->enabled = str_eq(str_trim(n->text), STR("Enabled"));
                return rule->enabled || str_eq(str_trim(n->text), STR("Disabled")) ? S3_OK : s3__read_bad(r->f, NULL);
        }
        if (str_eq(n->name, STR("Prefix"))) {
                rule->old_prefix = true;
                rule->prefix = n->text;
                return S3_OK;
        }
        if (str_eq(n->name, STR("Filter")))
                return read_filter(r, n, rule, false);
        if (str_eq(n->name, STR("Expiration")))
                return read_expiration(r, n, rule);
        if (str_eq(n->name, STR("NoncurrentVersionExpiration")))
                return read_noncurrent(r, n, rule);
        if (str_eq(n->name, STR("AbortIncompleteMultipartUpload")))
                return n->count == 1 && str_eq(n->first->name, STR("DaysAfterInitiation"))
                               ? read_days(r, n->first->text, &rule->abort_days)
                               : s3__read_bad(r->f, NULL);
        if (str_eq(n->name, STR("Transition")) || str_eq(n->name, STR("NoncurrentVersionTransition")))
                return s3_fault_set(r->f, S3_NOT_IMPLEMENTED, "Transitions to other storage classes are not supported");
        return s3__read_bad(r->f, NULL);
}

static enum s3_code read_rule(struct reading *r, const struct xml_node *n, struct s3_life_rule *rule)
{
        *rule = (struct s3_life_rule){ .enabled = false };
        for (const struct xml_node *x = n->first; x != NULL; x = x->next) {
                if (xml_same(x) != NULL)
                        return s3__read_bad(r->f, NULL);
                enum s3_code c = read_element(r, x, rule);
                if (c != S3_OK)
                        return c;
        }
        bool filter = xml_child(n, "Filter") != NULL, acts = rule->days != 0 || rule->has_date ||
                                                             xml_child(n, "Expiration") != NULL ||
                                                             rule->noncurrent_days != 0 || rule->abort_days != 0;
        if (xml_child(n, "Status") == NULL || filter == rule->old_prefix || !acts)
                return s3__read_bad(r->f, NULL);
        bool narrow = rule->tags.n != 0 || rule->has_greater || rule->has_less;
        if (narrow && (rule->abort_days != 0 || rule->expired_marker))
                return s3_fault_set(r->f, S3_INVALID_REQUEST,
                                    "AbortIncompleteMultipartUpload and ExpiredObjectDeleteMarker cannot be specified "
                                    "with Tags or sizes");
        return rule->has_greater && rule->has_less && rule->less <= rule->greater
                       ? s3_fault_set(r->f, S3_INVALID_REQUEST,
                                      "ObjectSizeLessThan has to be a value greater than ObjectSizeGreaterThan")
                       : S3_OK;
}

enum s3_code s3_life_read(struct arena *a, struct str text, struct s3_life *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Rule", NULL };
        struct reading r = { a, f };
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "LifecycleConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        if (root->count == 0 || root->count > S3_LIFE_RULES_MAX)
                return s3__read_bad(f, NULL);
        struct s3_life l = { .rules = arena_alloc(a, root->count * sizeof(*l.rules)) };
        if (l.rules == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *n = root->first; n != NULL; n = n->next, l.n++) {
                struct s3_life_rule *rule = &l.rules[l.n];
                if ((c = read_rule(&r, n, rule)) != S3_OK)
                        return c;
                if (rule->id.n == 0)
                        rule->id = str_printf(a, "rule-%u-%016llx", l.n + 1,
                                              (unsigned long long)hash_xxh64(text.p, text.n, l.n));
                if (rule->id.p == NULL)
                        return s3_fault_set(f, S3_SLOW_DOWN, NULL);
                for (unsigned i = 0; i < l.n; i++)
                        if (str_eq(l.rules[i].id, rule->id))
                                return invalid(&r, "Rule ID must be unique. Found same ID for more than one rule");
        }
        *ret = l;
        return S3_OK;
}

/* ---- writing ---- */

static void write_filter_parts(struct buf *b, const struct s3_life_rule *r)
{
        s3__write_some(b, "Prefix", r->prefix);
        for (unsigned i = 0; i < r->tags.n; i++) {
                xml_open(b, "Tag");
                xml_text(b, "Key", r->tags.tags[i].key);
                xml_text(b, "Value", r->tags.tags[i].value);
                xml_close(b, "Tag");
        }
        if (r->has_greater)
                xml_uint(b, "ObjectSizeGreaterThan", r->greater);
        if (r->has_less)
                xml_uint(b, "ObjectSizeLessThan", r->less);
}

static void write_filter(struct buf *b, const struct s3_life_rule *r)
{
        if (r->old_prefix) {
                xml_text(b, "Prefix", r->prefix);
                return;
        }
        xml_open(b, "Filter");
        if (r->anded)
                xml_open(b, "And");
        write_filter_parts(b, r);
        if (r->anded)
                xml_close(b, "And");
        xml_close(b, "Filter");
}

static void write_expiration(struct buf *b, const struct s3_life_rule *r)
{
        if (r->days == 0 && !r->has_date && !r->expired_marker)
                return;
        xml_open(b, "Expiration");
        if (r->days != 0)
                xml_uint(b, "Days", r->days);
        if (r->has_date)
                s3__write_time(b, "Date", r->date_ns);
        if (r->expired_marker)
                xml_bool(b, "ExpiredObjectDeleteMarker", true);
        xml_close(b, "Expiration");
}

static void write_rule(struct buf *b, const struct s3_life_rule *r)
{
        xml_open(b, "Rule");
        xml_text(b, "ID", r->id);
        write_filter(b, r);
        xml_cstr(b, "Status", r->enabled ? "Enabled" : "Disabled");
        write_expiration(b, r);
        if (r->noncurrent_days != 0) {
                xml_open(b, "NoncurrentVersionExpiration");
                xml_uint(b, "NoncurrentDays", r->noncurrent_days);
                if (r->newer_noncurrent != 0)
                        xml_uint(b, "NewerNoncurrentVersions", r->newer_noncurrent);
                xml_close(b, "NoncurrentVersionExpiration");
        }
        if (r->abort_days != 0) {
                xml_open(b, "AbortIncompleteMultipartUpload");
                xml_uint(b, "DaysAfterInitiation", r->abort_days);
                xml_close(b, "AbortIncompleteMultipartUpload");
        }
        xml_close(b, "Rule");
}

void s3_life_write(struct buf *b, const struct s3_life *l)
{
        s3__write_begin(b, "LifecycleConfiguration");
        for (unsigned i = 0; i < l->n; i++)
                write_rule(b, &l->rules[i]);
        xml_close(b, "LifecycleConfiguration");
}
