// zoom.h - whole images for a network whose pixels stand for more or less than
// one of the image's (the `data` section), and its maps back at their size.
#ifndef LAM_ZOOM_H
#define LAM_ZOOM_H

#include "data.h"
#include "predictor.h"

struct lam_zoomed {
    float *pixels; // to free()
    int height, width;
};

// Bilinear, with the coordinates of the crops in training. false: no memory.
bool lam_zoom_out(const float *image, int height, int width,
                  const struct lam_sampling *sampling,
                  struct lam_zoomed *zoomed);
// The map, of the zoomed image's size, at the image's size; bilinear.
bool lam_zoom_back(struct lam_map *map, int height, int width,
                   const struct lam_sampling *sampling);

#endif
