// lamina data tile - images in tiles.
#include "data_tile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data_convert.h"
#include "param.h"

enum reason { KEPT, BRIGHT, DARK, MEAN, VARIANCE, N_REASONS };

static int parse_side(struct lam_context *ctx, const char *name,
                      const char *text, int *side)
{
    int64_t value;

    if (!lam_parse_int(text, &value) || value < 16 || value > 65536)
        return lam_fail(ctx, LAM_EUSAGE, "%s is '%s', wanted 16 to 65536", name,
                        text);
    *side = (int)value;
    return LAM_OK;
}

// "A:B"; percent, if wanted, makes "B%" a share of n.
static bool parse_pair(const char *text, double n, double *a, double *b)
{
    char first[32], second[32];
    const char *colon = strchr(text, ':');
    size_t length;
    bool is_share;

    if (!colon || colon - text > 30 || strlen(colon + 1) > 30)
        return false;
    snprintf(first, sizeof(first), "%.*s", (int)(colon - text), text);
    snprintf(second, sizeof(second), "%s", colon + 1);
    length = strlen(second);
    is_share = n > 0 && length > 1 && second[length - 1] == '%';
    if (is_share)
        second[length - 1] = '\0';
    if (!lam_parse_real(first, a) || !lam_parse_real(second, b) || *a < 0 ||
        *b < 0)
        return false;
    if (is_share)
        *b = *b / 100 * n;
    return true;
}

int data_tiles_parse(struct lam_context *ctx, const char *side,
                     const char *stride, const char *bright, const char *dark,
                     const char *mean, const char *variance,
                     struct data_tiles *t)
{
    double n;
    int err;

    *t = (struct data_tiles){.most_bright = INFINITY,
                             .most_dark = INFINITY,
                             .mean = {0, INFINITY},
                             .variance = {0, INFINITY}};
    if (!side)
        return lam_fail(ctx, LAM_EUSAGE, "tile wants --side N");
    err = parse_side(ctx, "--side", side, &t->side);
    t->stride = t->side;
    if (!err && stride)
        err = parse_side(ctx, "--stride", stride, &t->stride);
    if (err)
        return err;
    n = (double)t->side * t->side;
    if ((bright && !parse_pair(bright, n, &t->bright, &t->most_bright)) ||
        (dark && !parse_pair(dark, n, &t->dark, &t->most_dark)))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--bright and --dark want GREY:COUNT or "
                        "GREY:PERCENT%%, as 225:99 or 10:90%%");
    if ((mean && !parse_pair(mean, 0, &t->mean.from, &t->mean.to)) ||
        (variance &&
         !parse_pair(variance, 0, &t->variance.from, &t->variance.to)))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--mean and --variance want LEAST:MOST, as 40:180");
    return LAM_OK;
}

static bool is_within(const struct data_range *range, double v)
{
    return v >= range->from && v <= range->to;
}

static enum reason judge(const struct data_tiles *t, const uint16_t *pixels)
{
    const size_t n = (size_t)t->side * (size_t)t->side;
    double sum = 0.0, squares = 0.0, n_bright = 0, n_dark = 0, mean;

    for (size_t i = 0; i < n; i++) {
        const double v = pixels[i] / 257.0;

        sum += v;
        squares += v * v;
        n_bright += v >= t->bright;
        n_dark += v <= t->dark;
    }
    mean = sum / (double)n;
    return n_bright > t->most_bright    ? BRIGHT
           : n_dark > t->most_dark      ? DARK
           : !is_within(&t->mean, mean) ? MEAN
           : !is_within(&t->variance, squares / (double)n - mean * mean)
               ? VARIANCE
               : KEPT;
}

static int tile_one(const struct data_image *image, const struct data_tiles *t,
                    struct data_writer *writer, int counts[N_REASONS])
{
    const struct data_changes none = {.scale = 1};
    const size_t n = (size_t)t->side * (size_t)t->side;
    struct data_image tile = *image;
    char name[300];
    int err = LAM_OK;

    tile.name = name;
    tile.width = tile.height = t->side;
    tile.pixels = malloc(n * sizeof(*tile.pixels));
    tile.mask = malloc(n);
    if (!tile.pixels || !tile.mask)
        err = lam_fail(writer->ctx, LAM_EMEMORY, "out of memory");
    for (int y = 0; y + t->side <= image->height && !err; y += t->stride)
        for (int x = 0; x + t->side <= image->width && !err; x += t->stride) {
            struct data_image written = tile;
            enum reason reason;

            data_cut(image, y, x, t->side, t->side, tile.pixels, tile.mask);
            reason = judge(t, tile.pixels);
            counts[reason]++;
            snprintf(name, sizeof(name), "%s_%d_%d", image->name, y, x);
            if (!image->mask)
                written.mask = NULL;
            if (reason == KEPT)
                err = data_writer_add(writer, &none, &written);
        }
    free(tile.pixels);
    free(tile.mask);
    return err;
}

int data_tile(struct lam_context *ctx, const char *path, const char *out,
              const struct data_changes *changes, const struct data_tiles *t)
{
    struct lam_dataset *dataset;
    struct data_writer writer = {0};
    int counts[N_REASONS] = {0};
    int n, err = lam_dataset_open(ctx, path, &dataset);

    if (!err)
        err = data_writer_open(ctx, out, &writer);
    n = err ? 0 : lam_dataset_count(dataset, LAM_SPLIT_ALL);
    for (int i = 0; i < n && !err; i++) {
        struct data_image image = {0}, changed = {0};

        err = data_read(ctx, dataset, i, &image);
        if (!err)
            err = data_change(ctx, changes, &image, &changed);
        if (!err)
            err = tile_one(&changed, t, &writer, counts);
        data_image_free(&image);
        data_image_free(&changed);
    }
    lam_dataset_close(dataset);
    err = data_writer_close(&writer, err);
    if (err)
        return err;
    lam_log(ctx, LAM_LOG_INFO,
            "%d tiles of %d images written to %s; left out: %d too bright, %d "
            "too dark, %d by their mean, %d by their variance",
            counts[KEPT], n, out, counts[BRIGHT], counts[DARK], counts[MEAN],
            counts[VARIANCE]);
    return counts[KEPT] ? LAM_OK
                        : lam_fail(ctx, LAM_EDATA,
                                   "no tile of %s is kept: images smaller than "
                                   "%d pixels, or rules that none fits",
                                   path, t->side);
}
