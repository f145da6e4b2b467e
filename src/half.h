// half.h - numbers of 16 bits as floats, exactly.
#ifndef LAM_HALF_H
#define LAM_HALF_H

#include <stdint.h>

float lam_half_float(uint16_t bits);   // IEEE 754 binary16
float lam_bfloat_float(uint16_t bits); // bfloat16: the upper half of a float

#endif
