// upsample_conv2d: nearest enlargement by whole factors, then a convolution of
// stride 1, without the enlarged image (see upsample_conv2d.cl). The fast
// variants are those of a transposed convolution by the widened weight: with
// factor 2 each result has 4 taps of a 3x3 kernel instead of 9, with factor 4
// on average 2.25.
#include "conv.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "upsample_conv2d.cl.h"

struct upsample_config {
    struct conv_config conv;
    int32_t scale[2];
};

struct upsample_state {
    struct conv_state conv; // stays first: conv_layer.c knows it
    struct lam_kernel *run, *data, *weight, *widen, *fold;
};

// The result is the big image of the transposed convolution.
const int conv_makes = CONV_BIG;

static const char *const pads[] = {"same", "valid", "explicit", NULL};
static const char *const inits[] = LAM_INIT_NAMES;

static const struct lam_param upsample_params[] = {
    CONV_PARAMS("same: as many results as enlarged pixels; valid; explicit",
                pads, inits),
    {"scale", LAM_PARAM_PAIR, offsetof(struct upsample_config, scale), "2", 1,
     64, NULL, "factors of the enlargement, height and width", 0},
    {0}};

static int upsample_axis(const struct lam_layer *layer, int i, int64_t n,
                         int *top, int *out)
{
    const struct upsample_config *config = layer->config;
    const int64_t kernel = config->conv.kernel[i], large = n * config->scale[i];
    int64_t before = 0, after = 0;

    if (config->conv.pad == CONV_SAME) {
        before = (kernel - 1) / 2;
        after = kernel - 1 - before;
    } else if (config->conv.pad == CONV_EXPLICIT) {
        before = config->conv.pads.v[i];
        after = config->conv.pads.v[i + 2];
    }
    if (before >= kernel || after >= kernel)
        return layer->host->fail(
            layer->host, LAM_ESHAPE,
            "%lld %s of zeros, wanted fewer than the kernel has (%lld)",
            (long long)(before > after ? before : after),
            i ? "columns" : "rows", (long long)kernel);
    if (large + before + after < kernel)
        return layer->host->fail(
            layer->host, LAM_ESHAPE,
            "the kernel reaches over %lld %s, but the padded image has %lld",
            (long long)kernel, i ? "columns" : "rows",
            (long long)(large + before + after));
    *top = (int)before;
    *out = (int)(large + before + after - kernel + 1);
    return LAM_OK;
}

// Of the transposed convolution: k and c are its input and output channels.
int conv_geometry(const struct lam_layer *layer, const struct lam_shape *in,
                  struct conv_geometry *g)
{
    const struct upsample_config *config = layer->config;
    int before[2] = {0}, out[2] = {0};
    int err = upsample_axis(layer, 0, in->dim[2], &before[0], &out[0]);

    if (!err)
        err = upsample_axis(layer, 1, in->dim[3], &before[1], &out[1]);
    if (err)
        return err;
    *g = (struct conv_geometry){
        .n = (int)in->dim[0],
        .groups = config->conv.groups,
        .c = config->conv.filters,
        .h = out[0],
        .w = out[1],
        .k = (int)in->dim[1],
        .p = (int)in->dim[2],
        .q = (int)in->dim[3],
        .r = config->conv.kernel[0] + config->scale[0] - 1,
        .s = config->conv.kernel[1] + config->scale[1] - 1,
        .sh = config->scale[0],
        .sw = config->scale[1],
        .dh = 1,
        .dw = 1,
        .top = config->conv.kernel[0] - 1 - before[0],
        .left = config->conv.kernel[1] - 1 - before[1],
        .halves = lam_halves(in)};
    return LAM_OK;
}

static int check(const struct lam_layer *layer, const struct lam_shapes *shapes)
{
    const struct upsample_config *config = layer->config;

    for (int i = 0; i < 2; i++)
        if (config->conv.stride[i] != 1 || config->conv.dilation[i] != 1)
            return layer->host->fail(layer->host, LAM_EMODEL,
                                     "stride and dilation are 1 here");
    return conv_check(layer, shapes);
}

static int upsample_shape(const struct lam_layer *layer,
                          struct lam_shapes *shapes)
{
    const struct upsample_config *config = layer->config;
    struct conv_geometry g;
    double taps;
    int err = check(layer, shapes);

    if (!err)
        err = conv_geometry(layer, &shapes->in[0], &g);
    if (err)
        return err;
    taps = (double)config->conv.kernel[0] * config->conv.kernel[1] / g.groups;
    shapes->n_out = 1;
    shapes->out[0] = (struct lam_shape){
        .dtype = shapes->in[0].dtype, .rank = 4, .dim = {g.n, g.c, g.h, g.w}};
    conv_weights(&config->conv, shapes, true, taps * g.k, taps * g.c);
    shapes->backward_in = 1;
    shapes->pitched_in = shapes->pitched_out = 1;
    shapes->backward_scratch = conv_plain_scratch(layer->host, &g);
    shapes->macs = (double)g.r * g.s / g.groups * g.k * g.c * g.n * g.p * g.q;
    return LAM_OK;
}

// Bytes of the widened weight.
static int64_t widened_bytes(const struct lam_layer *layer,
                             const struct conv_geometry *g)
{
    return (int64_t)g->k * (g->c / g->groups) * g->r * g->s *
           (layer->host->real == LAM_F64 ? 8 : 4);
}

static struct lam_tensor widened_in(const struct lam_layer *layer,
                                    const struct conv_geometry *g, void *buffer)
{
    return (struct lam_tensor){
        .shape = {.dtype = layer->host->real,
                  .rank = 4,
                  .dim = {g->k, g->c / g->groups, g->r, g->s}},
        .buffer = buffer};
}

// upsample_widen and upsample_fold have the same arguments.
static int launch_weight(const struct lam_layer *layer,
                         struct lam_kernel *kernel, const struct lam_tensor *in,
                         const struct lam_tensor *out)
{
    const struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const int kg = g->c / g->groups;
    const size_t global[3] = {(size_t)((kg + 31) / 32), (size_t)g->k, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(in), LAM_ARG_TENSOR(out),
                                   LAM_ARG_INT(g->k / g->groups),
                                   LAM_ARG_INT(kg)};

    return layer->host->launch(layer->host, kernel, args, 4, global, NULL);
}

static int prepare_weight(struct lam_layer *layer)
{
    const struct upsample_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct upsample_state *state = layer->state;
    char options[120];
    int err;

    snprintf(options, sizeof(options),
             "-DKERNEL_Y=%d -DKERNEL_X=%d -DSCALE_Y=%d -DSCALE_X=%d",
             config->conv.kernel[0], config->conv.kernel[1], config->scale[0],
             config->scale[1]);
    err = host->kernel(host, upsample_conv2d_cl, "upsample_widen", options,
                       &state->widen);
    return err ? err
               : host->kernel(host, upsample_conv2d_cl, "upsample_fold",
                              options, &state->fold);
}

static int upsample_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const int err = conv_prepare(layer, io);

    return err ? err : prepare_weight(layer);
}

// The plain kernels, built by the first pass that no variant serves. args has
// room for more behind the n of each kernel: the sizes, and the pitches of x
// and y or of their gradients.
enum { PLAIN_ARGS = 21 };

static int launch_plain(const struct lam_layer *layer, const char *name,
                        struct lam_kernel **kernel, struct lam_arg *args, int n,
                        const struct lam_tensor *x, const struct lam_tensor *y,
                        const size_t global[3])
{
    const struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const int64_t sizes[] = {g->n,
                             g->groups,
                             g->k / g->groups,
                             g->p,
                             g->q,
                             g->c / g->groups,
                             g->h,
                             g->w,
                             g->r - g->sh + 1,
                             g->s - g->sw + 1,
                             g->sh,
                             g->sw,
                             g->r - g->sh - g->top,
                             g->s - g->sw - g->left,
                             lam_pitch(x),
                             lam_pitch(y)};
    int err = LAM_OK;

    if (!*kernel)
        err = layer->host->kernel(layer->host, upsample_conv2d_cl, name,
                                  g->halves, kernel);
    if (err)
        return err;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        args[n++] = (struct lam_arg)LAM_ARG_INT(sizes[i]);
    return layer->host->launch(layer->host, *kernel, args, n, global, NULL);
}

static int upsample_run(struct lam_layer *layer, const struct lam_io *io)
{
    struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const size_t global[3] = {(size_t)g->w, (size_t)g->h,
                              (size_t)g->n * (size_t)g->c};
    const struct lam_tensor *bias = io->n_weight > 1 ? &io->weight[1] : NULL;
    struct lam_arg args[PLAIN_ARGS] = {
        LAM_ARG_TENSOR(&io->in[0]), LAM_ARG_TENSOR(&io->weight[0]),
        LAM_ARG_TENSOR(bias), LAM_ARG_REAL(conv_least(layer)),
        LAM_ARG_TENSOR(&io->out[0])};

    return launch_plain(layer, "upsample_run", &state->run, args, 5, &io->in[0],
                        &io->out[0], global);
}

static int upsample_data(struct lam_layer *layer, const struct lam_io *io)
{
    struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const size_t global[3] = {(size_t)g->q, (size_t)g->p,
                              (size_t)g->n * (size_t)g->k};
    struct lam_arg args[PLAIN_ARGS] = {LAM_ARG_TENSOR(&io->d_out[0]),
                                       LAM_ARG_TENSOR(&io->weight[0]),
                                       LAM_ARG_TENSOR(&io->d_in[0])};
    const int err = launch_plain(layer, "upsample_data", &state->data, args, 3,
                                 &io->d_in[0], &io->d_out[0], global);

    return err ? err : conv_plain_gate(layer->host, &state->conv.plain, io);
}

static int upsample_weight(struct lam_layer *layer, const struct lam_io *io)
{
    struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const size_t global[3] = {(size_t)(g->r - g->sh + 1) *
                                  (size_t)(g->s - g->sw + 1),
                              (size_t)(g->k / g->groups), (size_t)g->c};
    struct lam_arg args[PLAIN_ARGS] = {LAM_ARG_TENSOR(&io->in[0]),
                                       LAM_ARG_TENSOR(&io->d_out[0]),
                                       LAM_ARG_TENSOR(&io->d_weight[0])};

    return launch_plain(layer, "upsample_weight", &state->weight, args, 3,
                        &io->in[0], &io->d_out[0], global);
}

static int upsample_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct upsample_state *state = layer->state;
    int err = LAM_OK;

    if (io->d_in[0].buffer)
        err = upsample_data(layer, io);
    if (!err && io->d_weight[0].buffer)
        err = upsample_weight(layer, io);
    if (!err && io->n_weight > 1 && io->d_weight[1].buffer)
        err = conv_plain_bias(layer->host, &state->conv.plain, &io->d_out[0],
                              &io->scratch, &io->d_weight[1]);
    return err;
}

// The transposed convolution's variant of this name and pass.
static const struct lam_variant *variant_of(const char *name, int pass)
{
    const struct lam_variant *v = conv_variants;

    while (v->name && (v->pass != pass || strcmp(v->name, name) != 0))
        v++;
    return v;
}

// Room for the widened weight: in scratch where persist holds it packed, else
// in persist.
static void workspace(const char *name, int pass, const struct lam_layer *layer,
                      const struct lam_shapes *shapes, int64_t *scratch,
                      int64_t *persist)
{
    const struct lam_variant *v = variant_of(name, pass);
    struct conv_geometry g;
    int64_t bytes;

    if (conv_geometry(layer, &shapes->in[0], &g))
        return;
    if (v->workspace)
        v->workspace(layer, shapes, scratch, persist);
    bytes = widened_bytes(layer, &g);
    if (*persist == 0)
        *persist = bytes;
    else if (*scratch < bytes)
        *scratch = bytes;
}

// Forward and data gradient read the widened weight, the weight's gradient is
// made for it and folded.
static int run_variant(const char *name, int pass, struct lam_layer *layer,
                       const struct lam_io *io)
{
    const struct upsample_state *state = layer->state;
    const struct conv_geometry *g = &state->conv.geometry;
    const bool is_packed =
        (strcmp(name, "direct") == 0 || strcmp(name, "phases") == 0) &&
        pass != LAM_PASS_BACKWARD_WEIGHT;
    const struct lam_tensor widened = widened_in(
        layer, g, is_packed ? io->scratch.buffer : io->persist.buffer);
    struct lam_tensor weight[2] = {io->weight[0]}, d_weight[2];
    struct lam_io wide = *io;
    int err = LAM_OK;

    if (io->n_weight > 1)
        weight[1] = io->weight[1];
    wide.weight = weight;
    if (pass != LAM_PASS_BACKWARD_WEIGHT) {
        weight[0] = widened;
        if (!is_packed ||
            state->conv.direct[pass].packed != io->weights_version)
            err = launch_weight(layer, state->widen, &io->weight[0], &widened);
        return err ? err : variant_of(name, pass)->run(layer, &wide);
    }
    memcpy(d_weight, io->d_weight, sizeof(*d_weight) * (size_t)io->n_weight);
    wide.d_weight = d_weight;
    if (d_weight[0].buffer)
        d_weight[0] = widened;
    err = variant_of(name, pass)->run(layer, &wide);
    if (!err && io->d_weight[0].buffer)
        err = launch_weight(layer, state->fold, &widened, &io->d_weight[0]);
    return err;
}

// One variant of one pass: its callbacks, which have no room for a name.
#define CALLBACKS(name, pass, id)                                              \
    static int id##_score(const struct lam_layer *layer,                       \
                          const struct lam_shapes *shapes)                     \
    {                                                                          \
        return variant_of(name, pass)->score(layer, shapes);                   \
    }                                                                          \
    static void id##_workspace(const struct lam_layer *layer,                  \
                               const struct lam_shapes *shapes,                \
                               int64_t *scratch, int64_t *persist)             \
    {                                                                          \
        workspace(name, pass, layer, shapes, scratch, persist);                \
    }                                                                          \
    static int id##_prepare(struct lam_layer *layer, const struct lam_io *io)  \
    {                                                                          \
        return variant_of(name, pass)->prepare(layer, io);                     \
    }                                                                          \
    static int id##_run(struct lam_layer *layer, const struct lam_io *io)      \
    {                                                                          \
        return run_variant(name, pass, layer, io);                             \
    }

CALLBACKS("direct", LAM_PASS_RUN, direct_forward)
CALLBACKS("direct", LAM_PASS_BACKWARD_DATA, direct_data)
CALLBACKS("direct", LAM_PASS_BACKWARD_WEIGHT, direct_weight)
CALLBACKS("phases", LAM_PASS_RUN, phases_forward)
CALLBACKS("phases", LAM_PASS_BACKWARD_DATA, phases_data)
CALLBACKS("phases", LAM_PASS_BACKWARD_WEIGHT, phases_weight)
CALLBACKS("implicit", LAM_PASS_RUN, implicit_forward)
CALLBACKS("implicit", LAM_PASS_BACKWARD_DATA, implicit_data)
CALLBACKS("implicit", LAM_PASS_BACKWARD_WEIGHT, implicit_weight)
CALLBACKS("gemm", LAM_PASS_RUN, gemm_forward)
CALLBACKS("gemm", LAM_PASS_BACKWARD_DATA, gemm_data)
CALLBACKS("gemm", LAM_PASS_BACKWARD_WEIGHT, gemm_weight)

#define ROW(name, pass, id, summary, flags)                                    \
    {                                                                          \
        name, pass, summary, id##_score, id##_workspace, id##_prepare,         \
            id##_run, flags                                                    \
    }

#define PHASES   "F(4x4, 2x2) of each phase of the small grid, for processors"
#define DIRECT   "phases of the small grid, register tiles, for processors"
#define IMPLICIT "matrix products of the small grid as it lies, for GPUs"
#define GEMM     "matrix products over the small grid, for GPUs"

static const struct lam_variant upsample_variants[] = {
    ROW("phases", LAM_PASS_RUN, phases_forward, PHASES,
        LAM_INEXACT | LAM_PITCHED),
    ROW("phases", LAM_PASS_BACKWARD_DATA, phases_data, PHASES,
        LAM_INEXACT | LAM_PITCHED),
    ROW("phases", LAM_PASS_BACKWARD_WEIGHT, phases_weight, PHASES,
        LAM_INEXACT | LAM_PITCHED),
    ROW("direct", LAM_PASS_RUN, direct_forward, DIRECT, LAM_PITCHED),
    ROW("direct", LAM_PASS_BACKWARD_DATA, direct_data, DIRECT, LAM_PITCHED),
    ROW("direct", LAM_PASS_BACKWARD_WEIGHT, direct_weight, DIRECT, LAM_PITCHED),
    ROW("implicit", LAM_PASS_RUN, implicit_forward, IMPLICIT, LAM_PITCHED),
    ROW("implicit", LAM_PASS_BACKWARD_DATA, implicit_data, IMPLICIT,
        LAM_PITCHED),
    ROW("implicit", LAM_PASS_BACKWARD_WEIGHT, implicit_weight, IMPLICIT,
        LAM_PITCHED),
    ROW("gemm", LAM_PASS_RUN, gemm_forward, GEMM, LAM_PITCHED),
    ROW("gemm", LAM_PASS_BACKWARD_DATA, gemm_data, GEMM, LAM_PITCHED),
    ROW("gemm", LAM_PASS_BACKWARD_WEIGHT, gemm_weight, GEMM, LAM_PITCHED),
    {0}};

// Element of the enlarged image, zero outside.
static double enlarged(const struct lam_ref *ref,
                       const struct upsample_config *config, int64_t nc,
                       int64_t h, int64_t w)
{
    const int64_t H = ref->in_shape[0].dim[2], W = ref->in_shape[0].dim[3];

    if (h < 0 || w < 0 || h >= H * config->scale[0] ||
        w >= W * config->scale[1])
        return 0.0;
    return ref
        ->in[0][(nc * H + h / config->scale[0]) * W + w / config->scale[1]];
}

static int upsample_reference(const struct lam_layer *layer,
                              const struct lam_ref *ref)
{
    const struct upsample_config *config = layer->config;
    const int R = config->conv.kernel[0], S = config->conv.kernel[1];
    struct conv_geometry g;
    double *y = ref->out[0];
    const int err = conv_geometry(layer, &ref->in_shape[0], &g);

    if (err)
        return err;
    for (int nk = 0; nk < g.n * g.c; nk++)
        for (int pq = 0; pq < g.h * g.w; pq++) {
            const int n = nk / g.c, k = nk % g.c, cg = g.k / g.groups;
            double sum = ref->n_weight > 1 ? ref->weight[1][k] : 0.0;

            for (int i = 0; i < cg * R * S; i++)
                sum += enlarged(ref, config,
                                (int64_t)n * g.k + k / (g.c / g.groups) * cg +
                                    i / S / R,
                                pq / g.w + i / S % R - (R - 1 - g.top),
                                pq % g.w + i % S - (S - 1 - g.left)) *
                       ref->weight[0][(int64_t)k * cg * R * S + i];
            *y++ = fmax(sum, conv_least(layer));
        }
    return LAM_OK;
}

#define EXACT (LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR)

static const struct lam_sample upsample_samples[] = {
    {.params = "filters=3 kernel=3", .inputs = "2x2x4x5"},
    {.params = "filters=3 kernel=3", .inputs = "2x2x5x4", .flags = EXACT},
    {.params = "filters=2 kernel=3 scale=4",
     .inputs = "1x3x3x5",
     .flags = EXACT},
    {.params = "filters=2 kernel=3 scale=3",
     .inputs = "1x2x3x4",
     .flags = EXACT},
    {.params = "filters=2 kernel=3,5 scale=2,3",
     .inputs = "1x2x3x4",
     .flags = EXACT},
    {.params = "filters=2 kernel=1", .inputs = "2x3x3x4", .flags = EXACT},
    {.params = "filters=2 kernel=5 bias=false",
     .inputs = "1x2x3x2",
     .flags = EXACT},
    {.params = "filters=2 kernel=4", .inputs = "1x2x4x3", .flags = EXACT},
    {.params = "filters=2 kernel=3 scale=1",
     .inputs = "1x2x5x4",
     .flags = EXACT},
    {.params = "filters=4 kernel=3 groups=2",
     .inputs = "1x6x3x4",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 pad=valid",
     .inputs = "1x2x2x3",
     .flags = EXACT},
    {.params = "filters=3 kernel=3 pad=explicit pads=0,2,1,0",
     .inputs = "1x2x3x4",
     .flags = EXACT},
    {.params = "filters=33 kernel=3", .inputs = "1x17x6x20", .flags = EXACT},
    {.params = "filters=3 kernel=3",
     .inputs = "1x2x3x5",
     .flags = LAM_SAMPLE_EVAL},
    {.params = "filters=3 kernel=3 activation=relu",
     .inputs = "2x2x6x20",
     .flags = LAM_SAMPLE_EVAL | LAM_SAMPLE_EXACT},
    {.params = "filters=3 kernel=3 activation=relu", .inputs = "2x2x6x20"},
    {.params = "filters=3 kernel=3 stride=2",
     .inputs = "1x2x3x5",
     .error = "stride and dilation are 1"},
    {.params = "filters=3 kernel=3 pad=explicit pads=3,0,0,0",
     .inputs = "1x2x3x5",
     .error = "fewer than the kernel has"},
    {.params = "filters=3 kernel=9 pad=valid",
     .inputs = "1x2x3x5",
     .error = "reaches over 9 rows, but the padded image has 6"},
    {.params = "filters=3 kernel=3",
     .inputs = "2x7x5",
     .error = "3 dimensions, wanted 4"},
    {0}};

static const struct lam_layer_type upsample_conv2d = {
    .name = "upsample_conv2d",
    .summary = "nearest enlargement and convolution at once; takes the place "
               "of resize and conv2d by itself",
    .params = upsample_params,
    .config_size = sizeof(struct upsample_config),
    .state_size = sizeof(struct upsample_state),
    .min_in = 1,
    .max_in = 1,
    .shape = upsample_shape,
    .prepare = upsample_prepare,
    .run = upsample_run,
    .backward = upsample_backward,
    .variants = upsample_variants,
    .reference = upsample_reference,
    .samples = upsample_samples,
};

static const struct lam_layer_type *const layers[] = {&upsample_conv2d, NULL};

static const struct lam_fusion fusions[] = {
    {.first = "resize",
     .second = "conv2d",
     .into = "upsample_conv2d",
     .kept = 1,
     .in_training = 1,
     .needs = "stride=1 dilation=1",
     .other = "mode=nearest scale",
     .summary = "multiply-adds of equal pixels, and the enlarged image"},
    CONV_FOLD("upsample_conv2d", conv_fold),
    CONV_TAKES_RELU("upsample_conv2d"),
    {0}};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "upsample_conv2d",
    .version = "0.1",
    .layers = layers,
    .fusions = fusions,
};
