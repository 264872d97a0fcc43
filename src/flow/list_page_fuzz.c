/* Fuzz target of list_page.c: what is read from any bytes is written again, and must read as the same rows. */
#include "flow/list_page.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* Writes the rows of a page anew; false when it is malformed. */
static bool copy(struct str bytes, struct buf *out, uint32_t *ret_rows)
{
        struct list_page page;
        struct list_page_writer w;
        const struct list_row *r = NULL;
        struct err *e = flow__list_page_open(&page, bytes);
        if (e) {
                err_free(e);
                return false;
        }
        flow__list_page_begin(out, page.full ? page.places : NULL, page.nplaces);
        flow__list_page_writer(&w, out, 0, page.full);
        while (!(e = flow__list_page_next(&page, &r)) && r) {
                unsigned place = 0;
                while (page.full && r->kind == LIST_LIVE && page.places[place].path.p != r->place.path.p)
                        place++;
                flow__list_page_add(&w, r, place);
        }
        flow__list_page_end(&w, page.more, page.from);
        *ret_rows = w.count;
        flow__list_page_close(&page);
        bool good = !e;
        err_free(e);
        return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        AUTO_BUF struct buf once = BUF_INIT, twice = BUF_INIT;
        uint32_t a, b;
        if (n > 1 << 16 || !copy((struct str){ (const char *)p, n }, &once, &a))
                return 0;
        ASSERT(copy(buf_str(&once), &twice, &b));
        ASSERT(a == b && str_eq(buf_str(&once), buf_str(&twice)));
        return 0;
}
