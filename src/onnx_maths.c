// Sums and products of values. What a constant does to each channel is a
// batchnorm of fixed statistics.
#include <math.h>
#include <string.h>

#include "onnx_importer.h"

static int read_negative(struct lam_onnx_importer *m,
                         const struct lam_onnx_node *node)
{
    return lam_import_simple(m, node, "add", "factors=-1");
}

// Whether a constant has one number, or one for each channel of a value.
static bool is_one(const struct lam_onnx_tensor *t)
{
    return t->floats && t->n == 1;
}

static bool is_by_channel(const struct lam_onnx_tensor *t,
                          const struct lam_shape *shape)
{
    const int behind = shape->rank - 2; // dimensions after the channels

    if (!t->floats || shape->rank < 2 || t->rank < behind + 1 ||
        t->rank > shape->rank || t->n != shape->dim[1])
        return false;
    return t->dim[t->rank - 1 - behind] == t->n;
}

// Follows x / sqrt 2, Erf, + 1, * x, * 1/2, the form of Gelu before operator
// set 20. NULL: it is something else.
static const struct lam_onnx_node *gelu_end(const struct lam_onnx_importer *m,
                                            const struct lam_onnx_node *node,
                                            const char *x)
{
    static const char *const ops[] = {"Erf", "Add", "Mul", "Mul"};
    const struct lam_onnx_node *at = node;

    for (int i = 0; i < 4; i++) {
        const char *from = at->out[0];
        const struct lam_onnx_tensor *t;
        const char *other;

        at = lam_import_reader(m, from);
        if (!at || strcmp(at->op, ops[i]) != 0 || at->n_out != 1 ||
            at->n_in != (i == 0 ? 1 : 2))
            return NULL;
        if (i == 0)
            continue;
        other = at->in[strcmp(at->in[0], from) == 0];
        t = lam_import_constant(m, at, strcmp(at->in[0], from) == 0);
        if (i == 2 ? strcmp(other, x) != 0
                   : !t || !is_one(t) || t->floats[0] != (i == 1 ? 1.0f : 0.5f))
            return NULL;
    }
    return at;
}

static int read_constant_product(struct lam_onnx_importer *m,
                                 const struct lam_onnx_node *node, int k,
                                 const struct lam_onnx_tensor *t)
{
    const bool divides = strcmp(node->op, "Div") == 0;
    const int x = lam_import_value(m, node, k);
    struct lam_onnx_tensor *scale;
    int value = -1, err;

    if (x < 0)
        return m->ctx->code;
    if (divides && k == 1)
        return lam_import_fail(m, node, "a constant is divided");
    if (is_one(t)) {
        const double factor =
            divides ? 1.0 / (double)t->floats[0] : (double)t->floats[0];
        const struct lam_onnx_node *end = fabs(factor - sqrt(0.5)) < 1e-6
                                              ? gelu_end(m, node, node->in[k])
                                              : NULL;

        if (!isfinite(factor))
            return lam_import_fail(m, node, "its factor is not finite");
        err = end ? lam_import_layer(m, end, NULL, "gelu", &x, 1, &value, "%s",
                                     "")
                  : lam_import_layer(m, node, NULL, "add", &x, 1, &value,
                                     "factors=%.9g", factor);
        // The nodes in between have no value of their own any more.
        for (; end && node != end && !err;
             node = lam_import_reader(m, node->out[0]))
            err = lam_import_define(m, node->out[0], NULL, value);
        return err ? err : lam_import_define(m, node->out[0], NULL, value);
    }
    if (!is_by_channel(t, lam_import_shape(m, x)))
        return lam_import_fail(m, node,
                               "a constant has one number, or one for each "
                               "channel");
    scale = lam_import_make(m, node, true, t->n);
    for (int64_t i = 0; scale && i < t->n; i++)
        ((float *)scale->floats)[i] =
            divides ? 1.0f / t->floats[i] : t->floats[i];
    err = scale ? lam_import_affine(m, node, x, scale, 1.0, NULL, 0.0, &value)
                : m->ctx->code;
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

static int read_product(struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    int in[2], value = -1, err;

    for (int k = 0; k < 2; k++) {
        const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1 - k);

        if (t)
            return read_constant_product(m, node, k, t);
    }
    if (strcmp(node->op, "Div") == 0)
        return lam_import_fail(m, node, "only a constant can divide");
    for (int k = 0; k < 2; k++) {
        in[k] = lam_import_value(m, node, k);
        if (in[k] < 0)
            return m->ctx->code;
    }
    // The one that is repeated comes second.
    if (lam_elements(lam_import_shape(m, in[0])) <
        lam_elements(lam_import_shape(m, in[1]))) {
        const int first = in[0];

        in[0] = in[1];
        in[1] = first;
    }
    err = lam_import_layer(m, node, NULL, "mul", in, 2, &value, "%s", "");
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// x + c, x - c or c - x.
static int read_constant_sum(struct lam_onnx_importer *m,
                             const struct lam_onnx_node *node, int k,
                             const struct lam_onnx_tensor *t)
{
    const bool takes = strcmp(node->op, "Sub") == 0;
    const double scale = takes && k == 1 ? -1.0 : 1.0;
    const float sign = takes && k == 0 ? -1.0f : 1.0f;
    const int x = lam_import_value(m, node, k);
    struct lam_onnx_tensor *shift = NULL;
    int value = -1, err;

    if (x < 0)
        return m->ctx->code;
    if (!is_one(t)) {
        if (!is_by_channel(t, lam_import_shape(m, x)))
            return lam_import_fail(m, node,
                                   "a constant has one number, or one for each "
                                   "channel");
        shift = lam_import_make(m, node, true, t->n);
        if (!shift)
            return m->ctx->code;
        for (int64_t i = 0; i < t->n; i++)
            ((float *)shift->floats)[i] = sign * t->floats[i];
    }
    err = lam_import_affine(m, node, x, NULL, scale, shift,
                            (double)(sign * t->floats[0]), &value);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// An add of the inputs of `from`, told of as `node`.
static int add_up(struct lam_onnx_importer *m, const struct lam_onnx_node *from,
                  const struct lam_onnx_node *node, const char *settings,
                  int *value)
{
    int in[LAM_MAX_IN];

    for (int k = 0; k < from->n_in; k++) {
        in[k] = lam_import_value(m, from, k);
        if (in[k] < 0)
            return m->ctx->code;
    }
    return lam_import_layer(m, node, NULL, "add", in, from->n_in, value, "%s",
                            settings);
}

static int read_sum(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node)
{
    int value = -1, err;

    if (node->n_in < 1 || node->n_in > LAM_MAX_IN)
        return lam_import_fail(m, node, "%d inputs, 1 to %d are supported",
                               node->n_in, LAM_MAX_IN);
    for (int k = 0; k < 2 && node->n_in == 2; k++) {
        const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1 - k);

        if (t)
            return read_constant_sum(m, node, k, t);
    }
    err = add_up(m, node, node,
                 strcmp(node->op, "Sub") == 0 ? "factors=1,-1" : "", &value);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

const struct lam_onnx_node *
lam_import_stack_sum(const struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const struct lam_onnx_node *sum;
    const struct lam_onnx_attribute *a;
    const struct lam_onnx_tensor *t;

    if (strcmp(node->op, "Concat") != 0 || node->n_out != 1 ||
        node->n_in > LAM_MAX_IN || lam_import_int(node, "axis", 1) != 0)
        return NULL;
    sum = lam_import_reader(m, node->out[0]);
    if (!sum || strcmp(sum->op, "ReduceSum") != 0 || sum->n_out != 1 ||
        lam_import_int(sum, "keepdims", 1))
        return NULL;
    a = lam_import_list(sum, "axes");
    t = lam_import_constant(m, sum, 1);
    return (a && a->n == 1 && a->ints[0] == 0) ||
                   (t && t->whole && t->n == 1 && t->whole[0] == 0)
               ? sum
               : NULL;
}

int lam_import_sum_stack(struct lam_onnx_importer *m,
                         const struct lam_onnx_node *concat,
                         const struct lam_onnx_node *sum)
{
    int value = -1, err = add_up(m, concat, sum, "", &value);

    if (!err)
        err = lam_import_define(m, concat->out[0], NULL, value);
    return err ? err : lam_import_define(m, sum->out[0], NULL, value);
}

const struct lam_onnx_op lam_onnx_maths[] = {{"Add", read_sum},
                                             {"Div", read_product},
                                             {"Mul", read_product},
                                             {"Neg", read_negative},
                                             {"Sub", read_sum},
                                             {"Sum", read_sum},
                                             {0}};
