// Convolution by matrix products, for devices where a tuned product wins. The
// column buffer is bounded: a few whole images at once, or a few rows of one.
#include "conv.h"

#include "conv_gemm.cl.h"

enum { N_GEOMETRY = 14, MAX_COLUMNS = 64 << 20 }; // bytes of the buffer

#define GEOMETRY_ARGS(g, big)                                                  \
    LAM_ARG_INT((g)->c / (g)->groups), LAM_ARG_INT((g)->h),                    \
        LAM_ARG_INT((g)->w), LAM_ARG_INT((g)->p), LAM_ARG_INT((g)->q),         \
        LAM_ARG_INT((g)->r), LAM_ARG_INT((g)->s), LAM_ARG_INT((g)->sh),        \
        LAM_ARG_INT((g)->sw), LAM_ARG_INT((g)->dh), LAM_ARG_INT((g)->dw),      \
        LAM_ARG_INT((g)->top), LAM_ARG_INT((g)->left),                         \
        LAM_ARG_INT(lam_pitch(big))

// Some rows of some images of one group.
struct tile {
    int n, images, group, p, rows;
};

static int taps_of(const struct conv_geometry *g)
{
    return g->c / g->groups * g->r * g->s;
}

static int64_t row_bytes(const struct lam_host *host,
                         const struct conv_geometry *g)
{
    return (int64_t)taps_of(g) * g->q * (host->real == LAM_F64 ? 8 : 4);
}

// Images and rows of a tile; both are 0 when not even one row fits.
static void tile_size(const struct lam_host *host,
                      const struct conv_geometry *g, int *images, int *rows)
{
    const int64_t most = MAX_COLUMNS / row_bytes(host, g);

    *rows = most < g->p ? (int)most : g->p;
    *images = *rows < g->p ? *rows > 0 : (int)(most / g->p);
    if (*images > g->n)
        *images = g->n;
}

int conv_gemm_score(const struct lam_host *host, const struct conv_geometry *g)
{
    int images, rows;

    tile_size(host, g, &images, &rows);
    if (images < 1 || g->halves[0])
        return 0;
    if (host->device.kind == LAM_DEVICE_GPU)
        return 5;
    // Never taken on a processor, but checked there on small images.
    return row_bytes(host, g) * g->p * g->n < 1 << 20 ? 1 : 0;
}

int64_t conv_gemm_scratch(const struct lam_host *host,
                          const struct conv_geometry *g)
{
    int images, rows;

    tile_size(host, g, &images, &rows);
    return row_bytes(host, g) * rows * images;
}

int conv_gemm_prepare(const struct lam_host *host, struct conv_gemm *gemm)
{
    int err =
        host->kernel(host, conv_gemm_cl, "conv_columns", NULL, &gemm->columns);

    if (!err)
        err = host->kernel(host, conv_gemm_cl, "conv_uncolumns", NULL,
                           &gemm->uncolumns);
    return err ? err
               : host->kernel(host, conv_gemm_cl, "conv_start", NULL,
                              &gemm->start);
}

// The next tile, group by group, image by image; false after the last.
static bool next_tile(const struct conv_geometry *g, int images, int rows,
                      struct tile *t)
{
    if (t->images == 0) {
        t->n = t->group = t->p = 0;
    } else if (t->p + t->rows < g->p) {
        t->p += t->rows;
    } else if (t->n + t->images < g->n) {
        t->n += t->images;
        t->p = 0;
    } else {
        t->group++;
        t->n = t->p = 0;
    }
    t->images = images < g->n - t->n ? images : g->n - t->n;
    t->rows = rows < g->p - t->p ? rows : g->p - t->p;
    return t->group < g->groups;
}

static int make_columns(const struct lam_host *host,
                        const struct conv_gemm *gemm,
                        const struct conv_geometry *g, const struct tile *t,
                        const struct lam_tensor *big,
                        const struct lam_tensor *scratch)
{
    const size_t global[3] = {(size_t)t->rows * (size_t)g->q,
                              (size_t)taps_of(g), (size_t)t->images};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(big),   LAM_ARG_TENSOR(scratch), LAM_ARG_INT(t->n),
        LAM_ARG_INT(t->group), LAM_ARG_INT(t->p),       LAM_ARG_INT(t->rows),
        GEOMETRY_ARGS(g, big)};

    return host->launch(host, gemm->columns, args, 6 + N_GEOMETRY, global,
                        NULL);
}

static int add_columns(const struct lam_host *host,
                       const struct conv_gemm *gemm,
                       const struct conv_geometry *g, const struct tile *t,
                       const struct lam_tensor *scratch,
                       const struct lam_tensor *big)
{
    const int64_t first = (int64_t)t->p * g->sh - g->top;
    const int64_t end = first + (int64_t)(t->rows - 1) * g->sh +
                        (int64_t)(g->r - 1) * g->dh + 1;
    const int h0 = first > 0 ? (int)first : 0;
    const int h1 = end < g->h ? (int)end : g->h;
    const size_t global[3] = {(size_t)g->w, (size_t)(h1 - h0),
                              (size_t)t->images * (size_t)(g->c / g->groups)};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(scratch), LAM_ARG_TENSOR(big),  LAM_ARG_INT(t->n),
        LAM_ARG_INT(t->group),   LAM_ARG_INT(t->p),    LAM_ARG_INT(t->rows),
        LAM_ARG_INT(h0),         GEOMETRY_ARGS(g, big)};

    if (h1 <= h0)
        return LAM_OK;
    return host->launch(host, gemm->uncolumns, args, 7 + N_GEOMETRY, global,
                        NULL);
}

static int start(const struct lam_host *host, const struct conv_gemm *gemm,
                 const struct lam_tensor *bias, const struct lam_tensor *y)
{
    const int64_t *dim = y->shape.dim;
    const size_t global[3] = {(size_t)(dim[2] * dim[3]),
                              (size_t)(dim[0] * dim[1]), 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(bias), LAM_ARG_TENSOR(y), LAM_ARG_INT(dim[1]),
        LAM_ARG_LONG(lam_pitch(y)), LAM_ARG_LONG(dim[2] * dim[3])};

    return host->launch(host, gemm->start, args, 5, global, NULL);
}

// small (+)= weight * columns
static int product_small(const struct lam_host *host,
                         const struct conv_geometry *g, const struct tile *t,
                         const struct lam_tensor *weight,
                         const struct lam_tensor *scratch,
                         const struct lam_tensor *small)
{
    const int k = g->k / g->groups, taps = taps_of(g), width = t->rows * g->q;
    const int64_t plane = (int64_t)g->p * g->q;
    const struct lam_gemm gemm = {
        .a = weight,
        .b = scratch,
        .c = small,
        .offset_a = (int64_t)t->group * k * taps,
        .offset_c = (t->n * lam_pitch(small) + t->group * k) * plane +
                    (int64_t)t->p * g->q,
        .lda = taps,
        .ldb = width,
        .ldc = plane,
        .stride_b = (int64_t)taps * width,
        .stride_c = lam_pitch(small) * plane,
        .m = k,
        .n = width,
        .k = taps,
        .batch = t->images,
        .alpha = 1.0,
        .beta = 1.0};

    return host->gemm(host, &gemm);
}

// columns = transposed weight * small
static int product_big(const struct lam_host *host,
                       const struct conv_geometry *g, const struct tile *t,
                       const struct lam_tensor *weight,
                       const struct lam_tensor *small,
                       const struct lam_tensor *scratch)
{
    const int k = g->k / g->groups, taps = taps_of(g), width = t->rows * g->q;
    const int64_t plane = (int64_t)g->p * g->q;
    const struct lam_gemm gemm = {
        .a = weight,
        .b = small,
        .c = scratch,
        .offset_a = (int64_t)t->group * k * taps,
        .offset_b = (t->n * lam_pitch(small) + t->group * k) * plane +
                    (int64_t)t->p * g->q,
        .lda = taps,
        .ldb = plane,
        .ldc = width,
        .stride_b = lam_pitch(small) * plane,
        .stride_c = (int64_t)taps * width,
        .trans_a = 1,
        .m = taps,
        .n = width,
        .k = k,
        .batch = t->images,
        .alpha = 1.0};

    return host->gemm(host, &gemm);
}

int conv_gemm_run(const struct lam_host *host, const struct conv_gemm *gemm,
                  const struct conv_geometry *g, int made,
                  const struct lam_tensor *src, const struct lam_tensor *bias,
                  const struct lam_tensor *dst, const struct lam_io *io)
{
    const struct lam_tensor *weight = &io->weight[0], *scratch = &io->scratch;
    struct tile t = {0};
    int images, rows, err = start(host, gemm, bias, dst);

    tile_size(host, g, &images, &rows);
    while (!err && next_tile(g, images, rows, &t)) {
        if (made == CONV_SMALL) {
            err = make_columns(host, gemm, g, &t, src, scratch);
            if (!err)
                err = product_small(host, g, &t, weight, scratch, dst);
        } else {
            err = product_big(host, g, &t, weight, src, scratch);
            if (!err)
                err = add_columns(host, gemm, g, &t, scratch, dst);
        }
    }
    return err;
}

// One image after another, so that the sums have one order.
int conv_gemm_weight(const struct lam_host *host, const struct conv_gemm *gemm,
                     const struct conv_geometry *g,
                     const struct lam_tensor *big,
                     const struct lam_tensor *small, const struct lam_io *io)
{
    const int k = g->k / g->groups, taps = taps_of(g);
    const int64_t plane = (int64_t)g->p * g->q;
    struct tile t = {0};
    int images, rows, err = LAM_OK;

    tile_size(host, g, &images, &rows);
    while (!err && next_tile(g, images, rows, &t)) {
        err = make_columns(host, gemm, g, &t, big, &io->scratch);
        for (int i = 0; i < t.images && !err; i++) {
            const int width = t.rows * g->q, n = t.n + i;
            const struct lam_gemm product = {
                .a = small,
                .b = &io->scratch,
                .c = &io->d_weight[0],
                .offset_a = (n * lam_pitch(small) + t.group * k) * plane +
                            (int64_t)t.p * g->q,
                .offset_b = (int64_t)i * taps * width,
                .offset_c = (int64_t)t.group * k * taps,
                .lda = plane,
                .ldb = width,
                .ldc = taps,
                .trans_b = 1,
                .m = k,
                .n = taps,
                .k = width,
                .batch = 1,
                .alpha = 1.0,
                .beta = n > 0 || t.p > 0 ? 1.0 : 0.0};

            err = host->gemm(host, &product);
        }
    }
    return err;
}
