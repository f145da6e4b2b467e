// relu, leaky_relu, elu, gelu, sigmoid, tanh: y = f(x), any shape.
//
// All but gelu have a gradient that follows from y alone, so that x need not be
// kept and they work in place.
#include "flat.h"

#include <math.h>
#include <stdio.h>

#include "activation.cl.h"

struct activation_config {
    double slope; // leaky_relu's slope, elu's alpha
    int32_t approximation;
};

struct activation_state {
    struct lam_kernel *forward, *backward;
};

static const char *const approximations[] = {"none", "tanh", NULL};

static const struct lam_param leaky_relu_params[] = {
    {"slope", LAM_PARAM_REAL, offsetof(struct activation_config, slope), "0.01",
     0, 1, NULL, "factor where x < 0", 0},
    {0}};

static const struct lam_param elu_params[] = {
    {"alpha", LAM_PARAM_REAL, offsetof(struct activation_config, slope), "1", 0,
     100, NULL, "limit -alpha for x to minus infinity", 0},
    {0}};

static const struct lam_param gelu_params[] = {
    {"approximation", LAM_PARAM_CHOICE,
     offsetof(struct activation_config, approximation), "none", 0, 0,
     approximations, "none: by erf; tanh: Hendrycks and Gimpel's formula", 0},
    {0}};

static const struct lam_layer_type relu, leaky_relu, elu, gelu, sigmoid,
    hyperbolic;

static int activation_shape(const struct lam_layer *layer,
                            struct lam_shapes *shapes)
{
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    if (layer->type == &gelu)
        shapes->backward_in = 1;
    else
        shapes->backward_out = 1;
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE | LAM_HALVES;
    shapes->pitched_in = shapes->pitched_out = 1;
    return LAM_OK;
}

// The kernel's F: one word per function.
static const char *options_of(const struct lam_layer *layer)
{
    const struct activation_config *config = layer->config;

    if (layer->type == &relu)
        return "-DF=RELU";
    if (layer->type == &leaky_relu)
        return "-DF=LEAKY";
    if (layer->type == &elu)
        return "-DF=ELU";
    if (layer->type == &sigmoid)
        return "-DF=SIGMOID";
    if (layer->type == &hyperbolic)
        return "-DF=TANH";
    return config->approximation ? "-DF=GELU_TANH" : "-DF=GELU";
}

static int activation_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct activation_state *state = layer->state;
    const struct lam_host *host = layer->host;
    char options[40];
    int err;

    snprintf(options, sizeof(options), "%s%s", options_of(layer),
             lam_halves(&io->in[0].shape));
    err = host->kernel(host, activation_cl, "activation_forward", options,
                       &state->forward);
    if (!err)
        err = host->kernel(host, activation_cl, "activation_backward", options,
                           &state->backward);
    return err;
}

static int activation_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct activation_config *config = layer->config;
    const struct activation_state *state = layer->state;
    const struct lam_tensor *x = &io->in[0], *y = &io->out[0];
    const struct flat cut =
        flat_cut_images(layer->host, &x->shape, x->pitch || y->pitch);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(x),          LAM_ARG_LONG(lam_step(x)),
        LAM_ARG_TENSOR(y),          LAM_ARG_LONG(lam_step(y)),
        LAM_ARG_LONG(cut.n),        LAM_ARG_INT(cut.chunk),
        LAM_ARG_REAL(config->slope)};

    return layer->host->launch(layer->host, state->forward, args, 7, cut.global,
                               cut.local);
}

static int activation_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct activation_config *config = layer->config;
    const struct activation_state *state = layer->state;
    const struct lam_tensor *seen =
        layer->type == &gelu ? &io->in[0] : &io->out[0];
    const struct lam_tensor *dy = &io->d_out[0], *dx = &io->d_in[0];
    const struct flat cut = flat_cut_images(
        layer->host, &dx->shape, seen->pitch || dy->pitch || dx->pitch);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(seen),       LAM_ARG_LONG(lam_step(seen)),
        LAM_ARG_TENSOR(dy),         LAM_ARG_LONG(lam_step(dy)),
        LAM_ARG_TENSOR(dx),         LAM_ARG_LONG(lam_step(dx)),
        LAM_ARG_LONG(cut.n),        LAM_ARG_INT(cut.chunk),
        LAM_ARG_REAL(config->slope)};

    return layer->host->launch(layer->host, state->backward, args, 9,
                               cut.global, cut.local);
}

static double value_of(const struct lam_layer *layer, double x)
{
    const struct activation_config *config = layer->config;
    const double pi = 3.14159265358979323846;

    if (layer->type == &relu)
        return x > 0 ? x : 0.0;
    if (layer->type == &leaky_relu)
        return x > 0 ? x : config->slope * x;
    if (layer->type == &elu)
        return x > 0 ? x : config->slope * expm1(x);
    if (layer->type == &sigmoid)
        return 1.0 / (1.0 + exp(-x));
    if (layer->type == &hyperbolic)
        return tanh(x);
    if (config->approximation)
        return 0.5 * x *
               (1.0 + tanh(sqrt(2.0 / pi) * (x + 0.044715 * x * x * x)));
    return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
}

static int activation_reference(const struct lam_layer *layer,
                                const struct lam_ref *ref)
{
    for (int64_t i = 0; i < lam_elements(&ref->in_shape[0]); i++)
        ref->out[0][i] = value_of(layer, ref->in[0][i]);
    return LAM_OK;
}

static const struct lam_sample relu_samples[] = {
    {.params = "",
     .inputs = "2x3x5x7",
     .fill = "away",
     .flags = LAM_SAMPLE_EXACT},
    {.params = "", .inputs = "1x1x65x130", .fill = "away"},
    {.params = "", .inputs = "1", .fill = "unit"},
    {.params = "",
     .inputs = "3x2x1x3",
     .fill = "away",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "slope=1", .inputs = "1x1x2x2", .error = "unknown parameter"},
    {.params = "",
     .inputs = "1x1x2x2 1x1x2x2",
     .error = "takes 1 input, found 2"},
    {0}};

static const struct lam_sample leaky_relu_samples[] = {
    {.params = "", .inputs = "2x3x5x7", .fill = "away"},
    {.params = "slope=0.5",
     .inputs = "1x2x33x31",
     .fill = "away",
     .flags = LAM_SAMPLE_EXACT},
    {.params = "slope=0", .inputs = "3x1x1x5", .fill = "away"},
    {.params = "slope=1",
     .inputs = "2x7",
     .fill = "away",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR},
    {.params = "slope=2", .inputs = "1x1x2x2", .error = "wanted 0 to 1"},
    {.params = "alpha=1", .inputs = "1x1x2x2", .error = "unknown parameter"},
    {0}};

static const struct lam_sample elu_samples[] = {
    {.params = "", .inputs = "2x3x5x7", .fill = "away"},
    {.params = "alpha=0.3", .inputs = "1x2x33x31", .fill = "away"},
    {.params = "alpha=0", .inputs = "3x1x2x2", .fill = "away"},
    {.params = "alpha=100",
     .inputs = "1x1x1x9",
     .fill = "away",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "alpha=-1", .inputs = "1x1x2x2", .error = "wanted 0 to 100"},
    {0}};

static const struct lam_sample gelu_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "", .inputs = "1x1x1x41", .fill = "distinct"},
    {.params = "approximation=tanh", .inputs = "1x2x33x31"},
    {.params = "approximation=tanh", .inputs = "3x1x1x41", .fill = "distinct"},
    {.params = "approximation=tan",
     .inputs = "1x1",
     .error = "did you mean 'tanh'"},
    {0}};

// "distinct" goes far out, where the functions are flat.
static const struct lam_sample smooth_samples[] = {
    {.params = "", .inputs = "2x3x5x7"},
    {.params = "", .inputs = "1x2x33x131"},
    {.params = "", .inputs = "1x1x1x333", .fill = "distinct"},
    {.params = "", .inputs = "1"},
    {.params = "", .inputs = "3x1", .flags = LAM_SAMPLE_EVAL},
    {.params = "slope=1", .inputs = "1x1", .error = "it has none"},
    {0}};

#define ACTIVATION(text, doc, parameters, cases)                               \
    {                                                                          \
        .name = text, .summary = doc, .params = parameters,                    \
        .config_size = sizeof(struct activation_config),                       \
        .state_size = sizeof(struct activation_state), .min_in = 1,            \
        .max_in = 1, .shape = activation_shape, .prepare = activation_prepare, \
        .run = activation_run, .backward = activation_backward,                \
        .reference = activation_reference, .samples = cases,                   \
    }

static const struct lam_layer_type relu =
    ACTIVATION("relu", "max(x, 0)", NULL, relu_samples);
static const struct lam_layer_type leaky_relu =
    ACTIVATION("leaky_relu", "x where x > 0, else slope * x", leaky_relu_params,
               leaky_relu_samples);
static const struct lam_layer_type elu = ACTIVATION(
    "elu", "x where x > 0, else alpha * (exp(x) - 1)", elu_params, elu_samples);
static const struct lam_layer_type gelu = ACTIVATION(
    "gelu", "x times the normal distribution at x", gelu_params, gelu_samples);
static const struct lam_layer_type sigmoid =
    ACTIVATION("sigmoid", "1 / (1 + exp(-x))", NULL, smooth_samples);
static const struct lam_layer_type hyperbolic =
    ACTIVATION("tanh", "hyperbolic tangent", NULL, smooth_samples);

static const struct lam_layer_type *const layers[] = {
    &relu, &leaky_relu, &elu, &gelu, &sigmoid, &hyperbolic, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "activation",
    .version = "0.1",
    .layers = layers,
};
