// What each layer becomes in ONNX, operator set 13. Sizes of images are never
// written down: what depends on them is computed by the file itself.
#include <string.h>

#include "onnx_emit.h"

// Numbers of the shape of a value: dim[from] to dim[to - 1].
static const char *shape_part(struct lam_onnx_emitter *e, const char *value,
                              int64_t from, int64_t to)
{
    const struct lam_onnx_node *shape =
        lam_emit(e, "Shape", NULL, value, NULL, NULL);

    return lam_emit(e, "Slice", NULL, shape->out[0],
                    lam_emit_whole(e, &from, 1), lam_emit_whole(e, &to, 1))
        ->out[0];
}

static const char *join(struct lam_onnx_emitter *e, const char *a,
                        const char *b)
{
    struct lam_onnx_node *node = lam_emit(e, "Concat", NULL, a, b, NULL);

    lam_emit_int(node, "axis", 0);
    return node->out[0];
}

// One node of all inputs, as the table names it.
static struct lam_onnx_node *all_in(struct lam_onnx_emitter *e, const char *op,
                                    const char *out)
{
    struct lam_onnx_node *node = lam_emit(e, op, out, NULL, NULL, NULL);

    for (int i = 0; i < e->layer->shapes.n_in; i++)
        lam_emit_add_in(node, lam_emit_in(e, i));
    return node;
}

static int write_plain(struct lam_onnx_emitter *e, const char *op)
{
    all_in(e, op, lam_emit_out(e, 0));
    return LAM_OK;
}

static int write_axis(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_int(all_in(e, op, lam_emit_out(e, 0)), "axis", 1);
    return LAM_OK;
}

static int write_alpha(struct lam_onnx_emitter *e, const char *op)
{
    lam_emit_real(
        all_in(e, op, lam_emit_out(e, 0)), "alpha",
        lam_emit_param_real(e, strcmp(op, "Elu") == 0 ? "alpha" : "slope"));
    return LAM_OK;
}

// Where a layer has `activation: relu`, its nodes end in `before` and a Relu
// follows.
static const char *before_relu(struct lam_onnx_emitter *e)
{
    return strcmp(lam_emit_choice(e, "activation"), "relu") == 0
               ? lam_emit_name(e)
               : lam_emit_out(e, 0);
}

static int then_relu(struct lam_onnx_emitter *e, const char *before)
{
    if (strcmp(before, lam_emit_out(e, 0)) != 0)
        lam_emit(e, "Relu", lam_emit_out(e, 0), before, NULL, NULL);
    return LAM_OK;
}

// kernel_shape, strides, dilations, and group where there is one.
static void write_window(struct lam_onnx_emitter *e, struct lam_onnx_node *node,
                         const char *const *names, int64_t kernel[2],
                         int64_t stride[2], int64_t dilation[2])
{
    dilation[0] = dilation[1] = 1;
    for (; *names; names++) {
        if (strcmp(*names, "group") == 0)
            lam_emit_int(node, "group", lam_emit_param(e, "groups"));
        if (strcmp(*names, "dilations") == 0) {
            lam_emit_pair(e, "dilation", dilation);
            lam_emit_ints(e, node, "dilations", dilation, 2);
        }
    }
    lam_emit_pair(e, "kernel", kernel);
    lam_emit_pair(e, "stride", stride);
    for (int i = 0; i < 2; i++)
        stride[i] = stride[i] ? stride[i] : kernel[i];
    lam_emit_ints(e, node, "kernel_shape", kernel, 2);
    lam_emit_ints(e, node, "strides", stride, 2);
}

static void write_pads(struct lam_onnx_emitter *e, struct lam_onnx_node *node,
                       const struct lam_list *list)
{
    int64_t pads[4];

    for (int i = 0; i < 4; i++)
        pads[i] = list->v[i];
    lam_emit_ints(e, node, "pads", pads, 4);
}

// pad: same, valid or explicit of conv2d and the pools. With steps, same
// depends on the size of the image: auto_pad says so.
static void write_padding(struct lam_onnx_emitter *e,
                          struct lam_onnx_node *node, const int64_t kernel[2],
                          const int64_t stride[2], const int64_t dilation[2])
{
    const char *pad = lam_emit_choice(e, "pad");
    struct lam_list list = {.n = 4};

    if (strcmp(pad, "explicit") == 0) {
        write_pads(e, node, lam_emit_list(e, "pads"));
    } else if (strcmp(pad, "same") == 0) {
        bool has_steps = false;

        for (int i = 0; i < 2; i++) {
            const int64_t total = (kernel[i] - 1) * dilation[i];

            has_steps |= stride[i] > 1;
            list.v[i] = (int32_t)(total / 2);
            list.v[i + 2] = (int32_t)(total - total / 2);
        }
        if (has_steps)
            lam_emit_text(node, "auto_pad", "SAME_UPPER");
        else
            write_pads(e, node, &list);
    }
}

static int write_conv(struct lam_onnx_emitter *e, const char *op,
                      const char *image)
{
    static const char *const names[] = {"group", "dilations", NULL};
    const char *before = before_relu(e);
    struct lam_onnx_node *node =
        lam_emit(e, op, before, image, lam_emit_weight(e, "weight", 0),
                 lam_emit_weight(e, "bias", 0));
    int64_t kernel[2], stride[2], dilation[2];

    write_window(e, node, names, kernel, stride, dilation);
    write_padding(e, node, kernel, stride, dilation);
    return then_relu(e, before);
}

static int write_conv2d(struct lam_onnx_emitter *e, const char *op)
{
    return write_conv(e, op, lam_emit_in(e, 0));
}

// What `same` and `valid` of a transposed convolution crop, and the
// output_padding that makes the size whole.
static int write_conv_transpose(struct lam_onnx_emitter *e, const char *op)
{
    static const char *const names[] = {"group", "dilations", NULL};
    const char *before = before_relu(e), *pad = lam_emit_choice(e, "pad");
    struct lam_onnx_node *node = lam_emit(e, op, before, lam_emit_in(e, 0),
                                          lam_emit_weight(e, "weight", 0),
                                          lam_emit_weight(e, "bias", 0));
    int64_t kernel[2], stride[2], dilation[2], extra[2];
    struct lam_list pads = {.n = 4};

    write_window(e, node, names, kernel, stride, dilation);
    lam_emit_pair(e, "output_padding", extra);
    if (strcmp(pad, "explicit") == 0)
        pads = *lam_emit_list(e, "pads");
    for (int i = 0; i < 2 && strcmp(pad, "explicit") != 0; i++) {
        const int64_t reach = (kernel[i] - 1) * dilation[i] + 1;
        const int64_t over = reach > stride[i] ? reach - stride[i] : 0;

        extra[i] += reach < stride[i] ? stride[i] - reach : 0;
        if (strcmp(pad, "same") == 0) {
            pads.v[i] = (int32_t)(over / 2);
            pads.v[i + 2] = (int32_t)(over - over / 2);
        }
        if (extra[i] >= stride[i] && extra[i] >= dilation[i])
            return lam_fail(e->ctx, LAM_EMODEL,
                            "%s: ONNX has no ConvTranspose with an "
                            "output_padding of %d at stride %d",
                            e->layer->name, (int)extra[i], (int)stride[i]);
    }
    write_pads(e, node, &pads);
    if (extra[0] || extra[1])
        lam_emit_ints(e, node, "output_padding", extra, 2);
    return then_relu(e, before);
}

static int write_pool(struct lam_onnx_emitter *e, const char *op)
{
    static const char *const average[] = {NULL};
    static const char *const largest[] = {"dilations", NULL};
    const bool is_largest = strcmp(op, "MaxPool") == 0;
    struct lam_onnx_node *node = all_in(e, op, lam_emit_out(e, 0));
    int64_t kernel[2], stride[2], dilation[2];

    write_window(e, node, is_largest ? largest : average, kernel, stride,
                 dilation);
    if (!is_largest) {
        lam_emit_pair(e, "dilation", dilation);
        if (dilation[0] != 1 || dilation[1] != 1)
            return lam_fail(e->ctx, LAM_EMODEL,
                            "%s: AveragePool of operator set 13 has no "
                            "dilation",
                            e->layer->name);
        lam_emit_int(node, "count_include_pad",
                     lam_emit_param(e, "count_include_pad"));
    }
    write_padding(e, node, kernel, stride, dilation);
    lam_emit_int(node, "ceil_mode", lam_emit_param(e, "ceil"));
    if (is_largest && e->layer->shapes.n_out > 1)
        node->out[node->n_out++] = lam_emit_out(e, 1);
    return LAM_OK;
}

static int write_max_unpool(struct lam_onnx_emitter *e, const char *op)
{
    struct lam_onnx_node *node;
    const char *x = lam_emit_in(e, 0), *size = NULL;
    int64_t scale[2], wanted[2];

    lam_emit_pair(e, "size", wanted);
    lam_emit_pair(e, "scale", scale);
    if (wanted[0])
        size = lam_emit_whole(e, wanted, 2);
    else if (e->layer->shapes.n_in > 2)
        size = shape_part(e, lam_emit_in(e, 2), 2, 4);
    node = lam_emit(e, op, lam_emit_out(e, 0), x, lam_emit_in(e, 1),
                    size ? join(e, shape_part(e, x, 0, 2), size) : NULL);
    lam_emit_ints(e, node, "kernel_shape", scale, 2);
    lam_emit_ints(e, node, "strides", scale, 2);
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
    const char *before = before_relu(e);
    struct lam_onnx_node *node =
        lam_emit(e, op, before, lam_emit_in(e, 0), weight_or(e, "weight", 1.0),
                 weight_or(e, "bias", 0.0));

    lam_emit_add_in(node, weight_or(e, "running_mean", 0.0));
    lam_emit_add_in(node, weight_or(e, "running_var", 1.0));
    lam_emit_real(node, "epsilon", lam_emit_param_real(e, "epsilon"));
    return then_relu(e, before);
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
                     : shape_part(e, lam_emit_in(e, 1), 2, 4);
    if (offset->n) {
        first[0] = offset->v[0];
        first[1] = offset->v[offset->n > 1 ? 1 : 0];
        start = lam_emit_whole(e, first, 2);
    } else {
        node = lam_emit(e, "Sub", NULL, shape_part(e, x, 2, 4), size, NULL);
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
    struct lam_onnx_node *node = all_in(e, op, lam_emit_out(e, 0));

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

static const char *write_resize_to(struct lam_onnx_emitter *e, const char *op,
                                   const char *out, const int64_t scale[2],
                                   const int64_t size[2], const char *mode,
                                   const char *coordinates,
                                   const char *rounding)
{
    const char *x = lam_emit_in(e, 0);
    struct lam_onnx_node *node;

    if (size[0]) {
        const char *sizes =
            join(e, shape_part(e, x, 0, 2), lam_emit_whole(e, size, 2));

        node = lam_emit(e, op, out, x, "", "");
        lam_emit_add_in(node, sizes);
    } else {
        const char *scales = lam_emit_filled(e, 4, 1.0);

        if (!e->has_failed)
            for (int i = 0; i < 2; i++)
                ((float *)e->onnx->tensors[e->onnx->n_tensors - 1]
                     .floats)[2 + i] = (float)scale[i];
        node = lam_emit(e, op, out, x, "", scales);
    }
    lam_emit_text(node, "mode", mode);
    lam_emit_text(node, "coordinate_transformation_mode", coordinates);
    if (rounding)
        lam_emit_text(node, "nearest_mode", rounding);
    lam_log(e->ctx, LAM_LOG_INFO, "%s: Resize mode %s, coordinates %s%s%s",
            e->layer->name, mode, coordinates, rounding ? ", rounding " : "",
            rounding ? rounding : "");
    return node->out[0];
}

static int write_resize(struct lam_onnx_emitter *e, const char *op)
{
    const char *where = lam_emit_choice(e, "coordinates");
    const char *rounding = lam_emit_choice(e, "rounding");
    const bool is_nearest = strcmp(lam_emit_choice(e, "mode"), "nearest") == 0;
    int64_t scale[2], size[2];

    lam_emit_pair(e, "scale", scale);
    lam_emit_pair(e, "size", size);
    if (strcmp(rounding, "auto") == 0)
        rounding = strcmp(where, "align_corners") == 0 ? "round_prefer_floor"
                   : strcmp(where, "asymmetric") == 0  ? "floor"
                                                       : "round_prefer_ceil";
    write_resize_to(e, op, lam_emit_out(e, 0), scale, size,
                    is_nearest ? "nearest" : "linear", where,
                    is_nearest ? rounding : NULL);
    return LAM_OK;
}

static int write_upsample_conv(struct lam_onnx_emitter *e, const char *op)
{
    const int64_t none[2] = {0, 0};
    int64_t scale[2];

    lam_emit_pair(e, "scale", scale);
    return write_conv(e, op,
                      write_resize_to(e, "Resize", NULL, scale, none, "nearest",
                                      "asymmetric", "floor"));
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
    {"avgpool", "AveragePool", write_pool},
    {"batchnorm", "BatchNormalization", write_batchnorm},
    {"concat", "Concat", write_axis},
    {"conv2d", "Conv", write_conv2d},
    {"conv_transpose2d", "ConvTranspose", write_conv_transpose},
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
    {"max_unpool", "MaxUnpool", write_max_unpool},
    {"maxpool", "MaxPool", write_pool},
    {"mul", "Mul", write_plain},
    {"pad", "Pad", write_pad},
    {"pixel_shuffle", "DepthToSpace", write_shuffle},
    {"pixel_unshuffle", "SpaceToDepth", write_unshuffle},
    {"relu", "Relu", write_plain},
    {"reshape", "Reshape", write_reshape},
    {"resize", "Resize", write_resize},
    {"sigmoid", "Sigmoid", write_plain},
    {"softmax", "Softmax", write_axis},
    {"tanh", "Tanh", write_plain},
    {"upsample_conv2d", "Conv", write_upsample_conv},
    {0}};
