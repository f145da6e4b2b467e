// Convolutions with strides, and transposed and enlarging ones, by Winograd's
// F(4x4, 2x2) of each phase on processors: makes small or big.
#include "conv.h"

#include <stdio.h>

#include "conv_phases.cl.h"

enum {
    M = 4, // results of a side of a tile
    SIDE = M + 1,
    POINTS = SIDE * SIDE,
    PAD = 16,          // floats, as in conv_phases.cl
    CHANNELS = 16,     // of the packing kernel
    BUDGET = 64 * 1024 // floats of the products that a core's cache keeps
};

// One pass, seen from its result, and the grid of its phases.
struct pass {
    int c, k, h, w, p, q;
    int rows, columns;
    int from_top, from_left, to_top, to_left; // as in conv_phases.cl
};

static struct pass pass_of(const struct conv_geometry *g, int made)
{
    const int i0 = g->top / g->sh, j0 = g->left / g->sw;

    if (made == CONV_SMALL)
        return (struct pass){.c = g->c / g->groups,
                             .k = g->k / g->groups,
                             .h = g->h,
                             .w = g->w,
                             .p = g->p,
                             .q = g->q,
                             .rows = g->p,
                             .columns = g->q,
                             .from_top = g->top,
                             .from_left = g->left};
    return (struct pass){.c = g->k / g->groups,
                         .k = g->c / g->groups,
                         .h = g->p,
                         .w = g->q,
                         .p = g->h,
                         .q = g->w,
                         .rows = (g->h - 1 + g->top) / g->sh - i0 + 1,
                         .columns = (g->w - 1 + g->left) / g->sw - j0 + 1,
                         .from_top = 1 - i0,
                         .from_left = 1 - j0,
                         .to_top = g->top - g->sh * i0,
                         .to_left = g->left - g->sw * j0};
}

static int64_t tiles_of(const struct conv_geometry *g, const struct pass *p)
{
    return (int64_t)g->n * conv_div_up(p->rows, M) * conv_div_up(p->columns, M);
}

static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, int made,
                       struct conv_cut *cut)
{
    const struct pass p = pass_of(g, made);
    const struct conv_tile tile = conv_tile(host);
    const int nt = tile.nv * tile.vw, blocks = conv_div_up(p.k, tile.kr);
    const int phases = g->sh * g->sw,
              made_phases = made == CONV_BIG ? phases : 1;
    const int64_t chunks = (tiles_of(g, &p) + nt - 1) / nt;
    const int per_block = POINTS * made_phases * tile.kr * nt;
    const int wanted = 2 * host->device.compute_units;
    const int lines = made == CONV_BIG ? g->sw * M * M : 0;

    *cut = (struct conv_cut){.splits = 1};
    // All items of a split transform the source again: only where there are
    // too few.
    while (chunks * g->groups * cut->splits < wanted && cut->splits < blocks)
        cut->splits++;
    cut->filters = BUDGET / per_block;
    if (cut->filters > conv_div_up(blocks, cut->splits))
        cut->filters = conv_div_up(blocks, cut->splits);
    if (cut->filters < 1)
        cut->filters = 1;
    cut->items = (int)(chunks * g->groups * cut->splits);
    cut->n_workers = conv_workers(host, cut->items);
    cut->region =
        tile.vw * (lines > SIDE * SIDE ? lines : SIDE * SIDE) +
        POINTS * ((int64_t)phases / made_phases * p.c * nt + 2 * PAD) +
        (int64_t)per_block * cut->filters;
}

// Cycles of this kernel against those of the direct one, roughly.
static double cost_of(const struct lam_host *host,
                      const struct conv_geometry *g, int made, bool training)
{
    const struct pass p = pass_of(g, made);
    const struct conv_tile tile = conv_tile(host);
    const int nt = tile.nv * tile.vw,
              all = conv_points(M, g->r, g->sh) * conv_points(M, g->s, g->sw);
    const int64_t chunks = (tiles_of(g, &p) + nt - 1) / nt;
    const double lanes = (double)chunks * nt, pairs = (double)p.c * p.k;
    const double direct =
        (double)g->r * g->s * pairs * g->n * p.rows * p.columns / tile.vw;
    const double products = all * pairs * lanes / tile.vw * 1.2;
    const double turns = lanes / tile.vw *
                         (12.0 * p.c * (made == CONV_SMALL ? all : POINTS) +
                          23.0 * p.k * (made == CONV_BIG ? all : POINTS));
    const double pack = training ? all * pairs * 0.6 : 0.0;

    return (products + turns + pack) / direct;
}

bool conv_phases_serve(const struct conv_geometry *g)
{
    return g->dh == 1 && g->dw == 1 && g->r > g->sh && g->s > g->sw &&
           g->r <= 2 * g->sh && g->s <= 2 * g->sw;
}

int conv_phases_score(const struct lam_host *host,
                      const struct conv_geometry *g, int made, bool training)
{
    if (!conv_for_processor(host, g) || !conv_phases_serve(g))
        return 0;
    return cost_of(host, g, made, training) < 0.9 ? 20 : 5;
}

void conv_phases_workspace(const struct lam_host *host,
                           const struct conv_geometry *g, int made,
                           int64_t *scratch, int64_t *persist)
{
    const struct pass p = pass_of(g, made);
    const struct conv_tile tile = conv_tile(host);
    struct conv_cut cut;

    choose_cut(host, g, made, &cut);
    *scratch = 4 * cut.region * cut.n_workers;
    *persist =
        (int64_t)4 * POINTS * g->groups *
        ((int64_t)conv_div_up(p.k, tile.kr) * tile.kr * p.c * g->sh * g->sw +
         PAD);
}

int conv_phases_prepare(const struct lam_host *host,
                        const struct conv_geometry *g, int made,
                        struct conv_direct *direct)
{
    const struct conv_tile tile = conv_tile(host);
    char options[64];

    choose_cut(host, g, made, &direct->cut);
    snprintf(options, sizeof(options), "-DVW=%d -DKR=%d -DNV=%d", tile.vw,
             tile.kr, tile.nv);
    return conv_direct_kernels(host, conv_phases_cl, "phases_pack",
                               "conv_phases", options, direct);
}

static int pack(const struct lam_host *host, const struct conv_geometry *g,
                int made, const struct conv_direct *direct,
                const struct lam_io *io)
{
    const struct pass p = pass_of(g, made);
    const size_t global[3] = {
        (size_t)conv_div_up(p.c, CHANNELS),
        (size_t)(g->groups * conv_div_up(p.k, conv_tile(host).kr)), 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->weight[0]),
                                   LAM_ARG_TENSOR(&io->persist),
                                   LAM_ARG_INT(p.c),
                                   LAM_ARG_INT(p.k),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(made == CONV_BIG)};

    return host->launch(host, direct->pack, args, 9, global, local);
}

int conv_phases_run(const struct lam_host *host, const struct conv_geometry *g,
                    int made, struct conv_direct *direct,
                    const struct lam_tensor *src, const struct lam_tensor *bias,
                    const struct lam_tensor *dst, const struct lam_io *io,
                    double least)
{
    const struct pass p = pass_of(g, made);
    const struct conv_cut *cut = &direct->cut;
    const size_t global[3] = {(size_t)cut->n_workers, 1, 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(src),
                                   LAM_ARG_TENSOR(&io->persist),
                                   LAM_ARG_TENSOR(bias),
                                   LAM_ARG_TENSOR(dst),
                                   LAM_ARG_TENSOR(&io->scratch),
                                   LAM_ARG_LONG(cut->region),
                                   LAM_ARG_TURNS(),
                                   LAM_ARG_INT(cut->items),
                                   LAM_ARG_INT(g->n),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(p.c),
                                   LAM_ARG_INT(p.h),
                                   LAM_ARG_INT(p.w),
                                   LAM_ARG_INT(p.k),
                                   LAM_ARG_INT(p.p),
                                   LAM_ARG_INT(p.q),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(conv_div_up(p.rows, M)),
                                   LAM_ARG_INT(conv_div_up(p.columns, M)),
                                   LAM_ARG_INT(made == CONV_BIG),
                                   LAM_ARG_INT(p.from_top),
                                   LAM_ARG_INT(p.from_left),
                                   LAM_ARG_INT(p.to_top),
                                   LAM_ARG_INT(p.to_left),
                                   LAM_ARG_INT(lam_pitch(src)),
                                   LAM_ARG_INT(lam_pitch(dst)),
                                   LAM_ARG_INT(cut->splits),
                                   LAM_ARG_INT(cut->filters),
                                   LAM_ARG_REAL(least)};
    int err = LAM_OK;

    if (direct->packed != io->weights_version)
        err = pack(host, g, made, direct, io);
    if (err)
        return err;
    direct->packed = io->weights_version;
    return host->launch(host, direct->run, args, 32, global, local);
}
