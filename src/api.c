// The functions of lam/lam.h, on top of the core.
#include "lam/lam.h"

#include <math.h>
#include <stdlib.h>

#include "image.h"
#include "model.h"
#include "trained.h"

struct lam_network {
    struct lam_context *ctx;
    struct lam_trained trained;
    int height, width;
};

const char *lam_version(void)
{
    return LAM_VERSION;
}

struct lam_context *lam_context_create(void)
{
    return calloc(1, sizeof(struct lam_context));
}

void lam_context_destroy(struct lam_context *ctx)
{
    free(ctx);
}

const char *lam_error(const struct lam_context *ctx)
{
    return !ctx ? "out of memory" : ctx->code ? ctx->error : "";
}

void lam_context_set_log(struct lam_context *ctx, lam_log_function *log,
                         void *data)
{
    ctx->log = log;
    ctx->log_data = data;
}

int lam_network_open(struct lam_context *ctx, const char *path,
                     const char *device, struct lam_network **network)
{
    struct lam_network *n = calloc(1, sizeof(*n));
    int err;

    *network = NULL;
    lam_error_clear(ctx);
    if (!n)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (!path) {
        free(n);
        return lam_fail(ctx, LAM_EUSAGE, "no checkpoint was named");
    }
    n->ctx = ctx;
    err = lam_trained_open(ctx, path, device, true, &n->trained);
    if (err) {
        lam_network_close(n);
        return err;
    }
    lam_model_input(n->trained.model, &n->height, &n->width);
    *network = n;
    return LAM_OK;
}

void lam_network_close(struct lam_network *network)
{
    if (!network)
        return;
    lam_trained_close(&network->trained);
    free(network);
}

const char *lam_network_device(const struct lam_network *network)
{
    return lam_queue_device(network->trained.queue)->name;
}

void lam_network_size(const struct lam_network *network, int *height,
                      int *width)
{
    *height = network->height;
    *width = network->width;
}

double lam_network_threshold(const struct lam_network *network)
{
    return network->trained.checkpoint.progress.threshold;
}

// pixels: normalised.
static int predict(struct lam_network *n, const float *pixels, int height,
                   int width, int tile, int overlap, struct lam_map *map)
{
    if (tile != 0 && (tile < 16 || overlap < 0 || overlap >= tile))
        return lam_fail(n->ctx, LAM_EUSAGE,
                        "tiles of %d with an overlap of %d; wanted 0, or at "
                        "least 16 and less overlap than that",
                        tile, overlap);
    return lam_predictor_run(n->trained.predictor, pixels, height, width, tile,
                             overlap, map);
}

int lam_network_predict(struct lam_network *network, const float *pixels,
                        int height, int width, int tile, int overlap,
                        struct lam_map *map)
{
    struct lam_context *ctx = network->ctx;
    float *normal;
    size_t n;
    int err = LAM_OK;

    *map = (struct lam_map){0};
    lam_error_clear(ctx);
    if (!pixels || height < 1 || width < 1 || height > LAM_IMAGE_MAX_SIDE ||
        width > LAM_IMAGE_MAX_SIDE)
        return lam_fail(ctx, LAM_EUSAGE,
                        "an image of %d x %d pixels; wanted sides of 1 to %d",
                        width, height, LAM_IMAGE_MAX_SIDE);
    n = (size_t)height * (size_t)width;
    normal = malloc(n * sizeof(*normal));
    if (!normal)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (size_t i = 0; i < n && !err; i++) {
        if (!isfinite(pixels[i]))
            err = lam_fail(ctx, LAM_ENONFINITE,
                           "the pixel in column %zu of row %zu is no number",
                           i % (size_t)width, i / (size_t)width);
        normal[i] = lam_intensity_apply(&network->trained.checkpoint.intensity,
                                        65535.0 * (double)pixels[i]);
    }
    if (!err)
        err = predict(network, normal, height, width, tile, overlap, map);
    free(normal);
    return err;
}

int lam_network_predict_file(struct lam_network *network, const char *path,
                             int tile, int overlap, struct lam_map *map)
{
    struct lam_image *image = NULL;
    float *normal = NULL;
    int err;

    *map = (struct lam_map){0};
    lam_error_clear(network->ctx);
    if (!path)
        return lam_fail(network->ctx, LAM_EUSAGE, "no image was named");
    err = lam_trained_read(network->ctx, &network->trained, path, &image,
                           &normal);
    if (!err)
        err = predict(network, normal, image->height, image->width, tile,
                      overlap, map);
    lam_image_free(image);
    free(normal);
    return err;
}

void lam_map_free(struct lam_map *map)
{
    free(map->data);
    *map = (struct lam_map){0};
}
