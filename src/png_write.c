// PNG files, deflated by zlib.
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

#include "image.h"

static void big_endian(uint32_t n, unsigned char bytes[4])
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (unsigned char)(n >> (24 - 8 * i));
}

static bool put_chunk(FILE *file, const char type[4], const unsigned char *data,
                      uint32_t size)
{
    uLong crc = crc32(crc32(0, NULL, 0), (const unsigned char *)type, 4);
    unsigned char length[4], check[4];

    if (size)
        crc = crc32(crc, data, size);
    big_endian(size, length);
    big_endian((uint32_t)crc, check);
    return fwrite(length, 4, 1, file) == 1 && fwrite(type, 4, 1, file) == 1 &&
           fwrite(data, 1, size, file) == size &&
           fwrite(check, 4, 1, file) == 1;
}

// Each byte of a row as its difference from the one above, which suits both
// smooth images and masks; a leading byte says so (filter 2).
static void filter_row(unsigned char *to, const unsigned char *row,
                       const unsigned char *above, size_t size)
{
    *to++ = above ? 2 : 0;
    for (size_t i = 0; i < size; i++)
        to[i] = (unsigned char)(row[i] - (above ? above[i] : 0));
}

// The deflated image, to free(), or NULL: out of memory.
static unsigned char *deflate_rows(size_t row, size_t height,
                                   const unsigned char *data, uLongf *size)
{
    const size_t whole = (row + 1) * height;
    unsigned char *filtered = malloc(whole), *packed;

    *size = compressBound(whole);
    packed = malloc(*size);
    for (size_t y = 0; y < height && filtered; y++)
        filter_row(filtered + y * (row + 1), data + y * row,
                   y ? data + (y - 1) * row : NULL, row);
    if (!filtered || !packed ||
        compress2(packed, size, filtered, whole, 6) != Z_OK) {
        free(packed);
        packed = NULL;
    }
    free(filtered);
    return packed;
}

int lam_image_put_png(FILE *file, int width, int height, int channels,
                      const unsigned char *data)
{
    static const unsigned char start[8] = {137, 'P', 'N', 'G', 13, 10, 26, 10};
    unsigned char header[13] = {0};
    uLongf size;
    unsigned char *packed = deflate_rows((size_t)width * (size_t)channels,
                                         (size_t)height, data, &size);
    bool ok;

    if (!packed)
        return LAM_EMEMORY;
    big_endian((uint32_t)width, header);
    big_endian((uint32_t)height, header + 4);
    header[8] = 8;
    header[9] = channels == 3 ? 2 : 0; // colours or grey
    ok = fwrite(start, sizeof(start), 1, file) == 1 &&
         put_chunk(file, "IHDR", header, sizeof(header)) &&
         put_chunk(file, "IDAT", packed, (uint32_t)size) &&
         put_chunk(file, "IEND", packed, 0);
    free(packed);
    return ok ? LAM_OK : LAM_EFILE;
}

int lam_image_write_png(struct lam_context *ctx, const char *path, int width,
                        int height, int channels, const unsigned char *data)
{
    FILE *file = fopen(path, "wb");
    int err;

    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    err = lam_image_put_png(file, width, height, channels, data);
    if (fclose(file) && !err)
        err = LAM_EFILE;
    if (!err)
        return LAM_OK;
    remove(path);
    return err == LAM_EMEMORY
               ? lam_fail(ctx, err, "out of memory")
               : lam_fail(ctx, err, "%s cannot be written", path);
}
