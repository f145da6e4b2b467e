// lamina data convert - a data set at another size, with black margins gone.
#include "data_convert.h"

#include <math.h>
#include <stdlib.h>

int data_read(struct lam_context *ctx, struct lam_dataset *dataset, int i,
              struct data_image *image)
{
    static const char *const splits[] = {"train", "val", "test"};
    const struct lam_intensity raw = {.high = 1, .std = 1};
    const struct lam_sample_info *info =
        lam_dataset_info(dataset, LAM_SPLIT_ALL, i);
    float *pixels = NULL, *mask = NULL;
    size_t n;
    int err;

    *image = (struct data_image){.name = info->name,
                                 .patient = info->patient,
                                 .split = splits[info->split],
                                 .bits = info->bits};
    err = lam_dataset_read(dataset, LAM_SPLIT_ALL, i, &raw, &pixels, &mask,
                           &image->height, &image->width);
    if (err)
        return err;
    n = (size_t)image->height * (size_t)image->width;
    image->pixels = malloc(n * sizeof(*image->pixels));
    image->mask = mask ? malloc(n) : NULL;
    if (!image->pixels || (mask && !image->mask))
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (size_t k = 0; k < n && !err; k++) {
        image->pixels[k] = (uint16_t)lrintf(pixels[k]);
        if (mask)
            image->mask[k] = (unsigned char)lrintf(mask[k]);
    }
    free(pixels);
    free(mask);
    return err;
}

int data_convert(struct lam_context *ctx, const char *path, const char *out,
                 const struct data_changes *changes)
{
    struct lam_dataset *dataset;
    struct data_writer writer = {0};
    int n, err = lam_dataset_open(ctx, path, &dataset);

    if (!err)
        err = data_writer_open(ctx, out, &writer);
    n = err ? 0 : lam_dataset_count(dataset, LAM_SPLIT_ALL);
    for (int i = 0; i < n && !err; i++) {
        struct data_image image;

        err = data_read(ctx, dataset, i, &image);
        if (!err)
            err = data_writer_add(&writer, changes, &image);
        data_image_free(&image);
    }
    lam_dataset_close(dataset);
    err = data_writer_close(&writer, err);
    if (!err)
        lam_log(ctx, LAM_LOG_INFO, "%d images written to %s", writer.n, out);
    return err;
}
