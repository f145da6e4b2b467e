// The only door to CLBlast; on processors, where its work-group tiles lose, a
// kernel of our own.
#include <clblast_c.h>
#include <stdio.h>

#include "core_gemm.cl.h"
#include "queue.h"

enum { ROWS = 4, COLUMNS = 16 }; // tile of one work-item of core_gemm

static int gemm_cpu(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    struct lam_kernel *kernel;
    const size_t global[3] = {(size_t)((g->n + COLUMNS - 1) / COLUMNS),
                              (size_t)((g->m + ROWS - 1) / ROWS),
                              (size_t)g->batch};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(g->a),      LAM_ARG_TENSOR(g->b),
        LAM_ARG_TENSOR(g->c),      LAM_ARG_LONG(g->offset_a),
        LAM_ARG_LONG(g->offset_b), LAM_ARG_LONG(g->offset_c),
        LAM_ARG_LONG(g->lda),      LAM_ARG_LONG(g->ldb),
        LAM_ARG_LONG(g->ldc),      LAM_ARG_LONG(g->stride_a),
        LAM_ARG_LONG(g->stride_b), LAM_ARG_LONG(g->stride_c),
        LAM_ARG_INT(g->trans_a),   LAM_ARG_INT(g->trans_b),
        LAM_ARG_INT(g->m),         LAM_ARG_INT(g->n),
        LAM_ARG_INT(g->k),         LAM_ARG_REAL(g->alpha),
        LAM_ARG_REAL(g->beta)};
    const int err = lam_queue_kernel(q, real, core_gemm_cl, "core_gemm",
                                     "-DROWS=4 -DCOLUMNS=16", &kernel);

    return err ? err
               : lam_queue_launch(q, kernel, args,
                                  sizeof(args) / sizeof(args[0]), global, NULL);
}

static cl_mem memory(const struct lam_tensor *t)
{
    return ((struct lam_buffer *)t->buffer)->cl;
}

static int gemm_clblast(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    const CLBlastTranspose ta =
        g->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose tb =
        g->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo;
    CLBlastStatusCode status = CLBlastSuccess;

    q->last = "CLBlast's GEMM";
    for (int i = 0; i < g->batch && !status; i++) {
        const size_t a = (size_t)(g->offset_a + i * g->stride_a);
        const size_t b = (size_t)(g->offset_b + i * g->stride_b);
        const size_t c = (size_t)(g->offset_c + i * g->stride_c);

        if (real == LAM_F64)
            status = CLBlastDgemm(CLBlastLayoutRowMajor, ta, tb, (size_t)g->m,
                                  (size_t)g->n, (size_t)g->k, g->alpha,
                                  memory(g->a), a, (size_t)g->lda, memory(g->b),
                                  b, (size_t)g->ldb, g->beta, memory(g->c), c,
                                  (size_t)g->ldc, &q->queue, NULL);
        else
            status = CLBlastSgemm(
                CLBlastLayoutRowMajor, ta, tb, (size_t)g->m, (size_t)g->n,
                (size_t)g->k, (float)g->alpha, memory(g->a), a, (size_t)g->lda,
                memory(g->b), b, (size_t)g->ldb, (float)g->beta, memory(g->c),
                c, (size_t)g->ldc, &q->queue, NULL);
    }
    if (!status)
        return LAM_OK;
    return lam_fail(q->ctx,
                    status == CLBlastTempBufferAllocFailure ||
                            status == CLBlastOpenCLOutOfHostMemory
                        ? LAM_EMEMORY
                        : LAM_ERUN,
                    "CLBlast's GEMM of %d x %d x %d failed with status %d",
                    g->m, g->n, g->k, (int)status);
}

int lam_queue_gemm(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    if (g->m < 1 || g->n < 1 || g->k < 1 || g->batch < 1)
        return lam_fail(q->ctx, LAM_ERUN,
                        "GEMM of %d x %d x %d, batch %d: sizes must be "
                        "positive",
                        g->m, g->n, g->k, g->batch);
    return q->row.info.kind == LAM_DEVICE_CPU ? gemm_cpu(q, real, g)
                                              : gemm_clblast(q, real, g);
}
