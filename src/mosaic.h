// mosaic.h - what a layer gives, as a picture: its channels side by side.
#ifndef LAM_MOSAIC_H
#define LAM_MOSAIC_H

#include "status.h"

// data: [channels, height, width] of the first image. Each channel is shown
// from its minimum (black) to its maximum, in about as many rows as columns,
// with a gap between. A PNG; LAM_EFILE, LAM_EMEMORY.
int lam_mosaic_write(struct lam_context *ctx, const char *path,
                     const float *data, int channels, int height, int width);

#endif
