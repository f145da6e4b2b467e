// conv_dweight: gradients of weight and bias (see conv_plain.cl), for
// processors with vectors of VW floats.
//
//   dw[k,c,r,s] = sum over n, p, q of
//       small[n,k,p,q] * big[n, c, p*sh + r*dh - top, q*sw + s*dw - left]
//
// A work-item owns BLOCK = NV * VW filters, some channels and a part of the
// chunks of small. In `region`, which stays in the cache, it turns a chunk of
// small to [positions][BLOCK] and copies big beside it with its zeros; a tile
// of NJ taps (of channels and taps in one row) x NV vectors of filters then
// lies in registers while the positions pass. Where each element of big has one
// tap, a copy would be read once: big is read as it lies. scratch holds the
// sums of each part, of the bias as [parts][groups * K], of the weight as
// [parts][groups][K / BLOCK][TAPS][BLOCK] with TAPS = C*R*S rounded up to NJ,
// and the regions. The order of all sums depends on the shapes alone.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VECTOR JOIN(float, VW)
#define LOAD JOIN(vload, VW)
#define STORE JOIN(vstore, VW)
#define BLOCK (NV * VW)

#include "turns.cl"

void copy_rows(const global float *src, const int H, const int W,
               const int from_row, const int from_column, global float *to,
               const int rows, const int pitch)
{
    const int begin = clamp(-from_column, 0, pitch);
    const int end = clamp(W - from_column, 0, pitch);

    for (int i = 0; i < rows; i++, to += pitch) {
        const global float *row =
            src + (long)(from_row + i) * W + from_column;
        const bool is_in = from_row + i >= 0 && from_row + i < H;
        int j = 0;

        for (; j < (is_in ? begin : pitch); j++)
            to[j] = 0.0f;
        for (; j + VW <= end; j += VW)
            STORE(LOAD(0, row + j), 0, to + j);
        for (; j < end; j++)
            to[j] = row[j];
        for (; j < pitch; j++)
            to[j] = 0.0f;
    }
}

// Positions x BLOCK of small, zeros for filters beyond K.
void turn(const global float *small, const size_t plane, const int K,
          const int Q, const int rows, const int columns, global float *to)
{
    for (int k0 = 0; k0 < BLOCK; k0 += 4)
        for (int i = 0; i < rows; i++) {
            const global float *at = small + k0 * plane + (size_t)i * Q;
            global float *out = to + (size_t)i * columns * BLOCK + k0;

            for (int j = 0; j < columns; j++, out += BLOCK)
                vstore4((float4)(k0 < K ? at[j] : 0.0f,
                                 k0 + 1 < K ? at[plane + j] : 0.0f,
                                 k0 + 2 < K ? at[2 * plane + j] : 0.0f,
                                 k0 + 3 < K ? at[3 * plane + j] : 0.0f),
                        0, out);
        }
}

#define SIZES                                                                  \
    const int items, const int N, const int groups, const int C, const int H,  \
        const int W, const int K, const int P, const int Q, const int R,       \
        const int S, const int sh, const int sw, const int dh, const int dw,   \
        const int top, const int left, const int big_pitch,                    \
        const int small_pitch, const int rows, const int columns,              \
        const int channels, const int parts

ONCE void dweights(const global float *restrict big,
                   const global float *restrict small, global float *scratch,
                   global float *turned, const int has_bias,
                   const long partial_at, volatile global int *turns, SIZES)
{
    const int T = R * S, KB = (K + BLOCK - 1) / BLOCK;
    const int TAPS = (C * T + NJ - 1) / NJ * NJ;
    const int CB = (C + channels - 1) / channels;
    const int n_down = (P + rows - 1) / rows;
    const int n_across = (Q + columns - 1) / columns;
    const int chunks = N * n_down * n_across;
    const bool in_place =
        T * sh * sw == 1 && top == 0 && left == 0 && H == P && W == Q;
    global float *sums = scratch, *partial = scratch + partial_at;
    global float *copy = turned + rows * columns * BLOCK;
    int item;

    while (next_turn(turns, items, &item)) {
        const int part = item % parts, cb = item / parts % CB;
        const int kb = item / parts / CB % KB, g = item / parts / CB / KB;
        const int c0 = cb * channels, cn = min(channels, C - c0);
        const int first = (int)((long)part * chunks / parts);
        const int last = (int)((long)(part + 1) * chunks / parts);
        global float *to =
            partial + (((size_t)(part * groups + g) * KB + kb) * TAPS +
                       (size_t)c0 * T) *
                          BLOCK;
        VECTOR bias[NV];

        for (int v = 0; v < NV; v++)
            bias[v] = 0.0f;
        for (int chunk = first; chunk < last; chunk++) {
            const int q0 = chunk % n_across * columns;
            const int p0 = chunk / n_across % n_down * rows;
            const int n = chunk / n_across / n_down;
            const int pn = min(rows, P - p0), qn = min(columns, Q - q0);
            const int height = (pn - 1) * sh + (R - 1) * dh + 1;
            const int pitch = in_place ? W : (qn - 1) * sw + (S - 1) * dw + 1;
            const long plane = in_place ? (long)H * W : height * pitch;
            const global float *source =
                big + ((size_t)n * big_pitch + g * C + c0) * H * W;
            const global float *image =
                in_place ? source + (size_t)p0 * W + q0 : copy;
            const size_t k0 = (size_t)n * small_pitch + g * K + kb * BLOCK;

            turn(small + k0 * P * Q + (size_t)p0 * Q + q0, (size_t)P * Q,
                 K - kb * BLOCK, Q, pn, qn, turned);
            for (int c = 0; c < cn && !in_place; c++)
                copy_rows(source + (size_t)c * H * W, H, W, p0 * sh - top,
                          q0 * sw - left, copy + c * plane, height, pitch);
            for (int j0 = 0; j0 < cn * T; j0 += NJ) {
                VECTOR sum[NJ][NV];
                long offset[NJ];

#pragma unroll
                for (int j = 0; j < NJ; j++) {
                    const int tap = min(j0 + j, cn * T - 1);

                    offset[j] = tap / T * plane + tap % T / S * dh * pitch +
                                tap % S * dw;
#pragma unroll
                    for (int v = 0; v < NV; v++)
                        sum[j][v] = 0.0f;
                }
                for (int i = 0; i < pn; i++) {
                    const global float *dy = turned + i * qn * BLOCK;
                    const global float *x = image + i * sh * pitch;

                    for (int q = 0; q < qn; q++, dy += BLOCK, x += sw) {
                        VECTOR in[NV];

#pragma unroll
                        for (int v = 0; v < NV; v++)
                            in[v] = LOAD(v, dy);
#pragma unroll
                        for (int j = 0; j < NJ; j++)
#pragma unroll
                            for (int v = 0; v < NV; v++)
                                sum[j][v] += x[offset[j]] * in[v];
                    }
                }
#pragma unroll
                for (int j = 0; j < NJ; j++)
#pragma unroll
                    for (int v = 0; v < NV; v++) {
                        global float *at = to + (size_t)(j0 + j) * BLOCK;

                        if (chunk > first)
                            sum[j][v] += LOAD(v, at);
                        STORE(sum[j][v], v, at);
                    }
            }
            if (has_bias && cb == 0)
                for (int i = 0; i < pn * qn; i++)
#pragma unroll
                    for (int v = 0; v < NV; v++)
                        bias[v] += LOAD(v, turned + i * BLOCK);
        }
        if (has_bias && cb == 0) {
            float lanes[BLOCK];

            for (int v = 0; v < NV; v++)
                STORE(bias[v], v, lanes);
            for (int k = 0; k < BLOCK && kb * BLOCK + k < K; k++)
                sums[(size_t)(part * groups + g) * K + kb * BLOCK + k] =
                    lanes[k];
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_dweight(const global float *restrict big,
             const global float *restrict small, global float *scratch,
             const int has_bias, const long partial_at, const long region_at,
             const long region_size, volatile global int *turns, SIZES)
{
    dweights(big, small, scratch,
             scratch + region_at + get_global_id(0) * region_size, has_bias,
             partial_at, turns, items, N, groups, C, H, W, K, P, Q, R, S, sh,
             sw, dh, dw, top, left, big_pitch, small_pitch, rows, columns,
             channels, parts);
}

// Adds the parts of VW taps from j0 on of block gkb of filters and turns them to
// [K, C, R, S].
ONCE void add_parts(const global float *restrict partial,
                    global float *restrict d_weight, const int j0,
                    const int gkb, const int parts, const int groups,
                    const int K, const int taps)
{
    const int KB = (K + BLOCK - 1) / BLOCK, g = gkb / KB, kb = gkb % KB;
    const int TAPS = (taps + NJ - 1) / NJ * NJ;
    float sums[VW * BLOCK];

    if (g >= groups)
        return;
    for (int j = 0; j < VW && j0 + j < taps; j++)
        for (int v = 0; v < NV; v++) {
            VECTOR sum = 0.0f;

            for (int part = 0; part < parts; part++)
                sum += LOAD(v, partial + (((size_t)(part * groups + g) * KB +
                                           kb) *
                                              TAPS +
                                          j0 + j) *
                                             BLOCK);
            STORE(sum, j * NV + v, sums);
        }
    for (int k = 0; k < BLOCK && kb * BLOCK + k < K; k++)
        for (int j = 0; j < VW && j0 + j < taps; j++)
            d_weight[((size_t)g * K + kb * BLOCK + k) * taps + j0 + j] =
                sums[j * BLOCK + k];
}

kernel void conv_dweight_sum(const global float *restrict scratch,
                             const long partial_at,
                             global float *restrict d_weight, const int parts,
                             const int groups, const int K, const int taps)
{
    add_parts(scratch + partial_at, d_weight, get_global_id(0) * VW,
              get_global_id(1), parts, groups, K, taps);
}
