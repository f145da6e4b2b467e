#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "rng.h"
#include "selftest_case.h"

static int64_t pick(uint64_t seed, int64_t i, int64_t n)
{
    return (int64_t)(lam_rng_bits(seed, (uint64_t)i) % (uint64_t)n);
}

// A shuffled row of numbers a tenth apart.
static void fill_distinct(bool exact, uint64_t seed, int64_t n, double *dst)
{
    const int64_t half = n / 2;

    for (int64_t i = 0; i < n; i++)
        dst[i] = (double)(i - half) * (exact ? 1.0 : 0.125);
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = pick(seed, i, i + 1);
        const double swap = dst[i];

        dst[i] = dst[j];
        dst[j] = swap;
    }
}

void lam_case_fill(const char *how, bool exact, uint64_t seed, int64_t n,
                   double *dst)
{
    const char *colon = strchr(how, ':');
    const int64_t limit = colon ? strtol(colon + 1, NULL, 10) : 2;

    if (strncmp(how, "distinct", 8) == 0) {
        fill_distinct(exact, seed, n, dst);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        const double normal = lam_rng_normal(seed, (uint64_t)i);

        if (strncmp(how, "unit", 4) == 0)
            dst[i] = 0.05 + 0.9 * lam_rng_unit(seed, (uint64_t)i);
        else if (strncmp(how, "binary", 6) == 0)
            dst[i] = (double)pick(seed, i, 2);
        else if (strncmp(how, "labels", 6) == 0 ||
                 strncmp(how, "indices", 7) == 0)
            dst[i] = (double)pick(seed, i, limit);
        else if (exact && strncmp(how, "away", 4) == 0)
            dst[i] = (double)(pick(seed, i, 2) ? 1 + pick(seed, i, 3)
                                               : -1 - pick(seed, i, 3));
        else if (exact)
            dst[i] = (double)(pick(seed, i, 7) - 3);
        else if (strncmp(how, "away", 4) == 0)
            dst[i] = normal + (normal < 0 ? -0.1 : 0.1);
        else
            dst[i] = normal;
        if (strncmp(how, "indices", 7) != 0)
            dst[i] = (double)lam_half_float(lam_half_of((float)dst[i]));
    }
}
