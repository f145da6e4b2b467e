#include "overlay.h"

#include <stdlib.h>

#include "image.h"

enum { GAP = 4 };

struct rgb {
    unsigned char v[3];
};

static const struct rgb hit = {{40, 220, 60}}, false_alarm = {{240, 50, 40}},
                        miss = {{60, 110, 255}};

static struct rgb blend(unsigned char grey, const struct rgb *colour)
{
    struct rgb out;

    for (int i = 0; i < 3; i++)
        out.v[i] = (unsigned char)(colour ? (grey + colour->v[i]) / 2 : grey);
    return out;
}

static void put(unsigned char *picture, size_t row, size_t at,
                struct rgb colour)
{
    for (int i = 0; i < 3; i++)
        picture[3 * (row + at) + (size_t)i] = colour.v[i];
}

unsigned char *lam_overlay_draw(int width, int height, const float *image,
                                const float *truth, const float *prediction,
                                int *whole)
{
    const size_t w = (size_t)width, h = (size_t)height;
    const size_t panels = truth ? 3 : 2,
                 row_size = panels * w + (panels - 1) * GAP;
    unsigned char *picture = calloc(row_size * h, 3);
    float low = image[0], high = image[0];

    *whole = (int)row_size;
    for (size_t i = 0; i < w * h; i++) {
        low = image[i] < low ? image[i] : low;
        high = image[i] > high ? image[i] : high;
    }
    for (size_t y = 0; y < h && picture; y++)
        for (size_t x = 0; x < w; x++) {
            const size_t i = y * w + x, row = y * row_size;
            const float t = (image[i] - low) / (high > low ? high - low : 1.0f);
            const unsigned char grey = (unsigned char)(255.0f * t + 0.5f);
            const bool is = truth && truth[i] > 0, said = prediction[i] > 0;
            const struct rgb *colour = said && (is || !truth) ? &hit
                                       : said                 ? &false_alarm
                                       : is                   ? &miss
                                                              : NULL;

            put(picture, row, x, blend(grey, NULL));
            if (truth)
                put(picture, row, w + GAP + x, blend(grey, is ? &hit : NULL));
            put(picture, row, (panels - 1) * (w + GAP) + x,
                blend(grey, colour));
        }
    return picture;
}

int lam_overlay_write(struct lam_context *ctx, const char *path, int width,
                      int height, const float *image, const float *truth,
                      const float *prediction)
{
    int whole, err;
    unsigned char *picture =
        lam_overlay_draw(width, height, image, truth, prediction, &whole);

    if (!picture)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = lam_image_write_png(ctx, path, whole, height, 3, picture);
    free(picture);
    return err;
}
