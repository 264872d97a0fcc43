/* base/list.h: intrusive doubly linked list. The head is a node; guarded by whoever owns the head. */
#ifndef ORLOP_BASE_LIST_H
#define ORLOP_BASE_LIST_H

#include <stdbool.h>

#include "base/macros.h"

struct list {
        struct list *next, *prev;
};
static inline void list_init(struct list *l)
{
        l->next = l->prev = l;
}
static inline bool list_empty(const struct list *l)
{
        return l->next == l;
}
/* Inserts n before pos: before the head means at the end. */
static inline void list_add_before(struct list *pos, struct list *n)
{
        n->prev = pos->prev;
        n->next = pos;
        pos->prev->next = n;
        pos->prev = n;
}
static inline void list_append(struct list *head, struct list *n)
{
        list_add_before(head, n);
}
static inline void list_prepend(struct list *head, struct list *n)
{
        list_add_before(head->next, n);
}
/* Takes n out; n becomes an empty list, so that removing twice is harmless. */
static inline void list_remove(struct list *n)
{
        n->prev->next = n->next;
        n->next->prev = n->prev;
        n->next = n->prev = n;
}
#define LIST_ENTRY(ptr, type, member) CONTAINER_OF(ptr, type, member)
#define LIST_FOREACH(pos, head) for (struct list *pos = (head)->next; pos != (head); pos = pos->next)
#define LIST_FOREACH_SAFE(pos, tmp, head)                                                                              \
        for (struct list *pos = (head)->next, *tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)

#endif
