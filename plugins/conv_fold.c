// Folds a batch norm into the weights of the convolution before it.
#include "conv.h"

#include <math.h>
#include <string.h>

static const struct lam_fused_weight *find(const struct lam_fused *fused,
                                           int from, const char *name)
{
    for (int i = 0; i < fused->n_in; i++)
        if (fused->in[i].from == from && strcmp(fused->in[i].name, name) == 0)
            return &fused->in[i];
    return NULL;
}

// Filter k of the result has the factor gamma / sqrt(var + epsilon).
static double factor(const struct lam_fused *fused, int64_t k)
{
    const struct lam_fused_weight *gamma = find(fused, 1, "weight");
    const double var = find(fused, 1, "running_var")->value[k];

    return (gamma ? gamma->value[k] : 1.0) / sqrt(var + fused->reads[0]);
}

static int fold_bias(const struct lam_fused *fused)
{
    const struct lam_fused_weight *mean = find(fused, 1, "running_mean");
    const struct lam_fused_weight *beta = find(fused, 1, "bias");
    const struct lam_fused_weight *bias = find(fused, 0, "bias");

    for (int64_t k = 0; k < mean->shape->dim[0]; k++)
        fused->out[1][k] = ((bias ? bias->value[k] : 0.0) - mean->value[k]) *
                               factor(fused, k) +
                           (beta ? beta->value[k] : 0.0);
    return LAM_OK;
}

int conv_fold(const struct lam_fused *fused)
{
    const struct lam_shape *shape = fused->out_shape[0];
    const int64_t per_filter = lam_elements(shape) / shape->dim[0];

    for (int64_t i = 0; i < lam_elements(shape); i++)
        fused->out[0][i] =
            find(fused, 0, "weight")->value[i] * factor(fused, i / per_filter);
    return fold_bias(fused);
}

// [inputs, filters / groups, R, S]: the filter's group is that of the input.
int conv_fold_turned(const struct lam_fused *fused)
{
    const struct lam_shape *shape = fused->out_shape[0];
    const int64_t inputs = shape->dim[0], per_group = shape->dim[1];
    const int64_t groups = fused->out_shape[1]->dim[0] / per_group;
    const int64_t taps = shape->dim[2] * shape->dim[3];

    for (int64_t i = 0; i < lam_elements(shape); i++) {
        const int64_t c = i / taps / per_group;
        const int64_t k =
            c / (inputs / groups) * per_group + i / taps % per_group;

        fused->out[0][i] =
            find(fused, 0, "weight")->value[i] * factor(fused, k);
    }
    return fold_bias(fused);
}
