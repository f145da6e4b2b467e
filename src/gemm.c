// The only door to CLBlast, and the choice between it and our own GEMM.
#include <clblast_c.h>
#include <stdio.h>

#include "queue.h"
#include "shape.h"

static cl_mem memory(const struct lam_tensor *t)
{
    return ((struct lam_buffer *)t->buffer)->cl;
}

static int fail_clblast(struct lam_queue *q, const struct lam_gemm *g,
                        CLBlastStatusCode status)
{
    char call[120], what[100] = "";

    snprintf(call, sizeof(call), "CLBlast's GEMM of %d x %d x %d, batch %d",
             g->m, g->n, g->k, g->batch);
    switch (status) {
    case CLBlastInsufficientMemoryA:
    case CLBlastInsufficientMemoryB:
    case CLBlastInsufficientMemoryC:
        snprintf(what, sizeof(what), "matrix %c is larger than its buffer",
                 'A' + (int)status - (int)CLBlastInsufficientMemoryA);
        break;
    case CLBlastInvalidLeadDimA:
    case CLBlastInvalidLeadDimB:
    case CLBlastInvalidLeadDimC:
        snprintf(what, sizeof(what), "the leading dimension of %c is too small",
                 'A' + (int)status - (int)CLBlastInvalidLeadDimA);
        break;
    case CLBlastNoDoublePrecision:
        snprintf(what, sizeof(what), "the device has no double precision");
        break;
    case CLBlastInvalidLocalMemUsage:
        snprintf(what, sizeof(what), "too little local memory on the device");
        break;
    default:
        if ((int)status > -1000)
            return lam_fail_cl(q, (cl_int)status, call, "");
        snprintf(what, sizeof(what), "its status %d", (int)status);
        break;
    }
    return lam_fail(q->ctx, LAM_ERUN, "%s failed: %s", call, what);
}

int lam_gemm_clblast(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    const CLBlastTranspose ta =
        g->trans_a ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose tb =
        g->trans_b ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastLayout row = CLBlastLayoutRowMajor;
    const size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k;
    const size_t oa = (size_t)g->offset_a, ob = (size_t)g->offset_b;
    const size_t oc = (size_t)g->offset_c, lda = (size_t)g->lda;
    const size_t ldb = (size_t)g->ldb, ldc = (size_t)g->ldc;
    const size_t sa = (size_t)g->stride_a, sb = (size_t)g->stride_b;
    const size_t sc = (size_t)g->stride_c, batch = (size_t)g->batch;
    const cl_mem a = memory(g->a), b = memory(g->b), c = memory(g->c);
    const float alpha = (float)g->alpha, beta = (float)g->beta;
    cl_event event = NULL, *kept = q->profile ? &event : NULL;
    CLBlastStatusCode status;
    const int err = lam_queue_usable(q);

    if (err)
        return err;
    q->last = "CLBlast's GEMM";
    if (real == LAM_F64 && batch == 1)
        status = CLBlastDgemm(row, ta, tb, m, n, k, g->alpha, a, oa, lda, b, ob,
                              ldb, g->beta, c, oc, ldc, &q->queue, kept);
    else if (real == LAM_F64)
        status = CLBlastDgemmStridedBatched(
            row, ta, tb, m, n, k, g->alpha, a, oa, lda, sa, b, ob, ldb, sb,
            g->beta, c, oc, ldc, sc, batch, &q->queue, kept);
    else if (batch == 1)
        status = CLBlastSgemm(row, ta, tb, m, n, k, alpha, a, oa, lda, b, ob,
                              ldb, beta, c, oc, ldc, &q->queue, kept);
    else
        status = CLBlastSgemmStridedBatched(
            row, ta, tb, m, n, k, alpha, a, oa, lda, sa, b, ob, ldb, sb, beta,
            c, oc, ldc, sc, batch, &q->queue, kept);
    return status ? fail_clblast(q, g, status)
                  : lam_queue_track(q, q->last, event);
}

// Both GEMMs would read or write what lies behind the buffer.
static int check_matrix(struct lam_queue *q, int real, char name,
                        const struct lam_tensor *t, int64_t offset, int64_t ld,
                        int64_t stride, int64_t batch, int64_t rows,
                        int64_t columns)
{
    const int64_t end =
        offset + (batch - 1) * stride + (rows - 1) * ld + columns;
    const size_t size = lam_dtype_bytes(real);

    if (!t || !t->buffer)
        return lam_fail(q->ctx, LAM_ERUN, "GEMM: matrix %c has no buffer",
                        name);
    if (ld < columns || offset < 0 || stride < 0)
        return lam_fail(q->ctx, LAM_ERUN,
                        "GEMM: matrix %c has %lld columns, leading dimension "
                        "%lld, offset %lld, batch stride %lld",
                        name, (long long)columns, (long long)ld,
                        (long long)offset, (long long)stride);
    if ((uint64_t)end > lam_buffer_bytes(t->buffer) / size)
        return lam_fail(q->ctx, LAM_ERUN,
                        "GEMM: matrix %c ends at element %lld, its buffer at "
                        "%zu",
                        name, (long long)end,
                        lam_buffer_bytes(t->buffer) / size);
    return LAM_OK;
}

int lam_queue_gemm(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    int err;

    if (g->m < 1 || g->n < 1 || g->k < 1 || g->batch < 1)
        return lam_fail(q->ctx, LAM_ERUN,
                        "GEMM of %d x %d x %d, batch %d: sizes must be "
                        "positive",
                        g->m, g->n, g->k, g->batch);
    err = check_matrix(q, real, 'A', g->a, g->offset_a, g->lda, g->stride_a,
                       g->batch, g->trans_a ? g->k : g->m,
                       g->trans_a ? g->m : g->k);
    if (!err)
        err = check_matrix(q, real, 'B', g->b, g->offset_b, g->ldb, g->stride_b,
                           g->batch, g->trans_b ? g->n : g->k,
                           g->trans_b ? g->k : g->n);
    if (!err)
        err = check_matrix(q, real, 'C', g->c, g->offset_c, g->ldc, g->stride_c,
                           g->batch, g->m, g->n);
    if (err)
        return err;
    return q->row.info.kind == LAM_DEVICE_CPU ? lam_gemm_cpu(q, real, g)
                                              : lam_gemm_clblast(q, real, g);
}

// One product alone and two at once: CLBlast builds each way by itself.
static int warm(struct lam_queue *q, int real, const struct lam_tensor *t)
{
    int err = LAM_OK;

    for (int32_t batch = 1; batch <= 2 && !err; batch++) {
        const struct lam_gemm g = {.a = t,
                                   .b = t,
                                   .c = t,
                                   .offset_b = 2,
                                   .offset_c = 4,
                                   .lda = 1,
                                   .ldb = 1,
                                   .ldc = 1,
                                   .stride_a = 1,
                                   .stride_b = 1,
                                   .stride_c = 1,
                                   .m = 1,
                                   .n = 1,
                                   .k = 1,
                                   .batch = batch,
                                   .alpha = 1.0};

        err = lam_queue_gemm(q, real, &g);
    }
    return err ? err : lam_queue_finish(q);
}

int lam_gemm_warm(struct lam_queue *q, int real)
{
    const double start = lam_queue_now();
    struct lam_tensor t = {.shape = {.dtype = real, .rank = 1, .dim = {6}}};
    struct lam_buffer *buffer = NULL;
    int err = lam_buffer_create(q, lam_shape_bytes(&t.shape), &buffer);

    if (!err) {
        t.buffer = buffer;
        lam_log(q->ctx, LAM_LOG_INFO, "building matrix products");
        err = lam_buffer_fill(buffer, 0);
    }
    if (!err)
        err = warm(q, real, &t);
    lam_buffer_destroy(buffer);
    if (!err)
        lam_log(q->ctx, LAM_LOG_INFO, "matrix products are built, %.1f s",
                lam_queue_now() - start);
    return err;
}
