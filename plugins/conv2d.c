// conv2d: y[n,k,p,q] = bias[k] + sum over c, r, s of
//     x[n, c, p*sh + r*dh - top, q*sw + s*dw - left] * weight[k,c,r,s]
//
// x is [N, C, H, W], y [N, K, P, Q], weight [K, C / groups, R, S]; c runs over
// the channels of k's group; groups: C makes it depthwise. pad: same is
// TensorFlow's: P = ceil(H / sh), and the odd row of zeros goes below.
#include "conv.h"

#include <math.h>

struct axis {
    int before, out;
};

const int conv_makes = CONV_SMALL;

static const char *const pads[] = {"same", "valid", "explicit", NULL};
static const char *const inits[] = LAM_INIT_NAMES;

static const struct lam_param conv2d_params[] = {
    CONV_PARAMS("same: ceil(size / stride) results; valid: no zeros; explicit",
                pads, inits),
    {0}};

static int conv2d_axis(const struct lam_layer *layer, int i, int64_t n,
                       struct axis *axis)
{
    const struct conv_config *config = layer->config;
    const int64_t stride = config->stride[i];
    const int64_t reach =
        (int64_t)(config->kernel[i] - 1) * config->dilation[i] + 1;
    int64_t before = 0, after = 0;

    if (config->pad == CONV_SAME) {
        const int64_t wanted = ((n + stride - 1) / stride - 1) * stride + reach;
        const int64_t total = wanted > n ? wanted - n : 0;

        before = total / 2;
        after = total - before;
    } else if (config->pad == CONV_EXPLICIT) {
        before = config->pads.v[i];
        after = config->pads.v[i + 2];
    }
    if (n + before + after < reach)
        return layer->host->fail(
            layer->host, LAM_ESHAPE,
            "the kernel reaches over %lld %s, but the padded image has %lld",
            (long long)reach, i ? "columns" : "rows",
            (long long)(n + before + after));
    axis->before = (int)before;
    axis->out = (int)((n + before + after - reach) / stride + 1);
    return LAM_OK;
}

int conv_geometry(const struct lam_layer *layer, const struct lam_shape *in,
                  struct conv_geometry *g)
{
    const struct conv_config *config = layer->config;
    struct axis down = {0}, across = {0};
    int err = conv2d_axis(layer, 0, in->dim[2], &down);

    if (!err)
        err = conv2d_axis(layer, 1, in->dim[3], &across);
    if (err)
        return err;
    *g = (struct conv_geometry){.n = (int)in->dim[0],
                                .groups = config->groups,
                                .c = (int)in->dim[1],
                                .h = (int)in->dim[2],
                                .w = (int)in->dim[3],
                                .k = config->filters,
                                .p = down.out,
                                .q = across.out,
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

static int conv2d_shape(const struct lam_layer *layer,
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
        .dtype = shapes->in[0].dtype, .rank = 4, .dim = {g.n, g.k, g.p, g.q}};
    conv_weights(config, shapes, true, taps * g.c, taps * g.k);
    shapes->backward_in = 1;
    shapes->pitched_in = shapes->pitched_out = 1;
    shapes->backward_scratch = conv_plain_scratch(layer->host, &g);
    shapes->macs = taps * g.c * g.k * g.n * g.p * g.q;
    return LAM_OK;
}

static double tap(const struct conv_geometry *g, const double *x,
                  const double *weight, int k, const int at[5])
{
    const int n = at[0], c = at[1], r = at[3], s = at[4];
    const int h = at[2] / g->q * g->sh + r * g->dh - g->top;
    const int w = at[2] % g->q * g->sw + s * g->dw - g->left;
    const int per_group = g->c / g->groups;
    const int64_t channel =
        (int64_t)n * g->c + k / (g->k / g->groups) * per_group + c;

    if (h < 0 || h >= g->h || w < 0 || w >= g->w)
        return 0.0;
    return x[(channel * g->h + h) * g->w + w] *
           weight[(((int64_t)k * per_group + c) * g->r + r) * g->s + s];
}

static int conv2d_reference(const struct lam_layer *layer,
                            const struct lam_ref *ref)
{
    const double *bias = ref->n_weight > 1 ? ref->weight[1] : NULL;
    struct conv_geometry g;
    double *y = ref->out[0];
    const int err = conv_geometry(layer, &ref->in_shape[0], &g);

    if (err)
        return err;
    for (int n = 0; n < g.n; n++)
        for (int k = 0; k < g.k; k++)
            for (int pq = 0; pq < g.p * g.q; pq++) {
                double sum = bias ? bias[k] : 0.0;

                for (int c = 0; c < g.c / g.groups; c++)
                    for (int r = 0; r < g.r; r++)
                        for (int s = 0; s < g.s; s++)
                            sum += tap(&g, ref->in[0], ref->weight[0], k,
                                       (const int[]){n, c, pq, r, s});
                *y++ = fmax(sum, conv_least(layer));
            }
    return LAM_OK;
}

#define EXACT (LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR)

static const struct lam_sample conv2d_samples[] = {
    {.params = "filters=3 kernel=3",
     .inputs = "2x2x7x5",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "filters=3 kernel=3", .inputs = "3x2x9x11", .flags = EXACT},
    {.params = "filters=1 kernel=1",
     .inputs = "1x1x1x1",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "filters=9 kernel=1", .inputs = "2x7x5x6", .flags = EXACT},
    {.params = "filters=2 kernel=1 stride=2 bias=false",
     .inputs = "1x3x7x8",
     .flags = EXACT},
    {.params = "filters=5 kernel=3,5 stride=2,1",
     .inputs = "1x3x12x9",
     .flags = EXACT},
    {.params = "filters=4 kernel=3 stride=2",
     .inputs = "1x1x16x50",
     .flags = EXACT},
    {.params = "filters=4 kernel=3 stride=2",
     .inputs = "3x3x9x13",
     .flags = EXACT},
    {.params = "filters=3 kernel=4", .inputs = "1x2x8x9", .flags = EXACT},
    {.params = "filters=3 kernel=4 stride=2",
     .inputs = "1x2x9x8",
     .flags = EXACT},
    {.params = "filters=2 kernel=2,3 stride=3",
     .inputs = "1x2x10x11",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 dilation=2",
     .inputs = "1x4x10x9",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 dilation=8",
     .inputs = "1x2x10x9",
     .flags = EXACT},
    {.params = "filters=3 kernel=3,2 dilation=2,3 stride=2,3",
     .inputs = "2x2x13x14",
     .flags = EXACT},
    {.params = "filters=2 kernel=3 dilation=2 stride=2 pad=valid",
     .inputs = "1x2x11x12",
     .flags = EXACT},
    {.params = "filters=6 kernel=3 groups=3",
     .inputs = "2x6x6x7",
     .flags = EXACT},
    {.params = "filters=5 kernel=3 groups=5",
     .inputs = "1x5x8x9",
     .flags = EXACT},
    {.params = "filters=10 kernel=3 groups=5 stride=2",
     .inputs = "1x5x8x9",
     .flags = EXACT},
    {.params = "filters=32 kernel=3 groups=2",
     .inputs = "1x24x6x9",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 pad=valid",
     .inputs = "1x2x3x3",
     .flags = EXACT},
    {.params = "filters=3 kernel=5 pad=valid bias=false",
     .inputs = "1x2x9x17",
     .flags = EXACT},
    {.params = "filters=2 kernel=5 pad=explicit pads=2,2,2,2",
     .inputs = "1x2x3x3",
     .flags = EXACT},
    {.params = "filters=2 kernel=3 pad=explicit pads=0,2,1,0",
     .inputs = "2x3x6x5",
     .flags = EXACT},
    {.params = "filters=2 kernel=2 pad=explicit pads=3,0,0,3 stride=2",
     .inputs = "1x2x5x5",
     .flags = EXACT},
    {.params = "filters=2 kernel=3,7", .inputs = "1x2x1x60", .flags = EXACT},
    {.params = "filters=2 kernel=7,3", .inputs = "1x2x60x1", .flags = EXACT},
    // More tiles than winograd_gpu holds at once.
    {.params = "filters=16 kernel=3 groups=16",
     .inputs = "1x16x58x59",
     .flags = EXACT},
    {.params = "filters=33 kernel=3", .inputs = "1x17x6x50", .flags = EXACT},
    {.params = "filters=17 kernel=3 bias=false",
     .inputs = "1x33x12x13",
     .flags = LAM_SAMPLE_LINEAR},
    {.params = "filters=2 kernel=3", .inputs = "1x20x24x70", .flags = EXACT},
    {.params = "filters=2 kernel=3", .inputs = "1x2x70x21", .flags = EXACT},
    {.params = "filters=70 kernel=1", .inputs = "1x9x21x33", .flags = EXACT},
    {.params = "filters=2 kernel=1", .inputs = "2x5x9x30", .flags = EXACT},
    {.params = "filters=3 kernel=3",
     .inputs = "1x2x7x5",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "filters=3 kernel=3 activation=relu",
     .inputs = "2x2x6x20",
     .flags = LAM_SAMPLE_EVAL | LAM_SAMPLE_EXACT},
    {.params = "filters=3 kernel=3 activation=relu", .inputs = "2x2x6x20"},
    {.params = "filters=3", .inputs = "1x2x7x5", .error = "kernel"},
    {.params = "filters=0 kernel=3", .inputs = "1x2x7x5", .error = "filters"},
    {.params = "filters=3 kernel=3",
     .inputs = "2x7x5",
     .error = "3 dimensions, wanted 4"},
    {.params = "filters=3 kernel=3 groups=2",
     .inputs = "1x2x7x5",
     .error = "3 filters cannot be cut into 2 groups"},
    {.params = "filters=4 kernel=3 groups=2",
     .inputs = "1x3x7x5",
     .error = "3 input channels cannot be cut into 2 groups"},
    {.params = "filters=3 kernel=5 pad=valid",
     .inputs = "1x2x7x4",
     .error = "reaches over 5 columns, but the padded image has 4"},
    {.params = "filters=3 kernel=3 dilation=3 pad=valid",
     .inputs = "1x2x6x9",
     .error = "reaches over 7 rows, but the padded image has 6"},
    {.params = "filters=3 kernel=3 pads=1,1,1,1",
     .inputs = "1x2x7x5",
     .error = "only used with pad: explicit"},
    {.params = "filters=3 kernel=3 pad=explicit pads=1,1",
     .inputs = "1x2x7x5",
     .error = "found 2 numbers"},
    {0}};

static const struct lam_layer_type conv2d = {
    .name = "conv2d",
    .summary = "convolution of images, with bias",
    .params = conv2d_params,
    .config_size = sizeof(struct conv_config),
    .state_size = sizeof(struct conv_state),
    .min_in = 1,
    .max_in = 1,
    .shape = conv2d_shape,
    .prepare = conv_prepare,
    .run = conv_run,
    .backward = conv_backward,
    .variants = conv_variants,
    .reference = conv2d_reference,
    .samples = conv2d_samples,
};

static const struct lam_layer_type *const layers[] = {&conv2d, NULL};

static const struct lam_fusion fusions[] = {
    CONV_FOLD("conv2d", conv_fold), CONV_TAKES_RELU("conv2d"), {0}};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "conv2d",
    .version = "0.1",
    .layers = layers,
    .fusions = fusions,
};
