// npy.h - tensors as NumPy's files.
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef LAM_NPY_H
#define LAM_NPY_H

#include "status.h"

// A file in memory as floats, to free(): little-endian float32, float64, uint8,
// uint16, int32 or int64, in C order. LAM_EDATA, after `name`, for any other.
int lam_npy_parse(struct lam_context *ctx, const char *name, const void *bytes,
                  size_t size, struct lam_shape *shape, float **data);
// The same from a file. LAM_EFILE.
int lam_npy_read(struct lam_context *ctx, const char *path,
                 struct lam_shape *shape, float **data);
// data: as shape->dtype says. LAM_EFILE.
int lam_npy_write(struct lam_context *ctx, const char *path,
                  const struct lam_shape *shape, const void *data);

#endif
