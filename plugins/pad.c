// pad: y[n, c, p, q] = x[n, c, p - top, q - left], and outside of x
//   zero       0
//   reflect    x mirrored at the centre of its border pixels: 2 1 | 0 1 2 | 1 0
//   replicate  the border pixel again
// crop: y[n, c, p, q] = x[n, c, p + top, q + left], a window of x.
//
// Each is the other's gradient where padding is by zeros.
#include "flat.h"

#include "pad.cl.h"

enum { ZERO, REFLECT, REPLICATE };

struct pad_config {
    struct lam_list pads; // top left bottom right, or one for all
    int32_t mode;
};

struct crop_config {
    int32_t size[2];
    struct lam_list offset; // top left; empty: centred
};

struct pad_state {
    struct lam_kernel *forward, *backward;
};

static const char *const modes[] = {"zero", "reflect", "replicate", NULL};

static const struct lam_param pad_params[] = {
    {"pads", LAM_PARAM_LIST, offsetof(struct pad_config, pads), NULL, 0,
     1 << 20, NULL, "top left bottom right, or one number for all", 0},
    {"mode", LAM_PARAM_CHOICE, offsetof(struct pad_config, mode), "zero", 0, 0,
     modes, "what is put around the image", 0},
    {0}};

static const struct lam_param crop_params[] = {
    {"size", LAM_PARAM_PAIR, offsetof(struct crop_config, size), "0", 0,
     1 << 20, NULL, "height and width kept; 0: those of the second input", 0},
    {"offset", LAM_PARAM_LIST, offsetof(struct crop_config, offset), "", 0,
     1 << 20, NULL, "first row and column kept; without it the middle", 0},
    {0}};

static int check_image(const struct lam_layer *layer,
                       const struct lam_shape *shape)
{
    if (shape->rank == 4)
        return LAM_OK;
    return layer->host->fail(layer->host, LAM_ESHAPE,
                             "wants images [N, C, H, W], found rank %d",
                             shape->rank);
}

// Side 0 top, 1 left, 2 bottom, 3 right.
static int32_t pad_of(const struct lam_layer *layer, int side)
{
    const struct pad_config *config = layer->config;

    return config->pads.v[config->pads.n == 1 ? 0 : side];
}

static int pad_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    const struct pad_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const int64_t *dim = shapes->in[0].dim;
    const int err = check_image(layer, &shapes->in[0]);

    if (err)
        return err;
    if (config->pads.n != 1 && config->pads.n != 4)
        return host->fail(host, LAM_EMODEL,
                          "pads has %d numbers, wanted 1 or top left bottom "
                          "right",
                          config->pads.n);
    for (int side = 0; side < 4; side++)
        if (config->mode == REFLECT && pad_of(layer, side) >= dim[2 + side % 2])
            return host->fail(
                host, LAM_ESHAPE, "%d pixels cannot be mirrored from %lld",
                pad_of(layer, side), (long long)dim[2 + side % 2]);
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    shapes->out[0] = shapes->in[0];
    for (int d = 0; d < 2; d++)
        shapes->out[0].dim[2 + d] += pad_of(layer, d) + pad_of(layer, d + 2);
    return LAM_OK;
}

static int pad_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct pad_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const char *halves = lam_halves(&io->in[0].shape);
    int err =
        host->kernel(host, pad_cl, "pad_forward", halves, &state->forward);

    if (!err)
        err = host->kernel(host, pad_cl, "pad_backward", halves,
                           &state->backward);
    return err;
}

// y's rows are cut; x and y as the kernels have them, or dy and dx.
static int pad_launch(struct lam_layer *layer, struct lam_kernel *kernel,
                      const struct lam_tensor *from,
                      const struct lam_tensor *to, const struct lam_shape *in,
                      const struct lam_shape *out, int64_t top, int64_t left,
                      int mode)
{
    const int64_t *dim = to->shape.dim;
    const struct flat cut =
        flat_cut_rows(layer->host, dim[3], dim[2], dim[0] * dim[1]);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(from),     LAM_ARG_TENSOR(to),
        LAM_ARG_INT(in->dim[2]),  LAM_ARG_INT(in->dim[3]),
        LAM_ARG_INT(out->dim[2]), LAM_ARG_INT(out->dim[3]),
        LAM_ARG_INT(top),         LAM_ARG_INT(left),
        LAM_ARG_INT(mode),        LAM_ARG_INT(cut.chunk)};

    return layer->host->launch(layer->host, kernel, args, 10, cut.global,
                               cut.local);
}

// to[p, q] = from[p - top, q - left], 0 outside.
static int move(struct lam_layer *layer, const struct lam_tensor *from,
                const struct lam_tensor *to, int64_t top, int64_t left)
{
    const struct pad_state *state = layer->state;

    return pad_launch(layer, state->forward, from, to, &from->shape, &to->shape,
                      top, left, ZERO);
}

static int pad_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct pad_config *config = layer->config;
    const struct pad_state *state = layer->state;

    return pad_launch(layer, state->forward, &io->in[0], &io->out[0],
                      &io->in[0].shape, &io->out[0].shape, pad_of(layer, 0),
                      pad_of(layer, 1), config->mode);
}

static int pad_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct pad_config *config = layer->config;
    const struct pad_state *state = layer->state;

    if (config->mode == ZERO)
        return move(layer, &io->d_out[0], &io->d_in[0], -pad_of(layer, 0),
                    -pad_of(layer, 1));
    return pad_launch(layer, state->backward, &io->d_out[0], &io->d_in[0],
                      &io->in[0].shape, &io->out[0].shape, pad_of(layer, 0),
                      pad_of(layer, 1), config->mode);
}

// The window's place along axis d, 0 down, 1 across.
static int64_t window(const struct lam_layer *layer, const struct lam_shape *in,
                      const struct lam_shape *out, int d)
{
    const struct crop_config *config = layer->config;

    return config->offset.n ? config->offset.v[d]
                            : (in->dim[2 + d] - out->dim[2 + d]) / 2;
}

static int crop_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    const struct crop_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const bool has_size = config->size[0] || config->size[1];
    struct lam_shape *out = &shapes->out[0];
    int err = check_image(layer, &shapes->in[0]);

    if (!err && shapes->n_in > 1)
        err = check_image(layer, &shapes->in[1]);
    if (err)
        return err;
    if (has_size == (shapes->n_in > 1))
        return host->fail(host, LAM_EMODEL,
                          "wants either a size or a second input, not %s",
                          has_size ? "both" : "neither");
    if (config->offset.n && config->offset.n != 2)
        return host->fail(host, LAM_EMODEL,
                          "offset has %d numbers, wanted top and left",
                          config->offset.n);
    shapes->n_out = 1;
    shapes->flags = LAM_HALVES;
    *out = shapes->in[0];
    for (int d = 0; d < 2; d++) {
        const int64_t n = shapes->in[0].dim[2 + d];

        out->dim[2 + d] = has_size ? config->size[d] : shapes->in[1].dim[2 + d];
        if (out->dim[2 + d] < 1 || out->dim[2 + d] > n ||
            window(layer, &shapes->in[0], out, d) + out->dim[2 + d] > n)
            return host->fail(
                host, LAM_ESHAPE,
                "%lld %s from %lld on do not lie in an image of "
                "%lld",
                (long long)out->dim[2 + d], d ? "columns" : "rows",
                (long long)(out->dim[2 + d] > n
                                ? 0
                                : window(layer, &shapes->in[0], out, d)),
                (long long)n);
    }
    return LAM_OK;
}

static int crop_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_shape *in = &io->in[0].shape, *out = &io->out[0].shape;

    return move(layer, &io->in[0], &io->out[0], -window(layer, in, out, 0),
                -window(layer, in, out, 1));
}

// The second input only lends its size.
static int crop_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_shape *in = &io->in[0].shape, *out = &io->out[0].shape;
    int err = LAM_OK;

    if (io->n_in > 1 && io->d_in[1].buffer)
        err = layer->host->fill(layer->host, &io->d_in[1], 0.0);
    if (!err && io->d_in[0].buffer)
        err = move(layer, &io->d_out[0], &io->d_in[0],
                   window(layer, in, out, 0), window(layer, in, out, 1));
    return err;
}

// The element of x, of n, that place i reads; -1: zero.
static int64_t source_of(int mode, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    if (mode == ZERO)
        return -1;
    if (mode == REPLICATE)
        return i < 0 ? 0 : n - 1;
    return i < 0 ? -i : 2 * n - 2 - i;
}

static void reference_of(const struct lam_ref *ref, int64_t top, int64_t left,
                         int mode)
{
    const int64_t *in = ref->in_shape[0].dim, *out = ref->out_shape[0].dim;

    for (int64_t plane = 0; plane < out[0] * out[1]; plane++)
        for (int64_t p = 0; p < out[2]; p++)
            for (int64_t q = 0; q < out[3]; q++) {
                const int64_t h = source_of(mode, p - top, in[2]);
                const int64_t w = source_of(mode, q - left, in[3]);

                ref->out[0][(plane * out[2] + p) * out[3] + q] =
                    h < 0 || w < 0
                        ? 0.0
                        : ref->in[0][(plane * in[2] + h) * in[3] + w];
            }
}

static int pad_reference(const struct lam_layer *layer,
                         const struct lam_ref *ref)
{
    const struct pad_config *config = layer->config;

    reference_of(ref, pad_of(layer, 0), pad_of(layer, 1), config->mode);
    return LAM_OK;
}

static int crop_reference(const struct lam_layer *layer,
                          const struct lam_ref *ref)
{
    const struct lam_shape *in = &ref->in_shape[0], *out = &ref->out_shape[0];

    reference_of(ref, -window(layer, in, out, 0), -window(layer, in, out, 1),
                 ZERO);
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample pad_samples[] = {
    {.params = "pads=1", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "pads=1,2,3,4", .inputs = "3x1x5x7", .flags = BOTH},
    {.params = "pads=0,0,0,1", .inputs = "1x2x1x1", .flags = BOTH},
    {.params = "pads=0", .inputs = "1x2x4x33", .flags = BOTH},
    {.params = "pads=1,2,3,4 mode=reflect", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "pads=4,6,4,6 mode=reflect", .inputs = "1x2x5x7", .flags = BOTH},
    {.params = "pads=1,0,0,1 mode=reflect", .inputs = "3x1x2x2", .flags = BOTH},
    {.params = "pads=0,1,1,0 mode=reflect",
     .inputs = "1x1x33x41",
     .flags = BOTH},
    {.params = "pads=0 mode=reflect", .inputs = "1x1x1x1", .flags = BOTH},
    {.params = "pads=1,2,3,4 mode=replicate",
     .inputs = "2x3x5x7",
     .flags = BOTH},
    {.params = "pads=9,0,0,11 mode=replicate",
     .inputs = "3x2x1x1",
     .flags = BOTH},
    {.params = "pads=5 mode=replicate", .inputs = "1x1x2x33", .flags = BOTH},
    {.params = "pads=2 mode=replicate",
     .inputs = "1x2x3x4",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "pads=5 mode=reflect",
     .inputs = "1x1x5x7",
     .error = "5 pixels cannot be mirrored from 5"},
    {.params = "pads=1,2", .inputs = "1x1x5x7", .error = "pads has 2 numbers"},
    {.params = "pads=-1", .inputs = "1x1x5x7", .error = "wanted 0 to"},
    {.params = "", .inputs = "1x1x5x7", .error = "'pads' is missing"},
    {.params = "pads=1 mode=mirror",
     .inputs = "1x1x5x7",
     .error = "wanted one of"},
    {.params = "pads=1", .inputs = "5x7", .error = "found rank 2"},
    {0}};

static const struct lam_sample crop_samples[] = {
    {.params = "size=3,4", .inputs = "2x3x6x7", .flags = BOTH},
    {.params = "size=5", .inputs = "1x2x5x5", .flags = BOTH},
    {.params = "size=1", .inputs = "3x1x4x33", .flags = BOTH},
    {.params = "size=3,4 offset=0,0", .inputs = "1x2x5x7", .flags = BOTH},
    {.params = "size=3,4 offset=2,3", .inputs = "3x2x5x7", .flags = BOTH},
    {.params = "size=31,65", .inputs = "1x1x40x71", .flags = BOTH},
    {.params = "", .inputs = "2x3x6x7 2x5x3x2", .flags = BOTH},
    {.params = "offset=1,2", .inputs = "1x1x6x7 1x2x5x4", .flags = BOTH},
    {.params = "", .inputs = "1x1x5x7", .error = "not neither"},
    {.params = "size=3", .inputs = "1x1x5x7 1x1x2x2", .error = "not both"},
    {.params = "size=6,3",
     .inputs = "1x1x5x7",
     .error = "6 rows from 0 on do not lie in an image of 5"},
    {.params = "size=3,3 offset=0,5",
     .inputs = "1x1x5x7",
     .error = "3 columns from 5 on do not lie in an image of 7"},
    {.params = "size=3,0", .inputs = "1x1x5x7", .error = "0 columns"},
    {.params = "size=3 offset=1", .inputs = "1x1x5x7", .error = "1 numbers"},
    {.params = "", .inputs = "1x1x5x7 5x7", .error = "found rank 2"},
    {0}};

static const struct lam_layer_type pad = {
    .name = "pad",
    .summary = "images with a border of zeros, mirrored or repeated pixels",
    .params = pad_params,
    .config_size = sizeof(struct pad_config),
    .state_size = sizeof(struct pad_state),
    .min_in = 1,
    .max_in = 1,
    .shape = pad_shape,
    .prepare = pad_prepare,
    .run = pad_run,
    .backward = pad_backward,
    .reference = pad_reference,
    .samples = pad_samples,
};

static const struct lam_layer_type crop = {
    .name = "crop",
    .summary = "a window of images, of a given size or that of a second input",
    .params = crop_params,
    .config_size = sizeof(struct crop_config),
    .state_size = sizeof(struct pad_state),
    .min_in = 1,
    .max_in = 2,
    .shape = crop_shape,
    .prepare = pad_prepare,
    .run = crop_run,
    .backward = crop_backward,
    .reference = crop_reference,
    .samples = crop_samples,
};

static const struct lam_layer_type *const layers[] = {&pad, &crop, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "pad",
    .version = "0.1",
    .layers = layers,
};
