// Operators that slide a window over images or reduce them, as layers.
#include <stdio.h>
#include <string.h>

#include "onnx_importer.h"

// Of the operators that slide a window over an image.
struct window {
    int64_t kernel[2], stride[2], dilation[2], pads[4];
    int64_t extra[2]; // output_padding
    bool is_same;
    char text[200]; // stride, dilation and pad as settings
};

static int read_window(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node, bool is_transposed,
                       struct window *w)
{
    const char *pad = lam_import_text(node, "auto_pad", "NOTSET");
    const bool is_made_whole = strcmp(pad, "SAME_UPPER") == 0;
    bool fits = true;
    int err = lam_import_ints(m, node, "strides", 2, 1, w->stride);

    if (!err)
        err = lam_import_ints(m, node, "output_padding", 2, 0, w->extra);
    if (!err)
        err = lam_import_ints(m, node, "dilations", 2, 1, w->dilation);
    if (!err)
        err = lam_import_ints(m, node, "pads", 4, 0, w->pads);
    if (err)
        return err;
    if (!is_made_whole && strcmp(pad, "NOTSET") != 0 &&
        strcmp(pad, "VALID") != 0)
        return lam_import_fail(m, node, "auto_pad %.40s is not supported", pad);
    // Pads that are lamina's `same`, whatever the size of the image.
    for (int i = 0; i < 2; i++) {
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
        const int64_t total = reach - (is_transposed ? w->stride[i] : 1);

        fits &= (is_transposed || w->stride[i] == 1) && total >= 0 &&
                !w->extra[i] && w->pads[i] == total / 2 &&
                w->pads[i + 2] == total - total / 2;
    }
    w->is_same = is_made_whole || fits;
    snprintf(w->text, sizeof(w->text),
             "kernel=%d,%d stride=%d,%d dilation=%d,%d pad=%s",
             (int)w->kernel[0], (int)w->kernel[1], (int)w->stride[0],
             (int)w->stride[1], (int)w->dilation[0], (int)w->dilation[1],
             w->is_same ? "same" : "explicit");
    if (!w->is_same) {
        const size_t used = strlen(w->text);

        snprintf(w->text + used, sizeof(w->text) - used, " pads=%d,%d,%d,%d",
                 (int)w->pads[0], (int)w->pads[1], (int)w->pads[2],
                 (int)w->pads[3]);
    }
    return LAM_OK;
}

// A weight [a, b, height, width].
static const struct lam_onnx_tensor *kernel_of(struct lam_onnx_importer *m,
                                               const struct lam_onnx_node *node,
                                               struct window *w)
{
    const struct lam_onnx_tensor *weight = lam_import_constant(m, node, 1);

    if (!weight || weight->rank != 4) {
        lam_import_fail(m, node,
                        weight ? "its weight has %d dimensions, wanted 4"
                               : "its weight is no constant (input %d)",
                        weight ? weight->rank : 1);
        return NULL;
    }
    for (int i = 0; i < 2; i++)
        w->kernel[i] = weight->dim[2 + i];
    return weight;
}

static int add_conv(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, const char *type,
                    const struct lam_onnx_tensor *weight, int64_t filters,
                    int64_t inputs, const char *settings)
{
    const struct lam_onnx_tensor *bias = lam_import_constant(m, node, 2);
    const int x = lam_import_value(m, node, 0);
    char name[100];
    int value, err;

    if (x < 0)
        return m->ctx->code;
    if (lam_import_has(node, 2) && !bias)
        return lam_import_fail(m, node, "its bias is no constant");
    if (lam_import_shape(m, x)->rank != 4 ||
        lam_import_shape(m, x)->dim[1] != inputs)
        return lam_import_fail(m, node,
                               "its input is no image of %lld channels",
                               (long long)inputs);
    err =
        lam_import_layer(m, node, lam_import_name(node, 1, name, sizeof(name)),
                         type, &x, 1, &value, "filters=%lld bias=%s %s",
                         (long long)filters, bias ? "true" : "false", settings);
    if (!err)
        err = lam_import_weight(m, node, "weight", weight, 0.0);
    if (!err && bias)
        err = lam_import_weight(m, node, "bias", bias, 0.0);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

static int read_conv(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const int64_t groups = lam_import_int(node, "group", 1);
    const struct lam_onnx_tensor *weight;
    char settings[300];
    struct window w;
    int err;

    weight = kernel_of(m, node, &w);
    if (!weight)
        return m->ctx->code;
    err = read_window(m, node, false, &w);
    if (err)
        return err;
    if (groups < 1 || groups > weight->dim[0])
        return lam_import_fail(m, node, "its group does not fit its weight");
    snprintf(settings, sizeof(settings), "groups=%lld %s", (long long)groups,
             w.text);
    return add_conv(m, node, "conv2d", weight, weight->dim[0],
                    weight->dim[1] * groups, settings);
}

static int read_conv_transpose(struct lam_onnx_importer *m,
                               const struct lam_onnx_node *node)
{
    const int64_t groups = lam_import_int(node, "group", 1);
    const struct lam_onnx_tensor *weight;
    char settings[300];
    struct window w;
    int err;

    weight = kernel_of(m, node, &w);
    if (!weight)
        return m->ctx->code;
    err = read_window(m, node, true, &w);
    if (err)
        return err;
    if (lam_onnx_attribute(node, "output_shape"))
        return lam_import_fail(m, node, "output_shape is not supported");
    if (groups < 1 || groups > weight->dim[0])
        return lam_import_fail(m, node, "its group does not fit its weight");
    snprintf(settings, sizeof(settings), "groups=%lld output_padding=%d,%d %s",
             (long long)groups, w.is_same ? 0 : (int)w.extra[0],
             w.is_same ? 0 : (int)w.extra[1], w.text);
    return add_conv(m, node, "conv_transpose2d", weight,
                    weight->dim[1] * groups, weight->dim[0], settings);
}

static int read_pool(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const bool is_max = strcmp(node->op, "MaxPool") == 0;
    const bool has_indices = is_max && node->n_out > 1 && node->out[1][0];
    const char *ceil = lam_import_int(node, "ceil_mode", 0) ? "true" : "false";
    struct window w;
    int err = lam_import_ints(m, node, "kernel_shape", 2, 0, w.kernel);

    if (!err)
        err = read_window(m, node, false, &w);
    if (err)
        return err;
    if (lam_import_int(node, "storage_order", 0))
        return lam_import_fail(m, node, "storage_order 1 is not supported");
    if (!is_max) {
        char *dilation = strstr(w.text, "dilation=1,1 ");

        if (!dilation)
            return lam_import_fail(m, node, "dilations are not supported");
        return lam_import_simple(
            m, node, "avgpool", "%s ceil=%s count_include_pad=%s", w.text, ceil,
            lam_import_int(node, "count_include_pad", 0) ? "true" : "false");
    }
    err = lam_import_simple(m, node, "maxpool", "%s ceil=%s indices=%s", w.text,
                            ceil, has_indices ? "true" : "false");
    if (err || !has_indices)
        return err;
    return lam_import_define(m, node->out[1], NULL,
                             m->graph->nodes[m->graph->n_nodes - 1].out[1]);
}

static int read_max_unpool(struct lam_onnx_importer *m,
                           const struct lam_onnx_node *node)
{
    const struct lam_onnx_tensor *size = lam_import_constant(m, node, 2);
    const int in[2] = {lam_import_value(m, node, 0),
                       lam_import_value(m, node, 1)};
    int64_t kernel[2], stride[2], pads[4];
    char text[80] = "";
    int value, err;

    if (in[0] < 0 || in[1] < 0)
        return m->ctx->code;
    err = lam_import_ints(m, node, "kernel_shape", 2, 0, kernel);
    if (!err)
        err = lam_import_ints(m, node, "strides", 2, 1, stride);
    if (!err)
        err = lam_import_ints(m, node, "pads", 4, 0, pads);
    if (err)
        return err;
    if (lam_import_has(node, 2) && !(size && size->whole && size->n == 4))
        return lam_import_fail(m, node, "its output_shape is no constant");
    if (size)
        snprintf(text, sizeof(text), "size=%lld,%lld",
                 (long long)size->whole[2], (long long)size->whole[3]);
    else if (kernel[0] != stride[0] || kernel[1] != stride[1] ||
             pads[0] + pads[1] + pads[2] + pads[3])
        return lam_import_fail(m, node,
                               "windows that overlap are supported with an "
                               "output_shape");
    else
        snprintf(text, sizeof(text), "scale=%d,%d", (int)stride[0],
                 (int)stride[1]);
    err = lam_import_layer(m, node, NULL, "max_unpool", in, 2, &value, "%s",
                           text);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

static int read_globalpool(struct lam_onnx_importer *m,
                           const struct lam_onnx_node *node)
{
    return lam_import_simple(m, node, "globalpool", "mode=%s",
                             strstr(node->op, "Max") ? "max" : "avg");
}

static bool is_image_axis(int64_t axis)
{
    return axis == 2 || axis == 3 || axis == -1 || axis == -2;
}

// ReduceMean and ReduceMax over height and width.
static int read_reduce(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node)
{
    const struct lam_onnx_attribute *a = lam_import_list(node, "axes");
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1);
    const int64_t *axes = a ? a->ints : t ? t->whole : NULL;
    const int64_t n = a ? a->n : t ? t->n : 0;
    int x = lam_import_value(m, node, 0), value, err;

    if (x < 0)
        return m->ctx->code;
    if (!axes || n != 2 || !is_image_axis(axes[0]) || !is_image_axis(axes[1]) ||
        axes[0] == axes[1] || lam_import_shape(m, x)->rank != 4)
        return lam_import_fail(m, node,
                               "only height and width of an image can be "
                               "reduced");
    err = lam_import_layer(m, node, NULL, "globalpool", &x, 1, &value,
                           "mode=%s", strstr(node->op, "Max") ? "max" : "avg");
    x = value;
    if (!err && !lam_import_int(node, "keepdims", 1))
        err =
            lam_import_layer(m, node, NULL, "flatten", &x, 1, &value, "%s", "");
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

const struct lam_onnx_op lam_onnx_windows[] = {
    {"AveragePool", read_pool},
    {"Conv", read_conv},
    {"ConvTranspose", read_conv_transpose},
    {"GlobalAveragePool", read_globalpool},
    {"GlobalMaxPool", read_globalpool},
    {"MaxPool", read_pool},
    {"MaxUnpool", read_max_unpool},
    {"ReduceMax", read_reduce},
    {"ReduceMean", read_reduce},
    {0}};
