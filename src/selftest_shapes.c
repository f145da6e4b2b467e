// Made-up shapes for the layers whose sums are exact on whole numbers: odd
// sizes, strides, pads, dilations, groups, 1x1 kernels, batches of 1 and 3.
#include <stdio.h>

#include "rng.h"
#include "selftest_case.h"

struct dice {
    uint64_t seed, at;
};

static int roll(struct dice *dice, int low, int high)
{
    return low + (int)(lam_rng_bits(dice->seed, dice->at++) %
                       (uint64_t)(high - low + 1));
}

static const char *pick(struct dice *dice, const char *const *words, int n)
{
    return words[roll(dice, 0, n - 1)];
}

static void make_conv(struct dice *d, const char *type, char *text, size_t size)
{
    static const char *const pads[] = {"pad=same", "pad=same", "pad=valid",
                                       "explicit"};
    const int groups = roll(d, 0, 3) ? 1 : roll(d, 2, 3);
    const int depth = roll(d, 0, 7) == 0;
    const int channels = groups * roll(d, 1, depth ? 24 : 6);
    const int filters = groups * roll(d, 1, depth ? 30 : 7);
    const int r = roll(d, 1, 5), q = roll(d, 0, 3) ? r : roll(d, 1, 5);
    const int dilation = roll(d, 0, 2) ? 1 : roll(d, 2, 3);
    const int stride = roll(d, 0, 1) ? 1 : roll(d, 2, 3);
    const int h = (r - 1) * dilation + roll(d, 1, 19);
    const int w = (q - 1) * dilation + roll(d, 1, 40);
    const char *pad = pick(d, pads, 4);
    char explicit_pads[64];

    if (pad[0] == 'e') {
        snprintf(explicit_pads, sizeof(explicit_pads),
                 "pad=explicit pads=%d,%d,%d,%d", roll(d, 0, r - 1),
                 roll(d, 0, q - 1), roll(d, 0, r - 1), roll(d, 0, q - 1));
        pad = explicit_pads;
    }
    snprintf(text, size,
             "%s %dx%dx%dx%d filters=%d kernel=%d,%d stride=%d dilation=%d "
             "groups=%d bias=%s %s",
             type, roll(d, 0, 2) ? 1 : 3, channels, h, w, filters, r, q, stride,
             dilation, groups, roll(d, 0, 1) ? "true" : "false", pad);
}

static void make_pool(struct dice *d, char *text, size_t size)
{
    static const char *const pads[] = {"same", "valid"};
    const int r = roll(d, 1, 4), q = roll(d, 1, 4);

    snprintf(text, size, "maxpool %dx%dx%dx%d kernel=%d,%d stride=%d pad=%s",
             roll(d, 0, 2) ? 1 : 3, roll(d, 1, 5), r + roll(d, 0, 20),
             q + roll(d, 0, 40), r, q, roll(d, 1, 3), pick(d, pads, 2));
}

static void make_resize(struct dice *d, char *text, size_t size)
{
    static const char *const coordinates[] = {"half_pixel", "asymmetric",
                                              "align_corners"};

    snprintf(
        text, size, "resize %dx%dx%dx%d size=%d,%d mode=nearest coordinates=%s",
        roll(d, 0, 2) ? 1 : 3, roll(d, 1, 4), roll(d, 1, 15), roll(d, 1, 15),
        roll(d, 1, 40), roll(d, 1, 40), pick(d, coordinates, 3));
}

void lam_selftest_shape(uint64_t seed, int i, char *text, size_t size)
{
    struct dice dice = {lam_rng_bits(seed, (uint64_t)i), 0};

    switch (i % 5) {
    case 0:
    case 1:
        make_conv(&dice, "conv2d", text, size);
        break;
    case 2:
        make_conv(&dice, "conv_transpose2d", text, size);
        break;
    case 3:
        make_pool(&dice, text, size);
        break;
    default:
        make_resize(&dice, text, size);
    }
}
