// An image through the network: zoomed, mirrored, in tiles.
#include <stdlib.h>

#include "blend.h"
#include "mirror.h"
#include "predictor_state.h"
#include "zoom.h"

static int run_tile(struct lam_predictor *p, const float *image, int width,
                    int height, int tile_width, struct lam_map *map)
{
    const int err =
        lam_predictor_window(p, image, width, height, tile_width, map);

    if (err || (map->height == height && map->width == tile_width))
        return err;
    free(map->data);
    map->data = NULL;
    return lam_fail(p->ctx, LAM_EUSAGE,
                    "the network answers for cells, not pixels: tiles do not "
                    "fit together");
}

static int run_tiles(struct lam_predictor *p, const float *image, int height,
                     int width, int tile, int overlap, struct lam_map *map)
{
    const int th = tile < height ? tile : height;
    const int tw = tile < width ? tile : width;
    struct lam_blend blend = {0};
    int err = LAM_OK;

    *map = (struct lam_map){0};
    for (int y = 0, y0 = 0; !err && y0 + th <= height; y += th - overlap) {
        y0 = y + th > height ? height - th : y;
        for (int x = 0, x0 = 0; !err && x0 + tw <= width; x += tw - overlap) {
            struct lam_map part;

            x0 = x + tw > width ? width - tw : x;
            err = run_tile(p, image + (size_t)y0 * width + x0, width, th, tw,
                           &part);
            if (!err && !blend.sum &&
                !lam_blend_start(&blend, part.channels, height, width, overlap))
                err = lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
            if (!err)
                lam_blend_add(&blend, &part, y0, x0);
            free(part.data);
            if (x0 + tw == width)
                break;
        }
        if (y0 + th == height)
            break;
    }
    if (!err)
        lam_blend_finish(&blend, map);
    lam_blend_free(&blend);
    return err;
}

static int run_image(struct lam_predictor *p, const float *image, int height,
                     int width, int tile, int overlap, struct lam_map *map)
{
    if (tile <= 0 || (height <= tile && width <= tile))
        return lam_predictor_window(p, image, width, height, width, map);
    if (overlap < 0 || overlap >= tile)
        return lam_fail(p->ctx, LAM_EUSAGE,
                        "an overlap of %d does not fit a tile of %d", overlap,
                        tile);
    return run_tiles(p, image, height, width, tile, overlap, map);
}

static int run_zoomed(struct lam_predictor *p, const float *image, int height,
                      int width, int tile, int overlap, struct lam_map *map)
{
    struct lam_zoomed zoomed;
    int err;

    if (p->sampling.zoom == 1.0)
        return run_image(p, image, height, width, tile, overlap, map);
    *map = (struct lam_map){0};
    if (!lam_zoom_out(image, height, width, &p->sampling, &zoomed))
        return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
    err = run_image(p, zoomed.pixels, zoomed.height, zoomed.width, tile,
                    overlap, map);
    if (!err && map->height == zoomed.height && map->width == zoomed.width &&
        !lam_zoom_back(map, height, width, &p->sampling)) {
        free(map->data);
        map->data = NULL;
        err = lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
    }
    free(zoomed.pixels);
    return err;
}

// Adds the map of a mirror image, turned back.
static int add_mirrored(struct lam_predictor *p, const float *image, int height,
                        int width, int tile, int overlap, int flips,
                        struct lam_map *map)
{
    const size_t n = (size_t)height * (size_t)width;
    float *turned = malloc(sizeof(*turned) * n);
    struct lam_map part = {0};
    int err;

    if (!turned)
        return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
    lam_mirror(image, height, width, flips, turned);
    err = run_zoomed(p, turned, height, width, tile, overlap, &part);
    for (int c = 0; c < map->channels && !err; c++)
        lam_mirror_add(part.data + (size_t)c * n, height, width, flips,
                       map->data + (size_t)c * n);
    free(part.data);
    free(turned);
    return err;
}

int lam_predictor_run(struct lam_predictor *p, const float *image, int height,
                      int width, int tile, int overlap, struct lam_map *map)
{
    const size_t n = (size_t)height * (size_t)width;
    int sum = 1;
    int err = run_zoomed(p, image, height, width, tile, overlap, map);

    if (err || !p->flips)
        return err;
    if (map->height != height || map->width != width)
        err = lam_fail(p->ctx, LAM_EUSAGE,
                       "the network answers for cells, not pixels: mirror "
                       "images do not fit together");
    for (int flips = 1; flips <= p->flips && !err; flips++)
        if ((flips & ~p->flips) == 0) {
            err = add_mirrored(p, image, height, width, tile, overlap, flips,
                               map);
            sum++;
        }
    for (size_t i = 0; i < (size_t)map->channels * n && !err; i++)
        map->data[i] /= (float)sum;
    if (err) {
        free(map->data);
        map->data = NULL;
    }
    return err;
}
