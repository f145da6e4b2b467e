// sgd: stochastic gradient descent with momentum, as PyTorch's SGD:
//
// g += weight_decay * w
// v  = momentum * v + g;   g = nesterov ? g + momentum * v : v
// w -= lr * g
#include "lam/plugin.h"

#include "sgd.cl.h"

struct sgd_config {
    double momentum, weight_decay;
    int32_t nesterov;
};

struct sgd_state {
    struct lam_kernel *kernel;
};

static const struct lam_param sgd_params[] = {
    {"momentum", LAM_PARAM_REAL, offsetof(struct sgd_config, momentum), "0",
     0.0, 1.0, NULL, "share of the last update that is kept", 0},
    {"nesterov", LAM_PARAM_BOOL, offsetof(struct sgd_config, nesterov), "false",
     0, 0, NULL, "look one update ahead", 0},
    {"weight_decay", LAM_PARAM_REAL, offsetof(struct sgd_config, weight_decay),
     "0", 0.0, 1e3, NULL, "times the weight, added to its gradient", 0},
    {0}};

static int sgd_prepare(struct lam_optimizer *o)
{
    const struct sgd_config *config = o->config;
    struct sgd_state *state = o->state;

    if (config->nesterov && config->momentum == 0.0)
        return o->host->fail(o->host, LAM_EMODEL,
                             "sgd: nesterov wants a momentum above 0");
    return o->host->kernel(o->host, sgd_cl, "sgd", NULL, &state->kernel);
}

static int sgd_step(struct lam_optimizer *o, const struct lam_step *step)
{
    const struct sgd_config *config = o->config;
    const struct sgd_state *state = o->state;
    const bool is_cpu = o->host->device.kind == LAM_DEVICE_CPU;
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
        LAM_ARG_REAL(step->lr),
        LAM_ARG_REAL(config->momentum),
        LAM_ARG_REAL(step->is_decayed ? config->weight_decay : 0.0),
        LAM_ARG_INT(config->nesterov),
        LAM_ARG_LONG(n),
        LAM_ARG_INT(chunk),
    };

    return o->host->launch(o->host, state->kernel, args, 9, global, local);
}

static int sgd_reference(const struct lam_optimizer *o,
                         const struct lam_step_ref *step)
{
    const struct sgd_config *config = o->config;

    for (int64_t i = 0; i < step->n; i++) {
        double g = step->grad[i];

        if (step->is_decayed)
            g += config->weight_decay * step->weight[i];
        step->slot[0][i] = config->momentum * step->slot[0][i] + g;
        if (config->nesterov)
            g += config->momentum * step->slot[0][i];
        else
            g = step->slot[0][i];
        step->weight[i] -= step->lr * g;
    }
    return LAM_OK;
}

static const char *const sgd_slots[] = {"momentum", NULL};
static const char *const sgd_samples[] = {
    "",
    "weight_decay=0.1",
    "momentum=0.9",
    "momentum=1",
    "momentum=0.9 weight_decay=0.01",
    "momentum=0.9 nesterov=true weight_decay=0.1",
    NULL};

static const struct lam_optimizer_type sgd = {
    .name = "sgd",
    .summary = "gradient descent, with momentum if wanted",
    .params = sgd_params,
    .config_size = sizeof(struct sgd_config),
    .state_size = sizeof(struct sgd_state),
    .slots = sgd_slots,
    .prepare = sgd_prepare,
    .step = sgd_step,
    .reference = sgd_reference,
    .samples = sgd_samples,
};

static const struct lam_optimizer_type *const optimizers[] = {&sgd, NULL};

const struct lam_plugin lam_plugin = {
    .abi_version = LAM_ABI_VERSION,
    .size = sizeof(struct lam_plugin),
    .name = "sgd",
    .version = "0.1",
    .optimizers = optimizers,
};
