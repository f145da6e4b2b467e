// Activations: layers of that name, or what a few layers make of a value.
#include <math.h>
#include <string.h>

#include "onnx_importer.h"

static int read_activation(struct lam_onnx_importer *m,
                           const struct lam_onnx_node *node)
{
    static const char *const names[][2] = {
        {"Relu", "relu"}, {"Sigmoid", "sigmoid"}, {"Tanh", "tanh"}};
    int i = 0;

    while (i < 2 && strcmp(node->op, names[i][0]) != 0)
        i++;
    return lam_import_simple(m, node, names[i][1], "%s", "");
}

static int read_leaky(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node)
{
    return lam_import_simple(m, node, "leaky_relu", "slope=%.9g",
                             lam_import_real(node, "alpha", 0.01));
}

static int read_prelu(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node)
{
    const struct lam_onnx_tensor *slope = lam_import_constant(m, node, 1);

    if (!slope || !slope->floats || slope->n < 1)
        return lam_import_fail(m, node, "its slope is no constant");
    for (int64_t i = 1; i < slope->n; i++)
        if (slope->floats[i] != slope->floats[0])
            return lam_import_fail(m, node,
                                   "slopes that differ by channel are not "
                                   "supported");
    return lam_import_simple(m, node, "leaky_relu", "slope=%.9g",
                             (double)slope->floats[0]);
}

static int read_elu(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node)
{
    return lam_import_simple(m, node, "elu", "alpha=%.9g",
                             lam_import_real(node, "alpha", 1.0));
}

static int read_gelu(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    return lam_import_simple(m, node, "gelu", "approximation=%.20s",
                             lam_import_text(node, "approximate", "none"));
}

// A bound of Clip: an input, an attribute before operator set 11, or missing.
static double bound_of(const struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node, int i,
                       const char *name, double missing)
{
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, i);

    if (t && t->floats && t->n == 1)
        return (double)t->floats[0];
    return lam_import_has(node, i) ? (double)NAN
                                   : lam_import_real(node, name, missing);
}

// scale x + add.
static int line(struct lam_onnx_importer *m, const struct lam_onnx_node *node,
                double scale, double add, int *value)
{
    return lam_import_affine(m, node, *value, NULL, scale, NULL, add, value);
}

static int relu(struct lam_onnx_importer *m, const struct lam_onnx_node *node,
                int *value)
{
    const int x = *value;

    return lam_import_layer(m, node, NULL, "relu", &x, 1, value, "%s", "");
}

// low .. top: low + relu(x - low), and top - relu(top - x).
static int clip(struct lam_onnx_importer *m, const struct lam_onnx_node *node,
                double low, double top, int *value)
{
    int err = LAM_OK;

    if (isfinite(low)) {
        if (low != 0.0)
            err = line(m, node, 1.0, -low, value);
        if (!err)
            err = relu(m, node, value);
        if (!err && low != 0.0)
            err = line(m, node, 1.0, low, value);
    }
    if (!err && isfinite(top)) {
        err = line(m, node, -1.0, top, value);
        if (!err)
            err = relu(m, node, value);
        if (!err)
            err = line(m, node, -1.0, top, value);
    }
    return err;
}

static int read_clip(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const double low = bound_of(m, node, 1, "min", -(double)INFINITY);
    const double top = bound_of(m, node, 2, "max", (double)INFINITY);
    int value = lam_import_value(m, node, 0), err;

    if (value < 0)
        return m->ctx->code;
    if (!(low < top))
        return lam_import_fail(m, node, "its bounds are no rising constants");
    err = clip(m, node, low < -1e30 ? -(double)INFINITY : low,
               top > 1e30 ? (double)INFINITY : top, &value);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// alpha x + beta, in 0 .. 1; HardSwish is x times that.
static int read_hard(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const bool is_swish = strcmp(node->op, "HardSwish") == 0;
    const double alpha =
        is_swish ? 1.0 / 6.0 : lam_import_real(node, "alpha", 0.2);
    const double beta = is_swish ? 0.5 : lam_import_real(node, "beta", 0.5);
    int in[2] = {lam_import_value(m, node, 0)}, value = in[0], err;

    if (value < 0)
        return m->ctx->code;
    err = line(m, node, alpha, beta, &value);
    if (!err)
        err = clip(m, node, 0.0, 1.0, &value);
    in[1] = value;
    if (!err && is_swish)
        err = lam_import_layer(m, node, NULL, "mul", in, 2, &value, "%s", "");
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

const struct lam_onnx_op lam_onnx_activations[] = {{"Clip", read_clip},
                                                   {"Elu", read_elu},
                                                   {"Gelu", read_gelu},
                                                   {"HardSigmoid", read_hard},
                                                   {"HardSwish", read_hard},
                                                   {"LeakyRelu", read_leaky},
                                                   {"PRelu", read_prelu},
                                                   {"Relu", read_activation},
                                                   {"Sigmoid", read_activation},
                                                   {"Tanh", read_activation},
                                                   {0}};
