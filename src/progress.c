#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

double lam_clock(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void lam_meter_start(struct lam_meter *m, bool quiet, int64_t first,
                     int64_t total)
{
    const char *term = getenv("TERM");

    *m = (struct lam_meter){.quiet = quiet,
                            .is_terminal =
                                isatty(2) && term && strcmp(term, "dumb") != 0,
                            .started = lam_clock(),
                            .first = first,
                            .total = total};
    m->last = m->is_terminal ? 0.0 : m->started;
}

void lam_meter_clear(struct lam_meter *m)
{
    if (m->has_line)
        fprintf(stderr, "\r%*s\r", 78, "");
    m->has_line = false;
}

// Whether a line is due; the clock of it.
static bool is_due(struct lam_meter *m, double now)
{
    if (m->quiet || now - m->last < (m->is_terminal ? 0.1 : 10.0))
        return false;
    m->last = now;
    m->has_line = m->is_terminal;
    return true;
}

static void print_left(const struct lam_meter *m, double rate, int64_t step)
{
    const long left = (long)((double)(m->total - step) / (rate > 0 ? rate : 1));

    fprintf(stderr, " %ld:%02ld left%s", left / 60, left % 60,
            m->is_terminal ? "   " : "\n");
}

static double rate_at(const struct lam_meter *m, double now, int64_t step)
{
    const double spent = now - m->started;

    return (double)(step - m->first) / (spent > 0 ? spent : 1e-9);
}

void lam_meter_step(struct lam_meter *m, int64_t step, int64_t epoch,
                    int64_t epochs, double loss, double lr, int batch)
{
    const double now = lam_clock(), rate = rate_at(m, now, step);

    m->smooth_loss = m->has_loss ? 0.95 * m->smooth_loss + 0.05 * loss : loss;
    m->has_loss = true;
    if (!is_due(m, now))
        return;
    fprintf(stderr,
            "%sepoch %" PRId64 "/%" PRId64 " step %" PRId64 "/%" PRId64
            " loss %.4f lr %.2g %.1f images/s",
            m->is_terminal ? "\r" : "", epoch, epochs, step, m->total,
            m->smooth_loss, lr, rate * batch);
    print_left(m, rate, step);
}

void lam_meter_count(struct lam_meter *m, int64_t done, const char *what)
{
    const double now = lam_clock();

    if (!is_due(m, now))
        return;
    fprintf(stderr, "%s%" PRId64 "/%" PRId64 " %s", m->is_terminal ? "\r" : "",
            done, m->total, what);
    print_left(m, rate_at(m, now, done), done);
}
