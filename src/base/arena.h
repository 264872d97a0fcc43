/* base/arena.h: memory of one request, freed all at once.
 *
 * Chunks are taken from malloc (first `first` bytes, then doubling) up to a ceiling; above it allocation returns null, which
 * callers turn into ERR_NO_MEMORY or ERR_TOO_LARGE. Owned by one thread at a time. */
#ifndef ORLOP_BASE_ARENA_H
#define ORLOP_BASE_ARENA_H

#include "base/macros.h"

struct arena_chunk;
struct arena {
        struct arena_chunk *chunks;
        char *pos, *end;
        size_t used, ceiling, next;
};

/* Ready to use; allocates nothing yet. `ceiling` in bytes, 0 = 16 MiB. */
void arena_init(struct arena *a, size_t first, size_t ceiling);
/* Frees everything. */
void arena_fini(struct arena *a);
/* Frees all but the first chunk (and that one too when it is large), for the next request of a connection. */
void arena_reset(struct arena *a);
/* n bytes aligned to 16, not zeroed; null above the ceiling or out of memory. n = 0 gives a valid pointer. */
void *arena_alloc(struct arena *a, size_t n) __attribute__((malloc, alloc_size(2)));
/* As arena_alloc, zeroed. */
void *arena_zalloc(struct arena *a, size_t n) __attribute__((malloc, alloc_size(2)));
/* A copy of n bytes followed by a NUL. */
char *arena_dup(struct arena *a, const void *p, size_t n);

#define arena_new(a, type) ((type *)arena_zalloc((a), sizeof(type)))
#define AUTO_ARENA __attribute__((cleanup(arena_fini)))

#endif
