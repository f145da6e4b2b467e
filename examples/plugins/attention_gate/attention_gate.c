// attention_gate: a[n,p] = 1 / (1 + exp(-(bias + sum over f of weight[f] *
//                                         max(g[n,f,p] + x[n,f,p], 0))))
//
// Additive attention (Oktay et al. 2018, Attention U-Net): the features of the
// skip connection x and those of the coarser gate g, both brought to F channels
// and one size by convolutions, give one coefficient per pixel p. Their sum and
// its positive part are never stored. The block in attention_gate.yaml adds the
// convolutions around it. weight is [1, F, 1, 1], that of a 1 x 1 convolution.
#include <lam/plugin.h>
#include <math.h>

#include "attention_gate.cl.h"

enum { STRETCH = 4096 }; // pixels a partial sum of the weights' gradient

struct attention_gate_state {
    struct lam_kernel *forward, *input, *part, *sum;
    int64_t N, F, S, parts; // S pixels
};

static struct attention_gate_state sizes_of(const struct lam_shape *in)
{
    struct attention_gate_state s = {.N = in->dim[0], .F = in->dim[1]};

    s.S = lam_elements(in) / (s.N * s.F);
    s.parts = (s.S + STRETCH - 1) / STRETCH * s.N;
    return s;
}

static int attention_gate_shape(const struct lam_layer *layer,
                                struct lam_shapes *shapes)
{
    const struct lam_host *host = layer->host;
    const struct lam_shape *g = &shapes->in[0], *x = &shapes->in[1];
    struct attention_gate_state sizes;

    if (g->rank != 4 || x->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "wants images [N, F, H, W], found rank %d and %d",
                          g->rank, x->rank);
    for (int d = 0; d < 4; d++)
        if (g->dim[d] != x->dim[d])
            return host->fail(host, LAM_ESHAPE,
                              "the inputs must be of one shape, but are %lld "
                              "and %lld in dimension %d",
                              (long long)g->dim[d], (long long)x->dim[d], d);
    sizes = sizes_of(g);
    shapes->n_out = 1;
    shapes->out[0] = *g;
    shapes->out[0].dim[1] = 1;
    shapes->n_weight = 2;
    shapes->weight[0] = (struct lam_weight){
        .name = "weight",
        .shape = {.dtype = g->dtype, .rank = 4, .dim = {1, sizes.F, 1, 1}},
        .init = LAM_INIT_GLOROT,
        .fan_in = (double)sizes.F,
        .fan_out = 1};
    shapes->weight[1] = (struct lam_weight){
        .name = "bias", .shape = {.dtype = g->dtype, .rank = 1, .dim = {1}}};
    shapes->backward_in = 3;
    shapes->backward_out = 1;
    shapes->backward_scratch =
        (sizes.F + 1) * sizes.parts *
        (int64_t)(layer->host->real == LAM_F64 ? sizeof(double)
                                               : sizeof(float));
    shapes->macs = (double)lam_elements(g);
    return LAM_OK;
}

static int attention_gate_prepare(struct lam_layer *layer,
                                  const struct lam_io *io)
{
    static const char *const names[] = {
        "attention_gate_forward", "attention_gate_input", "attention_gate_part",
        "attention_gate_sum"};
    struct attention_gate_state *state = layer->state;
    const struct lam_host *host = layer->host;
    struct lam_kernel **kernels[] = {&state->forward, &state->input,
                                     &state->part, &state->sum};
    int err = LAM_OK;

    *state = sizes_of(&io->in[0].shape);
    for (int i = 0; i < 4 && !err; i++)
        err = host->kernel(host, attention_gate_cl, names[i], NULL, kernels[i]);
    return err;
}

// Ids (x, y) of width x height, in groups of 64 x 1.
static int attention_gate_launch(struct lam_layer *layer,
                                 struct lam_kernel *kernel,
                                 const struct lam_arg *args, int n,
                                 int64_t width, int64_t height)
{
    const size_t local[3] = {64, 1, 1};
    const size_t global[3] = {((size_t)width + 63) / 64 * 64, (size_t)height,
                              1};

    return layer->host->launch(layer->host, kernel, args, n, global, local);
}

static int attention_gate_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct attention_gate_state *state = layer->state;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),     LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->weight[0]), LAM_ARG_TENSOR(&io->weight[1]),
        LAM_ARG_TENSOR(&io->out[0]),    LAM_ARG_INT(state->F),
        LAM_ARG_LONG(state->S)};

    return attention_gate_launch(layer, state->forward, args, 7, state->S,
                                 state->N);
}

// g and x count alike, so both gradients are the same numbers.
static int attention_gate_backward(struct lam_layer *layer,
                                   const struct lam_io *io)
{
    const struct attention_gate_state *state = layer->state;
    const struct lam_arg input[] = {
        LAM_ARG_TENSOR(&io->in[0]),     LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->weight[0]), LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_TENSOR(&io->d_out[0]),  LAM_ARG_TENSOR(&io->d_in[0]),
        LAM_ARG_TENSOR(&io->d_in[1]),   LAM_ARG_INT(state->F),
        LAM_ARG_LONG(state->S)};
    const struct lam_arg part[] = {
        LAM_ARG_TENSOR(&io->in[0]),   LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->out[0]),  LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->scratch), LAM_ARG_INT(state->F),
        LAM_ARG_LONG(state->S),       LAM_ARG_INT(state->parts),
        LAM_ARG_INT(STRETCH)};
    const struct lam_arg sum[] = {
        LAM_ARG_TENSOR(&io->scratch), LAM_ARG_TENSOR(&io->d_weight[0]),
        LAM_ARG_TENSOR(&io->d_weight[1]), LAM_ARG_INT(state->F),
        LAM_ARG_INT(state->parts)};
    int err = LAM_OK;

    if (io->d_in[0].buffer || io->d_in[1].buffer)
        err = attention_gate_launch(layer, state->input, input, 9, state->S,
                                    state->N);
    if (err || (!io->d_weight[0].buffer && !io->d_weight[1].buffer))
        return err;
    err = attention_gate_launch(layer, state->part, part, 9, state->parts,
                                state->F + 1);
    if (err)
        return err;
    return attention_gate_launch(layer, state->sum, sum, 5, state->F + 1, 1);
}

static int attention_gate_reference(const struct lam_layer *layer,
                                    const struct lam_ref *ref)
{
    const struct attention_gate_state s = sizes_of(&ref->in_shape[0]);

    (void)layer;
    for (int64_t n = 0; n < s.N; n++)
        for (int64_t p = 0; p < s.S; p++) {
            double q = ref->weight[1][0];

            for (int64_t f = 0; f < s.F; f++)
                q += ref->weight[0][f] *
                     fmax(ref->in[0][(n * s.F + f) * s.S + p] +
                              ref->in[1][(n * s.F + f) * s.S + p],
                          0);
            ref->out[0][n * s.S + p] = 1 / (1 + exp(-q));
        }
    return LAM_OK;
}

static const struct lam_sample attention_gate_samples[] = {
    {.params = "", .inputs = "2x3x5x7 2x3x5x7"},
    {.params = "", .inputs = "1x1x1x1 1x1x1x1"},
    {.params = "", .inputs = "1x5x67x71 1x5x67x71"},
    {.params = "", .inputs = "3x17x3x1 3x17x3x1"},
    {.params = "", .inputs = "2x2x65x64 2x2x65x64"},
    {.params = "", .inputs = "1x4x3x5 1x4x3x5", .flags = LAM_SAMPLE_EVAL},
    {.params = "",
     .inputs = "1x4x3x5 1x4x3x4",
     .error = "of one shape, but are 5 and 4 in dimension 3"},
    {.params = "", .inputs = "3x4 3x4", .error = "found rank 2"},
    {.params = "", .inputs = "1x1x2x2", .error = "takes 2 inputs, found 1"},
    {0}};

static const struct lam_layer_type attention_gate = {
    .name = "attention_gate",
    .summary = "a coefficient per pixel from two inputs, by additive attention",
    .state_size = sizeof(struct attention_gate_state),
    .min_in = 2,
    .max_in = 2,
    .shape = attention_gate_shape,
    .prepare = attention_gate_prepare,
    .run = attention_gate_run,
    .backward = attention_gate_backward,
    .reference = attention_gate_reference,
    .samples = attention_gate_samples,
};

static const struct lam_layer_type *const layers[] = {&attention_gate, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "attention_gate",
    .version = "0.1",
    .layers = layers,
};
