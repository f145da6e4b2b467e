// overlap: the losses soft_iou, dice and tversky, in two passes: sums over
// parts of images (see loss.cl), and the gradient from two numbers a group of
// images.
//
// z [N, K, P], y [N, P] labels, P pixels an image. p is the probability of
// foreground, t = min(y, 1). sums: `items` numbers of I = p t, then `items` of
// D = a q(p) + b q(t) + c p t, with q(x) = x or x^2. One work-item per part.
#include "loss.cl"

struct overlap_sizes {
    int K;
    long P;
    int is_logit, is_squared;
    real a, b, c;
};

// The probability of foreground at a pack of pixels; max and all are those of
// the softmax over K >= 2 logits.
pack overlap_p(const struct overlap_sizes *o, const global real *z,
               const long left, pack *max, pack *all)
{
    const pack first = loss_load(z, left);
    pack p = (pack)(REAL(0.0));

    if (o->K == 1)
        return o->is_logit ? loss_sigmoid(first) : first;
    if (!o->is_logit) {
        for (int k = 1; k < o->K; k++)
            p += loss_load(z + k * o->P, left);
        return p;
    }
    *max = loss_max(z, o->K, o->P, left);
    for (int k = 1; k < o->K; k++)
        p += exp(loss_load(z + k * o->P, left) - *max);
    *all = p + exp(first - *max);
    return p / *all;
}

// Any label above 0 is foreground; below 0 there is no label: NaN.
pack overlap_target(const pack y)
{
    return y < REAL(0.0) ? (pack)((real)NAN) : fmin(y, REAL(1.0));
}

kernel void overlap_sum(const global real *restrict z,
                        const global real *restrict y,
                        global real *restrict sums, const real a, const real b,
                        const real c, const int is_logit, const int is_squared,
                        const int K, const long P, const long items,
                        const int parts, const int lanes, const int steps)
{
    const struct overlap_sizes o = {K, P, is_logit, is_squared, a, b, c};
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    pack sum[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    pack lost[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        pack max, all;
        const pack mask = loss_mask(P - i);
        const pack t = overlap_target(loss_load(y + n * P + i, P - i));
        const pack p =
            mask * overlap_p(&o, z + n * K * P + i, P - i, &max, &all);
        const pack qp = is_squared ? p * p : p;
        const pack qt = is_squared ? t * t : t;

        loss_add(&sum[0], &lost[0], p * t);
        loss_add(&sum[1], &lost[1], a * qp + b * qt + c * p * t);
    }
    sums[id] = loss_total(sum[0], lost[0]);
    sums[items + id] = loss_total(sum[1], lost[1]);
}

// L = mean over `groups` of 1 - (n I + smooth) / (D + smooth); a group whose
// divisor is 0 has L = 1. slopes, if wanted: -dL/dI and -dL/dD of each group.
kernel void overlap_finish(const global real *restrict sums, const long at,
                           global real *restrict loss,
                           global real *restrict slopes, const real n,
                           const real smooth, const int groups)
{
    real total = REAL(0.0), lost = REAL(0.0);

    if (get_global_id(0) > 0)
        return;
    for (int g = 0; g < groups; g++) {
        const real over = n * sums[at + g] + smooth;
        const real by = sums[at + groups + g] + smooth;
        const bool is_empty = by == REAL(0.0);
        const real term = (is_empty ? REAL(1.0) : REAL(1.0) - over / by) - lost;
        const real sum = total + term;

        lost = (sum - total) - term;
        total = sum;
        if (slopes) {
            slopes[2 * g] = is_empty ? REAL(0.0) : n / by / groups;
            slopes[2 * g + 1] =
                is_empty ? REAL(0.0) : -(over / by) / by / groups;
        }
    }
    loss[0] = total / groups;
}

// dL/dp = -(slope_I t + slope_D (a q'(p) + c t)); through the softmax
// dp/dz_0 = -p softmax_0, dp/dz_k = softmax_k softmax_0.
kernel void overlap_gradient(const global real *restrict z,
                             const global real *restrict y,
                             const global real *restrict slopes,
                             const global real *restrict d_loss,
                             global real *restrict dz, const real a,
                             const real b, const real c, const int is_logit,
                             const int is_squared, const int per_image,
                             const int K, const long P, const long items,
                             const int parts, const int lanes, const int steps)
{
    const struct overlap_sizes o = {K, P, is_logit, is_squared, a, b, c};
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    const long g = per_image ? n : 0;
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const long left = P - i, at = n * K * P + i;
        pack max, all;
        const pack t = overlap_target(loss_load(y + n * P + i, left));
        const pack p = overlap_p(&o, z + at, left, &max, &all);
        const pack dq = is_squared ? REAL(2.0) * p : (pack)(REAL(1.0));
        const pack dp = -d_loss[0] * (slopes[2 * g] * t +
                                      slopes[2 * g + 1] * (a * dq + c * t));

        if (K == 1) {
            const pack slope = is_logit
                                   ? loss_sigmoid_slope(loss_load(z + at, left))
                                   : (pack)(REAL(1.0));

            loss_store(dp * slope, dz + at, left);
            continue;
        }
        if (is_logit) {
            const pack background = exp(loss_load(z + at, left) - max) / all;

            loss_store(-dp * p * background, dz + at, left);
            for (int k = 1; k < K; k++)
                loss_store(dp * background *
                               exp(loss_load(z + at + k * P, left) - max) / all,
                           dz + at + k * P, left);
        } else {
            loss_store((pack)(REAL(0.0)), dz + at, left);
            for (int k = 1; k < K; k++)
                loss_store(dp, dz + at + k * P, left);
        }
    }
}
