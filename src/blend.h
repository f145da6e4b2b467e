// blend.h - maps of overlapping tiles put together: where tiles share pixels,
// each counts less towards its edge, linearly.
#ifndef LAM_BLEND_H
#define LAM_BLEND_H

#include "predictor.h"

struct lam_blend {
    float *sum, *weights; // [channels, height, width], [height, width]
    int channels, height, width, overlap;
};

// false: no memory; lam_blend_free all the same.
bool lam_blend_start(struct lam_blend *blend, int channels, int height,
                     int width, int overlap);
// A tile whose first pixel is at row y, column x.
void lam_blend_add(struct lam_blend *blend, const struct lam_map *tile, int y,
                   int x);
// The whole map, which takes the memory of the sums over.
void lam_blend_finish(struct lam_blend *blend, struct lam_map *map);
void lam_blend_free(struct lam_blend *blend);

#endif
