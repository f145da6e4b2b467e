// conv_implicit: convolution as a product of matrices whose larger one is never
// written, for GPUs. A work-group of SIDE x SIDE work-items makes a tile of
// TILE x TILE results, TILE = 4 * SIDE: DEPTH numbers of the sum at a time are
// brought to local memory, then each work-item adds to its 4 x 4 results, in
// registers, SIDE apart.
#define TILE  (4 * SIDE)
#define ITEMS (SIDE * SIDE)
#define DEPTH 16
#define LOADS (TILE * DEPTH / ITEMS) // of each tile by a work-item

#define GROUP SIDE
#define ROWS 4
#define COLUMNS 4
#include "products.cl"

// conv_small or, with makes_big, conv_big of conv_plain.cl, from the source
// [images, groups * C, H, W] to the result [images, groups * K, P, Q]; from one
// image to the next there are as many channels as their pitch says.
//
// Rows of a tile are K, its columns the results of one phase: places
// (i * YA + a, j * YB + b), of which each has the same taps. A sum runs over the
// C channels of the source and over those taps, of which `taps` holds where they
// read and which of the R * S weights they take. Sizes fit an int within an
// image. Where `gate`, as large as y, is there and not above zero, y is zero.
__attribute__((reqd_work_group_size(SIDE, SIDE, 1))) kernel void
conv_implicit(const global stored *restrict x,
              const global real *restrict weight,
              const global real *restrict bias,
              const global stored *restrict gate, global stored *restrict y,
              const int images, const int groups, const int C, const int H,
              const int W, const int K, const int P, const int Q, const int R,
              const int S, const int sh, const int sw, const int dh,
              const int dw, const int top, const int left, const int makes_big,
              const int x_pitch, const int y_pitch, const int gate_pitch,
              const real least)
{
    local real a_tile[DEPTH][TILE + 1], b_tile[DEPTH][TILE];
    local int tap_row[MAX_TAPS], tap_column[MAX_TAPS], tap_weight[MAX_TAPS];
    local int n_taps;
    const int YA = makes_big ? sh : 1, YB = makes_big ? sw : 1;
    const int XA = makes_big ? 1 : sh, XB = makes_big ? 1 : sw;
    const int phase = get_group_id(2) % (YA * YB);
    const int g = get_group_id(2) / (YA * YB), a = phase / YB, b = phase % YB;
    // A phase beyond the last row or column has no results: none is stored.
    const int rows = max((P - a + YA - 1) / YA, 1);
    const int columns = max((Q - b + YB - 1) / YB, 1);
    const int lx = get_local_id(0), ly = get_local_id(1);
    const int lane = ly * SIDE + lx;
    // Loading: a work-item has one column, and from one number of the sum to the
    // next that it loads there are `stride` of them: step_c channels, step_t taps.
    const int stride = ITEMS / TILE;
    const int column = lane % TILE, first = lane / TILE;
    const long place = (long)get_group_id(0) * TILE + column;
    const int n = (int)(place / columns / rows);
    const int from_row = (int)(place / columns % rows) * XA;
    const int from_column = (int)(place % columns) * XB;
    const global stored *image =
        x + ((size_t)min(n, images - 1) * x_pitch + g * C) * H * W;
    const int k0 = get_group_id(1) * TILE;
    const size_t by_k = makes_big ? R * S : (size_t)C * R * S;
    const size_t by_c = (size_t)K * R * S; // with makes_big
    const global real *weights = weight + (size_t)g * C * K * R * S;
    int step_c, step_t, c, t;
    real sum[4][4];

    if (lane == 0) {
        t = 0;
        for (int r = 0; r < R; r++)
            for (int s = 0; s < S; s++) {
                const int down = makes_big ? a + top - r * dh : r * dh - top;
                const int across = makes_big ? b + left - s * dw
                                             : s * dw - left;

                if (makes_big && (down % sh || across % sw))
                    continue;
                tap_row[t] = makes_big ? down / sh : down;
                tap_column[t] = makes_big ? across / sw : across;
                tap_weight[t++] = r * S + s;
            }
        n_taps = t;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum[i][j] = REAL(0.0);
    c = n_taps ? first / n_taps : 0;
    t = first - c * n_taps;
    step_c = n_taps ? stride / n_taps : 0;
    step_t = stride - step_c * n_taps;
    for (int d0 = 0; d0 < C * n_taps; d0 += DEPTH) {
        for (int d = first; d < DEPTH; d += stride) {
            const bool is_in = c < C;
            const int h = from_row + (is_in ? tap_row[t] : 0);
            const int w = from_column + (is_in ? tap_column[t] : 0);

            b_tile[d][column] = is_in && n < images && h >= 0 && h < H &&
                                        w >= 0 && w < W
                                    ? READ(image, (c * H + h) * W + w)
                                    : REAL(0.0);
            if (makes_big)
                a_tile[d][column] =
                    is_in && k0 + column < K
                        ? weights[(k0 + column) * by_k + c * by_c + tap_weight[t]]
                        : REAL(0.0);
            t += step_t;
            c += step_c;
            if (t >= n_taps) {
                t -= n_taps;
                c++;
            }
        }
        // Here the weights of a filter lie in the order of the sum.
        for (int i = lane; i < DEPTH * TILE && !makes_big; i += ITEMS) {
            const int d = d0 + i % DEPTH, k = k0 + i / DEPTH;

            a_tile[i % DEPTH][i / DEPTH] =
                d < C * n_taps && k < K ? weights[k * by_k + d] : REAL(0.0);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(a_tile[0], TILE + 1, b_tile[0], TILE, lx, ly, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int j = 0; j < 4; j++) {
        const long at = (long)get_group_id(0) * TILE + lx + SIDE * j;
        const int m = (int)(at / columns / rows);
        const int p = (int)(at / columns % rows) * YA + a;
        const int q = (int)(at % columns) * YB + b;

#pragma unroll
        for (int i = 0; i < 4; i++) {
            const int k = k0 + ly + SIDE * i;

            if (m < images && p < P && q < Q && k < K) {
                const size_t in_image =
                    (size_t)(g * K + k) * P * Q + p * Q + q;
                const size_t to = (size_t)m * y_pitch * P * Q + in_image;
                const size_t seen = (size_t)m * gate_pitch * P * Q + in_image;
                const real v =
                    sum[i][j] + (bias ? bias[g * K + k] : REAL(0.0));

                WRITE(y, to,
                      gate && !(READ(gate, seen) > 0) ? REAL(0.0)
                      : v < least                   ? least
                                                    : v);
            }
        }
    }
}

// conv_weight of conv_plain.cl: rows of a tile are the K filters of small, its
// columns C * R * S weights of a filter. The sum runs over the places of small,
// part get_group_id(2) / groups of them; the parts' sums follow one another in
// `sums`, each of groups * K * C * R * S numbers.
__attribute__((reqd_work_group_size(SIDE, SIDE, 1))) kernel void
conv_implicit_weight(const global stored *restrict big,
                     const global stored *restrict small,
                     global real *restrict sums, const int images,
                     const int groups, const int C, const int H, const int W,
                     const int K, const int P, const int Q, const int R,
                     const int S, const int sh, const int sw, const int dh,
                     const int dw, const int top, const int left,
                     const int big_pitch, const int small_pitch,
                     const int parts)
{
    local real a_tile[DEPTH][TILE + 1], b_tile[DEPTH][TILE];
    const int part = get_group_id(2) / groups, g = get_group_id(2) % groups;
    const long places = (long)images * P * Q;
    const long begin = places * part / parts, end = places * (part + 1) / parts;
    const int lx = get_local_id(0), ly = get_local_id(1);
    const int lane = ly * SIDE + lx, taps = C * R * S;
    // Loading: one place a work-item, neighbours one beside the other, and some
    // filters and weights.
    const int d = lane % DEPTH, first = lane / DEPTH;
    const int step_q = DEPTH % Q, step_p = DEPTH / Q % P, step_n = DEPTH / Q / P;
    const int k0 = get_group_id(1) * TILE, j0 = get_group_id(0) * TILE;
    int offset[LOADS], down[LOADS], across[LOADS];
    int n = (int)((begin + d) / Q / P), p = (int)((begin + d) / Q % P);
    int q = (int)((begin + d) % Q);
    real sum[4][4];

#pragma unroll
    for (int i = 0; i < LOADS; i++) {
        const int j = j0 + first + i * (ITEMS / DEPTH);
        const int c = j / (R * S), t = j - c * R * S;

        offset[i] = j < taps ? c * H * W : -1;
        down[i] = t / S * dh - top;
        across[i] = t % S * dw - left;
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
        for (int j = 0; j < 4; j++)
            sum[i][j] = REAL(0.0);
    for (long at = begin + d; at - d < end; at += DEPTH) {
        const bool is_in = at < end;
        const global stored *dy =
            small + ((size_t)n * small_pitch + g * K) * P * Q + p * Q + q;
        const global stored *image =
            big + ((size_t)n * big_pitch + g * C) * H * W;

#pragma unroll
        for (int i = 0; i < LOADS; i++) {
            const int row = first + i * (ITEMS / DEPTH);
            const int h = p * sh + down[i], w = q * sw + across[i];

            a_tile[d][row] =
                is_in && k0 + row < K ? READ(dy, (k0 + row) * P * Q)
                                     : REAL(0.0);
            b_tile[d][row] = is_in && offset[i] >= 0 && h >= 0 && h < H &&
                                     w >= 0 && w < W
                                 ? READ(image, offset[i] + h * W + w)
                                 : REAL(0.0);
        }
        q += step_q;
        p += step_p + (q >= Q);
        q -= q >= Q ? Q : 0;
        n += step_n + (p >= P);
        p -= p >= P ? P : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(a_tile[0], TILE + 1, b_tile[0], TILE, lx, ly, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int i = 0; i < 4; i++) {
        const int k = k0 + ly + SIDE * i;

#pragma unroll
        for (int j = 0; j < 4; j++) {
            const int tap = j0 + lx + SIDE * j;

            if (k < K && tap < taps)
                sums[(((size_t)part * groups + g) * K + k) * taps + tap] =
                    sum[i][j];
        }
    }
}
