// The weight's gradient on processors: how the work is cut.
#include "conv.h"

#include <math.h>
#include <stdio.h>

#include "conv_dweight.cl.h"

enum {
    BUDGET = 96 * 1024, // floats of a region that a core's cache keeps
    POSITIONS = 1024,   // most of a chunk
    MIN_ITEMS = 16,     // so that cores share the work; never by their number,
                        // on which results must not depend
    MAX_PARTS = 16
};

// Registers of a tile: taps x vectors x width of a vector.
struct tile {
    int nj, nv, vw;
};

static struct tile tile_of(const struct lam_host *host)
{
    const int width = host->device.vector_width;

    return width >= 16  ? (struct tile){8, 2, 16}
           : width >= 8 ? (struct tile){6, 2, 8}
                        : (struct tile){6, 2, 4};
}

static int64_t image_of(const struct conv_geometry *g, int rows, int columns)
{
    return ((int64_t)(rows - 1) * g->sh + (int64_t)(g->r - 1) * g->dh + 1) *
           ((int64_t)(columns - 1) * g->sw + (int64_t)(g->s - 1) * g->dw + 1);
}

static int64_t region_of(const struct conv_geometry *g, const struct tile *tile,
                         int channels, int rows, int columns)
{
    return (int64_t)rows * columns * tile->nv * tile->vw +
           channels * image_of(g, rows, columns);
}

// Cycles of all chunks of this size, roughly.
static double cost_of(const struct conv_geometry *g, const struct tile *tile,
                      int channels, int rows, int columns)
{
    const int positions = rows * columns;
    const double tiles = conv_div_up(channels * g->r * g->s, tile->nj);
    const double region = (double)region_of(g, tile, channels, rows, columns);
    const double slower = fmax(1.0, 0.9 + 0.1 * region / BUDGET);

    return (tiles *
                ((double)positions * tile->nj * tile->nv + 12.0 * rows +
                 150.0) *
                fmin(slower, 1.5) +
            0.7 * region) *
           conv_div_up(g->p, rows) * conv_div_up(g->q, columns);
}

static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, struct conv_cut *cut)
{
    const struct tile tile = tile_of(host);
    const int block = tile.nv * tile.vw;
    const int c = g->c / g->groups, k = g->k / g->groups;
    const int blocks = conv_div_up(k, block), taps = c * g->r * g->s;
    const int most = 64 * 9 / (g->r * g->s);
    double best = INFINITY;
    int64_t items, chunks;

    *cut = (struct conv_cut){.rows = 1, .columns = 1};
    cut->channels = conv_div_up(most > 64 ? most : 64, tile.nj) * tile.nj;
    if (cut->channels > c)
        cut->channels = c;
    for (int n = 1; n <= g->q; n++) {
        const int columns = conv_div_up(g->q, n);

        for (int rows = 1; rows <= g->p && rows * columns <= POSITIONS;
             rows++) {
            const double cost = cost_of(g, &tile, cut->channels, rows, columns);

            if (cost < best) {
                best = cost;
                cut->rows = rows;
                cut->columns = columns;
            }
        }
        if (n >= 64 && columns <= POSITIONS)
            break;
    }
    chunks = (int64_t)g->n * conv_div_up(g->p, cut->rows) *
             conv_div_up(g->q, cut->columns);
    items = (int64_t)g->groups * blocks * conv_div_up(c, cut->channels);
    cut->parts = 1;
    while (items * cut->parts < MIN_ITEMS && cut->parts < chunks &&
           cut->parts < MAX_PARTS)
        cut->parts++;
    cut->items = (int)(items * cut->parts);
    cut->n_workers = conv_workers(host, cut->items);
    cut->region = region_of(g, &tile, cut->channels, cut->rows, cut->columns);
    cut->partial_at = (int64_t)cut->parts * g->k;
    cut->region_at = cut->partial_at + (int64_t)cut->parts * g->groups *
                                           blocks * block *
                                           conv_div_up(taps, tile.nj) * tile.nj;
}

void conv_dweight_workspace(const struct lam_host *host,
                            const struct conv_geometry *g, int64_t *scratch)
{
    const int64_t plain = conv_plain_scratch(host, g);
    struct conv_cut cut;

    choose_cut(host, g, &cut);
    *scratch = 4 * (cut.region_at + cut.region * cut.n_workers);
    if (*scratch < plain)
        *scratch = plain;
}

int conv_dweight_prepare(const struct lam_host *host,
                         const struct conv_geometry *g,
                         struct conv_direct *direct)
{
    const struct tile tile = tile_of(host);
    char options[64];
    int err;

    choose_cut(host, g, &direct->cut);
    snprintf(options, sizeof(options), "-DVW=%d -DNJ=%d -DNV=%d", tile.vw,
             tile.nj, tile.nv);
    err = host->kernel(host, conv_dweight_cl, "conv_dweight", options,
                       &direct->run);
    return err ? err
               : host->kernel(host, conv_dweight_cl, "conv_dweight_sum",
                              options, &direct->reduce);
}

static int sum_parts(const struct lam_host *host, const struct conv_geometry *g,
                     const struct conv_direct *direct, const struct lam_io *io)
{
    const struct tile tile = tile_of(host);
    const int k = g->k / g->groups, taps = g->c / g->groups * g->r * g->s;
    const size_t global[3] = {
        (size_t)conv_div_up(taps, tile.vw),
        (size_t)(g->groups * conv_div_up(k, tile.nv * tile.vw)), 1};
    // Its private sums are large: many items of a group would not fit a stack.
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->scratch),
                                   LAM_ARG_LONG(direct->cut.partial_at),
                                   LAM_ARG_TENSOR(&io->d_weight[0]),
                                   LAM_ARG_INT(direct->cut.parts),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(k),
                                   LAM_ARG_INT(taps)};

    return host->launch(host, direct->reduce, args, 7, global, local);
}

int conv_dweight_run(const struct lam_host *host,
                     const struct conv_plain *plain,
                     const struct conv_geometry *g,
                     const struct conv_direct *direct,
                     const struct lam_tensor *big,
                     const struct lam_tensor *small, const struct lam_io *io,
                     const struct lam_tensor *d_bias)
{
    const struct conv_cut *cut = &direct->cut;
    const size_t global[3] = {(size_t)cut->n_workers, 1, 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(big),
                                   LAM_ARG_TENSOR(small),
                                   LAM_ARG_TENSOR(&io->scratch),
                                   LAM_ARG_INT(d_bias != NULL),
                                   LAM_ARG_LONG(cut->partial_at),
                                   LAM_ARG_LONG(cut->region_at),
                                   LAM_ARG_LONG(cut->region),
                                   LAM_ARG_TURNS(),
                                   LAM_ARG_INT(cut->items),
                                   LAM_ARG_INT(g->n),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(g->c / g->groups),
                                   LAM_ARG_INT(g->h),
                                   LAM_ARG_INT(g->w),
                                   LAM_ARG_INT(g->k / g->groups),
                                   LAM_ARG_INT(g->p),
                                   LAM_ARG_INT(g->q),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(g->dh),
                                   LAM_ARG_INT(g->dw),
                                   LAM_ARG_INT(g->top),
                                   LAM_ARG_INT(g->left),
                                   LAM_ARG_INT(lam_pitch(big)),
                                   LAM_ARG_INT(lam_pitch(small)),
                                   LAM_ARG_INT(cut->rows),
                                   LAM_ARG_INT(cut->columns),
                                   LAM_ARG_INT(cut->channels),
                                   LAM_ARG_INT(cut->parts)};
    int err = host->launch(host, direct->run, args, 31, global, local);

    if (!err)
        err = sum_parts(host, g, direct, io);
    return err || !d_bias ? err
                          : conv_plain_reduce(host, plain, &io->scratch, d_bias,
                                              g->k, cut->parts);
}
