// The weight's gradient by Winograd's F(M x M, 3x3) and by F(4x4, 2x2) of each
// phase of a stride on processors: how the work is cut.
#include "conv.h"

#include <stdio.h>

#include "conv_winograd_weight.cl.h"

enum {
    PAD = 16,              // floats, as in conv_winograd_weight.cl
    BLOCK = 128,           // most channels and filters of an item
    COLUMNS = 64,          // of a segment, about
    BUDGET = 640 * 1024,   // floats of a region that a cache keeps
    TILES = 128,           // most of a region
    MIN_ITEMS = 16,        // so that cores share the work
    SUMS = 3 * 1024 * 1024 // floats of all parts' sums, about
};

// Registers of a tile: channels x vectors x width of a vector.
struct tile {
    int nj, nv, vw;
};

static int round_up(int a, int b)
{
    return conv_div_up(a, b) * b;
}

static int least(int a, int b)
{
    return a < b ? a : b;
}

static struct tile tile_of(const struct lam_host *host)
{
    const int width = host->device.vector_width;

    return width >= 16  ? (struct tile){8, 2, 16}
           : width >= 8 ? (struct tile){4, 3, 8}
                        : (struct tile){4, 3, 4};
}

// Of a phase, in each direction.
static int taps_of(const struct conv_geometry *g)
{
    return conv_div_up(g->r, g->sh);
}

// Channels of an item at most: fewer where each has several phases.
static int most_channels(const struct lam_host *host,
                         const struct conv_geometry *g)
{
    return round_up(BLOCK / g->sh, tile_of(host).vw);
}

// Parts are cut by the shapes alone, as results depend on them; the blocks of
// channels and filters by the cores as well.
static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, int m,
                       struct conv_cut *cut)
{
    const struct tile tile = tile_of(host);
    const int taps = taps_of(g), side = m + taps - 1, phases = g->sh * g->sw;
    const int points = side * side, block = tile.nv * tile.vw;
    const int more = (taps - 1) * g->dw;
    const int c = g->c / g->groups, k = g->k / g->groups;
    const int down = g->dh * conv_div_up(conv_div_up(g->p, g->dh), m);
    const int across = conv_div_up(conv_div_up(g->q, g->dw), m);
    const int most = (COLUMNS - more) / (m * g->dw);
    const int pieces = conv_div_up(across, most > 1 ? most : 1);
    const int t = conv_div_up(across, pieces);
    const int width = t * m * g->dw;
    const int segments = g->n * down * conv_div_up(g->q, width);
    const int64_t sums = (int64_t)points * g->groups * round_up(k, block) *
                         phases * round_up(c, tile.nj);
    int pitch, tiles, blocks;

    *cut = (struct conv_cut){.m = m, .columns = t, .parts = 1};
    cut->channels = least(round_up(c, tile.vw), most_channels(host, g));
    cut->filters = least(round_up(k, block), BLOCK / block * block);
    cut->rows = BUDGET / (points * (phases * cut->channels + cut->filters)) /
                (t * g->dw);
    cut->rows = least(cut->rows, TILES / (t * g->dw));
    cut->rows = least(cut->rows, segments);
    if (cut->rows < 1)
        cut->rows = 1;
    blocks = g->groups * conv_div_up(c, most_channels(host, g)) *
             conv_div_up(k, BLOCK);
    while (blocks * cut->parts < MIN_ITEMS &&
           2 * cut->parts * cut->rows <= segments &&
           2 * cut->parts * sums <= SUMS)
        cut->parts *= 2;
    for (;;) {
        cut->items = cut->parts * g->groups * conv_div_up(c, cut->channels) *
                     conv_div_up(k, cut->filters);
        if (cut->items >= host->device.compute_units)
            break;
        if (cut->filters >= 2 * block)
            cut->filters = round_up(cut->filters / 2, block);
        else if (cut->channels >= 2 * tile.vw)
            cut->channels = round_up(cut->channels / 2, tile.vw);
        else
            break;
    }
    cut->n_workers = conv_workers(host, cut->items);
    pitch = round_up(width + more, tile.vw);
    tiles = cut->rows * t * g->dw;
    cut->region =
        (int64_t)side * pitch * tile.vw +
        points * ((int64_t)tiles * (phases * cut->channels + cut->filters) +
                  2 * PAD);
    cut->partial_at = (int64_t)cut->parts * g->k;
    cut->region_at = cut->partial_at + cut->parts * sums;
}

// Cycles of this kernel against those of conv_dweight, roughly.
static double cost_of(const struct lam_host *host,
                      const struct conv_geometry *g, int m)
{
    const struct tile tile = tile_of(host);
    const int c = g->c / g->groups, k = g->k / g->groups, taps = taps_of(g);
    const double points = (m + taps - 1) * (m + taps - 1);
    const double all =
        (double)conv_points(m, g->r, g->sh) * conv_points(m, g->s, g->sw);
    const double tiles = (double)g->n * g->dh *
                         conv_div_up(conv_div_up(g->p, g->dh), m) * g->dw *
                         conv_div_up(conv_div_up(g->q, g->dw), m);
    const double pairs =
        (double)round_up(c, tile.nj) * round_up(k, tile.nv * tile.vw);
    const double direct = (double)g->r * g->s * pairs * g->n * g->p * g->q;
    const double products = all * pairs * tiles * 1.15;
    // Strides are slower to read, and their sums do not stay in a cache.
    const double big_turns = taps == 2 ? 36.0 : 12.0;
    const double small_turns = taps == 2 ? 36.0 : 8.0;
    const double turns =
        tiles *
        (big_turns * all * conv_div_up(k, BLOCK) * c +
         small_turns * points * conv_div_up(c, most_channels(host, g)) * k);
    const double sums = (taps == 2 ? 33.0 : 16.0) * all * pairs;

    return (products + turns + sums) / direct;
}

static bool can_serve(const struct lam_host *host,
                      const struct conv_geometry *g)
{
    return conv_for_processor(host, g) &&
           (int64_t)g->n * g->p * g->q <= 1 << 28 &&
           (int64_t)g->h * g->w <= 1 << 28;
}

int conv_winograd_weight_score(const struct lam_host *host,
                               const struct conv_geometry *g, int m)
{
    if (!can_serve(host, g) || g->r != 3 || g->s != 3 || g->sh != 1 ||
        g->sw != 1)
        return 0;
    return conv_winograd_rank(m, cost_of(host, g, 2), cost_of(host, g, 4));
}

int conv_phases_weight_score(const struct lam_host *host,
                             const struct conv_geometry *g)
{
    if (!can_serve(host, g) || !conv_phases_serve(g))
        return 0;
    return cost_of(host, g, 4) < 0.9 ? 20 : 5;
}

void conv_winograd_weight_workspace(const struct lam_host *host,
                                    const struct conv_geometry *g, int m,
                                    int64_t *scratch)
{
    const int64_t plain = conv_plain_scratch(host, g);
    struct conv_cut cut;

    choose_cut(host, g, m, &cut);
    *scratch = 4 * (cut.region_at + cut.region * cut.n_workers);
    if (*scratch < plain)
        *scratch = plain;
}

int conv_winograd_weight_prepare(const struct lam_host *host,
                                 const struct conv_geometry *g, int m,
                                 struct conv_direct *direct)
{
    const struct tile tile = tile_of(host);
    char options[64];
    int err;

    choose_cut(host, g, m, &direct->cut);
    snprintf(options, sizeof(options),
             "-DM=%d -DTAPS=%d -DVW=%d -DNJ=%d -DNV=%d", m, taps_of(g), tile.vw,
             tile.nj, tile.nv);
    err = host->kernel(host, conv_winograd_weight_cl, "conv_winograd_weight",
                       options, &direct->run);
    return err ? err
               : host->kernel(host, conv_winograd_weight_cl,
                              "winograd_weight_sum", options, &direct->reduce);
}

static int sum_parts(const struct lam_host *host, const struct conv_geometry *g,
                     const struct conv_direct *direct, const struct lam_io *io)
{
    const struct tile tile = tile_of(host);
    const int c = g->c / g->groups, k = g->k / g->groups;
    const size_t global[3] = {(size_t)conv_div_up(c, tile.nj),
                              (size_t)conv_div_up(k, tile.nv * tile.vw),
                              (size_t)g->groups};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->scratch),
                                   LAM_ARG_LONG(direct->cut.partial_at),
                                   LAM_ARG_TENSOR(&io->d_weight[0]),
                                   LAM_ARG_INT(direct->cut.parts),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(c),
                                   LAM_ARG_INT(k),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw)};

    return host->launch(host, direct->reduce, args, 11, global, local);
}

int conv_winograd_weight_run(
    const struct lam_host *host, const struct conv_plain *plain,
    const struct conv_geometry *g, const struct conv_direct *direct,
    const struct lam_tensor *big, const struct lam_tensor *small,
    const struct lam_io *io, const struct lam_tensor *d_bias)
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
                                   LAM_ARG_INT(cut->columns),
                                   LAM_ARG_INT(cut->rows),
                                   LAM_ARG_INT(cut->channels),
                                   LAM_ARG_INT(cut->filters),
                                   LAM_ARG_INT(cut->parts)};
    int err = host->launch(host, direct->run, args, 32, global, local);

    if (!err)
        err = sum_parts(host, g, direct, io);
    return err || !d_bias ? err
                          : conv_plain_reduce(host, plain, &io->scratch, d_bias,
                                              g->k, cut->parts);
}
