#include "mirror.h"

#include <stddef.h>
#include <string.h>

void lam_mirror(const float *from, int height, int width, int flips, float *to)
{
    memset(to, 0, sizeof(*to) * (size_t)height * (size_t)width);
    lam_mirror_add(from, height, width, flips, to);
}

void lam_mirror_add(const float *from, int height, int width, int flips,
                    float *to)
{
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            const int fy = flips & LAM_MIRROR_Y ? height - 1 - y : y;
            const int fx = flips & LAM_MIRROR_X ? width - 1 - x : x;

            to[(size_t)y * width + x] += from[(size_t)fy * width + fx];
        }
}
