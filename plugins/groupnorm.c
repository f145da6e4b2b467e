// groupnorm, instancenorm: y[n,c,i] = (x[n,c,i] - mean) / sqrt(var + epsilon) *
// weight[c] + bias[c], i over the pixels; x is [N, C, ...]. Mean and variance
// (divided by the count) are of the C / groups channels of image n that c is
// among, or of channel c of image n alone. groups 1 is layer normalisation.
//
// The same in training and evaluation. backward reads x and the two statistics
// of each group, so x must be kept; y need not be.
#include "lam/plugin.h"

#include <math.h>

#include "norm.h"

struct groupnorm_config {
    double epsilon;
    int32_t groups, affine; // groups 0: as many as channels
};

static const struct lam_param groupnorm_params[] = {
    {"groups", LAM_PARAM_INT, offsetof(struct groupnorm_config, groups), "32",
     1, 65536, NULL, "groups the channels are cut into", 0},
    {"epsilon", LAM_PARAM_REAL, offsetof(struct groupnorm_config, epsilon),
     "1e-5", 0, 1, NULL, "added to the variance", 0},
    {"affine", LAM_PARAM_BOOL, offsetof(struct groupnorm_config, affine),
     "true", 0, 0, NULL, "with weight and bias", 0},
    {0}};

static const struct lam_param instancenorm_params[] = {
    {"epsilon", LAM_PARAM_REAL, offsetof(struct groupnorm_config, epsilon),
     "1e-5", 0, 1, NULL, "added to the variance", 0},
    {"affine", LAM_PARAM_BOOL, offsetof(struct groupnorm_config, affine),
     "true", 0, 0, NULL, "with weight and bias", 0},
    {0}};

static int32_t groups_of(const struct lam_layer *layer,
                         const struct lam_shape *x)
{
    const struct groupnorm_config *config = layer->config;

    return config->groups ? config->groups : (int32_t)x->dim[1];
}

static int groupnorm_shape(const struct lam_layer *layer,
                           struct lam_shapes *shapes)
{
    const struct groupnorm_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const struct lam_shape *x = &shapes->in[0];
    struct norm n;

    if (x->rank < 2)
        return host->fail(host, LAM_ESHAPE,
                          "%s wants [N, C, ...], found rank %d",
                          layer->type->name, (int)x->rank);
    if (x->dim[1] % groups_of(layer, x))
        return host->fail(host, LAM_ESHAPE,
                          "groups %d does not divide %lld channels",
                          (int)config->groups, (long long)x->dim[1]);
    n = norm_of(layer, x, groups_of(layer, x), false);
    if (n.planes * n.size == 1)
        return host->fail(host, LAM_ESHAPE,
                          "%s cannot work on one value per group: it has no "
                          "variance; wanted a larger image or fewer groups",
                          layer->type->name);
    norm_shape(&n, shapes);
    if (config->affine) {
        norm_weight(shapes, "weight", LAM_INIT_ONES);
        norm_weight(shapes, "bias", LAM_INIT_ZEROS);
    }
    return LAM_OK;
}

static int groupnorm_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct norm *n = layer->state;

    *n = norm_of(layer, &io->in[0].shape, groups_of(layer, &io->in[0].shape),
                 false);
    return norm_prepare(layer, n);
}

static int groupnorm_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct groupnorm_config *config = layer->config;
    const struct norm_terms terms = {
        .weight = config->affine ? &io->weight[0] : NULL,
        .bias = config->affine ? &io->weight[1] : NULL,
        .epsilon = config->epsilon};

    return norm_run(layer, layer->state, io, &terms);
}

static int groupnorm_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct groupnorm_config *config = layer->config;

    return norm_backward(layer, layer->state, io,
                         config->affine ? &io->weight[0] : NULL,
                         config->affine ? &io->weight[1] : NULL);
}

static int groupnorm_reference(const struct lam_layer *layer,
                               const struct lam_ref *ref)
{
    const struct groupnorm_config *config = layer->config;
    const int64_t N = ref->in_shape[0].dim[0], C = ref->in_shape[0].dim[1];
    const int64_t G = groups_of(layer, &ref->in_shape[0]);
    int64_t M = 1, size;

    for (int i = 2; i < ref->in_shape[0].rank; i++)
        M *= ref->in_shape[0].dim[i];
    size = C / G * M;
    for (int64_t g = 0; g < N * G; g++) {
        const double *x = ref->in[0] + g * size;
        double *y = ref->out[0] + g * size;
        double mean = 0.0, var = 0.0;

        for (int64_t i = 0; i < size; i++)
            mean += x[i] / (double)size;
        for (int64_t i = 0; i < size; i++)
            var += pow(x[i] - mean, 2.0) / (double)size;
        for (int64_t i = 0; i < size; i++) {
            const int64_t c = g % G * (C / G) + i / M;

            y[i] = (x[i] - mean) / sqrt(var + config->epsilon);
            if (config->affine)
                y[i] = y[i] * ref->weight[0][c] + ref->weight[1][c];
        }
    }
    return LAM_OK;
}

static const struct lam_sample groupnorm_samples[] = {
    {.params = "groups=2", .inputs = "2x4x5x7"},
    {.params = "groups=1", .inputs = "3x3x5x3"},
    {.params = "groups=3", .inputs = "1x3x71x59"},
    {.params = "groups=2", .inputs = "3x6x64x65"},
    {.params = "", .inputs = "1x64x3x2"},
    {.params = "groups=2", .inputs = "3x6"},
    {.params = "groups=1", .inputs = "1x2"},
    {.params = "groups=2 affine=false epsilon=0.1", .inputs = "2x4x4x4"},
    {.params = "groups=4", .inputs = "2x8x3x3x2"},
    {.params = "groups=2", .inputs = "2x4x9x7", .flags = LAM_SAMPLE_EVAL},
    {.params = "groups=3",
     .inputs = "1x8x4x4",
     .error = "groups 3 does not divide 8 channels"},
    {.params = "groups=0", .inputs = "1x8x4x4", .error = "wanted 1 to"},
    {.params = "groups=4", .inputs = "2x4x1x1", .error = "fewer groups"},
    {.params = "", .inputs = "7", .error = "found rank 1"},
    {0}};

static const struct lam_sample instancenorm_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "", .inputs = "1x2x71x59"},
    {.params = "", .inputs = "3x1x1x2"},
    {.params = "affine=false epsilon=0.1", .inputs = "2x3x4x4"},
    {.params = "", .inputs = "2x3x5x7", .flags = LAM_SAMPLE_EVAL},
    {.params = "groups=2", .inputs = "2x4x5x7", .error = "unknown parameter"},
    {.params = "", .inputs = "2x4x1x1", .error = "one value per group"},
    {0}};

#define NORM(text, doc, parameters, cases)                                     \
    {                                                                          \
        .name = text, .summary = doc, .params = parameters,                    \
        .config_size = sizeof(struct groupnorm_config),                        \
        .state_size = sizeof(struct norm), .min_in = 1, .max_in = 1,           \
        .shape = groupnorm_shape, .prepare = groupnorm_prepare,                \
        .run = groupnorm_run, .backward = groupnorm_backward,                  \
        .reference = groupnorm_reference, .samples = cases,                    \
    }

static const struct lam_layer_type groupnorm = NORM(
    "groupnorm",
    "groups of channels of each image to mean 0 and variance 1, times weight, "
    "plus bias; groups 1 is layer normalisation",
    groupnorm_params, groupnorm_samples);
static const struct lam_layer_type instancenorm =
    NORM("instancenorm",
         "each channel of each image to mean 0 and variance 1, times weight, "
         "plus bias",
         instancenorm_params, instancenorm_samples);

static const struct lam_layer_type *const layers[] = {&groupnorm, &instancenorm,
                                                      NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "groupnorm",
    .version = "0.1",
    .layers = layers,
};
