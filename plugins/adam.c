// adam: the optimiser of Kingma and Ba (2014).
//
// m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g g
// pytorch  w -= lr / (1 - beta1^t) m / (sqrt(v / (1 - beta2^t)) + epsilon)
// tf       w -= lr sqrt(1 - beta2^t) / (1 - beta1^t) m / (sqrt(v) + epsilon)
//
// adam adds weight_decay * w to g (coupled); adamw shrinks w by the factor
// 1 - lr * weight_decay instead and leaves g alone (Loshchilov, Hutter 2017).
#include "lam/plugin.h"

#include <math.h>

#include "adam.cl.h"

enum { CONVENTION_PYTORCH, CONVENTION_TF };

struct adam_config {
    double beta1, beta2, epsilon, weight_decay;
    int32_t convention;
};

struct adam_state {
    struct lam_kernel *kernel;
};

#define AT(member) offsetof(struct adam_config, member)

static const char *const conventions[] = {"pytorch", "tf", NULL};
static const char beta1_doc[] = "how long the mean gradient is remembered";
static const char beta2_doc[] = "how long the mean square is remembered";
static const char epsilon_doc[] = "keeps the divisor from zero";
static const char convention_doc[] = "where epsilon stands";

static const struct lam_param adam_params[] = {
    {"beta1", LAM_PARAM_REAL, AT(beta1), "0.9", 0.0, 0.999999, NULL, beta1_doc,
     0},
    {"beta2", LAM_PARAM_REAL, AT(beta2), "0.999", 0.0, 0.999999, NULL,
     beta2_doc, 0},
    {"epsilon", LAM_PARAM_REAL, AT(epsilon), "1e-8", 1e-30, 1.0, NULL,
     epsilon_doc, 0},
    {"convention", LAM_PARAM_CHOICE, AT(convention), "pytorch", 0, 0,
     conventions, convention_doc, 0},
    {"weight_decay", LAM_PARAM_REAL, AT(weight_decay), "0", 0.0, 1e3, NULL,
     "times the weight, added to its gradient", 0},
    {0}};

static const struct lam_param adamw_params[] = {
    {"beta1", LAM_PARAM_REAL, AT(beta1), "0.9", 0.0, 0.999999, NULL, beta1_doc,
     0},
    {"beta2", LAM_PARAM_REAL, AT(beta2), "0.999", 0.0, 0.999999, NULL,
     beta2_doc, 0},
    {"epsilon", LAM_PARAM_REAL, AT(epsilon), "1e-8", 1e-30, 1.0, NULL,
     epsilon_doc, 0},
    {"convention", LAM_PARAM_CHOICE, AT(convention), "pytorch", 0, 0,
     conventions, convention_doc, 0},
    {"weight_decay", LAM_PARAM_REAL, AT(weight_decay), "0.01", 0.0, 1e3, NULL,
     "times the rate, share of the weight that is taken off", 0},
    {0}};

static int adam_prepare(struct lam_optimizer *o)
{
    struct adam_state *state = o->state;

    return o->host->kernel(o->host, adam_cl, "adam", NULL, &state->kernel);
}

static int adam_step(struct lam_optimizer *o, const struct lam_step *step)
{
    const struct adam_config *config = o->config;
    const struct adam_state *state = o->state;
    const bool is_cpu = o->host->device.kind == LAM_DEVICE_CPU;
    const bool is_decoupled = o->type->params == adamw_params;
    const bool is_tf = config->convention == CONVENTION_TF;
    const double decay = step->is_decayed ? config->weight_decay : 0.0;
    const double left1 = 1.0 - pow(config->beta1, (double)step->t);
    const double left2 = sqrt(1.0 - pow(config->beta2, (double)step->t));
    const int chunk = is_cpu ? 4096 : 4;
    const size_t local[3] = {is_cpu ? 1 : 64, 1, 1};
    int64_t n = 1;

    for (int i = 0; i < step->weight.shape.rank; i++)
        n *= step->weight.shape.dim[i];

    const size_t items = (size_t)((n + chunk - 1) / chunk);
    const size_t global[3] = {(items + local[0] - 1) / local[0] * local[0], 1,
                              1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&step->weight),
        LAM_ARG_TENSOR(&step->grad),
        LAM_ARG_TENSOR(&step->slot[0]),
        LAM_ARG_TENSOR(&step->slot[1]),
        LAM_ARG_REAL(config->beta1),
        LAM_ARG_REAL(config->beta2),
        LAM_ARG_REAL(1.0 - config->beta1),
        LAM_ARG_REAL(1.0 - config->beta2),
        LAM_ARG_REAL(step->lr / left1 * (is_tf ? left2 : 1.0)),
        LAM_ARG_REAL(is_tf ? 1.0 : 1.0 / left2),
        LAM_ARG_REAL(config->epsilon),
        LAM_ARG_REAL(is_decoupled ? 0.0 : decay),
        LAM_ARG_REAL(is_decoupled ? 1.0 - step->lr * decay : 1.0),
        LAM_ARG_LONG(n),
        LAM_ARG_INT(chunk),
    };

    return o->host->launch(o->host, state->kernel, args, 15, global, local);
}

static int adam_reference(const struct lam_optimizer *o,
                          const struct lam_step_ref *step)
{
    const struct adam_config *config = o->config;
    const bool is_decoupled = o->type->params == adamw_params;
    const double decay = step->is_decayed ? config->weight_decay : 0.0;
    const double b1 = config->beta1, b2 = config->beta2;
    double *const m = step->slot[0], *const v = step->slot[1];

    for (int64_t i = 0; i < step->n; i++) {
        const double w = step->weight[i];
        const double g = step->grad[i] + (is_decoupled ? 0.0 : decay * w);
        const double t = (double)step->t;
        const double left1 = 1.0 - pow(b1, t), left2 = 1.0 - pow(b2, t);

        m[i] = b1 * m[i] + (1.0 - b1) * g;
        v[i] = b2 * v[i] + (1.0 - b2) * g * g;
        if (is_decoupled)
            step->weight[i] -= step->lr * decay * w;
        if (config->convention == CONVENTION_TF)
            step->weight[i] -= step->lr * sqrt(left2) / left1 * m[i] /
                               (sqrt(v[i]) + config->epsilon);
        else
            step->weight[i] -= step->lr * (m[i] / left1) /
                               (sqrt(v[i] / left2) + config->epsilon);
    }
    return LAM_OK;
}

static const char *const adam_slots[] = {"m", "v", NULL};
static const char *const adam_samples[] = {
    "",
    "convention=tf",
    "epsilon=0.1",
    "epsilon=0.1 convention=tf",
    "beta1=0.5 beta2=0.9 weight_decay=0.1",
    "beta1=0 beta2=0 epsilon=0.01",
    NULL};

static const struct lam_optimizer_type adam = {
    .name = "adam",
    .summary = "steps scaled by running mean and square; coupled decay",
    .params = adam_params,
    .config_size = sizeof(struct adam_config),
    .state_size = sizeof(struct adam_state),
    .slots = adam_slots,
    .prepare = adam_prepare,
    .step = adam_step,
    .reference = adam_reference,
    .samples = adam_samples,
};

static const struct lam_optimizer_type adamw = {
    .name = "adamw",
    .summary = "adam with decay that is decoupled from the gradient",
    .params = adamw_params,
    .config_size = sizeof(struct adam_config),
    .state_size = sizeof(struct adam_state),
    .slots = adam_slots,
    .prepare = adam_prepare,
    .step = adam_step,
    .reference = adam_reference,
    .samples = adam_samples,
};

static const struct lam_optimizer_type *const optimizers[] = {&adam, &adamw,
                                                              NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "adam",
    .version = "0.1",
    .optimizers = optimizers,
};
