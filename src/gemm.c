// The only door to CLBlast, and the choice between it and our own GEMM.
#include <clblast_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gemm_rules.h"
#include "queue.h"
#include "shape.h"
#include "tuning.h"

static cl_mem memory(const struct lam_tensor *t)
{
    return ((struct lam_buffer *)t->buffer)->cl;
}

// What CLBlast's own statuses mean; NULL for those of OpenCL.
static const char *meaning_of(CLBlastStatusCode status)
{
    switch (status) {
    case CLBlastInsufficientMemoryA:
        return "matrix A is larger than its buffer";
    case CLBlastInsufficientMemoryB:
        return "matrix B is larger than its buffer";
    case CLBlastInsufficientMemoryC:
        return "matrix C is larger than its buffer";
    case CLBlastInvalidLeadDimA:
        return "the leading dimension of A is too small";
    case CLBlastInvalidLeadDimB:
        return "the leading dimension of B is too small";
    case CLBlastInvalidLeadDimC:
        return "the leading dimension of C is too small";
    case CLBlastNoDoublePrecision:
        return "the device has no double precision";
    case CLBlastInvalidLocalMemUsage:
        return "too little local memory on the device";
    case CLBlastInvalidLocalThreadsTotal:
    case CLBlastInvalidLocalThreadsDim:
        return "the device has no work-groups of that size";
    case CLBlastMissingOverrideParameter:
        return "a parameter is missing";
    default:
        return NULL;
    }
}

static int fail_clblast(struct lam_queue *q, const struct lam_gemm *g,
                        CLBlastStatusCode status)
{
    const char *meaning = meaning_of(status);
    char call[120];

    snprintf(call, sizeof(call), "CLBlast's GEMM of %d x %d x %d, batch %d",
             g->m, g->n, g->k, g->batch);
    if (meaning)
        return lam_fail(q->ctx, LAM_ERUN, "%s failed: %s", call, meaning);
    if ((int)status > -1000)
        return lam_fail_cl(q, (cl_int)status, call, "");
    return lam_fail(q->ctx, LAM_ERUN, "%s failed: its status %d", call,
                    (int)status);
}

static CLBlastStatusCode call_clblast(struct lam_queue *q, int real,
                                      const struct lam_gemm *g, cl_event *event)
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

    if (real == LAM_F64 && batch == 1)
        return CLBlastDgemm(row, ta, tb, m, n, k, g->alpha, a, oa, lda, b, ob,
                            ldb, g->beta, c, oc, ldc, &q->queue, event);
    if (real == LAM_F64)
        return CLBlastDgemmStridedBatched(row, ta, tb, m, n, k, g->alpha, a, oa,
                                          lda, sa, b, ob, ldb, sb, g->beta, c,
                                          oc, ldc, sc, batch, &q->queue, event);
    if (batch == 1)
        return CLBlastSgemm(row, ta, tb, m, n, k, alpha, a, oa, lda, b, ob, ldb,
                            beta, c, oc, ldc, &q->queue, event);
    return CLBlastSgemmStridedBatched(row, ta, tb, m, n, k, alpha, a, oa, lda,
                                      sa, b, ob, ldb, sb, beta, c, oc, ldc, sc,
                                      batch, &q->queue, event);
}

// How many of the batch one call computes. CLBlast's batches of products large
// enough for its copies are wrong: a matrix of whole tiles is taken as it lies,
// but without its offset and stride, and GEMMK=1 reads beyond a k that is no
// multiple of KREG (1.4 to 1.7). Those products go one by one. Only the bytes
// of its copies tell which these are; offsets of 1 ask for copies of all.
static int batch_of_call(struct lam_queue *q, int real,
                         const struct lam_gemm *g)
{
    const CLBlastLayout row = CLBlastLayoutRowMajor;
    const CLBlastTranspose no = CLBlastTransposeNo;
    const size_t m = (size_t)g->m, n = (size_t)g->n, k = (size_t)g->k;
    size_t bytes = 0;
    CLBlastStatusCode status = CLBlastSuccess;

    if (g->batch > 1 && real == LAM_F64)
        status = CLBlastDGemmTempBufferSize(row, no, no, m, n, k, 1, k, 1, n, 1,
                                            n, &q->queue, &bytes);
    else if (g->batch > 1)
        status = CLBlastSGemmTempBufferSize(row, no, no, m, n, k, 1, k, 1, n, 1,
                                            n, &q->queue, &bytes);
    return status || bytes > 0 ? 1 : g->batch;
}

static struct lam_gemm part_of(const struct lam_gemm *g, int first, int batch)
{
    struct lam_gemm part = *g;

    part.offset_a += first * g->stride_a;
    part.offset_b += first * g->stride_b;
    part.offset_c += first * g->stride_c;
    part.batch = batch;
    return part;
}

// Looks at a kernel's parameters, or else hands them to CLBlast.
static int override_kernel(struct lam_queue *q, char *text, bool looks_only)
{
    enum { MAX_PARAMETERS = 24 };
    const char *names[MAX_PARAMETERS];
    size_t values[MAX_PARAMETERS], n = 0;
    char broken[80], *rest = text, *kernel, *word;
    const bool is_right =
        lam_gemm_keeps_rules(text + strspn(text, " "), broken, sizeof(broken));
    CLBlastStatusCode status;

    kernel = strtok_r(text, " ", &rest);
    while (kernel && (word = strtok_r(NULL, " ", &rest))) {
        char *equals = strchr(word, '='), *end = word;

        if (equals && n < MAX_PARAMETERS)
            values[n] = strtoul(equals + 1, &end, 10);
        if (end == word || *end || end == equals + 1)
            return lam_fail(q->ctx, LAM_EDATA,
                            "parameters of CLBlast's %s: found '%s', wanted "
                            "NAME=NUMBER",
                            kernel, word);
        *equals = '\0';
        names[n++] = word;
    }
    // CLBlast prints a line of its own about a kernel that it does not know.
    if (!kernel ||
        (strcmp(kernel, "Xgemm") != 0 && strcmp(kernel, "XgemmDirect") != 0 &&
         strcmp(kernel, "GemmRoutine") != 0))
        return lam_fail(q->ctx, LAM_EDATA,
                        "parameters of CLBlast: found '%s', wanted Xgemm, "
                        "XgemmDirect or GemmRoutine",
                        kernel ? kernel : "");
    if (!is_right)
        return lam_fail(q->ctx, LAM_EDATA,
                        "parameters of CLBlast's %s: wanted %s", kernel,
                        broken);
    if (looks_only)
        return LAM_OK;
    status = CLBlastOverrideParameters(
        q->device, kernel, CLBlastPrecisionSingle, n, names, values);
    if (!status)
        return LAM_OK;
    return lam_fail(
        q->ctx, LAM_EDATA,
        "CLBlast refuses the parameters of %s with its status %d%s", kernel,
        (int)status,
        status == CLBlastMissingOverrideParameter ? ": one is missing" : "");
}

int lam_gemm_override(struct lam_queue *q, const char *parameters)
{
    char text[sizeof(q->gemm)], *rest, *part;
    int err = LAM_OK;

    if (strcmp(parameters, "own") == 0)
        return LAM_OK;
    // CLBlast takes nothing back, so all of them are looked at first.
    for (int pass = 0; pass < 2 && !err; pass++) {
        snprintf(text, sizeof(text), "%s", parameters);
        rest = text;
        while (!err && (part = strtok_r(NULL, ";", &rest)))
            err = override_kernel(q, part, pass == 0);
    }
    return err;
}

int lam_gemm_use(struct lam_queue *q, const char *parameters)
{
    if (!q->uses_clblast)
        return LAM_OK;
    snprintf(q->gemm, sizeof(q->gemm), "%s", parameters);
    q->is_gemm_set = true;
    return lam_gemm_override(q, parameters);
}

const char *lam_gemm_parameters(const struct lam_queue *q)
{
    return q->uses_clblast ? q->gemm : NULL;
}

void lam_gemm_open(struct lam_queue *q)
{
    const struct lam_tuned *tuned = lam_tuning_gemm(q->tuning);
    const char *wanted = getenv("LAM_GEMM");

    q->uses_clblast = q->row.info.kind != LAM_DEVICE_CPU ||
                      (wanted && strcmp(wanted, "clblast") == 0);
    snprintf(q->gemm, sizeof(q->gemm), "%s", tuned ? tuned->taken : "own");
}

// Before the first product, so that lam_gemm_use can be called first.
static void set_once(struct lam_queue *q)
{
    if (q->is_gemm_set)
        return;
    q->is_gemm_set = true;
    if (!lam_gemm_override(q, q->gemm))
        return;
    lam_log(q->ctx, LAM_LOG_WARNING,
            "%s; they are left out, lamina tune --gemm makes them anew",
            q->ctx->error);
    lam_error_clear(q->ctx);
    snprintf(q->gemm, sizeof(q->gemm), "own");
}

static int launch_part(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    static const char name[] = "CLBlast's GEMM";
    cl_event event = NULL;
    CLBlastStatusCode status;

    lam_queue_call(q, name);
    status = call_clblast(q, real, g, q->profile ? &event : NULL);
    lam_queue_returned(q);
    if (!status)
        lam_queue_launched(q, name, NULL);
    return status ? fail_clblast(q, g, status)
                  : lam_queue_track(q, name, event);
}

int lam_gemm_clblast(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    int err = lam_queue_usable(q), batch;

    if (err)
        return err;
    set_once(q);
    batch = batch_of_call(q, real, g);
    for (int i = 0; i < g->batch && !err; i += batch) {
        const struct lam_gemm part = part_of(g, i, batch);

        err = launch_part(q, real, &part);
    }
    return err;
}

void lam_gemm_close(struct lam_queue *q)
{
    if (q->uses_clblast)
        CLBlastClearCache();
}

bool lam_gemm_try(struct lam_queue *q, const struct lam_gemm *g, char *why,
                  size_t size)
{
    const int batch = batch_of_call(q, LAM_F32, g);
    CLBlastStatusCode status = CLBlastSuccess;
    const char *meaning;

    for (int i = 0; i < g->batch && !status; i += batch) {
        const struct lam_gemm part = part_of(g, i, batch);

        status = call_clblast(q, LAM_F32, &part, NULL);
    }
    if (!status)
        return true;
    meaning = meaning_of(status);
    if (meaning || (int)status <= -1000)
        snprintf(why, size, "%s", meaning ? meaning : "CLBlast refuses");
    else
        snprintf(why, size, "%s", lam_cl_error_name((cl_int)status));
    return false;
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
    return q->uses_clblast ? lam_gemm_clblast(q, real, g)
                           : lam_gemm_cpu(q, real, g);
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
