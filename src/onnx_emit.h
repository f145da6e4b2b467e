// onnx_emit.h - inside of the ONNX export: nodes, attributes and constants
// appended to a file, and the parameters of a layer by their names. Used by
// onnx_export.c and the tables of onnx_layers.c and onnx_layers_window.c.
#ifndef LAM_ONNX_EMIT_H
#define LAM_ONNX_EMIT_H

#include "graph.h"
#include "merge.h"
#include "onnx.h"

enum { LAM_ONNX_OPSET = 13 };

struct lam_onnx_emitter {
    struct lam_context *ctx;
    struct lam_onnx *onnx;
    const struct lam_graph *graph;
    lam_find_weight *find;
    void *find_data;
    const struct lam_node *layer; // whose nodes are appended
    int n_made;                   // names made up for it
    bool has_failed;              // out of memory
};

// Room for the nodes of all layers of the graph.
int lam_onnx_emit_begin(struct lam_onnx_emitter *e);

// A row of the table: layers of a type, and what they become. `op` is what the
// row says; write returns a status. An op alone: one node of all inputs.
struct lam_onnx_row {
    const char *type, *op;
    int (*write)(struct lam_onnx_emitter *e, const char *op);
};
// Ended by one without type; those of windows and resizes stand apart.
extern const struct lam_onnx_row lam_onnx_rows[], lam_onnx_window_rows[];

// Names of the layer's inputs and outputs.
const char *lam_emit_in(const struct lam_onnx_emitter *e, int i);
const char *lam_emit_out(const struct lam_onnx_emitter *e, int i);
// A new name below the layer's.
const char *lam_emit_name(struct lam_onnx_emitter *e);

// Appends a node. out NULL: a new name. The inputs end with NULL.
struct lam_onnx_node *lam_emit(struct lam_onnx_emitter *e, const char *op,
                               const char *out, const char *in0,
                               const char *in1, const char *in2);
void lam_emit_add_in(struct lam_onnx_node *node, const char *in);
void lam_emit_int(struct lam_onnx_node *node, const char *name, int64_t value);
void lam_emit_real(struct lam_onnx_node *node, const char *name, double value);
void lam_emit_text(struct lam_onnx_node *node, const char *name,
                   const char *value);
void lam_emit_ints(struct lam_onnx_emitter *e, struct lam_onnx_node *node,
                   const char *name, const int64_t *values, int n);

// Numbers of the shape of a value, dim[from] to dim[to - 1], and lists of
// numbers joined: as names of what computes them.
const char *lam_emit_shape_part(struct lam_onnx_emitter *e, const char *value,
                                int64_t from, int64_t to);
const char *lam_emit_join(struct lam_onnx_emitter *e, const char *a,
                          const char *b);
// One node of all inputs of the layer.
struct lam_onnx_node *lam_emit_all(struct lam_onnx_emitter *e, const char *op,
                                   const char *out);
// Where a layer has `activation: relu`, its nodes end in `before` and a Relu
// follows.
const char *lam_emit_before_relu(struct lam_onnx_emitter *e);
int lam_emit_then_relu(struct lam_onnx_emitter *e, const char *before);

// Constants; they give their names. Whole numbers are a list, a real one is a
// scalar.
const char *lam_emit_whole(struct lam_onnx_emitter *e, const int64_t *values,
                           int n);
const char *lam_emit_real_constant(struct lam_onnx_emitter *e, double value);
// n times one value.
const char *lam_emit_filled(struct lam_onnx_emitter *e, int64_t n,
                            double value);
// The layer's weight "weight", or NULL if it has none of that name. With ones,
// its shape gets that many ones behind, to be broadcast.
const char *lam_emit_weight(struct lam_onnx_emitter *e, const char *name,
                            int ones);

// Parameters of the layer. A wrong name is a mistake of ours.
int64_t lam_emit_param(const struct lam_onnx_emitter *e, const char *name);
double lam_emit_param_real(const struct lam_onnx_emitter *e, const char *name);
const char *lam_emit_choice(const struct lam_onnx_emitter *e, const char *name);
void lam_emit_pair(const struct lam_onnx_emitter *e, const char *name,
                   int64_t pair[2]);
const struct lam_list *lam_emit_list(const struct lam_onnx_emitter *e,
                                     const char *name);
const struct lam_reals *lam_emit_reals(const struct lam_onnx_emitter *e,
                                       const char *name);

#endif
