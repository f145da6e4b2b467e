#include "onnx_export.h"

#include <stdio.h>
#include <string.h>

#include "onnx_emit.h"
#include "shape.h"

struct exporter {
    struct lam_context *ctx;
    const struct lam_registry *registry;
    const struct lam_host *host;
    struct lam_model *model;
    struct lam_graph *graph;
};

static int build(const struct exporter *x, int batch, struct lam_graph **graph)
{
    int err = lam_graph_create(x->ctx, x->registry, x->host, 0, graph);

    return err ? err : lam_model_build(x->model, *graph, batch);
}

// Whether the same weights make the network at the model's size now.
static bool fits(const struct exporter *x, int batch, struct lam_graph **other)
{
    bool same;

    if (build(x, batch, other)) {
        lam_error_clear(x->ctx);
        lam_graph_destroy(*other);
        *other = NULL;
        return false;
    }
    same = (*other)->n_weights == x->graph->n_weights;
    for (int i = 0; same && i < x->graph->n_weights; i++)
        same = lam_shape_equal(&(*other)->weights[i].spec.shape,
                               &x->graph->weights[i].spec.shape);
    return same;
}

static const char *symbol_of(struct lam_onnx *onnx, const char *name, int d)
{
    char text[300];

    snprintf(text, sizeof(text), "%s.%d", name, d);
    return lam_onnx_text(onnx, text, strlen(text));
}

// An input or output; what is another number in the other graph is a symbol.
static struct lam_onnx_value value_of(const struct exporter *x,
                                      struct lam_onnx *onnx, int i,
                                      const struct lam_graph *other)
{
    static const char *const names[] = {"N", NULL, "height", "width"};
    const struct lam_value *v = &x->graph->values[i];
    const struct lam_shape *image = &x->graph->values[0].shape;
    struct lam_onnx_value value = {
        .name = v->name, .type = LAM_ONNX_FLOAT, .rank = v->shape.rank};

    for (int d = 0; d < v->shape.rank; d++) {
        const int64_t n = v->shape.dim[d];
        const int64_t m = other ? other->values[i].shape.dim[d] : n;

        value.dim[d] = n;
        if (m == n)
            continue;
        value.symbol[d] = d < 4 && d < image->rank && names[d] &&
                                  n == image->dim[d] &&
                                  m == other->values[0].shape.dim[d]
                              ? names[d]
                              : symbol_of(onnx, v->name, d);
    }
    return value;
}

static int list_values(const struct exporter *x, struct lam_onnx *onnx,
                       const struct lam_graph *other)
{
    const size_t n = (size_t)x->graph->n_values;

    onnx->inputs = lam_onnx_alloc(onnx, n, sizeof(*onnx->inputs));
    onnx->outputs = lam_onnx_alloc(onnx, n, sizeof(*onnx->outputs));
    if (!onnx->inputs || !onnx->outputs)
        return lam_fail(x->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < x->graph->n_values; i++) {
        const struct lam_value *v = &x->graph->values[i];

        if (v->is_output && (v->shape.dtype == LAM_I32 || v->producer < 0))
            return lam_fail(x->ctx, LAM_EMODEL,
                            "%s: %s cannot be an output of an ONNX file",
                            v->name,
                            v->producer < 0 ? "an input" : "a list of indices");
        if (v->producer < 0)
            onnx->inputs[onnx->n_inputs++] = value_of(x, onnx, i, other);
        if (v->is_output)
            onnx->outputs[onnx->n_outputs++] = value_of(x, onnx, i, other);
    }
    return LAM_OK;
}

// The graph at another batch and size tells what is a symbol: *other, to be
// destroyed, is NULL where nothing may change.
static int find_symbols(const struct exporter *x, struct lam_graph **other)
{
    int height, width, err;

    *other = NULL;
    lam_model_input(x->model, &height, &width);
    if (height) {
        err = lam_model_resize(x->model, 2 * height, 2 * width);
        if (err)
            return err;
        if (fits(x, 2, other))
            return lam_model_resize(x->model, height, width);
        lam_graph_destroy(*other);
        err = lam_model_resize(x->model, height, width);
        if (err)
            return err;
    }
    if (!fits(x, 2, other)) {
        lam_graph_destroy(*other);
        *other = NULL;
    }
    return LAM_OK;
}

static const struct lam_onnx_row *find_row(const char *type)
{
    static const struct lam_onnx_row *const tables[] = {lam_onnx_rows,
                                                        lam_onnx_window_rows};

    for (int t = 0; t < 2; t++)
        for (const struct lam_onnx_row *row = tables[t]; row->type; row++)
            if (strcmp(row->type, type) == 0)
                return row;
    return NULL;
}

static int write_layer(struct lam_onnx_emitter *e)
{
    const char *type = e->layer->layer.type->name;
    const struct lam_onnx_row *row = find_row(type);
    int err;

    if (!row)
        return lam_fail(e->ctx, LAM_EMODEL,
                        "%s: a layer of type %s has no form in ONNX: see "
                        "docs/interchange.md",
                        e->layer->name, type);
    e->n_made = 0;
    err = row->write(e, row->op);
    if (err || e->has_failed)
        lam_fail(e->ctx, err ? err : LAM_EMEMORY, "out of memory");
    return e->ctx->code;
}

int lam_onnx_export(struct lam_context *ctx,
                    const struct lam_registry *registry,
                    const struct lam_host *host, struct lam_model *model,
                    lam_find_weight *find, void *find_data,
                    const struct lam_onnx_pair *metadata, int n_metadata,
                    const char *path)
{
    struct lam_onnx onnx = {.opset = LAM_ONNX_OPSET,
                            .name = lam_model_name(model),
                            .metadata = (struct lam_onnx_pair *)metadata,
                            .n_metadata = n_metadata};
    struct exporter x = {ctx, registry, host, model, NULL};
    struct lam_onnx_emitter e = {
        .ctx = ctx, .onnx = &onnx, .find = find, .find_data = find_data};
    struct lam_graph *other = NULL;
    int err = build(&x, 1, &x.graph);

    if (!err)
        err = find_symbols(&x, &other);
    if (!err)
        err = list_values(&x, &onnx, other);
    e.graph = x.graph;
    if (!err)
        err = lam_onnx_emit_begin(&e);
    for (int i = 0; !err && i < x.graph->n_nodes; i++) {
        e.layer = &x.graph->nodes[i];
        err = write_layer(&e);
    }
    if (!err)
        err = lam_onnx_write(ctx, path, &onnx);
    lam_onnx_free(&onnx);
    lam_graph_destroy(other);
    lam_graph_destroy(x.graph);
    return err;
}
