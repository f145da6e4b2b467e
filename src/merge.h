// merge.h - weights of a merged layer, made once from those of the layers in
// it: batch norm folded into a convolution, for example.
#ifndef LAM_MERGE_H
#define LAM_MERGE_H

#include "graph.h"

enum { LAM_MAX_READS = 4 };

// How the weights of a layer are made.
struct lam_merge;
void lam_merge_destroy(struct lam_merge *merge); // NULL is fine

// For a layer merged from two that are read as they are. LAM_EMODEL where one
// of them is a merge itself.
int lam_merge_create(struct lam_context *ctx, const struct lam_fusion *rule,
                     const struct lam_node *first,
                     const struct lam_node *second,
                     const double reads[LAM_MAX_READS],
                     struct lam_merge **merge);
struct lam_merge *lam_merge_copy(const struct lam_merge *merge);

// Gives the values of a stored weight of n elements, or a status.
typedef int lam_find_weight(void *data, const char *name, int64_t n,
                            const float **values);

// Weight i of a graph from those stored under the model's names; values has
// room for its elements.
int lam_graph_weight_values(const struct lam_graph *graph, int i,
                            lam_find_weight *find, void *data, float *values);

#endif
