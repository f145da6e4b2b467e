#include "graph.h"

#include <fnmatch.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "shape.h"

int lam_graph_create(struct lam_context *ctx,
                     const struct lam_registry *registry,
                     const struct lam_host *host, int training,
                     struct lam_graph **graph)
{
    *graph = calloc(1, sizeof(**graph));
    if (!*graph)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    (*graph)->ctx = ctx;
    (*graph)->registry = registry;
    (*graph)->host = host;
    (*graph)->training = training;
    return LAM_OK;
}

static void node_finish(struct lam_node *node)
{
    free(node->name);
    for (int i = 0; i < node->n_settings; i++) {
        free((char *)node->settings[i].key);
        free((char *)node->settings[i].value);
    }
    free(node->settings);
    free((void *)node->layer.config);
    free(node->layer.state);
    lam_merge_destroy(node->merge);
}

void lam_graph_destroy(struct lam_graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->n_nodes; i++)
        node_finish(&graph->nodes[i]);
    for (int i = 0; i < graph->n_values; i++)
        free(graph->values[i].name);
    for (int i = 0; i < graph->n_weights; i++)
        free(graph->weights[i].name);
    free(graph->nodes);
    free(graph->values);
    free(graph->weights);
    free(graph);
}

// Makes room for `extra` more elements. NULL when out of memory; the array is
// as it was then.
static void *grow(void *array, int n, int extra, size_t size)
{
    return realloc(array, size * (size_t)(n + extra));
}

static int graph_reserve(struct lam_graph *graph, int values, int nodes,
                         int weights)
{
    void *grown;

    grown =
        grow(graph->values, graph->n_values, values, sizeof(*graph->values));
    if (!grown)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    graph->values = grown;
    if (weights) {
        grown = grow(graph->weights, graph->n_weights, weights,
                     sizeof(*graph->weights));
        if (!grown)
            return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
        graph->weights = grown;
    }
    if (nodes) {
        grown =
            grow(graph->nodes, graph->n_nodes, nodes, sizeof(*graph->nodes));
        if (!grown)
            return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
        graph->nodes = grown;
        for (int i = 0; i < graph->n_nodes; i++)
            graph->nodes[i].shapes.in = graph->nodes[i].in_shape;
    }
    return LAM_OK;
}

int lam_graph_input(struct lam_graph *graph, const char *name,
                    const struct lam_shape *shape, int *value)
{
    struct lam_value added = {.shape = *shape, .producer = -1};
    int err;

    *value = -1;
    if (lam_graph_find(graph, name) >= 0)
        return lam_fail(graph->ctx, LAM_EMODEL, "input '%s' is there twice",
                        name);
    if (shape->dtype != LAM_I32 && shape->dtype != LAM_F16)
        added.shape.dtype = graph->host->real;
    err = graph_reserve(graph, 1, 0, 0);
    if (err)
        return err;
    added.name = strdup(name);
    if (!added.name)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    *value = graph->n_values;
    graph->values[graph->n_values++] = added;
    return LAM_OK;
}

// Puts place and layer before a sentence that came from a plugin.
static int fail_at(struct lam_context *ctx, int code,
                   const struct lam_node_spec *spec)
{
    char text[sizeof(ctx->error)];
    const size_t n = strlen(spec->name);
    const bool is_named =
        strncmp(ctx->error, spec->name, n) == 0 && ctx->error[n] == ':';

    memcpy(text, ctx->error, sizeof(text));
    lam_error_clear(ctx);
    if (spec->file)
        return lam_fail(ctx, code, "%s:%d:%d: %s%s%.800s", spec->file,
                        spec->line, spec->column, is_named ? "" : spec->name,
                        is_named ? "" : ": ", text);
    return lam_fail(ctx, code, "%s%s%.900s", is_named ? "" : spec->name,
                    is_named ? "" : ": ", text);
}

static int shapes_check(struct lam_context *ctx,
                        const struct lam_layer_type *type,
                        const struct lam_shapes *s)
{
    if (s->n_out < 1 || s->n_out > LAM_MAX_OUT || s->n_weight < 0 ||
        s->n_weight > LAM_MAX_WEIGHT || s->n_aux < 0 || s->n_aux > LAM_MAX_AUX)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "its shape function gave %d outputs, %d weights, %d "
                        "aux tensors",
                        s->n_out, s->n_weight, s->n_aux);
    for (int i = 1; i < s->n_out; i++)
        if (!type->outputs || !type->outputs[i])
            return lam_fail(ctx, LAM_EPLUGIN, "its output %d has no name", i);
    for (int i = 0; i < s->n_out + s->n_weight + s->n_aux; i++) {
        const struct lam_shape *shape =
            i < s->n_out                 ? &s->out[i]
            : i < s->n_out + s->n_weight ? &s->weight[i - s->n_out].shape
                                         : &s->aux[i - s->n_out - s->n_weight];
        double elements = 1.0;

        if (shape->rank < 1 || shape->rank > LAM_MAX_RANK)
            return lam_fail(ctx, LAM_EPLUGIN,
                            "its shape function gave a tensor of rank %d",
                            shape->rank);
        for (int d = 0; d < shape->rank; d++) {
            if (shape->dim[d] < 1)
                return lam_fail(ctx, LAM_ESHAPE,
                                "a result would have %lld elements in "
                                "dimension %d",
                                (long long)shape->dim[d], d);
            elements *= (double)shape->dim[d];
        }
        if (elements > 1e12)
            return lam_fail(ctx, LAM_ESHAPE,
                            "a tensor of %.3g elements is too large", elements);
    }
    return LAM_OK;
}

// Halves are for layers that take them, and then for all their inputs.
static int types_check(struct lam_context *ctx, const struct lam_node *node)
{
    const struct lam_shapes *s = &node->shapes;
    int n_halves = 0, n_floats = 0;

    for (int i = 0; i < s->n_in; i++) {
        n_halves += s->in[i].dtype == LAM_F16;
        n_floats += s->in[i].dtype == LAM_F32 || s->in[i].dtype == LAM_F64;
    }
    if (n_halves == 0 || strcmp(node->layer.type->name, "cast") == 0)
        return LAM_OK;
    if (!(s->flags & LAM_HALVES))
        return lam_fail(ctx, LAM_EMODEL,
                        "%s reads no halves: wanted a cast to: float before it",
                        node->layer.type->name);
    return n_floats == 0
               ? LAM_OK
               : lam_fail(ctx, LAM_EMODEL,
                          "some of its inputs are halves, some floats: wanted "
                          "a cast before some");
}

static int node_check(struct lam_graph *graph, const struct lam_node_spec *spec,
                      const struct lam_layer_type **type)
{
    struct lam_context *ctx = graph->ctx;

    *type = lam_registry_layer(graph->registry, spec->type);
    if (!*type) {
        const char *near =
            lam_nearest(spec->type, lam_registry_layer_names(graph->registry));

        return lam_fail(ctx, LAM_EMODEL,
                        "unknown layer type '%s'%s%s%s; plugins come from %s",
                        spec->type, near ? " (did you mean '" : "",
                        near ? near : "", near ? "'?)" : "",
                        lam_registry_searched(graph->registry));
    }
    if (lam_graph_find(graph, spec->value ? spec->value : spec->name) >= 0)
        return lam_fail(ctx, LAM_EMODEL, "this name is there already");
    if (spec->n_in < (*type)->min_in || spec->n_in > (*type)->max_in) {
        if ((*type)->min_in == (*type)->max_in)
            return lam_fail(ctx, LAM_EMODEL, "%s takes %d input%s, found %d",
                            spec->type, (*type)->min_in,
                            (*type)->min_in == 1 ? "" : "s", spec->n_in);
        return lam_fail(ctx, LAM_EMODEL, "%s takes %d to %d inputs, found %d",
                        spec->type, (*type)->min_in, (*type)->max_in,
                        spec->n_in);
    }
    return LAM_OK;
}

// Copies of the settings, without their places.
static int node_settings(struct lam_context *ctx,
                         const struct lam_node_spec *spec,
                         struct lam_node *node)
{
    node->settings =
        calloc((size_t)spec->n_settings + 1, sizeof(*node->settings));
    if (!node->settings)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < spec->n_settings; i++) {
        struct lam_setting *s = &node->settings[node->n_settings++];

        s->key = strdup(spec->settings[i].key);
        s->value = strdup(spec->settings[i].value);
        if (!s->key || !s->value)
            return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    return LAM_OK;
}

static int node_fill(struct lam_graph *graph, const struct lam_node_spec *spec,
                     struct lam_node *node)
{
    struct lam_context *ctx = graph->ctx;
    const struct lam_layer_type *type = node->layer.type;
    void *config = calloc(1, type->config_size ? type->config_size : 1);
    int err;

    node->layer.config = config;
    node->layer.state = calloc(1, type->state_size ? type->state_size : 1);
    node->name = strdup(spec->name);
    if (!config || !node->layer.state || !node->name)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    node->layer.name = node->name;
    node->layer.host = graph->host;
    err = lam_params_fill(ctx, spec->name, type->params, config,
                          type->config_size, spec->settings, spec->n_settings);
    if (!err)
        err = node_settings(ctx, spec, node);
    if (err)
        return err;
    for (int i = 0; i < spec->n_in; i++) {
        node->in[i] = spec->in[i];
        node->in_shape[i] = graph->values[spec->in[i]].shape;
    }
    node->is_frozen = spec->is_frozen;
    node->shapes.n_in = spec->n_in;
    node->shapes.in = node->in_shape;
    node->shapes.training = graph->training;
    err = type->shape(&node->layer, &node->shapes);
    if (err) {
        lam_fail(ctx, err, "its shapes do not fit");
        return fail_at(ctx, err, spec);
    }
    err = shapes_check(ctx, type, &node->shapes);
    if (!err)
        err = types_check(ctx, node);
    return err ? fail_at(ctx, err, spec) : LAM_OK;
}

static char *name_join(const char *a, const char *b)
{
    const size_t size = strlen(a) + strlen(b) + 2;
    char *name = malloc(size);

    if (name)
        snprintf(name, size, "%s.%s", a, b);
    return name;
}

// Appends what the node makes; room was reserved.
static int node_publish(struct lam_graph *graph, struct lam_node *node,
                        const char *value)
{
    const struct lam_layer_type *type = node->layer.type;
    const int n_values = graph->n_values, n_weights = graph->n_weights;

    for (int i = 0; i < node->shapes.n_out; i++) {
        char *name =
            i == 0 ? strdup(value) : name_join(value, type->outputs[i]);

        if (!name)
            goto fail;
        node->out[i] = graph->n_values;
        graph->values[graph->n_values++] =
            (struct lam_value){.name = name,
                               .shape = node->shapes.out[i],
                               .producer = graph->n_nodes,
                               .output = i};
    }
    for (int i = 0; i < node->shapes.n_weight; i++) {
        const struct lam_weight *weight = &node->shapes.weight[i];
        char *name = name_join(node->name, weight->name);

        if (!name)
            goto fail;
        node->weight[i] = graph->n_weights;
        graph->weights[graph->n_weights++] = (struct lam_parameter){
            .name = name,
            .node = graph->n_nodes,
            .slot = i,
            .spec = *weight,
            .is_trained = !weight->is_state && !node->is_frozen};
    }
    graph->nodes[graph->n_nodes++] = *node;
    graph->nodes[graph->n_nodes - 1].shapes.in =
        graph->nodes[graph->n_nodes - 1].in_shape;
    return LAM_OK;
fail:
    while (graph->n_values > n_values)
        free(graph->values[--graph->n_values].name);
    while (graph->n_weights > n_weights)
        free(graph->weights[--graph->n_weights].name);
    return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
}

int lam_graph_add(struct lam_graph *graph, const struct lam_node_spec *spec,
                  int *node_index)
{
    struct lam_node node = {0};
    int err;

    *node_index = -1;
    err = node_check(graph, spec, &node.layer.type);
    if (err)
        return fail_at(graph->ctx, err, spec);
    err = node_fill(graph, spec, &node);
    if (!err)
        err = graph_reserve(graph, node.shapes.n_out, 1, node.shapes.n_weight);
    if (!err)
        err =
            node_publish(graph, &node, spec->value ? spec->value : spec->name);
    if (err) {
        node_finish(&node);
        return err;
    }
    *node_index = graph->n_nodes - 1;
    return LAM_OK;
}

int lam_graph_add_copy(struct lam_graph *to, const struct lam_graph *from,
                       int i, const int *in, int *node)
{
    const struct lam_node *old = &from->nodes[i];
    const struct lam_node_spec spec = {.name = old->name,
                                       .type = old->layer.type->name,
                                       .value = from->values[old->out[0]].name,
                                       .settings = old->settings,
                                       .n_settings = old->n_settings,
                                       .in = in,
                                       .n_in = old->shapes.n_in,
                                       .is_frozen = old->is_frozen};
    const int err = lam_graph_add(to, &spec, node);

    if (err)
        return err;
    to->nodes[*node].n_merged = old->n_merged;
    if (old->merge && !(to->nodes[*node].merge = lam_merge_copy(old->merge)))
        return lam_fail(to->ctx, LAM_EMEMORY, "out of memory");
    return LAM_OK;
}

int lam_graph_freeze(struct lam_graph *graph, const char *pattern)
{
    int n = 0;

    for (int i = 0; i < graph->n_nodes; i++) {
        struct lam_node *node = &graph->nodes[i];

        if (node->shapes.n_weight == 0 || fnmatch(pattern, node->name, 0) != 0)
            continue;
        node->is_frozen = true;
        for (int k = 0; k < node->shapes.n_weight; k++)
            graph->weights[node->weight[k]].is_trained = false;
        n++;
    }
    return n;
}

int lam_graph_find(const struct lam_graph *graph, const char *name)
{
    for (int i = 0; i < graph->n_values; i++)
        if (strcmp(graph->values[i].name, name) == 0)
            return i;
    return -1;
}

int lam_graph_find_weight(const struct lam_graph *graph, const char *name)
{
    for (int i = 0; i < graph->n_weights; i++)
        if (strcmp(graph->weights[i].name, name) == 0)
            return i;
    return -1;
}

int64_t lam_node_parameters(const struct lam_node *node)
{
    int64_t n = 0;

    for (int k = 0; k < node->shapes.n_weight; k++)
        if (!node->shapes.weight[k].is_state)
            n += lam_shape_elements(&node->shapes.weight[k].shape);
    return n;
}

int64_t lam_graph_parameters(const struct lam_graph *graph, bool trained_only)
{
    int64_t n = 0;

    for (int i = 0; i < graph->n_weights; i++)
        if (trained_only ? graph->weights[i].is_trained
                         : !graph->weights[i].spec.is_state)
            n += lam_shape_elements(&graph->weights[i].spec.shape);
    return n;
}
