// The only door to stb_image.
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "jpeg.h"
#include "png.h"
#include "pnm.h"

// The largest block that stb_image may have, set before each use.
static _Thread_local size_t max_stb_bytes = 1 << 20;
// It has asked for memory that there was not.
static _Thread_local bool is_short;

// Of zeros: stb_image 2.27 reads tables that a damaged file has not filled.
static void *stb_malloc(size_t size)
{
    void *block = size > max_stb_bytes ? NULL : calloc(1, size);

    is_short |= !block && size <= max_stb_bytes;
    return block;
}

static void *stb_realloc(void *block, size_t size)
{
    void *moved = size > max_stb_bytes ? NULL : realloc(block, size);

    is_short |= !moved && size <= max_stb_bytes;
    return moved;
}

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_STDIO
#define STBI_MAX_DIMENSIONS 16384
#define STBI_MALLOC(n)      stb_malloc(n)
#define STBI_REALLOC(p, n)  stb_realloc(p, n)
#define STBI_FREE(p)        free(p)
#if defined(__GNUC__)
// The header declares more than the subset defines, which GCC tells only at the
// end of the file.
#pragma GCC diagnostic ignored "-Wunused-function"
#endif
#include <stb/stb_image.h>

enum { DEFAULT_PIXELS = 64 << 20, HEADER_BYTES = 65536 };
static const size_t max_bytes = (size_t)1 << 30;

enum format { PNG, JPEG, PNM, UNKNOWN };

void lam_image_free(struct lam_image *image)
{
    if (!image)
        return;
    free(image->pixels);
    free(image);
}

bool lam_image_is_name(const char *name)
{
    static const char *const endings[] = {".png", ".jpg", ".jpeg", ".pgm",
                                          ".ppm"};
    const size_t n = strlen(name);

    for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
        const size_t k = strlen(endings[i]);

        if (n > k && strcasecmp(name + n - k, endings[i]) == 0)
            return true;
    }
    return false;
}

static int fail(struct lam_context *ctx, const char *path, const char *problem)
{
    if (is_short)
        return lam_fail(ctx, LAM_EMEMORY, "%s: out of memory", path);
    return lam_fail(ctx, LAM_EDATA, "%s: %s", path, problem);
}

// Reads at most `limit` bytes; *is_whole tells whether that was all.
static int read_file(struct lam_context *ctx, const char *path, size_t limit,
                     unsigned char **data, size_t *size, bool *is_whole)
{
    FILE *file = fopen(path, "rb");
    size_t room = 0;

    *data = NULL;
    *size = 0;
    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s: %s", path, strerror(errno));
    do {
        unsigned char *grown;

        room = room ? 2 * room : 65536;
        room = room > limit ? limit : room;
        grown = realloc(*data, room);
        if (!grown) {
            fclose(file);
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
        }
        *data = grown;
        *size += fread(*data + *size, 1, room - *size, file);
    } while (*size == room && room < limit);
    *is_whole = *size < limit || fgetc(file) == EOF;
    if (ferror(file)) {
        fclose(file);
        return lam_fail(ctx, LAM_EFILE, "%s: the file cannot be read", path);
    }
    fclose(file);
    return LAM_OK;
}

static enum format format_of(const unsigned char *data, size_t size)
{
    if (size >= 4 && memcmp(data, "\x89PNG", 4) == 0)
        return PNG;
    if (size >= 3 && data[0] == 0xFF && data[1] == 0xD8 && data[2] == 0xFF)
        return JPEG;
    if (size >= 3 && data[0] == 'P' && (data[1] == '5' || data[1] == '6'))
        return PNM;
    return UNKNOWN;
}

static const char *size_problem(int64_t width, int64_t height,
                                int64_t max_pixels)
{
    if (width < 1 || height < 1)
        return "it has no pixels";
    if (width > LAM_IMAGE_MAX_SIDE || height > LAM_IMAGE_MAX_SIDE)
        return "a side is longer than 16384 pixels";
    if (width * height > max_pixels)
        return "it has more pixels than are allowed (64 million, if nothing "
               "else was asked for)";
    return NULL;
}

// Everything of the header, into image; no pixels.
static const char *read_header(const unsigned char *data, size_t size,
                               struct lam_image *image, struct lam_pnm *pnm)
{
    const char *problem = NULL;
    struct lam_png png;
    int channels;

    image->maxval = 255;
    switch (format_of(data, size)) {
    case PNG:
        problem = lam_png_header(data, size, &png);
        if (problem)
            break;
        if (png.width > INT32_MAX || png.height > INT32_MAX)
            return "a side is longer than 16384 pixels";
        image->width = (int)png.width;
        image->height = (int)png.height;
        image->maxval = png.is_palette ? 255 : (1 << png.depth) - 1;
        break;
    case JPEG:
        if (!stbi_info_from_memory(data, (int)size, &image->width,
                                   &image->height, &channels))
            problem = "its JPEG header cannot be read";
        break;
    case PNM:
        problem = lam_pnm_header(data, size, pnm);
        image->width = pnm->width;
        image->height = pnm->height;
        image->maxval = pnm->maxval;
        break;
    default:
        problem = "it is neither PNG, JPEG, PGM nor PPM (P5, P6)";
    }
    image->bits = image->maxval > 255 ? 16 : 8;
    return problem;
}

static const char *decode_stb(const unsigned char *data, size_t size,
                              struct lam_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    int width, height, channels;
    void *decoded;

    // No single allocation of stb_image is larger than four 16-bit channels of
    // the padded image, or than its copy of the file.
    max_stb_bytes =
        8 * ((size_t)image->width + 64) * ((size_t)image->height + 64) +
        2 * size + 65536;
    decoded = image->bits == 16
                  ? (void *)stbi_load_16_from_memory(data, (int)size, &width,
                                                     &height, &channels, 1)
                  : (void *)stbi_load_from_memory(data, (int)size, &width,
                                                  &height, &channels, 1);
    if (!decoded)
        return stbi_failure_reason() ? stbi_failure_reason() : "damaged";
    if (width != image->width || height != image->height) {
        stbi_image_free(decoded);
        return "two sizes in one file";
    }
    if (image->bits == 16)
        memcpy(image->pixels, decoded, n * sizeof(*image->pixels));
    else
        for (size_t i = 0; i < n; i++)
            image->pixels[i] = (uint16_t)(257 * ((stbi_uc *)decoded)[i]);
    stbi_image_free(decoded);
    return NULL;
}

static int decode(struct lam_context *ctx, const char *path,
                  const unsigned char *data, size_t size, int64_t max_pixels,
                  struct lam_image *image)
{
    const enum format format = format_of(data, size);
    struct lam_pnm pnm;
    const char *problem = read_header(data, size, image, &pnm);
    char text[128];

    if (!problem)
        problem = size_problem(image->width, image->height,
                               max_pixels > 0 ? max_pixels : DEFAULT_PIXELS);
    if (!problem && format == PNG)
        problem = lam_png_problem(data, size);
    if (!problem && format == JPEG)
        problem = lam_jpeg_problem(data, size);
    // Before its pixels are allocated: a header alone must not cost much.
    if (!problem && format == PNM)
        problem = lam_pnm_length(size, &pnm);
    if (problem)
        return fail(ctx, path, problem);
    image->pixels = malloc((size_t)image->width * (size_t)image->height *
                           sizeof(*image->pixels));
    if (!image->pixels)
        return lam_fail(ctx, LAM_EMEMORY, "%s: out of memory", path);
    if (format == PNM) {
        problem = lam_pnm_decode(data, &pnm, image->pixels);
        return problem ? fail(ctx, path, problem) : LAM_OK;
    }
    problem = decode_stb(data, size, image);
    if (!problem)
        return LAM_OK;
    snprintf(text, sizeof(text), "it cannot be decoded (%s)", problem);
    return fail(ctx, path, text);
}

int lam_image_read(struct lam_context *ctx, const char *path,
                   int64_t max_pixels, struct lam_image **image)
{
    struct lam_image *made = NULL;
    unsigned char *data;
    size_t size;
    bool is_whole;
    int err;

    *image = NULL;
    is_short = false;
    err = read_file(ctx, path, max_bytes, &data, &size, &is_whole);
    if (!err && !is_whole)
        err = fail(ctx, path, "the file is larger than 1 GiB");
    if (!err) {
        made = calloc(1, sizeof(*made));
        if (!made)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err)
        err = decode(ctx, path, data, size, max_pixels, made);
    free(data);
    if (err)
        lam_image_free(made);
    else
        *image = made;
    return err;
}

int lam_image_info(struct lam_context *ctx, const char *path, int *width,
                   int *height, int *bits)
{
    struct lam_image image = {0};
    const char *problem = NULL;
    unsigned char *data;
    struct lam_pnm pnm;
    size_t size;
    bool is_whole = false;

    is_short = false;
    // Pictures of cameras may carry much before the size.
    for (size_t limit = HEADER_BYTES; !is_whole; limit = max_bytes) {
        const int err = read_file(ctx, path, limit, &data, &size, &is_whole);

        problem = err ? NULL : read_header(data, size, &image, &pnm);
        free(data);
        if (err)
            return err;
        if (!problem || limit == max_bytes)
            break;
    }
    if (!problem)
        problem = size_problem(image.width, image.height, INT64_MAX);
    if (problem)
        return fail(ctx, path, problem);
    *width = image.width;
    *height = image.height;
    *bits = image.bits;
    return LAM_OK;
}
