// loss_scale.h - how much the loss is multiplied by before backward, so that
// small gradients do not vanish while they wait as halves ("Mixed Precision
// Training", Micikevicius et al. 2018). Gradients of weights are divided by it
// before anything else looks at them. A power of two changes no bit where
// nothing under- or overflows.
#ifndef LAM_LOSS_SCALE_H
#define LAM_LOSS_SCALE_H

#include <stdbool.h>
#include <stdint.h>

struct lam_loss_scale {
    double scale;    // 0: the loss is not scaled
    int64_t good;    // steps without an overflow since it last changed
    int64_t skipped; // steps left out for an overflow, in all
};

// asked: train.loss_scale, 0: 2^16 to begin with where gradients wait as
// halves, no scaling elsewhere. s holds what an earlier part of the run left.
void lam_loss_scale_begin(struct lam_loss_scale *s, double asked, bool halves);

// After a step. Where nothing was asked for, 2000 steps without an overflow
// double the scale, to 2^24 at most, and an overflow halves it. False: it
// overflows at 1 already or at the scale asked for, so nothing can be done.
bool lam_loss_scale_update(struct lam_loss_scale *s, double asked,
                           bool overflows);

#endif
