// rng.h - counter-based random numbers: a pure function of (seed, index), so
// that order and threads do not matter. splitmix64's mixing function (Steele,
// Lea, Flood 2014).
#ifndef LAM_RNG_H
#define LAM_RNG_H

#include <math.h>
#include <stdint.h>

static inline uint64_t lam_rng_bits(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

// In [0, 1).
static inline double lam_rng_unit(uint64_t seed, uint64_t index)
{
    return (double)(lam_rng_bits(seed, index) >> 11) * 0x1p-53;
}

// Standard normal, by Box and Muller; uses indices 2 * index and the next.
static inline double lam_rng_normal(uint64_t seed, uint64_t index)
{
    const double u = 1.0 - lam_rng_unit(seed, 2 * index);
    const double v = lam_rng_unit(seed, 2 * index + 1);

    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

// FNV-1a of a text, to make seeds of names.
static inline uint64_t lam_rng_hash(uint64_t seed, const char *text)
{
    uint64_t h = seed ^ UINT64_C(0xCBF29CE484222325);

    for (; *text; text++)
        h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001B3);
    return h;
}

#endif
