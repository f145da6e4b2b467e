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

float lam_bfloat_float(uint16_t bits)
{
    const uint32_t wide = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &wide, 4);
    return value;
}
