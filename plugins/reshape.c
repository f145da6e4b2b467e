// flatten: [N, ...] to [N, the product of the rest].
// reshape: the same elements in the same order under another shape.
//
// Nothing is computed: where the core gives one buffer for both, nothing is
// done, else a copy.
#include "lam/plugin.h"

struct reshape_config {
    struct lam_list shape;
};

static const struct lam_param reshape_params[] = {
    {"shape", LAM_PARAM_LIST, offsetof(struct reshape_config, shape), NULL, -1,
     INT32_MAX, NULL,
     "all dimensions, N first; 0: as the input's; -1 (once): what is left", 0},
    {0}};

static void shapes_fill(struct lam_shapes *shapes)
{
    shapes->n_out = 1;
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE | LAM_HALVES;
}

static int flatten_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    const struct lam_shape *in = &shapes->in[0];
    const int64_t N = in->dim[0];

    (void)layer;
    shapes_fill(shapes);
    shapes->out[0] = (struct lam_shape){
        .dtype = in->dtype, .rank = 2, .dim = {N, lam_elements(in) / N}};
    return LAM_OK;
}

static int reshape_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    const struct reshape_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const struct lam_shape *in = &shapes->in[0];
    const int64_t n = lam_elements(in);
    struct lam_shape *out = &shapes->out[0];
    int64_t known = 1;
    int open = -1;

    if (config->shape.n < 1 || config->shape.n > LAM_MAX_RANK)
        return host->fail(host, LAM_EMODEL,
                          "shape has %d dimensions, wanted 1 to %d",
                          config->shape.n, LAM_MAX_RANK);
    shapes_fill(shapes);
    *out = (struct lam_shape){.dtype = in->dtype, .rank = config->shape.n};
    for (int d = 0; d < out->rank; d++) {
        out->dim[d] = config->shape.v[d];
        if (out->dim[d] == -1 && open >= 0)
            return host->fail(host, LAM_EMODEL,
                              "shape has more than one -1, in dimensions %d "
                              "and %d",
                              open, d);
        if (out->dim[d] == -1) {
            open = d;
            continue;
        }
        if (out->dim[d] == 0 && d >= in->rank)
            return host->fail(host, LAM_ESHAPE,
                              "shape copies dimension %d, but the input has "
                              "%d",
                              d, in->rank);
        if (out->dim[d] == 0)
            out->dim[d] = in->dim[d];
        if (out->dim[d] > n / known)
            return host->fail(host, LAM_ESHAPE,
                              "shape has more elements than the input's %lld",
                              (long long)n);
        known *= out->dim[d];
    }
    if (open >= 0)
        out->dim[open] = n / known;
    if (open >= 0 ? n % known != 0 : known != n)
        return host->fail(host, LAM_ESHAPE,
                          "the input's %lld elements do not fill a shape of "
                          "%s%lld",
                          (long long)n, open >= 0 ? "a multiple of " : "",
                          (long long)known);
    return LAM_OK;
}

static int move(struct lam_layer *layer, const struct lam_tensor *dst,
                const struct lam_tensor *src)
{
    return dst->buffer == src->buffer
               ? LAM_OK
               : layer->host->copy(layer->host, dst, src);
}

static int reshape_run(struct lam_layer *layer, const struct lam_io *io)
{
    return move(layer, &io->out[0], &io->in[0]);
}

static int reshape_backward(struct lam_layer *layer, const struct lam_io *io)
{
    return move(layer, &io->d_in[0], &io->d_out[0]);
}

static int reshape_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    (void)layer;
    for (int64_t i = 0; i < lam_elements(&ref->in_shape[0]); i++)
        ref->out[0][i] = ref->in[0][i];
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample flatten_samples[] = {
    {.params = "", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "", .inputs = "3x4", .flags = BOTH},
    {.params = "", .inputs = "3", .flags = BOTH},
    {.params = "", .inputs = "1x1x1x1x1x2", .fill = "away", .flags = BOTH},
    {.params = "",
     .inputs = "1x2x3",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "axis=1", .inputs = "1x2x3", .error = "it has none"},
    {0}};

static const struct lam_sample reshape_samples[] = {
    {.params = "shape=0,-1", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "shape=0,3,7,5", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "shape=0,0,-1,1", .inputs = "3x2x4x5", .flags = BOTH},
    {.params = "shape=-1", .inputs = "1x1", .fill = "away", .flags = BOTH},
    {.params = "shape=-1,0", .inputs = "6x4", .flags = BOTH},
    {.params = "shape=6,1,2,1,2,1", .inputs = "4x6", .flags = BOTH},
    {.params = "shape=4,2",
     .inputs = "1x8",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "1x8", .error = "'shape' is missing"},
    {.params = "shape=-1,-1", .inputs = "1x8", .error = "more than one -1"},
    {.params = "shape=3,-1",
     .inputs = "1x8",
     .error = "8 elements do not fill a shape of a multiple of 3"},
    {.params = "shape=7",
     .inputs = "1x8",
     .error = "8 elements do not fill a shape of 7"},
    {.params = "shape=9", .inputs = "1x8", .error = "more elements"},
    {.params = "shape=2000000000,2000000000,2000000000",
     .inputs = "1x8",
     .error = "more elements"},
    {.params = "shape=1,8,0", .inputs = "1x8", .error = "copies dimension 2"},
    {.params = "shape=1,1,1,1,1,1,8",
     .inputs = "1x8",
     .error = "7 dimensions, wanted 1 to 6"},
    {.params = "shape=-2", .inputs = "1x8", .error = "shape is -2, wanted -1"},
    {0}};

static const struct lam_layer_type flatten = {
    .name = "flatten",
    .summary = "each image as one row of numbers",
    .min_in = 1,
    .max_in = 1,
    .shape = flatten_shape,
    .run = reshape_run,
    .backward = reshape_backward,
    .reference = reshape_reference,
    .samples = flatten_samples,
};

static const struct lam_layer_type reshape = {
    .name = "reshape",
    .summary = "the same elements in the same order under another shape",
    .params = reshape_params,
    .config_size = sizeof(struct reshape_config),
    .min_in = 1,
    .max_in = 1,
    .shape = reshape_shape,
    .run = reshape_run,
    .backward = reshape_backward,
    .reference = reshape_reference,
    .samples = reshape_samples,
};

static const struct lam_layer_type *const layers[] = {&flatten, &reshape, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "reshape",
    .version = "0.1",
    .layers = layers,
};
