// halves.h - a graph whose images lie in memory as halves (binary16), for GPUs,
// where most layers wait for memory: arithmetic, sums, weights and what the
// optimiser keeps stay floats.
#ifndef LAM_GRAPH_HALVES_H
#define LAM_GRAPH_HALVES_H

#include "graph.h"

// Layers that can (LAM_HALVES) read and write halves; before the others, and
// before the first, a layer `cast` changes what they read, once for all that
// read it. Outputs of the graph and the n values stay floats and get their new
// index (-1: none). The names of values and weights stay.
int lam_graph_halves(struct lam_graph **graph, int *values, int n);

#endif
