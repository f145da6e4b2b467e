// cast: y = x in another type, halves (binary16) or the run's real; any shape.
//
// A half is the nearest, ties to even; beyond 65504 it is infinite, so that a
// step whose gradients are too large can be told. Gradients are cast back. The
// core puts it where a run keeps its images as halves; in a model it rounds.
#include "flat.h"

#include <math.h>

#include "cast.cl.h"

struct cast_config {
    int32_t to;
};

struct cast_state {
    struct lam_kernel *narrow, *widen;
};

enum { TO_FLOAT, TO_HALF };

static const char *const types[] = {"float", "half", NULL};

static const struct lam_param cast_params[] = {
    {"to", LAM_PARAM_CHOICE, offsetof(struct cast_config, to), NULL, 0, 0,
     types, "float or half", 0},
    {0}};

static int cast_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    const struct cast_config *config = layer->config;

    if (shapes->in[0].dtype == LAM_I32)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "indices cannot be cast");
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->out[0].dtype = config->to == TO_HALF ? LAM_F16 : layer->host->real;
    return LAM_OK;
}

static int cast_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct cast_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const int err =
        host->kernel(host, cast_cl, "halves_narrow", NULL, &state->narrow);

    (void)io;
    return err ? err
               : host->kernel(host, cast_cl, "halves_widen", NULL,
                              &state->widen);
}

static int cast_move(const struct lam_layer *layer, const struct lam_tensor *y,
                     const struct lam_tensor *x)
{
    const struct cast_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const bool narrows = y->shape.dtype == LAM_F16;
    const struct flat cut = flat_cut(host, lam_elements(&x->shape));
    struct lam_arg args[5] = {LAM_ARG_TENSOR(y), LAM_ARG_TENSOR(x)};
    int n = 2;

    if (y->shape.dtype == x->shape.dtype)
        return host->copy(host, y, x);
    if (narrows)
        args[n++] = (struct lam_arg)LAM_ARG_REAL(INFINITY);
    args[n++] = (struct lam_arg)LAM_ARG_LONG(cut.n);
    args[n++] = (struct lam_arg)LAM_ARG_INT(cut.chunk);
    return host->launch(host, narrows ? state->narrow : state->widen, args, n,
                        cut.global, cut.local);
}

static int cast_run(struct lam_layer *layer, const struct lam_io *io)
{
    return cast_move(layer, &io->out[0], &io->in[0]);
}

static int cast_backward(struct lam_layer *layer, const struct lam_io *io)
{
    return cast_move(layer, &io->d_in[0], &io->d_out[0]);
}

// To the nearest number of 11 digits of base two, or multiple of 2^-24.
static double to_half(double x)
{
    const int exponent = ilogb(x) < -14 ? -14 : ilogb(x);
    const double y =
        x == 0.0 || !isfinite(x)
            ? x
            : ldexp(nearbyint(ldexp(x, 10 - exponent)), exponent - 10);

    return fabs(y) > 65504.0 ? copysign(INFINITY, y) : y;
}

static int cast_reference(const struct lam_layer *layer,
                          const struct lam_ref *ref)
{
    const struct cast_config *config = layer->config;

    for (int64_t i = 0; i < lam_elements(&ref->in_shape[0]); i++)
        ref->out[0][i] =
            config->to == TO_HALF ? to_half(ref->in[0][i]) : ref->in[0][i];
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample cast_samples[] = {
    {.params = "to=half", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "to=half", .inputs = "3x1x33x131", .flags = BOTH},
    {.params = "to=half",
     .inputs = "1x200001",
     .fill = "distinct",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "to=half",
     .inputs = "2x1777",
     .fill = "distinct",
     .flags = LAM_SAMPLE_NO_GRAD},
    {.params = "to=float", .inputs = "7", .flags = BOTH},
    {.params = "", .inputs = "2x3", .error = "to"},
    {.params = "to=double", .inputs = "2x3", .error = "half"},
    {.params = "to=half",
     .inputs = "2x3",
     .fill = "indices:3",
     .error = "indices cannot be cast"},
    {0}};

static const struct lam_layer_type cast = {
    .name = "cast",
    .summary = "the same numbers as halves or floats",
    .params = cast_params,
    .config_size = sizeof(struct cast_config),
    .state_size = sizeof(struct cast_state),
    .min_in = 1,
    .max_in = 1,
    .shape = cast_shape,
    .prepare = cast_prepare,
    .run = cast_run,
    .backward = cast_backward,
    .reference = cast_reference,
    .samples = cast_samples,
};

static const struct lam_layer_type *const layers[] = {&cast, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "cast",
    .version = "0.1",
    .layers = layers,
};
