// pnm.h - PGM and PPM, binary (P5, P6), 8 and 16 bits, any maxval (netpbm's
// pgm(5), ppm(5)); one image a file.
#ifndef LAM_PNM_H
#define LAM_PNM_H

#include "image.h"

struct lam_pnm {
    int width, height, maxval, channels;
    size_t at; // of the first pixel
};

// All return NULL when all is well, else what is wrong.
const char *lam_pnm_header(const unsigned char *data, size_t size,
                           struct lam_pnm *pnm);
// Whether the file is as long as its header says, for decode takes it so.
const char *lam_pnm_length(size_t size, const struct lam_pnm *pnm);
// Fills width * height pixels, scaled so that maxval is 65535.
const char *lam_pnm_decode(const unsigned char *data, const struct lam_pnm *pnm,
                           uint16_t *pixels);

#endif
