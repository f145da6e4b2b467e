// overlap: losses of how much prediction and mask overlap.
//
// p is the probability of foreground: sigmoid(z) for one channel, the sum of
// softmax(z)_k over k > 0 for more; with `input: probability` z is taken as it
// is. t = min(y, 1): any label above 0 is foreground. Sums run over the pixels
// of the whole batch, or of one image, the loss then being the mean over
// images.
//
// soft_iou  1 - (sum p t + smooth) / (sum (p + t - p t) + smooth)
// dice      1 - (2 sum p t + smooth) / (sum p + sum t + smooth), squared: p^2,
// t^2 tversky   1 - (I + smooth) / (I + alpha FP + beta FN + smooth), I = sum p
// t,
//           FP = sum p (1 - t), FN = sum (1 - p) t
//
// Without `smooth` a batch without foreground has loss 1 and no gradient; so
// has a divisor of 0, where p = t = 0 everywhere. A label below 0 gives NaN.
#include "lam/plugin.h"

#include <math.h>

#include "loss.h"
#include "overlap.cl.h"

struct overlap_config {
    double smooth, alpha, beta;
    int32_t per, input, squared;
};

struct overlap_state {
    struct loss_grid grid;
    int64_t groups; // that are summed apart
    struct lam_kernel *sum, *fold, *finish, *gradient;
};

#define AT(member) offsetof(struct overlap_config, member)

static const char *const extents[] = {"batch", "image", NULL};
static const char *const inputs[] = {"logits", "probability", NULL};
static const char per_doc[] = "sum over the whole batch, or over each image";
static const char input_doc[] = "what the prediction holds";
static const char smooth_doc[] = "added to the numerator and the divisor";

static const struct lam_param soft_iou_params[] = {
    {"per", LAM_PARAM_CHOICE, AT(per), "batch", 0, 0, extents, per_doc, 0},
    {"smooth", LAM_PARAM_REAL, AT(smooth), "0", 0.0, 1e9, NULL, smooth_doc, 0},
    {"input", LAM_PARAM_CHOICE, AT(input), "logits", 0, 0, inputs, input_doc,
     0},
    {0}};

static const struct lam_param dice_params[] = {
    {"per", LAM_PARAM_CHOICE, AT(per), "batch", 0, 0, extents, per_doc, 0},
    {"smooth", LAM_PARAM_REAL, AT(smooth), "1", 0.0, 1e9, NULL, smooth_doc, 0},
    {"squared", LAM_PARAM_BOOL, AT(squared), "false", 0, 0, NULL,
     "square p and t in the divisor", 0},
    {"input", LAM_PARAM_CHOICE, AT(input), "logits", 0, 0, inputs, input_doc,
     0},
    {0}};

static const struct lam_param tversky_params[] = {
    {"alpha", LAM_PARAM_REAL, AT(alpha), "0.3", 0.0, 1e3, NULL,
     "weight of false positives", 0},
    {"beta", LAM_PARAM_REAL, AT(beta), "0.7", 0.0, 1e3, NULL,
     "weight of false negatives", 0},
    {"per", LAM_PARAM_CHOICE, AT(per), "batch", 0, 0, extents, per_doc, 0},
    {"smooth", LAM_PARAM_REAL, AT(smooth), "1", 0.0, 1e9, NULL, smooth_doc, 0},
    {"input", LAM_PARAM_CHOICE, AT(input), "logits", 0, 0, inputs, input_doc,
     0},
    {0}};

// L = 1 - (n I + smooth) / (D + smooth), D = a sum q(p) + b sum q(t) + c I.
struct overlap_form {
    double n, a, b, c;
};

static struct overlap_form overlap_form_of(const struct lam_layer *l)
{
    const struct overlap_config *config = l->config;

    if (l->type->params == dice_params)
        return (struct overlap_form){2.0, 1.0, 1.0, 0.0};
    if (l->type->params == tversky_params)
        return (struct overlap_form){1.0, config->alpha, config->beta,
                                     1.0 - config->alpha - config->beta};
    return (struct overlap_form){1.0, 1.0, 1.0, -1.0};
}

static int64_t overlap_groups(const struct lam_layer *l,
                              const struct lam_shape *in)
{
    const struct overlap_config *config = l->config;

    return config->per ? in->dim[0] : 1;
}

static int overlap_shape(const struct lam_layer *l, struct lam_shapes *shapes)
{
    const struct lam_shape *in = &shapes->in[0];
    const int64_t groups = overlap_groups(l, in);
    const int64_t items = loss_grid_of(l, in).items;
    const int err = loss_shape(l, shapes, 2 * groups);

    if (!err)
        shapes->run_scratch = loss_scratch(in, 2 * groups, items / groups);
    return err;
}

static int overlap_prepare(struct lam_layer *l, const struct lam_io *io)
{
    const char *source = overlap_cl;
    struct overlap_state *state = l->state;
    int err = loss_kernel(l, source, "overlap_sum", &state->sum);

    state->grid = loss_grid_of(l, &io->in[0].shape);
    state->groups = overlap_groups(l, &io->in[0].shape);
    if (!err)
        err = loss_kernel(l, source, "loss_fold", &state->fold);
    if (!err)
        err = loss_kernel(l, source, "overlap_finish", &state->finish);
    if (!err && io->training)
        err = loss_kernel(l, source, "overlap_gradient", &state->gradient);
    return err;
}

static int overlap_run(struct lam_layer *l, const struct lam_io *io)
{
    const struct overlap_config *config = l->config;
    const struct overlap_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct overlap_form form = overlap_form_of(l);
    const struct lam_arg sum_args[] = {
        LAM_ARG_TENSOR(&io->in[0]),
        LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_REAL(form.a),
        LAM_ARG_REAL(form.b),
        LAM_ARG_REAL(form.c),
        LAM_ARG_INT(!config->input),
        LAM_ARG_INT(config->squared),
        LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };
    int64_t at = 0;
    int err = loss_launch(l, state->sum, sum_args, 14, g->items);

    if (!err)
        err = loss_fold(l, state->fold, io, 2 * state->groups,
                        g->items / state->groups, &at);
    if (!err) {
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(&io->scratch),
            LAM_ARG_LONG(at),
            LAM_ARG_TENSOR(&io->out[0]),
            LAM_ARG_TENSOR(io->training ? &io->aux[0] : NULL),
            LAM_ARG_REAL(form.n),
            LAM_ARG_REAL(config->smooth),
            LAM_ARG_INT(state->groups),
        };

        err = loss_launch(l, state->finish, args, 7, 1);
    }
    return err;
}

static int overlap_backward(struct lam_layer *l, const struct lam_io *io)
{
    const struct overlap_config *config = l->config;
    const struct overlap_state *state = l->state;
    const struct loss_grid *g = &state->grid;
    const struct overlap_form form = overlap_form_of(l);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->in[0]),   LAM_ARG_TENSOR(&io->in[1]),
        LAM_ARG_TENSOR(&io->aux[0]),  LAM_ARG_TENSOR(&io->d_out[0]),
        LAM_ARG_TENSOR(&io->d_in[0]), LAM_ARG_REAL(form.a),
        LAM_ARG_REAL(form.b),         LAM_ARG_REAL(form.c),
        LAM_ARG_INT(!config->input),  LAM_ARG_INT(config->squared),
        LAM_ARG_INT(config->per),     LAM_ARG_INT(g->K),
        LOSS_GRID_ARGS(*g),
    };

    if (!io->d_in[0].buffer)
        return LAM_OK;
    return loss_launch(l, state->gradient, args, 17, g->items);
}

// Foreground probability of pixel i of the batch, from its definition.
static double reference_p(const struct lam_layer *l, const struct lam_ref *ref,
                          int64_t i)
{
    const struct overlap_config *config = l->config;
    const struct lam_shape *shape = &ref->in_shape[0];
    const struct loss_grid g = loss_grid_of(l, shape);
    double all = 0.0, foreground = 0.0;

    if (g.K == 1)
        return config->input ? ref->in[0][i]
                             : 1.0 / (1.0 + exp(-ref->in[0][i]));
    for (int k = 0; k < g.K; k++) {
        const double z = loss_at(ref->in[0], shape, i / g.P, k, i % g.P);
        const double e = config->input ? z : exp(z);

        all += e;
        foreground += k > 0 ? e : 0.0;
    }
    return config->input ? foreground : foreground / all;
}

// Loss of the pixels first..last - 1 of the batch.
static double reference_loss(const struct lam_layer *l,
                             const struct lam_ref *ref, int64_t first,
                             int64_t last)
{
    const struct overlap_config *config = l->config;
    double over = config->smooth, by = config->smooth;

    for (int64_t i = first; i < last; i++) {
        const double p = reference_p(l, ref, i);
        const double t = ref->in[1][i] > 1.0 ? 1.0 : ref->in[1][i];

        if (l->type->params == dice_params) {
            over += 2.0 * p * t;
            by += config->squared ? p * p + t * t : p + t;
        } else if (l->type->params == tversky_params) {
            over += p * t;
            by += p * t + config->alpha * p * (1.0 - t) +
                  config->beta * (1.0 - p) * t;
        } else {
            over += p * t;
            by += p + t - p * t;
        }
    }
    return by == 0.0 ? 1.0 : 1.0 - over / by;
}

static int overlap_reference(const struct lam_layer *l,
                             const struct lam_ref *ref)
{
    const struct overlap_config *config = l->config;
    const struct loss_grid g = loss_grid_of(l, &ref->in_shape[0]);

    if (!config->per)
        ref->out[0][0] = reference_loss(l, ref, 0, g.N * g.P);
    for (int64_t n = 0; n < g.N && config->per; n++)
        ref->out[0][0] +=
            reference_loss(l, ref, n * g.P, (n + 1) * g.P) / (double)g.N;
    return LAM_OK;
}

// labels:1 is a mask without foreground.
#define SHARED_SAMPLES                                                         \
    LOSS_CASE("", "1x1x1x1 1x1x1x1", "normal labels:1"),                       \
        LOSS_CASE("", "3x1x7x5 3x1x7x5", "normal binary"),                     \
        LOSS_CASE("per=image", "3x1x7x5 3x1x7x5", "normal binary"),            \
        LOSS_CASE("smooth=0", "2x1x3x3 2x1x3x3", "normal labels:1"),           \
        LOSS_CASE("smooth=3 per=image", "2x1x3x3 2x1x3x3", "normal unit"),     \
        LOSS_CASE("", "2x2x6x5 2x1x6x5", "normal labels:2"),                   \
        LOSS_CASE("per=image", "2x4x3x5 2x1x3x5", "normal labels:4"),          \
        LOSS_CASE("input=probability", "2x1x3x7 2x1x3x7", "unit binary"),      \
        LOSS_CASE("input=probability per=image", "2x3x3x7 2x1x3x7",            \
                  "unit labels:3"),                                            \
        LOSS_CASE("input=probability smooth=0", "1x1x2x3 1x1x2x3",             \
                  "labels:1 labels:1"),                                        \
        LOSS_CASE("", "2x1x97x101 2x1x97x101", "normal binary"),               \
        LOSS_CASE("per=image", "2x2x97x101 2x1x97x101", "normal labels:2"),    \
        LOSS_CASE("", "5x3 5", "normal labels:3"),                             \
        LOSS_EVAL("per=image", "2x1x5x7 2x1x5x7", "normal binary"),            \
        LOSS_REFUSED("", "1x1x4x4 1x1x5x4", NULL, "size 2 of the prediction"), \
        LOSS_REFUSED("per=pixel", "1x1x4x4 1x1x4x4", NULL, "batch, image"),    \
        LOSS_REFUSED("smooth=-1", "1x1x4x4 1x1x4x4", NULL, "wanted 0 to")

static const struct lam_sample soft_iou_samples[] = {SHARED_SAMPLES, {0}};

static const struct lam_sample dice_samples[] = {
    SHARED_SAMPLES,
    LOSS_CASE("squared=true smooth=0", "3x1x7x5 3x1x7x5", "normal unit"),
    LOSS_CASE("squared=true", "2x3x4x5 2x1x4x5", "normal labels:3"),
    {0}};

static const struct lam_sample tversky_samples[] = {
    SHARED_SAMPLES,
    LOSS_CASE("alpha=0.5 beta=0.5", "3x1x7x5 3x1x7x5", "normal binary"),
    LOSS_CASE("alpha=0 beta=2 smooth=0.1", "2x2x4x5 2x1x4x5",
              "normal labels:2"),
    {0}};

#define OVERLAP(text, doc)                                                     \
    {                                                                          \
        .name = #text, .summary = doc, .kind = LAM_KIND_LOSS,                  \
        .params = text##_params, .config_size = sizeof(struct overlap_config), \
        .state_size = sizeof(struct overlap_state), .min_in = 2, .max_in = 2,  \
        .shape = overlap_shape, .prepare = overlap_prepare,                    \
        .run = overlap_run, .backward = overlap_backward,                      \
        .reference = overlap_reference, .samples = text##_samples,             \
    }

static const struct lam_layer_type soft_iou =
    OVERLAP(soft_iou, "1 - soft intersection over union of the foreground");
static const struct lam_layer_type dice =
    OVERLAP(dice, "1 - soft Dice coefficient of the foreground");
static const struct lam_layer_type tversky = OVERLAP(
    tversky, "1 - Tversky index: false positives and negatives weighed apart");

static const struct lam_layer_type *const layers[] = {&soft_iou, &dice,
                                                      &tversky, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "overlap",
    .version = "0.1",
    .layers = layers,
};
