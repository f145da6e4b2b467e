// flat.h - how loops over elements or rows are cut into work-items.
//
// A processor gets long stretches, one work-item a work-group or a few rows a
// group, since each item costs it a call; a GPU gets one element an item, so
// that neighbours read neighbours. Group sizes are fixed, because some drivers
// compile a kernel anew for each; the kernels check their ids.
#ifndef FLAT_H
#define FLAT_H

#include "lam/plugin.h"

struct flat {
    int64_t n;
    int32_t chunk; // elements a work-item
    size_t global[3], local[3];
};

static inline size_t flat_round_up(int64_t n, int64_t step)
{
    return (size_t)((n + step - 1) / step * step);
}

static inline struct flat flat_cut(const struct lam_host *host, int64_t n)
{
    const bool is_cpu = host->device.kind == LAM_DEVICE_CPU;
    const int32_t chunk = is_cpu ? 4096 : 1;
    const int64_t group = is_cpu ? 1 : 64;

    return (struct flat){
        .n = n,
        .chunk = chunk,
        .global = {flat_round_up((n + chunk - 1) / chunk, group), 1, 1},
        .local = {(size_t)group, 1, 1}};
}

// With gaps, where a tensor has a pitch, the second id is the image, of n
// elements; without, there is one image of all.
static inline struct flat flat_cut_images(const struct lam_host *host,
                                          const struct lam_shape *shape,
                                          bool has_gaps)
{
    const int64_t images = has_gaps ? shape->dim[0] : 1;
    struct flat cut = flat_cut(host, lam_elements(shape) / images);

    cut.global[1] = (size_t)images;
    return cut;
}

// Ids are (stretch of the row, row, plane); n is the row's width.
static inline struct flat flat_cut_rows(const struct lam_host *host,
                                        int64_t width, int64_t rows,
                                        int64_t planes)
{
    const bool is_cpu = host->device.kind == LAM_DEVICE_CPU;
    const int32_t chunk = is_cpu ? (int32_t)width : 1;
    const int64_t across = is_cpu ? 1 : 16, down = is_cpu ? 8 : 4;

    return (struct flat){
        .n = width,
        .chunk = chunk,
        .global = {flat_round_up((width + chunk - 1) / chunk, across),
                   flat_round_up(rows, down), (size_t)planes},
        .local = {(size_t)across, (size_t)down, 1}};
}

#endif
