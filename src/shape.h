// shape.h - arithmetic on shapes.
#ifndef LAM_SHAPE_H
#define LAM_SHAPE_H

#include "status.h"

int64_t lam_shape_elements(const struct lam_shape *shape);
size_t lam_dtype_bytes(int dtype);
// Of whole words: halves end with a word.
size_t lam_shape_bytes(const struct lam_shape *shape);
// Element i of a tensor's data.
double lam_element(const void *data, int dtype, int64_t i);
bool lam_shape_equal(const struct lam_shape *a, const struct lam_shape *b);
// "2x3x7x5" into text; returns text.
const char *lam_shape_print(const struct lam_shape *shape, char *text,
                            size_t size);
// Parses "2x3x7x5"; false if it is not that, is zero-sized or overflows.
bool lam_shape_parse(const char *text, int dtype, struct lam_shape *shape);
// Whether none of the tensor's elements, at data, is infinite or not a number.
bool lam_shape_finite(const struct lam_shape *shape, const void *data);

#endif
