// @name@: y = x / (1 + |x / width|), elementwise; never beyond +-width.
//
// A layer to start from: change this formula, and with it the kernels in
// @name@.cl, the reference and the samples below. `lamina plugin check` tells
// what does not fit together. All that can be used is in lam/plugin.h.
#include <lam/plugin.h>
#include <math.h>

#include "@name@.cl.h"

// What a model file sets: {name: a, type: @name@, width: 2}.
struct @name@_config {
    double width;
};

// What prepare keeps for run and backward.
struct @name@_state {
    struct lam_kernel *forward, *backward;
};

static const struct lam_param @name@_params[] = {
    {.name = "width",
     .kind = LAM_PARAM_REAL,
     .offset = offsetof(struct @name@_config, width),
     .def = "1",
     .min = 0.001,
     .max = 1000,
     .doc = "where the curve flattens"},
    {0}};

// Pure: from the shapes that come in to those that go out. No device here.
static int @name@_shape(const struct lam_layer *layer,
                        struct lam_shapes *shapes)
{
    (void)layer;
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->backward_in = 1; // backward reads x, so it is kept; not y
    return LAM_OK;
}

static int @name@_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct @name@_state *state = layer->state;
    const struct lam_host *host = layer->host;
    int err;

    (void)io;
    err = host->kernel(host, @name@_cl, "@name@_forward", NULL,
                       &state->forward);
    if (!err)
        err = host->kernel(host, @name@_cl, "@name@_backward", NULL,
                           &state->backward);
    return err;
}

// One work-item an element, in groups of 64; the kernels check their ids.
static void @name@_cut(int64_t n, size_t global[3], size_t local[3])
{
    global[0] = ((size_t)n + 63) / 64 * 64;
    local[0] = 64;
    global[1] = global[2] = local[1] = local[2] = 1;
}

static int @name@_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct @name@_config *config = layer->config;
    const struct @name@_state *state = layer->state;
    const int64_t n = lam_elements(&io->in[0].shape);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]), LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_LONG(n), LAM_ARG_REAL(config->width)};
    size_t global[3], local[3];

    @name@_cut(n, global, local);
    return layer->host->launch(layer->host, state->forward, args, 4, global,
                               local);
}

static int @name@_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct @name@_config *config = layer->config;
    const struct @name@_state *state = layer->state;
    const int64_t n = lam_elements(&io->in[0].shape);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]), LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]), LAM_ARG_LONG(n),
        LAM_ARG_REAL(config->width)};
    size_t global[3], local[3];

    @name@_cut(n, global, local);
    return layer->host->launch(layer->host, state->backward, args, 5, global,
                               local);
}

// The proof: the same in doubles, written from the formula and not from the
// kernel. Its differences are also what the gradients are checked against.
static int @name@_reference(const struct lam_layer *layer,
                            const struct lam_ref *ref)
{
    const struct @name@_config *config = layer->config;

    for (int64_t i = 0; i < lam_elements(&ref->in_shape[0]); i++) {
        const double x = ref->in[0][i];

        ref->out[0][i] = x / (1 + fabs(x / config->width));
    }
    return LAM_OK;
}

// Odd sizes, size 1, each parameter away from its default, and what must be
// refused with which words.
static const struct lam_sample @name@_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "width=0.5", .inputs = "1x1x65x3"},
    {.params = "width=10", .inputs = "1"},
    {.params = "", .inputs = "3x2x1x3", .flags = LAM_SAMPLE_EVAL},
    {.params = "width=0", .inputs = "1x1x2x2", .error = "wanted 0.001 to"},
    {.params = "wide=1", .inputs = "1x1x2x2", .error = "unknown parameter"},
    {0}};

static const struct lam_layer_type @name@ = {
    .name = "@name@",
    .summary = "x / (1 + |x / width|)",
    .params = @name@_params,
    .config_size = sizeof(struct @name@_config),
    .state_size = sizeof(struct @name@_state),
    .min_in = 1,
    .max_in = 1,
    .shape = @name@_shape,
    .prepare = @name@_prepare,
    .run = @name@_run,
    .backward = @name@_backward,
    .reference = @name@_reference,
    .samples = @name@_samples,
};

static const struct lam_layer_type *const layers[] = {&@name@, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "@name@",
    .version = "0.1",
    .layers = layers,
};
