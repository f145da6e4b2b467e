// carafe: y[n,c,i,j] = sum over u, v of k[n,u*K+v,i,j] * x[n,c,i/s+u-r,j/s+v-r]
//
// The reassembly of CARAFE, content-aware upsampling (Wang et al. 2019, one
// group): each pixel of the result has weights of its own for the K x K pixels
// around the one it lies in; r = K / 2, outside the image is 0. Inputs: x
// [N, C, H, W] and the weights k [N, K * K, s H, s W], which the block in
// carafe.yaml predicts from x.
#include <lam/plugin.h>

#include "carafe.cl.h"

#include <stdio.h>

struct carafe_config {
    int32_t scale, kernel;
};

struct carafe_state {
    struct lam_kernel *forward, *dx, *dk;
};

static const struct lam_param carafe_params[] = {
    {.name = "scale",
     .kind = LAM_PARAM_INT,
     .offset = offsetof(struct carafe_config, scale),
     .def = "2",
     .min = 1,
     .max = 16,
     .doc = "how many times the height and width"},
    {.name = "kernel",
     .kind = LAM_PARAM_INT,
     .offset = offsetof(struct carafe_config, kernel),
     .def = "5",
     .min = 1,
     .max = 15,
     .doc = "side of the window that is weighed, odd"},
    {0}};

static int carafe_shape(const struct lam_layer *layer,
                        struct lam_shapes *shapes)
{
    const struct carafe_config *config = layer->config;
    const struct lam_host *host = layer->host;
    const struct lam_shape *x = &shapes->in[0], *k = &shapes->in[1];
    const int32_t s = config->scale, K = config->kernel;

    if (K % 2 == 0)
        return host->fail(host, LAM_EMODEL, "kernel is %d, wanted odd", K);
    if (x->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "wants images [N, C, H, W], found rank %d", x->rank);
    shapes->out[0] = *x;
    shapes->out[0].dim[2] *= s;
    shapes->out[0].dim[3] *= s;
    if (k->rank != 4 || k->dim[0] != x->dim[0] || k->dim[1] != K * K ||
        k->dim[2] != shapes->out[0].dim[2] ||
        k->dim[3] != shapes->out[0].dim[3])
        return host->fail(host, LAM_ESHAPE,
                          "the second input must be weights [%lld, %d, %lld, "
                          "%lld]: %d x %d for each pixel of the result",
                          (long long)x->dim[0], K * K,
                          (long long)shapes->out[0].dim[2],
                          (long long)shapes->out[0].dim[3], K, K);
    shapes->n_out = 1;
    shapes->backward_in = 3; // backward reads both inputs
    shapes->macs = (double)lam_elements(&shapes->out[0]) * K * K;
    return LAM_OK;
}

static int carafe_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    const struct carafe_config *config = layer->config;
    const struct lam_host *host = layer->host;
    struct carafe_state *state = layer->state;
    char options[64];
    int err;

    (void)io;
    snprintf(options, sizeof(options), "-DSCALE=%d -DKERNEL=%d", config->scale,
             config->kernel);
    err = host->kernel(host, carafe_cl, "carafe_forward", options,
                       &state->forward);
    if (!err)
        err = host->kernel(host, carafe_cl, "carafe_dx", options, &state->dx);
    if (!err)
        err = host->kernel(host, carafe_cl, "carafe_dk", options, &state->dk);
    return err;
}

// One work-item a pixel of `over` [N, ., height, width], for each of N *
// planes; the kernels check their ids.
static int carafe_launch(struct lam_layer *layer, struct lam_kernel *kernel,
                         const struct lam_tensor *a, const struct lam_tensor *b,
                         const struct lam_tensor *over, int64_t C, int64_t H,
                         int64_t W)
{
    const int64_t *dim = over->shape.dim;
    const struct lam_arg args[] = {LAM_ARG_TENSOR(a),    LAM_ARG_TENSOR(b),
                                   LAM_ARG_TENSOR(over), LAM_ARG_INT(C),
                                   LAM_ARG_INT(H),       LAM_ARG_INT(W)};
    const size_t local[3] = {16, 4, 1};
    const size_t global[3] = {((size_t)dim[3] + 15) / 16 * 16,
                              ((size_t)dim[2] + 3) / 4 * 4,
                              (size_t)(dim[0] * dim[1])};

    return layer->host->launch(layer->host, kernel, args, 6, global, local);
}

static int carafe_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct carafe_state *state = layer->state;
    const int64_t *x = io->in[0].shape.dim;

    return carafe_launch(layer, state->forward, &io->in[0], &io->in[1],
                         &io->out[0], x[1], x[2], x[3]);
}

static int carafe_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct carafe_state *state = layer->state;
    const int64_t *x = io->in[0].shape.dim;
    int err = LAM_OK;

    if (io->d_in[0].buffer)
        err = carafe_launch(layer, state->dx, &io->in[1], &io->d_out[0],
                            &io->d_in[0], x[1], x[2], x[3]);
    if (!err && io->d_in[1].buffer)
        err = carafe_launch(layer, state->dk, &io->in[0], &io->d_out[0],
                            &io->d_in[1], x[1], x[2], x[3]);
    return err;
}

static int carafe_reference(const struct lam_layer *layer,
                            const struct lam_ref *ref)
{
    const struct carafe_config *config = layer->config;
    const int64_t *x = ref->in_shape[0].dim, *y = ref->out_shape[0].dim;
    const int K = config->kernel, s = config->scale;

    for (int64_t e = 0; e < lam_elements(&ref->out_shape[0]); e++) {
        const int64_t j = e % y[3], i = e / y[3] % y[2];
        const int64_t plane = e / y[3] / y[2], n = plane / y[1];
        double sum = 0;

        for (int t = 0; t < K * K; t++) {
            const int64_t p = i / s + t / K - K / 2, q = j / s + t % K - K / 2;

            if (p >= 0 && p < x[2] && q >= 0 && q < x[3])
                sum += ref->in[1][((n * K * K + t) * y[2] + i) * y[3] + j] *
                       ref->in[0][(plane * x[2] + p) * x[3] + q];
        }
        ref->out[0][e] = sum;
    }
    return LAM_OK;
}

enum { BOTH = LAM_SAMPLE_EXACT | LAM_SAMPLE_LINEAR };

static const struct lam_sample carafe_samples[] = {
    {.params = "", .inputs = "2x3x5x7 2x25x10x14", .flags = BOTH},
    {.params = "kernel=3", .inputs = "1x2x9x17 1x9x18x34"},
    {.params = "kernel=3 scale=3", .inputs = "2x1x4x3 2x9x12x9", .flags = BOTH},
    {.params = "kernel=1 scale=4", .inputs = "1x5x2x3 1x1x8x12", .flags = BOTH},
    {.params = "kernel=7 scale=1", .inputs = "1x2x3x2 1x49x3x2", .flags = BOTH},
    {.params = "", .inputs = "1x1x1x1 1x25x2x2", .flags = BOTH},
    {.params = "",
     .inputs = "1x2x3x5 1x25x6x10",
     .flags = LAM_SAMPLE_EXACT | LAM_SAMPLE_EVAL},
    {.params = "kernel=4", .inputs = "1x1x2x2 1x16x4x4", .error = "wanted odd"},
    {.params = "",
     .inputs = "1x1x2x2 1x9x4x4",
     .error = "must be weights [1, 25, 4, 4]"},
    {.params = "", .inputs = "2x2 2x2", .error = "found rank 2"},
    {.params = "", .inputs = "1x1x2x2", .error = "takes 2 inputs, found 1"},
    {0}};

static const struct lam_layer_type carafe = {
    .name = "carafe",
    .summary = "images enlarged by weights that a second input gives per pixel",
    .params = carafe_params,
    .config_size = sizeof(struct carafe_config),
    .state_size = sizeof(struct carafe_state),
    .min_in = 2,
    .max_in = 2,
    .shape = carafe_shape,
    .prepare = carafe_prepare,
    .run = carafe_run,
    .backward = carafe_backward,
    .reference = carafe_reference,
    .samples = carafe_samples,
};

static const struct lam_layer_type *const layers[] = {&carafe, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "carafe",
    .version = "0.1",
    .layers = layers,
};
