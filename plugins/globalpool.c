// globalpool: y[n,c,0,0] is the mean, or the largest, of x[n,c,h,w] over h, w.
//
// x is [N, C, H, W], y [N, C, 1, 1]. A NaN is larger than all numbers; the
// gradient of the largest goes to the first one in reading order.
#include "lam/plugin.h"

#include <limits.h>
#include <math.h>

#include "globalpool.cl.h"

struct globalpool_config {
    int32_t mode;
};

struct globalpool_state {
    struct lam_kernel *run, *backward;
    size_t planes, lanes;
    int64_t size;
};

enum { AVERAGE, MAXIMUM };

static const char *const modes[] = {"avg", "max", NULL};

static const struct lam_param globalpool_params[] = {
    {"mode", LAM_PARAM_CHOICE, offsetof(struct globalpool_config, mode), "avg",
     0, 0, modes, "avg: the mean; max: the largest", 0},
    {0}};

static int globalpool_shape(const struct lam_layer *layer,
                            struct lam_shapes *shapes)
{
    const struct globalpool_config *config = layer->config;
    const struct lam_shape *x = &shapes->in[0];

    if (x->rank != 4)
        return layer->host->fail(
            layer->host, LAM_ESHAPE,
            "the input has %d dimensions, wanted 4: [N, C, H, W]",
            (int)x->rank);
    if (x->dim[2] > INT_MAX / x->dim[3] / 4)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "an image of %lld x %lld is too large, wanted "
                                 "at most %d pixels",
                                 (long long)x->dim[2], (long long)x->dim[3],
                                 INT_MAX / 4);
    shapes->n_out = 1;
    shapes->out[0] = *x;
    shapes->out[0].dim[2] = shapes->out[0].dim[3] = 1;
    if (config->mode == AVERAGE)
        return LAM_OK;
    shapes->n_aux = 1;
    shapes->aux[0] = (struct lam_shape){
        .dtype = LAM_I32, .rank = 1, .dim = {x->dim[0] * x->dim[1]}};
    return LAM_OK;
}

static int globalpool_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct globalpool_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct globalpool_state *state = layer->state;
    const struct lam_shape *x = &io->in[0].shape;
    const bool is_wide = host->device.kind == LAM_DEVICE_GPU &&
                         host->device.max_work_group >= 128;
    const char *options = is_wide ? "-DLANES=128" : "-DLANES=1";
    int err = host->kernel(host, globalpool_cl,
                           config->mode == MAXIMUM ? "globalpool_max"
                                                   : "globalpool_average",
                           options, &state->run);

    state->lanes = is_wide ? 128 : 1;
    state->planes = (size_t)(x->dim[0] * x->dim[1]);
    state->size = x->dim[2] * x->dim[3];
    if (!err)
        err = host->kernel(host, globalpool_cl, "globalpool_backward", options,
                           &state->backward);
    return err;
}

static int globalpool_launch(const struct lam_layer *layer,
                             struct lam_kernel *kernel,
                             const struct lam_arg *args, int n_args)
{
    const struct globalpool_state *state = layer->state;
    const size_t local[3] = {state->lanes, 1, 1};
    const size_t global[3] = {state->planes * state->lanes, 1, 1};

    return layer->host->launch(layer->host, kernel, args, n_args, global,
                               local);
}

static int globalpool_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct globalpool_config *config = layer->config;
    const struct globalpool_state *state = layer->state;
    const struct lam_arg average[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_LONG(state->size),
    };
    const struct lam_arg maximum[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_TENSOR(io->training ? &io->aux[0] : NULL),
        LAM_ARG_LONG(state->size),
    };

    if (config->mode == MAXIMUM)
        return globalpool_launch(layer, state->run, maximum, 4);
    return globalpool_launch(layer, state->run, average, 3);
}

static int globalpool_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct globalpool_config *config = layer->config;
    const struct globalpool_state *state = layer->state;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(config->mode == MAXIMUM ? &io->aux[0] : NULL),
        LAM_ARG_TENSOR(&io->d_in[0]),
        LAM_ARG_LONG(state->size),
    };

    return globalpool_launch(layer, state->backward, args, 4);
}

static int globalpool_reference(const struct lam_layer *layer,
                                const struct lam_ref *ref)
{
    const struct globalpool_config *config = layer->config;
    const struct lam_shape *x = &ref->in_shape[0];
    const int64_t size = x->dim[2] * x->dim[3];

    for (int64_t plane = 0; plane < x->dim[0] * x->dim[1]; plane++) {
        const double *in = ref->in[0] + plane * size;
        double sum = 0.0, most = -INFINITY;

        for (int64_t i = 0; i < size; i++) {
            sum += in[i];
            most = in[i] > most || isnan(in[i]) ? in[i] : most;
        }
        ref->out[0][plane] =
            config->mode == MAXIMUM ? most : sum / (double)size;
    }
    return LAM_OK;
}

static const struct lam_sample globalpool_samples[] = {
    {.params = "",
     .inputs = "2x3x8x16",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR},
    {.params = "",
     .inputs = "1x2x64x128",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR},
    {.params = "", .inputs = "3x5x7x9", .flags = LAM_SAMPLE_LINEAR},
    {.params = "", .inputs = "1x2x71x59", .flags = LAM_SAMPLE_LINEAR},
    {.params = "", .inputs = "2x3x1x1", .flags = LAM_SAMPLE_LINEAR},
    {.params = "", .inputs = "2x2x5x5", .flags = LAM_SAMPLE_EVAL},
    {.params = "mode=max",
     .inputs = "3x5x7x9",
     .fill = "distinct",
     .flags = LAM_SAMPLE_EXACT},
    {.params = "mode=max",
     .inputs = "1x2x71x59",
     .fill = "distinct",
     .flags = LAM_SAMPLE_EXACT},
    {.params = "mode=max",
     .inputs = "2x3x1x1",
     .fill = "distinct",
     .flags = LAM_SAMPLE_EXACT},
    {.params = "mode=max",
     .inputs = "2x2x5x5",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "2x3", .error = "wanted 4: [N, C, H, W]"},
    {.params = "mode=mean", .inputs = "1x1x2x2", .error = "wanted one of"},
    {0}};

static const struct lam_layer_type globalpool = {
    .name = "globalpool",
    .summary = "the mean or the largest of each channel of each image",
    .params = globalpool_params,
    .config_size = sizeof(struct globalpool_config),
    .state_size = sizeof(struct globalpool_state),
    .min_in = 1,
    .max_in = 1,
    .shape = globalpool_shape,
    .prepare = globalpool_prepare,
    .run = globalpool_run,
    .backward = globalpool_backward,
    .reference = globalpool_reference,
    .samples = globalpool_samples,
};

static const struct lam_layer_type *const layers[] = {&globalpool, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "globalpool",
    .version = "0.1",
    .layers = layers,
};
