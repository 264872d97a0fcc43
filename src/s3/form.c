/* s3/form.c: multipart/form-data as a stream (RFC 7578). The stage holds what came and was not used; a part ends at
 * CRLF "--" boundary, so that the stage is never given away up to the last bytes that could begin one. States: FILE_
 * until the delimiter, then CLOSED; FAILED for ever. */
#include "s3/post.h"

enum { FIELDS, FILE_, CLOSED, FAILED };

static enum s3_code malformed(struct s3_fault *f, const char *text)
{
        return s3_fault_set(f, S3_MALFORMED_POST, text != NULL ? "%s" : NULL, text);
}

/* ---- the stage ---- */

static struct str staged(const struct s3_form *f)
{
        return (struct str){ f->stage + f->at, f->n - f->at };
}

static struct err *fill(struct s3_form *f, bool *ret_end)
{
        size_t n;
        if (f->at > 0) {
                memmove(f->stage, f->stage + f->at, f->n - f->at);
                f->n -= f->at;
                f->at = 0;
        }
        TRY(f->source(f->arg, f->stage + f->n, sizeof(f->stage) - f->n, &n));
        f->n += n;
        *ret_end = n == 0;
        return NULL;
}

/* Everything before `end`, which is consumed too; p null: it did not come within `most` bytes. Borrowed until the next
 * call. */
static struct err *take_until(struct s3_form *f, struct str end, size_t most, struct str *ret)
{
        for (;;) {
                struct str in = staged(f);
                ptrdiff_t at = str_find_str(in, end);
                bool over = false;
                if (at >= 0 && (size_t)at <= most) {
                        f->at += (size_t)at + end.n;
                        *ret = (struct str){ in.p, (size_t)at };
                        return NULL;
                }
                *ret = STR_NONE;
                if (at >= 0 || in.n > most + end.n)
                        return NULL;
                TRY(fill(f, &over));
                if (over)
                        return NULL;
        }
}

/* ---- heads of parts ---- */

/* A parameter of a header's value: name="…" or name=token. */
static struct str parameter(struct str value, const char *name)
{
        while (value.n != 0) {
                ptrdiff_t semicolon = -1;
                bool quoted = false;
                for (size_t i = 0; i < value.n && semicolon < 0; i++) {
                        if (value.p[i] == '"')
                                quoted = !quoted;
                        else if (value.p[i] == ';' && !quoted)
                                semicolon = (ptrdiff_t)i;
                }
                struct str one = semicolon >= 0 ? (struct str){ value.p, (size_t)semicolon } : value;
                value = str_skip(value, semicolon >= 0 ? (size_t)semicolon + 1 : value.n);
                struct str text = str_trim(one), key = str_cut(&text, '=');
                if (!str_eq_nocase(key, str_of(name)))
                        continue;
                if (text.n >= 2 && text.p[0] == '"' && text.p[text.n - 1] == '"')
                        text = (struct str){ text.p + 1, text.n - 2 };
                return text;
        }
        return STR_NONE;
}

struct part {
        struct str name, filename, type;
};

static void read_head(struct str head, struct part *p)
{
        *p = (struct part){ STR_NONE, STR_NONE, STR_NONE };
        while (head.n != 0) {
                struct str value = str_cut(&head, '\n'), name = str_cut(&value, ':');
                value = str_trim(value);
                if (str_eq_nocase(name, STR("Content-Disposition"))) {
                        p->name = parameter(value, "name");
                        p->filename = parameter(value, "filename");
                } else if (str_eq_nocase(name, STR("Content-Type"))) {
                        p->type = value;
                }
        }
}

static struct str keep(struct s3_form *f, struct str s)
{
        return s.p == NULL ? STR_NONE : str_arena(f->a, s.n != 0 ? s : STR(""));
}

/* One part: a field is kept, the file is left to be read. *ret_file: it was the file. */
static enum s3_code read_part(struct s3_form *f, bool *ret_file, struct s3_fault *fault, struct err **ret_err)
{
        struct str text;
        struct part p;
        if ((*ret_err = take_until(f, STR("\r\n\r\n"), 4096, &text)) != NULL)
                return S3_INTERNAL_ERROR;
        if (text.p == NULL)
                return malformed(fault, "The head of a part is missing or too long");
        read_head(text, &p);
        if (p.name.n == 0)
                return malformed(fault, "A part of the form has no name");
        struct str name = keep(f, p.name);
        if (str_eq_nocase(name, STR("file"))) {
                f->filename = keep(f, p.filename);
                f->file_type = keep(f, p.type);
                *ret_file = true;
                return S3_OK;
        }
        if ((*ret_err = take_until(f, (struct str){ f->delimiter, f->delimiter_n }, S3_FORM_BYTES_MAX, &text)) != NULL)
                return S3_INTERNAL_ERROR;
        f->fields_n += name.n + text.n;
        if (text.p == NULL || f->fields_n > S3_FORM_BYTES_MAX || f->nfields == S3_FORM_FIELDS_MAX)
                return s3_fault_set(fault, text.p == NULL ? S3_MALFORMED_POST : S3_MAX_MESSAGE_LENGTH, NULL);
        if (s3_form_field(f, name.p).p != NULL)
                return s3_fault_set(fault, S3_INVALID_ARGUMENT, "A field of the form is given twice");
        struct str value = keep(f, text);
        if (name.p == NULL || value.p == NULL)
                return s3_fault_set(fault, S3_SLOW_DOWN, NULL);
        f->fields[f->nfields++] = (struct s3_form_field){ name, value };
        /* Behind a delimiter: CRLF and the next part, or "--" and no file at all. */
        if ((*ret_err = take_until(f, STR("\r\n"), 64, &text)) != NULL)
                return S3_INTERNAL_ERROR;
        if (text.p == NULL || text.n != 0)
                return s3_fault_set(fault, S3_INVALID_ARGUMENT, "POST requires exactly one file upload per request.");
        return S3_OK;
}

enum s3_code s3_form_begin(struct s3_form *f, struct arena *a, struct str content_type, http_body_read_fn *source,
                           void *arg, struct s3_fault *fault, struct err **ret_err)
{
        struct str rest = content_type, first;
        struct str type = str_trim(str_cut(&rest, ';')), boundary = parameter(rest, "boundary");
        memset(f, 0, offsetof(struct s3_form, stage));
        f->source = source;
        f->arg = arg;
        f->a = a;
        f->max = UINT64_MAX;
        *ret_err = NULL;
        if (!str_eq_nocase(type, STR("multipart/form-data")))
                return s3_fault_set(fault, S3_PRECONDITION_FAILED,
                                    "Bucket POST must be of the enclosure-type multipart/form-data");
        if (boundary.n == 0 || boundary.n > 70)
                return malformed(fault, "The boundary of the form is missing or too long");
        memcpy(f->delimiter, "\r\n--", 4);
        memcpy(f->delimiter + 4, boundary.p, boundary.n);
        f->delimiter_n = boundary.n + 4;
        /* The first delimiter has no CRLF before it. */
        if ((*ret_err = take_until(f, STR("\r\n"), 1024, &first)) != NULL)
                return S3_INTERNAL_ERROR;
        if (!str_eq(first, (struct str){ f->delimiter + 2, f->delimiter_n - 2 }))
                return malformed(fault, NULL);
        for (bool file = false; !file;) {
                enum s3_code c = read_part(f, &file, fault, ret_err);
                if (c != S3_OK)
                        return c;
        }
        f->state = FILE_;
        return S3_OK;
}

struct str s3_form_field(const struct s3_form *f, const char *name)
{
        for (unsigned i = 0; i < f->nfields; i++)
                if (str_eq_nocase(f->fields[i].name, str_of(name)))
                        return f->fields[i].value;
        return STR_NONE;
}

struct str s3_form_key(const struct s3_form *f)
{
        struct str key = s3_form_field(f, "key");
        ptrdiff_t at = str_find_str(key, STR("${filename}"));
        if (at < 0)
                return key;
        struct str tail = str_skip(key, (size_t)at + 11), name = f->filename;
        for (size_t i = name.n; i-- > 0;) { /* browsers once sent whole paths */
                if (name.p[i] == '/' || name.p[i] == '\\') {
                        name = str_skip(name, i + 1);
                        break;
                }
        }
        return str_printf(f->a, STR_FMT STR_FMT STR_FMT, (int)at, key.p, STR_ARG(name), STR_ARG(tail));
}

/* ---- the file ---- */

static struct err *refuse(struct s3_form *f, enum s3_code c, const char *text)
{
        f->state = FAILED;
        (void)s3_fault_set(&f->fault, c, text != NULL ? "%s" : NULL, text);
        return err_new(ERR_MALFORMED, "form refused: %s", s3_code_name(c));
}

/* Behind the file: "--" and at most a line's end. */
static struct err *close_form(struct s3_form *f)
{
        bool over = false;
        while (!over && staged(f).n <= 4)
                TRY(fill(f, &over));
        struct str rest = staged(f);
        if (!str_eq(rest, STR("--")) && !str_eq(rest, STR("--\r\n")))
                return refuse(f, S3_MALFORMED_POST, "The file must be the last field of the form");
        if (f->got < f->min)
                return refuse(f, S3_ENTITY_TOO_SMALL, NULL);
        f->state = CLOSED;
        return NULL;
}

struct err *s3_form_read(void *form, void *p, size_t n, size_t *ret_n)
{
        struct s3_form *f = form;
        struct str end = { f->delimiter, f->delimiter_n };
        *ret_n = 0;
        while (f->state == FILE_) {
                struct str in = staged(f);
                ptrdiff_t at = str_find_str(in, end);
                size_t sure = at >= 0 ? (size_t)at : in.n >= end.n ? in.n - end.n + 1 : 0;
                bool over = false;
                if (at == 0) {
                        f->at += end.n;
                        return close_form(f);
                }
                if (sure != 0) {
                        n = MIN(n, sure);
                        f->got += n;
                        if (f->got > f->max)
                                return refuse(f, S3_ENTITY_TOO_LARGE, NULL);
                        memcpy(p, in.p, n);
                        f->at += n;
                        *ret_n = n;
                        return NULL;
                }
                TRY(fill(f, &over));
                if (over)
                        return refuse(f, S3_INCOMPLETE_BODY, NULL);
        }
        return f->state == CLOSED ? NULL : err_new(ERR_MALFORMED, "form refused: %s", s3_code_name(f->fault.code));
}
