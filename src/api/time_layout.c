/* api/time_layout.c: times in the layout that a client gives by example (wire: LsoMsg.time_format, Go's reference time
 * Mon Jan 2 15:04:05 MST 2006), in UTC. Pure. */
#include <stdio.h>
#include <time.h>

#include "api/buckets.h"

static const char *const months[] = { "January", "February", "March",     "April",   "May",      "June",
                                      "July",    "August",   "September", "October", "November", "December" };
static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };

enum element {
        YEAR,
        YEAR2,
        MONTH_NAME,
        MONTH_SHORT,
        MONTH2,
        MONTH,
        DAY_NAME,
        DAY_SHORT,
        DAY2,
        DAY_BLANK,
        DAY,
        HOUR24,
        HOUR12_2,
        HOUR12,
        MINUTE2,
        MINUTE,
        SECOND2,
        SECOND,
        PM,
        PM_LOWER,
        ZONE_NAME,
        ZONE_Z,
        ZONE_OFFSET,
        ZONE_COLON
};
/* Longer words before those that they begin with. */
static const struct {
        const char *word;
        enum element element;
} words[] = {
        { "2006", YEAR },
        { "January", MONTH_NAME },
        { "Jan", MONTH_SHORT },
        { "Monday", DAY_NAME },
        { "Mon", DAY_SHORT },
        { "MST", ZONE_NAME },
        { "Z07:00", ZONE_Z },
        { "Z0700", ZONE_Z },
        { "-07:00", ZONE_COLON },
        { "-0700", ZONE_OFFSET },
        { "01", MONTH2 },
        { "02", DAY2 },
        { "_2", DAY_BLANK },
        { "03", HOUR12_2 },
        { "04", MINUTE2 },
        { "05", SECOND2 },
        { "06", YEAR2 },
        { "15", HOUR24 },
        { "PM", PM },
        { "pm", PM_LOWER },
        { "1", MONTH },
        { "2", DAY },
        { "3", HOUR12 },
        { "4", MINUTE },
        { "5", SECOND },
};

static void add_element(struct buf *b, enum element e, const struct tm *t)
{
        int hour12 = t->tm_hour % 12 == 0 ? 12 : t->tm_hour % 12;

        switch (e) {
        case YEAR: buf_printf(b, "%04d", t->tm_year + 1900); break;
        case YEAR2: buf_printf(b, "%02d", t->tm_year % 100); break;
        case MONTH_NAME: buf_adds(b, str_of(months[t->tm_mon])); break;
        case MONTH_SHORT: buf_add(b, months[t->tm_mon], 3); break;
        case MONTH2: buf_printf(b, "%02d", t->tm_mon + 1); break;
        case MONTH: buf_printf(b, "%d", t->tm_mon + 1); break;
        case DAY_NAME: buf_adds(b, str_of(days[t->tm_wday])); break;
        case DAY_SHORT: buf_add(b, days[t->tm_wday], 3); break;
        case DAY2: buf_printf(b, "%02d", t->tm_mday); break;
        case DAY_BLANK: buf_printf(b, "%2d", t->tm_mday); break;
        case DAY: buf_printf(b, "%d", t->tm_mday); break;
        case HOUR24: buf_printf(b, "%02d", t->tm_hour); break;
        case HOUR12_2: buf_printf(b, "%02d", hour12); break;
        case HOUR12: buf_printf(b, "%d", hour12); break;
        case MINUTE2: buf_printf(b, "%02d", t->tm_min); break;
        case MINUTE: buf_printf(b, "%d", t->tm_min); break;
        case SECOND2: buf_printf(b, "%02d", t->tm_sec); break;
        case SECOND: buf_printf(b, "%d", t->tm_sec); break;
        case PM: buf_adds(b, t->tm_hour >= 12 ? STR("PM") : STR("AM")); break;
        case PM_LOWER: buf_adds(b, t->tm_hour >= 12 ? STR("pm") : STR("am")); break;
        case ZONE_NAME: buf_adds(b, STR("UTC")); break;
        case ZONE_Z: buf_adds(b, STR("Z")); break;
        case ZONE_OFFSET: buf_adds(b, STR("+0000")); break;
        case ZONE_COLON: buf_adds(b, STR("+00:00")); break;
        }
}

/* ".000" keeps its zeros, ".999" loses trailing ones; returns how much of the layout was taken. */
static size_t add_fraction(struct buf *b, struct str layout, int64_t ns)
{
        size_t digits = 0;
        char text[16];

        if (layout.n < 2 || (layout.p[0] != '.' && layout.p[0] != ',') || (layout.p[1] != '0' && layout.p[1] != '9'))
                return 0;
        while (1 + digits < layout.n && digits < 9 && layout.p[1 + digits] == layout.p[1])
                digits++;
        if (1 + digits < layout.n && layout.p[1 + digits] >= '0' && layout.p[1 + digits] <= '9')
                return 0; /* other digits follow: not a fraction */
        snprintf(text, sizeof(text), "%09d", (int)ns);
        size_t show = digits;
        while (layout.p[1] == '9' && show > 0 && text[show - 1] == '0')
                show--;
        if (show > 0) {
                buf_addc(b, layout.p[0]);
                buf_add(b, text, show);
        }
        return 1 + digits;
}

void api__time_layout(struct buf *b, struct str layout, int64_t wall_ns)
{
        time_t seconds = (time_t)(wall_ns / 1000000000);
        struct tm t;

        gmtime_r(&seconds, &t);
        while (layout.n > 0) {
                size_t taken = add_fraction(b, layout, wall_ns % 1000000000);

                for (size_t i = 0; taken == 0 && i < ARRAY_LEN(words); i++)
                        if (str_starts(layout, str_of(words[i].word))) {
                                add_element(b, words[i].element, &t);
                                taken = strlen(words[i].word);
                        }
                if (taken == 0) {
                        buf_addc(b, layout.p[0]);
                        taken = 1;
                }
                layout = str_skip(layout, taken);
        }
}
