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
}

void lam_meter_clear(struct lam_meter *m)
{
    if (m->has_line)
        fprintf(stderr, "\r%*s\r", 78, "");
    m->has_line = false;
}

void lam_meter_step(struct lam_meter *m, int64_t step, int64_t epoch,
                    int64_t epochs, double loss, double lr, int batch)
{
    const double now = lam_clock(), pause = m->is_terminal ? 0.1 : 10.0;
    const double spent = now - m->started;
    const int64_t done = step - m->first;
    const double rate = (double)done / (spent > 0 ? spent : 1e-9);
    const long left = (long)((double)(m->total - step) / (rate > 0 ? rate : 1));

    m->smooth_loss = m->has_loss ? 0.95 * m->smooth_loss + 0.05 * loss : loss;
    m->has_loss = true;
    if (m->quiet || now - m->last < pause)
        return;
    m->last = now;
    fprintf(stderr,
            "%sepoch %" PRId64 "/%" PRId64 " step %" PRId64 "/%" PRId64
            " loss %.4f lr %.2g %.1f images/s %ld:%02ld left%s",
            m->is_terminal ? "\r" : "", epoch, epochs, step, m->total,
            m->smooth_loss, lr, rate * batch, left / 60, left % 60,
            m->is_terminal ? "   " : "\n");
    m->has_line = m->is_terminal;
}
