// Any bytes as a weights file: what is accepted has tensors inside the file.
#include "safetensors.h"

#include "fuzz.h"
#include "shape.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_safetensors *file;
    const int err = lam_safetensors_read(&ctx, fuzz_file(data, size), &file);
    volatile unsigned char sum = 0;

    fuzz_holds(err == LAM_OK || (!file && ctx.error[0]));
    for (int i = 0; !err && i < lam_safetensors_count(file); i++) {
        const struct lam_stored *t = lam_safetensors_at(file, i);
        const unsigned char *bytes = t->data;
        const size_t n = lam_shape_bytes(&t->shape);

        fuzz_holds(lam_safetensors_find(file, t->name) == t && n <= size);
        for (size_t k = 0; k < n; k++)
            sum = (unsigned char)(sum + bytes[k]);
    }
    if (!err)
        lam_safetensors_meta(file, "model");
    lam_safetensors_free(file);
    return 0;
}
