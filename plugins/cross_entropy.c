// cross_entropy: losses of each pixel on its own, as a weighted mean.
//
// softmax_ce  l = -log softmax(z)_y                       z [N, K, H, W]
//             w = class_weights[y] * (y > 0 ? positive_weight : 1)
// sigmoid_ce  l = max(z, 0) - z y + log(1 + exp(-|z|))    z [N, 1, H, W]
//             w = 1 + (positive_weight - 1) y
// mean        sum w l / (number of pixels with w != 0), as TensorFlow 1 divides
// weighted    sum w l / sum w
//
// Labels y [N, 1, H, W] are real numbers, for sigmoid_ce anything in [0, 1];
// dense predictions [N, K] take y [N] or [N, 1]. A label that is neither a
// class nor ignored makes the loss NaN. Without any weight the loss is 0.
// `twice` puts sigmoid(z) in the place of z, a second sigmoid that some
// published training code has by mistake.
#include "lam/plugin.h"

#include <math.h>

#include "cross_entropy.cl.h"
#include "loss.h"

enum { REDUCE_MEAN, REDUCE_WEIGHTED };

struct cross_entropy_config {
    struct lam_reals class_weights;
    double positive_weight;
    int32_t ignore, reduction, twice;
};

struct cross_entropy_state {
    struct loss_grid grid;
    struct lam_kernel *sum, *fold, *finish, *gradient;
};

#define AT(member) offsetof(struct cross_entropy_config, member)

static const char *const reductions[] = {"mean", "weighted", NULL};

static const struct lam_param softmax_ce_params[] = {
    {"class_weights", LAM_PARAM_REALS, AT(class_weights), "", 0.0, 1e6, NULL,
     "weight of each class; empty: 1 each", 0},
    {"positive_weight", LAM_PARAM_REAL, AT(positive_weight), "1", 0.0, 1e6,
     NULL, "weight of the labels above 0", 1},
    {"ignore", LAM_PARAM_INT, AT(ignore), "-1", -1, 65535, NULL,
     "label of pixels that do not count; -1: none", 0},
    {"reduction", LAM_PARAM_CHOICE, AT(reduction), "mean", 0, 0, reductions,
     "divide by the pixels, or by their weights", 0},
    {0}};

static const struct lam_param sigmoid_ce_params[] = {
    {"positive_weight", LAM_PARAM_REAL, AT(positive_weight), "1", 0.0, 1e6,
     NULL, "weight of the labels above 0", 1},
    {"ignore", LAM_PARAM_INT, AT(ignore), "-1", -1, 65535, NULL,
     "label of pixels that do not count; -1: none", 0},
    {"reduction", LAM_PARAM_CHOICE, AT(reduction), "mean", 0, 0, reductions,
     "divide by the pixels, or by their weights", 0},
    {"twice", LAM_PARAM_BOOL, AT(twice), "false", 0, 0, NULL,
     "apply the sigmoid a second time", 0},
    {0}};

static int cross_entropy_shape(const struct lam_layer *l,
                               struct lam_shapes *shapes)
{
    const struct loss_grid g = loss_grid_of(l, &shapes->in[0]);
    const int err = loss_shape(l, shapes, 1);

    if (!err)
        shapes->run_scratch = loss_scratch(&shapes->in[0], 2, g.items);
    return err;
}

static int softmax_ce_shape(const struct lam_layer *l,
                            struct lam_shapes *shapes)
{
    const struct cross_entropy_config *config = l->config;
    const int64_t K = shapes->in[0].rank > 1 ? shapes->in[0].dim[1] : 0;
    const int n = config->class_weights.n;

    if (K == 1)
        return l->host->fail(l->host, LAM_ESHAPE,
                             "%s: softmax_ce wants at least 2 channels, found "
                             "1; use sigmoid_ce",
                             l->name);
    if (n && n != K)
        return l->host->fail(l->host, LAM_EMODEL,
                             "%s: %d class_weights for a prediction of %lld "
                             "channels",
                             l->name, n, (long long)K);
    return cross_entropy_shape(l, shapes);
}

static int sigmoid_ce_shape(const struct lam_layer *l,
                            struct lam_shapes *shapes)
{
    if (shapes->in[0].rank > 1 && shapes->in[0].dim[1] != 1)
        return l->host->fail(l->host, LAM_ESHAPE,
                             "%s: sigmoid_ce wants 1 channel, found %lld; use "
                             "softmax_ce",
                             l->name, (long long)shapes->in[0].dim[1]);
    return cross_entropy_shape(l, shapes);
}

static int cross_entropy_prepare(struct lam_layer *l, const struct lam_io *io,
                                 const char *sum, const char *gradient)
{
    const char *source = cross_entropy_cl;
    struct cross_entropy_state *state = l->state;
    int err = loss_kernel(l, source, sum, &state->sum);

    state->grid = loss_grid_of(l, &io->in[0].shape);
    if (!err)
        err = loss_kernel(l, source, "loss_fold", &state->fold);
    if (!err)
        err = loss_kernel(l, source, "cross_entropy_finish", &state->finish);
    if (!err && io->training)
        err = loss_kernel(l, source, gradient, &state->gradient);
    return err;
}

static int softmax_ce_prepare(struct lam_layer *l, const struct lam_io *io)
{
    return cross_entropy_prepare(l, io, "softmax_ce_sum",
                                 "softmax_ce_gradient");
}

static int sigmoid_ce_prepare(struct lam_layer *l, const struct lam_io *io)
{
    return cross_entropy_prepare(l, io, "sigmoid_ce_sum",
                                 "sigmoid_ce_gradient");
}

// From the sums of the parts to the loss.
static int cross_entropy_finish(struct lam_layer *l, const struct lam_io *io)
{
    const struct cross_entropy_state *state = l->state;
    int64_t at;
    int err = loss_fold(l, state->fold, io, 2, state->grid.items, &at);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(at),
        LAM_ARG_TENSOR(&io->out[0]),
        LAM_ARG_TENSOR(io->training ? &io->aux[0] : NULL),
    };

    return err ? err : loss_launch(l, state->finish, args, 4, 1);
}

// Weight of label k; k = 8 stands for all above 7.
static double weight_of(const struct cross_entropy_config *config, int k)
{
    const double w =
        k < config->class_weights.n ? config->class_weights.v[k] : 1.0;

    return k > 0 ? w * config->positive_weight : w;
}

#define WEIGHT_ARG(k) LAM_ARG_REAL(weight_of(config, k))
#define WEIGHT_ARGS                                                            \
    WEIGHT_ARG(0), WEIGHT_ARG(1), WEIGHT_ARG(2), WEIGHT_ARG(3), WEIGHT_ARG(4), \
        WEIGHT_ARG(5), WEIGHT_ARG(6), WEIGHT_ARG(7), WEIGHT_ARG(8),            \
        LAM_ARG_INT(config->ignore)

static int softmax_ce_run(struct lam_layer *l, const struct lam_io *io)
{
    const struct cross_entropy_config *config = l->config;
    const struct cross_entropy_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->scratch),
        WEIGHT_ARGS,
        LAM_ARG_INT(config->reduction == REDUCE_WEIGHTED),
        LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };
    const int err = loss_launch(l, state->sum, args, 20, g->items);

    return err ? err : cross_entropy_finish(l, io);
}

static int softmax_ce_backward(struct lam_layer *l, const struct lam_io *io)
{
    const struct cross_entropy_config *config = l->config;
    const struct cross_entropy_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->aux[0]),
        LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]),
        WEIGHT_ARGS,
        LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };

    if (!io->d_in[0].buffer)
        return LAM_OK;
    return loss_launch(l, state->gradient, args, 21, g->items);
}

static int sigmoid_ce_run(struct lam_layer *l, const struct lam_io *io)
{
    const struct cross_entropy_config *config = l->config;
    const struct cross_entropy_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_REAL(config->positive_weight),
        LAM_ARG_INT(config->ignore),
        LAM_ARG_INT(config->reduction == REDUCE_WEIGHTED),
        LAM_ARG_INT(config->twice),
        LOSS_GRID_ARGS(*g),
    };
    const int err = loss_launch(l, state->sum, args, 12, g->items);

    return err ? err : cross_entropy_finish(l, io);
}

static int sigmoid_ce_backward(struct lam_layer *l, const struct lam_io *io)
{
    const struct cross_entropy_config *config = l->config;
    const struct cross_entropy_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),   LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->aux[0]),  LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]), LAM_ARG_REAL(config->positive_weight),
        LAM_ARG_INT(config->ignore),  LAM_ARG_INT(config->twice),
        LOSS_GRID_ARGS(*g),
    };

    if (!io->d_in[0].buffer)
        return LAM_OK;
    return loss_launch(l, state->gradient, args, 13, g->items);
}

// sum w l over a divisor, 0 without one.
static double reduced(int reduction, double total, double weights,
                      double counted)
{
    const double by = reduction == REDUCE_WEIGHTED ? weights : counted;

    return by != 0.0 ? total / by : 0.0;
}

static int softmax_ce_reference(const struct lam_layer *l,
                                const struct lam_ref *ref)
{
    const struct cross_entropy_config *config = l->config;
    const struct loss_grid g = loss_grid_of(l, &ref->in_shape[0]);
    double total = 0.0, weights = 0.0, counted = 0.0;

    for (int64_t i = 0; i < g.N * g.P; i++) {
        const int y = (int)ref->in[1][i];
        double w = y > 0 ? config->positive_weight : 1.0, sum = 0.0;

        if (y == config->ignore)
            continue;
        if (config->class_weights.n)
            w *= config->class_weights.v[y];
        for (int k = 0; k < g.K; k++)
            sum += exp(
                loss_at(ref->in[0], &ref->in_shape[0], i / g.P, k, i % g.P) -
                loss_at(ref->in[0], &ref->in_shape[0], i / g.P, y, i % g.P));
        total += w * log(sum);
        weights += w;
        counted += w != 0.0;
    }
    ref->out[0][0] = reduced(config->reduction, total, weights, counted);
    return LAM_OK;
}

static int sigmoid_ce_reference(const struct lam_layer *l,
                                const struct lam_ref *ref)
{
    const struct cross_entropy_config *config = l->config;
    const struct loss_grid g = loss_grid_of(l, &ref->in_shape[0]);
    double total = 0.0, weights = 0.0, counted = 0.0;

    for (int64_t i = 0; i < g.N * g.P; i++) {
        const double y = ref->in[1][i];
        const double w = y * config->positive_weight + (1.0 - y);
        double z = ref->in[0][i];

        if (y == config->ignore)
            continue;
        if (config->twice)
            z = 1.0 / (1.0 + exp(-z));
        total += w * (y * log(1.0 + exp(-z)) + (1.0 - y) * log(1.0 + exp(z)));
        weights += w;
        counted += w != 0.0;
    }
    ref->out[0][0] = reduced(config->reduction, total, weights, counted);
    return LAM_OK;
}

static const struct lam_sample softmax_ce_samples[] = {
    LOSS_CASE("", "1x2x1x1 1x1x1x1", "normal labels:2"),
    LOSS_CASE("", "3x2x7x5 3x1x7x5", "normal labels:2"),
    LOSS_CASE("class_weights=0.5,2,3", "2x3x5x7 2x1x5x7", "normal labels:3"),
    LOSS_CASE("class_weights=0,2,3 positive_weight=1.5 reduction=weighted",
              "1x3x9x4 1x1x9x4", "normal labels:3"),
    LOSS_CASE("class_weights=0,2,3", "1x3x9x4 1x1x9x4", "normal labels:3"),
    LOSS_CASE("positive_weight=15 reduction=weighted", "2x2x6x6 2x1x6x6",
              "normal labels:2"),
    LOSS_CASE("positive_weight=0", "2x2x6x6 2x1x6x6", "normal labels:2"),
    LOSS_CASE("ignore=2 positive_weight=4", "2x2x5x6 2x1x5x6",
              "normal labels:3"),
    LOSS_CASE("ignore=0 reduction=weighted", "1x11x5x6 1x1x5x6",
              "normal labels:11"),
    LOSS_CASE("positive_weight=3", "5x4 5", "normal labels:4"),
    LOSS_CASE("", "7x12 7x1", "normal labels:12"),
    LOSS_EVAL("", "2x3x5x7 2x1x5x7", "normal labels:3"),
    LOSS_CASE("ignore=0", "5000x2 5000", "normal labels:2"),
    LOSS_CASE("positive_weight=2", "2x2x97x101 2x1x97x101", "normal labels:2"),
    LOSS_REFUSED("", "1x1x4x4 1x1x4x4", NULL, "wants at least 2 channels"),
    LOSS_REFUSED("class_weights=1,2,3", "1x2x4x4 1x1x4x4", NULL,
                 "3 class_weights"),
    LOSS_REFUSED("", "1x2x4x4 1x1x4x5", NULL, "size 3 of the prediction is 4"),
    LOSS_REFUSED("", "1x2x4x4 2x1x4x4", NULL, "size 0 of the prediction is 1"),
    LOSS_REFUSED("", "1x2x4x4 1x2x4x4", NULL, "target of 1 channel"),
    LOSS_REFUSED("", "1x2x4x4 1x4", NULL, "the target 2"),
    LOSS_REFUSED("", "2x3x4 2x1x4", NULL, "rank 4 or 2"),
    LOSS_REFUSED("", "1x2x4x4 1x1x4x4", "normal indices:2", "not indices"),
    LOSS_REFUSED("positive_weight=-1", "1x2x4x4 1x1x4x4", NULL, "wanted 0 to"),
    {0}};

static const struct lam_sample sigmoid_ce_samples[] = {
    LOSS_CASE("", "1x1x1x1 1x1x1x1", "normal binary"),
    LOSS_CASE("", "3x1x7x5 3x1x7x5", "normal binary"),
    LOSS_CASE("positive_weight=15", "2x1x6x5 2x1x6x5", "normal binary"),
    LOSS_CASE("positive_weight=15 reduction=weighted", "2x1x6x5 2x1x6x5",
              "normal binary"),
    LOSS_CASE("positive_weight=0", "2x1x6x5 2x1x6x5", "normal binary"),
    LOSS_CASE("positive_weight=3 reduction=weighted", "2x1x6x5 2x1x6x5",
              "normal unit"),
    LOSS_CASE("twice=true positive_weight=15", "2x1x6x5 2x1x6x5",
              "normal binary"),
    LOSS_CASE("twice=true", "1x1x3x7 1x1x3x7", "distinct unit"),
    LOSS_CASE("ignore=2", "2x1x6x5 2x1x6x5", "normal labels:3"),
    LOSS_CASE("positive_weight=2", "6x1 6", "normal binary"),
    LOSS_CASE("", "6x1 6x1", "normal binary"),
    LOSS_EVAL("", "2x1x5x7 2x1x5x7", "normal binary"),
    LOSS_CASE("positive_weight=5", "2x1x97x101 2x1x97x101", "normal binary"),
    LOSS_REFUSED("", "1x2x4x4 1x1x4x4", NULL, "wants 1 channel"),
    LOSS_REFUSED("class_weights=1,2", "1x1x4x4 1x1x4x4", NULL,
                 "unknown parameter"),
    {0}};

static const struct lam_layer_type softmax_ce = {
    .name = "softmax_ce",
    .summary = "weighted cross-entropy of softmax logits and labels",
    .kind = LAM_KIND_LOSS,
    .params = softmax_ce_params,
    .config_size = sizeof(struct cross_entropy_config),
    .state_size = sizeof(struct cross_entropy_state),
    .min_in = 2,
    .max_in = 2,
    .shape = softmax_ce_shape,
    .prepare = softmax_ce_prepare,
    .run = softmax_ce_run,
    .backward = softmax_ce_backward,
    .reference = softmax_ce_reference,
    .samples = softmax_ce_samples,
};

static const struct lam_layer_type sigmoid_ce = {
    .name = "sigmoid_ce",
    .summary = "weighted cross-entropy of sigmoid logits and labels",
    .kind = LAM_KIND_LOSS,
    .params = sigmoid_ce_params,
    .config_size = sizeof(struct cross_entropy_config),
    .state_size = sizeof(struct cross_entropy_state),
    .min_in = 2,
    .max_in = 2,
    .shape = sigmoid_ce_shape,
    .prepare = sigmoid_ce_prepare,
    .run = sigmoid_ce_run,
    .backward = sigmoid_ce_backward,
    .reference = sigmoid_ce_reference,
    .samples = sigmoid_ce_samples,
};

static const struct lam_layer_type *const layers[] = {&softmax_ce, &sigmoid_ce,
                                                      NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "cross_entropy",
    .version = "0.1",
    .layers = layers,
};
