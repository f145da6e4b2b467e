// 3x3 convolutions of stride 1 by Winograd's F(M x M, 3x3) on processors: makes
// small or big.
#include "conv.h"

#include <stdio.h>

#include "conv_winograd.cl.h"

enum { PAD = 16 }; // floats, as in conv_winograd.cl

struct conv_pass conv_pass(const struct conv_geometry *g, int made)
{
    if (made == CONV_SMALL)
        return (struct conv_pass){
            g->c / g->groups, g->k / g->groups, g->h, g->w, g->p, g->q,
            g->top,           g->left};
    return (struct conv_pass){
        g->k / g->groups,   g->c / g->groups,   g->p, g->q, g->h, g->w,
        2 * g->dh - g->top, 2 * g->dw - g->left};
}

static int points_of(int m)
{
    return (m + 2) * (m + 2);
}

static int64_t tiles_of(const struct conv_geometry *g,
                        const struct conv_pass *p, int m)
{
    return (int64_t)g->n * g->dh * g->dw *
           conv_div_up(conv_div_up(p->p, g->dh), m) *
           conv_div_up(conv_div_up(p->q, g->dw), m);
}

// How the work is cut: by the shapes alone.
static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, int made, int m,
                       struct conv_cut *cut)
{
    const struct conv_pass p = conv_pass(g, made);
    const struct conv_tile tile = conv_tile(host);
    const int nt = tile.nv * tile.vw, blocks = conv_div_up(p.k, tile.kr);
    const int64_t chunks = (tiles_of(g, &p, m) + nt - 1) / nt;

    *cut = (struct conv_cut){.m = m, .splits = 1};
    // All items of a split transform the source again: only where there are
    // too few.
    while (chunks * g->groups * cut->splits < 4 && cut->splits < blocks)
        cut->splits *= 2;
    cut->items = (int)(chunks * g->groups * cut->splits);
    cut->n_workers = conv_workers(host, cut->items);
    cut->region =
        points_of(m) *
        ((int64_t)nt * (p.c + (blocks / cut->splits + 1) * tile.kr) + 2 * PAD);
}

// Cycles of the winograd kernel against those of the direct one, roughly.
static double cost_of(const struct lam_host *host,
                      const struct conv_geometry *g, int made, int m,
                      bool training)
{
    const struct conv_pass p = conv_pass(g, made);
    const struct conv_tile tile = conv_tile(host);
    const int nt = tile.nv * tile.vw;
    const int64_t groups = (tiles_of(g, &p, m) + nt - 1) / nt;
    const double lanes = (double)groups * nt;
    const double pairs = (double)p.c * p.k, points = points_of(m);
    const double direct = 9.0 * pairs * g->n * p.p * p.q / tile.vw;
    const double products = points * pairs * lanes / tile.vw * 1.2;
    const double turns = lanes / tile.vw * points * (16.5 * p.c + 12.5 * p.k);
    const double pack = training ? points * pairs * 0.6 : 0.0;

    return (products + turns + pack) / direct;
}

int conv_winograd_rank(int m, double cost2, double cost4)
{
    if ((m == 2 ? cost2 : cost4) >= 0.9)
        return 5;
    return m == 4 ? 20 : cost2 <= 1.1 * cost4 ? 25 : 15;
}

int conv_winograd_score(const struct lam_host *host,
                        const struct conv_geometry *g, int made, int m,
                        bool training)
{
    if (!conv_for_processor(host, g) || g->r != 3 || g->s != 3 || g->sh != 1 ||
        g->sw != 1 ||
        tiles_of(g, &(struct conv_pass){.p = g->h, .q = g->w}, m) > 1 << 28)
        return 0;
    return conv_winograd_rank(m, cost_of(host, g, made, 2, training),
                              cost_of(host, g, made, 4, training));
}

void conv_winograd_workspace(const struct lam_host *host,
                             const struct conv_geometry *g, int made, int m,
                             int64_t *scratch, int64_t *persist)
{
    const struct conv_pass p = conv_pass(g, made);
    const struct conv_tile tile = conv_tile(host);
    struct conv_cut cut;

    choose_cut(host, g, made, m, &cut);
    *scratch = 4 * cut.region * cut.n_workers;
    *persist = (int64_t)4 * points_of(m) * g->groups *
               ((int64_t)conv_div_up(p.k, tile.kr) * tile.kr * p.c + PAD);
}

int conv_winograd_prepare(const struct lam_host *host,
                          const struct conv_geometry *g, int made, int m,
                          struct conv_direct *direct)
{
    const struct conv_tile tile = conv_tile(host);
    char options[64];

    choose_cut(host, g, made, m, &direct->cut);
    snprintf(options, sizeof(options), "-DM=%d -DVW=%d -DKR=%d -DNV=%d", m,
             tile.vw, tile.kr, tile.nv);
    return conv_direct_kernels(host, conv_winograd_cl, "winograd_pack",
                               "conv_winograd", options, direct);
}

static int pack(const struct lam_host *host, const struct conv_geometry *g,
                int made, const struct conv_direct *direct,
                const struct lam_io *io)
{
    const struct conv_pass p = conv_pass(g, made);
    const size_t global[3] = {
        (size_t)conv_div_up(p.c, 16),
        (size_t)(g->groups * conv_div_up(p.k, conv_tile(host).kr)), 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->weight[0]),
                                   LAM_ARG_TENSOR(&io->persist),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(p.c),
                                   LAM_ARG_INT(p.k),
                                   LAM_ARG_INT(made == CONV_BIG)};

    return host->launch(host, direct->pack, args, 6, global, local);
}

int conv_winograd_run(const struct lam_host *host,
                      const struct conv_geometry *g, int made,
                      struct conv_direct *direct, const struct lam_tensor *src,
                      const struct lam_tensor *bias,
                      const struct lam_tensor *dst, const struct lam_io *io,
                      double least)
{
    const struct conv_pass p = conv_pass(g, made);
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
                                   LAM_ARG_INT(g->dh),
                                   LAM_ARG_INT(g->dw),
                                   LAM_ARG_INT(p.top),
                                   LAM_ARG_INT(p.left),
                                   LAM_ARG_INT(lam_pitch(src)),
                                   LAM_ARG_INT(lam_pitch(dst)),
                                   LAM_ARG_INT(cut->splits),
                                   LAM_ARG_REAL(least)};
    int err = LAM_OK;

    if (direct->packed != io->weights_version)
        err = pack(host, g, made, direct, io);
    if (err)
        return err;
    direct->packed = io->weights_version;
    return host->launch(host, direct->run, args, 24, global, local);
}
