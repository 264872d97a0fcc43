/* cli/progress.c: one line on stderr that says how far a transfer is. Drawn by the main thread alone, at most five times a second on a
 * terminal, and once a second as plain lines elsewhere (--progress). */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"

static void eta_text(const struct cli_progress_view *v, char *buf, size_t size)
{
        uint64_t left = v->bytes_total > v->bytes ? v->bytes_total - v->bytes : 0;
        if (v->scanning || v->rate < 1 || !left) {
                snprintf(buf, size, "-:--");
                return;
        }
        uint64_t s = (uint64_t)((double)left / v->rate + 0.5);
        if (s >= 3600)
                snprintf(buf, size, "%llu:%02llu:%02llu", (unsigned long long)(s / 3600), (unsigned long long)(s / 60 % 60),
                         (unsigned long long)(s % 60));
        else
                snprintf(buf, size, "%llu:%02llu", (unsigned long long)(s / 60), (unsigned long long)(s % 60));
}

static double fraction_of(const struct cli_progress_view *v)
{
        if (v->bytes_total)
                return MIN((double)v->bytes / (double)v->bytes_total, 1.0);
        return v->total ? MIN((double)v->done / (double)v->total, 1.0) : 0;
}

/* Appends " [####----]" when there is room for at least ten cells. */
static void bar_text(const struct cli_progress_view *v, unsigned width, char *buf, size_t size)
{
        size_t used = strlen(buf);
        if (used + 14 > width || used + 14 > size)
                return;
        size_t cells = MIN(MIN((size_t)width, size - 1) - used - 4, (size_t)40);
        size_t full = (size_t)(fraction_of(v) * (double)cells);
        char *p = buf + used;
        *p++ = ' ';
        *p++ = ' ';
        *p++ = '[';
        for (size_t i = 0; i < cells - 1; i++)
                *p++ = i < full ? '#' : '-';
        *p++ = ']';
        *p = '\0';
}

void cli__progress_text(const struct cli_progress_view *v, unsigned width, char *buf, size_t size)
{
        char done[32], total[32], bytes[32], bytes_total[32], rate[32], eta[32], failed[48] = "";
        eta_text(v, eta, sizeof(eta));
        if (v->failed)
                snprintf(failed, sizeof(failed), "  %llu failed", (unsigned long long)v->failed);
        snprintf(buf, size, "%s/%s%s  %s/%s  %s/s  ETA %s%s", cli__count(v->done, done), cli__count(v->total, total), v->scanning ? "+" : "",
                 cli__bytes(v->bytes, bytes), cli__bytes(v->bytes_total, bytes_total), cli__bytes((uint64_t)v->rate, rate), eta, failed);
        if (width && strlen(buf) >= width && width <= size)
                buf[width - 1] = '\0';
        bar_text(v, width, buf, size);
}

void cli__progress_init(const struct cli *c, const struct cli_args *a, struct cli_progress *p)
{
        *p = (struct cli_progress){ .tty = c->tty_err, .start_ns = clock_mono_ns() };
        atomic_init(&p->scanning, true);
        p->last_ns = p->start_ns;
        p->shown = cli_has(a, "progress") || (c->tty_err && !c->quiet && !c->json && !cli_has(a, "no-progress"));
}

static unsigned terminal_width(void)
{
        struct winsize ws;
        return ioctl(STDERR_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 20 ? ws.ws_col : 80;
}

/* A rate that follows the last seconds: half of it is new every second or so. */
static void update_rate(struct cli_progress *p, int64_t now, uint64_t bytes)
{
        double dt = (double)(now - p->last_ns) / 1e9;
        double current = dt > 0 ? (double)(bytes - p->last_bytes) / dt : 0;
        double weight = p->drawn ? MIN(dt, 1.0) * 0.5 : 1.0;
        p->rate = p->rate * (1 - weight) + current * weight;
        p->last_ns = now;
        p->last_bytes = bytes;
}

void cli__progress_tick(struct cli_progress *p)
{
        int64_t now = clock_mono_ns();
        if (!p->shown || now - p->last_ns < (p->tty ? NS_PER_SEC / 5 : NS_PER_SEC))
                return;
        struct cli_progress_view v = {
                .done = atomic_load(&p->done),   .total = atomic_load(&p->total),
                .failed = atomic_load(&p->failed), .bytes = atomic_load(&p->bytes),
                .bytes_total = atomic_load(&p->bytes_total), .scanning = atomic_load(&p->scanning),
        };
        update_rate(p, now, v.bytes);
        v.rate = p->rate;
        char line[256];
        cli__progress_text(&v, MIN(p->tty ? terminal_width() : 100, (unsigned)sizeof(line)), line, sizeof(line));
        if (p->tty)
                fprintf(stderr, "\r%s\033[K", line);
        else
                fprintf(stderr, "%s\n", line);
        p->drawn = true;
}

void cli__progress_end(struct cli_progress *p)
{
        if (p->drawn && p->tty)
                fprintf(stderr, "\r\033[K");
        p->drawn = false;
}
