// tune.h - finds the fastest variant of each layer of a graph on its device.
#ifndef LAM_TUNE_H
#define LAM_TUNE_H

#include "tuning.h"

struct lam_tune_options {
    double budget_s; // no new layer is begun after it; 0: no limit
    int repeats;     // > 0
    bool quiet;      // no progress line
};

struct lam_tune_result {
    int measured, known, left, refused; // passes of layers; variants refused
    double before_ms, after_ms;         // of those measured: by score, and now
};

// Every variant that can serve is checked against the plain kernel on the same
// numbers, and one that differs is refused, whatever its time. Each choice is
// saved at once. LAM_EINTERRUPT after ctx->interrupted; what was measured
// stays.
int lam_tune(const struct lam_graph *graph, struct lam_queue *queue,
             struct lam_tuning *tuning, const struct lam_tune_options *options,
             struct lam_tune_result *result);

// Largest difference of n numbers by the largest number of `b`.
double lam_tune_difference(const float *a, const float *b, int64_t n);

#endif
