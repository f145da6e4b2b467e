// pixel_shuffle: x [N, C r^2, H, W] to y [N, C, H r, W r],
//   pytorch  y[n, c, h r + i, w r + j] = x[n, c r^2 + i r + j, h, w]
//   tf       y[n, c, h r + i, w r + j] = x[n, (i r + j) C + c, h, w]
// (TensorFlow calls it depth_to_space, ONNX DepthToSpace: CRD and DCR.)
// pixel_unshuffle: the other way. Each is the other's inverse and gradient.
#include "flat.h"

#include <stdio.h>

#include "pixel_shuffle.cl.h"

enum { PYTORCH, TF };

struct shuffle_config {
    int32_t factor, order;
};

struct shuffle_state {
    struct lam_kernel *forward, *backward;
};

static const char *const orders[] = {"pytorch", "tf", NULL};

static const struct lam_param shuffle_params[] = {
    {"factor", LAM_PARAM_INT, offsetof(struct shuffle_config, factor), NULL, 1,
     64, NULL, "r, of both axes", 0},
    {"order", LAM_PARAM_CHOICE, offsetof(struct shuffle_config, order),
     "pytorch", 0, 0, orders,
     "of the channels: r x r pixels of one channel side by side, or pixel by "
     "pixel",
     0},
    {0}};

static const struct lam_layer_type pixel_shuffle, pixel_unshuffle;

static int shuffle_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    const struct shuffle_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const struct lam_shape *in = &shapes->in[0];
    const int64_t r = config->factor;
    int64_t *out = shapes->out[0].dim;

    if (in->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "wants images [N, C, H, W], found rank %d", in->rank);
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    shapes->out[0] = *in;
    if (layer->type == &pixel_shuffle) {
        if (in->dim[1] % (r * r) != 0)
            return host->fail(host, LAM_ESHAPE,
                              "%lld channels are not a multiple of %lld",
                              (long long)in->dim[1], (long long)(r * r));
        out[1] /= r * r;
        out[2] *= r;
        out[3] *= r;
        return LAM_OK;
    }
    for (int d = 2; d < 4; d++)
        if (in->dim[d] % r != 0)
            return host->fail(host, LAM_ESHAPE,
                              "%lld %s are not a multiple of %lld",
                              (long long)in->dim[d],
                              d == 2 ? "rows" : "columns", (long long)r);
    out[1] *= r * r;
    out[2] /= r;
    out[3] /= r;
    return LAM_OK;
}

static int shuffle_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct shuffle_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct shuffle_state *state = layer->state;
    char options[60];
    int err;

    snprintf(options, sizeof(options), "-DR=%d%s%s", config->factor,
             config->order == TF ? " -DTF" : "", lam_halves(&io->in[0].shape));
    err = host->kernel(host, pixel_shuffle_cl, "shuffle_forward", options,
                       &state->forward);
    if (!err)
        err = host->kernel(host, pixel_shuffle_cl, "shuffle_backward", options,
                           &state->backward);
    return err;
}

static int shuffle_launch(struct lam_layer *layer, bool to_big,
                          const struct lam_tensor *from,
                          const struct lam_tensor *to)
{
    const struct shuffle_state *state = layer->state;
    const int64_t *small = (to_big ? from : to)->shape.dim;
    const int64_t *big = (to_big ? to : from)->shape.dim;
    const struct flat cut =
        flat_cut_rows(layer->host, small[3], big[2], big[0] * big[1]);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(from),  LAM_ARG_TENSOR(to),    LAM_ARG_INT(big[1]),
        LAM_ARG_INT(small[2]), LAM_ARG_INT(small[3]), LAM_ARG_INT(cut.chunk)};

    return layer->host->launch(layer->host,
                               to_big ? state->forward : state->backward, args,
                               6, cut.global, cut.local);
}

static int shuffle_run(struct lam_layer *layer, const struct lam_io *io)
{
    return shuffle_launch(layer, layer->type == &pixel_shuffle, &io->in[0],
                          &io->out[0]);
}

static int shuffle_backward(struct lam_layer *layer, const struct lam_io *io)
{
    return shuffle_launch(layer, layer->type == &pixel_unshuffle, &io->d_out[0],
                          &io->d_in[0]);
}

static int shuffle_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    const struct shuffle_config *config = layer->config;
    const bool to_big = layer->type == &pixel_shuffle;
    const int64_t *big = (to_big ? ref->out_shape : ref->in_shape)->dim;
    const int64_t r = config->factor, C = big[1], H = big[2], W = big[3];

    for (int64_t n = 0; n < big[0]; n++)
        for (int64_t c = 0; c < C; c++)
            for (int64_t y = 0; y < H; y++)
                for (int64_t x = 0; x < W; x++) {
                    const int64_t phase = y % r * r + x % r;
                    const int64_t channel =
                        config->order == TF ? phase * C + c : c * r * r + phase;
                    const int64_t at_big = ((n * C + c) * H + y) * W + x;
                    const int64_t at_small =
                        ((n * C * r * r + channel) * (H / r) + y / r) *
                            (W / r) +
                        x / r;

                    if (to_big)
                        ref->out[0][at_big] = ref->in[0][at_small];
                    else
                        ref->out[0][at_small] = ref->in[0][at_big];
                }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample pixel_shuffle_samples[] = {
    {.params = "factor=2", .inputs = "2x12x5x7", .flags = BOTH},
    {.params = "factor=2 order=tf", .inputs = "2x12x5x7", .flags = BOTH},
    {.params = "factor=3", .inputs = "1x9x3x37", .flags = BOTH},
    {.params = "factor=3 order=tf", .inputs = "3x18x1x2", .flags = BOTH},
    {.params = "factor=1", .inputs = "1x3x4x5", .flags = BOTH},
    {.params = "factor=4", .inputs = "1x16x1x1", .flags = BOTH},
    {.params = "factor=2",
     .inputs = "1x8x3x3",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "factor=2",
     .inputs = "1x6x3x3",
     .error = "6 channels are not a multiple of 4"},
    {.params = "", .inputs = "1x4x3x3", .error = "'factor' is missing"},
    {.params = "factor=0", .inputs = "1x4x3x3", .error = "wanted 1 to 64"},
    {.params = "factor=2 order=torch", .inputs = "1x4x3x3", .error = "pytorch"},
    {.params = "factor=2", .inputs = "4x3x3", .error = "found rank 3"},
    {0}};

static const struct lam_sample pixel_unshuffle_samples[] = {
    {.params = "factor=2", .inputs = "2x3x10x14", .flags = BOTH},
    {.params = "factor=2 order=tf", .inputs = "2x3x10x14", .flags = BOTH},
    {.params = "factor=3", .inputs = "1x1x9x111", .flags = BOTH},
    {.params = "factor=3 order=tf", .inputs = "3x2x3x6", .flags = BOTH},
    {.params = "factor=1", .inputs = "1x3x4x5", .flags = BOTH},
    {.params = "factor=4", .inputs = "1x1x4x4", .flags = BOTH},
    {.params = "factor=2",
     .inputs = "1x1x5x4",
     .error = "5 rows are not a multiple of 2"},
    {.params = "factor=2",
     .inputs = "1x1x4x5",
     .error = "5 columns are not a multiple of 2"},
    {0}};

static const struct lam_layer_type pixel_shuffle = {
    .name = "pixel_shuffle",
    .summary = "channels to pixels: r x r channels become one of r times the "
               "height and width",
    .params = shuffle_params,
    .config_size = sizeof(struct shuffle_config),
    .state_size = sizeof(struct shuffle_state),
    .min_in = 1,
    .max_in = 1,
    .shape = shuffle_shape,
    .prepare = shuffle_prepare,
    .run = shuffle_run,
    .backward = shuffle_backward,
    .reference = shuffle_reference,
    .samples = pixel_shuffle_samples,
};

static const struct lam_layer_type pixel_unshuffle = {
    .name = "pixel_unshuffle",
    .summary = "pixels to channels: blocks of r x r pixels become channels",
    .params = shuffle_params,
    .config_size = sizeof(struct shuffle_config),
    .state_size = sizeof(struct shuffle_state),
    .min_in = 1,
    .max_in = 1,
    .shape = shuffle_shape,
    .prepare = shuffle_prepare,
    .run = shuffle_run,
    .backward = shuffle_backward,
    .reference = shuffle_reference,
    .samples = pixel_unshuffle_samples,
};

static const struct lam_layer_type *const layers[] = {&pixel_shuffle,
                                                      &pixel_unshuffle, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "pixel_shuffle",
    .version = "0.1",
    .layers = layers,
};
