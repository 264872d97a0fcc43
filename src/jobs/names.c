/* jobs/names.c: which objects a multi-object job means: a list of names, a template, or a prefix. Plain values. */
#include "jobs/names.h"

#include <stdio.h>

#include "jobs/priv.h"

struct err *job_names_new(const struct str *names, size_t n, struct str template_text, struct job_names **ret)
{
        struct job_names *s = calloc(1, sizeof(*s));
        struct err *e = NULL;

        if (!s)
                return err_static(ERR_NO_MEMORY);
        if (n == 0) {
                buf_adds(&s->text, template_text);
                e = buf_err(&s->text);
                if (!e)
                        e = selection_parse(buf_str(&s->text), &s->sel);
                if (!e && s->sel.kind == SELECT_PREFIX)
                        e = object_prefix_check(&s->sel.prefix);
        } else {
                s->ends = calloc(n, sizeof(*s->ends));
                s->text.limit = UINT32_MAX;
                if (!s->ends)
                        e = err_static(ERR_NO_MEMORY);
                for (size_t i = 0; i < n && !e; i++) {
                        e = object_name_check(names[i]);
                        buf_adds(&s->text, names[i]);
                        s->ends[i] = (uint32_t)s->text.n;
                }
                s->n = n;
                e = err_first(e, buf_err(&s->text));
        }
        if (e) {
                job_names_free(s);
                return e;
        }
        *ret = s;
        return NULL;
}

struct err *job_names_prefix(struct str prefix, struct job_names **ret)
{
        struct job_names *s = calloc(1, sizeof(*s));
        struct err *e;

        if (!s)
                return err_static(ERR_NO_MEMORY);
        buf_adds(&s->text, prefix);
        s->exact = true;
        s->sel.kind = SELECT_PREFIX;
        s->sel.prefix = buf_str(&s->text);
        e = buf_err(&s->text);
        if (e) {
                job_names_free(s);
                return e;
        }
        *ret = s;
        return NULL;
}

void job_names_free(struct job_names *s)
{
        if (!s)
                return;
        buf_fini(&s->text);
        free(s->ends);
        free(s);
}

const char *job_names_text(const struct job_names *s, char buf[static 128])
{
        if (!s || (s->n == 0 && s->sel.kind == SELECT_ALL))
                snprintf(buf, 128, "all objects");
        else if (s->n > 0)
                snprintf(buf, 128, "list: %zu names", s->n);
        else
                snprintf(buf, 128, "%s: %.*s", s->sel.kind == SELECT_PREFIX ? "prefix" : "template",
                         (int)MIN(s->text.n, 100), s->text.p);
        return buf;
}

bool job__names_explicit(const struct job_names *s)
{
        return s && s->n > 0;
}

size_t job__names_count(const struct job_names *s)
{
        return s ? s->n : 0;
}

struct str job__names_at(const struct job_names *s, size_t i)
{
        size_t start = i ? s->ends[i - 1] : 0;

        return (struct str){ s->text.p + start, s->ends[i] - start };
}

struct str job__names_form(const struct job_names *s)
{
        return s && s->n == 0 ? buf_str(&s->text) : STR_NONE;
}

bool job__names_is_prefix(const struct job_names *s)
{
        return s->exact;
}

size_t job__names_bytes(const struct job_names *s)
{
        return s ? s->text.n + s->n * sizeof(*s->ends) : 0;
}

struct err *job__names_none(struct job_names **ret)
{
        struct job_names *s = calloc(1, sizeof(*s));

        if (!s)
                return err_static(ERR_NO_MEMORY);
        s->none = true;
        *ret = s;
        return NULL;
}
