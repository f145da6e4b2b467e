// concat: y[n, C0 + c] = x1[n, c] ...: inputs joined along the channels.
#include "flat.h"

#include "concat.cl.h"

struct concat_state {
    struct lam_kernel *kernel;
};

static int concat_shape(const struct lam_layer *layer,
                        struct lam_shapes *shapes)
{
    const struct lam_host *host = layer->host;

    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->flags = LAM_HALVES | LAM_JOINS;
    shapes->pitched_in = (1u << shapes->n_in) - 1;
    shapes->pitched_out = 1;
    if (shapes->in[0].rank < 2)
        return host->fail(host, LAM_ESHAPE,
                          "inputs of rank %d have no channels",
                          shapes->in[0].rank);
    for (int i = 1; i < shapes->n_in; i++) {
        const struct lam_shape *x = &shapes->in[i];

        if (x->rank != shapes->in[0].rank)
            return host->fail(host, LAM_ESHAPE,
                              "input %d has rank %d, input 0 has %d", i,
                              x->rank, shapes->in[0].rank);
        for (int d = 0; d < x->rank; d++)
            if (d != 1 && x->dim[d] != shapes->in[0].dim[d])
                return host->fail(host, LAM_ESHAPE,
                                  "dimension %d of input %d is %lld, of "
                                  "input 0 %lld: only channels may differ",
                                  d, i, (long long)x->dim[d],
                                  (long long)shapes->in[0].dim[d]);
        shapes->out[0].dim[1] += x->dim[1];
    }
    return LAM_OK;
}

static int concat_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct concat_state *state = layer->state;

    return layer->host->kernel(layer->host, concat_cl, "concat_copy",
                               lam_halves(&io->in[0].shape), &state->kernel);
}

// Elements of one image.
static int64_t row_of(const struct lam_shape *shape)
{
    return lam_elements(shape) / shape->dim[0];
}

// Copies between a part and its place in the whole, image by image.
static int concat_move(struct lam_layer *layer, const struct lam_tensor *part,
                       const struct lam_tensor *whole, int64_t offset,
                       bool to_whole)
{
    const struct concat_state *state = layer->state;
    const int64_t row = row_of(&part->shape);
    const int64_t part_step = lam_step(part), whole_step = lam_step(whole);
    struct flat cut = flat_cut(layer->host, row);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(to_whole ? part : whole),
        LAM_ARG_TENSOR(to_whole ? whole : part),
        LAM_ARG_LONG(to_whole ? 0 : offset),
        LAM_ARG_LONG(to_whole ? offset : 0),
        LAM_ARG_LONG(to_whole ? part_step : whole_step),
        LAM_ARG_LONG(to_whole ? whole_step : part_step),
        LAM_ARG_LONG(row),
        LAM_ARG_INT(cut.chunk)};

    cut.global[2] = (size_t)part->shape.dim[0];
    return layer->host->launch(layer->host, state->kernel, args, 8, cut.global,
                               cut.local);
}

static int concat_run(struct lam_layer *layer, const struct lam_io *io)
{
    int64_t offset = 0;
    int err = LAM_OK;

    for (int i = 0; i < io->n_in && !err; i++) {
        err = concat_move(layer, &io->in[i], &io->out[0], offset, true);
        offset += row_of(&io->in[i].shape);
    }
    return err;
}

static int concat_backward(struct lam_layer *layer, const struct lam_io *io)
{
    int64_t offset = 0;
    int err = LAM_OK;

    for (int i = 0; i < io->n_in && !err; i++) {
        if (io->d_in[i].buffer)
            err =
                concat_move(layer, &io->d_in[i], &io->d_out[0], offset, false);
        offset += row_of(&io->in[i].shape);
    }
    return err;
}

static int concat_reference(const struct lam_layer *layer,
                            const struct lam_ref *ref)
{
    const int64_t n = ref->out_shape[0].dim[0];
    const int64_t whole = row_of(&ref->out_shape[0]);
    int64_t offset = 0;

    (void)layer;
    for (int i = 0; i < ref->n_in; i++) {
        const int64_t row = row_of(&ref->in_shape[i]);

        for (int64_t b = 0; b < n; b++)
            for (int64_t e = 0; e < row; e++)
                ref->out[0][b * whole + offset + e] = ref->in[i][b * row + e];
        offset += row;
    }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample concat_samples[] = {
    {.params = "", .inputs = "2x3x5x7 2x1x5x7", .flags = BOTH},
    {.params = "", .inputs = "3x2x33x71", .flags = BOTH},
    {.params = "", .inputs = "1x1x3x3 1x2x3x3 1x3x3x3", .flags = BOTH},
    {.params = "", .inputs = "2x5 2x3", .flags = BOTH},
    {.params = "", .inputs = "1x1x1x1 1x1x1x1", .flags = BOTH},
    {.params = "",
     .inputs = "3x1x1x5 3x1x1x5 3x2x1x5 3x1x1x5 3x1x1x5 3x1x1x5 3x1x1x5 "
               "3x1x1x5 3x1x1x5 3x1x1x5 3x1x1x5 3x1x1x5 3x1x1x5 3x1x1x5 "
               "3x1x1x5 3x1x1x5",
     .flags = BOTH},
    {.params = "",
     .inputs = "1x2x3x4 1x1x3x4",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "",
     .inputs = "1x2x3x4 1x2x3x5",
     .error = "dimension 3 of input 1 is 5, of input 0 4"},
    {.params = "", .inputs = "1x2x3x4 2x2x3x4", .error = "only channels"},
    {.params = "", .inputs = "1x2x3x4 1x2", .error = "input 1 has rank 2"},
    {.params = "", .inputs = "4 4", .error = "no channels"},
    {0}};

static const struct lam_layer_type concat = {
    .name = "concat",
    .summary = "inputs joined along the channels",
    .state_size = sizeof(struct concat_state),
    .min_in = 1,
    .max_in = LAM_MAX_IN,
    .shape = concat_shape,
    .prepare = concat_prepare,
    .run = concat_run,
    .backward = concat_backward,
    .reference = concat_reference,
    .samples = concat_samples,
};

static const struct lam_layer_type *const layers[] = {&concat, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "concat",
    .version = "0.1",
    .layers = layers,
};
