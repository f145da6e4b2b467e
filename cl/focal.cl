// focal: a cross-entropy that forgets the easy pixels, in two passes: sums over
// parts of images (see loss.cl), and the gradient.
//
// z [N, K, P] logits, y [N, P] labels, P pixels an image. sums: `items`
// numbers, of -a (1 - p)^gamma log p, p the probability of the label. One
// work-item per part of an image.
#include "loss.cl"

// Of a pack of pixels: weight a, log p, q = 1 - p, each with all its digits.
// The derivative of the loss by log p is slope.
struct focal_terms {
    pack a, log_p, q, slope;
};

// alpha < 0: a = 1. A label that is no class gives NaN.
struct focal_terms focal_at(const struct loss_softmax *s, const pack z,
                            const pack y, const int K, const real gamma,
                            const real alpha)
{
    struct focal_terms f;

    if (K == 1) {
        const pack u = y == REAL(1.0) ? z : -z;

        f.log_p = -loss_softplus(-u, (pack)(REAL(0.0)));
        f.log_p =
            y == REAL(0.0) || y == REAL(1.0) ? f.log_p : (pack)((real)NAN);
        f.q = loss_sigmoid(-u);
    } else {
        f.log_p = -s->loss;
        f.q = s->others / s->all;
    }
    f.a = y > REAL(0.0) ? (pack)(alpha) : (pack)(REAL(1.0) - alpha);
    f.a = alpha < REAL(0.0) ? (pack)(REAL(1.0)) : f.a;
    // log(1 - q) / q tends to -1.
    f.slope = f.q == REAL(0.0) ? (pack)(-REAL(1.0)) : f.log_p / f.q;
    f.slope = f.a * pow(f.q, (pack)(gamma)) *
              (gamma * exp(f.log_p) * f.slope - REAL(1.0));
    return f;
}

kernel void focal_sum(const global real *restrict z,
                      const global real *restrict y, global real *restrict sums,
                      const real gamma, const real alpha, const int K,
                      const long P, const long items, const int parts,
                      const int lanes, const int steps)
{
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    pack sum = (pack)(REAL(0.0)), lost = (pack)(REAL(0.0));
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const pack label = loss_load(y + n * P + i, P - i);
        const global real *at = z + n * K * P + i;
        struct loss_softmax s;
        struct focal_terms f;

        if (K > 1)
            s = loss_softmax_at(at, label, K, P, P - i);
        f = focal_at(&s, loss_load(at, P - i), label, K, gamma, alpha);
        loss_add(&sum, &lost,
                 -loss_mask(P - i) * f.a * pow(f.q, (pack)(gamma)) * f.log_p);
    }
    sums[id] = loss_total(sum, lost);
}

// loss = total / pixels
kernel void focal_finish(const global real *restrict sums, const long at,
                         global real *restrict loss, const long pixels)
{
    if (get_global_id(0) == 0)
        loss[0] = sums[at] / (real)pixels;
}

// d log p / dz_k = 1[k = y] - softmax_k; for one channel q, with the sign of
// the label.
kernel void focal_gradient(const global real *restrict z,
                           const global real *restrict y,
                           const global real *restrict d_loss,
                           global real *restrict dz, const real gamma,
                           const real alpha, const long pixels, const int K,
                           const long P, const long items, const int parts,
                           const int lanes, const int steps)
{
    const real factor = d_loss[0] / (real)pixels;
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const long left = P - i, at = n * K * P + i;
        const pack label = loss_load(y + n * P + i, left);
        struct loss_softmax s;
        struct focal_terms f;

        if (K > 1)
            s = loss_softmax_at(z + at, label, K, P, left);
        f = focal_at(&s, loss_load(z + at, left), label, K, gamma, alpha);
        if (K == 1)
            loss_store(factor * f.slope * (label == REAL(1.0) ? f.q : -f.q),
                       dz + at, left);
        for (int k = 0; k < K && K > 1; k++) {
            const pack e = exp(loss_load(z + at + k * P, left) - s.max);
            const pack d = label == (real)k ? s.others : -e;

            loss_store(factor * f.slope * d / s.all, dz + at + k * P, left);
        }
    }
}
