#include "shape.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "half.h"

int64_t lam_shape_elements(const struct lam_shape *shape)
{
    int64_t n = 1;

    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

size_t lam_dtype_bytes(int dtype)
{
    return dtype == LAM_F64 ? 8 : dtype == LAM_F16 ? 2 : 4;
}

size_t lam_shape_bytes(const struct lam_shape *shape)
{
    const size_t bytes =
        (size_t)lam_shape_elements(shape) * lam_dtype_bytes(shape->dtype);

    return (bytes + 3) / 4 * 4;
}

double lam_element(const void *data, int dtype, int64_t i)
{
    switch (dtype) {
    case LAM_F64:
        return ((const double *)data)[i];
    case LAM_I32:
        return ((const int32_t *)data)[i];
    case LAM_F16:
        return (double)lam_half_float(((const uint16_t *)data)[i]);
    default:
        return (double)((const float *)data)[i];
    }
}

bool lam_shape_equal(const struct lam_shape *a, const struct lam_shape *b)
{
    if (a->rank != b->rank || a->dtype != b->dtype)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

const char *lam_shape_print(const struct lam_shape *shape, char *text,
                            size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < shape->rank && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%" PRId64,
                                 i ? "x" : "", shape->dim[i]);
    return text;
}

bool lam_shape_parse(const char *text, int dtype, struct lam_shape *shape)
{
    int64_t elements = 1;

    *shape = (struct lam_shape){.dtype = dtype};
    for (;;) {
        char *end;
        const long long d = strtoll(text, &end, 10);

        if (end == text || d < 1 || d > INT32_MAX ||
            shape->rank == LAM_MAX_RANK || elements > INT64_MAX / 16 / d)
            return false;
        elements *= d;
        shape->dim[shape->rank++] = d;
        if (*end == '\0')
            return true;
        if (*end != 'x')
            return false;
        text = end + 1;
    }
}

bool lam_shape_finite(const struct lam_shape *shape, const void *data)
{
    const int64_t n = lam_shape_elements(shape);

    for (int64_t i = 0; i < n && shape->dtype != LAM_I32; i++)
        if (!isfinite(lam_element(data, shape->dtype, i)))
            return false;
    return true;
}
