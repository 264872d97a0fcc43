/* s3/page.c: see s3/page.h. The walk: find a name, leave if it is beyond the prefix; if the delimiter is in the rest,
 * it is a common prefix, and the next name wanted is the first beyond that; else it is an entry, and the next one
 * wanted is its successor. One more look-up tells whether there is more. */
#include "s3/page.h"

#include "base/buf.h"

/* The part that a client knows. */
static struct str plain(struct str name)
{
        ptrdiff_t at = str_find(name, '\0');
        return at >= 0 ? (struct str){ name.p, (size_t)at } : name;
}

/* The common prefix that a name belongs to; p null: none. */
static struct str common(struct str name, struct str prefix, struct str delimiter)
{
        struct str key = plain(name);
        ptrdiff_t at = delimiter.n != 0 && key.n > prefix.n ? str_find_str(str_skip(key, prefix.n), delimiter) : -1;
        return at >= 0 ? (struct str){ name.p, prefix.n + (size_t)at + delimiter.n } : STR_NONE;
}

/* The least text that is greater than all that begin with p; false: there is none. */
static bool beyond(struct buf *b, struct str p)
{
        buf_clear(b);
        while (p.n > 0 && (unsigned char)p.p[p.n - 1] == 0xff)
                p.n--;
        if (p.n == 0)
                return false;
        buf_adds(b, p);
        if (!b->bad)
                b->p[b->n - 1]++;
        return true;
}

struct walk {
        const struct s3_page_ask *ask;
        const struct s3_page_io *io;
        void *arg;
        struct buf from, last;
        struct s3_page_end end;
        bool over;
};

/* Takes a name, and says where to go on. The callbacks see it before it is let go of. */
static struct err *take(struct walk *w, struct str name)
{
        struct str c = common(name, w->ask->prefix, w->ask->delimiter), what = c.p != NULL ? c : name;
        buf_clear(&w->last);
        buf_adds(&w->last, what);
        TRY(buf_err(&w->last));
        TRY(c.p != NULL ? w->io->prefix(w->arg, c) : w->io->entry(w->arg, name));
        w->end.count++;
        w->end.last_is_prefix = c.p != NULL;
        if (c.p != NULL) {
                w->over = !beyond(&w->from, buf_str(&w->last));
        } else {
                buf_clear(&w->from);
                buf_adds(&w->from, buf_str(&w->last));
                buf_addc(&w->from, '\0');
        }
        return buf_err(&w->from);
}

static struct err *walk(struct walk *w)
{
        struct str name;
        bool before = str_cmp(w->ask->from, w->ask->prefix) < 0;
        buf_adds(&w->from, before ? w->ask->prefix : w->ask->from);
        TRY(buf_err(&w->from));
        while (!w->over && w->ask->max != 0) {
                TRY(w->io->seek(w->arg, w->from.n != 0 ? buf_str(&w->from) : STR(""), &name));
                if (name.p == NULL || !str_starts(name, w->ask->prefix))
                        return NULL;
                if (w->end.count == w->ask->max) {
                        w->end.truncated = true;
                        return NULL;
                }
                TRY(take(w, name));
        }
        return NULL;
}

struct err *s3_page(const struct s3_page_ask *ask, const struct s3_page_io *io, void *arg, struct arena *a,
                    struct s3_page_end *ret)
{
        struct walk w = { .ask = ask, .io = io, .arg = arg, .from = BUF_INIT, .last = BUF_INIT };
        struct err *e = walk(&w);
        w.end.last = str_arena(a, w.last.n != 0 ? buf_str(&w.last) : STR(""));
        buf_fini(&w.from);
        buf_fini(&w.last);
        TRY(e);
        if (w.end.last.p == NULL)
                return err_static(ERR_NO_MEMORY);
        *ret = w.end;
        return NULL;
}

/* ---- where a page begins ---- */

static struct str after(struct arena *a, struct str s, bool prefix)
{
        AUTO_BUF struct buf b = BUF_INIT;
        if (!prefix) {
                buf_adds(&b, s);
                buf_addc(&b, '\0');
        } else if (!beyond(&b, s)) {
                buf_adds(&b, STR("\xff\xff")); /* no name begins so */
        }
        return b.bad ? STR_NONE : str_arena(a, buf_str(&b));
}

struct str s3_page_from_marker(struct arena *a, struct str marker, struct str prefix, struct str delimiter)
{
        if (marker.n == 0)
                return STR("");
        struct str c = str_starts(marker, prefix) ? common(marker, prefix, delimiter) : STR_NONE;
        return after(a, marker, c.p != NULL && c.n == marker.n);
}

struct str s3_page_from_key(struct arena *a, struct str key)
{
        /* Tails begin with NUL, and names have none: the next possible name is the key and a byte 1. */
        return key.n == 0 ? STR("") : str_printf(a, STR_FMT "\x01", STR_ARG(key));
}

struct str s3_page_token(struct arena *a, const struct s3_page_end *end)
{
        AUTO_BUF struct buf b = BUF_INIT;
        buf_addc(&b, end->last_is_prefix ? 'p' : 'k');
        buf_adds(&b, end->last);
        return b.bad ? STR_NONE : str_base64url(a, b.p, b.n);
}

enum s3_code s3_page_from_token(struct arena *a, struct str token, struct str *ret_from, struct s3_fault *f)
{
        struct str plain_text = STR_NONE;
        struct err *e = str_base64_decode(a, token, &plain_text);
        bool ok = e == NULL && plain_text.n > 1 && (plain_text.p[0] == 'p' || plain_text.p[0] == 'k');
        err_free(e);
        if (!ok)
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "The continuation token provided is incorrect");
        *ret_from = after(a, str_skip(plain_text, 1), plain_text.p[0] == 'p');
        return ret_from->p != NULL ? S3_OK : s3_fault_set(f, S3_SLOW_DOWN, NULL);
}
