// bench.h - measures a model or a layer on a device: whole steps by the host's
// clock, with the device idle before and after, kernels by OpenCL's events.
#ifndef LAM_BENCH_H
#define LAM_BENCH_H

#include "session.h"

struct lam_bench_options {
    int training;         // forward, backward and the optimiser's step
    int warmup, repeats;  // repeats > 0
    const char *variants; // as for a session
    bool no_fuse;
    bool keep_half;  // values wait for backward as halves
    bool store_half; // and lie in memory as halves at all
};

struct lam_spread {
    double median, min, quartile, three_quartile;
};

struct lam_bench {
    double create_s; // session: memory, kernels from the cache or the driver
    double first_ms; // the first step, which may compile kernels
    struct lam_spread spread;
    double *all_ms; // repeats of them, in order
    int n;
    struct lam_memory memory;
    double before_mib;  // peak of the process before the plan was allocated
    double macs;        // of one forward run, as it is computed
    int programs, hits; // kernels built, and how many came from the cache
    double build_s;
};

// Owns the graph's session; runs random input of a fixed seed and, when
// training, random labels. graph may be replaced by a merged one; loss is the
// value to differentiate (-1: none) and follows it.
int lam_bench_run(struct lam_graph **graph, struct lam_queue *queue, int loss,
                  const struct lam_optimizer_type *optimizer,
                  const void *optimizer_config,
                  const struct lam_bench_options *options,
                  struct lam_bench *bench, struct lam_session **session);
void lam_bench_free(struct lam_bench *bench);
double lam_bench_peak_mib(void); // of the whole process so far

// Sorts the n > 0 times.
struct lam_spread lam_bench_spread(double *ms, int n);
// Writes numbers in [-1, 1) drawn from the name of an input; 0 or 1 to one that
// is called "target".
int lam_bench_fill(struct lam_session *session, const struct lam_graph *graph,
                   int value);
float *lam_bench_numbers(int64_t n, const char *name); // to free(), or NULL

#endif
