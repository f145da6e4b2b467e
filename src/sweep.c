#include "sweep.h"

#include <math.h>

void lam_sweep_add(struct lam_sweep *s, const float *p, const float *mask,
                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int bin = (int)(p[i] * (float)LAM_SWEEP_BINS);

        bin = bin < 0 ? 0 : bin < LAM_SWEEP_BINS ? bin : LAM_SWEEP_BINS - 1;
        if (mask[i] > 0)
            s->positive[bin]++;
        else
            s->negative[bin]++;
    }
}

struct lam_sweep_point lam_sweep_at(const struct lam_sweep *s, int i)
{
    double tp = 0.0, fp = 0.0, fn = 0.0;

    for (int bin = 0; bin < LAM_SWEEP_BINS; bin++) {
        tp += bin >= i ? (double)s->positive[bin] : 0.0;
        fp += bin >= i ? (double)s->negative[bin] : 0.0;
        fn += bin < i ? (double)s->positive[bin] : 0.0;
    }
    return (struct lam_sweep_point){
        .threshold = (double)i / LAM_SWEEP_BINS,
        .precision = tp + fp > 0.0 ? tp / (tp + fp) : NAN,
        .recall = tp + fn > 0.0 ? tp / (tp + fn) : NAN,
        .dice = tp + fp + fn > 0.0 ? 2 * tp / (2 * tp + fp + fn) : NAN};
}

double lam_sweep_average_precision(const struct lam_sweep *s)
{
    double tp = 0.0, all = 0.0, total = 0.0, area = 0.0;

    for (int bin = 0; bin < LAM_SWEEP_BINS; bin++)
        total += (double)s->positive[bin];
    for (int bin = LAM_SWEEP_BINS - 1; bin >= 0; bin--) {
        tp += (double)s->positive[bin];
        all += (double)s->positive[bin] + (double)s->negative[bin];
        if (s->positive[bin])
            area += tp / all * (double)s->positive[bin] / total;
    }
    return total > 0.0 ? area : NAN;
}
