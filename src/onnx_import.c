#include "onnx_import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "onnx_importer.h"
#include "shape.h"

enum { MAX_NODES = 20000, MAX_OUTPUTS = 64 };
static int import_input(struct lam_onnx_importer *m,
                        const struct lam_onnx_value *input,
                        const struct lam_onnx_options *options)
{
    struct lam_shape shape = {.dtype = LAM_F32, .rank = input->rank};
    char name[100];
    int64_t n = 1;
    int value, err;

    if (input->type != LAM_ONNX_FLOAT || input->rank < 1 ||
        input->rank > LAM_MAX_RANK)
        return lam_fail(m->ctx, LAM_EMODEL,
                        "%s: input %.100s is no float tensor of 1 to 6 "
                        "dimensions",
                        m->file, input->name);
    for (int d = 0; d < input->rank; d++) {
        const int given = input->rank != 4 ? 0
                          : d == 2         ? options->height
                          : d == 3         ? options->width
                                           : 0;

        shape.dim[d] = given                         ? given
                       : d == 0 && input->dim[0] < 1 ? 1
                                                     : input->dim[d];
        if (shape.dim[d] < 1)
            return lam_fail(m->ctx, LAM_EMODEL,
                            "%s: input %.100s leaves its sizes open: wanted "
                            "--size HEIGHT,WIDTH",
                            m->file, input->name);
        if (shape.dim[d] > 1 << 20)
            return lam_fail(m->ctx, LAM_EMODEL, "%s: input %.100s is too large",
                            m->file, input->name);
        n *= shape.dim[d];
        if (n > LAM_IMPORT_MAX_ELEMENTS)
            return lam_fail(m->ctx, LAM_EMODEL, "%s: input %.100s is too large",
                            m->file, input->name);
    }
    lam_import_make_name(m, input->name, name, sizeof(name));
    err = lam_graph_input(m->graph, name, &shape, &value);
    return err ? err : lam_import_define(m, input->name, NULL, value);
}

static const struct lam_onnx_op *const tables[] = {
    lam_onnx_windows, lam_onnx_ops, lam_onnx_activations, lam_onnx_maths,
    lam_onnx_views};
enum { N_TABLES = sizeof(tables) / sizeof(tables[0]) };

static const struct lam_onnx_op *find_op(const char *op)
{
    for (int t = 0; t < N_TABLES; t++)
        for (const struct lam_onnx_op *row = tables[t]; row->op; row++)
            if (strcmp(row->op, op) == 0)
                return row;
    return NULL;
}

static int fail_unknown(const struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    char names[550] = "";
    size_t used = 0;

    for (int t = 0; t < N_TABLES; t++)
        for (const struct lam_onnx_op *row = tables[t];
             row->op && used < sizeof(names); row++)
            used += (size_t)snprintf(names + used, sizeof(names) - used, " %s",
                                     row->op);
    return lam_import_fail(m, node, "it is not supported; supported are%s",
                           names);
}

static int import_node(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node)
{
    const struct lam_onnx_op *row = find_op(node->op);
    bool done = false;
    int err;

    // A pattern of several nodes has made this one.
    if (node->n_out == 0 || lam_import_find(m, node->out[0]))
        return LAM_OK;
    if (node->domain[0] && strcmp(node->domain, "ai.onnx") != 0)
        return lam_import_fail(m, node, "operators of %.100s are not supported",
                               node->domain);
    err = lam_import_fold(m, node, &done);
    if (err || done)
        return err;
    err = row ? row->read(m, node) : fail_unknown(m, node);
    if (err && m->ctx->code && !strstr(m->ctx->error, m->file)) {
        char text[sizeof(m->ctx->error)];

        memcpy(text, m->ctx->error, sizeof(text));
        lam_error_clear(m->ctx);
        lam_fail(m->ctx, err, "%s: %.900s", m->file, text);
    }
    return err;
}

static int import_outputs(struct lam_onnx_importer *m, const char *append)
{
    static const struct lam_onnx_node none = {
        .name = "prob", .op = "appended", .domain = ""};
    int err = LAM_OK;

    if (m->onnx->n_outputs < 1 || m->onnx->n_outputs > MAX_OUTPUTS)
        return lam_fail(m->ctx, LAM_EMODEL, "%s: %d outputs, wanted 1 to %d",
                        m->file, m->onnx->n_outputs, MAX_OUTPUTS);
    for (int i = 0; i < m->onnx->n_outputs && !err; i++) {
        const struct lam_onnx_entry *e =
            lam_import_find(m, m->onnx->outputs[i].name);

        if (!e || e->constant || m->graph->values[e->value].producer < 0)
            return lam_fail(m->ctx, LAM_EMODEL,
                            "%s: output %.100s is made by no node", m->file,
                            m->onnx->outputs[i].name);
        m->outputs[m->n_outputs++] = e->value;
    }
    if (append && !err) {
        const int first = m->outputs[0];

        err = lam_import_layer(m, &none, NULL, append, &first, 1,
                               &m->outputs[0], "%s", "");
    }
    return err;
}

// As short as it stays the same: "3 3" is 3, and a real number has the digits
// that a float needs.
static void shorten(char *text, size_t size)
{
    char *blank = strchr(text, ' ');
    int64_t whole;
    double real;

    if (blank && strlen(text) == 2 * (size_t)(blank - text) + 1 &&
        strncmp(text, blank + 1, (size_t)(blank - text)) == 0)
        *blank = '\0';
    if (lam_parse_int(text, &whole) || !lam_parse_real(text, &real))
        return;
    for (int digits = 1; digits < 10; digits++) {
        snprintf(text, size, "%.*g", digits, real);
        if (strtof(text, NULL) == (float)real)
            break;
    }
}

static bool is_default(const struct lam_node *node, const char *key,
                       const char *value)
{
    const struct lam_param *p = node->layer.type->params;
    double a, b;

    while (p && p->name && strcmp(p->name, key) != 0)
        p++;
    if (!p || !p->name || !p->def)
        return false;
    return strcmp(p->def, value) == 0 ||
           (lam_parse_real(p->def, &a) && lam_parse_real(value, &b) && a == b);
}

// The settings of a layer that are not the default, lists in brackets.
static void print_settings(FILE *out, const struct lam_node *node)
{
    for (int i = 0; i < node->n_settings; i++) {
        char text[300];
        bool is_list;

        snprintf(text, sizeof(text), "%s", node->settings[i].value);
        shorten(text, sizeof(text));
        if (is_default(node, node->settings[i].key, text))
            continue;
        is_list = strchr(text, ' ') != NULL;
        fprintf(out, ", %s: %s", node->settings[i].key, is_list ? "[" : "");
        for (const char *c = text; *c; c++)
            fprintf(out, *c == ' ' ? ", " : "%c", *c);
        fputs(is_list ? "]" : "", out);
    }
}

static void print_names(FILE *out, const struct lam_graph *g, const int *values,
                        int n)
{
    for (int i = 0; i < n; i++)
        fprintf(out, "%s%s", i ? ", " : "", g->values[values[i]].name);
}

static int print_model(struct lam_onnx_importer *m)
{
    const struct lam_graph *g = m->graph;
    size_t size = 0;
    FILE *out = open_memstream(&m->to->model, &size);
    char name[100];

    if (!out)
        return lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
    lam_import_make_name(m, m->onnx->name[0] ? m->onnx->name : "imported", name,
                         sizeof(name));
    fprintf(out, "format: 1\nname: %s\ninputs:\n", name);
    for (int i = 0; i < g->n_values; i++) {
        if (g->values[i].producer >= 0)
            continue;
        fprintf(out, "  %s: [N", g->values[i].name);
        for (int d = 1; d < g->values[i].shape.rank; d++)
            fprintf(out, ", %lld", (long long)g->values[i].shape.dim[d]);
        fprintf(out, "]\n");
    }
    fprintf(out, "layers:\n");
    for (int i = 0; i < g->n_nodes; i++) {
        const struct lam_node *node = &g->nodes[i];

        fprintf(out, "  - {name: %s, type: %s, from: [", node->name,
                node->layer.type->name);
        print_names(out, g, node->in, node->shapes.n_in);
        fprintf(out, "]");
        print_settings(out, node);
        fprintf(out, "}\n");
    }
    fprintf(out, "outputs: [");
    print_names(out, g, m->outputs, m->n_outputs);
    fprintf(out, "]\n");
    return fclose(out) == 0 ? LAM_OK
                            : lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
}

int lam_onnx_import(struct lam_context *ctx, const char *file,
                    struct lam_onnx *onnx, const struct lam_registry *registry,
                    const struct lam_host *host,
                    const struct lam_onnx_options *options,
                    struct lam_imported *imported)
{
    struct lam_onnx_importer m = {
        .ctx = ctx, .file = file, .onnx = onnx, .to = imported};
    int err;

    *imported = (struct lam_imported){0};
    if (onnx->n_nodes > MAX_NODES || onnx->n_tensors > MAX_NODES)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: it has more than %d nodes or weights", file,
                        MAX_NODES);
    err = lam_graph_create(ctx, registry, host, 0, &imported->graph);
    m.graph = imported->graph;
    for (int i = 0; i < onnx->n_tensors && !err; i++)
        err =
            lam_import_define(&m, onnx->tensors[i].name, &onnx->tensors[i], -1);
    for (int i = 0; i < onnx->n_inputs && !err; i++)
        if (!lam_import_find(&m, onnx->inputs[i].name))
            err = import_input(&m, &onnx->inputs[i], options);
    // Constants first: what a node becomes can depend on one behind it.
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < onnx->n_nodes && !err; i++)
            if (pass == 1 || strcmp(onnx->nodes[i].op, "Constant") == 0)
                err = import_node(&m, &onnx->nodes[i]);
    if (!err)
        err = import_outputs(&m, options->append);
    for (int i = 0; i < imported->n_values && !err; i++)
        if (!imported->values[i])
            err = lam_fail(ctx, LAM_EMODEL, "%s: nothing gives %s", file,
                           m.graph->weights[i].name);
    if (!err)
        err = print_model(&m);
    free(m.entries);
    return err;
}

void lam_imported_free(struct lam_imported *imported)
{
    for (int i = 0; i < imported->n_values; i++)
        free(imported->values[i]);
    free(imported->values);
    lam_graph_destroy(imported->graph);
    free(imported->model);
    *imported = (struct lam_imported){0};
}
