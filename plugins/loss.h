// loss.h - what the losses over pixels share: shapes, the partition of the
// pixels (see cl/loss.cl) and the tree that adds the parts. Included by
// plugins.
#ifndef LAM_LOSS_H
#define LAM_LOSS_H

#include "lam/plugin.h"

enum { LOSS_FAN = 64 }; // parts that one work-item of the tree adds

// N images of K channels and P pixels, in `items` parts, `parts` an image.
struct loss_grid {
    int64_t N, K, P, items;
    int parts, lanes, steps;
};

// Pixels that a kernel works on at a time.
static inline int loss_width(const struct lam_layer *layer)
{
    const struct lam_device *device = &layer->host->device;

    if (device->kind == LAM_DEVICE_GPU || device->vector_width < 8)
        return 4;
    return device->vector_width < 16 ? 8 : 16;
}

// A CPU takes long runs, a GPU many short ones side by side.
static inline struct loss_grid loss_grid_of(const struct lam_layer *layer,
                                            const struct lam_shape *in)
{
    const bool is_gpu = layer->host->device.kind == LAM_DEVICE_GPU;
    struct loss_grid g = {.N = in->dim[0],
                          .K = in->dim[1],
                          .P = 1,
                          .lanes = is_gpu ? 32 : 1,
                          .steps = is_gpu ? 16 : 4096 / loss_width(layer)};
    int64_t tile;

    for (int i = 2; i < in->rank; i++)
        g.P *= in->dim[i];
    tile = (int64_t)loss_width(layer) * g.lanes * g.steps;
    g.parts = (int)((g.P + tile - 1) / tile) * g.lanes;
    g.items = g.N * g.parts;
    return g;
}

#define LOSS_GRID_ARGS(g)                                                      \
    LAM_ARG_LONG((g).P), LAM_ARG_LONG((g).items), LAM_ARG_INT((g).parts),      \
        LAM_ARG_INT((g).lanes), LAM_ARG_INT((g).steps)

static inline int64_t loss_folded(int64_t count)
{
    return (count + LOSS_FAN - 1) / LOSS_FAN;
}

// Bytes for `rows` rows of `count` parts and the sums above them.
static inline int64_t loss_scratch(const struct lam_shape *in, int64_t rows,
                                   int64_t count)
{
    int64_t n = count;

    for (; count > 1; count = loss_folded(count))
        n += loss_folded(count);
    return rows * n * (in->dtype == LAM_F64 ? 8 : 4);
}

static inline int loss_kernel(const struct lam_layer *layer, const char *source,
                              const char *name, struct lam_kernel **kernel)
{
    const int width = loss_width(layer);

    return layer->host->kernel(layer->host, source, name,
                               width == 16  ? "-DLOSS_WIDTH=16"
                               : width == 8 ? "-DLOSS_WIDTH=8"
                                            : "-DLOSS_WIDTH=4",
                               kernel);
}

// One work-item per part; the kernels check their id.
static inline int loss_launch(const struct lam_layer *layer,
                              struct lam_kernel *kernel,
                              const struct lam_arg *args, int n_args,
                              int64_t items)
{
    const bool is_gpu = layer->host->device.kind == LAM_DEVICE_GPU;
    const size_t group = is_gpu ? 64 : 1;
    const size_t local[3] = {group, 1, 1};
    const size_t global[3] = {((size_t)items + group - 1) / group * group, 1,
                              1};

    return layer->host->launch(layer->host, kernel, args, n_args, global,
                               local);
}

// Adds `rows` rows of `count` parts at the start of scratch; *at is where the
// sum of row 0 is then, with those of the other rows behind it.
static inline int loss_fold(const struct lam_layer *layer,
                            struct lam_kernel *kernel, const struct lam_io *io,
                            int64_t rows, int64_t count, int64_t *at)
{
    int err = LAM_OK;

    *at = 0;
    while (count > 1 && !err) {
        const int64_t n = loss_folded(count), to = *at + rows * count;
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(&io->scratch), LAM_ARG_LONG(*at), LAM_ARG_LONG(to),
            LAM_ARG_LONG(count),          LAM_ARG_LONG(n),   LAM_ARG_INT(rows),
            LAM_ARG_INT(LOSS_FAN),
        };

        err = loss_launch(layer, kernel, args, 7, rows * n);
        *at = to;
        count = n;
    }
    return err;
}

// Checks prediction [N, K, H, W] against target [N, 1, H, W], or [N, K] against
// [N] or [N, 1], and fills in the shapes with an aux of `n_aux` numbers.
static inline int loss_shape(const struct lam_layer *layer,
                             struct lam_shapes *shapes, int64_t n_aux)
{
    const struct lam_host *host = layer->host;
    const struct lam_shape *z = &shapes->in[0], *y = &shapes->in[1];

    if (z->rank != 4 && z->rank != 2)
        return host->fail(host, LAM_ESHAPE,
                          "%s: a prediction of rank 4 or 2 was wanted, found "
                          "rank %d",
                          layer->name, (int)z->rank);
    if (y->dtype != z->dtype)
        return host->fail(host, LAM_ESHAPE,
                          "%s: the target must hold labels as real numbers, "
                          "not indices",
                          layer->name);
    if (y->rank != z->rank && !(z->rank == 2 && y->rank == 1))
        return host->fail(host, LAM_ESHAPE,
                          "%s: the prediction has rank %d, the target %d",
                          layer->name, (int)z->rank, (int)y->rank);
    if (y->rank > 1 && y->dim[1] != 1)
        return host->fail(host, LAM_ESHAPE,
                          "%s: a target of 1 channel was wanted, found %lld",
                          layer->name, (long long)y->dim[1]);
    for (int i = 0; i < y->rank; i++)
        if (i != 1 && y->dim[i] != z->dim[i])
            return host->fail(host, LAM_ESHAPE,
                              "%s: size %d of the prediction is %lld, of the "
                              "target %lld",
                              layer->name, i, (long long)z->dim[i],
                              (long long)y->dim[i]);
    shapes->n_out = 1;
    shapes->out[0] =
        (struct lam_shape){.dtype = z->dtype, .rank = 1, .dim = {1}};
    shapes->n_aux = shapes->training && n_aux ? 1 : 0;
    shapes->aux[0] =
        (struct lam_shape){.dtype = z->dtype, .rank = 1, .dim = {n_aux}};
    shapes->backward_in = 3;
    return LAM_OK;
}

// The element of the plain C references: pixel p of channel k of image n.
static inline double loss_at(const double *z, const struct lam_shape *shape,
                             int64_t n, int64_t k, int64_t p)
{
    int64_t P = 1;

    for (int i = 2; i < shape->rank; i++)
        P *= shape->dim[i];
    return z[(n * shape->dim[1] + k) * P + p];
}

// Rows of a loss's samples.
#define LOSS_CASE(p, i, f)                                                     \
    {                                                                          \
        .params = p, .inputs = i, .fill = f                                    \
    }
#define LOSS_EVAL(p, i, f)                                                     \
    {                                                                          \
        .params = p, .inputs = i, .fill = f, .flags = LAM_SAMPLE_EVAL          \
    }
#define LOSS_REFUSED(p, i, f, e)                                               \
    {                                                                          \
        .params = p, .inputs = i, .fill = f, .error = e                        \
    }

#endif
