#include "zoom.h"

#include <stdlib.h>

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

// Bilinear, the border continued.
static float sample(const float *image, int height, int width, double y,
                    double x)
{
    const double cy = clamp(y, 0, height - 1), cx = clamp(x, 0, width - 1);
    const int i = (int)cy, j = (int)cx;
    const int i1 = i + 1 < height ? i + 1 : i, j1 = j + 1 < width ? j + 1 : j;
    const double t = cy - i, u = cx - j;

    return (float)((1 - t) * ((1 - u) * (double)image[(size_t)i * width + j] +
                              u * (double)image[(size_t)i * width + j1]) +
                   t * ((1 - u) * (double)image[(size_t)i1 * width + j] +
                        u * (double)image[(size_t)i1 * width + j1]));
}

static int at_least_1(double v)
{
    return v < 1.5 ? 1 : (int)(v + 0.5);
}

bool lam_zoom_out(const float *image, int height, int width,
                  const struct lam_sampling *s, struct lam_zoomed *z)
{
    const double shift =
        s->coordinates == LAM_SAMPLING_HALF_PIXEL ? 0.5 * s->zoom - 0.5 : 0.0;

    z->height = at_least_1(height / s->zoom);
    z->width = at_least_1(width / s->zoom);
    z->pixels = malloc(sizeof(float) * (size_t)z->height * (size_t)z->width);
    for (int i = 0; z->pixels && i < z->height; i++)
        for (int j = 0; j < z->width; j++)
            z->pixels[(size_t)i * z->width + j] = sample(
                image, height, width, i * s->zoom + shift, j * s->zoom + shift);
    return z->pixels != NULL;
}

bool lam_zoom_back(struct lam_map *map, int height, int width,
                   const struct lam_sampling *s)
{
    const double shift =
        s->coordinates == LAM_SAMPLING_HALF_PIXEL ? 0.5 / s->zoom - 0.5 : 0.0;
    const size_t n = (size_t)map->height * (size_t)map->width;
    float *data = malloc(sizeof(float) * (size_t)map->channels *
                         (size_t)height * (size_t)width);

    if (!data)
        return false;
    for (int c = 0; c < map->channels; c++)
        for (int y = 0; y < height; y++)
            for (int x = 0; x < width; x++)
                data[((size_t)c * height + y) * width + x] =
                    sample(map->data + (size_t)c * n, map->height, map->width,
                           y / s->zoom + shift, x / s->zoom + shift);
    free(map->data);
    map->data = data;
    map->height = height;
    map->width = width;
    return true;
}
