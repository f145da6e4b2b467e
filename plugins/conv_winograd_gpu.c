// 3x3 convolutions of stride 1 by Winograd's F(m x m, 3x3) on GPUs, all three
// passes: how the work is cut, and the launches.
#include "conv.h"

#include <limits.h>
#include <stdio.h>

#include "conv_winograd_gpu.cl.h"

enum {
    DEPTH = 16,             // as in conv_winograd_gpu.cl
    MAX_SCRATCH = 64 << 20, // bytes of the tiles held at once, about
    MIN_GROUPS = 256,       // of a product; enough for the largest GPUs
    MAX_PARTS = 64,         // of the sums of the weight's gradient
    MIN_LENGTH = 8 * DEPTH  // tiles of a part
};

// How a pass is cut: but for the side of a group, by the shapes alone, as the
// order of the sums depends on it.
struct cut {
    struct conv_pass pass;
    int side, each; // of a work-group, and results of an item down and across
    int down, across, tiles;      // of a sub-grid; of all images
    int cp, kp, tp;               // padded sizes
    int parts, length;            // of the sums, and tiles of one
    int64_t source, result, sums; // floats
};

static int round_up(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b * b);
}

// Whether work-groups of so many work-items a side do, each with each * each
// results.
static bool fits(const struct lam_host *host, int side, int each)
{
    return side * side <= host->device.max_work_group &&
           4 * DEPTH * 2 * (side * each + 1) <= host->device.local_bytes;
}

static int64_t tiles_of(const struct conv_geometry *g,
                        const struct conv_pass *p, int m)
{
    return (int64_t)g->n * g->dh * g->dw *
           conv_div_up(conv_div_up(p->p, g->dh), m) *
           conv_div_up(conv_div_up(p->q, g->dw), m);
}

static void choose_cut(const struct lam_host *host,
                       const struct conv_geometry *g, int made, int m,
                       struct cut *cut)
{
    const int points = (m + 2) * (m + 2);
    const bool is_weight = made == CONV_WEIGHT;
    int64_t per_tile;
    int tile;

    *cut = (struct cut){.parts = 1};
    cut->pass = conv_pass(g, is_weight ? CONV_SMALL : made);
    cut->down = conv_div_up(conv_div_up(cut->pass.p, g->dh), m);
    cut->across = conv_div_up(conv_div_up(cut->pass.q, g->dw), m);
    cut->tiles = (int)tiles_of(g, &cut->pass, m);
    cut->each = cut->pass.k >= 128 &&
                        (is_weight ? cut->pass.c >= 128 : cut->tiles >= 1024)
                    ? 8
                    : 4;
    if (!fits(host, 8, cut->each))
        cut->each = 4;
    cut->side = fits(host, 16, cut->each) ? 16 : 8;
    // Padded for the larger group, so that the smaller adds in the same order.
    tile = 16 * cut->each;
    cut->kp = round_up(cut->pass.k, tile);
    cut->cp = round_up(cut->pass.c, is_weight ? tile : DEPTH);
    per_tile = (int64_t)points * g->groups * (cut->cp + cut->kp);
    cut->tp = round_up(cut->tiles, tile);
    if (cut->tp > MAX_SCRATCH / 4 / per_tile)
        cut->tp = (int)(MAX_SCRATCH / 4 / per_tile / tile) * tile;
    if (cut->tp < tile)
        cut->tp = tile;
    cut->source = (int64_t)points * g->groups * cut->cp * cut->tp;
    cut->result = (int64_t)points * g->groups * cut->kp * cut->tp;
    if (is_weight) {
        const int64_t matrix = (int64_t)points * g->groups * cut->kp * cut->cp;

        cut->parts = conv_div_up(MIN_GROUPS, matrix / ((int64_t)tile * tile));
        if (cut->parts > cut->tp / MIN_LENGTH)
            cut->parts = cut->tp / MIN_LENGTH;
        cut->parts = cut->parts < 1           ? 1
                     : cut->parts > MAX_PARTS ? MAX_PARTS
                                              : cut->parts;
        cut->length = round_up(conv_div_up(cut->tp, cut->parts), DEPTH);
        cut->parts = conv_div_up(cut->tp, cut->length);
        cut->sums = cut->parts * matrix;
    }
}

// Multiply-adds and numbers moved against the multiply-adds of the plain
// algorithm. A number moved to or from memory counts as WAIT of them: about the
// balance of GPUs' arithmetic and memory, not measured on any.
static double cost_of(const struct lam_host *host,
                      const struct conv_geometry *g, int made, int m)
{
    enum { WAIT = 32 };
    struct cut cut;
    double tiles, points = (m + 2) * (m + 2), direct;

    choose_cut(host, g, made, m, &cut);
    tiles = round_up(cut.tiles, 16 * cut.each);
    direct = 9.0 * cut.pass.c * cut.pass.k * g->n * cut.pass.p * cut.pass.q;
    return points *
           (tiles * cut.cp * cut.kp + 2.0 * WAIT * tiles * (cut.cp + cut.kp) +
            (double)WAIT * cut.parts * cut.cp * cut.kp) /
           direct;
}

int conv_winograd_gpu_score(const struct lam_host *host,
                            const struct conv_geometry *g, int made, int m)
{
    const int64_t big = (int64_t)g->c * g->h * g->w;
    const int64_t small = (int64_t)g->k * g->p * g->q;
    const struct conv_pass pass =
        conv_pass(g, made == CONV_WEIGHT ? CONV_SMALL : made);

    if (host->real != LAM_F32 || g->r != 3 || g->s != 3 || g->sh != 1 ||
        g->sw != 1 || big > INT_MAX || small > INT_MAX ||
        tiles_of(g, &pass, m) > 1 << 28 || !fits(host, 8, 4))
        return 0;
    if (host->device.kind != LAM_DEVICE_GPU)
        // Never taken on a processor, but checked there on small images.
        return (big + small) * g->n < 1 << 18 ? 1 : 0;
    return conv_winograd_rank(m, cost_of(host, g, made, 2),
                              cost_of(host, g, made, 4));
}

void conv_winograd_gpu_workspace(const struct lam_host *host,
                                 const struct conv_geometry *g, int made, int m,
                                 int64_t *scratch, int64_t *persist)
{
    const int points = (m + 2) * (m + 2);
    struct cut cut;

    choose_cut(host, g, made, m, &cut);
    *scratch = 4 * (cut.source + cut.result + cut.sums);
    if (made != CONV_WEIGHT)
        *persist = (int64_t)4 * points * g->groups * cut.cp * cut.kp;
    else if (*scratch < conv_plain_scratch(host, g))
        *scratch = conv_plain_scratch(host, g);
}

int conv_winograd_gpu_prepare(const struct lam_host *host,
                              const struct conv_geometry *g, int made, int m,
                              struct conv_winograd_gpu *state)
{
    const struct {
        const char *name;
        struct lam_kernel **kernel;
        bool is_weight, is_made;
    } wanted[] = {{"winograd_source", &state->source, true, true},
                  {"winograd_weights", &state->weights, false, true},
                  {"winograd_products", &state->products, false, true},
                  {"winograd_result", &state->result, false, true},
                  {"winograd_gradient", &state->result, true, false},
                  {"winograd_weight_products", &state->products, true, false},
                  {"winograd_weight_result", &state->weights, true, false}};
    char options[100];
    struct cut cut;
    int err = LAM_OK;

    choose_cut(host, g, made, m, &cut);
    state->m = m;
    state->packed = 0;
    snprintf(options, sizeof(options),
             "-DM=%d -DGROUP=%d -DROWS=%d -DCOLUMNS=%d%s", m, cut.side,
             cut.each, cut.each, g->halves);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && !err; i++)
        if (made == CONV_WEIGHT ? wanted[i].is_weight : wanted[i].is_made)
            err = host->kernel(host, conv_winograd_gpu_cl, wanted[i].name,
                               options, wanted[i].kernel);
    return err;
}

static int run_source(const struct lam_host *host,
                      const struct conv_geometry *g,
                      const struct conv_winograd_gpu *state,
                      const struct cut *cut, const struct lam_tensor *src,
                      const struct lam_tensor *scratch, int first, int tiles)
{
    const struct conv_pass *p = &cut->pass;
    const size_t global[3] = {(size_t)cut->tp, (size_t)cut->cp,
                              (size_t)g->groups};
    const size_t local[3] = {64, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(src),         LAM_ARG_TENSOR(scratch),
        LAM_ARG_INT(lam_pitch(src)), LAM_ARG_INT(first),
        LAM_ARG_INT(tiles),          LAM_ARG_INT(p->c),
        LAM_ARG_INT(p->h),           LAM_ARG_INT(p->w),
        LAM_ARG_INT(cut->down),      LAM_ARG_INT(cut->across),
        LAM_ARG_INT(g->dh),          LAM_ARG_INT(g->dw),
        LAM_ARG_INT(p->top),         LAM_ARG_INT(p->left)};

    return host->launch(host, state->source, args, 14, global, local);
}

static int run_weights(const struct lam_host *host,
                       const struct conv_geometry *g, int made,
                       const struct conv_winograd_gpu *state,
                       const struct cut *cut, const struct lam_io *io)
{
    const size_t global[3] = {(size_t)cut->kp, (size_t)cut->cp,
                              (size_t)g->groups};
    const size_t local[3] = {64, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->weight[0]), LAM_ARG_TENSOR(&io->persist),
        LAM_ARG_INT(cut->pass.c), LAM_ARG_INT(cut->pass.k),
        LAM_ARG_INT(made == CONV_BIG)};

    return host->launch(host, state->weights, args, 5, global, local);
}

// The product of a chunk of tiles, and back.
static int run_products(const struct lam_host *host,
                        const struct conv_geometry *g,
                        const struct conv_winograd_gpu *state,
                        const struct cut *cut, const struct lam_io *io)
{
    const int points = (state->m + 2) * (state->m + 2);
    const int tile = cut->side * cut->each;
    const size_t side = (size_t)cut->side;
    const size_t global[3] = {(size_t)(cut->tp / tile) * side,
                              (size_t)(cut->kp / tile) * side,
                              (size_t)points * (size_t)g->groups};
    const size_t local[3] = {side, side, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(&io->persist), LAM_ARG_TENSOR(&io->scratch),
        LAM_ARG_LONG(cut->source),    LAM_ARG_INT(cut->cp),
        LAM_ARG_INT(cut->kp),         LAM_ARG_INT(cut->tp)};

    return host->launch(host, state->products, args, 6, global, local);
}

int conv_winograd_gpu_run(const struct lam_host *host,
                          const struct conv_geometry *g, int made,
                          struct conv_winograd_gpu *state,
                          const struct lam_tensor *src,
                          const struct lam_tensor *bias,
                          const struct lam_tensor *dst, const struct lam_io *io,
                          double least)
{
    const size_t local[3] = {64, 1, 1};
    const struct lam_tensor *gate = conv_gate_of(io);
    struct cut cut;
    int err = LAM_OK;

    choose_cut(host, g, made, state->m, &cut);
    if (state->packed != io->weights_version)
        err = run_weights(host, g, made, state, &cut, io);
    if (!err)
        state->packed = io->weights_version;
    for (int first = 0; first < cut.tiles && !err; first += cut.tp) {
        const int tiles =
            cut.tiles - first < cut.tp ? cut.tiles - first : cut.tp;
        const size_t global[3] = {(size_t)cut.tp, (size_t)cut.pass.k,
                                  (size_t)g->groups};
        const struct lam_arg args[] = {LAM_ARG_TENSOR(&io->scratch),
                                       LAM_ARG_LONG(cut.source),
                                       LAM_ARG_TENSOR(bias),
                                       LAM_ARG_TENSOR(gate),
                                       LAM_ARG_TENSOR(dst),
                                       LAM_ARG_INT(lam_pitch(dst)),
                                       LAM_ARG_INT(gate ? lam_pitch(gate) : 0),
                                       LAM_ARG_INT(first),
                                       LAM_ARG_INT(tiles),
                                       LAM_ARG_INT(cut.kp),
                                       LAM_ARG_INT(cut.pass.p),
                                       LAM_ARG_INT(cut.pass.q),
                                       LAM_ARG_INT(cut.down),
                                       LAM_ARG_INT(cut.across),
                                       LAM_ARG_INT(g->dh),
                                       LAM_ARG_INT(g->dw),
                                       LAM_ARG_REAL(least)};

        err = run_source(host, g, state, &cut, src, &io->scratch, first, tiles);
        if (!err)
            err = run_products(host, g, state, &cut, io);
        if (!err)
            err = host->launch(host, state->result, args, 17, global, local);
    }
    return err;
}

static int run_gradient(const struct lam_host *host,
                        const struct conv_geometry *g,
                        const struct conv_winograd_gpu *state,
                        const struct cut *cut, const struct lam_tensor *dy,
                        const struct lam_tensor *scratch, int first, int tiles)
{
    const struct conv_pass *p = &cut->pass;
    const size_t global[3] = {(size_t)cut->tp, (size_t)cut->kp,
                              (size_t)g->groups};
    const size_t local[3] = {64, 1, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(dy),        LAM_ARG_TENSOR(scratch),
        LAM_ARG_LONG(cut->source), LAM_ARG_INT(lam_pitch(dy)),
        LAM_ARG_INT(first),        LAM_ARG_INT(tiles),
        LAM_ARG_INT(p->k),         LAM_ARG_INT(p->p),
        LAM_ARG_INT(p->q),         LAM_ARG_INT(cut->down),
        LAM_ARG_INT(cut->across),  LAM_ARG_INT(g->dh),
        LAM_ARG_INT(g->dw)};

    return host->launch(host, state->result, args, 13, global, local);
}

static int run_weight_products(const struct lam_host *host,
                               const struct conv_geometry *g,
                               const struct conv_winograd_gpu *state,
                               const struct cut *cut,
                               const struct lam_tensor *scratch, bool adds)
{
    const int points = (state->m + 2) * (state->m + 2);
    const int tile = cut->side * cut->each;
    const size_t side = (size_t)cut->side;
    const size_t global[3] = {
        (size_t)(cut->cp / tile) * side, (size_t)(cut->kp / tile) * side,
        (size_t)points * (size_t)g->groups * (size_t)cut->parts};
    const size_t local[3] = {side, side, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(scratch),
                                   LAM_ARG_LONG(cut->source),
                                   LAM_ARG_LONG(cut->source + cut->result),
                                   LAM_ARG_INT(cut->kp),
                                   LAM_ARG_INT(cut->cp),
                                   LAM_ARG_INT(cut->tp),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(cut->length),
                                   LAM_ARG_INT(adds)};

    return host->launch(host, state->products, args, 9, global, local);
}

int conv_winograd_gpu_weight(const struct lam_host *host,
                             const struct conv_geometry *g,
                             const struct conv_winograd_gpu *state,
                             const struct lam_tensor *big,
                             const struct lam_tensor *small,
                             const struct lam_tensor *scratch,
                             const struct lam_tensor *d_weight)
{
    const size_t local[3] = {16, 1, 1};
    struct cut cut;
    int err = LAM_OK;

    choose_cut(host, g, CONV_WEIGHT, state->m, &cut);
    for (int first = 0; first < cut.tiles && !err; first += cut.tp) {
        const int tiles =
            cut.tiles - first < cut.tp ? cut.tiles - first : cut.tp;

        err = run_source(host, g, state, &cut, big, scratch, first, tiles);
        if (!err)
            err = run_gradient(host, g, state, &cut, small, scratch, first,
                               tiles);
        if (!err)
            err = run_weight_products(host, g, state, &cut, scratch, first > 0);
    }
    if (!err) {
        const size_t global[3] = {(size_t)round_up(cut.pass.c, 16),
                                  (size_t)cut.pass.k, (size_t)g->groups};
        const struct lam_arg args[] = {
            LAM_ARG_TENSOR(scratch),  LAM_ARG_LONG(cut.source + cut.result),
            LAM_ARG_TENSOR(d_weight), LAM_ARG_INT(cut.pass.c),
            LAM_ARG_INT(cut.pass.k),  LAM_ARG_INT(cut.cp),
            LAM_ARG_INT(cut.kp),      LAM_ARG_INT(cut.parts)};

        err = host->launch(host, state->weights, args, 8, global, local);
    }
    return err;
}
