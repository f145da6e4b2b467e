// dense: y[n,k] = bias[k] + sum over c of x[n,c] * weight[k,c]
//
// x is [N, ...], of which all but the first dimension count as one of C; y is
// [N, K], weight [K, C].
#include "flat.h"

#include "dense.cl.h"

struct dense_config {
    int32_t units, has_bias, init;
    double init_scale;
};

struct dense_state {
    struct lam_kernel *bias, *bias_backward;
    int32_t N, C, K;
};

static const char *const inits[] = LAM_INIT_NAMES;

static const struct lam_param dense_params[] = {
    {"units", LAM_PARAM_INT, offsetof(struct dense_config, units), NULL, 1,
     1 << 24, NULL, "numbers per image that come out", 0},
    {"bias", LAM_PARAM_BOOL, offsetof(struct dense_config, has_bias), "true", 0,
     0, NULL, "a learnt constant per unit", 0},
    {"init", LAM_PARAM_CHOICE, offsetof(struct dense_config, init), "he", 0, 0,
     inits, "how the weight starts", 0},
    {"init_scale", LAM_PARAM_REAL, offsetof(struct dense_config, init_scale),
     "0.05", 0, 1000, NULL, "spread of init truncated and uniform", 0},
    {0}};

static int dense_shape(const struct lam_layer *layer, struct lam_shapes *shapes)
{
    const struct dense_config *config = layer->config;
    const struct lam_shape *in = &shapes->in[0];
    const int64_t N = in->dim[0], C = lam_elements(in) / N, K = config->units;

    if (in->rank < 2)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "wants [N, ...], found rank %d", in->rank);
    if (config->init == LAM_INIT_BILINEAR || config->init == LAM_INIT_ICNR)
        return layer->host->fail(layer->host, LAM_EMODEL,
                                 "init %s is for images, not for a matrix",
                                 inits[config->init]);
    if (C > INT32_MAX || N > INT32_MAX)
        return layer->host->fail(layer->host, LAM_ESHAPE,
                                 "%lld x %lld numbers are too many to multiply "
                                 "by a matrix",
                                 (long long)N, (long long)C);
    shapes->n_out = 1;
    shapes->out[0] =
        (struct lam_shape){.dtype = in->dtype, .rank = 2, .dim = {N, K}};
    shapes->n_weight = config->has_bias ? 2 : 1;
    shapes->weight[0] = (struct lam_weight){
        .name = "weight",
        .shape = {.dtype = in->dtype, .rank = 2, .dim = {K, C}},
        .init = config->init,
        .scale = config->init_scale,
        .fan_in = (double)C,
        .fan_out = (double)K};
    shapes->weight[1] = (struct lam_weight){
        .name = "bias", .shape = {.dtype = in->dtype, .rank = 1, .dim = {K}}};
    shapes->backward_in = 1;
    shapes->macs = (double)N * (double)C * (double)K;
    return LAM_OK;
}

static int dense_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct lam_host *host = layer->host;
    struct dense_state *state = layer->state;
    int err = host->kernel(host, dense_cl, "dense_bias", NULL, &state->bias);

    state->N = (int32_t)io->in[0].shape.dim[0];
    state->C = (int32_t)(lam_elements(&io->in[0].shape) / state->N);
    state->K = (int32_t)io->out[0].shape.dim[1];
    if (!err)
        err = host->kernel(host, dense_cl, "dense_bias_backward", NULL,
                           &state->bias_backward);
    return err;
}

static int dense_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct dense_config *config = layer->config;
    const struct dense_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const struct lam_gemm gemm = {.a = &io->in[0],
                                  .b = &io->weight[0],
                                  .c = &io->out[0],
                                  .lda = state->C,
                                  .ldb = state->C,
                                  .ldc = state->K,
                                  .trans_b = 1,
                                  .m = state->N,
                                  .n = state->K,
                                  .k = state->C,
                                  .batch = 1,
                                  .alpha = 1.0};
    struct flat cut = flat_cut(host, state->K);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->out[0]), LAM_ARG_TENSOR(&io->weight[1]),
        LAM_ARG_LONG(state->K), LAM_ARG_INT(cut.chunk)};
    int err = host->gemm(host, &gemm);

    cut.global[2] = (size_t)state->N;
    if (!err && config->has_bias)
        err = host->launch(host, state->bias, args, 4, cut.global, cut.local);
    return err;
}

// d_weight = dy' x
static int dense_weight(struct lam_layer *layer, const struct lam_io *io)
{
    const struct dense_state *state = layer->state;
    const struct lam_gemm gemm = {.a = &io->d_out[0],
                                  .b = &io->in[0],
                                  .c = &io->d_weight[0],
                                  .lda = state->K,
                                  .ldb = state->C,
                                  .ldc = state->C,
                                  .trans_a = 1,
                                  .m = state->K,
                                  .n = state->C,
                                  .k = state->N,
                                  .batch = 1,
                                  .alpha = 1.0};

    return layer->host->gemm(layer->host, &gemm);
}

static int dense_bias(struct lam_layer *layer, const struct lam_io *io)
{
    const struct dense_state *state = layer->state;
    const struct flat cut = flat_cut(layer->host, state->K);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->d_out[0]), LAM_ARG_TENSOR(&io->d_weight[1]),
        LAM_ARG_INT(state->N), LAM_ARG_LONG(state->K), LAM_ARG_INT(cut.chunk)};

    return layer->host->launch(layer->host, state->bias_backward, args, 5,
                               cut.global, cut.local);
}

// dx = dy weight
static int dense_data(struct lam_layer *layer, const struct lam_io *io)
{
    const struct dense_state *state = layer->state;
    const struct lam_gemm gemm = {.a = &io->d_out[0],
                                  .b = &io->weight[0],
                                  .c = &io->d_in[0],
                                  .lda = state->K,
                                  .ldb = state->C,
                                  .ldc = state->C,
                                  .m = state->N,
                                  .n = state->C,
                                  .k = state->K,
                                  .batch = 1,
                                  .alpha = 1.0};

    return layer->host->gemm(layer->host, &gemm);
}

static int dense_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct dense_config *config = layer->config;
    int err = LAM_OK;

    if (io->d_weight[0].buffer)
        err = dense_weight(layer, io);
    if (!err && config->has_bias && io->d_weight[1].buffer)
        err = dense_bias(layer, io);
    if (!err && io->d_in[0].buffer)
        err = dense_data(layer, io);
    return err;
}

static int dense_reference(const struct lam_layer *layer,
                           const struct lam_ref *ref)
{
    const struct dense_config *config = layer->config;
    const int64_t N = ref->out_shape[0].dim[0], K = ref->out_shape[0].dim[1];
    const int64_t C = ref->weight_shape[0].dim[1];

    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k++) {
            double sum = config->has_bias ? ref->weight[1][k] : 0.0;

            for (int64_t c = 0; c < C; c++)
                sum += ref->in[0][n * C + c] * ref->weight[0][k * C + c];
            ref->out[0][n * K + k] = sum;
        }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample dense_samples[] = {
    {.params = "units=5", .inputs = "3x7", .flags = BOTH},
    {.params = "units=1", .inputs = "1x1", .flags = LAM_SAMPLE_LINEAR},
    {.params = "units=4 bias=false", .inputs = "2x3x5x7", .flags = BOTH},
    {.params = "units=67 init=glorot", .inputs = "5x131", .flags = BOTH},
    {.params = "units=3", .inputs = "1x2x16x17"},
    {.params = "units=2 init=identity",
     .inputs = "3x4x5",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "", .inputs = "3x7", .error = "'units' is missing"},
    {.params = "units=0", .inputs = "3x7", .error = "units is 0, wanted 1 to"},
    {.params = "units=2", .inputs = "7", .error = "found rank 1"},
    {.params = "units=2 init=icnr", .inputs = "3x7", .error = "init icnr"},
    {0}};

static const struct lam_layer_type dense = {
    .name = "dense",
    .summary = "every output from every input, fully connected",
    .params = dense_params,
    .config_size = sizeof(struct dense_config),
    .state_size = sizeof(struct dense_state),
    .min_in = 1,
    .max_in = 1,
    .shape = dense_shape,
    .prepare = dense_prepare,
    .run = dense_run,
    .backward = dense_backward,
    .reference = dense_reference,
    .samples = dense_samples,
};

static const struct lam_layer_type *const layers[] = {&dense, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "dense",
    .version = "0.1",
    .layers = layers,
};
