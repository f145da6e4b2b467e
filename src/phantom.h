// phantom.h - made-up mammograms with masses, calcifications and their masks:
// the data set that needs no files. The same seed gives the same pixels on any
// machine. Not anatomy: enough of it to try a network on.
#ifndef LAM_PHANTOM_H
#define LAM_PHANTOM_H

#include <stdint.h>

// pixels and mask have size * size elements; pixels 0..65535, mask 0 or 1.
// Nine of ten images hold one to three findings.
void lam_phantom_make(uint64_t seed, int size, uint16_t *pixels,
                      unsigned char *mask);

#endif
