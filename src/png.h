// png.h - what stb_image does not check of a PNG: the CRC of each chunk, the
// checksum and length of the compressed data, the end.
#ifndef LAM_PNG_H
#define LAM_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lam_png {
    uint32_t width, height;
    int depth, channels; // bits of a sample; samples of a pixel as stored
    bool is_palette, is_interlaced;
};

// Both return NULL when all is well, else what is wrong. The first reads 33
// bytes, the second all.
const char *lam_png_header(const unsigned char *data, size_t size,
                           struct lam_png *png);
const char *lam_png_problem(const unsigned char *data, size_t size);

#endif
