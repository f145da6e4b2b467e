// The only door to stb_image_write.
#include <stdio.h>
#include <stdlib.h>

#include "image.h"

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#if defined(__GNUC__)
// The header declares more than the subset defines, which GCC tells only at the
// end of the file.
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image_write.h>

static void write_piece(void *file, void *data, int size)
{
    fwrite(data, 1, (size_t)size, file);
}

bool lam_image_put_png(FILE *file, int width, int height, int channels,
                       const unsigned char *data)
{
    return stbi_write_png_to_func(write_piece, file, width, height, channels,
                                  data, width * channels) != 0 &&
           !ferror(file);
}

int lam_image_write_png(struct lam_context *ctx, const char *path, int width,
                        int height, int channels, const unsigned char *data)
{
    FILE *file = fopen(path, "wb");
    bool ok;

    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    ok = lam_image_put_png(file, width, height, channels, data);
    ok = fclose(file) == 0 && ok;
    if (ok)
        return LAM_OK;
    remove(path);
    return lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
}
