// bench_profile.h - where the time of a measured model goes: by kernel, and by
// layer and pass beside what the device can do at best.
#ifndef BENCH_PROFILE_H
#define BENCH_PROFILE_H

#include "peak.h"
#include "session.h"

struct bench_profile {
    struct lam_queue *queue; // opened with `profile`
    const struct lam_graph *graph;
    int steps; // that the queue has counted
    // Filled in by bench_profile_open.
    struct lam_peak peak;
    struct lam_kernel_time *kernels, *layers;
    int n_kernels, n_layers;
};

// Takes the times and then measures the device. host is one of floats.
int bench_profile_open(struct bench_profile *profile,
                       const struct lam_host *host);
void bench_profile_close(struct bench_profile *profile);

// Calls and milliseconds are those of one step, on average. GFLOPS are of the
// plain algorithm, a multiply-add as two, so what needs fewer may be above the
// device's best. GB/s are of what must at least be read and written: inputs,
// outputs, weights and their gradients, once each.
void bench_profile_print(const struct bench_profile *profile);
// Members "peak", "kernels" and "layer_times" for an object that is being
// printed.
void bench_profile_json(const struct bench_profile *profile);

#endif
