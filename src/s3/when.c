/* s3/when.c: moments as text. Each reader takes what it is made for and nothing else; fields out of range are refused.
 */
#include "s3/when.h"

#include <stdio.h>

#define NS INT64_C(1000000000)

struct civil {
        unsigned year, month, day, hour, minute, second;
};

/* Days since 1970-01-01 of the proleptic Gregorian calendar; years counted from March, so that the leap day comes last.
 */
static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
        int64_t y = (int64_t)year - (month <= 2), era = y / 400, yoe = y - era * 400;
        int64_t doy = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
        return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static struct civil civil_of(int64_t s)
{
        int64_t days = s / S3_DAY_S, rest = s % S3_DAY_S;
        if (rest < 0) {
                rest += S3_DAY_S;
                days--;
        }
        int64_t z = days + 719468, era = z / 146097, doe = z - era * 146097;
        int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
        int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
        unsigned month = (unsigned)(mp < 10 ? mp + 3 : mp - 9);
        return (struct civil){ (unsigned)(yoe + era * 400 + (month <= 2)),
                               month,
                               (unsigned)(doy - (153 * mp + 2) / 5 + 1),
                               (unsigned)(rest / 3600),
                               (unsigned)(rest / 60 % 60),
                               (unsigned)(rest % 60) };
}

static bool seconds_of(const struct civil *c, int64_t *ret)
{
        static const unsigned char days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
        if (c->year < 1970 || c->year > 9999 || c->month < 1 || c->month > 12 || c->day < 1 || c->hour > 23 ||
            c->minute > 59 || c->second > 60)
                return false;
        bool leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
        if (c->day > days[c->month - 1] + (unsigned)(leap && c->month == 2))
                return false;
        *ret = days_of(c->year, c->month, c->day) * S3_DAY_S + c->hour * 3600 + c->minute * 60 + c->second;
        return true;
}

/* Takes exactly n digits off the front. */
static bool digits(struct str *s, unsigned n, unsigned *ret)
{
        unsigned v = 0;
        if (s->n < n)
                return false;
        for (unsigned i = 0; i < n; i++) {
                if (s->p[i] < '0' || s->p[i] > '9')
                        return false;
                v = v * 10 + (unsigned)(s->p[i] - '0');
        }
        *s = str_skip(*s, n);
        *ret = v;
        return true;
}

static bool literal(struct str *s, const char *text)
{
        if (!str_starts(*s, str_of(text)))
                return false;
        *s = str_skip(*s, strlen(text));
        return true;
}

bool s3_when_basic(struct str s, int64_t *ret_s)
{
        struct civil c;
        return digits(&s, 4, &c.year) && digits(&s, 2, &c.month) && digits(&s, 2, &c.day) && literal(&s, "T") &&
               digits(&s, 2, &c.hour) && digits(&s, 2, &c.minute) && digits(&s, 2, &c.second) && literal(&s, "Z") &&
               s.n == 0 && seconds_of(&c, ret_s);
}

const char *s3_when_basic_text(int64_t s, char buf[static 17])
{
        struct civil c = civil_of(s);
        snprintf(buf, 17, "%04u%02u%02uT%02u%02u%02uZ", c.year % 10000, c.month % 100, c.day % 100, c.hour % 100,
                 c.minute % 100, c.second % 100);
        return buf;
}

/* ".123456789": at least one digit; more than nine are cut. */
static bool fraction(struct str *s, int64_t *ret_ns)
{
        int64_t v = 0, unit = NS / 10;
        unsigned d, n = 0;
        for (; digits(s, 1, &d); n++, unit /= 10)
                v += unit * d;
        *ret_ns = v;
        return n > 0;
}

static bool offset_of(struct str *s, int64_t *ret_s)
{
        unsigned h, m;
        bool minus = literal(s, "-");
        if ((!minus && !literal(s, "+")) || !digits(s, 2, &h) || !literal(s, ":") || !digits(s, 2, &m) || h > 23 ||
            m > 59)
                return false;
        *ret_s = (minus ? -1 : 1) * (int64_t)(h * 3600 + m * 60);
        return true;
}

bool s3_when_iso(struct str s, int64_t *ret_ns)
{
        struct civil c = { .hour = 0 };
        int64_t t, ns = 0, east = 0;
        if (!digits(&s, 4, &c.year) || !literal(&s, "-") || !digits(&s, 2, &c.month) || !literal(&s, "-") ||
            !digits(&s, 2, &c.day))
                return false;
        if (s.n != 0) {
                if (!literal(&s, "T") || !digits(&s, 2, &c.hour) || !literal(&s, ":") || !digits(&s, 2, &c.minute))
                        return false;
                if (literal(&s, ":") && !digits(&s, 2, &c.second))
                        return false;
                if (literal(&s, ".") && !fraction(&s, &ns))
                        return false;
                /* Without a zone it is UTC, as clients that forget it mean. */
                if (s.n != 0 && !literal(&s, "Z") && !offset_of(&s, &east))
                        return false;
        }
        if (s.n != 0 || !seconds_of(&c, &t))
                return false;
        if (t - east > INT64_MAX / NS)
                t = INT64_MAX / NS - 1, east = 0; /* beyond 2262: as far as nanoseconds go */
        *ret_ns = (t - east) * NS + ns;
        return true;
}

const char *s3_when_iso_text(int64_t ns, char buf[static 25])
{
        int64_t s = ns / NS, rest = ns % NS;
        if (rest < 0) {
                rest += NS;
                s--;
        }
        struct civil c = civil_of(s);
        snprintf(buf, 25, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year % 10000, c.month % 100, c.day % 100,
                 c.hour % 100, c.minute % 100, c.second % 100, (unsigned)(rest / 1000000) % 1000);
        return buf;
}

static bool month_name(struct str *s, unsigned *ret)
{
        static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        for (unsigned m = 0; m < 12; m++) {
                if (s->n >= 3 && memcmp(s->p, names + 3 * m, 3) == 0) {
                        *s = str_skip(*s, 3);
                        *ret = m + 1;
                        return true;
                }
        }
        return false;
}

static bool clock_time(struct str *s, struct civil *c)
{
        return digits(s, 2, &c->hour) && literal(s, ":") && digits(s, 2, &c->minute) && literal(s, ":") &&
               digits(s, 2, &c->second);
}

bool s3_when_http(struct str s, int64_t *ret_s)
{
        struct civil c;
        ptrdiff_t comma = str_find(s, ',');
        if (comma < 0) { /* asctime: "Sun Nov  6 08:49:37 1994" */
                s = str_skip(s, 4);
                bool ok = month_name(&s, &c.month) && literal(&s, " ");
                if (ok && literal(&s, " "))
                        ok = digits(&s, 1, &c.day);
                else
                        ok = ok && digits(&s, 2, &c.day);
                return ok && literal(&s, " ") && clock_time(&s, &c) && literal(&s, " ") && digits(&s, 4, &c.year) &&
                       s.n == 0 && seconds_of(&c, ret_s);
        }
        s = str_skip(s, (size_t)comma + 1);
        if (!literal(&s, " ") || !digits(&s, 2, &c.day))
                return false;
        if (literal(&s, "-")) { /* RFC 850: "Sunday, 06-Nov-94 08:49:37 GMT" */
                if (!month_name(&s, &c.month) || !literal(&s, "-") || !digits(&s, 2, &c.year))
                        return false;
                c.year += c.year < 70 ? 2000 : 1900;
        } else if (!literal(&s, " ") || !month_name(&s, &c.month) || !literal(&s, " ") || !digits(&s, 4, &c.year)) {
                return false;
        }
        return literal(&s, " ") && clock_time(&s, &c) && literal(&s, " ") &&
               (literal(&s, "GMT") || literal(&s, "UTC") || literal(&s, "+0000") || literal(&s, "-0000")) && s.n == 0 &&
               seconds_of(&c, ret_s);
}
