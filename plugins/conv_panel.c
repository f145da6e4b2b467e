// Convolutions as products of matrices on processors, where a direct kernel's
// rows are used by few taps: 1x1, strides, kernels as large as their stride.
#include "conv.h"

#include <stdio.h>

#include "conv_panel.cl.h"

enum {
    BUDGET = 128 * 1024, // floats of the panels that a core's cache keeps
    MOST = 64 * 1024,    // floats of one panel
    MOST_TILES = 32,     // whose panels are there at once
    DEPTH = 64           // of the packing kernel
};

// One pass as a product: src [n, groups * c, h, w] is seen through taps, and
// each filter's results go to one of [made_r, made_s] places of a channel.
struct product {
    struct conv_geometry seen; // c, h, w of src; p, q, r, s, .. of what sees it
    int filters, depth;        // per group
    int by_f, by_d;            // from one to the next in the weight
    int made_r, made_s;
};

static struct product product_of(const struct conv_geometry *g, int made)
{
    const int taps = g->r * g->s, c = g->c / g->groups, k = g->k / g->groups;

    if (made == CONV_SMALL)
        return (struct product){.seen = *g,
                                .filters = k,
                                .depth = c * taps,
                                .by_f = c * taps,
                                .by_d = 1,
                                .made_r = 1,
                                .made_s = 1};
    return (struct product){.seen = {.n = g->n,
                                     .groups = g->groups,
                                     .c = g->k,
                                     .h = g->p,
                                     .w = g->q,
                                     .p = g->p,
                                     .q = g->q,
                                     .r = 1,
                                     .s = 1,
                                     .sh = 1,
                                     .sw = 1,
                                     .dh = 1,
                                     .dw = 1},
                            .filters = c * taps,
                            .depth = k,
                            .by_f = 1,
                            .by_d = c * taps,
                            .made_r = g->r,
                            .made_s = g->s};
}

// Few filters take longer pieces of each channel.
static struct conv_tile tile_of(const struct lam_host *host,
                                const struct product *p)
{
    const struct conv_tile tile = conv_tile(host);

    return p->filters > 2
               ? tile
               : (struct conv_tile){2, tile.kr * tile.nv / 2, tile.vw};
}

static void choose_cut(const struct lam_host *host, const struct product *p,
                       struct conv_cut *cut)
{
    const struct conv_tile tile = tile_of(host, p);
    const struct conv_geometry *seen = &p->seen;
    const int width = tile.nv * tile.vw, units = host->device.compute_units;
    const int all = conv_div_up(seen->p * seen->q, width);
    const int64_t images = (int64_t)seen->n * seen->groups;
    const int64_t wanted = 8 * (int64_t)units;

    *cut = (struct conv_cut){.columns = BUDGET / (p->depth * width)};
    if (cut->columns > MOST_TILES)
        cut->columns = MOST_TILES;
    while (cut->columns > 1 && images * conv_div_up(all, cut->columns) < wanted)
        cut->columns--;
    if (cut->columns < 1)
        cut->columns = 1;
    cut->splits = 1;
    while (images * conv_div_up(all, cut->columns) * cut->splits < wanted &&
           cut->splits < conv_div_up(p->filters, tile.kr))
        cut->splits++;
    cut->items = (int)(images * conv_div_up(all, cut->columns) * cut->splits);
    cut->n_workers = conv_workers(host, cut->items);
    cut->region = (int64_t)cut->columns * p->depth * width;
}

// Where big is made, each of its elements must have one tap.
static bool can_serve(const struct lam_host *host,
                      const struct conv_geometry *g, int made)
{
    const struct product p = product_of(g, made);
    const struct conv_tile tile = tile_of(host, &p);

    if (!conv_for_processor(host, g) ||
        (int64_t)p.depth * tile.nv * tile.vw > MOST)
        return false;
    return made == CONV_SMALL ||
           (g->r == g->sh && g->s == g->sw && (g->dh == 1 || g->r == 1) &&
            (g->dw == 1 || g->s == 1) && g->top == 0 && g->left == 0 &&
            g->h == g->p * g->sh && g->w == g->q * g->sw);
}

int conv_panel_score(const struct lam_host *host, const struct conv_geometry *g,
                     int made, bool training)
{
    (void)training;
    if (!can_serve(host, g, made))
        return 0;
    // A shallow panel is not worth its copy; a row that many taps of stride 1
    // read is copied once by the direct kernel.
    return g->r * g->s == 1 || made == CONV_BIG ||
                   (g->sh * g->sw > 1 && product_of(g, made).depth >= 32)
               ? 12
               : 1;
}

void conv_panel_workspace(const struct lam_host *host,
                          const struct conv_geometry *g, int made,
                          int64_t *scratch, int64_t *persist)
{
    const struct product p = product_of(g, made);
    const struct conv_tile tile = tile_of(host, &p);
    struct conv_cut cut;

    choose_cut(host, &p, &cut);
    *scratch = 4 * cut.region * cut.n_workers;
    *persist = (int64_t)4 * g->groups * conv_div_up(p.filters, tile.kr) *
               tile.kr * p.depth;
}

int conv_panel_prepare(const struct lam_host *host,
                       const struct conv_geometry *g, int made,
                       struct conv_direct *direct)
{
    const struct product p = product_of(g, made);
    const struct conv_tile tile = tile_of(host, &p);
    char options[64];

    choose_cut(host, &p, &direct->cut);
    snprintf(options, sizeof(options), "-DVW=%d -DKR=%d -DNV=%d", tile.vw,
             tile.kr, tile.nv);
    return conv_direct_kernels(host, conv_panel_cl, "panel_pack", "conv_panel",
                               options, direct);
}

static int pack(const struct lam_host *host, const struct product *p,
                const struct conv_direct *direct, const struct lam_io *io)
{
    const struct conv_tile tile = tile_of(host, p);
    const size_t global[3] = {
        (size_t)conv_div_up(p->depth, DEPTH),
        (size_t)(p->seen.groups * conv_div_up(p->filters, tile.kr)), 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->weight[0]), LAM_ARG_TENSOR(&io->persist),
        LAM_ARG_INT(p->filters),        LAM_ARG_INT(p->depth),
        LAM_ARG_INT(p->by_f),           LAM_ARG_INT(p->by_d)};

    return host->launch(host, direct->pack, args, 6, global, local);
}

int conv_panel_run(const struct lam_host *host, const struct conv_geometry *g,
                   int made, struct conv_direct *direct,
                   const struct lam_tensor *src, const struct lam_tensor *bias,
                   const struct lam_tensor *dst, const struct lam_io *io,
                   double least)
{
    const struct product p = product_of(g, made);
    const struct conv_geometry *seen = &p.seen;
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
                                   LAM_ARG_INT(seen->groups),
                                   LAM_ARG_INT(seen->c / seen->groups),
                                   LAM_ARG_INT(seen->h),
                                   LAM_ARG_INT(seen->w),
                                   LAM_ARG_INT(p.filters),
                                   LAM_ARG_INT(seen->p),
                                   LAM_ARG_INT(seen->q),
                                   LAM_ARG_INT(seen->r),
                                   LAM_ARG_INT(seen->s),
                                   LAM_ARG_INT(seen->sh),
                                   LAM_ARG_INT(seen->sw),
                                   LAM_ARG_INT(seen->dh),
                                   LAM_ARG_INT(seen->dw),
                                   LAM_ARG_INT(seen->top),
                                   LAM_ARG_INT(seen->left),
                                   LAM_ARG_INT(p.made_r),
                                   LAM_ARG_INT(p.made_s),
                                   LAM_ARG_INT(lam_pitch(src)),
                                   LAM_ARG_INT(lam_pitch(dst)),
                                   LAM_ARG_INT(cut->columns),
                                   LAM_ARG_INT(cut->splits),
                                   LAM_ARG_REAL(least)};
    int err = LAM_OK;

    if (direct->packed != io->weights_version)
        err = pack(host, &p, direct, io);
    if (err)
        return err;
    direct->packed = io->weights_version;
    return host->launch(host, direct->run, args, 30, global, local);
}
