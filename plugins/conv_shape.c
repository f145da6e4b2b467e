// Checks and weights of conv2d and conv_transpose2d.
#include "conv.h"

#include <math.h>

const char *const conv_activations[] = {"none", "relu", NULL};

double conv_least(const struct lam_layer *layer)
{
    const struct conv_config *config = layer->config;

    return config->activation == CONV_RELU ? 0.0 : -INFINITY;
}

int conv_check(const struct lam_layer *layer, const struct lam_shapes *shapes)
{
    const struct conv_config *config = layer->config;
    const struct lam_shape *in = &shapes->in[0];
    const struct lam_host *host = layer->host;

    if (in->rank != 4)
        return host->fail(host, LAM_ESHAPE,
                          "the input has %d dimensions, wanted 4: [N, C, H, W]",
                          (int)in->rank);
    for (int i = 0; i < 4; i++)
        if (in->dim[i] > 1 << 28)
            return host->fail(host, LAM_ESHAPE,
                              "dimension %d of the input is %lld, wanted at "
                              "most %d",
                              i, (long long)in->dim[i], 1 << 28);
    if (in->dim[1] % config->groups != 0)
        return host->fail(host, LAM_ESHAPE,
                          "%lld input channels cannot be cut into %d groups",
                          (long long)in->dim[1], (int)config->groups);
    if (config->filters % config->groups != 0)
        return host->fail(host, LAM_EMODEL,
                          "%d filters cannot be cut into %d groups",
                          (int)config->filters, (int)config->groups);
    if (config->pad == CONV_EXPLICIT && config->pads.n != 4)
        return host->fail(host, LAM_EMODEL,
                          "pad: explicit wants pads: top left bottom right, "
                          "found %d numbers",
                          (int)config->pads.n);
    if (config->pad != CONV_EXPLICIT && config->pads.n != 0)
        return host->fail(host, LAM_EMODEL,
                          "pads are only used with pad: explicit");
    return LAM_OK;
}

void conv_weights(const struct conv_config *config, struct lam_shapes *shapes,
                  bool small_first, double fan_in, double fan_out)
{
    const int64_t inputs = shapes->in[0].dim[1], filters = config->filters;
    const int32_t dtype = lam_real(&shapes->in[0]);
    struct lam_weight *weight = &shapes->weight[0], *bias = &shapes->weight[1];

    weight->name = "weight";
    weight->shape = (struct lam_shape){
        .dtype = dtype,
        .rank = 4,
        .dim = {small_first ? filters : inputs,
                (small_first ? inputs : filters) / config->groups,
                config->kernel[0], config->kernel[1]}};
    weight->init = config->init;
    weight->scale = config->init_scale;
    weight->fan_in = fan_in;
    weight->fan_out = fan_out;
    weight->group = config->init == LAM_INIT_ICNR ? config->icnr * config->icnr
                                                  : config->groups;
    shapes->n_weight = 1;
    shapes->flags |= LAM_HALVES | LAM_GATES;
    if (config->activation == CONV_RELU)
        shapes->flags |= LAM_GATED;
    if (!config->has_bias)
        return;
    bias->name = "bias";
    bias->shape =
        (struct lam_shape){.dtype = dtype, .rank = 1, .dim = {filters}};
    bias->init = LAM_INIT_ZEROS;
    shapes->n_weight = 2;
}
