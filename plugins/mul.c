// mul: y[n,c,s] = a[n,c,s] * b[n,c,s], s over all pixels.
//
// b may have one channel (a map of weights for all channels) or one pixel (a
// weight per channel, as in squeeze and excitation); the gradient of b then is
// the sum over what it was repeated along.
#include "flat.h"

#include "mul.cl.h"

enum repeat { SAME, ONE_CHANNEL, ONE_PIXEL };

struct mul_state {
    struct lam_kernel *apply, *sum;
    enum repeat repeat;
    int64_t N, C, S;
};

// Whether in[1] is in[0] but for ones where it is repeated.
static bool repeat_of(const struct lam_shape *a, const struct lam_shape *b,
                      enum repeat *repeat)
{
    bool same = a->rank == b->rank, channel = same, pixel = same;

    for (int d = 0; d < a->rank && same + channel + pixel > 0; d++) {
        same &= b->dim[d] == a->dim[d];
        channel &= b->dim[d] == (d == 1 ? 1 : a->dim[d]);
        pixel &= b->dim[d] == (d > 1 ? 1 : a->dim[d]);
    }
    *repeat = same ? SAME : channel ? ONE_CHANNEL : ONE_PIXEL;
    return same || channel || pixel;
}

static int mul_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    enum repeat repeat;

    if (!repeat_of(&shapes->in[0], &shapes->in[1], &repeat))
        return layer->host->fail(
            layer->host, LAM_ESHAPE,
            "the second input must be as large as the first, or have one "
            "channel, or one pixel");
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    shapes->backward_in = 3;
    shapes->flags = LAM_RUN_INPLACE | LAM_BACKWARD_INPLACE;
    return LAM_OK;
}

static int mul_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    static const char *const options[] = {"-DSAME", "-DONE_CHANNEL",
                                          "-DONE_PIXEL"};
    static const char *const sums[] = {"mul_apply", "mul_sum_channels",
                                       "mul_sum_pixels"};
    const struct lam_shape *a = &io->in[0].shape;
    const struct lam_host *host = layer->host;
    struct mul_state *state = layer->state;
    int err;

    repeat_of(a, &io->in[1].shape, &state->repeat);
    state->N = state->repeat == SAME ? 1 : a->dim[0];
    state->C = state->repeat == SAME || a->rank < 2 ? 1 : a->dim[1];
    state->S = lam_elements(a) / (state->N * state->C);
    err = host->kernel(host, mul_cl, "mul_apply", options[state->repeat],
                       &state->apply);
    if (!err)
        err = host->kernel(host, mul_cl, sums[state->repeat],
                           options[state->repeat], &state->sum);
    return err;
}

static int mul_launch(struct lam_layer *layer, struct lam_kernel *kernel,
                      const struct lam_tensor *a, const struct lam_tensor *b,
                      const struct lam_tensor *y, int64_t width, int64_t planes)
{
    const struct mul_state *state = layer->state;
    struct flat cut = flat_cut(layer->host, width);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(a),     LAM_ARG_TENSOR(b),      LAM_ARG_TENSOR(y),
        LAM_ARG_INT(state->C), LAM_ARG_LONG(state->S), LAM_ARG_INT(cut.chunk)};

    cut.global[2] = (size_t)planes;
    return layer->host->launch(layer->host, kernel, args, 6, cut.global,
                               cut.local);
}

static int mul_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct mul_state *state = layer->state;

    return mul_launch(layer, state->apply, &io->in[0], &io->in[1], &io->out[0],
                      state->S, state->N * state->C);
}

// The second input first: the first one's gradient may be d_out's buffer.
static int mul_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct mul_state *state = layer->state;
    int err = LAM_OK;

    if (io->d_in[1].buffer)
        err = mul_launch(
            layer, state->sum, &io->d_out[0], &io->in[0], &io->d_in[1],
            state->repeat == ONE_PIXEL ? 1 : state->S,
            state->repeat == ONE_CHANNEL ? state->N : state->N * state->C);
    if (!err && io->d_in[0].buffer)
        err = mul_launch(layer, state->apply, &io->d_out[0], &io->in[1],
                         &io->d_in[0], state->S, state->N * state->C);
    return err;
}

static int mul_reference(const struct lam_layer *layer,
                         const struct lam_ref *ref)
{
    const struct lam_shape *a = &ref->in_shape[0], *b = &ref->in_shape[1];
    int64_t at[LAM_MAX_RANK] = {0};

    (void)layer;
    for (int64_t e = 0; e < lam_elements(a); e++) {
        int64_t rest = e, from = 0;

        for (int d = a->rank - 1; d >= 0; d--) {
            at[d] = rest % a->dim[d];
            rest /= a->dim[d];
        }
        for (int d = 0; d < b->rank; d++)
            from = from * b->dim[d] + (b->dim[d] == 1 ? 0 : at[d]);
        ref->out[0][e] = ref->in[0][e] * ref->in[1][from];
    }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample mul_samples[] = {
    {.params = "", .inputs = "2x3x5x7 2x3x5x7", .flags = BOTH},
    {.params = "", .inputs = "1x2x65x67 1x2x65x67"},
    {.params = "", .inputs = "3 3"},
    {.params = "", .inputs = "2x3x5x7 2x1x5x7", .flags = BOTH},
    {.params = "", .inputs = "3x5x67x71 3x1x67x71"},
    {.params = "", .inputs = "2x3x5x7 2x3x1x1", .flags = BOTH},
    {.params = "", .inputs = "3x2x67x71 3x2x1x1"},
    {.params = "", .inputs = "1x1x4x3 1x1x1x1", .flags = BOTH},
    {.params = "", .inputs = "3x4 3x1"},
    {.params = "",
     .inputs = "1x3x4x5 1x3x1x1",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "",
     .inputs = "1x2x3x4 1x2x3x5",
     .error = "as large as the first"},
    {.params = "",
     .inputs = "2x2x3x4 1x2x1x1",
     .error = "as large as the first"},
    {.params = "", .inputs = "1x2x3x4", .error = "takes 2 inputs, found 1"},
    {0}};

static const struct lam_layer_type mul = {
    .name = "mul",
    .summary = "product of two inputs; the second may have one channel or one "
               "pixel",
    .state_size = sizeof(struct mul_state),
    .min_in = 2,
    .max_in = 2,
    .shape = mul_shape,
    .prepare = mul_prepare,
    .run = mul_run,
    .backward = mul_backward,
    .reference = mul_reference,
    .samples = mul_samples,
};

static const struct lam_layer_type *const layers[] = {&mul, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "mul",
    .version = "0.1",
    .layers = layers,
};
