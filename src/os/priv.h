/* os/priv.h: what the files of os share and nobody else sees. */
#ifndef ORLOP_OS_PRIV_H
#define ORLOP_OS_PRIV_H

#include <errno.h>

#include "os/thread.h"

/* Sanitizers make frames several times larger, so small stacks are for plain builds only. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define OS__STACK_SCALE 8u
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define OS__STACK_SCALE 8u
#endif
#endif
#ifndef OS__STACK_SCALE
#define OS__STACK_SCALE 1u
#endif

/* Starts a joinable thread with all signals blocked; stack in bytes, 0: the system's default. Returns an errno. */
int os__thread_spawn(pthread_t *ret, size_t stack, void *(*fn)(void *arg), void *arg);
/* Gives the calling thread, a new one, its name and role. */
void os__thread_begin(const char *name, enum thread_role role);
/* Sets the role of the calling thread and returns the one it had. */
enum thread_role os__thread_set_role(enum thread_role role);

/* As err_sys, but with EXISTS for EEXIST, which callers tell apart. */
#define os__err(errnum, ...)                                                                  \
        ((errnum) == EEXIST ? err_new_at(__FILE__, __LINE__, ERR_EXISTS, EEXIST, __VA_ARGS__) \
                            : err_sys((errnum), __VA_ARGS__))

#endif
