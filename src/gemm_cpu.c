// GEMM for processors, where the work-group tiles of CLBlast lose: kernels of
// our own, cl/core_gemm.cl.
#include <stdio.h>

#include "core_gemm.cl.h"
#include "queue.h"

enum {
    MAX_LOCAL = 256 * 1024, // about the fastest cache that is big
    MAX_PARTS = 65536,      // elements of all parts of a split sum
    MAX_SPLITS = 64
};

// The first arguments of every kernel; g and c must outlive them.
#define GEMM_ARGS(g, c, ldc, stride_c, offset_c, alpha, beta)                  \
    LAM_ARG_TENSOR((g)->a), LAM_ARG_TENSOR((g)->b), LAM_ARG_TENSOR(c),         \
        LAM_ARG_LONG((g)->lda), LAM_ARG_LONG((g)->ldb), LAM_ARG_LONG(ldc),     \
        LAM_ARG_LONG((g)->stride_a), LAM_ARG_LONG((g)->stride_b),              \
        LAM_ARG_LONG(stride_c), LAM_ARG_LONG((g)->offset_a),                   \
        LAM_ARG_LONG((g)->offset_b), LAM_ARG_LONG(offset_c),                   \
        LAM_ARG_INT((g)->trans_a), LAM_ARG_INT((g)->trans_b),                  \
        LAM_ARG_INT((g)->m), LAM_ARG_INT((g)->n), LAM_ARG_INT((g)->k),         \
        LAM_ARG_REAL(alpha), LAM_ARG_REAL(beta)

#define N_ARGS(args) ((int)(sizeof(args) / sizeof((args)[0])))

static int ceil_div(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b);
}

static int64_t min_of(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Tile sizes by the width of the vectors: 32 registers where they are widest,
// 16 elsewhere.
static int open_tiling(struct lam_queue *q, int real, struct lam_gemm_tiling *t)
{
    const struct lam_device *info = &q->row.info;
    const int size = real == LAM_F64 ? 8 : 4;
    const int bytes = info->vector_width >= 16  ? 64
                      : info->vector_width >= 8 ? 32
                                                : 16;
    const int64_t budget = min_of(info->local_bytes, MAX_LOCAL) / size;
    char options[120];
    int err;

    t->rows = bytes == 64 ? 12 : 6;
    t->columns = 2 * bytes / size;
    t->depth = 1024 / size;
    while (t->depth > 16 && budget < t->depth * (t->columns + t->rows))
        t->depth /= 2;
    t->tiles = (int)((budget / t->depth - t->columns) / t->rows);
    if (t->tiles > 192 / t->rows)
        t->tiles = 192 / t->rows;
    if (t->tiles < 1)
        return lam_fail(q->ctx, LAM_EDEVICE,
                        "%s has %lld bytes of local memory, too few for GEMM",
                        q->row.name, (long long)info->local_bytes);
    snprintf(options, sizeof(options),
             "-DROWS=%d -DWIDTH=%d -DDEPTH=%d -DTILES=%d", t->rows,
             t->columns / 2, t->depth, t->tiles);
    err = lam_queue_kernel(q, real, core_gemm_cl, "core_gemm_plain", options,
                           &t->plain);
    if (!err)
        err = lam_queue_kernel(q, real, core_gemm_cl, "core_gemm_reduce",
                               options, &t->reduce);
    if (!err)
        err = lam_queue_kernel(q, real, core_gemm_cl, "core_gemm_tile", options,
                               &t->tile);
    return err;
}

// The kernels with one work-item per element of C check their ids. Group sizes
// are fixed because some drivers compile a kernel anew for each.
static int launch_elements(struct lam_queue *q, struct lam_kernel *kernel,
                           const struct lam_arg *args, int n_args,
                           const struct lam_gemm *g)
{
    static const size_t local[3] = {16, 1, 1};
    const size_t global[3] = {16 * (size_t)ceil_div(g->n, 16), (size_t)g->m,
                              (size_t)g->batch};

    return lam_queue_launch(q, kernel, args, n_args, global, local);
}

static int get_tiling(struct lam_queue *q, int real,
                      struct lam_gemm_tiling **tiling)
{
    *tiling = &q->tiling[real == LAM_F64];
    return (*tiling)->tile ? LAM_OK : open_tiling(q, real, *tiling);
}

int lam_gemm_plain(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    struct lam_gemm_tiling *t;
    const struct lam_arg args[] = {GEMM_ARGS(g, g->c, g->ldc, g->stride_c,
                                             g->offset_c, g->alpha, g->beta)};
    const int err = get_tiling(q, real, &t);

    return err ? err : launch_elements(q, t->plain, args, N_ARGS(args), g);
}

// Into how many parts k is split where C is too small to keep a processor
// busy. By the shape alone, so that results do not depend on the cores.
static int choose_splits(const struct lam_gemm *g)
{
    const int64_t area = (int64_t)g->m * g->n * g->batch;
    const int64_t most = min_of(MAX_SPLITS, MAX_PARTS / area);
    const int64_t splits = min_of(g->k / 2048, most);

    return splits < 2 ? 1 : (int)splits;
}

// How much one work-item does: as much as its local memory takes, but enough
// of them for all cores. Results do not depend on it.
static void choose_block(const struct lam_queue *q,
                         const struct lam_gemm_tiling *t,
                         const struct lam_gemm *g, int n_splits, int *tiles,
                         int *strips)
{
    const int high = ceil_div(g->m, t->rows);
    const int64_t wide = ceil_div(g->n, t->columns);
    const int64_t wanted = 4 * (int64_t)q->row.info.compute_units;
    const int64_t layers = (int64_t)g->batch * n_splits;

    *tiles = ceil_div(high, ceil_div(high, t->tiles));
    while (*tiles > 2 && layers * wide * ceil_div(high, *tiles) < wanted)
        *tiles = ceil_div(*tiles, 2);
    *strips = (int)min_of(32, layers * wide * ceil_div(high, *tiles) / wanted);
    if (*strips < 1)
        *strips = 1;
}

static int launch_tiles(struct lam_queue *q, struct lam_gemm_tiling *t,
                        const struct lam_gemm *g, int n_splits,
                        const struct lam_tensor *c, int64_t ldc,
                        int64_t stride_c, int64_t offset_c, double alpha,
                        double beta)
{
    int tiles, strips;

    choose_block(q, t, g, n_splits, &tiles, &strips);
    {
        const struct lam_arg args[] = {
            GEMM_ARGS(g, c, ldc, stride_c, offset_c, alpha, beta),
            LAM_ARG_INT(tiles), LAM_ARG_INT(strips), LAM_ARG_INT(n_splits),
            LAM_ARG_INT(ceil_div(g->k, n_splits))};
        const size_t global[3] = {
            (size_t)ceil_div(g->n, (int64_t)t->columns * strips),
            (size_t)ceil_div(g->m, (int64_t)t->rows * tiles),
            (size_t)g->batch * (size_t)n_splits};

        return lam_queue_launch(q, t->tile, args, N_ARGS(args), global, NULL);
    }
}

static int get_parts(struct lam_queue *q)
{
    cl_int error;

    if (q->parts.cl)
        return LAM_OK;
    q->parts.queue = q;
    q->parts.bytes = (size_t)MAX_PARTS * sizeof(double);
    q->parts.cl = clCreateBuffer(q->context, CL_MEM_READ_WRITE, q->parts.bytes,
                                 NULL, &error);
    if (!error)
        return LAM_OK;
    q->parts.cl = NULL;
    return lam_fail_cl(q, error, "clCreateBuffer", "scratch memory of GEMM");
}

int lam_gemm_cpu(struct lam_queue *q, int real, const struct lam_gemm *g)
{
    const int n_splits = choose_splits(g);
    const struct lam_tensor parts = {.buffer = &q->parts};
    struct lam_gemm_tiling *t;
    int err = get_tiling(q, real, &t);

    if (err)
        return err;
    if (n_splits == 1)
        return launch_tiles(q, t, g, 1, g->c, g->ldc, g->stride_c, g->offset_c,
                            g->alpha, g->beta);
    err = get_parts(q);
    if (!err)
        err = launch_tiles(q, t, g, n_splits, &parts, g->n,
                           (int64_t)g->m * g->n, 0, 1.0, 0.0);
    if (!err) {
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(&parts),    LAM_ARG_TENSOR(g->c),
            LAM_ARG_LONG(g->ldc),      LAM_ARG_LONG(g->stride_c),
            LAM_ARG_LONG(g->offset_c), LAM_ARG_INT(g->m),
            LAM_ARG_INT(g->n),         LAM_ARG_INT(n_splits),
            LAM_ARG_REAL(g->alpha),    LAM_ARG_REAL(g->beta)};
        err = launch_elements(q, t->reduce, args, N_ARGS(args), g);
    }
    return err;
}
