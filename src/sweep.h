// sweep.h - precision and recall over all thresholds at once, from counts of
// pixels by probability.
#ifndef LAM_SWEEP_H
#define LAM_SWEEP_H

#include <stddef.h>
#include <stdint.h>

enum { LAM_SWEEP_BINS = 1000 };

struct lam_sweep {
    int64_t positive[LAM_SWEEP_BINS], negative[LAM_SWEEP_BINS];
};

// p in [0, 1]; a label above 0 is foreground.
void lam_sweep_add(struct lam_sweep *sweep, const float *p, const float *mask,
                   size_t n);

// With foreground at p >= i / LAM_SWEEP_BINS, i from 0 to LAM_SWEEP_BINS. NaN
// where a score has no value (nothing found, or nothing there).
struct lam_sweep_point {
    double threshold, precision, recall, dice;
};
struct lam_sweep_point lam_sweep_at(const struct lam_sweep *sweep, int i);
// Area under precision over recall, as the sum of precision times the step of
// recall (average precision); NaN without foreground.
double lam_sweep_average_precision(const struct lam_sweep *sweep);

#endif
