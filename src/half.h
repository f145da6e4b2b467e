// half.h - numbers of 16 bits as floats, exactly.
#ifndef LAM_HALF_H
#define LAM_HALF_H

#include <stdint.h>

float lam_half_float(uint16_t bits); // IEEE 754 binary16
uint16_t lam_half_of(float value);   // to the nearest, ties to even
// In place: n floats become n halves, at the front, and back.
void lam_half_pack(void *data, int64_t n);
void lam_half_unpack(void *data, int64_t n);
float lam_bfloat_float(uint16_t bits); // bfloat16: the upper half of a float

#endif
