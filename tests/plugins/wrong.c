// wrong - a layer for tests/run/tune.py: y = 2 x, with a fast variant that
// forgets the last element and one that is right. Never installed.
#include "lam/plugin.h"

static const char source[] =
    "kernel void twice(const global real *x, global real *y, const int n)\n"
    "{\n"
    "    const int i = get_global_id(0);\n"
    "    if (i < n)\n"
    "        y[i] = 2 * x[i];\n"
    "}\n";

struct state {
    struct lam_kernel *kernel;
};

static int wrong_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    (void)layer;
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    return LAM_OK;
}

static int launch(struct lam_layer *layer, const struct lam_tensor *from,
                  const struct lam_tensor *to, int64_t n)
{
    const struct state *state = layer->state;
    const struct lam_arg args[] = {LAM_ARG_TENSOR(from), LAM_ARG_TENSOR(to),
                                   LAM_ARG_INT((int)n)};
    const size_t global[3] = {(size_t)n, 1, 1};

    return layer->host->launch(layer->host, state->kernel, args, 3, global,
                               NULL);
}

static int wrong_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct state *state = layer->state;

    (void)io;
    return layer->host->kernel(layer->host, source, "twice", NULL,
                               &state->kernel);
}

// Slow on purpose: the variants must win by their time.
static int wrong_run(struct lam_layer *layer, const struct lam_io *io)
{
    const int64_t n = lam_elements(&io->in[0].shape);
    int err = LAM_OK;

    for (int i = 0; i < 50 && !err; i++)
        err = launch(layer, &io->in[0], &io->out[0], n);
    return err;
}

static int wrong_backward(struct lam_layer *layer, const struct lam_io *io)
{
    return launch(layer, &io->d_out[0], &io->d_in[0],
                  lam_elements(&io->in[0].shape));
}

static int forgetful(struct lam_layer *layer, const struct lam_io *io)
{
    return launch(layer, &io->in[0], &io->out[0],
                  lam_elements(&io->in[0].shape) - 1);
}

static int right(struct lam_layer *layer, const struct lam_io *io)
{
    return launch(layer, &io->in[0], &io->out[0],
                  lam_elements(&io->in[0].shape));
}

static int high(const struct lam_layer *layer, const struct lam_shapes *shapes)
{
    (void)layer;
    (void)shapes;
    return 20;
}

static int low(const struct lam_layer *layer, const struct lam_shapes *shapes)
{
    (void)layer;
    (void)shapes;
    return 10;
}

static const struct lam_variant variants[] = {
    {"forgetful", LAM_PASS_RUN, "wrong", high, NULL, NULL, forgetful, 0},
    {"right", LAM_PASS_RUN, "right", low, NULL, NULL, right, 0},
    {0}};

static const struct lam_layer_type wrong = {.name = "wrong",
                                            .summary = "two times x",
                                            .state_size = sizeof(struct state),
                                            .min_in = 1,
                                            .max_in = 1,
                                            .shape = wrong_shape,
                                            .prepare = wrong_prepare,
                                            .run = wrong_run,
                                            .backward = wrong_backward,
                                            .variants = variants};

static const struct lam_layer_type *const layers[] = {&wrong, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "wrong",
    .version = "0.1",
    .layers = layers,
};
