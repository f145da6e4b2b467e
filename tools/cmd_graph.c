// lamina graph - a drawing of a model, through Graphviz.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "blueprint.h"
#include "child.h"
#include "cmd.h"
#include "shape.h"

static const char *color_of(const char *type)
{
    static const struct {
        const char *part, *color;
    } colors[] = {{"conv", "#cfe2f3"},     {"pool", "#f4cccc"},
                  {"resize", "#d9ead3"},   {"shuffle", "#d9ead3"},
                  {"upsample", "#d9ead3"}, {"concat", "#fff2cc"},
                  {"add", "#fff2cc"},      {"norm", "#ead1dc"}};

    if (strncmp(type, "conv_transpose", 14) == 0)
        return "#d9ead3";
    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++)
        if (strstr(type, colors[i].part))
            return colors[i].color;
    return "#eeeeee";
}

// One box a layer, one arrow a value with its shape. Names of values and layers
// hold letters, digits, '_', '.' and '-' alone, so nothing needs to be escaped.
static void write_dot(const struct lam_graph *graph, FILE *out)
{
    char shape[80];

    fprintf(out, "digraph model {\n"
                 "  node [shape=box, style=\"filled,rounded\", "
                 "fontname=\"sans-serif\", fontsize=11];\n"
                 "  edge [fontname=\"sans-serif\", fontsize=9, "
                 "color=\"#666666\"];\n");
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i].producer < 0)
            fprintf(
                out,
                "  \"in %s\" [label=\"%s\\n%s\", shape=oval, "
                "fillcolor=\"#ffffff\"];\n",
                graph->values[i].name, graph->values[i].name,
                lam_shape_print(&graph->values[i].shape, shape, sizeof(shape)));
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct lam_node *node = &graph->nodes[i];
        const char *type = node->layer.type->name;

        fprintf(out, "  \"%s\" [label=\"%s\\n%s\", fillcolor=\"%s\"];\n",
                node->name, node->name, type, color_of(type));
        for (int k = 0; k < node->shapes.n_in; k++) {
            const struct lam_value *value = &graph->values[node->in[k]];
            const bool is_input = value->producer < 0;

            fprintf(out, "  \"%s%s\" -> \"%s\" [label=\" %s\"];\n",
                    is_input ? "in " : "",
                    is_input ? value->name : graph->nodes[value->producer].name,
                    node->name,
                    lam_shape_print(&value->shape, shape, sizeof(shape)));
        }
    }
    fprintf(out, "}\n");
}

static int draw(struct lam_context *ctx, const struct lam_graph *graph,
                const char *out)
{
    char file[] = "/tmp/lamina-graph-XXXXXX";
    const int fd = mkstemp(file);
    FILE *dot = fd < 0 ? NULL : fdopen(fd, "w");
    struct child child = {.program = "dot", .out = out};
    int err;

    if (!dot)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be written", file);
    write_dot(graph, dot);
    err = fclose(dot) ? lam_fail(ctx, LAM_EFILE, "%s cannot be written", file)
                      : LAM_OK;
    child_add(&child, "dot");
    child_add(&child, "-Tsvg");
    child_add(&child, file);
    if (!err && child_run(ctx, &child)) {
        lam_error_clear(ctx);
        err = lam_fail(ctx, LAM_ERUN,
                       "Graphviz's dot cannot be run: install graphviz, or "
                       "take the text by --dot");
    }
    if (!err && child.ended)
        err = lam_fail(ctx, LAM_ERUN, "dot failed (%d)", child.ended);
    unlink(file);
    return err;
}

int cmd_graph(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina graph MODEL.yaml [--out FILE.svg] [--set NAME.KEY=VALUE]\n"
        "Draws layers and shapes as SVG, with Graphviz. Needs no device.\n\n"
        "  lamina graph models/unet-small.yaml --out unet.svg\n"
        "  lamina graph models/unet-small.yaml --dot | dot -Tpng > unet.png\n";
    const char *sets[64], *file[1], *out = NULL;
    int n_sets = 0, n, is_dot = 0, err;
    const struct option_row rows[] = {
        {"--out", "FILE", "where the drawing goes (standard output)", NULL,
         &out, NULL, NULL},
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         sets, &n_sets},
        {"--dot", NULL,
         "print Graphviz's text instead, which needs no Graphviz", &is_dot,
         NULL, NULL, NULL},
        {0}};
    struct blueprint b;
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, file, 1, &n, &done);
    if (err || done)
        return err;
    if (n == 0)
        return lam_fail(ctx, LAM_EUSAGE, "no model file was given");
    if (is_dot && out)
        return lam_fail(ctx, LAM_EUSAGE, "--dot prints, it takes no --out");
    err = blueprint_open(ctx, file[0], sets, n_sets, 1, &b);
    if (!err && is_dot)
        write_dot(b.graph, stdout);
    else if (!err)
        err = draw(ctx, b.graph, out);
    blueprint_close(&b);
    return err;
}
