// batchnorm: y[n,c,i] = (x[n,c,i] - mean[c]) / sqrt(var[c] + epsilon) *
// weight[c] + bias[c], i over the pixels; x is [N, C, ...].
//
// Training takes mean and variance (divided by the count) from the batch and
// moves the running ones, the variance divided by the count less one; otherwise
// the running ones serve. Where ranks share statistics the batch is that of
// all, forward and backward. backward reads x and the two statistics of a
// channel, so x must be kept; y need not be, not even with `activation: relu`,
// which makes relu(y) in the same pass.
#include "lam/plugin.h"

#include <math.h>

#include "norm.h"

struct batchnorm_config {
    double momentum, epsilon;
    int32_t convention, affine, activation;
};

enum { PYTORCH, TENSORFLOW };
enum { NONE, RELU };

static const char *const activations[] = {"none", "relu", NULL};

static const char *const conventions[] = {"pytorch", "tf", NULL};

static const struct lam_param batchnorm_params[] = {
    {"momentum", LAM_PARAM_REAL, offsetof(struct batchnorm_config, momentum),
     "0.1", 0, 1, NULL,
     "how fast running statistics move, in the sense of `convention`", 0},
    {"epsilon", LAM_PARAM_REAL, offsetof(struct batchnorm_config, epsilon),
     "1e-5", 0, 1, NULL, "added to the variance", 0},
    {"convention", LAM_PARAM_CHOICE,
     offsetof(struct batchnorm_config, convention), "pytorch", 0, 0,
     conventions,
     "pytorch: running = (1 - momentum) * running + momentum * batch; tf: the "
     "two factors swapped",
     0},
    {"affine", LAM_PARAM_BOOL, offsetof(struct batchnorm_config, affine),
     "true", 0, 0, NULL, "with weight and bias", 0},
    {"activation", LAM_PARAM_CHOICE,
     offsetof(struct batchnorm_config, activation), "none", 0, 0, activations,
     "none or relu, of the result; a relu behind is taken in by itself", 0},
    {0}};

// The part of the running statistics that stays.
static double kept(const struct batchnorm_config *config)
{
    return config->convention == TENSORFLOW ? config->momentum
                                            : 1.0 - config->momentum;
}

static int batchnorm_shape(const struct lam_layer *layer,
                           struct lam_shapes *shapes)
{
    const struct batchnorm_config *config = layer->config;
    const struct lam_shape *x = &shapes->in[0];
    struct norm n;

    if (x->rank < 2)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "batchnorm wants [N, C, ...], found rank %d",
                                 (int)x->rank);
    n = norm_of(layer, x, 0, shapes->training);
    if (shapes->training && n.planes * n.size == 1)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "batchnorm cannot train on one value per "
                                 "channel: it has no variance; wanted a "
                                 "larger batch or image");
    norm_shape(&n, shapes);
    shapes->flags |= LAM_SHARES;
    if (config->affine) {
        norm_weight(shapes, "weight", LAM_INIT_ONES);
        norm_weight(shapes, "bias", LAM_INIT_ZEROS);
    }
    norm_weight(shapes, "running_mean", LAM_INIT_ZEROS);
    norm_weight(shapes, "running_var", LAM_INIT_ONES);
    for (int i = shapes->n_weight - 2; i < shapes->n_weight; i++) {
        shapes->weight[i].is_state = 1;
        shapes->weight[i].keep = (float)kept(config);
    }
    return LAM_OK;
}

static int batchnorm_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct batchnorm_config *config = layer->config;
    struct norm *n = layer->state;

    *n = norm_of(layer, &io->in[0].shape, 0, io->training);
    n->has_relu = config->activation == RELU;
    return norm_prepare(layer, n);
}

static int batchnorm_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct batchnorm_config *config = layer->config;
    const struct norm *n = layer->state;
    const struct lam_tensor *running = &io->weight[config->affine ? 2 : 0];
    const struct norm_terms terms = {
        .weight = config->affine ? &io->weight[0] : NULL,
        .bias = config->affine ? &io->weight[1] : NULL,
        .running_mean = &running[0],
        .running_var = &running[1],
        .epsilon = config->epsilon,
        .keep = io->observe ? 0.0 : kept(config)};

    if (io->training)
        return norm_run(layer, n, io, &terms);
    return norm_apply(layer, n, io, &terms, &running[0], 0, &running[1], 0,
                      true);
}

static int batchnorm_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct batchnorm_config *config = layer->config;

    return norm_backward(layer, layer->state, io,
                         config->affine ? &io->weight[0] : NULL,
                         config->affine ? &io->weight[1] : NULL);
}

static int batchnorm_reference(const struct lam_layer *layer,
                               const struct lam_ref *ref)
{
    const struct batchnorm_config *config = layer->config;
    const int64_t N = ref->in_shape[0].dim[0], C = ref->in_shape[0].dim[1];
    const double keep = kept(config);
    double *const *running = ref->weight + (config->affine ? 2 : 0);
    int64_t M = 1;

    for (int i = 2; i < ref->in_shape[0].rank; i++)
        M *= ref->in_shape[0].dim[i];
    for (int64_t c = 0; c < C; c++) {
        const double w = config->affine ? ref->weight[0][c] : 1.0;
        const double b = config->affine ? ref->weight[1][c] : 0.0;
        double mean = 0.0, var = 0.0;

        for (int64_t j = 0; j < N * M; j++)
            mean += ref->in[0][(j / M * C + c) * M + j % M];
        mean /= (double)(N * M);
        for (int64_t j = 0; j < N * M; j++)
            var += pow(ref->in[0][(j / M * C + c) * M + j % M] - mean, 2.0);
        if (ref->training) {
            running[0][c] = keep * running[0][c] + (1.0 - keep) * mean;
            running[1][c] =
                keep * running[1][c] + (1.0 - keep) * var / (double)(N * M - 1);
            var /= (double)(N * M);
        } else {
            mean = running[0][c];
            var = running[1][c];
        }
        for (int64_t j = 0; j < N * M; j++) {
            const int64_t at = (j / M * C + c) * M + j % M;

            double y =
                (ref->in[0][at] - mean) / sqrt(var + config->epsilon) * w + b;

            if (config->activation == RELU && y < 0.0)
                y = 0.0;
            ref->out[0][at] = y;
        }
    }
    return LAM_OK;
}

static const struct lam_sample batchnorm_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "", .inputs = "3x2x71x59"},
    {.params = "", .inputs = "1x1x64x64"},
    {.params = "", .inputs = "1x40x3x1"},
    {.params = "", .inputs = "7x5"},
    {.params = "", .inputs = "2x1"},
    {.params = "", .inputs = "2x3x2x3x3"},
    {.params = "momentum=0", .inputs = "2x3x4x4"},
    {.params = "momentum=1", .inputs = "2x3x4x4"},
    {.params = "convention=tf momentum=0.99", .inputs = "3x2x9x2"},
    {.params = "convention=tf momentum=0.9 affine=false", .inputs = "3x4x33x1"},
    {.params = "affine=false epsilon=0.5", .inputs = "1x3x17x16"},
    {.params = "activation=relu", .inputs = "2x3x5x7"},
    {.params = "activation=relu affine=false", .inputs = "3x2x71x59"},
    {.params = "", .inputs = "2x3x5x7", .flags = LAM_SAMPLE_EVAL},
    {.params = "activation=relu",
     .inputs = "2x3x5x17",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "affine=false epsilon=1e-3",
     .inputs = "1x2x71x59",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "1x1", .flags = LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "1x8x1x1", .error = "larger batch or image"},
    {.params = "", .inputs = "5", .error = "found rank 1"},
    {.params = "momentum=1.5", .inputs = "2x3x5x7", .error = "wanted 0 to 1"},
    {.params = "convention=torch",
     .inputs = "2x3x5x7",
     .error = "wanted one of pytorch, tf"},
    {0}};

static const struct lam_layer_type batchnorm = {
    .name = "batchnorm",
    .summary = "each channel to mean 0 and variance 1 over the batch, times "
               "weight, plus bias",
    .params = batchnorm_params,
    .config_size = sizeof(struct batchnorm_config),
    .state_size = sizeof(struct norm),
    .min_in = 1,
    .max_in = 1,
    .shape = batchnorm_shape,
    .prepare = batchnorm_prepare,
    .run = batchnorm_run,
    .backward = batchnorm_backward,
    .reference = batchnorm_reference,
    .samples = batchnorm_samples,
};

static const struct lam_layer_type *const layers[] = {&batchnorm, NULL};

static const struct lam_fusion fusions[] = {
    {.first = "batchnorm",
     .second = "relu",
     .into = "batchnorm",
     .kept = 0,
     .in_training = 1,
     .needs = "activation=none",
     .adds = "activation=relu",
     .summary = "a pass forward and one backward"},
    {0}};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "batchnorm",
    .version = "0.1",
    .layers = layers,
    .fusions = fusions,
};
