// maxpool: y[n,c,p,q] = max over r, s of
//     x[n, c, p*sh + r*dh - top, q*sw + s*dw - left]
//
// x is [N, C, H, W], y [N, C, P, Q]. Pads are minus infinity. A NaN is larger
// than all numbers. With `indices` the second output says where the largest
// number was, h * W + w in the plane of x, the first in reading order if there
// are several; its gradient goes there alone. Without it training keeps this in
// a byte for each number of y, and backward needs neither x nor y.
#include <math.h>

#include "maxpool.cl.h"
#include "window.h"

struct maxpool_config {
    struct window_config window; // first
    int32_t indices;
};

struct maxpool_state {
    struct window window;
    struct lam_kernel *forward, *backward;
};

static const char *const maxpool_outputs[] = {"y", "indices", NULL};

static const struct lam_param maxpool_params[] = {
    WINDOW_PARAMS,
    {"indices", LAM_PARAM_BOOL, offsetof(struct maxpool_config, indices),
     "false", 0, 0, NULL, "a second output, for max_unpool", 0},
    {0}};

// Bytes of the place of a largest number among the taps of a window.
static int64_t tap_bytes(const struct window *window)
{
    return window->kernel[0] * window->kernel[1] > 256 ? 2 : 1;
}

static int maxpool_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    const struct maxpool_config *config = layer->config;
    struct window window;
    const int err = window_of(layer, &shapes->in[0], &window);

    if (err)
        return err;
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    shapes->pitched_in = shapes->pitched_out = 1;
    shapes->out[0] = window_result(&window, &shapes->in[0]);
    if (config->indices) {
        shapes->n_out = 2;
        shapes->out[1] = shapes->out[0];
        shapes->out[1].dtype = LAM_I32;
        shapes->backward_out = 2;
        return LAM_OK;
    }
    shapes->n_aux = 1;
    shapes->aux[0] =
        (struct lam_shape){.dtype = LAM_I32,
                           .rank = 1,
                           .dim = {(window.planes * window.out[0] *
                                        window.out[1] * tap_bytes(&window) +
                                    3) /
                                   4}};
    return LAM_OK;
}

static int maxpool_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct maxpool_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct maxpool_state *state = layer->state;
    const char *more = "-DTAP=uchar";
    char options[240];
    int err = window_of(layer, &io->in[0].shape, &state->window);

    if (config->indices)
        more = "-DKEEP -DTAP=int -DFLAT";
    else if (io->training)
        more = tap_bytes(&state->window) == 1 ? "-DKEEP -DTAP=uchar"
                                              : "-DKEEP -DTAP=ushort";
    window_options(layer, &state->window, &io->in[0].shape, more, options,
                   sizeof(options));
    if (!err)
        err = host->kernel(host, maxpool_cl, "maxpool_forward", options,
                           &state->forward);
    if (!err)
        err = host->kernel(host, maxpool_cl, "maxpool_backward", options,
                           &state->backward);
    return err;
}

// Where the places are kept; no buffer if nobody asks.
static struct lam_tensor places(const struct lam_layer *layer,
                                const struct lam_io *io)
{
    const struct maxpool_config *config = layer->config;
    const struct lam_tensor none = {0};

    return config->indices ? io->out[1] : io->training ? io->aux[0] : none;
}

static int maxpool_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct maxpool_state *state = layer->state;
    const struct window *w = &state->window;
    const struct lam_tensor taps = places(layer, io);
    struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_TENSOR(&taps),
        LAM_ARG_INT(io->in[0].shape.dim[1]),
        LAM_ARG_LONG(lam_pitch(&io->in[0])),
        LAM_ARG_LONG(lam_pitch(&io->out[0])),
        LAM_ARG_INT(w->in[0]),
        LAM_ARG_INT(w->in[1]),
        LAM_ARG_INT(w->out[0]),
        LAM_ARG_INT(w->out[1]),
        LAM_ARG_LONG(w->planes * w->out[0]),
        LAM_ARG_INT(0),
        LAM_ARG_INT(0),
    };

    return window_launch(layer, w, state->forward, args, 13, w->out[0],
                         w->out[1]);
}

static int maxpool_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct maxpool_state *state = layer->state;
    const struct window *w = &state->window;
    const struct lam_tensor taps = places(layer, io);
    struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&taps),
        LAM_ARG_TENSOR(&io->d_in[0]),
        LAM_ARG_INT(io->in[0].shape.dim[1]),
        LAM_ARG_LONG(lam_pitch(&io->d_out[0])),
        LAM_ARG_INT(w->in[0]),
        LAM_ARG_INT(w->in[1]),
        LAM_ARG_INT(w->out[0]),
        LAM_ARG_INT(w->out[1]),
        LAM_ARG_LONG(w->planes * w->in[0]),
        LAM_ARG_INT(0),
        LAM_ARG_INT(0),
    };

    return window_launch(layer, w, state->backward, args, 12, w->in[0],
                         w->in[1]);
}

static int maxpool_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    struct window w;
    const int err = window_of(layer, &ref->in_shape[0], &w);
    int64_t i = 0;

    for (int64_t plane = 0; plane < w.planes && !err; plane++)
        for (int p = 0; p < w.out[0]; p++)
            for (int q = 0; q < w.out[1]; q++, i++) {
                const double *x = ref->in[0] + plane * w.in[0] * w.in[1];
                int found = -1;

                for (int k = 0; k < w.kernel[0] * w.kernel[1]; k++) {
                    const int h = p * w.stride[0] - w.before[0] +
                                  k / w.kernel[1] * w.dilation[0];
                    const int v = q * w.stride[1] - w.before[1] +
                                  k % w.kernel[1] * w.dilation[1];
                    const int at = h * w.in[1] + v;

                    if (h < 0 || h >= w.in[0] || v < 0 || v >= w.in[1])
                        continue;
                    if (found < 0 || x[at] > x[found] ||
                        (isnan(x[at]) && !isnan(x[found])))
                        found = at;
                }
                ref->out[0][i] = x[found];
                if (ref->n_out > 1)
                    ref->out[1][i] = found;
            }
    return err;
}

#define EXACT(text, shape)                                                     \
    {                                                                          \
        .params = text, .inputs = shape, .fill = "distinct",                   \
        .flags = LAM_SAMPLE_EXACT                                              \
    }
#define TIES(text, shape)                                                      \
    {                                                                          \
        .params = text, .inputs = shape,                                       \
        .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL                            \
    }
#define WRONG(text, shape, message)                                            \
    {                                                                          \
        .params = text, .inputs = shape, .error = message                      \
    }

static const struct lam_sample maxpool_samples[] = {
    EXACT("kernel=2", "2x3x8x40"),
    EXACT("kernel=3 stride=2", "1x2x9x37"),
    EXACT("kernel=3 stride=2", "3x1x16x64"),
    EXACT("kernel=3 stride=1", "1x2x5x33"),
    EXACT("kernel=2 stride=1", "1x1x7x5"),
    EXACT("kernel=1", "1x3x4x5"),
    EXACT("kernel=1 stride=2", "2x1x5x40"),
    EXACT("kernel=2 stride=3", "1x2x11x50"),
    EXACT("kernel=5 stride=2 indices=true", "1x2x13x41"),
    EXACT("kernel=2 indices=true", "2x2x6x34"),
    EXACT("kernel=3,2 stride=1,3 dilation=2,3", "1x2x12x44"),
    EXACT("kernel=3 stride=2 dilation=2 pad=valid", "1x1x9x45"),
    EXACT("kernel=3 stride=2 pad=valid ceil=true", "1x2x8x42"),
    EXACT("kernel=2 stride=2 pad=valid", "1x2x7x43"),
    EXACT("kernel=3 stride=2 pad=explicit pads=1,1,1,1", "2x1x9x40"),
    EXACT("kernel=3 stride=2 pad=explicit pads=1,1,1,1 ceil=true", "1x1x9x40"),
    EXACT("kernel=3 stride=2 pad=explicit pads=0,2,2,0 indices=true",
          "1x2x7x35"),
    EXACT("kernel=7,6 stride=3,2", "1x1x10x31"),
    EXACT("kernel=17,16 stride=5", "1x1x40x37"),
    EXACT("kernel=3 stride=2", "3x2x1x1"),
    EXACT("kernel=2 indices=true", "3x1x1x1"),
    EXACT("kernel=1,4", "1x1x3x70"),
    TIES("kernel=2 indices=true", "2x3x8x40"),
    TIES("kernel=3 stride=2 indices=true", "3x2x9x35"),
    TIES("kernel=6 stride=2 indices=true", "1x2x9x35"),
    TIES("kernel=3 stride=2", "1x2x9x37"),
    WRONG("kernel=5 pad=valid", "1x1x4x9", "reaches over 5 rows"),
    WRONG("kernel=2 pad=explicit pads=2,0,0,0", "1x1x4x4",
          "the window of row 0 of the result has nothing of the image"),
    WRONG("kernel=2 dilation=2", "1x1x4x1", "the window of column 0"),
    WRONG("kernel=2 pad=explicit pads=1,1", "1x1x4x4", "found 2 numbers"),
    WRONG("kernel=2 pads=1,1,1,1", "1x1x4x4", "only used with pad: explicit"),
    WRONG("kernel=2", "1x4x4", "wanted 4: [N, C, H, W]"),
    WRONG("kernel=0", "1x1x4x4", "wanted 1 to 255"),
    WRONG("", "1x1x4x4", "kernel"),
    {0}};

static const struct lam_layer_type maxpool = {
    .name = "maxpool",
    .summary = "the largest number in a window that slides over the image",
    .params = maxpool_params,
    .config_size = sizeof(struct maxpool_config),
    .state_size = sizeof(struct maxpool_state),
    .min_in = 1,
    .max_in = 1,
    .outputs = maxpool_outputs,
    .shape = maxpool_shape,
    .prepare = maxpool_prepare,
    .run = maxpool_run,
    .backward = maxpool_backward,
    .reference = maxpool_reference,
    .samples = maxpool_samples,
};

static const struct lam_layer_type *const layers[] = {&maxpool, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "maxpool",
    .version = "0.1",
    .layers = layers,
};
