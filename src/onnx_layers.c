// What each layer becomes in ONNX, operator set 13. Sizes of images are never
// written down: what depends on them is computed by the file itself.
#include <string.h>

#include "onnx_emit.h"

static int write_plain(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_all(e, op, lam_emit_out(e, 0));
    return LAM_OK;
}

static int write_axis(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_int(lam_emit_all(e, op, lam_emit_out(e, 0)), "axis", 1);
    return LAM_OK;
}

static int write_alpha(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_real(
        lam_emit_all(e, op, lam_emit_out(e, 0)), "alpha",
        lam_emit_param_real(e, strcmp(op, "Elu") == 0 ? "alpha" : "slope"));
    return LAM_OK;
}

static int write_globalpool(struct lam_onnx_emitter *e, const char *op)
{
    (void)op;
    return write_plain(e, strcmp(lam_emit_choice(e, "mode"), "max") == 0
                              ? "GlobalMaxPool"
                              : "GlobalAveragePool");
}

// A weight, or what stands for it where the layer has none.
static const char *weight_or(struct lam_onnx_emitter *e, const char *name,
                             double value)
{
    const char *found = lam_emit_weight(e, name, 0);

    return found ? found
                 : lam_emit_filled(e, e->layer->shapes.in[0].dim[1], value);
}

static int write_batchnorm(struct lam_onnx_emitter *e, const char *op)
{
    const char *before = lam_emit_before_relu(e);
    struct lam_onnx_node *node =
        lam_emit(e, op, before, lam_emit_in(e, 0), weight_or(e, "weight", 1.0),
                 weight_or(e, "bias", 0.0));

    lam_emit_add_in(node, weight_or(e, "running_mean", 0.0));
    lam_emit_add_in(node, weight_or(e, "running_var", 1.0));
    lam_emit_real(node, "epsilon", lam_emit_param_real(e, "epsilon"));
    return lam_emit_then_relu(e, before);
}

static int write_instancenorm(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_real(lam_emit(e, op, lam_emit_out(e, 0), lam_emit_in(e, 0),
                           weight_or(e, "weight", 1.0),
                           weight_or(e, "bias", 0.0)),
                  "epsilon", lam_emit_param_real(e, "epsilon"));
    return LAM_OK;
}

// Groups as the channels of an InstanceNormalization, then weight and bias.
static int write_groupnorm(struct lam_onnx_emitter *e, const char *op)
{
    const int64_t groups = lam_emit_param(e, "groups");
    const int64_t cut[3] = {0, groups, -1};
    const char *x = lam_emit_in(e, 0), *out = lam_emit_out(e, 0);
    const int ones = e->layer->shapes.in[0].rank - 2;
    const char *weight = lam_emit_weight(e, "weight", ones);
    const char *bias = lam_emit_weight(e, "bias", ones);
    const struct lam_onnx_node *parts =
        lam_emit(e, "Reshape", NULL, x, lam_emit_whole(e, cut, 3), NULL);
    struct lam_onnx_node *norm =
        lam_emit(e, op, NULL, parts->out[0], lam_emit_filled(e, groups, 1.0),
                 lam_emit_filled(e, groups, 0.0));
    const struct lam_onnx_node *shape =
        lam_emit(e, "Shape", NULL, x, NULL, NULL);

    lam_emit_real(norm, "epsilon", lam_emit_param_real(e, "epsilon"));
    norm = lam_emit(e, "Reshape", weight ? NULL : out, norm->out[0],
                    shape->out[0], NULL);
    if (!weight)
        return LAM_OK;
    norm = lam_emit(e, "Mul", NULL, norm->out[0], weight, NULL);
    lam_emit(e, "Add", out, norm->out[0], bias, NULL);
    return LAM_OK;
}

static int write_add(struct lam_onnx_emitter *e, const char *op)
{
    const struct lam_reals *factors = lam_emit_reals(e, "factors");
    const int n = e->layer->shapes.n_in;
    const char *terms[LAM_MAX_IN];
    struct lam_onnx_node *node;

    for (int i = 0; i < n; i++) {
        const double factor = factors->n ? factors->v[i] : 1.0;

        terms[i] = lam_emit_in(e, i);
        if (factor != 1.0 || n == 1)
            terms[i] =
                lam_emit(e, "Mul", n == 1 ? lam_emit_out(e, 0) : NULL, terms[i],
                         lam_emit_real_constant(e, factor), NULL)
                    ->out[0];
    }
    if (n == 1)
        return LAM_OK;
    node =
        lam_emit(e, n == 2 ? op : "Sum", lam_emit_out(e, 0), NULL, NULL, NULL);
    for (int i = 0; i < n; i++)
        lam_emit_add_in(node, terms[i]);
    return LAM_OK;
}

static int write_dropout(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit(e, op, lam_emit_out(e, 0), lam_emit_in(e, 0),
             lam_emit_real_constant(e, lam_emit_param_real(e, "p")), NULL);
    return LAM_OK;
}

static int write_reshape(struct lam_onnx_emitter *e, const char *op)
{
    const struct lam_list *list = lam_emit_list(e, "shape");
    int64_t shape[8];

    for (int i = 0; i < list->n; i++)
        shape[i] = list->v[i];
    lam_emit(e, op, lam_emit_out(e, 0), lam_emit_in(e, 0),
             lam_emit_whole(e, shape, list->n), NULL);
    return LAM_OK;
}

static int write_dense(struct lam_onnx_emitter *e, const char *op)
{
    const char *x = lam_emit_in(e, 0);
    struct lam_onnx_node *node;

    if (e->layer->shapes.in[0].rank != 2) {
        node = lam_emit(e, "Flatten", NULL, x, NULL, NULL);
        lam_emit_int(node, "axis", 1);
        x = node->out[0];
    }
    node =
        lam_emit(e, op, lam_emit_out(e, 0), x, lam_emit_weight(e, "weight", 0),
                 lam_emit_weight(e, "bias", 0));
    lam_emit_int(node, "transB", 1);
    return LAM_OK;
}

static int write_pad(struct lam_onnx_emitter *e, const char *op)
{
    const struct lam_list *list = lam_emit_list(e, "pads");
    const char *mode = lam_emit_choice(e, "mode");
    int64_t pads[8] = {0};
    struct lam_onnx_node *node;

    for (int i = 0; i < 4; i++)
        pads[i / 2 * 4 + 2 + i % 2] = list->v[list->n == 1 ? 0 : i];
    node = lam_emit(e, op, lam_emit_out(e, 0), lam_emit_in(e, 0),
                    lam_emit_whole(e, pads, 8), NULL);
    lam_emit_text(node, "mode",
                  strcmp(mode, "zero") == 0      ? "constant"
                  : strcmp(mode, "reflect") == 0 ? "reflect"
                                                 : "edge");
    return LAM_OK;
}

static int write_crop(struct lam_onnx_emitter *e, const char *op)
{
    const struct lam_list *offset = lam_emit_list(e, "offset");
    const int64_t axes[2] = {2, 3}, two = 2;
    const char *x = lam_emit_in(e, 0), *size, *start;
    int64_t wanted[2], first[2];
    struct lam_onnx_node *node;

    lam_emit_pair(e, "size", wanted);
    size = wanted[0] ? lam_emit_whole(e, wanted, 2)
                     : lam_emit_shape_part(e, lam_emit_in(e, 1), 2, 4);
    if (offset->n) {
        first[0] = offset->v[0];
        first[1] = offset->v[offset->n > 1 ? 1 : 0];
        start = lam_emit_whole(e, first, 2);
    } else {
        node = lam_emit(e, "Sub", NULL, lam_emit_shape_part(e, x, 2, 4), size,
                        NULL);
        start = lam_emit(e, "Div", NULL, node->out[0],
                         lam_emit_whole(e, &two, 1), NULL)
                    ->out[0];
    }
    node = lam_emit(e, "Add", NULL, start, size, NULL);
    node = lam_emit(e, op, lam_emit_out(e, 0), x, start, node->out[0]);
    lam_emit_add_in(node, lam_emit_whole(e, axes, 2));
    return LAM_OK;
}

static int write_shuffle(struct lam_onnx_emitter *e, const char *op)
{
    struct lam_onnx_node *node = lam_emit_all(e, op, lam_emit_out(e, 0));

    lam_emit_int(node, "blocksize", lam_emit_param(e, "factor"));
    lam_emit_text(node, "mode",
                  strcmp(lam_emit_choice(e, "order"), "tf") == 0 ? "DCR"
                                                                 : "CRD");
    return LAM_OK;
}

// SpaceToDepth has TensorFlow's order of channels; PyTorch's is a Gather more.
static int write_unshuffle(struct lam_onnx_emitter *e, const char *op)
{
    const bool is_tf = strcmp(lam_emit_choice(e, "order"), "tf") == 0;
    const int64_t r = lam_emit_param(e, "factor");
    const int64_t C = e->layer->shapes.in[0].dim[1];
    struct lam_onnx_node *node =
        lam_emit(e, op, is_tf ? lam_emit_out(e, 0) : NULL, lam_emit_in(e, 0),
                 NULL, NULL);
    int64_t *order = lam_onnx_alloc(e->onnx, (size_t)(C * r * r), 8);

    lam_emit_int(node, "blocksize", r);
    if (is_tf)
        return LAM_OK;
    if (!order)
        return lam_fail(e->ctx, LAM_EMEMORY, "out of memory");
    for (int64_t c = 0; c < C; c++)
        for (int64_t p = 0; p < r * r; p++)
            order[c * r * r + p] = p * C + c;
    node = lam_emit(e, "Gather", lam_emit_out(e, 0), node->out[0],
                    lam_emit_whole(e, order, (int)(C * r * r)), NULL);
    lam_emit_int(node, "axis", 1);
    return LAM_OK;
}

// x / 2 (1 + erf(x / sqrt 2)), or x / 2 (1 + tanh(sqrt(2 / pi) (x + a x^3))):
// Gelu itself came with operator set 20.
static int write_gelu(struct lam_onnx_emitter *e, const char *op)
{
    const char *x = lam_emit_in(e, 0);
    const struct lam_onnx_node *node;

    if (strcmp(lam_emit_choice(e, "approximation"), "tanh") == 0) {
        node = lam_emit(e, "Mul", NULL, x, x, NULL);
        node = lam_emit(e, "Mul", NULL, node->out[0],
                        lam_emit_real_constant(e, 0.044715), NULL);
        node = lam_emit(e, "Add", NULL, node->out[0],
                        lam_emit_real_constant(e, 1.0), NULL);
        node = lam_emit(e, "Mul", NULL, node->out[0], x, NULL);
        node = lam_emit(e, "Mul", NULL, node->out[0],
                        lam_emit_real_constant(e, 0.7978845608028654), NULL);
        node = lam_emit(e, "Tanh", NULL, node->out[0], NULL, NULL);
    } else {
        node = lam_emit(e, "Div", NULL, x,
                        lam_emit_real_constant(e, 1.4142135623730951), NULL);
        node = lam_emit(e, op, NULL, node->out[0], NULL, NULL);
    }
    node = lam_emit(e, "Add", NULL, node->out[0],
                    lam_emit_real_constant(e, 1.0), NULL);
    node = lam_emit(e, "Mul", NULL, x, node->out[0], NULL);
    lam_emit(e, "Mul", lam_emit_out(e, 0), node->out[0],
             lam_emit_real_constant(e, 0.5), NULL);
    return LAM_OK;
}

const struct lam_onnx_row lam_onnx_rows[] = {
    {"add", "Add", write_add},
    {"batchnorm", "BatchNormalization", write_batchnorm},
    {"concat", "Concat", write_axis},
    {"crop", "Slice", write_crop},
    {"dense", "Gemm", write_dense},
    {"dropout", "Dropout", write_dropout},
    {"elu", "Elu", write_alpha},
    {"flatten", "Flatten", write_axis},
    {"gelu", "Erf", write_gelu},
    {"globalpool", "GlobalAveragePool", write_globalpool},
    {"groupnorm", "InstanceNormalization", write_groupnorm},
    {"instancenorm", "InstanceNormalization", write_instancenorm},
    {"leaky_relu", "LeakyRelu", write_alpha},
    {"mul", "Mul", write_plain},
    {"pad", "Pad", write_pad},
    {"pixel_shuffle", "DepthToSpace", write_shuffle},
    {"pixel_unshuffle", "SpaceToDepth", write_unshuffle},
    {"relu", "Relu", write_plain},
    {"reshape", "Reshape", write_reshape},
    {"sigmoid", "Sigmoid", write_plain},
    {"softmax", "Softmax", write_axis},
    {"tanh", "Tanh", write_plain},
    {0}};
