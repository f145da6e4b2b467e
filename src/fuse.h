// fuse.h - merges layers of a graph by the rules that plugins bring (struct
// lam_fusion): the graph computes the same with fewer layers. A merged layer
// has the name and the weights of the kept one, its output the name of the
// second one's.
#ifndef LAM_FUSE_H
#define LAM_FUSE_H

#include "graph.h"

// Applies all rules until none holds. values: n indices that the caller needs
// further (-1: none); they stay values and get their new index. The names of
// weights stay, but for those that a merged layer makes from others (merge.h).
int lam_graph_fuse(struct lam_graph **graph, int *values, int n);

#endif
