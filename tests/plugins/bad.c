// bad - layers that misbehave on purpose, for tests/faults/plugins.py: numbers
// that are none, kernels that never end. Never installed.
#include "lam/plugin.h"

static const char source[] =
    "kernel void bad_pass(const global real *x, global real *y, const int n,\n"
    "                     const int add)\n"
    "{\n"
    "    const int i = get_global_id(0);\n"
    "    if (i < n)\n"
    "        y[i] = add == 1 ? as_float(0x7fc00000)\n"
    "             : add == 2 ? as_float(0x7f800000) : x[i];\n"
    "}\n"
    "kernel void bad_loop(global volatile real *y)\n"
    "{\n"
    "    while (y[0] < INFINITY)\n"
    "        y[0] = 0;\n"
    "}\n"
    "kernel void bad_barrier(global volatile real *y)\n"
    "{\n"
    "    const int i = get_local_id(0);\n"
    "    while (i == 0) {\n"
    "        barrier(CLK_GLOBAL_MEM_FENCE);\n"
    "        y[i] = 0;\n"
    "    }\n"
    "}\n";

struct config {
    int32_t at, what, relaxed;
};

struct state {
    struct lam_kernel *pass, *loop, *barrier;
    int32_t n_runs; // in training
};

enum { NAN_VALUE, INFINITE, LOOP, BARRIER, BACKWARD, OWN_ERROR };

static const char *const whats[] = {"nan",      "inf",   "loop", "barrier",
                                    "backward", "error", NULL};

static const struct lam_param params[] = {
    {"at", LAM_PARAM_INT, offsetof(struct config, at), "1", 1, 1000, NULL,
     "the step that goes wrong", 0},
    {"what", LAM_PARAM_CHOICE, offsetof(struct config, what), "nan", 0, 0,
     whats, "what it does then", 0},
    {"relaxed", LAM_PARAM_BOOL, offsetof(struct config, relaxed), "false", 0, 0,
     NULL, "build with -cl-fast-relaxed-math", 0},
    {0}};

static int bad_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    (void)layer;
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    return LAM_OK;
}

static int bad_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct config *config = layer->config;
    struct state *state = layer->state;
    const struct lam_host *host = layer->host;
    const char *options =
        config->relaxed ? "-cl-fast-relaxed-math" : "-DPLAIN=1";
    int err = host->kernel(host, source, "bad_pass", options, &state->pass);

    (void)io;
    if (!err)
        err = host->kernel(host, source, "bad_loop", options, &state->loop);
    if (!err && config->what == BARRIER)
        err =
            host->kernel(host, source, "bad_barrier", options, &state->barrier);
    return err;
}

static int pass(struct lam_layer *layer, const struct lam_tensor *from,
                const struct lam_tensor *to, int add)
{
    const struct state *state = layer->state;
    const int64_t n = lam_elements(&to->shape);
    const struct lam_arg args[] = {LAM_ARG_TENSOR(from), LAM_ARG_TENSOR(to),
                                   LAM_ARG_INT(n), LAM_ARG_INT(add)};
    const size_t global[3] = {(size_t)n, 1, 1};

    return layer->host->launch(layer->host, state->pass, args, 4, global, NULL);
}

static int bad_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct config *config = layer->config;
    struct state *state = layer->state;
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->out[0])};
    const size_t one[3] = {1, 1, 1}, four[3] = {4, 1, 1};
    const bool is_bad = io->training && ++state->n_runs >= config->at;
    int err;

    if (is_bad && config->what == OWN_ERROR)
        return layer->host->fail(layer->host, LAM_ERUN, "bad luck at run %d",
                                 state->n_runs);
    err = pass(layer, &io->in[0], &io->out[0],
               is_bad && config->what <= INFINITE ? config->what + 1 : 0);

    if (!err && is_bad && config->what == LOOP)
        err = layer->host->launch(layer->host, state->loop, args, 1, one, one);
    if (!err && is_bad && config->what == BARRIER)
        err = layer->host->launch(layer->host, state->barrier, args, 1, four,
                                  four);
    return err;
}

static int bad_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct config *config = layer->config;
    const struct state *state = layer->state;

    return pass(layer, &io->d_out[0], &io->d_in[0],
                config->what == BACKWARD && state->n_runs >= config->at);
}

static const struct lam_layer_type bad = {.name = "bad",
                                          .summary = "x, until it goes wrong",
                                          .params = params,
                                          .config_size = sizeof(struct config),
                                          .state_size = sizeof(struct state),
                                          .min_in = 1,
                                          .max_in = 1,
                                          .shape = bad_shape,
                                          .prepare = bad_prepare,
                                          .run = bad_run,
                                          .backward = bad_backward};

static const struct lam_layer_type *const layers[] = {&bad, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "bad",
    .version = "0.1",
    .layers = layers,
};
