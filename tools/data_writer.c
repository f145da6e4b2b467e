#include "data_writer.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file.h"
#include "image.h"

// A column is nearly black where more than 9 of 10 pixels are below 10 of 255;
// it is worth trimming where that are more than 15 of 100 columns; 300 pixels
// stay beside the breast, and 1280 in all.
enum { DARK = 10 * 257, MARGIN = 300, LEAST_WIDTH = 1280 };
// Above this 8 bits are 255.
enum { WHITE = 65535 - 129 };
// A film has a bright frame where more pixels than MANY are 225 of 255 or more.
enum { BRIGHT = 225 * 257, MANY = 20000 };

const char *const data_compandings[] = {"none", "apply", "undo", NULL};

static int make_folder(struct lam_context *ctx, const char *out,
                       const char *name)
{
    char path[1200];

    snprintf(path, sizeof(path), "%s%s", out, name);
    return mkdir(path, 0777) && errno != EEXIST
               ? lam_fail(ctx, LAM_EFILE, "%s cannot be made: %s", path,
                          strerror(errno))
               : LAM_OK;
}

int data_writer_open(struct lam_context *ctx, const char *out,
                     struct data_writer *w)
{
    char path[1200];
    int err = make_folder(ctx, out, "");

    *w = (struct data_writer){.ctx = ctx, .out = out};
    if (!err)
        err = make_folder(ctx, out, "/images");
    if (!err)
        err = make_folder(ctx, out, "/masks");
    if (err)
        return err;
    snprintf(path, sizeof(path), "%s/manifest.csv", out);
    w->manifest = fopen(path, "wx");
    if (!w->manifest)
        return errno == EEXIST
                   ? lam_fail(ctx, LAM_EUSAGE, "%s is a data set already", out)
                   : lam_fail(ctx, LAM_EFILE, "%s cannot be written", path);
    fprintf(w->manifest, "name,patient,split\n");
    return LAM_OK;
}

static bool is_dark(const struct data_image *image, int column)
{
    int n = 0;

    for (int y = 0; y < image->height; y++)
        n += image->pixels[(size_t)y * image->width + column] < DARK;
    return n > 9 * image->height / 10;
}

static bool is_framed(const struct data_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    size_t bright = 0;

    for (size_t i = 0; i < n; i++)
        bright += image->pixels[i] >= BRIGHT;
    return bright > MANY;
}

// Narrows the columns from .. to to those that stay.
static void trim(const struct data_image *image, int *from, int *to)
{
    const int first = *from, end = *to, width = end - first;
    int dark = 0, left = first, right = end;

    for (int x = first; x < end; x++)
        dark += is_dark(image, x);
    if (dark <= 15 * width / 100 || dark == width)
        return;
    while (is_dark(image, left))
        left++;
    while (is_dark(image, right - 1))
        right--;
    left = left - MARGIN > first ? left - MARGIN : first;
    right = right + MARGIN < end ? right + MARGIN : end;
    if (right - left < LEAST_WIDTH) {
        right = left + LEAST_WIDTH < end ? left + LEAST_WIDTH : end;
        left = right - LEAST_WIDTH > first ? right - LEAST_WIDTH : first;
    }
    *from = left;
    *to = right;
}

static void compand(uint16_t *pixels, size_t n, int companding)
{
    for (size_t i = 0; i < n && companding; i++) {
        const double v = pixels[i] / 65535.0;

        pixels[i] = (uint16_t)(65535.0 * (companding == DATA_COMPANDING_APPLY
                                              ? v * v
                                              : sqrt(v)) +
                               0.5);
    }
}

static int rounded(double v)
{
    const int n = (int)(v + 0.5);

    return n > 0 ? n : 1;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

static void unwhite(uint16_t *pixels, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (pixels[i] > WHITE)
            pixels[i] = 0;
}

void data_cut(const struct data_image *image, int y, int x, int height,
              int width, uint16_t *pixels, unsigned char *mask)
{
    for (int i = 0; i < height; i++) {
        const size_t from = (size_t)(y + i) * image->width + x;
        const size_t to = (size_t)i * width;

        memcpy(pixels + to, image->pixels + from,
               sizeof(*pixels) * (size_t)width);
        if (image->mask)
            memcpy(mask + to, image->mask + from, (size_t)width);
    }
}

int data_change(struct lam_context *ctx, const struct data_changes *c,
                const struct data_image *image, struct data_image *to)
{
    const int frame = c->frame && is_framed(image) ? (int)c->frame : 0;
    const int top = larger((int)(c->border * image->height), frame);
    const int side = larger((int)(c->border * image->width), frame);
    const int height = image->height - 2 * top;
    int from = frame, end = image->width - frame, width;
    uint16_t *pixels;
    unsigned char *mask;

    *to = *image;
    if (c->trim && from < end)
        trim(image, &from, &end);
    from = larger(from, side);
    end = image->width - larger(image->width - end, side);
    width = end - from;
    to->pixels = NULL;
    to->mask = NULL;
    if (width < 1 || height < 1)
        return lam_fail(ctx, LAM_EDATA, "%s: its borders leave nothing of it",
                        image->name);
    to->width = rounded(width * c->scale);
    to->height = rounded(height * c->scale);
    to->pixels =
        malloc(sizeof(*to->pixels) * (size_t)to->width * (size_t)to->height);
    to->mask =
        image->mask ? malloc((size_t)to->width * (size_t)to->height) : NULL;
    pixels = malloc(sizeof(*pixels) * (size_t)width * (size_t)height);
    mask = malloc((size_t)width * (size_t)height);
    if (!pixels || !mask || !to->pixels || (image->mask && !to->mask)) {
        free(pixels);
        free(mask);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    data_cut(image, top, from, height, width, pixels, mask);
    if (c->unwhite)
        unwhite(pixels, (size_t)width * (size_t)height);
    compand(pixels, (size_t)width * (size_t)height, c->companding);
    lam_resample_pixels(pixels, height, width, to->pixels, to->height,
                        to->width);
    if (image->mask)
        lam_resample_mask(mask, height, width, to->mask, to->height, to->width,
                          (enum lam_mask_rule)c->rule);
    free(pixels);
    free(mask);
    return LAM_OK;
}

void data_image_free(struct data_image *image)
{
    free(image->pixels);
    free(image->mask);
}

static int write_pixels(struct data_writer *w, const struct data_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    unsigned char *bytes;
    char path[1400];
    int err;

    if (image->bits > 8) {
        snprintf(path, sizeof(path), "%s/images/%s.pgm", w->out, image->name);
        return lam_image_write_pgm(w->ctx, path, image->width, image->height,
                                   16, image->pixels);
    }
    bytes = malloc(n);
    if (!bytes)
        return lam_fail(w->ctx, LAM_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)((image->pixels[i] + 128) / 257);
    snprintf(path, sizeof(path), "%s/images/%s.png", w->out, image->name);
    err = lam_image_write_png(w->ctx, path, image->width, image->height, 1,
                              bytes);
    free(bytes);
    return err;
}

// One class of foreground is written as 255, to be seen; more as they are.
static int write_mask(struct data_writer *w, const struct data_image *image)
{
    const size_t n = (size_t)image->width * (size_t)image->height;
    unsigned char highest = 0;
    char path[1400];

    for (size_t i = 0; i < n; i++)
        highest = image->mask[i] > highest ? image->mask[i] : highest;
    for (size_t i = 0; i < n && highest == 1; i++)
        image->mask[i] = image->mask[i] ? 255 : 0;
    snprintf(path, sizeof(path), "%s/masks/%s.png", w->out, image->name);
    return lam_image_write_png(w->ctx, path, image->width, image->height, 1,
                               image->mask);
}

int data_writer_add(struct data_writer *w, const struct data_changes *changes,
                    const struct data_image *image)
{
    struct data_image changed;
    int err = data_change(w->ctx, changes, image, &changed);

    if (!err)
        err = write_pixels(w, &changed);
    if (!err && image->mask)
        err = write_mask(w, &changed);
    if (!err) {
        fprintf(w->manifest, "%s,%s,%s\n", image->name, image->patient,
                image->split);
        w->n++;
    }
    data_image_free(&changed);
    return err;
}

int data_writer_close(struct data_writer *w, int err)
{
    char path[1200];
    int closed;

    if (!w->manifest)
        return err;
    snprintf(path, sizeof(path), "%s/manifest.csv", w->out);
    closed = lam_file_close(w->ctx, w->manifest, path);
    return err ? err : closed;
}
