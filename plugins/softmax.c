// softmax: y[n,c,s] = exp(x[n,c,s]) / sum over k of exp(x[n,k,s]), s over all
// pixels; the largest x of a pixel is taken off first, so that exp cannot
// overflow.
//
// dx = y * (dy - sum over channels of y * dy) needs y alone.
#include "flat.h"

#include <math.h>

#include "softmax.cl.h"

struct softmax_state {
    struct lam_kernel *forward, *backward;
    int32_t C;
    int64_t S;
    size_t global[3], local[3];
};

static int softmax_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    if (shapes->in[0].rank < 2)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "an input of rank %d has no channels",
                                 shapes->in[0].rank);
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->backward_out = 1;
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE;
    return LAM_OK;
}

static int softmax_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_shape *x = &io->in[0].shape;
    const struct lam_host *host = layer->host;
    const bool is_cpu = host->device.kind == LAM_DEVICE_CPU;
    const char *options = is_cpu ? "-DT=16" : "-DT=1";
    const int64_t tile = is_cpu ? 16 : 1, group = 64;
    struct softmax_state *state = layer->state;
    int err = host->kernel(host, softmax_cl, "softmax_forward", options,
                           &state->forward);

    state->C = (int32_t)x->dim[1];
    state->S = lam_elements(x) / (x->dim[0] * x->dim[1]);
    state->global[0] = flat_round_up((state->S + tile - 1) / tile, group);
    state->global[1] = 1;
    state->global[2] = (size_t)x->dim[0];
    state->local[0] = (size_t)group;
    state->local[1] = state->local[2] = 1;
    if (!err)
        err = host->kernel(host, softmax_cl, "softmax_backward", options,
                           &state->backward);
    return err;
}

static int softmax_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct softmax_state *state = layer->state;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]), LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_INT(state->C), LAM_ARG_LONG(state->S)};

    return layer->host->launch(layer->host, state->forward, args, 4,
                               state->global, state->local);
}

static int softmax_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct softmax_state *state = layer->state;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->out[0]), LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]), LAM_ARG_INT(state->C),
        LAM_ARG_LONG(state->S)};

    return layer->host->launch(layer->host, state->backward, args, 5,
                               state->global, state->local);
}

static int softmax_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    const struct lam_shape *shape = &ref->in_shape[0];
    const int64_t N = shape->dim[0], C = shape->dim[1];
    const int64_t S = lam_elements(shape) / (N * C);

    (void)layer;
    for (int64_t n = 0; n < N; n++)
        for (int64_t s = 0; s < S; s++) {
            const double *x = ref->in[0] + n * C * S + s;
            double *y = ref->out[0] + n * C * S + s;
            double most = x[0], sum = 0.0;

            for (int64_t c = 1; c < C; c++)
                most = fmax(most, x[c * S]);
            for (int64_t c = 0; c < C; c++)
                sum += exp(x[c * S] - most);
            for (int64_t c = 0; c < C; c++)
                y[c * S] = exp(x[c * S] - most) / sum;
        }
    return LAM_OK;
}

// "distinct" holds numbers far apart, where all but one result vanish.
static const struct lam_sample softmax_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "", .inputs = "3x2x33x41"},
    {.params = "", .inputs = "1x2x4x4"},
    {.params = "", .inputs = "1x1x3x5"},
    {.params = "", .inputs = "5x10"},
    {.params = "", .inputs = "2x70x1x3"},
    {.params = "", .inputs = "1x5x17x19", .fill = "distinct"},
    {.params = "", .inputs = "1x2x3x3", .flags = LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "4", .error = "no channels"},
    {.params = "axis=1", .inputs = "1x2", .error = "it has none"},
    {0}};

static const struct lam_layer_type softmax = {
    .name = "softmax",
    .summary = "shares of the channels that sum to 1 at each pixel",
    .state_size = sizeof(struct softmax_state),
    .min_in = 1,
    .max_in = 1,
    .shape = softmax_shape,
    .prepare = softmax_prepare,
    .run = softmax_run,
    .backward = softmax_backward,
    .reference = softmax_reference,
    .samples = softmax_samples,
};

static const struct lam_layer_type *const layers[] = {&softmax, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "softmax",
    .version = "0.1",
    .layers = layers,
};
