// Any bytes as an image file: what is accepted has the size that its header
// says, and all its pixels.
#include "image.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_image *image;
    const char *path = fuzz_file(data, size);
    int width = 0, height = 0, bits = 0;
    const int info = lam_image_info(&ctx, path, &width, &height, &bits);
    volatile uint16_t sum = 0;

    lam_error_clear(&ctx);
    if (lam_image_read(&ctx, path, 1 << 18, &image)) {
        fuzz_holds(!image && ctx.error[0]);
        return 0;
    }
    fuzz_holds(!info && image->width == width && image->height == height &&
               image->bits == bits && width * height <= 1 << 18);
    for (int i = 0; i < width * height; i++)
        sum = (uint16_t)(sum + image->pixels[i]);
    lam_image_free(image);
    return 0;
}
