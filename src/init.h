// init.h - first values of weights, a pure function of (spec, seed): the order
// of the weights and the number of threads do not matter.
#ifndef LAM_INIT_H
#define LAM_INIT_H

#include "status.h"

// Fills dst, one double per element of weight->shape. What the weight's `init`
// reads of the rest of it:
//   he         fan_in
//   glorot     fan_in, fan_out
//   truncated  scale
//   uniform    scale
//   bilinear   shape [C, K, R, S]; nonzero where c == k, everywhere if K == 1
//   icnr       fan_in, group: filters k * group .. k * group + group - 1 are
//              the same, as a pixel shuffle of PyTorch's order wants
//   identity   shape [K, C, R, S] or [K, C]; the one is at the tap that "same"
//              padding lays on the pixel itself. group > 1: K filters in that
//              many convolution groups of C inputs each
// LAM_EPLUGIN, naming the weight, when those do not make sense.
int lam_init_weight(struct lam_context *ctx, const struct lam_weight *weight,
                    uint64_t seed, double *dst);

#endif
