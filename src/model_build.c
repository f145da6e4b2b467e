// From a model to a graph, to a loss, and to the resolved file.
#include "model_state.h"

#include <stdlib.h>
#include <string.h>

// "N,1,640,640" or "N 1 640 640"; N is the batch.
static int read_shape(const struct lam_model *model, const struct lam_yaml *at,
                      int batch, struct lam_shape *shape)
{
    char text[128], *rest, *word;

    *shape = (struct lam_shape){.dtype = LAM_F32};
    if (!lam_yaml_flat(at, text, sizeof(text)))
        return lam_model_fail(model, at,
                              "input '%s' wants a shape: [N, 1, "
                              "256, 256]",
                              at->key);
    for (word = strtok_r(text, " ,[]", &rest); word;
         word = strtok_r(NULL, " ,[]", &rest)) {
        int64_t d = batch;

        if (shape->rank == LAM_MAX_RANK ||
            (strcmp(word, "N") != 0 &&
             (!lam_parse_int(word, &d) || d < 1 || d > 1 << 20)))
            return lam_model_fail(model, at,
                                  "input '%s': '%s' is no size of a dimension",
                                  at->key, word);
        shape->dim[shape->rank++] = d;
    }
    return shape->rank
               ? LAM_OK
               : lam_model_fail(model, at, "input '%s' has no dimensions",
                                at->key);
}

static int build_inputs(const struct lam_model *model, struct lam_graph *graph,
                        int batch)
{
    const struct lam_yaml *inputs = lam_yaml_get(model->tree, "inputs");
    int err = LAM_OK;

    for (int i = 0; i < inputs->n_items && !err; i++) {
        struct lam_shape shape;
        int value;

        err = read_shape(model, inputs->items[i], batch, &shape);
        if (!err)
            err = lam_graph_input(graph, inputs->items[i]->key, &shape, &value);
    }
    return err;
}

static int build_row(struct lam_model *model, struct lam_graph *graph,
                     const struct lam_model_row *row)
{
    struct lam_node_spec spec = {.name = row->name,
                                 .type = row->type,
                                 .n_in = row->n_from,
                                 .is_frozen = row->is_frozen,
                                 .file = model->file,
                                 .line = row->line,
                                 .column = row->column};
    int in[LAM_MAX_IN], node;

    for (int i = 0; i < row->n_from; i++) {
        in[i] = lam_graph_find(graph, row->from[i]);
        if (in[i] < 0)
            return lam_fail(model->ctx, LAM_EMODEL,
                            "%s:%d:%d: %s: there is no value '%s'", model->file,
                            row->line, row->column, row->name, row->from[i]);
    }
    spec.in = in;
    spec.n_settings =
        lam_model_settings(model, row->settings, NULL, &spec.settings);
    if (spec.n_settings < 0)
        return model->ctx->code;
    return lam_graph_add(graph, &spec, &node);
}

static int find_value(const struct lam_model *model, struct lam_graph *graph,
                      const struct lam_yaml *at, const char *name, int *value)
{
    char text[256];

    *value = -1;
    if (lam_model_resolve(model, "", name, text, sizeof(text)))
        *value = lam_graph_find(graph, text);
    if (*value < 0) {
        const char *names[513] = {NULL};
        const char *near;

        for (int i = 0; i < graph->n_values && i < 512; i++)
            names[i] = graph->values[i].name;
        near = lam_nearest(name, names);
        return lam_model_fail(model, at, "there is no value '%s'%s%s%s", name,
                              near ? " (did you mean '" : "", near ? near : "",
                              near ? "'?)" : "");
    }
    return LAM_OK;
}

int lam_model_build(const struct lam_model *model, struct lam_graph *graph,
                    int batch)
{
    struct lam_model *m = (struct lam_model *)model;
    const struct lam_yaml *outputs = lam_yaml_get(model->tree, "outputs");
    int err = build_inputs(model, graph, batch);

    for (int i = 0; i < model->n_rows && !err; i++)
        err = build_row(m, graph, &model->rows[i]);
    if (err)
        return err;
    if (!outputs || outputs->kind != LAM_YAML_LIST || outputs->n_items == 0)
        return lam_model_fail(model, outputs,
                              "'outputs' is missing: a list of names");
    for (int i = 0; i < outputs->n_items && !err; i++) {
        int value;

        if (outputs->items[i]->kind != LAM_YAML_SCALAR)
            return lam_model_fail(model, outputs->items[i],
                                  "'outputs' wants names");
        err = find_value(model, graph, outputs->items[i],
                         outputs->items[i]->text, &value);
        if (!err && graph->values[value].shape.dtype == LAM_F16)
            err = lam_model_fail(model, outputs->items[i],
                                 "'%s' is halves, and outputs are floats: "
                                 "wanted a cast to: float behind it",
                                 outputs->items[i]->text);
        if (!err)
            graph->values[value].is_output = true;
    }
    return err;
}

int lam_model_resize(struct lam_model *model, int height, int width)
{
    struct lam_yaml *input = lam_yaml_get(model->tree, "inputs")->items[0];
    struct lam_yaml *resized = lam_yaml_make(LAM_YAML_SCALAR, NULL);
    struct lam_shape shape;
    char text[96];
    int err = read_shape(model, input, 1, &shape);

    if (!err && shape.rank != 4)
        err = lam_model_fail(model, input,
                             "input '%s' is no image [N, C, H, W]", input->key);
    if (!err && resized) {
        snprintf(text, sizeof(text), "N %lld %d %d", (long long)shape.dim[1],
                 height, width);
        resized->text = strdup(text);
        resized->line = input->line;
        resized->column = input->column;
    }
    if (err || !resized || !resized->text) {
        lam_yaml_free(resized);
        return err ? err : lam_fail(model->ctx, LAM_EMEMORY, "out of memory");
    }
    return lam_yaml_put(lam_yaml_get(model->tree, "inputs"), input->key,
                        resized)
               ? LAM_OK
               : lam_fail(model->ctx, LAM_EMEMORY, "out of memory");
}

const char *lam_model_input(const struct lam_model *model, int *height,
                            int *width)
{
    const struct lam_yaml *input =
        lam_yaml_get(model->tree, "inputs")->items[0];
    struct lam_shape shape;

    *height = *width = 0;
    if (!read_shape(model, input, 1, &shape) && shape.rank == 4) {
        *height = (int)shape.dim[2];
        *width = (int)shape.dim[3];
    }
    return input->key;
}

const char *lam_model_output(const struct lam_model *model)
{
    const struct lam_yaml *outputs = lam_yaml_get(model->tree, "outputs");
    struct lam_model *m = (struct lam_model *)model;

    for (int i = 0; i < m->n_aliases; i++)
        if (strcmp(m->aliases[i].name, outputs->items[0]->text) == 0)
            return m->aliases[i].target;
    return outputs->items[0]->text;
}

// The target has the prediction's size and one channel.
static int target_input(struct lam_graph *graph, int prediction, int *target)
{
    struct lam_shape shape = graph->values[prediction].shape;

    *target = lam_graph_find(graph, "target");
    if (*target >= 0)
        return LAM_OK;
    if (shape.rank > 1)
        shape.dim[1] = 1;
    return lam_graph_input(graph, "target", &shape, target);
}

static int build_term(struct lam_model *model, struct lam_graph *graph,
                      const struct lam_yaml *term, const char *name, int *value,
                      double *factor)
{
    static const char *const ours[] = {"type", "from", "factor", NULL};
    const char *type = lam_yaml_text(term, "type");
    const char *from = lam_yaml_text(term, "from");
    const char *factor_text = lam_yaml_text(term, "factor");
    const struct lam_layer_type *found;
    int in[2], node, err;
    struct lam_node_spec spec = {.name = name,
                                 .type = type,
                                 .in = in,
                                 .n_in = 2,
                                 .file = term->line ? model->file : NULL,
                                 .line = term->line,
                                 .column = term->column};

    *factor = 1.0;
    if (!type || !from)
        return lam_model_fail(model, term,
                              "a loss is written {type: .., from: ..}");
    if (factor_text && !lam_parse_real(factor_text, factor))
        return lam_model_fail(model, lam_yaml_get(term, "factor"),
                              "factor is '%s', wanted a number", factor_text);
    found = lam_registry_layer(graph->registry, type);
    if (found && found->kind != LAM_KIND_LOSS)
        return lam_model_fail(model, term, "'%s' is a layer, not a loss", type);
    err = find_value(model, graph, lam_yaml_get(term, "from"), from, &in[0]);
    if (!err)
        err = target_input(graph, in[0], &in[1]);
    if (err)
        return err;
    spec.n_settings = lam_model_settings(model, term, ours, &spec.settings);
    if (spec.n_settings < 0)
        return model->ctx->code;
    err = lam_graph_add(graph, &spec, &node);
    if (!err)
        *value = graph->nodes[node].out[0];
    return err;
}

static int build_sum(struct lam_graph *graph, const int *terms,
                     const double *factors, int n, int *loss)
{
    struct lam_setting setting = {.key = "factors"};
    char text[256] = "";
    const struct lam_node_spec spec = {.name = "loss",
                                       .type = "add",
                                       .settings = &setting,
                                       .n_settings = 1,
                                       .in = terms,
                                       .n_in = n};
    int node, err;

    for (int i = 0; i < n; i++) {
        const size_t used = strlen(text);

        snprintf(text + used, sizeof(text) - used, "%s%.15g", i ? " " : "",
                 factors[i]);
    }
    setting.value = text;
    err = lam_graph_add(graph, &spec, &node);
    if (!err)
        *loss = graph->nodes[node].out[0];
    return err;
}

int lam_model_build_loss(const struct lam_model *model, struct lam_graph *graph,
                         int *loss)
{
    struct lam_model *m = (struct lam_model *)model;
    const struct lam_yaml *section = lam_yaml_get(model->tree, "loss");
    double factors[8];
    int terms[8], n, err = LAM_OK;

    *loss = -1;
    if (!section || section->kind == LAM_YAML_SCALAR)
        return lam_model_fail(model, section,
                              "'loss' is missing: {type: .., from: ..}");
    if (section->kind == LAM_YAML_MAP) {
        err = build_term(m, graph, section, "loss", loss, &factors[0]);
        if (!err && factors[0] != 1.0)
            err = lam_model_fail(model, section,
                                 "'factor' is for lists of losses");
        return err;
    }
    n = section->n_items;
    if (n < 1 || n > 8)
        return lam_model_fail(model, section, "1 to 8 losses, found %d", n);
    for (int i = 0; i < n && !err; i++) {
        char name[16];

        snprintf(name, sizeof(name), "loss.%d", i);
        err = build_term(m, graph, section->items[i], name, &terms[i],
                         &factors[i]);
    }
    return err ? err : build_sum(graph, terms, factors, n, loss);
}

static struct lam_yaml *row_tree(const struct lam_model_row *row)
{
    struct lam_yaml *tree = lam_yaml_make(LAM_YAML_MAP, NULL);
    struct lam_yaml *from = lam_yaml_make(LAM_YAML_LIST, NULL);
    bool ok = tree && from;

    ok = ok &&
         lam_yaml_put(tree, "name", lam_yaml_make(LAM_YAML_SCALAR, row->name));
    ok = ok &&
         lam_yaml_put(tree, "type", lam_yaml_make(LAM_YAML_SCALAR, row->type));
    for (int i = 0; i < row->n_from; i++)
        ok = ok && lam_yaml_put(from, NULL,
                                lam_yaml_make(LAM_YAML_SCALAR, row->from[i]));
    if (!ok) {
        lam_yaml_free(from);
        lam_yaml_free(tree);
        return NULL;
    }
    ok = lam_yaml_put(tree, "from", from);
    if (row->is_frozen)
        ok = ok && lam_yaml_put(tree, "frozen",
                                lam_yaml_make(LAM_YAML_SCALAR, "true"));
    for (int i = 0; i < row->settings->n_items; i++)
        ok = ok && lam_yaml_put(tree, row->settings->items[i]->key,
                                lam_yaml_copy(row->settings->items[i]));
    if (!ok) {
        lam_yaml_free(tree);
        return NULL;
    }
    return tree;
}

// Names of blocks become names of layers.
static void resolve_names(const struct lam_model *model, struct lam_yaml *node)
{
    for (int i = 0; i < model->n_aliases && node->kind == LAM_YAML_SCALAR; i++)
        if (strcmp(model->aliases[i].name, node->text) == 0) {
            char *text = strdup(model->aliases[i].target);

            if (text) {
                free(node->text);
                node->text = text;
            }
            return;
        }
    if (node->kind != LAM_YAML_SCALAR)
        for (int i = 0; i < node->n_items; i++)
            if (node->kind == LAM_YAML_LIST ||
                strcmp(node->items[i]->key, "from") == 0)
                resolve_names(model, node->items[i]);
}

char *lam_model_resolved(const struct lam_model *model)
{
    struct lam_yaml *tree = lam_yaml_make(LAM_YAML_MAP, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *out;

    for (int i = 0; tree && i < model->tree->n_items; i++) {
        const struct lam_yaml *item = model->tree->items[i];
        struct lam_yaml *copy;

        if (strcmp(item->key, "include") == 0 ||
            strcmp(item->key, "blocks") == 0)
            continue;
        if (strcmp(item->key, "layers") == 0) {
            copy = lam_yaml_make(LAM_YAML_LIST, NULL);
            for (int k = 0; copy && k < model->n_rows; k++)
                if (!lam_yaml_put(copy, NULL, row_tree(&model->rows[k]))) {
                    lam_yaml_free(copy);
                    copy = NULL;
                }
        } else {
            copy = lam_yaml_copy(item);
            if (copy && (strcmp(item->key, "outputs") == 0 ||
                         strcmp(item->key, "loss") == 0))
                resolve_names(model, copy);
        }
        if (!lam_yaml_put(tree, item->key, copy)) {
            lam_yaml_free(tree);
            return NULL;
        }
    }
    out = tree ? open_memstream(&text, &size) : NULL;
    if (out) {
        lam_yaml_print(tree, out);
        fclose(out);
    }
    lam_yaml_free(tree);
    return text;
}
