// tile_advice.h - a tile that fits where an image does not.
#ifndef LAM_TILE_ADVICE_H
#define LAM_TILE_ADVICE_H

#include "trained.h"

// The largest side of a square that the device can hold the network for, at
// most 4096; 0: none of 32 or more. The predictor is of no use afterwards.
int tile_advice(struct lam_context *ctx, struct lam_trained *trained);

#endif
