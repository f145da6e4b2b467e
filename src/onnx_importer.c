#include "onnx_importer.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"

enum { MAX_SIDE = 1 << 28 };

int lam_import_fail(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, const char *format, ...)
{
    char text[700];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return lam_fail(m->ctx, LAM_EMODEL, "%s: node %.100s (%.60s): %s", m->file,
                    node->name[0] ? node->name
                    : node->n_out ? node->out[0]
                                  : "",
                    node->op, text);
}

const struct lam_onnx_entry *lam_import_find(const struct lam_onnx_importer *m,
                                             const char *name)
{
    // The newest first: most nodes read what was made just before.
    for (int i = m->n_entries - 1; i >= 0; i--)
        if (strcmp(m->entries[i].name, name) == 0)
            return &m->entries[i];
    return NULL;
}

int lam_import_define(struct lam_onnx_importer *m, const char *name,
                      const struct lam_onnx_tensor *constant, int value)
{
    if (lam_import_find(m, name))
        return lam_fail(m->ctx, LAM_EMODEL, "%s: two values are called %.100s",
                        m->file, name);
    if (m->n_entries == m->room) {
        const int room = 2 * m->room + 64;
        void *grown = realloc(m->entries, (size_t)room * sizeof(*m->entries));

        if (!grown)
            return lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
        m->entries = grown;
        m->room = room;
    }
    m->entries[m->n_entries++] = (struct lam_onnx_entry){name, constant, value};
    return LAM_OK;
}

bool lam_import_has(const struct lam_onnx_node *node, int i)
{
    return i < node->n_in && node->in[i][0];
}

const struct lam_onnx_tensor *
lam_import_constant(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, int i)
{
    const struct lam_onnx_entry *entry =
        lam_import_has(node, i) ? lam_import_find(m, node->in[i]) : NULL;

    return entry ? entry->constant : NULL;
}

int lam_import_value(const struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node, int i)
{
    const struct lam_onnx_entry *entry =
        lam_import_has(node, i) ? lam_import_find(m, node->in[i]) : NULL;

    if (entry && !entry->constant)
        return entry->value;
    lam_import_fail(m, node, "input %d %s", i,
                    !entry ? "is made by no node before it"
                           : "is a constant, wanted a value of the network");
    return -1;
}

const struct lam_shape *lam_import_shape(const struct lam_onnx_importer *m,
                                         int value)
{
    return &m->graph->values[value].shape;
}

const struct lam_onnx_node *lam_import_reader(const struct lam_onnx_importer *m,
                                              const char *name)
{
    const struct lam_onnx_node *found = NULL;

    for (int i = 0; i < m->onnx->n_nodes; i++)
        for (int k = 0; k < m->onnx->nodes[i].n_in; k++) {
            if (strcmp(m->onnx->nodes[i].in[k], name) != 0)
                continue;
            if (found)
                return NULL;
            found = &m->onnx->nodes[i];
        }
    for (int i = 0; i < m->onnx->n_outputs; i++)
        if (strcmp(m->onnx->outputs[i].name, name) == 0)
            return NULL;
    return found;
}

int64_t lam_import_int(const struct lam_onnx_node *node, const char *name,
                       int64_t missing)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, name);

    return a && a->kind == LAM_ONNX_KIND_INT ? a->whole : missing;
}

double lam_import_real(const struct lam_onnx_node *node, const char *name,
                       double missing)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, name);

    return a && a->kind == LAM_ONNX_KIND_FLOAT ? a->real : missing;
}

const char *lam_import_text(const struct lam_onnx_node *node, const char *name,
                            const char *missing)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, name);

    return a && a->kind == LAM_ONNX_KIND_TEXT ? a->text : missing;
}

const struct lam_onnx_attribute *
lam_import_list(const struct lam_onnx_node *node, const char *name)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, name);

    return a && a->kind == LAM_ONNX_KIND_INTS ? a : NULL;
}

int lam_import_ints(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, const char *name, int n,
                    int64_t missing, int64_t *values)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, name);

    if (a && (a->kind != LAM_ONNX_KIND_INTS || a->n != n))
        return lam_import_fail(m, node,
                               "its %s are not %d whole numbers: images of "
                               "two dimensions are supported",
                               name, n);
    for (int i = 0; i < n; i++) {
        values[i] = a ? a->ints[i] : missing;
        if (values[i] < 0 || values[i] > 1 << 20)
            return lam_import_fail(m, node, "its %s has a number out of range",
                                   name);
    }
    return LAM_OK;
}

void lam_import_make_name(const struct lam_onnx_importer *m, const char *wanted,
                          char *text, size_t size)
{
    size_t n = 0;

    while (*wanted && !isalnum((unsigned char)*wanted))
        wanted++;
    for (; *wanted && n < size - 12; wanted++)
        text[n++] = isalnum((unsigned char)*wanted) || *wanted == '_' ? *wanted
                    : *wanted == '/' || *wanted == '.'                ? '.'
                                                                      : '_';
    if (n == 0)
        text[n++] = 'x';
    text[n] = '\0';
    for (int i = 2; lam_graph_find(m->graph, text) >= 0; i++)
        snprintf(text + n, size - n, "_%d", i);
}

const char *lam_import_name(const struct lam_onnx_node *node, int weight,
                            char *text, size_t size)
{
    static const char ending[] = ".weight";
    const size_t length =
        lam_import_has(node, weight) ? strlen(node->in[weight]) : 0;

    if (length <= strlen(ending) || length >= size ||
        strcmp(node->in[weight] + length - strlen(ending), ending) != 0)
        return NULL;
    snprintf(text, size, "%.*s", (int)(length - strlen(ending)),
             node->in[weight]);
    return text;
}

static int add_layer(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node, const char *name,
                     const char *type, const int *in, int n_in, int *value,
                     char *settings)
{
    struct lam_setting rows[16];
    char unique[100];
    struct lam_node_spec spec = {
        .name = unique, .type = type, .settings = rows, .in = in, .n_in = n_in};
    float **values;
    int i, err;

    *value = -1;
    lam_import_make_name(m,
                         name            ? name
                         : node->name[0] ? node->name
                         : node->n_out   ? node->out[0]
                                         : type,
                         unique, sizeof(unique));
    spec.n_settings = lam_settings_split(settings, rows, 16);
    if (spec.n_settings < 0)
        return lam_import_fail(m, node, "its attributes make no settings");
    err = lam_graph_add(m->graph, &spec, &i);
    if (err)
        return err;
    values = realloc(m->to->values,
                     ((size_t)m->graph->n_weights + 1) * sizeof(*values));
    if (!values)
        return lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
    m->to->values = values;
    while (m->to->n_values < m->graph->n_weights)
        values[m->to->n_values++] = NULL;
    for (int k = 0; k < m->graph->nodes[i].shapes.n_out; k++) {
        const struct lam_shape *shape = &m->graph->nodes[i].shapes.out[k];

        for (int d = 0; d < shape->rank; d++)
            if (shape->dim[d] < 1 || shape->dim[d] > MAX_SIDE)
                return lam_import_fail(m, node, "its result is too large");
        if (lam_shape_elements(shape) > LAM_IMPORT_MAX_ELEMENTS)
            return lam_import_fail(m, node, "its result is too large");
    }
    *value = m->graph->nodes[i].out[0];
    return LAM_OK;
}

int lam_import_layer(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node, const char *name,
                     const char *type, const int *in, int n_in, int *value,
                     const char *settings, ...)
{
    char text[600];
    va_list args;

    va_start(args, settings);
    vsnprintf(text, sizeof(text), settings, args);
    va_end(args);
    return add_layer(m, node, name, type, in, n_in, value, text);
}

int lam_import_simple(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, const char *type,
                      const char *settings, ...)
{
    const int x = lam_import_value(m, node, 0);
    char text[600];
    va_list args;
    int value, err;

    va_start(args, settings);
    vsnprintf(text, sizeof(text), settings, args);
    va_end(args);
    if (x < 0)
        return m->ctx->code;
    err = add_layer(m, node, NULL, type, &x, 1, &value, text);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

int lam_import_weight(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, const char *name,
                      const struct lam_onnx_tensor *from, double fill)
{
    const struct lam_node *layer = &m->graph->nodes[m->graph->n_nodes - 1];

    for (int k = 0; k < layer->shapes.n_weight; k++) {
        const int64_t n = lam_shape_elements(&layer->shapes.weight[k].shape);
        float *values;

        if (strcmp(layer->shapes.weight[k].name, name) != 0)
            continue;
        if (from && (!from->floats || from->n != n))
            return lam_import_fail(m, node,
                                   "its %s has %lld numbers, wanted %lld "
                                   "floats%s%s",
                                   name, (long long)from->n, (long long)n,
                                   from->unusable ? ": " : "",
                                   from->unusable ? from->unusable : "");
        values = malloc((size_t)n * sizeof(*values));
        if (!values)
            return lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
        for (int64_t i = 0; i < n; i++)
            values[i] = from ? from->floats[i] : (float)fill;
        m->to->values[layer->weight[k]] = values;
        return LAM_OK;
    }
    return lam_import_fail(m, node, "the layer has no %s", name);
}

int lam_import_affine(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, int x,
                      const struct lam_onnx_tensor *scale, double fill,
                      const struct lam_onnx_tensor *shift, double add,
                      int *value)
{
    int err =
        lam_import_layer(m, node, NULL, "batchnorm", &x, 1, value, "epsilon=0");

    if (!err)
        err = lam_import_weight(m, node, "weight", scale, fill);
    if (!err)
        err = lam_import_weight(m, node, "bias", shift, add);
    if (!err)
        err = lam_import_weight(m, node, "running_mean", NULL, 0.0);
    return err ? err : lam_import_weight(m, node, "running_var", NULL, 1.0);
}
