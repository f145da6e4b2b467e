// augment.h - one crop of a training batch, a pure function of its seed.
#ifndef LAM_AUGMENT_H
#define LAM_AUGMENT_H

#include "dataset.h"

// Fills height x width elements of image and mask (zeros without one). augment
// NULL: the centre, unchanged. sampling NULL: the image's own pixels.
void lam_augment_crop(const struct lam_entry *entry,
                      const struct lam_intensity *intensity,
                      const struct lam_augment *augment,
                      const struct lam_sampling *sampling, uint64_t seed,
                      int height, int width, float *image, float *mask);

#endif
