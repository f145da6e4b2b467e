// conv_layer.h - the callbacks of conv2d and conv_transpose2d, for conv_layer.c
// and conv_layer_gpu.c.
#ifndef CONV_LAYER_H
#define CONV_LAYER_H

#include "conv.h"

static inline const struct lam_tensor *conv_bias_of(const struct lam_io *io)
{
    return io->n_weight > 1 ? &io->weight[1] : NULL;
}

// The gradient of the bias, NULL if none is wanted.
static inline const struct lam_tensor *conv_d_bias_of(const struct lam_io *io)
{
    return io->n_weight > 1 && io->d_weight[1].buffer ? &io->d_weight[1] : NULL;
}

static inline int conv_opposite(int made)
{
    return made == CONV_SMALL ? CONV_BIG : CONV_SMALL;
}

static inline const struct lam_tensor *conv_big_of(const struct lam_io *io)
{
    return conv_makes == CONV_SMALL ? &io->in[0] : &io->d_out[0];
}

static inline const struct lam_tensor *conv_small_of(const struct lam_io *io)
{
    return conv_makes == CONV_SMALL ? &io->d_out[0] : &io->in[0];
}

// Callbacks that conv_layer_gpu.c brings.
#define CONV_SCORE(name)                                                       \
    int name(const struct lam_layer *layer, const struct lam_shapes *shapes)
#define CONV_WORKSPACE(name)                                                   \
    void name(const struct lam_layer *layer, const struct lam_shapes *shapes,  \
              int64_t *scratch, int64_t *persist)
#define CONV_DO(name) int name(struct lam_layer *layer, const struct lam_io *io)

CONV_SCORE(conv_score_gemm);
CONV_WORKSPACE(conv_workspace_gemm);
CONV_DO(conv_prepare_gemm);
CONV_DO(conv_run_gemm);
CONV_DO(conv_data_gemm);
CONV_DO(conv_weight_gemm);

CONV_SCORE(conv_score_implicit);
CONV_WORKSPACE(conv_workspace_implicit);
CONV_DO(conv_prepare_implicit);
CONV_DO(conv_run_implicit);
CONV_DO(conv_data_implicit);
CONV_DO(conv_weight_implicit);

// Of a pass and a size of tiles.
#define CONV_WINOGRAD_GPU(pass, m)                                             \
    CONV_SCORE(conv_##pass##_score_gpu##m);                                    \
    CONV_WORKSPACE(conv_##pass##_workspace_gpu##m);                            \
    CONV_DO(conv_##pass##_prepare_gpu##m)
CONV_WINOGRAD_GPU(run, 4);
CONV_WINOGRAD_GPU(data, 4);
CONV_WINOGRAD_GPU(weight, 4);
CONV_WINOGRAD_GPU(run, 2);
CONV_WINOGRAD_GPU(data, 2);
CONV_WINOGRAD_GPU(weight, 2);
CONV_DO(conv_run_winograd_gpu);
CONV_DO(conv_data_winograd_gpu);
CONV_DO(conv_weight_winograd_gpu);

// Rows of conv_variants.
#define CONV_WINOGRAD_GPU_ROW(name, m, PASS, pass, flags)                      \
    {                                                                          \
        name, PASS, "F(" #m "x" #m ", 3x3) by matrix products, for GPUs",      \
            conv_##pass##_score_gpu##m, conv_##pass##_workspace_gpu##m,        \
            conv_##pass##_prepare_gpu##m, conv_##pass##_winograd_gpu, flags    \
    }
#define CONV_WINOGRAD_GPU_ROWS(name, m, flags)                                 \
    CONV_WINOGRAD_GPU_ROW(name, m, LAM_PASS_RUN, run, flags),                  \
        CONV_WINOGRAD_GPU_ROW(name, m, LAM_PASS_BACKWARD_DATA, data, flags),   \
        CONV_WINOGRAD_GPU_ROW(name, m, LAM_PASS_BACKWARD_WEIGHT, weight,       \
                              flags)
#define CONV_GPU_ROW(name, PASS, doc, run, workspace, flags)                   \
    {                                                                          \
#name, PASS, doc, conv_score_##name, workspace, conv_prepare_##name,   \
            conv_##run##_##name, flags                                         \
    }
#define CONV_IMPLICIT "matrix products of the image as it lies, for GPUs"
#define CONV_GEMM     "matrix products over columns, for GPUs"
#define CONV_GPU_VARIANTS                                                      \
    CONV_WINOGRAD_GPU_ROWS("winograd_gpu", 4, LAM_INEXACT | LAM_PITCHED),      \
        CONV_WINOGRAD_GPU_ROWS("winograd2_gpu", 2, LAM_PITCHED),               \
        CONV_GPU_ROW(implicit, LAM_PASS_RUN, CONV_IMPLICIT, run, NULL,         \
                     LAM_PITCHED),                                             \
        CONV_GPU_ROW(implicit, LAM_PASS_BACKWARD_DATA, CONV_IMPLICIT, data,    \
                     NULL, LAM_PITCHED),                                       \
        CONV_GPU_ROW(implicit, LAM_PASS_BACKWARD_WEIGHT, CONV_IMPLICIT,        \
                     weight, conv_workspace_implicit, LAM_PITCHED),            \
        CONV_GPU_ROW(gemm, LAM_PASS_RUN, CONV_GEMM, run, conv_workspace_gemm,  \
                     LAM_PITCHED),                                             \
        CONV_GPU_ROW(gemm, LAM_PASS_BACKWARD_DATA, CONV_GEMM, data,            \
                     conv_workspace_gemm, LAM_PITCHED),                        \
        CONV_GPU_ROW(gemm, LAM_PASS_BACKWARD_WEIGHT, CONV_GEMM, weight,        \
                     conv_workspace_gemm, LAM_PITCHED)

#endif
