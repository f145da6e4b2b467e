// image.h - grey images from and to files. PNG and JPEG are decoded by
// stb_image, after the checks that it leaves out (png.h); PGM and PPM by a
// reader of our own (pnm.h), for stb_image swaps the bytes of 16-bit files and
// ignores maxval.
#ifndef LAM_IMAGE_H
#define LAM_IMAGE_H

#include <stdio.h>

#include "status.h"

struct lam_image {
    int width, height;
    int bits;         // of a sample as stored: 8 (or fewer) or 16
    int maxval;       // white as stored: 255, 4095, 65535, ..
    uint16_t *pixels; // row-major, 0..65535 is black..white
};

enum { LAM_IMAGE_MAX_SIDE = 16384 };

// Reads any of the formats as grey (colours by luma). max_pixels 0: 64 Mpixel.
// A file that is cut, damaged or larger is refused before anything of its size
// is allocated: LAM_EDATA with the path; LAM_EFILE if it cannot be opened. A
// JPEG holds no checksums: damage inside its scan may go unseen.
int lam_image_read(struct lam_context *ctx, const char *path,
                   int64_t max_pixels, struct lam_image **image);
void lam_image_free(struct lam_image *image); // NULL is fine
// Size and bits from the file's header; the rest is not looked at.
int lam_image_info(struct lam_context *ctx, const char *path, int *width,
                   int *height, int *bits);
// Whether the name ends like an image file we read.
bool lam_image_is_name(const char *name);

// 8-bit PNG of 1 (grey) or 3 (RGB) channels. LAM_EFILE, LAM_EMEMORY; no half
// file stays.
int lam_image_write_png(struct lam_context *ctx, const char *path, int width,
                        int height, int channels, const unsigned char *data);
// The same into an open file; says nothing of an error.
int lam_image_put_png(FILE *file, int width, int height, int channels,
                      const unsigned char *data);
// PGM of 8 or 16 bits from values 0..65535, which are rounded to 8.
int lam_image_write_pgm(struct lam_context *ctx, const char *path, int width,
                        int height, int bits, const uint16_t *data);

#endif
