#include "blend.h"

#include <stdlib.h>

bool lam_blend_start(struct lam_blend *b, int channels, int height, int width,
                     int overlap)
{
    const size_t n = (size_t)height * (size_t)width;

    *b = (struct lam_blend){.sum = calloc((size_t)channels * n, sizeof(float)),
                            .weights = calloc(n, sizeof(float)),
                            .channels = channels,
                            .height = height,
                            .width = width,
                            .overlap = overlap};
    return b->sum && b->weights;
}

// Weight of a tile's pixel along one axis: rises over the overlap, but at the
// image's border.
static float ramp(int i, int n, int overlap, bool at_start, bool at_end)
{
    float w = 1.0f;

    if (!at_start && i < overlap)
        w = (float)(i + 1) / (float)(overlap + 1);
    if (!at_end && n - 1 - i < overlap &&
        (float)(n - i) / (float)(overlap + 1) < w)
        w = (float)(n - i) / (float)(overlap + 1);
    return w;
}

void lam_blend_add(struct lam_blend *b, const struct lam_map *tile, int y0,
                   int x0)
{
    const int h = tile->height, w = tile->width;

    for (int i = 0; i < h; i++)
        for (int j = 0; j < w; j++) {
            const size_t at = (size_t)(y0 + i) * b->width + x0 + j;
            const float weight =
                ramp(i, h, b->overlap, y0 == 0, y0 + h == b->height) *
                ramp(j, w, b->overlap, x0 == 0, x0 + w == b->width);

            b->weights[at] += weight;
            for (int c = 0; c < b->channels; c++)
                b->sum[(size_t)c * b->height * b->width + at] +=
                    weight * tile->data[((size_t)c * h + i) * w + j];
        }
}

void lam_blend_finish(struct lam_blend *b, struct lam_map *map)
{
    const size_t n = (size_t)b->height * (size_t)b->width;

    for (int c = 0; c < b->channels; c++)
        for (size_t i = 0; i < n; i++)
            b->sum[(size_t)c * n + i] /= b->weights[i];
    *map = (struct lam_map){b->sum, b->channels, b->height, b->width};
    b->sum = NULL;
}

void lam_blend_free(struct lam_blend *b)
{
    free(b->sum);
    free(b->weights);
}
