#include "onnx.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "protobuf.h"

static void put_tensor(struct lam_pb_writer *w, uint32_t number,
                       const struct lam_onnx_tensor *t)
{
    const int width = t->floats ? 4 : 8;
    unsigned char *raw = malloc((size_t)t->n * (size_t)width + 1);
    struct lam_pb_writer inner = {.has_failed = !raw};

    for (int i = 0; i < t->rank; i++)
        lam_pb_put_int(&inner, 1, t->dim[i]);
    lam_pb_put_int(&inner, 2, t->floats ? LAM_ONNX_FLOAT : LAM_ONNX_INT64);
    lam_pb_put_text(&inner, 8, t->name);
    for (int64_t i = 0; raw && i < t->n; i++) {
        uint64_t bits = t->floats ? 0 : (uint64_t)t->whole[i];
        uint32_t low;

        if (t->floats) {
            memcpy(&low, &t->floats[i], 4);
            bits = low;
        }
        for (int k = 0; k < width; k++)
            raw[i * width + k] = (unsigned char)(bits >> (8 * k));
    }
    if (raw)
        lam_pb_put_bytes(&inner, 9, raw, (size_t)t->n * (size_t)width);
    free(raw);
    lam_pb_put_message(w, number, &inner);
}

static void put_attribute(struct lam_pb_writer *w,
                          const struct lam_onnx_attribute *a)
{
    struct lam_pb_writer inner = {0};

    lam_pb_put_text(&inner, 1, a->name);
    if (a->kind == LAM_ONNX_KIND_FLOAT)
        lam_pb_put_float(&inner, 2, (float)a->real);
    if (a->kind == LAM_ONNX_KIND_INT)
        lam_pb_put_int(&inner, 3, a->whole);
    if (a->kind == LAM_ONNX_KIND_TEXT)
        lam_pb_put_text(&inner, 4, a->text);
    for (int i = 0; a->kind == LAM_ONNX_KIND_INTS && i < a->n; i++)
        lam_pb_put_int(&inner, 8, a->ints[i]);
    lam_pb_put_int(&inner, 20, a->kind);
    lam_pb_put_message(w, 5, &inner);
}

static void put_node(struct lam_pb_writer *w, const struct lam_onnx_node *node)
{
    struct lam_pb_writer inner = {0};

    for (int i = 0; i < node->n_in; i++)
        lam_pb_put_text(&inner, 1, node->in[i]);
    for (int i = 0; i < node->n_out; i++)
        lam_pb_put_text(&inner, 2, node->out[i]);
    lam_pb_put_text(&inner, 3, node->name);
    lam_pb_put_text(&inner, 4, node->op);
    for (int i = 0; i < node->n_attributes; i++)
        put_attribute(&inner, &node->attributes[i]);
    if (node->domain && node->domain[0])
        lam_pb_put_text(&inner, 7, node->domain);
    lam_pb_put_message(w, 1, &inner);
}

static void put_value(struct lam_pb_writer *w, uint32_t number,
                      const struct lam_onnx_value *value)
{
    struct lam_pb_writer shape = {0}, tensor = {0}, type = {0}, inner = {0};

    for (int i = 0; i < value->rank; i++) {
        struct lam_pb_writer dim = {0};

        if (value->symbol[i])
            lam_pb_put_text(&dim, 2, value->symbol[i]);
        else
            lam_pb_put_int(&dim, 1, value->dim[i]);
        lam_pb_put_message(&shape, 1, &dim);
    }
    lam_pb_put_int(&tensor, 1, value->type);
    lam_pb_put_message(&tensor, 2, &shape);
    lam_pb_put_message(&type, 1, &tensor);
    lam_pb_put_text(&inner, 1, value->name);
    lam_pb_put_message(&inner, 2, &type);
    lam_pb_put_message(w, number, &inner);
}

static void put_graph(struct lam_pb_writer *w, const struct lam_onnx *o)
{
    struct lam_pb_writer graph = {0};

    for (int i = 0; i < o->n_nodes; i++)
        put_node(&graph, &o->nodes[i]);
    lam_pb_put_text(&graph, 2, o->name);
    for (int i = 0; i < o->n_tensors; i++)
        put_tensor(&graph, 5, &o->tensors[i]);
    for (int i = 0; i < o->n_inputs; i++)
        put_value(&graph, 11, &o->inputs[i]);
    for (int i = 0; i < o->n_outputs; i++)
        put_value(&graph, 12, &o->outputs[i]);
    lam_pb_put_message(w, 7, &graph);
}

static void put_model(struct lam_pb_writer *w, const struct lam_onnx *o)
{
    struct lam_pb_writer opset = {0};

    lam_pb_put_int(w, 1, 7); // IR version of the release with opset 13
    lam_pb_put_text(w, 2, "lamina");
    lam_pb_put_text(w, 3, LAM_VERSION);
    put_graph(w, o);
    lam_pb_put_text(&opset, 1, "");
    lam_pb_put_int(&opset, 2, o->opset);
    lam_pb_put_message(w, 8, &opset);
    for (int i = 0; i < o->n_metadata; i++) {
        struct lam_pb_writer pair = {0};

        lam_pb_put_text(&pair, 1, o->metadata[i].key);
        lam_pb_put_text(&pair, 2, o->metadata[i].value);
        lam_pb_put_message(w, 14, &pair);
    }
}

int lam_onnx_write(struct lam_context *ctx, const char *path,
                   const struct lam_onnx *onnx)
{
    struct lam_pb_writer w = {0};
    int err;

    put_model(&w, onnx);
    err = w.has_failed ? lam_fail(ctx, LAM_EMEMORY, "out of memory")
                       : lam_file_write(ctx, path,
                                        &(struct lam_piece){w.data, w.size}, 1);
    free(w.data);
    return err;
}
