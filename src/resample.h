// resample.h - images and masks at another size.
#ifndef LAM_RESAMPLE_H
#define LAM_RESAMPLE_H

#include <stdint.h>

// What becomes of a pixel that foreground covers in part.
enum lam_mask_rule {
    LAM_MASK_HALF, // foreground from half on
    LAM_MASK_ANY,  // from any: masks grow, as `mask > 0` after a smooth resize
    LAM_MASK_ALL   // only where all is: they shrink, as a cast to int does
};
extern const char *const lam_mask_rules[]; // "half", "any", "all", NULL

// Each result is the mean of the area it covers, rounded. Sizes from 1; results
// may be larger than the source too.
void lam_resample_pixels(const uint16_t *src, int height, int width,
                         uint16_t *dst, int to_height, int to_width);
// The same for labels: of one foreground class by the rule; with labels above 1
// the one at the centre of the area.
void lam_resample_mask(const unsigned char *src, int height, int width,
                       unsigned char *dst, int to_height, int to_width,
                       enum lam_mask_rule rule);

#endif
