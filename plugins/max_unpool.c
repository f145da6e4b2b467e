// max_unpool: y[n,c,indices[n,c,p,q]] = x[n,c,p,q], and zero elsewhere, where
// an index counts the pixels of a plane of y in reading order.
//
// x and indices are [N, C, P, Q], y is [N, C, H, W]. Where several cells name
// one pixel, as the windows of a maxpool with stride < kernel may, the last in
// reading order wins, and it alone gets the gradient. An index outside of the
// plane is left out. A third input gives y its size, and is not read.
#include "lam/plugin.h"

#include <limits.h>

#include "max_unpool.cl.h"

struct max_unpool_config {
    int32_t size[2], scale[2];
};

struct max_unpool_state {
    struct lam_kernel *forward, *backward;
    int64_t planes;
    int32_t cells, size;
};

static const struct lam_param max_unpool_params[] = {
    {"size", LAM_PARAM_PAIR, offsetof(struct max_unpool_config, size), "0", 0,
     1 << 20, NULL,
     "height and width of the result; 0: of the third input, else scale times "
     "the input",
     0},
    {"scale", LAM_PARAM_PAIR, offsetof(struct max_unpool_config, scale), "2", 1,
     255, NULL, "the stride of the maxpool", 0},
    {0}};

static int32_t words_of(int64_t size)
{
    return (int32_t)((size + 31) / 32);
}

static int max_unpool_check(const struct lam_layer *layer,
                            const struct lam_shapes *shapes)
{
    const struct lam_host *host = layer->host;
    const struct lam_shape *x = &shapes->in[0], *indices = &shapes->in[1];

    if (x->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "the input has %d dimensions, wanted 4: [N, C, H, W]",
                          (int)x->rank);
    if (indices->dtype != LAM_I32)
        return host->fail(host, LAM_ESHAPE,
                          "the second input must be the indices of a maxpool");
    for (int i = 0; i < 4; i++)
        if (indices->rank != 4 || indices->dim[i] != x->dim[i])
            return host->fail(host, LAM_ESHAPE,
                              "the indices do not have the shape of the input");
    if (shapes->n_in > 2 && shapes->in[2].rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "the third input has %d dimensions, wanted 4: "
                          "[N, C, H, W]",
                          (int)shapes->in[2].rank);
    return LAM_OK;
}

static int max_unpool_shape(const struct lam_layer *layer,
                            struct lam_shapes *shapes)
{
    const struct max_unpool_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const struct lam_shape *x = &shapes->in[0];
    struct lam_shape *y = &shapes->out[0];
    const int err = max_unpool_check(layer, shapes);

    if (err)
        return err;
    *y = *x;
    for (int i = 0; i < 2; i++)
        y->dim[2 + i] = config->size[i]    ? config->size[i]
                        : shapes->n_in > 2 ? shapes->in[2].dim[2 + i]
                                           : x->dim[2 + i] * config->scale[i];
    if (y->dim[2] > INT_MAX / y->dim[3] / 4)
        return host->fail(host, LAM_ESHAPE,
                          "a result of %lld x %lld is too large, wanted at "
                          "most %d pixels",
                          (long long)y->dim[2], (long long)y->dim[3],
                          INT_MAX / 4);
    shapes->n_out = 1;
    shapes->backward_in = 2;
    shapes->backward_scratch =
        x->dim[0] * x->dim[1] * words_of(y->dim[2] * y->dim[3]) * 4;
    return LAM_OK;
}

static int max_unpool_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_host *host = layer->host;
    struct max_unpool_state *state = layer->state;
    const struct lam_shape *x = &io->in[0].shape, *y = &io->out[0].shape;
    int err = host->kernel(host, max_unpool_cl, "max_unpool_forward", NULL,
                           &state->forward);

    state->planes = x->dim[0] * x->dim[1];
    state->cells = (int32_t)(x->dim[2] * x->dim[3]);
    state->size = (int32_t)(y->dim[2] * y->dim[3]);
    if (!err)
        err = host->kernel(host, max_unpool_cl, "max_unpool_backward", NULL,
                           &state->backward);
    return err;
}

static int max_unpool_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_host *host = layer->host;
    const struct max_unpool_state *state = layer->state;
    const size_t global[3] = {(size_t)state->planes, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),  LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->out[0]), LAM_ARG_LONG(state->planes),
        LAM_ARG_INT(state->cells),   LAM_ARG_INT(state->size),
    };
    const int err = host->fill(host, &io->out[0], 0.0);

    return err ? err
               : host->launch(host, state->forward, args, 6, global, NULL);
}

static int max_unpool_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_host *host = layer->host;
    const struct max_unpool_state *state = layer->state;
    const size_t global[3] = {(size_t)state->planes, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->d_out[0]), LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->d_in[0]),  LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(state->planes),   LAM_ARG_INT(state->cells),
        LAM_ARG_INT(state->size),      LAM_ARG_INT(words_of(state->size)),
    };
    int err = LAM_OK;

    if (io->d_in[0].buffer) {
        err = host->fill(host, &io->scratch, 0.0);
        if (!err)
            err = host->launch(host, state->backward, args, 8, global, NULL);
    }
    if (!err && io->n_in > 2 && io->d_in[2].buffer)
        err = host->fill(host, &io->d_in[2], 0.0);
    return err;
}

static int max_unpool_reference(const struct lam_layer *layer,
                                const struct lam_ref *ref)
{
    const struct lam_shape *x = &ref->in_shape[0], *y = &ref->out_shape[0];
    const int64_t cells = x->dim[2] * x->dim[3], size = y->dim[2] * y->dim[3];

    (void)layer;
    for (int64_t plane = 0; plane < x->dim[0] * x->dim[1]; plane++) {
        for (int64_t i = 0; i < size; i++)
            ref->out[0][plane * size + i] = 0.0;
        for (int64_t i = 0; i < cells; i++) {
            const double at = ref->in[1][plane * cells + i];

            if (at >= 0.0 && at < (double)size)
                ref->out[0][plane * size + (int64_t)at] =
                    ref->in[0][plane * cells + i];
        }
    }
    return LAM_OK;
}

#define EXACT(text, shapes, how)                                               \
    {                                                                          \
        .params = text, .inputs = shapes, .fill = how,                         \
        .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR                          \
    }
#define WRONG(text, shapes, how, message)                                      \
    {                                                                          \
        .params = text, .inputs = shapes, .fill = how, .error = message        \
    }

static const struct lam_sample max_unpool_samples[] = {
    EXACT("", "2x3x4x5 2x3x4x5", "away indices:80"),
    // Many cells for one pixel.
    EXACT("", "3x2x6x7 3x2x6x7", "away indices:9"),
    // Pixels that do not exist.
    EXACT("scale=1,3", "1x2x5x4 1x2x5x4", "away indices:90"),
    EXACT("size=9,7", "1x2x5x4 1x2x5x4", "away indices:63"),
    EXACT("", "2x1x3x3 2x1x3x3 2x5x5x7", "away indices:35 normal"),
    EXACT("size=0,9", "2x1x3x3 2x1x3x3 1x1x5x7", "away indices:45 normal"),
    EXACT("", "1x3x1x1 1x3x1x1", "away indices:4"),
    {.params = "",
     .inputs = "2x3x4x5 2x3x4x5",
     .fill = "normal indices:80",
     .flags = LAM_SAMPLE_EVAL},
    WRONG("", "1x2x4x4 1x2x4x4", "normal normal", "the indices of a maxpool"),
    WRONG("", "1x2x4x4 1x2x4x5", "normal indices:64",
          "do not have the shape of the input"),
    WRONG("", "2x4x4 2x4x4", "normal indices:64", "wanted 4: [N, C, H, W]"),
    WRONG("", "1x2x4x4 1x2x4x4 8x8", "normal indices:64 normal",
          "the third input has 2 dimensions"),
    WRONG("", "1x2x4x4", "normal", "takes 2 to 3 inputs"),
    {0}};

static const struct lam_layer_type max_unpool = {
    .name = "max_unpool",
    .summary = "numbers back to the places a maxpool took them from, zeros "
               "elsewhere",
    .params = max_unpool_params,
    .config_size = sizeof(struct max_unpool_config),
    .state_size = sizeof(struct max_unpool_state),
    .min_in = 2,
    .max_in = 3,
    .shape = max_unpool_shape,
    .prepare = max_unpool_prepare,
    .run = max_unpool_run,
    .backward = max_unpool_backward,
    .reference = max_unpool_reference,
    .samples = max_unpool_samples,
};

static const struct lam_layer_type *const layers[] = {&max_unpool, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "max_unpool",
    .version = "0.1",
    .layers = layers,
};
