// conv_transpose2d: y[n, k, i*sh + r*dh - top, j*sw + s*dw - left] +=
//     x[n,c,i,j] * weight[c,k,r,s], and bias[k] once
//
// x is [N, C, H, W], y [N, K, P, Q], weight [C, K / groups, R, S] (PyTorch's
// order). pad says what is cropped. same, as in TensorFlow: P = H * sh; valid:
// nothing is cropped; explicit: P = (H-1)*sh + (R-1)*dh + 1 - top - bottom. It
// is the adjoint of conv2d from y to x with this weight: y is the big image.
#include "conv.h"

#include <math.h>

struct axis {
    int before, out;
};

const int conv_makes = CONV_BIG;

static const char *const pads[] = {"same", "valid", "explicit", NULL};
static const char *const inits[] = LAM_INIT_NAMES;

static const struct lam_param conv_transpose2d_params[] = {
    CONV_PARAMS("same: size * stride results; valid: no crop; explicit", pads,
                inits),
    {"output_padding", LAM_PARAM_PAIR, CONV_OFFSET(output_padding), "0", 0, 254,
     NULL, "rows below and columns to the right to add", 0},
    {0}};

static int fail_output_padding(const struct lam_layer *layer, int i)
{
    const struct conv_config *config = layer->config;

    if (config->pad == CONV_SAME)
        return layer->host->fail(layer->host, LAM_EMODEL,
                                 "output_padding is not used with pad: same");
    return layer->host->fail(
        layer->host, LAM_EMODEL,
        "output_padding %d is not below the larger of stride %d and dilation "
        "%d",
        (int)config->output_padding[i], (int)config->stride[i],
        (int)config->dilation[i]);
}

static int conv_transpose2d_axis(const struct lam_layer *layer, int i,
                                 int64_t n, struct axis *axis)
{
    const struct conv_config *config = layer->config;
    const int64_t stride = config->stride[i], dilation = config->dilation[i];
    const int64_t extra = config->output_padding[i];
    const int64_t reach = (config->kernel[i] - 1) * dilation + 1;
    const int64_t over = reach > stride ? reach - stride : 0;
    int64_t before = 0, out = n * stride;

    if (extra && (config->pad == CONV_SAME ||
                  extra >= (stride > dilation ? stride : dilation)))
        return fail_output_padding(layer, i);
    if (config->pad == CONV_SAME) {
        before = over / 2;
    } else if (config->pad == CONV_VALID) {
        out += over + extra;
    } else {
        before = config->pads.v[i];
        out = (n - 1) * stride + reach - before - config->pads.v[i + 2] + extra;
    }
    if (out < 1 || out > 1 << 28)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "the result would have %lld %s",
                                 (long long)out, i ? "columns" : "rows");
    axis->before = (int)before;
    axis->out = (int)out;
    return LAM_OK;
}

int conv_geometry(const struct lam_layer *layer, const struct lam_shape *in,
                  struct conv_geometry *g)
{
    const struct conv_config *config = layer->config;
    struct axis down = {0}, across = {0};
    int err = conv_transpose2d_axis(layer, 0, in->dim[2], &down);

    if (!err)
        err = conv_transpose2d_axis(layer, 1, in->dim[3], &across);
    if (err)
        return err;
    *g = (struct conv_geometry){.n = (int)in->dim[0],
                                .groups = config->groups,
                                .c = config->filters,
                                .h = down.out,
                                .w = across.out,
                                .k = (int)in->dim[1],
                                .p = (int)in->dim[2],
                                .q = (int)in->dim[3],
                                .r = config->kernel[0],
                                .s = config->kernel[1],
                                .sh = config->stride[0],
                                .sw = config->stride[1],
                                .dh = config->dilation[0],
                                .dw = config->dilation[1],
                                .top = down.before,
                                .left = across.before,
                                .halves = lam_halves(in)};
    return LAM_OK;
}

static int conv_transpose2d_shape(const struct lam_layer *layer,
                                  struct lam_shapes *shapes)
{
    const struct conv_config *config = layer->config;
    struct conv_geometry g;
    double taps;
    int err = conv_check(layer, shapes);

    if (!err)
        err = conv_geometry(layer, &shapes->in[0], &g);
    if (err)
        return err;
    taps = (double)g.r * g.s / g.groups;
    shapes->n_out = 1;
    shapes->out[0] = (struct lam_shape){
        .dtype = shapes->in[0].dtype, .rank = 4, .dim = {g.n, g.c, g.h, g.w}};
    // A result has R*S / (sh*sw) taps per input channel, on average.
    conv_weights(config, shapes, false, taps * g.k / (g.sh * g.sw), taps * g.c);
    shapes->backward_in = 1;
    shapes->pitched_in = shapes->pitched_out = 1;
    shapes->backward_scratch = conv_plain_scratch(layer->host, &g);
    shapes->macs = taps * g.c * g.k * g.n * g.p * g.q;
    return LAM_OK;
}

// What x[n,c] at ij gives to y.
static void spread(const struct conv_geometry *g, const struct lam_ref *ref,
                   int n, int c, int ij)
{
    const int per_group = g->c / g->groups;
    const double x = ref->in[0][((int64_t)n * g->k + c) * g->p * g->q + ij];

    for (int k = 0; k < per_group; k++)
        for (int r = 0; r < g->r; r++)
            for (int s = 0; s < g->s; s++) {
                const int h = ij / g->q * g->sh + r * g->dh - g->top;
                const int w = ij % g->q * g->sw + s * g->dw - g->left;
                const int channel = c / (g->k / g->groups) * per_group + k;

                if (h >= 0 && h < g->h && w >= 0 && w < g->w)
                    ref->out[0]
                            [(((int64_t)n * g->c + channel) * g->h + h) * g->w +
                             w] +=
                        x *
                        ref->weight[0]
                                   [(((int64_t)c * per_group + k) * g->r + r) *
                                        g->s +
                                    s];
            }
}

static int conv_transpose2d_reference(const struct lam_layer *layer,
                                      const struct lam_ref *ref)
{
    const double *bias = ref->n_weight > 1 ? ref->weight[1] : NULL;
    struct conv_geometry g;
    const int err = conv_geometry(layer, &ref->in_shape[0], &g);

    if (err)
        return err;
    for (int64_t i = 0; i < (int64_t)g.n * g.c * g.h * g.w; i++)
        ref->out[0][i] = bias ? bias[i / g.w / g.h % g.c] : 0.0;
    for (int n = 0; n < g.n; n++)
        for (int c = 0; c < g.k; c++)
            for (int ij = 0; ij < g.p * g.q; ij++)
                spread(&g, ref, n, c, ij);
    for (int64_t i = 0; i < (int64_t)g.n * g.c * g.h * g.w; i++)
        ref->out[0][i] = fmax(ref->out[0][i], conv_least(layer));
    return LAM_OK;
}

#define EXACT (LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR)

static const struct lam_sample conv_transpose2d_samples[] = {
    {.params = "filters=3 kernel=4 stride=2",
     .inputs = "2x2x5x4",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "filters=3 kernel=4 stride=2",
     .inputs = "3x2x5x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=2",
     .inputs = "1x2x5x6",
     .flags = EXACT},
    {.params = "filters=3 kernel=2 stride=2",
     .inputs = "1x2x5x6",
     .flags = EXACT},
    {.params = "filters=2 kernel=2 stride=3",
     .inputs = "1x2x4x5",
     .flags = EXACT},
    {.params = "filters=2 kernel=5 stride=3",
     .inputs = "1x2x4x5",
     .flags = EXACT},
    {.params = "filters=2 kernel=4 stride=1",
     .inputs = "1x2x5x6",
     .flags = EXACT},
    {.params = "filters=1 kernel=1 stride=1",
     .inputs = "1x1x1x1",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "filters=2 kernel=1 stride=2 bias=false",
     .inputs = "1x3x3x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=1 dilation=2",
     .inputs = "1x2x7x6",
     .flags = EXACT},
    {.params = "filters=3 kernel=3,2 stride=2,3 dilation=3,2",
     .inputs = "2x2x5x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=2 pad=valid",
     .inputs = "1x2x5x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=2 pad=valid output_padding=1",
     .inputs = "1x2x5x4",
     .flags = EXACT},
    {.params = "filters=2 kernel=2 stride=4 pad=valid",
     .inputs = "1x2x3x2",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=2 pad=explicit pads=1,1,1,1 "
               "output_padding=1",
     .inputs = "1x2x5x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=4,3 stride=2,1 pad=explicit pads=0,2,1,0",
     .inputs = "1x2x5x6",
     .flags = EXACT},
    {.params = "filters=6 kernel=4 stride=2 groups=2",
     .inputs = "2x4x3x5",
     .flags = EXACT},
    {.params = "filters=5 kernel=3 stride=2 groups=5",
     .inputs = "1x5x4x5",
     .flags = EXACT},
    {.params = "filters=33 kernel=4 stride=2",
     .inputs = "1x17x6x30",
     .flags = EXACT},
    {.params = "filters=9 kernel=3 bias=false stride=2",
     .inputs = "1x33x9x10",
     .flags = LAM_SAMPLE_LINEAR},
    // Pairs of columns that a processor stores as one.
    {.params = "filters=4 kernel=2 stride=2",
     .inputs = "1x3x3x50",
     .flags = EXACT},
    {.params = "filters=2 kernel=8 stride=4",
     .inputs = "1x9x9x20",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 stride=2",
     .inputs = "1x2x5x4",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "filters=3 kernel=3 activation=relu",
     .inputs = "2x2x6x20",
     .flags = LAM_SAMPLE_EVAL | LAM_SAMPLE_EXACT},
    {.params = "filters=3 kernel=3 activation=relu", .inputs = "2x2x6x20"},
    {.params = "filters=3", .inputs = "1x2x5x4", .error = "kernel"},
    {.params = "filters=3 kernel=3",
     .inputs = "2x7x5",
     .error = "3 dimensions, wanted 4"},
    {.params = "filters=3 kernel=3 groups=2",
     .inputs = "1x2x7x5",
     .error = "3 filters cannot be cut into 2 groups"},
    {.params = "filters=3 kernel=3 pads=1,1,1,1",
     .inputs = "1x2x7x5",
     .error = "only used with pad: explicit"},
    {.params = "filters=3 kernel=3 pad=explicit pads=9,0,9,0",
     .inputs = "1x2x7x5",
     .error = "would have -9 rows"},
    {.params = "filters=3 kernel=3 stride=2 pad=valid output_padding=2",
     .inputs = "1x2x7x5",
     .error = "not below the larger of stride 2"},
    {.params = "filters=3 kernel=3 stride=2 output_padding=1",
     .inputs = "1x2x7x5",
     .error = "not used with pad: same"},
    {0}};

static const struct lam_layer_type conv_transpose2d = {
    .name = "conv_transpose2d",
    .summary = "transposed convolution: enlarges images",
    .params = conv_transpose2d_params,
    .config_size = sizeof(struct conv_config),
    .state_size = sizeof(struct conv_state),
    .min_in = 1,
    .max_in = 1,
    .shape = conv_transpose2d_shape,
    .prepare = conv_prepare,
    .run = conv_run,
    .backward = conv_backward,
    .variants = conv_variants,
    .reference = conv_transpose2d_reference,
    .samples = conv_transpose2d_samples,
};

static const struct lam_layer_type *const layers[] = {&conv_transpose2d, NULL};

static const struct lam_fusion fusions[] = {
    CONV_FOLD("conv_transpose2d", conv_fold_turned),
    CONV_TAKES_RELU("conv_transpose2d"),
    {0}};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "conv_transpose2d",
    .version = "0.1",
    .layers = layers,
    .fusions = fusions,
};
