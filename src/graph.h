// graph.h - a network: named values and the layers that make them, in the order
// in which they run. Needs no device: shapes, parameters and cost come from the
// plugins' pure callbacks.
#ifndef LAM_GRAPH_H
#define LAM_GRAPH_H

#include "param.h"
#include "registry.h"

struct lam_merge; // merge.h

struct lam_value {
    char *name; // of its layer, "pool1.indices" for a second output
    struct lam_shape shape;
    int producer;   // node, -1 for an input of the graph
    int output;     // which output of the producer
    bool is_output; // read by the caller after a run: kept
};

struct lam_node {
    char *name;
    struct lam_setting *settings; // copies, as they were given
    int n_settings;
    struct lam_layer layer; // type, host, name, config, state
    int in[LAM_MAX_IN];     // values
    int out[LAM_MAX_OUT];   // values
    struct lam_shapes shapes;
    struct lam_shape in_shape[LAM_MAX_IN];
    int weight[LAM_MAX_WEIGHT]; // index in graph->weights
    bool is_frozen;             // its weights are not trained
    struct lam_merge *merge;    // how its weights are made; NULL: they are read
    int n_merged;               // layers of the model in it, beyond itself
};

// A parameter or state tensor. "conv1.weight".
struct lam_parameter {
    char *name;
    int node, slot; // slot: which weight of the node
    struct lam_weight spec;
    bool is_trained;
};

struct lam_graph {
    struct lam_context *ctx;
    const struct lam_registry *registry;
    const struct lam_host *host;
    int training; // what shapes were inferred for
    struct lam_value *values;
    int n_values;
    struct lam_node *nodes;
    int n_nodes;
    struct lam_parameter *weights;
    int n_weights;
};

// host is kept, not owned; real and device decide dtype and scores.
int lam_graph_create(struct lam_context *ctx,
                     const struct lam_registry *registry,
                     const struct lam_host *host, int training,
                     struct lam_graph **graph);
void lam_graph_destroy(struct lam_graph *graph); // NULL is fine

// Adds a named input, of indices, halves, or else the host's real; *value is
// its index.
int lam_graph_input(struct lam_graph *graph, const char *name,
                    const struct lam_shape *shape, int *value);

struct lam_node_spec {
    const char *name, *type;
    const char *value; // name of the first output, NULL: the layer's
    const struct lam_setting *settings;
    int n_settings;
    const int *in; // values
    int n_in;
    bool is_frozen;
    const char *file; // for messages, NULL: none
    int line, column;
};

// Adds a layer, infers its shapes; *node is its index. On failure the graph is
// as it was.
int lam_graph_add(struct lam_graph *graph, const struct lam_node_spec *spec,
                  int *node);

// Adds layer i of another graph again, with these inputs.
int lam_graph_add_copy(struct lam_graph *to, const struct lam_graph *from,
                       int i, const int *in, int *node);

// The weights of layers whose names fit the pattern ("enc.*", as in a shell)
// are not trained. Returns how many layers with weights fit.
int lam_graph_freeze(struct lam_graph *graph, const char *pattern);

// Index of a value ("conv1", "pool1.indices"), or -1.
int lam_graph_find(const struct lam_graph *graph, const char *name);
int lam_graph_find_weight(const struct lam_graph *graph, const char *name);
// Elements of its weights that are no state.
int64_t lam_node_parameters(const struct lam_node *node);
int64_t lam_graph_parameters(const struct lam_graph *graph, bool trained_only);

#endif
