// What operators of ONNX become as layers, operator sets 7 to 21.
#include <stdio.h>
#include <string.h>

#include "onnx_importer.h"

static int read_batchnorm(struct lam_onnx_importer *m,
                          const struct lam_onnx_node *node)
{
    static const char *const names[] = {"weight", "bias", "running_mean",
                                        "running_var"};
    const int x = lam_import_value(m, node, 0);
    char name[100];
    int value, err;

    if (x < 0)
        return m->ctx->code;
    if (lam_import_int(node, "training_mode", 0))
        return lam_import_fail(m, node, "training_mode is not supported");
    err = lam_import_layer(
        m, node, lam_import_name(node, 1, name, sizeof(name)), "batchnorm", &x,
        1, &value, "epsilon=%.9g", lam_import_real(node, "epsilon", 1e-5));
    for (int i = 0; i < 4 && !err; i++) {
        const struct lam_onnx_tensor *t = lam_import_constant(m, node, i + 1);

        err = t ? lam_import_weight(m, node, names[i], t, 0.0)
                : lam_import_fail(m, node, "input %d is no constant", i + 1);
    }
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// InstanceNormalization and GroupNormalization, whose weights are those of
// groups up to operator set 20.
static int read_groupnorm(struct lam_onnx_importer *m,
                          const struct lam_onnx_node *node)
{
    static const char *const names[] = {"weight", "bias"};
    const bool is_group = strcmp(node->op, "GroupNormalization") == 0;
    const int64_t groups = lam_import_int(node, "num_groups", 0);
    const int x = lam_import_value(m, node, 0);
    char name[100], setting[40] = "";
    int value, err;

    if (x < 0)
        return m->ctx->code;
    if (is_group)
        snprintf(setting, sizeof(setting), "groups=%lld", (long long)groups);
    err = lam_import_layer(
        m, node, lam_import_name(node, 1, name, sizeof(name)),
        is_group ? "groupnorm" : "instancenorm", &x, 1, &value,
        "epsilon=%.9g %s", lam_import_real(node, "epsilon", 1e-5), setting);
    for (int i = 0; i < 2 && !err; i++) {
        const struct lam_onnx_tensor *t = lam_import_constant(m, node, i + 1);
        const int64_t C = lam_import_shape(m, x)->dim[1];

        if (!t)
            return lam_import_fail(m, node, "input %d is no constant", i + 1);
        if (is_group && t->n == groups && t->n != C && t->floats) {
            struct lam_onnx_tensor *wide = lam_import_make(m, node, true, C);

            for (int64_t c = 0; wide && c < C; c++)
                ((float *)wide->floats)[c] = t->floats[c / (C / groups)];
            t = wide;
        }
        err = t ? lam_import_weight(m, node, names[i], t, 0.0) : m->ctx->code;
    }
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// More inputs than a layer has are joined in several steps.
static int read_concat(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node)
{
    const int64_t axis = lam_import_int(node, "axis", 1);
    const struct lam_onnx_node *sum = lam_import_stack_sum(m, node);
    int in[LAM_MAX_IN], n = 0, value = -1, err = LAM_OK;

    if (sum)
        return lam_import_sum_stack(m, node, sum);
    for (int i = 0; i < node->n_in && !err; i++) {
        in[n] = lam_import_value(m, node, i);
        if (in[n] < 0)
            return m->ctx->code;
        if (axis != 1 && axis + lam_import_shape(m, in[n])->rank != 1)
            return lam_import_fail(m, node,
                                   "only channels (axis 1) are joined");
        if (++n < LAM_MAX_IN && i + 1 < node->n_in)
            continue;
        err =
            lam_import_layer(m, node, NULL, "concat", in, n, &value, "%s", "");
        in[0] = value;
        n = 1;
    }
    if (!err && value < 0)
        return lam_import_fail(m, node, "it has no input");
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// scales or sizes of Resize and Upsample for height and width: a whole factor,
// or the size that it makes.
static int read_scale(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, char *text, size_t size)
{
    const bool is_upsample = strcmp(node->op, "Upsample") == 0;
    const int at = is_upsample || m->onnx->opset < 11 ? 1 : 2;
    const struct lam_onnx_attribute *old = lam_onnx_attribute(node, "scales");
    const struct lam_onnx_attribute *axes = lam_import_list(node, "axes");
    const struct lam_onnx_tensor *scales = lam_import_constant(m, node, at);
    const struct lam_onnx_tensor *sizes =
        at == 2 ? lam_import_constant(m, node, 3) : NULL;
    const bool has_sizes = sizes && sizes->whole && sizes->n > 0;
    const float *factors = old ? old->floats : scales ? scales->floats : NULL;
    const int64_t n = has_sizes ? sizes->n
                      : old     ? old->n
                      : scales  ? scales->n
                                : 0;
    const int x = lam_import_value(m, node, 0);
    const struct lam_shape *in;
    int64_t out[2], whole[2];
    const int skip = axes ? 0 : 2;

    if (x < 0)
        return m->ctx->code;
    in = lam_import_shape(m, x);
    if (in->rank != 4 || n != 2 + skip || (!has_sizes && !factors) ||
        (axes && (axes->n != 2 || axes->ints[0] != 2 || axes->ints[1] != 3)))
        return lam_import_fail(m, node,
                               "it has no constant scales or sizes of an image "
                               "[N, C, H, W]");
    for (int d = 0; d < skip; d++)
        if (has_sizes ? sizes->whole[d] != in->dim[d] : factors[d] != 1.0f)
            return lam_import_fail(m, node, "only height and width change");
    for (int d = 0; d < 2; d++) {
        const int64_t side = in->dim[2 + d];
        const double exact = has_sizes
                                 ? (double)sizes->whole[d + skip]
                                 : (double)factors[d + skip] * (double)side;

        if (!(exact >= 1.0 && exact <= 1 << 20))
            return lam_import_fail(m, node, "its size is out of range");
        out[d] = (int64_t)(exact + 1e-3);
        if (exact - (double)out[d] > 1e-3)
            return lam_import_fail(m, node,
                                   "a scale that makes no whole size is not "
                                   "supported");
        whole[d] = out[d] % side ? 0 : out[d] / side;
    }
    if (whole[0] && whole[1] && whole[0] <= 1024 && whole[1] <= 1024)
        snprintf(text, size, "scale=%d,%d", (int)whole[0], (int)whole[1]);
    else
        snprintf(text, size, "size=%d,%d", (int)out[0], (int)out[1]);
    return LAM_OK;
}

static int read_resize(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node)
{
    const bool is_old =
        strcmp(node->op, "Upsample") == 0 || m->onnx->opset < 11;
    const char *mode = lam_import_text(node, "mode", "nearest");
    const char *where =
        is_old ? "asymmetric"
               : lam_import_text(node, "coordinate_transformation_mode",
                                 "half_pixel");
    const char *rounding =
        is_old ? "floor"
               : lam_import_text(node, "nearest_mode", "round_prefer_floor");
    const bool is_nearest = strcmp(mode, "nearest") == 0;
    char scale[60];
    int err = read_scale(m, node, scale, sizeof(scale));

    if (err)
        return err;
    if (!is_nearest && strcmp(mode, "linear") != 0 &&
        strcmp(mode, "bilinear") != 0)
        return lam_import_fail(m, node,
                               "mode %.40s is not supported: nearest and "
                               "linear are",
                               mode);
    if (lam_import_int(node, "antialias", 0))
        return lam_import_fail(m, node, "antialias is not supported");
    if (strcmp(where, "half_pixel") != 0 && strcmp(where, "asymmetric") != 0 &&
        strcmp(where, "align_corners") != 0 &&
        strcmp(where, "pytorch_half_pixel") != 0)
        return lam_import_fail(m, node,
                               "coordinates %.40s are not supported: "
                               "half_pixel, asymmetric, align_corners and "
                               "pytorch_half_pixel are",
                               where);
    if (is_nearest)
        return lam_import_simple(m, node, "resize",
                                 "%s mode=nearest coordinates=%.40s "
                                 "rounding=%.40s",
                                 scale, where, rounding);
    return lam_import_simple(
        m, node, "resize", "%s mode=bilinear coordinates=%.40s", scale, where);
}

static int read_softmax(struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    const bool is_old = m->onnx->opset < 13;
    const int64_t axis = lam_import_int(node, "axis", is_old ? 1 : -1);
    const int x = lam_import_value(m, node, 0);
    const struct lam_shape *shape;

    if (x < 0)
        return m->ctx->code;
    shape = lam_import_shape(m, x);
    if ((axis != 1 && axis + shape->rank != 1) ||
        (is_old && lam_elements(shape) != shape->dim[0] * shape->dim[1]))
        return lam_import_fail(m, node,
                               "only a softmax of the channels (axis 1) is "
                               "supported");
    return lam_import_simple(m, node, "softmax", "%s", "");
}

static int read_depth_to_space(struct lam_onnx_importer *m,
                               const struct lam_onnx_node *node)
{
    return lam_import_simple(
        m, node, "pixel_shuffle", "factor=%lld order=%s",
        (long long)lam_import_int(node, "blocksize", 0),
        strcmp(lam_import_text(node, "mode", "DCR"), "CRD") == 0 ? "pytorch"
                                                                 : "tf");
}

// With the Gather behind that puts the channels into PyTorch's order.
static int read_space_to_depth(struct lam_onnx_importer *m,
                               const struct lam_onnx_node *node)
{
    const int64_t r = lam_import_int(node, "blocksize", 0);
    const struct lam_onnx_node *next = lam_import_reader(m, node->out[0]);
    const struct lam_onnx_tensor *order =
        next && strcmp(next->op, "Gather") == 0 &&
                lam_import_int(next, "axis", 0) == 1
            ? lam_import_constant(m, next, 1)
            : NULL;
    const int x = lam_import_value(m, node, 0);
    bool is_pytorch = order && order->whole;
    int value, err;

    if (x < 0)
        return m->ctx->code;
    if (r < 1 || r > 64)
        return lam_import_fail(m, node, "its blocksize is not 1 to 64");
    for (int64_t i = 0; is_pytorch && i < order->n; i++)
        is_pytorch =
            order->n == lam_import_shape(m, x)->dim[1] * r * r &&
            order->whole[i] == i % (r * r) * order->n / (r * r) + i / (r * r);
    err = lam_import_layer(m, node, NULL, "pixel_unshuffle", &x, 1, &value,
                           "factor=%d order=%s", (int)r,
                           is_pytorch ? "pytorch" : "tf");
    if (!err)
        err = lam_import_define(m, node->out[0], NULL, value);
    return err || !is_pytorch ? err
                              : lam_import_define(m, next->out[0], NULL, value);
}

static int read_pad(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node)
{
    const struct lam_onnx_attribute *old = lam_import_list(node, "pads");
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1);
    const struct lam_onnx_tensor *fill = lam_import_constant(m, node, 2);
    const int64_t *pads = old ? old->ints : t ? t->whole : NULL;
    const int64_t n = old ? old->n : t ? t->n : 0;
    const char *mode = lam_import_text(node, "mode", "constant");
    const char *ours = strcmp(mode, "constant") == 0  ? "zero"
                       : strcmp(mode, "reflect") == 0 ? "reflect"
                       : strcmp(mode, "edge") == 0    ? "replicate"
                                                      : NULL;

    if (!ours || !pads || n != 8 || pads[0] || pads[1] || pads[4] || pads[5] ||
        lam_import_has(node, 3))
        return lam_import_fail(m, node,
                               "only constant, reflect and edge around height "
                               "and width are supported");
    for (int i = 0; i < 8; i++)
        if (pads[i] < 0 || pads[i] > 1 << 20)
            return lam_import_fail(m, node, "its pads are out of range");
    if ((fill && fill->floats && fill->n && fill->floats[0] != 0.0f) ||
        lam_import_real(node, "value", 0.0) != 0.0)
        return lam_import_fail(m, node, "only zeros are supported as constant");
    return lam_import_simple(m, node, "pad", "pads=%d,%d,%d,%d mode=%s",
                             (int)pads[2], (int)pads[3], (int)pads[6],
                             (int)pads[7], ours);
}

static int read_dense(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node)
{
    const bool is_gemm = strcmp(node->op, "Gemm") == 0;
    const bool is_turned = is_gemm && lam_import_int(node, "transB", 0);
    const struct lam_onnx_tensor *b = lam_import_constant(m, node, 1);
    const struct lam_onnx_tensor *bias = lam_import_constant(m, node, 2);
    const int x = lam_import_value(m, node, 0);
    struct lam_onnx_tensor *weight;
    int64_t inputs, units;
    char name[100];
    int value, err;

    if (x < 0)
        return m->ctx->code;
    if (!b || b->rank != 2 || !b->floats || lam_import_shape(m, x)->rank != 2 ||
        (is_gemm && lam_import_int(node, "transA", 0)) ||
        lam_import_real(node, "alpha", 1.0) != 1.0 ||
        lam_import_real(node, "beta", 1.0) != 1.0 ||
        (lam_import_has(node, 2) && !bias))
        return lam_import_fail(m, node,
                               "only a matrix [N, C] times a constant one, and "
                               "a bias, is supported");
    inputs = b->dim[is_turned];
    units = b->dim[!is_turned];
    if (inputs != lam_import_shape(m, x)->dim[1])
        return lam_import_fail(m, node, "its input has not %lld numbers",
                               (long long)inputs);
    weight = lam_import_make(m, node, true, b->n);
    if (!weight)
        return m->ctx->code;
    for (int64_t k = 0; k < units; k++)
        for (int64_t c = 0; c < inputs; c++)
            ((float *)weight->floats)[k * inputs + c] =
                b->floats[is_turned ? k * inputs + c : c * units + k];
    err =
        lam_import_layer(m, node, lam_import_name(node, 1, name, sizeof(name)),
                         "dense", &x, 1, &value, "units=%lld bias=%s",
                         (long long)units, bias ? "true" : "false");
    if (!err)
        err = lam_import_weight(m, node, "weight", weight, 0.0);
    if (!err && bias)
        err = lam_import_weight(m, node, "bias", bias, 0.0);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

const struct lam_onnx_op lam_onnx_ops[] = {
    {"BatchNormalization", read_batchnorm},
    {"Concat", read_concat},
    {"DepthToSpace", read_depth_to_space},
    {"Gemm", read_dense},
    {"GroupNormalization", read_groupnorm},
    {"InstanceNormalization", read_groupnorm},
    {"MatMul", read_dense},
    {"Pad", read_pad},
    {"Resize", read_resize},
    {"Softmax", read_softmax},
    {"SpaceToDepth", read_space_to_depth},
    {"Upsample", read_resize},
    {0}};
