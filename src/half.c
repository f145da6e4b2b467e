#include "half.h"

#include <math.h>
#include <string.h>

float lam_half_float(uint16_t bits)
{
    const int exponent = bits >> 10 & 31, part = bits & 1023;
    const float value = exponent == 31 ? (part ? NAN : INFINITY)
                        : exponent ? ldexpf((float)(part + 1024), exponent - 25)
                                   : ldexpf((float)part, -24);

    return bits >> 15 ? -value : value;
}

uint16_t lam_half_of(float value)
{
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    const double size = fabs((double)value);
    int exponent;

    if (isnan(value))
        return 0x7e00;
    if (size >= 65520.0) // half way from the largest, 65504, to the next
        return sign | 0x7c00;
    if (size < 0x1p-14) // in steps of 2^-24; 1024 of them are 2^-14 itself
        return sign | (uint16_t)nearbyint(size * 0x1p24);
    frexp(size, &exponent);
    // 1024 to 2048 steps of 2^(exponent - 11); a carry counts the exponent up.
    return sign | (uint16_t)((exponent + 13) * 1024 +
                             (int)nearbyint(ldexp(size, 11 - exponent)));
}

void lam_half_pack(void *data, int64_t n)
{
    char *at = data;

    for (int64_t i = 0; i < n; i++) {
        float value;
        uint16_t bits;

        memcpy(&value, at + 4 * i, 4);
        bits = lam_half_of(value);
        memcpy(at + 2 * i, &bits, 2);
    }
}

void lam_half_unpack(void *data, int64_t n)
{
    char *at = data;

    for (int64_t i = n - 1; i >= 0; i--) {
        uint16_t bits;
        float value;

        memcpy(&bits, at + 2 * i, 2);
        value = lam_half_float(bits);
        memcpy(at + 4 * i, &value, 4);
    }
}

float lam_bfloat_float(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &wide, 4);
    return value;
}
