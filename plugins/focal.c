// focal: the focal loss of Lin, Goyal, Girshick, He and Dollar (2017), a
// cross-entropy in which pixels that are already right count less:
//
// l = -a (1 - p)^gamma log p, averaged over all pixels
//
// p is the probability of the label: by the sigmoid for one channel (labels 0
// and 1), by the softmax for more. a = alpha for labels above 0, 1 - alpha for
// label 0, and 1 with a negative alpha. Prediction [N, K, H, W] and labels
// [N, 1, H, W] as real numbers, or [N, K] and [N]. A label that is no class
// makes the loss NaN.
#include "lam/plugin.h"

#include <math.h>

#include "focal.cl.h"
#include "loss.h"

struct focal_config {
    double gamma, alpha;
};

struct focal_state {
    struct loss_grid grid;
    struct lam_kernel *sum, *fold, *finish, *gradient;
};

static const struct lam_param focal_params[] = {
    {"gamma", LAM_PARAM_REAL, offsetof(struct focal_config, gamma), "2", 0.0,
     20.0, NULL, "how fast easy pixels fade; 0: cross-entropy", 0},
    {"alpha", LAM_PARAM_REAL, offsetof(struct focal_config, alpha), "0.25",
     -1.0, 1.0, NULL, "weight of labels above 0, of 0 the rest; -1: none", 0},
    {0}};

static int focal_shape(const struct lam_layer *l, struct lam_shapes *shapes)
{
    const struct lam_shape *in = &shapes->in[0];
    const int err = loss_shape(l, shapes, 0);

    if (err)
        return err;
    shapes->run_scratch = loss_scratch(in, 1, loss_grid_of(l, in).items);
    return LAM_OK;
}

static int focal_prepare(struct lam_layer *l, const struct lam_io *io)
{
    struct focal_state *state = l->state;
    int err = loss_kernel(l, focal_cl, "focal_sum", &state->sum);

    state->grid = loss_grid_of(l, &io->in[0].shape);
    if (!err)
        err = loss_kernel(l, focal_cl, "loss_fold", &state->fold);
    if (!err)
        err = loss_kernel(l, focal_cl, "focal_finish", &state->finish);
    if (!err && io->training)
        err = loss_kernel(l, focal_cl, "focal_gradient", &state->gradient);
    return err;
}

static int focal_run(struct lam_layer *l, const struct lam_io *io)
{
    const struct focal_config *config = l->config;
    const struct focal_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg sum_args[] = {
        LAM_ARG_TENSOR(&io->in[0]),   LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->scratch), LAM_ARG_REAL(config->gamma),
        LAM_ARG_REAL(config->alpha),  LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };
    int64_t at = 0;
    int err = loss_launch(l, state->sum, sum_args, 11, g->items);

    if (!err)
        err = loss_fold(l, state->fold, io, 1, g->items, &at);
    if (!err) {
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(&io->scratch),
            LAM_ARG_LONG(at),
            LAM_ARG_TENSOR(&io->out[0]),
            LAM_ARG_LONG(g->N * g->P),
        };

        err = loss_launch(l, state->finish, args, 4, 1);
    }
    return err;
}

static int focal_backward(struct lam_layer *l, const struct lam_io *io)
{
    const struct focal_config *config = l->config;
    const struct focal_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]),
        LAM_ARG_REAL(config->gamma),
        LAM_ARG_REAL(config->alpha),
        LAM_ARG_LONG(g->N * g->P),
        LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };

    if (!io->d_in[0].buffer)
        return LAM_OK;
    return loss_launch(l, state->gradient, args, 13, g->items);
}

static int focal_reference(const struct lam_layer *l, const struct lam_ref *ref)
{
    const struct focal_config *config = l->config;
    const struct lam_shape *shape = &ref->in_shape[0];
    const struct loss_grid g = loss_grid_of(l, shape);
    double total = 0.0;

    for (int64_t i = 0; i < g.N * g.P; i++) {
        const int y = (int)ref->in[1][i];
        double a = y > 0 ? config->alpha : 1.0 - config->alpha;
        double all = 0.0, own, p;

        if (g.K == 1) {
            p = 1.0 / (1.0 + exp(-ref->in[0][i]));
            p = y ? p : 1.0 - p;
        } else {
            for (int k = 0; k < g.K; k++)
                all += exp(loss_at(ref->in[0], shape, i / g.P, k, i % g.P));
            own = loss_at(ref->in[0], shape, i / g.P, y, i % g.P);
            p = exp(own) / all;
        }
        if (config->alpha < 0.0)
            a = 1.0;
        total -= a * pow(1.0 - p, config->gamma) * log(p);
    }
    ref->out[0][0] = total / (double)(g.N * g.P);
    return LAM_OK;
}

static const struct lam_sample focal_samples[] = {
    LOSS_CASE("", "1x1x1x1 1x1x1x1", "normal binary"),
    LOSS_CASE("", "3x1x7x5 3x1x7x5", "normal binary"),
    LOSS_CASE("gamma=0 alpha=-1", "2x1x5x3 2x1x5x3", "normal binary"),
    LOSS_CASE("gamma=0.5", "2x1x5x3 2x1x5x3", "normal binary"),
    LOSS_CASE("gamma=5 alpha=0.9", "2x1x5x3 2x1x5x3", "normal binary"),
    LOSS_CASE("", "1x2x1x1 1x1x1x1", "normal labels:2"),
    LOSS_CASE("", "2x2x6x5 2x1x6x5", "normal labels:2"),
    LOSS_CASE("gamma=1 alpha=1", "2x4x3x5 2x1x3x5", "normal labels:4"),
    LOSS_CASE("gamma=0 alpha=-1", "1x3x5x5 1x1x5x5", "normal labels:3"),
    LOSS_CASE("gamma=1.5", "131x3 131", "normal labels:3"),
    LOSS_CASE("", "6x1 6x1", "normal binary"),
    LOSS_EVAL("", "2x1x5x7 2x1x5x7", "normal binary"),
    LOSS_CASE("", "2x2x97x101 2x1x97x101", "normal labels:2"),
    LOSS_REFUSED("gamma=-1", "1x1x4x4 1x1x4x4", NULL, "wanted 0 to 20"),
    LOSS_REFUSED("", "1x1x4x4 1x2x4x4", NULL, "target of 1 channel"),
    {0}};

static const struct lam_layer_type focal = {
    .name = "focal",
    .summary = "cross-entropy that fades pixels that are already right",
    .kind = LAM_KIND_LOSS,
    .params = focal_params,
    .config_size = sizeof(struct focal_config),
    .state_size = sizeof(struct focal_state),
    .min_in = 2,
    .max_in = 2,
    .shape = focal_shape,
    .prepare = focal_prepare,
    .run = focal_run,
    .backward = focal_backward,
    .reference = focal_reference,
    .samples = focal_samples,
};

static const struct lam_layer_type *const layers[] = {&focal, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "focal",
    .version = "0.1",
    .layers = layers,
};
