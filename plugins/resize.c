// resize: y[n, c, o] = x[n, c] sampled at the coordinate of o, per axis:
//
//   half_pixel          (o + 1/2) in / out - 1/2
//   asymmetric          o in / out
//   align_corners       o (in - 1) / (out - 1), 0 where out is 1
//   pytorch_half_pixel  half_pixel, 0 where out is 1
//
// (ONNX Resize's names.) Coordinates are ratios of whole numbers and computed
// as such, so that no rounding of a device decides which pixel is nearest.
// Bilinear clamps at the border; nothing is smoothed when shrinking.
#include <stdio.h>

#include "flat.h"
#include "resize.cl.h"

enum { NEAREST, BILINEAR };
enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, PYTORCH_HALF_PIXEL };
enum { ROUND_AUTO, FLOOR, CEIL, PREFER_FLOOR, PREFER_CEIL };

struct resize_config {
    int32_t scale[2], size[2];
    int32_t mode, coordinates, rounding;
};

struct resize_state {
    struct lam_kernel *forward, *backward;
};

static const char *const modes[] = {"nearest", "bilinear", NULL};
static const char *const coordinate_names[] = {
    "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", NULL};
static const char *const roundings[] = {
    "auto", "floor", "ceil", "round_prefer_floor", "round_prefer_ceil", NULL};

static const struct lam_param resize_params[] = {
    {"scale", LAM_PARAM_PAIR, offsetof(struct resize_config, scale), "0", 0,
     1024, NULL, "whole factor, height and width", 0},
    {"size", LAM_PARAM_PAIR, offsetof(struct resize_config, size), "0", 0,
     1 << 20, NULL, "output height and width, instead of scale", 0},
    {"mode", LAM_PARAM_CHOICE, offsetof(struct resize_config, mode), "nearest",
     0, 0, modes, "how values between pixels are made", 0},
    {"coordinates", LAM_PARAM_CHOICE,
     offsetof(struct resize_config, coordinates), "half_pixel", 0, 0,
     coordinate_names, "where an output pixel lies in the input", 0},
    {"rounding", LAM_PARAM_CHOICE, offsetof(struct resize_config, rounding),
     "auto", 0, 0, roundings,
     "nearest: which pixel; auto: the one that holds the output's centre for "
     "half_pixel, floor for asymmetric, round for align_corners",
     0},
    {0}};

// A coordinate as whole / den, den > 0.
struct ratio {
    int64_t num, den;
};

static struct ratio coordinate(int mode, int64_t o, int64_t in, int64_t out)
{
    switch (mode) {
    case ASYMMETRIC:
        return (struct ratio){o * in, out};
    case ALIGN_CORNERS:
        return out == 1 ? (struct ratio){0, 1}
                        : (struct ratio){o * (in - 1), out - 1};
    case PYTORCH_HALF_PIXEL:
        if (out == 1)
            return (struct ratio){0, 1};
        break;
    default:
        break;
    }
    return (struct ratio){(2 * o + 1) * in - out, 2 * out};
}

static int resize_shape(const struct lam_layer *layer,
                        struct lam_shapes *shapes)
{
    const struct resize_config *config = layer->config;
    const struct lam_host *host = layer->host;

    if (shapes->in[0].rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "wants images [N, C, H, W], found rank %d",
                          shapes->in[0].rank);
    if (!config->scale[0] != !config->scale[1] ||
        !config->size[0] != !config->size[1])
        return host->fail(host, LAM_EMODEL,
                          "'scale' and 'size' want height and width above 0");
    if ((config->scale[0] == 0) == (config->size[0] == 0))
        return host->fail(host, LAM_EMODEL,
                          "wants either 'scale' or 'size', not %s",
                          config->scale[0] ? "both" : "neither");
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    shapes->pitched_out = 1;
    shapes->out[0] = shapes->in[0];
    for (int d = 0; d < 2; d++)
        shapes->out[0].dim[2 + d] =
            config->size[0] ? config->size[d]
                            : shapes->in[0].dim[2 + d] * config->scale[d];
    return LAM_OK;
}

static int rounding_of(const struct resize_config *config)
{
    if (config->rounding != ROUND_AUTO)
        return config->rounding;
    return config->coordinates == ALIGN_CORNERS ? PREFER_FLOOR
           : config->coordinates == ASYMMETRIC  ? FLOOR
                                                : PREFER_CEIL;
}

static int resize_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct resize_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct resize_state *state = layer->state;
    const char *const forward[] = {"resize_nearest", "resize_bilinear"};
    const char *const backward[] = {"resize_nearest_backward",
                                    "resize_bilinear_backward"};
    const int64_t *in = io->in[0].shape.dim, *out = io->out[0].shape.dim;
    // The largest number that arises is 4 * in * out, about.
    const bool is_small = (in[2] + 4) * (out[2] + 4) < INT32_MAX / 4 &&
                          (in[3] + 4) * (out[3] + 4) < INT32_MAX / 4;
    char options[60];
    int err;

    snprintf(options, sizeof(options), "-DINDEX=%s -DINDEX2=%s2%s",
             is_small ? "int" : "long", is_small ? "int" : "long",
             lam_halves(&io->in[0].shape));
    err = host->kernel(host, resize_cl, forward[config->mode], options,
                       &state->forward);

    if (!err)
        err = host->kernel(host, resize_cl, backward[config->mode], options,
                           &state->backward);
    return err;
}

static int resize_launch(struct lam_layer *layer, struct lam_kernel *kernel,
                         const struct lam_tensor *src,
                         const struct lam_tensor *dst,
                         const struct lam_shape *in, const struct lam_tensor *y)
{
    const struct resize_config *config = layer->config;
    const struct flat cut =
        flat_cut_rows(layer->host, dst->shape.dim[3], dst->shape.dim[2],
                      in->dim[0] * in->dim[1]);
    const struct lam_arg args[] = {LAM_ARG_TENSOR(src),
                                   LAM_ARG_TENSOR(dst),
                                   LAM_ARG_INT(in->dim[2]),
                                   LAM_ARG_INT(in->dim[3]),
                                   LAM_ARG_INT(y->shape.dim[2]),
                                   LAM_ARG_INT(y->shape.dim[3]),
                                   LAM_ARG_INT(in->dim[1]),
                                   LAM_ARG_LONG(lam_pitch(y)),
                                   LAM_ARG_INT(config->coordinates),
                                   LAM_ARG_INT(rounding_of(config)),
                                   LAM_ARG_INT(cut.chunk)};

    return layer->host->launch(layer->host, kernel, args, 11, cut.global,
                               cut.local);
}

static int resize_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct resize_state *state = layer->state;

    return resize_launch(layer, state->forward, &io->in[0], &io->out[0],
                         &io->in[0].shape, &io->out[0]);
}

static int resize_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct resize_state *state = layer->state;

    return resize_launch(layer, state->backward, &io->d_out[0], &io->d_in[0],
                         &io->in[0].shape, &io->d_out[0]);
}

static int64_t floor_div(int64_t a, int64_t b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

static int64_t nearest_of(const struct resize_config *config, int64_t o,
                          int64_t in, int64_t out)
{
    const struct ratio x = coordinate(config->coordinates, o, in, out);
    int64_t i;

    switch (rounding_of(config)) {
    case FLOOR:
        i = floor_div(x.num, x.den);
        break;
    case CEIL:
        i = -floor_div(-x.num, x.den);
        break;
    case PREFER_FLOOR:
        i = -floor_div(-(2 * x.num - x.den), 2 * x.den);
        break;
    default:
        i = floor_div(2 * x.num + x.den, 2 * x.den);
    }
    return i < 0 ? 0 : i >= in ? in - 1 : i;
}

// Weight of input i in output o.
static double weight_of(const struct resize_config *config, int64_t i,
                        int64_t o, int64_t in, int64_t out)
{
    struct ratio x;
    int64_t low, high;
    double t;

    if (config->mode == NEAREST)
        return nearest_of(config, o, in, out) == i;
    x = coordinate(config->coordinates, o, in, out);
    low = floor_div(x.num, x.den);
    t = (double)(x.num - low * x.den) / (double)x.den;
    high = low + 1;
    low = low < 0 ? 0 : low >= in ? in - 1 : low;
    high = high < 0 ? 0 : high >= in ? in - 1 : high;
    return (low == i ? 1.0 - t : 0.0) + (high == i ? t : 0.0);
}

static int resize_reference(const struct lam_layer *layer,
                            const struct lam_ref *ref)
{
    const struct resize_config *config = layer->config;
    const int64_t *in = ref->in_shape[0].dim, *out = ref->out_shape[0].dim;

    for (int64_t plane = 0; plane < in[0] * in[1]; plane++)
        for (int64_t oy = 0; oy < out[2]; oy++)
            for (int64_t ox = 0; ox < out[3]; ox++) {
                double sum = 0.0;

                for (int64_t y = 0; y < in[2]; y++) {
                    const double wy = weight_of(config, y, oy, in[2], out[2]);

                    for (int64_t x = 0; x < in[3] && wy != 0.0; x++)
                        sum += wy * weight_of(config, x, ox, in[3], out[3]) *
                               ref->in[0][(plane * in[2] + y) * in[3] + x];
                }
                ref->out[0][(plane * out[2] + oy) * out[3] + ox] = sum;
            }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample resize_samples[] = {
    {.params = "scale=2", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "scale=4", .inputs = "1x2x3x5", .flags = BOTH},
    {.params = "scale=3,1", .inputs = "1x2x3x1", .flags = BOTH},
    {.params = "scale=2 coordinates=asymmetric",
     .inputs = "3x1x4x4",
     .flags = BOTH},
    {.params = "size=7,3 coordinates=align_corners",
     .inputs = "1x2x3x9",
     .flags = BOTH},
    {.params = "size=5,13 rounding=round_prefer_floor",
     .inputs = "1x2x11x6",
     .flags = BOTH},
    {.params = "size=5,13 rounding=floor", .inputs = "1x2x11x6", .flags = BOTH},
    {.params = "size=9,4 rounding=ceil coordinates=asymmetric",
     .inputs = "1x2x4x9",
     .flags = BOTH},
    {.params = "size=1,1 coordinates=pytorch_half_pixel",
     .inputs = "1x2x5x6",
     .flags = BOTH},
    {.params = "scale=2 mode=bilinear",
     .inputs = "2x3x5x7",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "scale=4 mode=bilinear",
     .inputs = "1x1x1x3",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "scale=2 mode=bilinear coordinates=asymmetric",
     .inputs = "1x2x5x4",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "size=13,5 mode=bilinear coordinates=align_corners",
     .inputs = "1x2x5x9",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "size=1,7 mode=bilinear coordinates=pytorch_half_pixel",
     .inputs = "1x2x5x3",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "size=3,3 mode=bilinear",
     .inputs = "1x1x10x10",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "", .inputs = "1x1x2x2", .error = "not neither"},
    {.params = "scale=2,0", .inputs = "1x1x2x2", .error = "above 0"},
    {.params = "size=0,5", .inputs = "1x1x2x2", .error = "above 0"},
    {.params = "scale=2 size=4", .inputs = "1x1x2x2", .error = "not both"},
    {.params = "scale=2 mode=biliner",
     .inputs = "1x1x2x2",
     .error = "did you mean 'bilinear'"},
    {0}};

static const struct lam_layer_type resize = {
    .name = "resize",
    .summary = "images made larger or smaller, nearest or bilinear",
    .params = resize_params,
    .config_size = sizeof(struct resize_config),
    .state_size = sizeof(struct resize_state),
    .min_in = 1,
    .max_in = 1,
    .shape = resize_shape,
    .prepare = resize_prepare,
    .run = resize_run,
    .backward = resize_backward,
    .reference = resize_reference,
    .samples = resize_samples,
};

static const struct lam_layer_type *const layers[] = {&resize, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "resize",
    .version = "0.1",
    .layers = layers,
};
