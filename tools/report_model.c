// The model of a report: its table and its file.
#include "report.h"

#include <inttypes.h>
#include <string.h>

#include "shape.h"
#include "svg.h"

int report_write_model(const struct report *r, FILE *out)
{
    const char *text = r->trained.checkpoint.model;
    struct lam_host host;
    struct lam_model *model = NULL;
    struct lam_graph *graph = NULL;
    double macs = 0.0;
    int err = lam_host_init(&host, r->ctx, NULL, LAM_F32);

    if (!err)
        err = lam_model_parse(r->ctx, "model", text, strlen(text), NULL, 0,
                              &model);
    if (!err)
        err = lam_graph_create(r->ctx, r->trained.registry, &host, 0, &graph);
    if (!err)
        err = lam_model_build(model, graph, 1);
    report_heading(out, "Model");
    fputs("<table><tr><th>layer</th><th>type</th><th>output</th><th>parameters"
          "</th><th>MMACs</th></tr>\n",
          out);
    for (int i = 0; !err && i < graph->n_nodes; i++) {
        const struct lam_node *node = &graph->nodes[i];
        char shape[80];

        macs += node->shapes.macs;
        fprintf(out,
                "<tr><td>%s</td><td>%s</td><td>%s</td><td>%" PRId64
                "</td><td>%.2f</td></tr>\n",
                node->name, node->layer.type->name,
                lam_shape_print(&node->shapes.out[0], shape, sizeof(shape)),
                lam_node_parameters(node), node->shapes.macs / 1e6);
    }
    if (!err)
        fprintf(out,
                "</table>\n<p>%d layers, %" PRId64 " parameters, %.3f "
                "GMACs an image.</p>\n",
                graph->n_nodes, lam_graph_parameters(graph, false), macs / 1e9);
    fputs("<h3>Configuration</h3>\n<pre>", out);
    lam_html_text(out, text);
    fputs("</pre>\n", out);
    lam_graph_destroy(graph);
    lam_model_destroy(model);
    lam_host_finish(&host);
    return err;
}
