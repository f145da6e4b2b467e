// onnx_importer.h - inside of the ONNX import: what is known of the file's
// values so far, and how an operator becomes a layer. For onnx_import.c,
// onnx_fold.c (constants) and the tables of onnx_windows.c, onnx_ops.c,
// onnx_activations.c, onnx_maths.c and onnx_views.c.
#ifndef LAM_ONNX_IMPORTER_H
#define LAM_ONNX_IMPORTER_H

#include "onnx_import.h"

// A value of the file: a constant, or a value of the graph.
struct lam_onnx_entry {
    const char *name;
    const struct lam_onnx_tensor *constant; // or NULL
    int value;                              // of the graph
};

struct lam_onnx_importer {
    struct lam_context *ctx;
    const char *file;
    struct lam_onnx *onnx;
    struct lam_imported *to;
    struct lam_graph *graph; // to->graph
    struct lam_onnx_entry *entries;
    int n_entries, room;
    int64_t n_made;  // numbers of constants made, bounded
    int outputs[64]; // values of the graph
    int n_outputs;
};

// A row of the table of operators.
struct lam_onnx_op {
    const char *op;
    int (*read)(struct lam_onnx_importer *m, const struct lam_onnx_node *node);
};
// Each ends with a row without op.
extern const struct lam_onnx_op lam_onnx_windows[]; // convolutions, pools
extern const struct lam_onnx_op lam_onnx_ops[];     // norms, resize, dense ..
extern const struct lam_onnx_op lam_onnx_maths[];   // sums, products
extern const struct lam_onnx_op lam_onnx_activations[];
extern const struct lam_onnx_op lam_onnx_views[]; // reshape, slice ..

// Of a value: more is refused.
#define LAM_IMPORT_MAX_ELEMENTS (INT64_C(1) << 40)

// Records "FILE: node NAME (OP): sentence". LAM_EMODEL.
int lam_import_fail(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, const char *format, ...)
    LAM_PRINTF(3, 4);

// What is known of a value; NULL: nothing.
const struct lam_onnx_entry *lam_import_find(const struct lam_onnx_importer *m,
                                             const char *name);
int lam_import_define(struct lam_onnx_importer *m, const char *name,
                      const struct lam_onnx_tensor *constant, int value);

// Input i: left out; a constant (NULL: it is none); a value of the graph, -1
// after a failure.
bool lam_import_has(const struct lam_onnx_node *node, int i);
const struct lam_onnx_tensor *
lam_import_constant(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, int i);
int lam_import_value(const struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node, int i);
const struct lam_shape *lam_import_shape(const struct lam_onnx_importer *m,
                                         int value);
// The one node that reads a value, NULL if there are none or several, or if it
// is an output.
const struct lam_onnx_node *lam_import_reader(const struct lam_onnx_importer *m,
                                              const char *name);

// Attributes, with what counts where they are missing.
int64_t lam_import_int(const struct lam_onnx_node *node, const char *name,
                       int64_t missing);
double lam_import_real(const struct lam_onnx_node *node, const char *name,
                       double missing);
const char *lam_import_text(const struct lam_onnx_node *node, const char *name,
                            const char *missing);
// A list of whole numbers, NULL if it is none.
const struct lam_onnx_attribute *
lam_import_list(const struct lam_onnx_node *node, const char *name);
// n whole numbers of an attribute, all `missing` without it. LAM_EMODEL where
// it has another number of them, or one that is not in 0..2^20.
int lam_import_ints(const struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, const char *name, int n,
                    int64_t missing, int64_t *values);

// Adds a layer that reads n_in values; settings as "kernel=3 pads=1,1,1,1".
// `name` may be NULL: the node's. *value is its first output; the layer's index
// is graph->n_nodes - 1.
int lam_import_layer(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node, const char *name,
                     const char *type, const int *in, int n_in, int *value,
                     const char *settings, ...) LAM_PRINTF(8, 9);
// The same of one input of the node, and its output is defined.
int lam_import_simple(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, const char *type,
                      const char *settings, ...) LAM_PRINTF(4, 5);
// Weight of the last layer: from a constant of as many numbers, or one number
// again and again where it is NULL.
int lam_import_weight(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, const char *name,
                      const struct lam_onnx_tensor *from, double fill);
// A name of letters that a model file takes as they are, and not yet taken.
void lam_import_make_name(const struct lam_onnx_importer *m, const char *wanted,
                          char *text, size_t size);
// A layer's name for a node whose weight comes from "enc1.0.weight": "enc1.0".
const char *lam_import_name(const struct lam_onnx_node *node, int weight,
                            char *text, size_t size);
// y = scale[c] x + shift[c] as a layer: NULL is 1 and 0.
int lam_import_affine(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, int x,
                      const struct lam_onnx_tensor *scale, double fill,
                      const struct lam_onnx_tensor *shift, double add,
                      int *value);

// torch.stack(values).sum(0) is Unsqueeze of each, Concat, ReduceSum. Of the
// Concat of such a sum: its ReduceSum; NULL: it is something else.
const struct lam_onnx_node *
lam_import_stack_sum(const struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node);
// Adds the values up, and defines what both nodes give.
int lam_import_sum_stack(struct lam_onnx_importer *m,
                         const struct lam_onnx_node *concat,
                         const struct lam_onnx_node *sum);

// onnx_fold.c: computes a node of constants, or a Shape. *done: it was one.
int lam_import_fold(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, bool *done);
// A constant of n numbers, to be filled, NULL after a failure.
struct lam_onnx_tensor *lam_import_make(struct lam_onnx_importer *m,
                                        const struct lam_onnx_node *node,
                                        bool is_real, int64_t n);

#endif
