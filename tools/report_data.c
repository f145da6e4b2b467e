// What a report tells: all images of a split, predicted and measured.
#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "overlay.h"

static void measure_grey(const float *pixels, const struct lam_intensity *in,
                         size_t n, struct report_image *image)
{
    double sum = 0.0, squares = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double v = (double)pixels[i] * in->std + in->mean;

        sum += v;
        squares += v * v;
    }
    image->brightness = sum / (double)n;
    image->contrast = sqrt(
        fmax(squares / (double)n - image->brightness * image->brightness, 0.0));
}

// map: of the image, to be freed like the rest.
struct predicted {
    float *pixels, *mask, *foreground;
    struct lam_map map;
    int height, width;
};

static void predicted_free(struct predicted *p)
{
    free(p->pixels);
    free(p->mask);
    free(p->foreground);
    free(p->map.data);
}

static int predict(struct report *r, int index, struct predicted *p)
{
    const struct lam_sample_info *info =
        lam_dataset_info(r->dataset, r->split, index);
    int err;

    *p = (struct predicted){0};
    err = lam_dataset_read(r->dataset, r->split, index,
                           &r->trained.checkpoint.intensity, &p->pixels,
                           &p->mask, &p->height, &p->width);
    if (!err && !p->mask)
        err = lam_fail(r->ctx, LAM_EDATA, "%s has no mask", info->name);
    if (!err)
        err = lam_predictor_run(r->trained.predictor, p->pixels, p->height,
                                p->width, 0, 0, &p->map);
    if (err)
        return err;
    p->foreground = lam_trained_foreground(&p->map, p->height, p->width);
    return p->foreground ? LAM_OK
                         : lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
}

static int measure(struct report *r, struct report_image *image)
{
    struct predicted p;
    float *truth = NULL;
    size_t n;
    int err = predict(r, image->index, &p);

    n = (size_t)p.height * (size_t)p.width;
    if (!err && !r->metrics)
        err = lam_metrics_create(r->ctx, &r->trained.metrics, p.map.channels,
                                 false, &r->metrics);
    if (!err) {
        truth = lam_cells_truth(p.mask, p.height, p.width, p.map.height,
                                p.map.width);
        err = truth
                  ? lam_metrics_add(r->metrics, image->name, p.map.data, truth,
                                    p.map.height, p.map.width, &image->result)
                  : lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err) {
        lam_sweep_add(r->sweep, p.foreground, p.mask, n);
        measure_grey(p.pixels, &r->trained.checkpoint.intensity, n, image);
        for (size_t i = 0; i < n; i++)
            image->share += (p.mask[i] > 0) / (double)n;
    }
    free(truth);
    predicted_free(&p);
    return err;
}

int report_open(struct lam_context *ctx, const char *path, const char *data,
                enum lam_split split, const char *device, struct report *r)
{
    char epochs[1200];
    int err;

    *r = (struct report){.ctx = ctx, .path = path, .split = split};
    snprintf(epochs, sizeof(epochs), "%s/metrics.csv", path);
    err = lam_csv_read(ctx, epochs, &r->epochs);
    if (!err)
        err = lam_trained_open(ctx, path, device, true, &r->trained);
    if (err)
        return err;
    r->trained.metrics.threshold = r->trained.checkpoint.progress.threshold;
    err = lam_dataset_open(ctx, data ? data : r->trained.checkpoint.data,
                           &r->dataset);
    r->n_images = err ? 0 : lam_dataset_count(r->dataset, split);
    if (!err && r->n_images == 0)
        err = lam_fail(ctx, LAM_EDATA, "there is no image in this split");
    r->images = calloc((size_t)r->n_images + 1, sizeof(*r->images));
    r->sweep = calloc(1, sizeof(*r->sweep));
    if (!err && (!r->images || !r->sweep))
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < r->n_images && !err; i++) {
        r->images[i].index = i;
        r->images[i].name = lam_dataset_info(r->dataset, split, i)->name;
        err = measure(r, &r->images[i]);
    }
    return err;
}

void report_close(struct report *r)
{
    lam_metrics_destroy(r->metrics);
    lam_dataset_close(r->dataset);
    lam_trained_close(&r->trained);
    lam_csv_free(&r->epochs);
    free(r->images);
    free(r->sweep);
}

int report_picture(struct report *r, const struct report_image *image,
                   unsigned char **rgb, int *width, int *height)
{
    struct predicted p;
    int err = predict(r, image->index, &p);

    for (size_t i = 0; !err && i < (size_t)p.height * (size_t)p.width; i++)
        p.foreground[i] = (double)p.foreground[i] > r->trained.metrics.threshold
                              ? 1.0f
                              : 0.0f;
    *rgb = err ? NULL
               : lam_overlay_draw(p.width, p.height, p.pixels, p.mask,
                                  p.foreground, width);
    *height = p.height;
    predicted_free(&p);
    return err || *rgb ? err : lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
}
