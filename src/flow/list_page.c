/* flow/list_page.c: pages of a listing between nodes: head, places, rows, and at the very end where the next begins.
 *
 * Whatever a peer sends is checked: lengths, kinds, the order of names, places that exist, that a next position lies
 * behind the last name (else a listing could go round in circles). */
#include "flow/list_page.h"

#define MAGIC "OLP"
#define VERSION 1
#define HEAD 9 /* magic, version, flags, count */
#define COUNT_AT 5
enum { PAGE_FULL = 1, PAGE_MORE = 2 };
enum { ROW_KIND = 7, ROW_CHUNKED = 8 };

static uint64_t zigzag(uint64_t v)
{
        return v << 1 ^ (v >> 63 ? UINT64_MAX : 0);
}

static uint64_t unzigzag(uint64_t v)
{
        return v >> 1 ^ (v & 1 ? UINT64_MAX : 0);
}

/* ---- writing ---- */

void flow__list_page_begin(struct buf *b, const struct list_place *places, unsigned nplaces)
{
        buf_add(b, MAGIC, 3);
        buf_addc(b, VERSION);
        buf_addc(b, places ? PAGE_FULL : 0);
        buf_add_u32(b, 0);
        if (!places)
                return;
        buf_add_varint(b, nplaces);
        for (unsigned i = 0; i < nplaces; i++) {
                buf_add_lstr(b, places[i].path);
                buf_add_lstr(b, places[i].disk);
        }
}

void flow__list_page_writer(struct list_page_writer *w, struct buf *b, size_t begin, bool full)
{
        w->b = b;
        w->begin = begin;
        w->full = full;
        w->count = 0;
        w->last_n = 0;
}

static void add_name(struct list_page_writer *w, struct str name)
{
        size_t same = 0, most = MIN(w->last_n, name.n);
        while (same < most && w->last[same] == name.p[same])
                same++;
        buf_add_varint(w->b, same);
        buf_add_lstr(w->b, str_skip(name, same));
        memcpy(w->last + same, name.p + same, name.n - same);
        w->last_n = name.n;
}

static void add_facts(struct list_page_writer *w, const struct obj_meta *m, unsigned place)
{
        buf_add_varint(w->b, m->size);
        buf_add_varint(w->b, m->version);
        /* A commit has about the time of its stamp, and most objects were never read: two bytes each, as a rule. */
        buf_add_varint(w->b, zigzag((uint64_t)m->mtime_ns - m->stamp.hlc));
        buf_add_varint(w->b, zigzag((uint64_t)m->atime_ns - (uint64_t)m->mtime_ns));
        if (!w->full)
                return;
        buf_addc(w->b, (char)m->cksum_type);
        buf_add_lstr(w->b, m->cksum);
        buf_add_lstr(w->b, m->custom);
        buf_add_varint(w->b, m->chunks);
        buf_add_varint(w->b, m->max_chunk_size);
        buf_add_varint(w->b, m->copies);
        buf_add_varint(w->b, place);
}

void flow__list_page_add(struct list_page_writer *w, const struct list_row *row, unsigned place)
{
        ASSERT(row->name.n > 0 && row->name.n <= OBJECT_NAME_MAX);
        bool chunked = row->kind == LIST_LIVE && row->meta.chunks;
        buf_addc(w->b, (char)((unsigned)row->kind | (chunked ? ROW_CHUNKED : 0)));
        add_name(w, row->name);
        if (row->kind != LIST_DIR) {
                buf_add_u64(w->b, row->meta.stamp.hlc);
                buf_add_varint(w->b, row->meta.stamp.node);
        }
        if (row->kind == LIST_LIVE)
                add_facts(w, &row->meta, place);
        w->count++;
}

void flow__list_page_end(struct list_page_writer *w, bool more, struct str from)
{
        ASSERT(from.n <= LIST_FROM_MAX);
        if (more)
                buf_adds(w->b, from);
        buf_add_u16(w->b, (uint16_t)(more ? from.n : 0));
        if (buf_str(w->b).p == NULL || w->b->bad)
                return;
        char *head = w->b->p + w->begin;
        head[COUNT_AT - 1] = (char)((w->full ? PAGE_FULL : 0) | (more ? PAGE_MORE : 0));
        for (unsigned i = 0; i < 4; i++)
                head[COUNT_AT + i] = (char)(w->count >> (8 * i));
}

/* ---- reading ---- */

static struct err *malformed(const char *what)
{
        return err_new(ERR_MALFORMED, "page of a listing: %s", what);
}

static struct err *read_places(struct list_page *p)
{
        uint64_t n = buf_get_varint(&p->r);
        if (p->r.bad || n > LIST_PLACES_MAX)
                return malformed("number of places");
        p->places = calloc((size_t)n + 1, sizeof(*p->places));
        if (!p->places)
                return err_static(ERR_NO_MEMORY);
        p->nplaces = (unsigned)n;
        for (unsigned i = 0; i < p->nplaces; i++) {
                p->places[i].path = buf_get_lstr(&p->r);
                p->places[i].disk = buf_get_lstr(&p->r);
        }
        return p->r.bad ? malformed("places") : NULL;
}

/* Cuts the next position off the end. */
static struct err *read_from(struct list_page *p)
{
        if (p->r.end - p->r.p < 2)
                return malformed("cut off");
        struct buf_reader tail = { p->r.end - 2, p->r.end, false };
        size_t n = buf_get_u16(&tail);
        if (n > LIST_FROM_MAX || (size_t)(p->r.end - p->r.p) < n + 2 || (n > 0) != p->more)
                return malformed("position of the next");
        p->r.end -= n + 2;
        p->from = (struct str){ (const char *)p->r.end, n };
        return NULL;
}

static struct err *read_head(struct list_page *p)
{
        struct str magic = buf_get_bytes(&p->r, 3);
        uint8_t version = buf_get_u8(&p->r), flags = buf_get_u8(&p->r);
        p->left = buf_get_u32(&p->r);
        if (p->r.bad || !str_eq(magic, STR(MAGIC)))
                return malformed("head");
        if (version != VERSION || flags & ~(PAGE_FULL | PAGE_MORE))
                return err_new(ERR_FORMAT, "page of a listing: version %u, flags %u", version, flags);
        p->full = flags & PAGE_FULL;
        p->more = flags & PAGE_MORE;
        TRY(read_from(p));
        return p->full ? read_places(p) : NULL;
}

struct err *flow__list_page_open(struct list_page *p, struct str bytes)
{
        p->r = buf_reader_of(bytes);
        p->places = NULL;
        p->nplaces = 0;
        p->name_n = 0;
        struct err *e = read_head(p);
        if (e)
                flow__list_page_close(p);
        return e;
}

static struct err *read_name(struct list_page *p)
{
        uint64_t same = buf_get_varint(&p->r);
        struct str rest = buf_get_lstr(&p->r);
        if (p->r.bad || same > p->name_n || rest.n > OBJECT_NAME_MAX - same || same + rest.n == 0)
                return malformed("name");
        /* Greater than the one before: it goes on behind it, or the first byte that is not shared is greater. */
        bool longer = same == p->name_n && (rest.n > 0 || p->name_n == 0);
        if (!longer && (rest.n == 0 || (unsigned char)rest.p[0] <= (unsigned char)p->name[same]))
                return malformed("order of names");
        memcpy(p->name + same, rest.p, rest.n);
        p->name_n = (size_t)same + rest.n;
        p->row.name = (struct str){ p->name, p->name_n };
        return NULL;
}

static struct err *read_facts(struct list_page *p, bool chunked)
{
        struct obj_meta *m = &p->row.meta;
        m->size = buf_get_varint(&p->r);
        m->version = buf_get_varint(&p->r);
        m->mtime_ns = (int64_t)(m->stamp.hlc + unzigzag(buf_get_varint(&p->r)));
        m->atime_ns = (int64_t)((uint64_t)m->mtime_ns + unzigzag(buf_get_varint(&p->r)));
        m->chunks = chunked;
        if (!p->full)
                return NULL;
        uint8_t type = buf_get_u8(&p->r);
        m->cksum_type = (enum cksum_type)type;
        m->cksum = buf_get_lstr(&p->r);
        m->custom = buf_get_lstr(&p->r);
        uint64_t chunks = buf_get_varint(&p->r);
        m->max_chunk_size = buf_get_varint(&p->r);
        uint64_t copies = buf_get_varint(&p->r), place = buf_get_varint(&p->r);
        if (p->r.bad || type >= CKSUM_TYPE_COUNT || chunks > UINT32_MAX || copies > UINT32_MAX || place >= p->nplaces ||
            (chunks > 0) != chunked)
                return malformed("facts of a row");
        m->chunks = (uint32_t)chunks;
        m->copies = (unsigned)copies;
        p->row.place = p->places[place];
        return NULL;
}

static struct err *read_row(struct list_page *p)
{
        uint8_t head = buf_get_u8(&p->r);
        unsigned kind = head & ROW_KIND;
        bool chunked = head & ROW_CHUNKED;
        if (p->r.bad || kind < LIST_MOVED || kind > LIST_DIR || head > (ROW_KIND | ROW_CHUNKED) ||
            (chunked && kind != LIST_LIVE))
                return malformed("kind of a row");
        p->row.kind = (enum list_kind)kind;
        p->row.meta = (struct obj_meta){ 0 };
        p->row.place = (struct list_place){ STR_NONE, STR_NONE };
        TRY(read_name(p));
        if (kind == LIST_DIR)
                return p->name[p->name_n - 1] == '/' ? NULL : malformed("directory");
        p->row.meta.stamp.hlc = buf_get_u64(&p->r);
        uint64_t node = buf_get_varint(&p->r);
        if (p->r.bad || node > UINT32_MAX)
                return malformed("stamp");
        p->row.meta.stamp.node = (uint32_t)node;
        if (kind == LIST_LIVE)
                TRY(read_facts(p, chunked));
        return p->r.bad ? malformed("cut off") : NULL;
}

struct err *flow__list_page_next(struct list_page *p, const struct list_row **ret)
{
        if (p->left == 0) {
                if (p->r.p != p->r.end || (p->more && str_cmp(p->from, (struct str){ p->name, p->name_n }) <= 0))
                        return malformed("end");
                *ret = NULL;
                return NULL;
        }
        TRY(read_row(p));
        p->left--;
        *ret = &p->row;
        return NULL;
}

void flow__list_page_close(struct list_page *p)
{
        free(p->places);
        p->places = NULL;
        p->nplaces = 0;
}
