#include "norm.h"

#include <stdio.h>

#include "norm.cl.h"

struct norm norm_of(const struct lam_layer *layer, const struct lam_shape *x,
                    int32_t groups, bool shared)
{
    const struct lam_device *device = &layer->host->device;
    const bool is_gpu = device->kind == LAM_DEVICE_GPU;
    const int32_t ranks = shared ? layer->host->sharing : 1;
    struct norm n = {.size = 1,
                     .N = (int32_t)x->dim[0],
                     .C = (int32_t)x->dim[1],
                     .per = 1,
                     .lanes = 1,
                     .bytes = x->dtype == LAM_F64 ? 8 : 4,
                     .halves = lam_halves(x)};

    for (int i = 2; i < x->rank; i++)
        n.size *= x->dim[i];
    n.K = (n.size + NORM_CHUNK - 1) / NORM_CHUNK;
    n.chunks = n.N * (int64_t)n.C * n.K;
    n.sets = groups ? n.N * groups : n.C;
    n.planes = groups ? n.C / groups : n.N * ranks;
    n.divisor = groups ? n.C / groups : 1;
    n.step = groups ? 1 : n.C;
    n.mine = shared ? 2 * n.chunks * layer->host->place : 0;
    n.behind = 2 * n.chunks * ranks;
    if (is_gpu && device->max_work_group >= NORM_LANES)
        n.lanes = NORM_LANES;
    // Enough for a work-group to be worth its start, and enough of them.
    while (!is_gpu && n.per * n.size < 4 * NORM_CHUNK && n.per < n.chunks / 16)
        n.per *= 2;
    return n;
}

void norm_shape(const struct norm *n, struct lam_shapes *shapes)
{
    const struct lam_shape *x = &shapes->in[0];

    shapes->n_out = 1;
    shapes->out[0] = *x;
    shapes->n_aux = 1;
    shapes->aux[0] = (struct lam_shape){
        .dtype = lam_real(x), .rank = 1, .dim = {2 * (int64_t)n->sets}};
    shapes->backward_in = 1;
    shapes->flags =
        LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE | LAM_RUN_AGAIN | LAM_HALVES;
    shapes->pitched_out = 1;
    shapes->run_scratch = shapes->backward_scratch =
        (n->behind + 2 * (int64_t)n->sets) * n->bytes;
}

void norm_weight(struct lam_shapes *shapes, const char *name, int32_t init)
{
    shapes->weight[shapes->n_weight++] =
        (struct lam_weight){.name = name,
                            .shape = {.dtype = lam_real(&shapes->in[0]),
                                      .rank = 1,
                                      .dim = {shapes->in[0].dim[1]}},
                            .init = init};
}

int norm_prepare(const struct lam_layer *layer, struct norm *n)
{
    const struct lam_host *host = layer->host;
    const struct {
        const char *name;
        struct lam_kernel **kernel;
    } list[] = {
        {"norm_moments", &n->moments},   {"norm_statistics", &n->statistics},
        {"norm_apply", &n->apply},       {"norm_sums", &n->sums},
        {"norm_weights", &n->weights},   {"norm_means", &n->means},
        {"norm_gradient", &n->gradient},
    };
    char options[40];
    int err = LAM_OK;

    snprintf(options, sizeof(options), "-DLANES=%d%s", n->lanes, n->halves);

    for (size_t i = 0; i < sizeof(list) / sizeof(list[0]) && !err; i++)
        err =
            host->kernel(host, norm_cl, list[i].name, options, list[i].kernel);
    return err;
}

// What kernels that go over all chunks and look up their sets want, CUT there.
#define CUT_ARGS(n)                                                            \
    LAM_ARG_LONG((n)->size), LAM_ARG_LONG((n)->K), LAM_ARG_LONG((n)->chunks),  \
        LAM_ARG_INT((n)->per), LAM_ARG_INT((n)->C), LAM_ARG_INT((n)->divisor), \
        LAM_ARG_INT((n)->sets)

static int norm_launch(const struct lam_layer *layer, const struct norm *n,
                       struct lam_kernel *kernel, const struct lam_arg *args,
                       int n_args, int64_t groups)
{
    const size_t lanes = (size_t)n->lanes;
    const size_t local[3] = {lanes, 1, 1};
    const size_t global[3] = {(size_t)groups * lanes, 1, 1};

    return layer->host->launch(layer->host, kernel, args, n_args, global,
                               local);
}

static int64_t norm_groups(const struct norm *n)
{
    return (n->chunks + n->per - 1) / n->per;
}

// Parts of all ranks, where statistics are shared.
static int norm_share(const struct lam_layer *layer, const struct norm *n,
                      const struct lam_io *io)
{
    const struct lam_host *host = layer->host;

    return n->behind == 2 * n->chunks
               ? LAM_OK
               : host->share(host, &io->scratch, 2 * n->chunks * n->bytes);
}

// Moments of the sets from x, into `moments` from `at` on.
static int norm_measure(const struct lam_layer *layer, const struct norm *n,
                        const struct lam_io *io, const struct norm_terms *terms,
                        const struct lam_tensor *moments, int64_t at)
{
    const struct lam_arg chunks[] = {
        LAM_ARG_TENSOR(&io->in[0]), LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(n->mine),      LAM_ARG_LONG(n->size),
        LAM_ARG_LONG(n->K),         LAM_ARG_LONG(n->chunks),
        LAM_ARG_INT(n->per),
    };
    const struct lam_arg sets[] = {
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_TENSOR(moments),
        LAM_ARG_LONG(at),
        LAM_ARG_TENSOR(terms->running_mean),
        LAM_ARG_TENSOR(terms->running_var),
        LAM_ARG_INT(n->sets),
        LAM_ARG_LONG(n->size),
        LAM_ARG_LONG(n->K),
        LAM_ARG_LONG(n->chunks),
        LAM_ARG_INT(n->planes),
        LAM_ARG_INT(n->divisor),
        LAM_ARG_INT(n->step),
        LAM_ARG_REAL(terms->epsilon),
        LAM_ARG_REAL(terms->keep),
    };
    int err = norm_launch(layer, n, n->moments, chunks, 7, norm_groups(n));

    if (!err)
        err = norm_share(layer, n, io);
    return err ? err : norm_launch(layer, n, n->statistics, sets, 14, n->sets);
}

int norm_apply(const struct lam_layer *layer, const struct norm *n,
               const struct lam_io *io, const struct norm_terms *terms,
               const struct lam_tensor *mean, int64_t mean_at,
               const struct lam_tensor *spread, int64_t spread_at,
               bool is_variance)
{
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_LONG(lam_pitch(&io->out[0])),
        LAM_ARG_TENSOR(mean),
        LAM_ARG_LONG(mean_at),
        LAM_ARG_TENSOR(spread),
        LAM_ARG_LONG(spread_at),
        LAM_ARG_TENSOR(terms->weight),
        LAM_ARG_TENSOR(terms->bias),
        CUT_ARGS(n),
        LAM_ARG_INT(is_variance),
        LAM_ARG_REAL(terms->epsilon),
        LAM_ARG_INT(n->has_relu),
    };

    return norm_launch(layer, n, n->apply, args, 19, norm_groups(n));
}

int norm_run(const struct lam_layer *layer, const struct norm *n,
             const struct lam_io *io, const struct norm_terms *terms)
{
    const struct lam_tensor *moments =
        io->training ? &io->aux[0] : &io->scratch;
    const int64_t at = io->training ? 0 : n->behind;
    const int err =
        io->again ? LAM_OK : norm_measure(layer, n, io, terms, moments, at);

    return err ? err
               : norm_apply(layer, n, io, terms, moments, at, moments,
                            at + n->sets, false);
}

static int norm_weight_gradients(const struct lam_layer *layer,
                                 const struct norm *n, const struct lam_io *io)
{
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(n->mine),
        LAM_ARG_TENSOR(&io->aux[0]),
        LAM_ARG_TENSOR(&io->d_weight[0]),
        LAM_ARG_TENSOR(&io->d_weight[1]),
        LAM_ARG_LONG(n->K),
        LAM_ARG_LONG(n->chunks),
        LAM_ARG_INT(n->N),
        LAM_ARG_INT(n->C),
        LAM_ARG_INT(n->divisor),
        LAM_ARG_INT(n->sets),
    };

    return norm_launch(layer, n, n->weights, args, 11, n->C);
}

static int norm_input_gradient(const struct lam_layer *layer,
                               const struct norm *n, const struct lam_io *io,
                               const struct lam_tensor *weight,
                               const struct lam_tensor *bias)
{
    const struct lam_arg means[] = {
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(n->behind),
        LAM_ARG_TENSOR(&io->aux[0]),
        LAM_ARG_TENSOR(weight),
        LAM_ARG_LONG(n->size),
        LAM_ARG_LONG(n->K),
        LAM_ARG_LONG(n->chunks),
        LAM_ARG_INT(n->planes),
        LAM_ARG_INT(n->C),
        LAM_ARG_INT(n->divisor),
        LAM_ARG_INT(n->step),
        LAM_ARG_INT(n->sets),
    };
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_LONG(lam_pitch(&io->d_out[0])),
        LAM_ARG_TENSOR(&io->d_in[0]),
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(n->behind),
        LAM_ARG_TENSOR(&io->aux[0]),
        LAM_ARG_TENSOR(weight),
        LAM_ARG_TENSOR(bias),
        CUT_ARGS(n),
        LAM_ARG_INT(n->has_relu),
    };
    int err = norm_share(layer, n, io);

    if (!err)
        err = norm_launch(layer, n, n->means, means, 12, n->sets);

    return err ? err
               : norm_launch(layer, n, n->gradient, args, 17, norm_groups(n));
}

int norm_backward(const struct lam_layer *layer, const struct norm *n,
                  const struct lam_io *io, const struct lam_tensor *weight,
                  const struct lam_tensor *bias)
{
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_LONG(lam_pitch(&io->d_out[0])),
        LAM_ARG_TENSOR(&io->aux[0]),
        LAM_ARG_TENSOR(weight),
        LAM_ARG_TENSOR(bias),
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(n->mine),
        CUT_ARGS(n),
        LAM_ARG_INT(n->has_relu),
    };
    int err = norm_launch(layer, n, n->sums, args, 16, norm_groups(n));

    if (!err && weight && (io->d_weight[0].buffer || io->d_weight[1].buffer))
        err = norm_weight_gradients(layer, n, io);
    if (!err && io->d_in[0].buffer)
        err = norm_input_gradient(layer, n, io, weight, bias);
    return err;
}
