// What convolutions, pools and resizes become in ONNX, operator set 13.
#include <string.h>

#include "onnx_emit.h"

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
    const char *before = lam_emit_before_relu(e);
    struct lam_onnx_node *node =
        lam_emit(e, op, before, image, lam_emit_weight(e, "weight", 0),
                 lam_emit_weight(e, "bias", 0));
    int64_t kernel[2], stride[2], dilation[2];

    write_window(e, node, names, kernel, stride, dilation);
    write_padding(e, node, kernel, stride, dilation);
    return lam_emit_then_relu(e, before);
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
    const char *before = lam_emit_before_relu(e),
               *pad = lam_emit_choice(e, "pad");
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
    return lam_emit_then_relu(e, before);
}

static int write_pool(struct lam_onnx_emitter *e, const char *op)
{
    static const char *const average[] = {NULL};
    static const char *const largest[] = {"dilations", NULL};
    const bool is_largest = strcmp(op, "MaxPool") == 0;
    struct lam_onnx_node *node = lam_emit_all(e, op, lam_emit_out(e, 0));
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
        size = lam_emit_shape_part(e, lam_emit_in(e, 2), 2, 4);
    node = lam_emit(
        e, op, lam_emit_out(e, 0), x, lam_emit_in(e, 1),
        size ? lam_emit_join(e, lam_emit_shape_part(e, x, 0, 2), size) : NULL);
    lam_emit_ints(e, node, "kernel_shape", scale, 2);
    lam_emit_ints(e, node, "strides", scale, 2);
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
        const char *sizes = lam_emit_join(e, lam_emit_shape_part(e, x, 0, 2),
                                          lam_emit_whole(e, size, 2));

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

const struct lam_onnx_row lam_onnx_window_rows[] = {
    {"avgpool", "AveragePool", write_pool},
    {"conv2d", "Conv", write_conv2d},
    {"conv_transpose2d", "ConvTranspose", write_conv_transpose},
    {"max_unpool", "MaxUnpool", write_max_unpool},
    {"maxpool", "MaxPool", write_pool},
    {"resize", "Resize", write_resize},
    {"upsample_conv2d", "Conv", write_upsample_conv},
    {0}};
