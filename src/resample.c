#include "resample.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

const char *const lam_mask_rules[] = {"half", "any", "all", NULL};

// Result i of n covers [from, to) of `size`.
struct span {
    double from, to;
    int first, last; // pixels that it touches
};

static struct span span_of(int i, int n, int size)
{
    struct span s = {.from = (double)i * size / n,
                     .to = (double)(i + 1) * size / n};

    s.first = (int)s.from;
    s.last = (int)ceil(s.to) - 1;
    if (s.last >= size)
        s.last = size - 1;
    return s;
}

// How much of pixel k the span covers.
static double part(const struct span *s, int k)
{
    const double from = s->from > k ? s->from : k;
    const double to = s->to < k + 1 ? s->to : k + 1;

    return to - from;
}

void lam_resample_pixels(const uint16_t *src, int height, int width,
                         uint16_t *dst, int to_height, int to_width)
{
    for (int i = 0; i < to_height; i++) {
        const struct span y = span_of(i, to_height, height);

        for (int j = 0; j < to_width; j++) {
            const struct span x = span_of(j, to_width, width);
            double sum = 0.0;

            for (int k = y.first; k <= y.last; k++)
                for (int l = x.first; l <= x.last; l++)
                    sum +=
                        part(&y, k) * part(&x, l) * src[(size_t)k * width + l];
            sum /= (y.to - y.from) * (x.to - x.from);
            dst[(size_t)i * to_width + j] = (uint16_t)(sum + 0.5);
        }
    }
}

static bool is_binary(const unsigned char *mask, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (mask[i] > 1)
            return false;
    return true;
}

void lam_resample_mask(const unsigned char *src, int height, int width,
                       unsigned char *dst, int to_height, int to_width,
                       enum lam_mask_rule rule)
{
    const bool by_rule = is_binary(src, (size_t)height * width);
    // Sums of parts are not exact.
    const double enough = rule == LAM_MASK_ANY   ? 1e-9
                          : rule == LAM_MASK_ALL ? 1.0 - 1e-9
                                                 : 0.5 - 1e-9;

    for (int i = 0; i < to_height; i++) {
        const struct span y = span_of(i, to_height, height);

        for (int j = 0; j < to_width; j++) {
            const struct span x = span_of(j, to_width, width);
            const int cy = (int)((y.from + y.to) / 2);
            const int cx = (int)((x.from + x.to) / 2);
            double sum = 0.0;

            for (int k = y.first; k <= y.last && by_rule; k++)
                for (int l = x.first; l <= x.last; l++)
                    sum +=
                        part(&y, k) * part(&x, l) * src[(size_t)k * width + l];
            sum /= (y.to - y.from) * (x.to - x.from);
            dst[(size_t)i * to_width + j] =
                by_rule ? sum >= enough : src[(size_t)cy * width + cx];
        }
    }
}
