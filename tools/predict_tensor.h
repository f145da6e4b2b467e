// predict_tensor.h - lamina predict of NPY files, and --dump, for
// cmd_predict.c.
#ifndef LAM_PREDICT_TENSOR_H
#define LAM_PREDICT_TENSOR_H

#include "trained.h"

bool predict_is_tensor(const char *path); // NAME.npy

// dumps: "LAYER=FILE.npy" or "LAYER=FILE.png". LAM_EUSAGE for what is none.
int predict_check_dumps(struct lam_context *ctx, const char *const *dumps,
                        int n);
// An NPY file [N, C, H, W] (or less, the front ones being 1) as the network's
// input, as it is. Each output goes to out/NAME_OUTPUT.npy.
int predict_tensor(struct lam_context *ctx, const struct lam_trained *trained,
                   const char *path, const char *name, const char *out,
                   const char *const *dumps, int n);
// Layers of the network for a normalised image.
int predict_dump(struct lam_context *ctx, const struct lam_trained *trained,
                 const float *pixels, int height, int width,
                 const char *const *dumps, int n);

#endif
