// Convolution as a product of matrices that reads the image itself, for GPUs.
#include "conv.h"

#include <limits.h>
#include <stdio.h>

#include "conv_implicit.cl.h"

enum {
    MAX_TAPS = 256,   // of a kernel
    DEPTH = 16,       // as in conv_implicit.cl
    MIN_GROUPS = 256, // enough for the largest GPUs; by the shapes alone
    MAX_PARTS = 64
};

// Whether work-groups of so many work-items a side do.
static bool fits(const struct lam_host *host, int side)
{
    const int64_t bytes = host->real == LAM_F64 ? 8 : 4;
    const int64_t local =
        DEPTH * (8 * side + 1) * bytes + (3 * MAX_TAPS + 1) * 4;

    return side * side <= host->device.max_work_group &&
           local <= (int64_t)host->device.local_bytes;
}

// Of a device that 8 fit.
static int side_of(const struct lam_host *host)
{
    return fits(host, 16) ? 16 : 8;
}

int conv_implicit_score(const struct lam_host *host,
                        const struct conv_geometry *g)
{
    const int64_t big = (int64_t)g->c * g->h * g->w;
    const int64_t small = (int64_t)g->k * g->p * g->q;

    if (g->r * g->s > MAX_TAPS || big > INT_MAX || small > INT_MAX ||
        !fits(host, 8))
        return 0;
    if (host->device.kind != LAM_DEVICE_GPU)
        // Never taken on a processor, but checked there on small images.
        return (big + small) * g->n < 1 << 16 ? 1 : 0;
    // A product by itself where each result reads one place.
    return g->r * g->s == 1 && g->sh * g->sw == 1 && g->top + g->left == 0 ? 4
                                                                           : 8;
}

// Parts of the sum over places, by the shapes alone.
static int parts_of(const struct conv_geometry *g)
{
    const int64_t places = (int64_t)g->n * g->p * g->q;
    const int64_t tiles =
        (int64_t)conv_div_up(g->k / g->groups, 64) *
        conv_div_up((int64_t)g->c / g->groups * g->r * g->s, 64) * g->groups;
    int64_t parts = conv_div_up(MIN_GROUPS, tiles);

    if (parts > places / (8 * DEPTH))
        parts = places / (8 * DEPTH);
    return parts < 1 ? 1 : parts > MAX_PARTS ? MAX_PARTS : (int)parts;
}

static int64_t weights_of(const struct conv_geometry *g)
{
    return (int64_t)g->k * (g->c / g->groups) * g->r * g->s;
}

void conv_implicit_workspace(const struct lam_host *host,
                             const struct conv_geometry *g, int64_t *scratch)
{
    const int64_t plain = conv_plain_scratch(host, g);

    *scratch = weights_of(g) * parts_of(g) * (host->real == LAM_F64 ? 8 : 4);
    if (*scratch < plain)
        *scratch = plain;
}

int conv_implicit_prepare(const struct lam_host *host,
                          const struct conv_geometry *g,
                          struct conv_implicit *implicit)
{
    char options[64];
    int err;

    snprintf(options, sizeof(options), "-DSIDE=%d -DMAX_TAPS=%d%s",
             side_of(host), MAX_TAPS, g->halves);
    err = host->kernel(host, conv_implicit_cl, "conv_implicit", options,
                       &implicit->run);
    return err ? err
               : host->kernel(host, conv_implicit_cl, "conv_implicit_weight",
                              options, &implicit->weight);
}

int conv_implicit_run(
    const struct lam_host *host, const struct conv_implicit *implicit,
    const struct conv_geometry *g, int made, const struct lam_tensor *src,
    const struct lam_tensor *weight, const struct lam_tensor *bias,
    const struct lam_tensor *gate, const struct lam_tensor *dst, double least)
{
    const bool is_big = made == CONV_BIG;
    const int side = side_of(host), tile = 4 * side;
    const int c = (is_big ? g->k : g->c) / g->groups;
    const int k = (is_big ? g->c : g->k) / g->groups;
    const int p = is_big ? g->h : g->p, q = is_big ? g->w : g->q;
    const int ya = is_big ? g->sh : 1, yb = is_big ? g->sw : 1;
    const int64_t places =
        (int64_t)g->n * conv_div_up(p, ya) * conv_div_up(q, yb);
    const size_t global[3] = {(size_t)conv_div_up(places, tile) * (size_t)side,
                              (size_t)conv_div_up(k, tile) * (size_t)side,
                              (size_t)(g->groups * ya * yb)};
    const size_t local[3] = {(size_t)side, (size_t)side, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(src),
                                   LAM_ARG_TENSOR(weight),
                                   LAM_ARG_TENSOR(bias),
                                   LAM_ARG_TENSOR(gate),
                                   LAM_ARG_TENSOR(dst),
                                   LAM_ARG_INT(g->n),
                                   LAM_ARG_INT(g->groups),
                                   LAM_ARG_INT(c),
                                   LAM_ARG_INT(is_big ? g->p : g->h),
                                   LAM_ARG_INT(is_big ? g->q : g->w),
                                   LAM_ARG_INT(k),
                                   LAM_ARG_INT(p),
                                   LAM_ARG_INT(q),
                                   LAM_ARG_INT(g->r),
                                   LAM_ARG_INT(g->s),
                                   LAM_ARG_INT(g->sh),
                                   LAM_ARG_INT(g->sw),
                                   LAM_ARG_INT(g->dh),
                                   LAM_ARG_INT(g->dw),
                                   LAM_ARG_INT(g->top),
                                   LAM_ARG_INT(g->left),
                                   LAM_ARG_INT(is_big),
                                   LAM_ARG_INT(lam_pitch(src)),
                                   LAM_ARG_INT(lam_pitch(dst)),
                                   LAM_ARG_INT(gate ? lam_pitch(gate) : 0),
                                   LAM_ARG_REAL(least)};

    return host->launch(host, implicit->run, args, 26, global, local);
}

int conv_implicit_weight(
    const struct lam_host *host, const struct conv_implicit *implicit,
    const struct conv_plain *plain, const struct conv_geometry *g,
    const struct lam_tensor *big, const struct lam_tensor *small,
    const struct lam_tensor *scratch, const struct lam_tensor *d_weight)
{
    const int side = side_of(host), tile = 4 * side, parts = parts_of(g);
    const int c = g->c / g->groups, k = g->k / g->groups;
    const size_t global[3] = {
        (size_t)conv_div_up((int64_t)c * g->r * g->s, tile) * (size_t)side,
        (size_t)conv_div_up(k, tile) * (size_t)side,
        (size_t)(g->groups * parts)};
    const size_t local[3] = {(size_t)side, (size_t)side, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(big),
        LAM_ARG_TENSOR(small),
        LAM_ARG_TENSOR(parts > 1 ? scratch : d_weight),
        LAM_ARG_INT(g->n),
        LAM_ARG_INT(g->groups),
        LAM_ARG_INT(c),
        LAM_ARG_INT(g->h),
        LAM_ARG_INT(g->w),
        LAM_ARG_INT(k),
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
        LAM_ARG_INT(parts)};
    const int err =
        host->launch(host, implicit->weight, args, 22, global, local);

    return err || parts == 1 ? err
                             : conv_plain_reduce(host, plain, scratch, d_weight,
                                                 weights_of(g), parts);
}
