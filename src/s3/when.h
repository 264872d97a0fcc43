/* s3/when.h: the forms in which S3 writes moments. Seconds or nanoseconds since 1970 UTC; years 1970 to 9999. Pure; any
 * thread. */
#ifndef ORLOP_S3_WHEN_H
#define ORLOP_S3_WHEN_H

#include <stdint.h>

#include "base/str.h"

#define S3_DAY_S 86400

/* "20130524T000000Z": of signatures. False when it is not exactly that. */
bool s3_when_basic(struct str s, int64_t *ret_s);
/* Writes that form; buf of 17; returns buf. */
const char *s3_when_basic_text(int64_t s, char buf[static 17]);
/* "2009-10-12", "2009-10-12T17:50:30Z", with a fraction or an offset "+01:00": of documents. False when it is none of
 * them. */
bool s3_when_iso(struct str s, int64_t *ret_ns);
/* "2009-10-12T17:50:30.000Z"; buf of 25; returns buf. */
const char *s3_when_iso_text(int64_t ns, char buf[static 25]);
/* "Fri, 24 May 2013 00:00:00 GMT" (also with "+0000"), asctime's and RFC 850's form: of headers (RFC 9110 §5.6.7). */
bool s3_when_http(struct str s, int64_t *ret_s);

#endif
