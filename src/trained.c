#include "trained.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cells.h"
#include "device_check.h"

const char *lam_trained_file(const char *path, char *text, size_t size)
{
    static const char *const names[] = {"best.safetensors", "last.safetensors"};
    struct stat info;

    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return path;
    for (int i = 0; i < 2; i++) {
        snprintf(text, size, "%s/%s", path, names[i]);
        if (stat(text, &info) == 0)
            break;
    }
    return text;
}

int lam_trained_open(struct lam_context *ctx, const char *path,
                     const char *device, bool tuned, struct lam_trained *t)
{
    const struct lam_queue_options options = {.device = device, .tuned = tuned};
    char file[1200];
    int err;

    *t = (struct lam_trained){0};
    err = lam_checkpoint_read(ctx, lam_trained_file(path, file, sizeof(file)),
                              &t->checkpoint);
    if (err)
        return err;
    t->registry = lam_registry_create(ctx);
    if (!t->registry)
        return ctx->code;
    err = lam_registry_load_default(t->registry);
    if (!err)
        err =
            lam_model_parse(ctx, "model in the checkpoint", t->checkpoint.model,
                            strlen(t->checkpoint.model), NULL, 0, &t->model);
    if (!err)
        err = lam_model_section(t->model, "metrics", lam_metrics_params,
                                &t->metrics, sizeof(t->metrics), NULL);
    if (!err)
        err = lam_queue_open(ctx, &options, &t->queue);
    if (!err)
        err = lam_device_check_once(t->queue);
    if (!err)
        err = lam_predictor_create(ctx, t->registry, t->queue, t->model,
                                   &t->predictor);
    return err ? err : lam_predictor_load(t->predictor, &t->checkpoint);
}

void lam_trained_close(struct lam_trained *t)
{
    lam_predictor_destroy(t->predictor);
    lam_queue_close(t->queue);
    lam_model_destroy(t->model);
    lam_registry_destroy(t->registry);
    lam_checkpoint_close(&t->checkpoint);
}

int lam_trained_read(struct lam_context *ctx, const struct lam_trained *t,
                     const char *path, struct lam_image **image, float **pixels)
{
    const int err = lam_image_read(ctx, path, 0, image);
    size_t n;

    *pixels = NULL;
    if (err)
        return err;
    n = (size_t)(*image)->width * (size_t)(*image)->height;
    *pixels = malloc(n * sizeof(**pixels));
    if (!*pixels) {
        lam_image_free(*image);
        *image = NULL;
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        (*pixels)[i] =
            lam_intensity_apply(&t->checkpoint.intensity, (*image)->pixels[i]);
    return LAM_OK;
}

float *lam_trained_foreground(const struct lam_map *map, int height, int width)
{
    const size_t n = (size_t)map->height * (size_t)map->width;
    float *cells = calloc(n, sizeof(*cells));
    float *pixels = malloc(sizeof(*pixels) * (size_t)height * (size_t)width);

    for (size_t i = 0; cells && i < n; i++) {
        cells[i] = map->channels == 1 ? map->data[i] : 0.0f;
        for (int c = 1; c < map->channels; c++)
            cells[i] += map->data[(size_t)c * n + i];
    }
    if (cells && pixels)
        lam_cells_spread(cells, map->height, map->width, pixels, height, width);
    if (!cells) {
        free(pixels);
        pixels = NULL;
    }
    free(cells);
    return pixels;
}
