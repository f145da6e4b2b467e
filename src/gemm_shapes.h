// gemm_shapes.h - which products of matrices a model asks for.
#ifndef LAM_GEMM_SHAPES_H
#define LAM_GEMM_SHAPES_H

#include "lam/plugin.h"

enum { LAM_GEMM_SHAPES = 8 };

// C = op(A) op(B), batch of them; *_shared: one matrix for all of the batch.
struct lam_gemm_shape {
    int m, n, k, batch;
    int trans_a, trans_b, shared_a, shared_b;
};

// A host that notes which products it is asked for, and serves them: the
// largest LAM_GEMM_SHAPES, largest first.
struct lam_gemm_recorder {
    struct lam_host host;
    const struct lam_host *inner;
    struct lam_gemm_shape shapes[LAM_GEMM_SHAPES];
    int n;
};
void lam_gemm_record(struct lam_gemm_recorder *recorder,
                     const struct lam_host *host);

// m * n * k.
double lam_gemm_products(const struct lam_gemm_shape *shape);
// Adds a shape unless it is there; keeps the largest LAM_GEMM_SHAPES, largest
// first. shapes has room for them.
void lam_gemm_shapes_add(struct lam_gemm_shape *shapes, int *n,
                         const struct lam_gemm_shape *shape);
// "products 64x25600x128 x2 nt1b, ..": m, n, k, batch; n or t: as it lies or
// transposed; b or 1: one for each of the batch or one for all.
void lam_gemm_shapes_print(const struct lam_gemm_shape *shapes, int n,
                           char *text, size_t size);
// Adds those that a text has behind "products ".
void lam_gemm_shapes_parse(const char *text, struct lam_gemm_shape *shapes,
                           int *n);

#endif
