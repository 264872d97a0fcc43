/* base/arena.c: chunks from malloc, newest first; a bump pointer in the newest.
 *
 * The ceiling counts whole chunks, since they are what the process pays for; the last chunk is cut to what is left.
 * Above the ceiling, or out of memory, allocation returns null and the arena stays usable. */
#include "base/arena.h"

#include <string.h>

#define ARENA_FIRST 4096u
#define ARENA_CEILING ((size_t)16 << 20)
#define ARENA_CHUNK_MAX ((size_t)1 << 20)
/* A first chunk above this is not kept for the next request: idle connections should be small. */
#define ARENA_KEEP_MAX ((size_t)64 << 10)
#define ARENA_ALIGN 16u

struct arena_chunk {
        struct arena_chunk *older;
        size_t size; /* bytes after this header */
};
_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGN == 0, "chunk header keeps the alignment");

void arena_init(struct arena *a, size_t first, size_t ceiling)
{
        *a = (struct arena){ .ceiling = ceiling ? ceiling : ARENA_CEILING, .next = first ? first : ARENA_FIRST };
}

void arena_fini(struct arena *a)
{
        for (struct arena_chunk *c = a->chunks, *older; c; c = older) {
                older = c->older;
                free(c);
        }
        a->chunks = NULL;
        a->pos = a->end = NULL;
        a->used = 0;
}

void arena_reset(struct arena *a)
{
        struct arena_chunk *c = a->chunks;
        while (c && c->older) {
                struct arena_chunk *older = c->older;
                free(c);
                c = older;
        }
        a->chunks = c;
        if (c && c->size > ARENA_KEEP_MAX)
                arena_fini(a);
        if (!a->chunks) {
                a->next = ARENA_FIRST;
                return;
        }
        a->pos = (char *)(c + 1);
        a->end = a->pos + c->size;
        a->used = c->size;
        a->next = MIN(c->size * 2, ARENA_CHUNK_MAX);
}

static void *arena_grow(struct arena *a, size_t n)
{
        size_t left = a->ceiling > a->used ? a->ceiling - a->used : 0;
        if (n > left)
                return NULL;
        size_t size = MIN(MAX(a->next, n), left);
        struct arena_chunk *c = malloc(sizeof(*c) + size);
        if (!c)
                return NULL;
        c->older = a->chunks;
        c->size = size;
        a->chunks = c;
        a->used += size;
        if (a->next < ARENA_CHUNK_MAX)
                a->next *= 2;
        a->pos = (char *)(c + 1) + n;
        a->end = (char *)(c + 1) + size;
        return c + 1;
}

void *arena_alloc(struct arena *a, size_t n)
{
        if (UNLIKELY(n > SIZE_MAX / 2))
                return NULL;
        size_t rounded = MAX((n + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1), (size_t)ARENA_ALIGN);
        if (LIKELY((size_t)(a->end - a->pos) >= rounded)) {
                void *p = a->pos;
                a->pos += rounded;
                return p;
        }
        return arena_grow(a, rounded);
}

void *arena_zalloc(struct arena *a, size_t n)
{
        void *p = arena_alloc(a, n);
        return p ? memset(p, 0, n) : NULL;
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
        char *copy = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
        if (!copy)
                return NULL;
        if (n)
                memcpy(copy, p, n);
        copy[n] = '\0';
        return copy;
}
