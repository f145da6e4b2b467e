// conv_plain: convolution, its adjoint and its gradients, the plain way.
//
//   small[n,k,p,q] = bias[k] + sum over c, r, s of
//       big[n, c, p*sh + r*dh - top, q*sw + s*dw - left] * w[k,c,r,s]
//
// big is [N, groups*CG, H, W], small [N, groups*KG, P, Q], w [groups*KG, CG, R,
// S]; from one image to the next there are big_pitch and small_pitch channels.
// Each result gathers its own terms in one order. A work-item of conv_small
// and conv_big makes ROW results of one row.
// Results below `least` become it: 0 for a relu, else -INFINITY. Where `gate`, as
// large as the result, is there and not above zero, the result is zero.
#include "gate.cl"
#define AT_LEAST(v) ((v) < least ? least : (v))
#define GATED(i, v) (gate && !(READ(gate, i) > 0) ? REAL(0.0) : (v))
#define GEOMETRY                                                               \
    const int CG, const int H, const int W, const int KG, const int P,         \
        const int Q, const int R, const int S, const int sh, const int sw,     \
        const int dh, const int dw, const int top, const int left,             \
        const int groups, const int big_pitch, const int small_pitch

kernel void conv_small(const global stored *restrict big,
                       const global real *restrict weight,
                       const global real *restrict bias,
                       const global stored *restrict gate, const int gate_pitch,
                       global stored *restrict small, const int N,
                       const real least, GEOMETRY)
{
    const int q0 = get_global_id(0) * ROW, p = get_global_id(1);
    const int nk = get_global_id(2), K = groups * KG;
    const int n = nk / K, k = nk % K, g = k / KG;
    const int last = min(ROW, Q - q0);
    real sum[ROW];

    if (q0 >= Q || p >= P || n >= N)
        return;
    for (int i = 0; i < ROW; i++)
        sum[i] = REAL(0.0);
    for (int c = 0; c < CG; c++)
        for (int r = 0; r < R; r++) {
            const int h = p * sh + r * dh - top;
            const global stored *x =
                big + ((size_t)n * big_pitch + g * CG + c) * H * W +
                (size_t)max(h, 0) * W;
            const global real *a = weight + (((size_t)k * CG + c) * R + r) * S;

            if (h < 0 || h >= H)
                continue;
            for (int s = 0; s < S; s++) {
                const int w0 = q0 * sw + s * dw - left;

                if (w0 >= 0 && w0 + (ROW - 1) * sw < W) {
                    for (int i = 0; i < ROW; i++)
                        sum[i] += READ(x, w0 + i * sw) * a[s];
                    continue;
                }
                for (int i = 0; i < last; i++)
                    if (w0 + i * sw >= 0 && w0 + i * sw < W)
                        sum[i] += READ(x, w0 + i * sw) * a[s];
            }
        }
    for (int i = 0; i < last; i++) {
        const size_t in_plane = (size_t)p * Q + q0 + i;
        const size_t seen = ((size_t)n * gate_pitch + k) * P * Q + in_plane;

        WRITE(small, ((size_t)n * small_pitch + k) * P * Q + in_plane,
              GATED(seen, AT_LEAST(sum[i] + (bias ? bias[k] : REAL(0.0)))));
    }
}

// The adjoint: big gets what each of its elements gave to small. Here bias is
// big's, for the transposed convolution.
kernel void conv_big(const global stored *restrict small,
                     const global real *restrict weight,
                     const global real *restrict bias,
                     const global stored *restrict gate, const int gate_pitch,
                     global stored *restrict big, const int N,
                     const real least, GEOMETRY)
{
    const int w0 = get_global_id(0) * ROW, h = get_global_id(1);
    const int nc = get_global_id(2), C = groups * CG;
    const int n = nc / C, c = nc % C, g = c / CG;
    const int last = min(ROW, W - w0);
    real sum[ROW];

    if (w0 >= W || h >= H || n >= N)
        return;
    for (int i = 0; i < ROW; i++)
        sum[i] = REAL(0.0);
    for (int k = g * KG; k < (g + 1) * KG; k++)
        for (int r = 0; r < R; r++) {
            const int at = h + top - r * dh, p = at / sh;
            const global stored *y = small +
                                     ((size_t)n * small_pitch + k) * P * Q +
                                     (size_t)max(p, 0) * Q;
            const global real *a =
                weight + (((size_t)k * CG + c % CG) * R + r) * S;

            if (at < 0 || at % sh != 0 || p >= P)
                continue;
            for (int s = 0; s < S; s++)
                for (int i = 0; i < last; i++) {
                    const int to = w0 + i + left - s * dw, q = to / sw;

                    if (to >= 0 && q < Q && q * sw == to)
                        sum[i] += READ(y, q) * a[s];
                }
        }
    for (int i = 0; i < last; i++) {
        const size_t in_plane = (size_t)h * W + w0 + i;
        const size_t seen = ((size_t)n * gate_pitch + c) * H * W + in_plane;

        WRITE(big, ((size_t)n * big_pitch + c) * H * W + in_plane,
              GATED(seen, AT_LEAST(sum[i] + (bias ? bias[c] : REAL(0.0)))));
    }
}

// One weight's gradient from the rows (n, p) of one block; partial is [blocks,
// K, CG, R, S].
kernel void conv_weight(const global stored *restrict big,
                        const global stored *restrict small,
                        global real *restrict partial, const int N,
                        const int rows, GEOMETRY)
{
    const size_t i = get_global_id(0);
    const size_t n_weights = (size_t)groups * KG * CG * R * S;
    const int block = get_global_id(1);
    const int s = i % S, r = i / S % R, c = i / S / R % CG;
    const int k = i / S / R / CG, g = k / KG;
    const int before = left - s * dw;
    const int first = before > 0 ? (before + sw - 1) / sw : 0;
    const int end = W + before > 0 ? min(Q, (W + before - 1) / sw + 1) : 0;
    real sum = REAL(0.0);

    if (i >= n_weights)
        return;
    for (int row = block * rows; row < min((block + 1) * rows, N * P); row++) {
        const int n = row / P, p = row % P, h = p * sh + r * dh - top;
        const global stored *x = big +
                                 ((size_t)n * big_pitch + g * CG + c) * H * W +
                                 (size_t)max(h, 0) * W;
        const global stored *y =
            small + (((size_t)n * small_pitch + k) * P + p) * Q;
        real along = REAL(0.0);

        if (h < 0 || h >= H)
            continue;
        for (int q = first; q < end; q++)
            along += READ(y, q) * READ(x, q * sw - before);
        sum += along;
    }
    partial[block * n_weights + i] = sum;
}

// Sums of the rows (n, p) of one block, channel by channel; partial is [blocks,
// K], y [N, K, P, Q].
kernel void conv_bias(const global stored *restrict y, const int pitch,
                      global real *restrict partial, const int N, const int K,
                      const int P, const int Q, const int rows)
{
    const int k = get_global_id(0), block = get_global_id(1);
    real sum = REAL(0.0);

    if (k >= K)
        return;
    for (int row = block * rows; row < min((block + 1) * rows, N * P); row++) {
        const global stored *at =
            y + (((size_t)(row / P) * pitch + k) * P + row % P) * Q;
        real4 along = (real4)(REAL(0.0));
        int q = 0;

        for (; q + 4 <= Q; q += 4)
            along += (real4)(READ(at, q), READ(at, q + 1), READ(at, q + 2),
                             READ(at, q + 3));
        for (; q < Q; q++)
            along.x += READ(at, q);
        sum += (along.x + along.y) + (along.z + along.w);
    }
    partial[(size_t)block * K + k] = sum;
}

kernel void conv_reduce(const global real *restrict partial,
                        global real *restrict sums, const long n,
                        const int blocks)
{
    const size_t i = get_global_id(0);
    real sum = REAL(0.0);

    if (i >= (size_t)n)
        return;
    for (int block = 0; block < blocks; block++)
        sum += partial[block * (size_t)n + i];
    sums[i] = sum;
}
