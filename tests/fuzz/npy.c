// Any bytes as an NPY file: what is accepted has as many numbers as it says.
#include "npy.h"

#include "fuzz.h"
#include "shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_shape shape;
    float *numbers;
    const int err = lam_npy_parse(&ctx, "fuzz", data, size, &shape, &numbers);

    fuzz_holds(err == LAM_OK || (!numbers && ctx.error[0]));
    fuzz_holds(err || (shape.rank > 0 &&
                       (size_t)lam_shape_elements(&shape) <= size));
    free(numbers);
    return 0;
}
