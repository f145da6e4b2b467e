// tfevents.h - scalars for TensorBoard: a file of records that are checked by
// CRC-32C, each an Event message (tensorflow/core/util/event.proto).
#ifndef LAM_TFEVENTS_H
#define LAM_TFEVENTS_H

#include "status.h"

struct lam_scalar {
    const char *name;
    double value; // left out where it is no number
};

// Starts the file. LAM_EFILE.
int lam_tfevents_create(struct lam_context *ctx, const char *path);
// What was said of this step and later ones no longer counts: the run goes on
// from before it.
int lam_tfevents_restart(struct lam_context *ctx, const char *path,
                         int64_t step);
int lam_tfevents_add(struct lam_context *ctx, const char *path, int64_t step,
                     const struct lam_scalar *scalars, int n);

#endif
