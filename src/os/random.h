/* os/random.h: random numbers from the kernel (getrandom). Any thread. Aborts if the kernel can not deliver. */
#ifndef ORLOP_OS_RANDOM_H
#define ORLOP_OS_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/* Fills n bytes; unpredictable. */
void random_bytes(void *p, size_t n);
/* A random number. */
uint64_t random_u64(void);
/* An identifier of `len` characters of [A-Za-z0-9], first and last alphanumeric; out holds len+1. */
void random_id(char *out, size_t len);

#endif
