// lamina inspect - a model's layers, shapes, parameters, cost and memory.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blueprint.h"
#include "cmd.h"
#include "fuse.h"
#include "halves.h"
#include "memory_json.h"
#include "shape.h"
#include "train.h"

// Each part as a table, or into json where that is not NULL.
static void print_layer(struct lam_json *json, const struct lam_node *node)
{
    const struct lam_shape *out = &node->shapes.out[0];
    char shape[80];

    if (!json) {
        printf("%-24s %-18s %-20s %12" PRId64 " %12.2f %9.2f\n", node->name,
               node->layer.type->name,
               lam_shape_print(out, shape, sizeof(shape)),
               lam_node_parameters(node), node->shapes.macs / 1e6,
               (double)lam_shape_bytes(out) / 0x1p20);
        return;
    }
    lam_json_object(json, NULL);
    lam_json_text(json, "name", node->name);
    lam_json_text(json, "type", node->layer.type->name);
    lam_json_list(json, "output");
    for (int i = 0; i < out->rank; i++)
        lam_json_int(json, NULL, out->dim[i]);
    lam_json_close(json);
    lam_json_int(json, "parameters", lam_node_parameters(node));
    lam_json_real(json, "macs", node->shapes.macs);
    lam_json_int(json, "output_bytes", (int64_t)lam_shape_bytes(out));
    lam_json_close(json);
}

static void print_layers(struct lam_json *json, const struct lam_graph *graph)
{
    const int64_t parameters = lam_graph_parameters(graph, false);
    double macs = 0.0;

    if (json)
        lam_json_list(json, "layers");
    else
        printf("%-24s %-18s %-20s %12s %12s %9s\n", "layer", "type", "output",
               "parameters", "MMACs", "MiB");
    for (int i = 0; i < graph->n_nodes; i++) {
        print_layer(json, &graph->nodes[i]);
        macs += graph->nodes[i].shapes.macs;
    }
    if (json) {
        lam_json_close(json);
        lam_json_int(json, "parameters", parameters);
        lam_json_real(json, "macs", macs);
    } else {
        printf("%d layers, %" PRId64 " parameters, %.3f GMACs\n",
               graph->n_nodes, parameters, macs / 1e9);
    }
}

static void print_one_merged(struct lam_json *json, const struct lam_node *node)
{
    if (!json) {
        printf("merged: %-16s %d layers run as one %s of %.2f MMACs\n",
               node->name, node->n_merged + 1, node->layer.type->name,
               node->shapes.macs / 1e6);
        return;
    }
    lam_json_object(json, NULL);
    lam_json_text(json, "name", node->name);
    lam_json_text(json, "type", node->layer.type->name);
    lam_json_int(json, "layers", node->n_merged + 1);
    lam_json_real(json, "macs", node->shapes.macs);
    lam_json_close(json);
}

// What the core makes of the layers when it trains.
static int print_merged(struct lam_json *json, struct blueprint *b)
{
    double before = 0.0, after = 0.0;
    int err;

    for (int i = 0; i < b->graph->n_nodes; i++)
        before += b->graph->nodes[i].shapes.macs;
    err = lam_graph_fuse(&b->graph, &b->loss, 1);
    if (!err && lam_train_stores_half(b->model))
        err = lam_graph_halves(&b->graph, &b->loss, 1);
    if (err)
        return err;
    if (json)
        lam_json_list(json, "merged");
    for (int i = 0; i < b->graph->n_nodes; i++) {
        const struct lam_node *node = &b->graph->nodes[i];

        after += node->shapes.macs;
        if (node->n_merged)
            print_one_merged(json, node);
    }
    if (json) {
        lam_json_close(json);
        lam_json_int(json, "running_layers", b->graph->n_nodes);
        lam_json_real(json, "running_macs", after);
        return LAM_OK;
    }
    printf("as it runs: %d layers, %.3f GMACs", b->graph->n_nodes, after / 1e9);
    printf(after < before ? ", %.1f %% fewer\n" : "\n",
           before > 0.0 ? 100.0 * (before - after) / before : 0.0);
    return LAM_OK;
}

static int print_memory(struct lam_json *json, const struct blueprint *b,
                        int batch)
{
    const char *optimizer = lam_model_get(b->model, "optimizer", "type");
    const struct lam_session_options options = {
        .training = 1,
        .loss = b->loss,
        .optimizer =
            lam_registry_optimizer(b->registry, optimizer ? optimizer : "adam"),
        .micro_batches = 1,
        .keep_half = lam_train_keeps_half(b->model),
        .loss_scale = lam_train_stores_half(b->model)};
    struct lam_memory m;
    const int err = lam_session_memory(b->graph, &options, &m);

    if (err || b->loss < 0)
        return err;
    if (json) {
        memory_json(json, "training_memory", &m);
        return LAM_OK;
    }
    printf("training memory at batch %d, without a device's workspaces: %.1f "
           "MiB\n  activations %.1f in %d buffers, weights %.1f, gradients "
           "%.1f, optimiser %.1f\n",
           batch, (double)m.total / 0x1p20, (double)m.activations / 0x1p20,
           m.n_slots, (double)m.weights / 0x1p20,
           (double)m.weight_grads / 0x1p20, (double)m.optimizer / 0x1p20);
    if (m.n_joined || m.n_joined_backward)
        printf("  layers without work: %d have their inputs made in their "
               "output, %d their\n  gradients\n",
               m.n_joined, m.n_joined_backward);
    if (m.n_same)
        printf("  gradients not made, as that of a sum serves: %d\n", m.n_same);
    return LAM_OK;
}

static int print_all(struct blueprint *b, int batch, bool is_json)
{
    struct lam_json document = {0}, *json = is_json ? &document : NULL;
    int err;

    if (json) {
        lam_json_begin(json, stdout);
        lam_json_text(json, "model", lam_model_name(b->model));
        lam_json_int(json, "batch", batch);
    }
    print_layers(json, b->graph);
    err = print_merged(json, b);
    if (!err)
        err = print_memory(json, b, batch);
    if (json)
        lam_json_end(json);
    return err;
}

int cmd_inspect(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina inspect MODEL.yaml [--set NAME.KEY=VALUE] [--batch N]\n"
        "Prints layers, output shapes, parameters, multiply-adds (one forward "
        "run of the\nbatch) and the training memory. Needs no device.\n";
    const char *sets[64], *file[1], *batch_text = "1";
    int n_sets = 0, n, resolved = 0, is_json = 0, err;
    const struct option_row rows[] = {
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         sets, &n_sets},
        {"--batch", "N", "images (1)", NULL, &batch_text, NULL, NULL},
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL},
        {"--resolved", NULL, "print the file with blocks expanded instead",
         &resolved, NULL, NULL, NULL},
        {0}};
    struct blueprint b;
    int64_t batch;
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, file, 1, &n, &done);
    if (err || done)
        return err;
    if (n == 0)
        return lam_fail(ctx, LAM_EUSAGE, "no model file was given");
    if (!lam_parse_int(batch_text, &batch) || batch < 1 || batch > 65536)
        return lam_fail(ctx, LAM_EUSAGE, "--batch is '%s', wanted 1 to 65536",
                        batch_text);
    err = blueprint_open(ctx, file[0], sets, n_sets, (int)batch, &b);
    if (!err && resolved) {
        char *text = lam_model_resolved(b.model);

        if (text)
            fputs(text, stdout);
        else
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
        free(text);
    } else if (!err) {
        err = print_all(&b, (int)batch, is_json);
    }
    blueprint_close(&b);
    return err;
}
