// cross_entropy: the losses softmax_ce and sigmoid_ce, in two passes: sums over
// parts of images (see loss.cl), and the gradient from the divisor.
//
// z [N, K, P] logits, y [N, P] labels, P pixels an image. sums: `items` numbers
// of w * l, then `items` of the divisor: of w if `weighted`, else of the pixels
// with w != 0. One work-item per part of an image.
#include "loss.cl"

// Weights of the labels 0..7 and of those above; `ignore` weighs nothing.
struct cross_entropy_weights {
    real of[8], above;
    int ignore;
};

pack cross_entropy_weight(const struct cross_entropy_weights *w, const pack y,
                          const int K)
{
    pack weight = (pack)(w->above);

    for (int k = 0; k < min(K, 8); k++)
        weight = y == (real)k ? (pack)(w->of[k]) : weight;
    if (w->ignore >= 0)
        weight = y == (real)w->ignore ? (pack)(REAL(0.0)) : weight;
    return weight;
}

// Adds a pack of pixels; what weighs nothing adds nothing, whatever its loss.
void cross_entropy_add(pack *sum, pack *lost, const pack weight,
                       const pack loss, const int weighted)
{
    const pack none = (pack)(REAL(0.0));
    const pack one = (pack)(REAL(1.0));

    loss_add(&sum[0], &lost[0], weight == REAL(0.0) ? none : weight * loss);
    loss_add(&sum[1], &lost[1],
             weighted ? weight : (weight == REAL(0.0) ? none : one));
}

kernel void
softmax_ce_sum(const global real *restrict z, const global real *restrict y,
               global real *restrict sums, const real w0, const real w1,
               const real w2, const real w3, const real w4, const real w5,
               const real w6, const real w7, const real above, const int ignore,
               const int weighted, const int K, const long P, const long items,
               const int parts, const int lanes, const int steps)
{
    const struct cross_entropy_weights w = {
        {w0, w1, w2, w3, w4, w5, w6, w7}, above, ignore};
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    pack sum[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    pack lost[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const pack label = loss_load(y + n * P + i, P - i);
        const pack weight =
            loss_mask(P - i) * cross_entropy_weight(&w, label, K);
        const struct loss_softmax s =
            loss_softmax_at(z + n * K * P + i, label, K, P, P - i);

        cross_entropy_add(sum, lost, weight, s.loss, weighted);
    }
    sums[id] = loss_total(sum[0], lost[0]);
    sums[items + id] = loss_total(sum[1], lost[1]);
}

// dz_k = d_loss / divisor * w * (softmax_k - 1[k = y])
kernel void softmax_ce_gradient(
    const global real *restrict z, const global real *restrict y,
    const global real *restrict divisor, const global real *restrict d_loss,
    global real *restrict dz, const real w0, const real w1, const real w2,
    const real w3, const real w4, const real w5, const real w6, const real w7,
    const real above, const int ignore, const int K, const long P,
    const long items, const int parts, const int lanes, const int steps)
{
    const struct cross_entropy_weights w = {
        {w0, w1, w2, w3, w4, w5, w6, w7}, above, ignore};
    const real factor =
        divisor[0] == REAL(0.0) ? REAL(0.0) : d_loss[0] / divisor[0];
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const pack label = loss_load(y + n * P + i, P - i);
        const pack weight = cross_entropy_weight(&w, label, K);
        const struct loss_softmax s =
            loss_softmax_at(z + n * K * P + i, label, K, P, P - i);
        // NaN where the label is no class.
        const pack scale =
            weight == REAL(0.0)
                ? (pack)(REAL(0.0))
                : factor * weight * (s.loss == s.loss ? REAL(1.0) : s.loss);

        for (int k = 0; k < K; k++) {
            const long at = (n * K + k) * P + i;
            const pack e = exp(loss_load(z + at, P - i) - s.max);
            const pack d = label == (real)k ? -s.others : e;

            loss_store(scale * d / s.all, dz + at, P - i);
        }
    }
}

// A label outside [0, 1] gives NaN.
pack sigmoid_ce_weight(const pack y, const real positive, const int ignore)
{
    const pack inside = REAL(1.0) + (positive - REAL(1.0)) * y;
    pack weight = y < REAL(0.0) ? (pack)((real)NAN) : inside;

    weight = y > REAL(1.0) ? (pack)((real)NAN) : weight;
    if (ignore >= 0)
        weight = y == (real)ignore ? (pack)(REAL(0.0)) : weight;
    return weight;
}

kernel void sigmoid_ce_sum(const global real *restrict z,
                           const global real *restrict y,
                           global real *restrict sums, const real positive,
                           const int ignore, const int weighted,
                           const int twice, const long P, const long items,
                           const int parts, const int lanes, const int steps)
{
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    pack sum[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    pack lost[2] = {(pack)(REAL(0.0)), (pack)(REAL(0.0))};
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const pack label = loss_load(y + n * P + i, P - i);
        const pack weight =
            loss_mask(P - i) * sigmoid_ce_weight(label, positive, ignore);
        const pack logit = loss_load(z + n * P + i, P - i);
        const pack loss =
            loss_softplus(twice ? loss_sigmoid(logit) : logit, label);

        cross_entropy_add(sum, lost, weight, loss, weighted);
    }
    sums[id] = loss_total(sum[0], lost[0]);
    sums[items + id] = loss_total(sum[1], lost[1]);
}

// dz = d_loss / divisor * w * (sigmoid(z) - y); twice: of s = sigmoid(z), times
// s (1 - s).
kernel void sigmoid_ce_gradient(const global real *restrict z,
                                const global real *restrict y,
                                const global real *restrict divisor,
                                const global real *restrict d_loss,
                                global real *restrict dz, const real positive,
                                const int ignore, const int twice, const long P,
                                const long items, const int parts,
                                const int lanes, const int steps)
{
    const real factor =
        divisor[0] == REAL(0.0) ? REAL(0.0) : d_loss[0] / divisor[0];
    const long id = (long)get_global_id(0);
    const long n = id / parts;
    long i = loss_first((int)(id % parts), lanes, steps);

    if (id >= items)
        return;
    for (int step = 0; step < steps && i < P; step++, i += LOSS_WIDTH * lanes) {
        const long at = n * P + i;
        const pack label = loss_load(y + at, P - i);
        const pack weight = sigmoid_ce_weight(label, positive, ignore);
        const pack logit = loss_load(z + at, P - i);
        const pack once = loss_sigmoid(logit);
        const pack slope =
            twice ? (loss_sigmoid(once) - label) * loss_sigmoid_slope(logit)
                  : once - label;

        loss_store(weight == REAL(0.0) ? (pack)(REAL(0.0))
                                       : factor * weight * slope,
                   dz + at, P - i);
    }
}

// loss = total / divisor, 0 where nothing weighs anything; kept for backward.
kernel void cross_entropy_finish(const global real *restrict sums,
                                 const long at, global real *restrict loss,
                                 global real *restrict divisor)
{
    const real total = sums[at], by = sums[at + 1];

    if (get_global_id(0) > 0)
        return;
    loss[0] = by == REAL(0.0) ? total : total / by;
    if (divisor)
        divisor[0] = by;
}
