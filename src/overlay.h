// overlay.h - pictures of a prediction: image | truth | prediction, side by
// side; true positives green, false positives red, false negatives blue.
#ifndef LAM_OVERLAY_H
#define LAM_OVERLAY_H

#include "status.h"

// image: grey values, shown from their minimum to their maximum. truth (may be
// NULL) and prediction: foreground where > 0. RGB of [height, *whole], to
// free(); NULL without memory.
unsigned char *lam_overlay_draw(int width, int height, const float *image,
                                const float *truth, const float *prediction,
                                int *whole);
// The same as a PNG file.
int lam_overlay_write(struct lam_context *ctx, const char *path, int width,
                      int height, const float *image, const float *truth,
                      const float *prediction);

#endif
