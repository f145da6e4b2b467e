// gemm_tune.h - finds CLBlast's fastest parameters for the products of a model
// on its device.
#ifndef LAM_GEMM_TUNE_H
#define LAM_GEMM_TUNE_H

#include "gemm_shapes.h"
#include "tune.h"

struct lam_gemm_result {
    int known;            // 1: all shapes were measured before, nothing is done
    int measured, left;   // sets of parameters
    int refused;          // of those measured
    double own_ms, ms;    // all shapes once: CLBlast's own, and the choice
    char parameters[512]; // as in lam_gemm_use
};

// Measures sets of parameters of CLBlast's two ways, with and without matrices
// brought to its layout first, and from which size on the former wins; checks
// each product against the plain kernel and refuses a set that differs or fails
// in one. Shapes of earlier calls are measured again along with new ones.
// The choice is saved. The queue must have lam_gemm_use(queue, "own") behind
// it, and is of no use for products afterwards. LAM_EINTERRUPT keeps nothing.
int lam_gemm_tune(struct lam_queue *queue, const struct lam_gemm_shape *shapes,
                  int n, const struct lam_tune_options *options,
                  struct lam_gemm_result *result);

#endif
