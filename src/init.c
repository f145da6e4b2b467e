#include "init.h"

#include <math.h>
#include <string.h>

#include "rng.h"
#include "shape.h"

static int fail(struct lam_context *ctx, const struct lam_weight *w,
                const char *wanted)
{
    static const char *const names[] = LAM_INIT_NAMES;
    char shape[128];

    return lam_fail(ctx, LAM_EPLUGIN,
                    "weight '%s' of shape %s cannot start as '%s': %s",
                    w->name ? w->name : "?",
                    lam_shape_print(&w->shape, shape, sizeof(shape)),
                    names[w->init], wanted);
}

// Redrawn beyond two deviations, each element from numbers of its own.
static double truncated(uint64_t seed, uint64_t i)
{
    const uint64_t own = lam_rng_bits(seed, i);
    uint64_t attempt = 0;
    double x;

    do {
        x = lam_rng_normal(own, attempt++);
    } while (fabs(x) > 2.0);
    return x;
}

static int fill_he(struct lam_context *ctx, const struct lam_weight *w,
                   uint64_t seed, double *dst)
{
    const int64_t n = lam_shape_elements(&w->shape);
    const double std = sqrt(2.0 / w->fan_in);

    if (!(w->fan_in > 0.0))
        return fail(ctx, w, "its fan-in is not positive");
    for (int64_t i = 0; i < n; i++)
        dst[i] = std * lam_rng_normal(seed, (uint64_t)i);
    return LAM_OK;
}

static int fill_uniform(struct lam_context *ctx, const struct lam_weight *w,
                        uint64_t seed, double *dst)
{
    const int64_t n = lam_shape_elements(&w->shape);
    const double fans = w->fan_in + w->fan_out;
    const bool is_glorot = w->init == LAM_INIT_GLOROT;
    const double limit = is_glorot ? sqrt(6.0 / fans) : w->scale;

    if (is_glorot && !(w->fan_in >= 0.0 && w->fan_out >= 0.0 && fans > 0.0))
        return fail(ctx, w, "its fan-in and fan-out are not positive");
    for (int64_t i = 0; i < n; i++)
        dst[i] = limit * (2.0 * lam_rng_unit(seed, (uint64_t)i) - 1.0);
    return LAM_OK;
}

// Each filter is drawn once and then repeated `group` times.
static int fill_icnr(struct lam_context *ctx, const struct lam_weight *w,
                     uint64_t seed, double *dst)
{
    const int64_t K = w->shape.dim[0];
    const int64_t filter = lam_shape_elements(&w->shape) / K;
    const double std = sqrt(2.0 / w->fan_in);

    if (!(w->fan_in > 0.0))
        return fail(ctx, w, "its fan-in is not positive");
    if (w->group < 1 || K % w->group != 0)
        return fail(ctx, w, "its filters are not a multiple of the group");
    for (int64_t k = 0; k < K; k++)
        for (int64_t i = 0; i < filter; i++)
            dst[k * filter + i] =
                std *
                lam_rng_normal(seed, (uint64_t)(k / w->group * filter + i));
    return LAM_OK;
}

// Tap i of n of a filter that interpolates linearly by f = (n + 1) / 2.
static double linear_tap(int64_t i, int64_t n)
{
    const int64_t half = (n + 1) / 2;
    const double f = (double)half;
    const double centre = n % 2 == 1 ? f - 1.0 : f - 0.5;

    return 1.0 - fabs((double)i - centre) / f;
}

static int fill_bilinear(struct lam_context *ctx, const struct lam_weight *w,
                         double *dst)
{
    const int64_t *dim = w->shape.dim;
    const int64_t n = lam_shape_elements(&w->shape);

    if (w->shape.rank != 4)
        return fail(ctx, w, "wanted the four sizes C x K x R x S");
    for (int64_t i = 0; i < n; i++) {
        const int64_t s = i % dim[3], r = i / dim[3] % dim[2];
        const int64_t k = i / (dim[3] * dim[2]) % dim[1];
        const int64_t c = i / (dim[3] * dim[2] * dim[1]);

        dst[i] = c == k || dim[1] == 1
                     ? linear_tap(r, dim[2]) * linear_tap(s, dim[3])
                     : 0.0;
    }
    return LAM_OK;
}

static int fill_identity(struct lam_context *ctx, const struct lam_weight *w,
                         double *dst)
{
    const int64_t *dim = w->shape.dim;
    const int64_t K = dim[0], C = dim[1], groups = w->group > 1 ? w->group : 1;
    const int64_t R = w->shape.rank == 4 ? dim[2] : 1;
    const int64_t S = w->shape.rank == 4 ? dim[3] : 1;

    if (w->shape.rank != 4 && w->shape.rank != 2)
        return fail(ctx, w, "wanted the sizes K x C x R x S or K x C");
    if (K % groups != 0)
        return fail(ctx, w, "its filters are not a multiple of the groups");
    memset(dst, 0, (size_t)(K * C * R * S) * sizeof(*dst));
    for (int64_t k = 0; k < K; k++) {
        const int64_t c = k - k / (K / groups) * C;

        if (c >= 0 && c < C)
            dst[((k * C + c) * R + (R - 1) / 2) * S + (S - 1) / 2] = 1.0;
    }
    return LAM_OK;
}

int lam_init_weight(struct lam_context *ctx, const struct lam_weight *weight,
                    uint64_t seed, double *dst)
{
    const int64_t n = lam_shape_elements(&weight->shape);

    switch (weight->init) {
    case LAM_INIT_ZEROS:
    case LAM_INIT_ONES:
        for (int64_t i = 0; i < n; i++)
            dst[i] = weight->init == LAM_INIT_ONES ? 1.0 : 0.0;
        return LAM_OK;
    case LAM_INIT_HE:
        return fill_he(ctx, weight, seed, dst);
    case LAM_INIT_TRUNCATED:
        for (int64_t i = 0; i < n; i++)
            dst[i] = weight->scale * truncated(seed, (uint64_t)i);
        return LAM_OK;
    case LAM_INIT_GLOROT:
    case LAM_INIT_UNIFORM:
        return fill_uniform(ctx, weight, seed, dst);
    case LAM_INIT_BILINEAR:
        return fill_bilinear(ctx, weight, dst);
    case LAM_INIT_ICNR:
        return fill_icnr(ctx, weight, seed, dst);
    case LAM_INIT_IDENTITY:
        return fill_identity(ctx, weight, dst);
    default:
        return lam_fail(ctx, LAM_EPLUGIN,
                        "weight '%s' asks for initialiser %d, which is none of "
                        "enum lam_init",
                        weight->name ? weight->name : "?", (int)weight->init);
    }
}
