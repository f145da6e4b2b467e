// bench_layer.h - lamina bench of single layers, for cmd_bench.c.
#ifndef LAM_BENCH_LAYER_H
#define LAM_BENCH_LAYER_H

#include "bench.h"

struct bench_layer_options {
    const char *const *layers; // "conv2d filters=32 kernel=3"
    int n_layers;
    const char *shape;   // "2x32x320x320", further inputs behind blanks
    const char *variant; // NULL: as in any run
    const char *format;  // md, csv or json
    int warmup, repeats;
};

// Prints a row for each pass of each layer: forward, data and weight gradient.
int bench_layers(const struct lam_registry *registry,
                 const struct lam_host *host, struct lam_queue *queue,
                 const struct bench_layer_options *options);

#endif
