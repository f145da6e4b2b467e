// avgpool: y[n,c,p,q] = 1 / count * sum over r, s of
//     x[n, c, p*sh + r*dh - top, q*sw + s*dw - left]
//
// x is [N, C, H, W], y [N, C, P, Q]. Pads are zeros; count is how many of the
// numbers in the window are in the image, as TensorFlow does it, or with
// count_include_pad in the padded image, as PyTorch does it by default.
#include <stdio.h>

#include "avgpool.cl.h"
#include "window.h"

struct avgpool_config {
    struct window_config window; // first
    int32_t count_include_pad;
};

struct avgpool_state {
    struct window window;
    struct lam_kernel *forward, *backward;
};

static const struct lam_param avgpool_params[] = {
    WINDOW_PARAMS,
    {"count_include_pad", LAM_PARAM_BOOL,
     offsetof(struct avgpool_config, count_include_pad), "false", 0, 0, NULL,
     "the zeros in the pads count as numbers", 0},
    {0}};

static int avgpool_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    struct window window;
    const int err = window_of(layer, &shapes->in[0], &window);

    if (err)
        return err;
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    shapes->out[0] = window_result(&window, &shapes->in[0]);
    return LAM_OK;
}

static int avgpool_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct avgpool_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct avgpool_state *state = layer->state;
    char more[80], options[240];
    int err = window_of(layer, &io->in[0].shape, &state->window);

    snprintf(more, sizeof(more), "%s-DBOTTOM=%d -DRIGHT=%d",
             config->count_include_pad ? "-DPADS " : "",
             (int)state->window.after[0], (int)state->window.after[1]);
    window_options(layer, &state->window, &io->in[0].shape, more, options,
                   sizeof(options));
    if (!err)
        err = host->kernel(host, avgpool_cl, "avgpool_forward", options,
                           &state->forward);
    if (!err)
        err = host->kernel(host, avgpool_cl, "avgpool_backward", options,
                           &state->backward);
    return err;
}

static int avgpool_launch(const struct lam_layer *layer,
                          struct lam_kernel *kernel,
                          const struct lam_tensor *src,
                          const struct lam_tensor *dst, int32_t height,
                          int32_t width)
{
    const struct avgpool_state *state = layer->state;
    const struct window *w = &state->window;
    struct lam_arg args[] = {
        LAM_ARG_TENSOR(src),
        LAM_ARG_TENSOR(dst),
        LAM_ARG_INT(w->in[0]),
        LAM_ARG_INT(w->in[1]),
        LAM_ARG_INT(w->out[0]),
        LAM_ARG_INT(w->out[1]),
        LAM_ARG_LONG(w->planes * height),
        LAM_ARG_INT(0),
        LAM_ARG_INT(0),
    };

    return window_launch(layer, w, kernel, args, 9, height, width);
}

static int avgpool_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct avgpool_state *state = layer->state;

    return avgpool_launch(layer, state->forward, &io->in[0], &io->out[0],
                          state->window.out[0], state->window.out[1]);
}

static int avgpool_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct avgpool_state *state = layer->state;

    return avgpool_launch(layer, state->backward, &io->d_out[0], &io->d_in[0],
                          state->window.in[0], state->window.in[1]);
}

static int avgpool_reference(const struct lam_layer *layer,
                             const struct lam_ref *ref)
{
    const struct avgpool_config *config = layer->config;
    struct window w;
    const int err = window_of(layer, &ref->in_shape[0], &w);
    int64_t i = 0;

    for (int64_t plane = 0; plane < w.planes && !err; plane++)
        for (int p = 0; p < w.out[0]; p++)
            for (int q = 0; q < w.out[1]; q++, i++) {
                const double *x = ref->in[0] + plane * w.in[0] * w.in[1];
                double sum = 0.0;
                int inside = 0, padded = 0;

                for (int k = 0; k < w.kernel[0] * w.kernel[1]; k++) {
                    const int h = p * w.stride[0] - w.before[0] +
                                  k / w.kernel[1] * w.dilation[0];
                    const int v = q * w.stride[1] - w.before[1] +
                                  k % w.kernel[1] * w.dilation[1];

                    if (h < w.in[0] + w.after[0] && v < w.in[1] + w.after[1])
                        padded++;
                    if (h < 0 || h >= w.in[0] || v < 0 || v >= w.in[1])
                        continue;
                    sum += x[h * w.in[1] + v];
                    inside++;
                }
                ref->out[0][i] =
                    sum / (config->count_include_pad ? padded : inside);
            }
    return err;
}

// EXACT where all counts are powers of two.
#define EXACT(text, shape)                                                     \
    {                                                                          \
        .params = text, .inputs = shape,                                       \
        .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR                          \
    }
#define CLOSE(text, shape)                                                     \
    {                                                                          \
        .params = text, .inputs = shape, .flags = LAM_SAMPLE_LINEAR            \
    }
#define WRONG(text, shape, message)                                            \
    {                                                                          \
        .params = text, .inputs = shape, .error = message                      \
    }

static const struct lam_sample avgpool_samples[] = {
    EXACT("kernel=2", "2x3x8x40"),
    EXACT("kernel=2", "3x2x7x37"),
    EXACT("kernel=4 stride=2 pad=valid", "1x2x9x45"),
    EXACT("kernel=4,2 stride=1 pad=valid", "1x2x5x33"),
    EXACT("kernel=1 stride=2", "1x2x5x40"),
    EXACT("kernel=2 stride=3 dilation=2", "1x2x9x50"),
    EXACT("kernel=4 stride=2 pad=explicit pads=1,1,2,1 count_include_pad=true",
          "1x2x8x36"),
    EXACT("kernel=2", "1x3x1x1"),
    CLOSE("kernel=3 stride=2", "2x2x9x38"),
    CLOSE("kernel=3 stride=1", "1x1x7x33"),
    CLOSE("kernel=3 stride=1 count_include_pad=true", "3x1x7x5"),
    CLOSE("kernel=3 stride=2 pad=explicit pads=1,1,1,1", "1x2x8x41"),
    CLOSE("kernel=3 stride=2 pad=explicit pads=1,1,1,1 ceil=true "
          "count_include_pad=true",
          "1x2x8x41"),
    CLOSE("kernel=3 stride=2 pad=explicit pads=2,0,1,2 ceil=true", "1x2x7x42"),
    CLOSE("kernel=3,2 dilation=1,3 stride=1 count_include_pad=true",
          "1x2x6x35"),
    CLOSE("kernel=7,9 stride=3,1", "1x1x10x31"),
    CLOSE("kernel=5,3 stride=10", "1x1x22x33"),
    CLOSE("kernel=3 stride=2 pad=valid ceil=true", "1x1x8x10"),
    {.params = "kernel=3 stride=2",
     .inputs = "1x2x9x38",
     .flags = LAM_SAMPLE_EVAL},
    WRONG("kernel=5 pad=valid", "1x1x9x4", "reaches over 5 columns"),
    WRONG("kernel=2 pad=explicit pads=0,0,2,0", "1x1x4x4",
          "the window of row 2 of the result has nothing of the image"),
    WRONG("kernel=2 pads=1,1,1,1 pad=valid", "1x1x4x4",
          "only used with pad: explicit"),
    WRONG("kernel=2", "4x4", "wanted 4: [N, C, H, W]"),
    WRONG("kernel=2 indices=true", "1x1x4x4", "unknown parameter"),
    {0}};

static const struct lam_layer_type avgpool = {
    .name = "avgpool",
    .summary = "the mean of a window that slides over the image",
    .params = avgpool_params,
    .config_size = sizeof(struct avgpool_config),
    .state_size = sizeof(struct avgpool_state),
    .min_in = 1,
    .max_in = 1,
    .shape = avgpool_shape,
    .prepare = avgpool_prepare,
    .run = avgpool_run,
    .backward = avgpool_backward,
    .reference = avgpool_reference,
    .samples = avgpool_samples,
};

static const struct lam_layer_type *const layers[] = {&avgpool, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "avgpool",
    .version = "0.1",
    .layers = layers,
};
