// add: y = sum over inputs i of factors[i] * x_i, all of one shape.
//
// Without factors each is 1. Also the sum of several losses.
#include "flat.h"

#include "add.cl.h"

struct add_config {
    struct lam_reals factors;
};

struct add_state {
    struct lam_kernel *scale, *pair;
    struct flat cut;
};

static const struct lam_param add_params[] = {
    {"factors", LAM_PARAM_REALS, offsetof(struct add_config, factors), "", 0, 0,
     NULL, "one per input; without them each is 1", 1},
    {0}};

static int add_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    const struct add_config *config = layer->config;
    const struct lam_host *host = layer->host;

    if (config->factors.n && config->factors.n != shapes->n_in)
        return host->fail(host, LAM_ESHAPE, "%d factors for %d inputs",
                          config->factors.n, shapes->n_in);
    for (int i = 1; i < shapes->n_in; i++) {
        bool same = shapes->in[i].rank == shapes->in[0].rank;

        for (int d = 0; d < shapes->in[0].rank && same; d++)
            same = shapes->in[i].dim[d] == shapes->in[0].dim[d];
        if (!same)
            return host->fail(host, LAM_ESHAPE,
                              "input %d has another shape than input 0", i);
    }
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE | LAM_HALVES;
    if (config->factors.n == 0)
        shapes->flags |= LAM_SAME_GRADS;
    return LAM_OK;
}

static int add_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_host *host = layer->host;
    struct add_state *state = layer->state;
    const char *halves = lam_halves(&io->in[0].shape);
    int err = host->kernel(host, add_cl, "add_scale", halves, &state->scale);

    state->cut = flat_cut(host, lam_elements(&io->in[0].shape));
    if (!err)
        err = host->kernel(host, add_cl, "add_pair", halves, &state->pair);
    return err;
}

static double factor_of(const struct lam_layer *layer, int i)
{
    const struct add_config *config = layer->config;

    return config->factors.n ? config->factors.v[i] : 1.0;
}

static int add_scale(struct lam_layer *layer, const struct lam_tensor *y,
                     const struct lam_tensor *x, double factor)
{
    const struct add_state *state = layer->state;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(y), LAM_ARG_TENSOR(x), LAM_ARG_REAL(factor),
        LAM_ARG_LONG(state->cut.n), LAM_ARG_INT(state->cut.chunk)};

    return layer->host->launch(layer->host, state->scale, args, 5,
                               state->cut.global, state->cut.local);
}

static int add_pair(struct lam_layer *layer, const struct lam_tensor *y,
                    const struct lam_tensor *a, const struct lam_tensor *b,
                    double factor_a, double factor_b)
{
    const struct add_state *state = layer->state;
    const struct lam_arg args[] = {LAM_ARG_TENSOR(y),
                                   LAM_ARG_TENSOR(a),
                                   LAM_ARG_TENSOR(b),
                                   LAM_ARG_REAL(factor_a),
                                   LAM_ARG_REAL(factor_b),
                                   LAM_ARG_LONG(state->cut.n),
                                   LAM_ARG_INT(state->cut.chunk)};

    return layer->host->launch(layer->host, state->pair, args, 7,
                               state->cut.global, state->cut.local);
}

// The first input may be the output's buffer, and a later input may be the
// first one again: all that share its buffer are taken at once, at first.
static int add_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_tensor *sum = &io->in[0];
    double factor = 0.0;
    int err = LAM_OK;

    for (int i = 0; i < io->n_in; i++)
        if (io->in[i].buffer == io->in[0].buffer)
            factor += factor_of(layer, i);
    for (int i = 1; i < io->n_in && !err; i++) {
        if (io->in[i].buffer == io->in[0].buffer)
            continue;
        err = add_pair(layer, &io->out[0], sum, &io->in[i], factor,
                       factor_of(layer, i));
        sum = &io->out[0];
        factor = 1.0;
    }
    if (!err && sum == &io->in[0])
        err = add_scale(layer, &io->out[0], sum, factor);
    return err;
}

// The first input last: its gradient may be the buffer of d_out.
static int add_backward(struct lam_layer *layer, const struct lam_io *io)
{
    int err = LAM_OK;

    for (int i = io->n_in - 1; i >= 0 && !err; i--)
        if (io->d_in[i].buffer)
            err = add_scale(layer, &io->d_in[i], &io->d_out[0],
                            factor_of(layer, i));
    return err;
}

static int add_reference(const struct lam_layer *layer,
                         const struct lam_ref *ref)
{
    for (int64_t e = 0; e < lam_elements(&ref->in_shape[0]); e++) {
        ref->out[0][e] = 0.0;
        for (int i = 0; i < ref->n_in; i++)
            ref->out[0][e] += factor_of(layer, i) * ref->in[i][e];
    }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample add_samples[] = {
    {.params = "", .inputs = "2x3x5x7 2x3x5x7", .flags = BOTH},
    {.params = "", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "factors=2,-1,3",
     .inputs = "1x2x65x37 1x2x65x37 1x2x65x37",
     .flags = BOTH},
    {.params = "factors=0.5,0.25", .inputs = "1 1"},
    {.params = "factors=0,1", .inputs = "3x1 3x1", .flags = BOTH},
    {.params = "factors=-0.75", .inputs = "1x1x33x31"},
    {.params = "factors=1,2,3,4,5,6,7,8",
     .inputs = "2x3 2x3 2x3 2x3 2x3 2x3 2x3 2x3",
     .flags = BOTH},
    {.params = "",
     .inputs = "3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 3x5 "
               "3x5",
     .flags = BOTH},
    {.params = "", .inputs = "1x2x3x4 1x2x3x5", .error = "another shape"},
    {.params = "", .inputs = "1x2x3x4 1x2x12", .error = "another shape"},
    {.params = "factors=1", .inputs = "1x2 1x2", .error = "1 factors for 2"},
    {.params = "factors=a,b",
     .inputs = "1x2 1x2",
     .error = "at most 8 numbers"},
    {0}};

static const struct lam_layer_type add = {
    .name = "add",
    .summary = "sum of inputs of one shape, each times its factor",
    .params = add_params,
    .config_size = sizeof(struct add_config),
    .state_size = sizeof(struct add_state),
    .min_in = 1,
    .max_in = LAM_MAX_IN,
    .shape = add_shape,
    .prepare = add_prepare,
    .run = add_run,
    .backward = add_backward,
    .reference = add_reference,
    .samples = add_samples,
};

static const struct lam_layer_type *const layers[] = {&add, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "add",
    .version = "0.1",
    .layers = layers,
};
