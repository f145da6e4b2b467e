// The direct kernels for processors, that make small or big: how the work is
// cut, and the weights packed.
#include "conv.h"

#include <math.h>
#include <stdio.h>

#include "conv_direct.cl.h"

enum {
    MAX_TAPS = 256,      // of the kernel's table
    BUDGET = 128 * 1024, // floats of a region that a core's cache keeps
    SHALLOW = 16,        // channels x taps
    MIN_ITEMS = 8        // so that cores share the work of a small image
};

// One pass, seen from its result.
struct pass {
    int c, k;          // channels of a group of the source and the result
    int rows, columns; // of the grid of results, of one phase
    int more[2];       // rows and columns of the source beyond the results
    int shared;        // zeros at the end of a whole row and before the next
    int phases;        // of the source
    int height, width; // of the source
    int p, q;          // of the result
    int result_phases;
};

// Registers of a tile: vectors of filters, or of positions where filters are
// too few to fill one.
struct tile {
    int filters, positions;
    bool is_of_filters;
    int vw;
};

static int floor_div(int a, int b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

static int shared_zeros(int before, int more, int results, int source)
{
    const int after = results + more - before - source;
    const int both = before < after ? before : after;

    return both > 0 ? both : 0;
}

static struct pass pass_of(const struct conv_geometry *g, int made)
{
    const int reach[] = {(g->r - 1) * g->dh, (g->s - 1) * g->dw};
    const int from = floor_div(g->left - reach[1], g->sw);
    const int more = (g->sw - 1 + g->left) / g->sw - from;

    if (made == CONV_SMALL)
        return (struct pass){
            .c = g->c / g->groups,
            .k = g->k / g->groups,
            .rows = g->p,
            .columns = g->q,
            .more = {reach[0] / g->sh, reach[1] / g->sw},
            .shared =
                g->sw > 1 ? 0 : shared_zeros(g->left, reach[1], g->q, g->w),
            .phases = g->sh * g->sw,
            .height = g->h,
            .width = g->w,
            .p = g->p,
            .q = g->q,
            .result_phases = 1};
    return (struct pass){
        .c = g->k / g->groups,
        .k = g->c / g->groups,
        .rows = conv_div_up(g->h, g->sh),
        .columns = conv_div_up(g->w, g->sw),
        .more = {(g->sh - 1 + g->top) / g->sh -
                     floor_div(g->top - reach[0], g->sh),
                 more},
        .shared = shared_zeros(-from, more, conv_div_up(g->w, g->sw), g->q),
        .phases = 1,
        .height = g->p,
        .width = g->q,
        .p = g->h,
        .q = g->w,
        .result_phases = g->sh * g->sw};
}

// The result of a shallow product is written in the time that it takes, and
// vectors of positions lie as they are written.
static struct tile tile_of(const struct lam_host *host,
                           const struct conv_geometry *g, const struct pass *p)
{
    const struct conv_tile few = conv_tile(host);
    const int vw = few.vw, sums = vw == 16 ? 24 : 12;
    const int vectors = p->k > vw ? 2 : 1;
    const int depth = p->c * g->r * g->s / p->result_phases;

    if (p->k <= 2)
        return (struct tile){2, vw * (vw == 16 ? 6 : 4), false, vw};
    return depth <= SHALLOW
               ? (struct tile){few.kr, few.nv * vw, false, vw}
               : (struct tile){vectors * vw, sums / vectors, true, vw};
}

// Distance of the rows of a region.
static int pitch_of(const struct pass *p, int columns)
{
    return columns + p->more[1] - (columns == p->columns ? p->shared : 0);
}

static int64_t region_of(const struct pass *p, const struct tile *tile,
                         int rows, int columns)
{
    const int pitch = columns + p->more[1];
    const int64_t made =
        tile->is_of_filters
            ? (int64_t)(rows * pitch + tile->positions + tile->vw) *
                  tile->filters
            : 0;

    return made + (int64_t)p->c * p->phases * (rows + p->more[0]) * pitch +
           tile->positions;
}

// Cycles of all chunks of this size, roughly; images is how often they come.
static double cost_of(const struct pass *p, const struct tile *tile, int taps,
                      int images, int rows, int columns)
{
    const int width = tile->positions;
    const int length = (rows - 1) * pitch_of(p, columns) + columns;
    const double tiles = (double)conv_div_up(length, width) *
                         conv_div_up(p->k, tile->filters) * p->result_phases;
    const double per_tile = (double)p->c * taps / p->result_phases *
                                tile->filters * tile->positions / tile->vw +
                            100.0;
    const double region = (double)region_of(p, tile, rows, columns);
    const double slower = fmax(1.0, 0.9 + 0.1 * region / BUDGET);
    const double chunks =
        (double)conv_div_up(p->rows, rows) * conv_div_up(p->columns, columns);
    const double items = chunks * images * conv_div_up(p->k, tile->filters);

    return (tiles * per_tile * fmin(slower, 1.5) + 0.7 * region) * chunks *
           fmax(1.0, MIN_ITEMS / items);
}

static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, int made,
                       struct conv_cut *cut)
{
    const struct pass p = pass_of(g, made);
    const struct tile tile = tile_of(host, g, &p);
    const int units = host->device.compute_units;
    const int blocks = conv_div_up(p.k, tile.filters);
    double best = INFINITY;
    int64_t chunks;

    *cut = (struct conv_cut){.rows = 1, .columns = 1};
    for (int n = 1; n <= 64 && n <= p.columns; n++)
        for (int rows = 1; rows <= p.rows && rows <= 64; rows++) {
            const int columns = conv_div_up(p.columns, n);
            const double cost = cost_of(&p, &tile, g->r * g->s,
                                        g->n * g->groups, rows, columns);

            if (cost < best) {
                best = cost;
                cut->rows = rows;
                cut->columns = columns;
            }
        }
    chunks = (int64_t)g->n * g->groups * conv_div_up(p.rows, cut->rows) *
             conv_div_up(p.columns, cut->columns);
    cut->splits = 1;
    while (chunks * cut->splits < 8 * units && cut->splits < blocks)
        cut->splits++;
    cut->items = (int)(chunks * cut->splits);
    cut->n_workers = conv_workers(host, cut->items);
    cut->region = region_of(&p, &tile, cut->rows, cut->columns);
}

int conv_direct_score(const struct lam_host *host,
                      const struct conv_geometry *g, int made, bool training)
{
    (void)made;
    (void)training;
    return conv_for_processor(host, g) && g->r * g->s <= MAX_TAPS ? 10 : 0;
}

void conv_direct_workspace(const struct lam_host *host,
                           const struct conv_geometry *g, int made,
                           int64_t *scratch, int64_t *persist)
{
    const struct pass p = pass_of(g, made);
    const struct tile tile = tile_of(host, g, &p);
    struct conv_cut cut;

    choose_cut(host, g, made, &cut);
    *scratch = 4 * cut.region * cut.n_workers;
    *persist = (int64_t)4 * g->groups * conv_div_up(p.k, tile.filters) *
               tile.filters * p.c * g->r * g->s;
}

int conv_direct_prepare(const struct lam_host *host,
                        const struct conv_geometry *g, int made,
                        struct conv_direct *direct)
{
    const struct pass p = pass_of(g, made);
    const struct tile tile = tile_of(host, g, &p);
    char options[64];

    choose_cut(host, g, made, &direct->cut);
    if (tile.is_of_filters)
        snprintf(options, sizeof(options), "-DVW=%d -DNF=%d -DNP=%d", tile.vw,
                 tile.filters / tile.vw, tile.positions);
    else
        snprintf(options, sizeof(options), "-DVW=%d -DKR=%d -DNV=%d", tile.vw,
                 tile.filters, tile.positions / tile.vw);
    return conv_direct_kernels(host, conv_direct_cl, "conv_pack", "conv_direct",
                               options, direct);
}

static int pack(const struct lam_host *host, const struct conv_geometry *g,
                int made, const struct conv_direct *direct,
                const struct lam_io *io)
{
    const struct pass p = pass_of(g, made);
    const struct tile tile = tile_of(host, g, &p);
    const size_t global[3] = {
        (size_t)conv_div_up(p.c, 16),
        (size_t)(g->groups * conv_div_up(p.k, tile.filters)), 1};
    const size_t local[3] = {1, 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->weight[0]),
                                   LAM_ARG_TENSOR(&io->persist),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(p.c),
                                   LAM_ARG_INT(p.k),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(g->dh),
                                   LAM_ARG_INT(g->dw),
                                   LAM_ARG_INT(g->top),
                                   LAM_ARG_INT(g->left),
                                   LAM_ARG_INT(made == CONV_BIG)};

    return host->launch(host, direct->pack, args, 14, global, local);
}

int conv_direct_run(const struct lam_host *host, const struct conv_geometry *g,
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
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(p.c),
                                   LAM_ARG_INT(p.height),
                                   LAM_ARG_INT(p.width),
                                   LAM_ARG_INT(p.k),
                                   LAM_ARG_INT(p.p),
                                   LAM_ARG_INT(p.q),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(g->dh),
                                   LAM_ARG_INT(g->dw),
                                   LAM_ARG_INT(g->top),
                                   LAM_ARG_INT(g->left),
                                   LAM_ARG_INT(made == CONV_BIG),
                                   LAM_ARG_INT(lam_pitch(src)),
                                   LAM_ARG_INT(lam_pitch(dst)),
                                   LAM_ARG_INT(cut->rows),
                                   LAM_ARG_INT(cut->columns),
                                   LAM_ARG_INT(cut->splits),
                                   LAM_ARG_REAL(least)};
    int err = LAM_OK;

    if (direct->packed != io->weights_version)
        err = pack(host, g, made, direct, io);
    if (err)
        return err;
    direct->packed = io->weights_version;
    return host->launch(host, direct->run, args, 30, global, local);
}
