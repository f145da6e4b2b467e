#include "peak.h"

#include <math.h>
#include <stdio.h>

#include "peak.cl.h"
#include "progress.h"

enum {
    RUNS = 6,
    CHAINS = 12, // of the kernel
    BYTES = 64 << 20
};

struct job {
    const struct lam_host *host;
    struct lam_queue *queue;
    struct lam_kernel *madd, *copy;
    struct lam_tensor x, y;
    size_t items, local;
    int width; // of vectors
};

// The least seconds of some launches, but for the first, which may wait for a
// compiler.
static int least_of(const struct job *j, struct lam_kernel *kernel,
                    const struct lam_arg *args, int n_args, double *seconds)
{
    const size_t global[3] = {j->items, 1, 1}, local[3] = {j->local, 1, 1};
    int err = LAM_OK;

    *seconds = INFINITY;
    for (int i = 0; i < RUNS && !err; i++) {
        const double started = lam_clock();

        err = j->host->launch(j->host, kernel, args, n_args, global, local);
        if (!err)
            err = lam_queue_finish(j->queue);
        if (i > 0)
            *seconds = fmin(*seconds, lam_clock() - started);
    }
    return err;
}

static int measure_madd(const struct job *j, double *gflops)
{
    const double per_round = 2.0 * CHAINS * j->width * (double)j->items;
    double seconds = 0.0;
    int rounds = 1 << 10, err = LAM_OK;

    // Until a launch is long enough for the clock.
    while (!err && seconds < 0.02 && rounds < 1 << 28) {
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&j->y), LAM_ARG_REAL(0.5),
                                       LAM_ARG_REAL(1.0), LAM_ARG_INT(rounds)};

        err = least_of(j, j->madd, args, 4, &seconds);
        *gflops = 1e-9 * per_round * rounds / seconds;
        rounds *= 4;
    }
    return err;
}

static int measure_copy(const struct job *j, double *gb_s)
{
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&j->y), LAM_ARG_TENSOR(&j->x),
        LAM_ARG_LONG(BYTES / 4 / j->width),
        LAM_ARG_INT(j->host->device.kind == LAM_DEVICE_CPU)};
    double seconds;
    const int err = least_of(j, j->copy, args, 4, &seconds);

    *gb_s = 2e-9 * BYTES / seconds;
    return err;
}

int lam_peak_measure(const struct lam_host *host, struct lam_queue *queue,
                     struct lam_peak *peak)
{
    const struct lam_device *device = &host->device;
    const bool is_cpu = device->kind == LAM_DEVICE_CPU;
    struct lam_buffer *x = NULL, *y = NULL;
    struct job j = {.host = host, .queue = queue, .local = 1, .width = 2};
    char options[32];
    int err;

    *peak = (struct lam_peak){0};
    while (j.width < device->vector_width && j.width < 16)
        j.width *= 2;
    if (!is_cpu)
        j.local =
            device->max_work_group < 256 ? (size_t)device->max_work_group : 256;
    j.items = (size_t)device->compute_units * (is_cpu ? 1 : 8) * j.local;
    snprintf(options, sizeof(options), "-DVW=%d", j.width);
    err = host->kernel(host, peak_cl, "peak_madd", options, &j.madd);
    if (!err)
        err = host->kernel(host, peak_cl, "peak_copy", options, &j.copy);
    if (!err)
        err = lam_buffer_create(queue, BYTES, &x);
    if (!err)
        err = lam_buffer_create(queue, BYTES, &y);
    if (!err)
        err = lam_buffer_fill(x, 0);
    j.x.buffer = x;
    j.y.buffer = y;
    if (!err)
        err = measure_madd(&j, &peak->gflops);
    if (!err)
        err = measure_copy(&j, &peak->gb_s);
    lam_buffer_destroy(x);
    lam_buffer_destroy(y);
    return err;
}
