// dropout: in training y = x / (1 - p) where a random number is at least p,
// else 0; otherwise y = x.
//
// The number is a hash of the step's seed and the element's place, in whole
// numbers, so backward finds the same mask again and keeps none.
#include "flat.h"

#include <math.h>

#include "dropout.cl.h"

struct dropout_config {
    double p;
};

struct dropout_state {
    struct lam_kernel *kernel;
};

static const struct lam_param dropout_params[] = {
    {"p", LAM_PARAM_REAL, offsetof(struct dropout_config, p), "0.5", 0, 1, NULL,
     "share of elements dropped, below 1", 0},
    {0}};

static int dropout_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    const struct dropout_config *config = layer->config;

    if (config->p >= 1.0)
        return layer->host->fail(layer->host, LAM_EMODEL,
                                 "p is 1, which drops everything; wanted less");
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE | LAM_HALVES;
    return LAM_OK;
}

static int dropout_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct dropout_state *state = layer->state;

    return layer->host->kernel(layer->host, dropout_cl, "dropout",
                               lam_halves(&io->in[0].shape), &state->kernel);
}

// A hash of 32 bits is kept from here on.
static int64_t limit_of(double p)
{
    return (int64_t)ceil(p * 0x1p32);
}

// x is dropped from alike in both directions.
static int dropout_apply(struct lam_layer *layer, const struct lam_io *io,
                         const struct lam_tensor *x, const struct lam_tensor *y)
{
    const struct dropout_config *config = layer->config;
    const struct dropout_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const struct flat cut = flat_cut(host, lam_elements(&x->shape));
    const struct lam_arg args[] = {LAM_ARG_TENSOR(x),
                                   LAM_ARG_TENSOR(y),
                                   LAM_ARG_LONG((int64_t)io->seed),
                                   LAM_ARG_LONG(limit_of(config->p)),
                                   LAM_ARG_REAL(1.0 / (1.0 - config->p)),
                                   LAM_ARG_LONG(cut.n),
                                   LAM_ARG_INT(cut.chunk)};

    if (io->training && config->p > 0.0)
        return host->launch(host, state->kernel, args, 7, cut.global,
                            cut.local);
    return x->buffer == y->buffer ? LAM_OK : host->copy(host, y, x);
}

static int dropout_run(struct lam_layer *layer, const struct lam_io *io)
{
    return dropout_apply(layer, io, &io->in[0], &io->out[0]);
}

static int dropout_backward(struct lam_layer *layer, const struct lam_io *io)
{
    return dropout_apply(layer, io, &io->d_out[0], &io->d_in[0]);
}

// splitmix64's mixing function (Steele, Lea, Flood 2014).
static uint64_t bits_of(uint64_t seed, uint64_t index)
{
    uint64_t z = seed + (index + 1) * UINT64_C(0x9E3779B97F4A7C15);

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static int dropout_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    const struct dropout_config *config = layer->config;

    for (int64_t i = 0; i < lam_elements(&ref->in_shape[0]); i++) {
        const uint64_t bits = bits_of(ref->seed, (uint64_t)i) >> 32;
        const bool is_kept = (double)bits >= config->p * 0x1p32;

        ref->out[0][i] = !ref->training ? ref->in[0][i]
                         : is_kept      ? ref->in[0][i] / (1.0 - config->p)
                                        : 0.0;
    }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

// 1 / (1 - p) is a whole number where a sample is exact.
static const struct lam_sample dropout_samples[] = {
    {.params = "", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "p=0.75", .inputs = "1x2x33x131", .flags = BOTH},
    {.params = "p=0", .inputs = "3x1x5x7", .flags = BOTH},
    {.params = "p=0.1", .inputs = "3x4x9x11", .flags = LAM_SAMPLE_LINEAR},
    {.params = "p=0.99", .inputs = "1x3x65x67", .flags = LAM_SAMPLE_LINEAR},
    {.params = "p=0.01", .inputs = "7", .flags = LAM_SAMPLE_LINEAR},
    {.params = "p=0.9",
     .inputs = "2x3x5x7",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "p=1", .inputs = "2x3", .error = "drops everything"},
    {.params = "p=-0.1", .inputs = "2x3", .error = "wanted 0 to 1"},
    {.params = "rate=0.5", .inputs = "2x3", .error = "unknown parameter"},
    {0}};

static const struct lam_layer_type dropout = {
    .name = "dropout",
    .summary = "in training drops a share of the elements at random",
    .params = dropout_params,
    .config_size = sizeof(struct dropout_config),
    .state_size = sizeof(struct dropout_state),
    .min_in = 1,
    .max_in = 1,
    .shape = dropout_shape,
    .prepare = dropout_prepare,
    .run = dropout_run,
    .backward = dropout_backward,
    .reference = dropout_reference,
    .samples = dropout_samples,
};

static const struct lam_layer_type *const layers[] = {&dropout, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "dropout",
    .version = "0.1",
    .layers = layers,
};
