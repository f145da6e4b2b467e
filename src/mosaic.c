#include "mosaic.h"

#include <math.h>
#include <stdlib.h>

#include "image.h"

enum { GAP = 2 };

static void draw(const float *data, int height, int width, unsigned char *to,
                 size_t pitch)
{
    const size_t n = (size_t)height * (size_t)width;
    float low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        low = data[i] < low ? data[i] : low;
        high = data[i] > high ? data[i] : high;
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const float v = data[(size_t)y * width + x];
            const float share = high > low ? (v - low) / (high - low) : 0.0f;

            // Not a number is black.
            to[(size_t)y * pitch + x] =
                share >= 0.0f ? (unsigned char)lroundf(255.0f * share) : 0;
        }
}

int lam_mosaic_write(struct lam_context *ctx, const char *path,
                     const float *data, int channels, int height, int width)
{
    const int columns = (int)ceil(sqrt(channels * (double)height / width));
    const int rows = (channels + columns - 1) / columns;
    const size_t w = (size_t)columns * (size_t)(width + GAP) - GAP;
    const size_t h = (size_t)rows * (size_t)(height + GAP) - GAP;
    unsigned char *picture = calloc(w, h);
    int err;

    if (!picture)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int c = 0; c < channels; c++)
        draw(data + (size_t)c * (size_t)height * (size_t)width, height, width,
             picture + (size_t)(c / columns * (height + GAP)) * w +
                 (size_t)(c % columns * (width + GAP)),
             w);
    err = lam_image_write_png(ctx, path, (int)w, (int)h, 1, picture);
    free(picture);
    return err;
}
