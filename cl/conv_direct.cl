// conv_direct: small from big, or big from small (see conv_plain.cl), for
// processors with vectors of VW floats.
//
// Both become sums over taps of equal step: where small is made, big is cut
// into sh*sw images of every sh-th row and sw-th column; where big is made,
// each of its sh*sw phases is a small convolution of its own. A work-item
// copies a chunk of its source with its zeros into `region`, which stays in the
// cache, as [C][phases][rows][pitch]; results and taps then differ by constant
// distances. Tiles of results run along the rows of the region as if they were
// one; zeros right of a row are also those left of the next.
//
// From one image of x to the next there are x_pitch channels, y_pitch of y.
// packed is [groups][K / KR][phases][C][taps of the phase][KR], K and C being
// the channels per group of the result and of the source.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VECTOR JOIN(float, VW)
#define LOAD JOIN(vload, VW)
#define STORE JOIN(vstore, VW)
#define MAX_TAPS 256

#include "rows.cl"
#include "turns.cl"

// A phase of a chunk of results: positions 0 .. length-1 are height rows of
// width, pitch apart in the region; in y, down and across apart, channels
// `channel` apart.
struct grid {
    int height, width, pitch, length;
    int down, across;
    size_t channel;
};

#ifdef NP
#include "direct_many.cl"
#else
#include "direct_few.cl"
#endif

// The phase of big's rows that tap r of a small row falls into.
int phase_of(const int r, const int dilation, const int before,
             const int stride)
{
    const int phase = (r * dilation - before) % stride;

    return phase < 0 ? phase + stride : phase;
}

int taps_of(const int n, const int dilation, const int before,
            const int stride, const int phase)
{
    int taps = 0;

    for (int r = 0; r < n; r++)
        taps += phase_of(r, dilation, before, stride) == phase;
    return taps;
}

int floor_div(const int a, const int b)
{
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

#define CHANNELS 16

// Packs CHANNELS source channels from c0 on of block gkb of KR.
ONCE void pack(const global float *restrict weight,
               global float *restrict packed, const int c0, const int gkb,
               const int C, const int K, const int R, const int S, const int sh,
               const int sw, const int dh, const int dw, const int top,
               const int left, const int makes_big)
{
    const int KB = (K + KR - 1) / KR, g = gkb / KB, k0 = gkb % KB * KR;
    const int T = R * S, A = makes_big ? sh : 1, B = makes_big ? sw : 1;
    global float *to = packed + (size_t)gkb * C * T * KR;
    // From one filter and from one channel to the next.
    const size_t by_k = (size_t)T * (makes_big ? 1 : C);
    const size_t by_c = (size_t)T * (makes_big ? K : 1);
    const global float *block =
        weight + (size_t)g * K * C * T + (size_t)k0 * by_k;
    int before = 0;

    for (int phase = 0; phase < A * B; phase++) {
        const int a = phase / B, b = phase % B;
        int taps = 0, tap[MAX_TAPS];
        global float *at;

        for (int t = 0; t < T; t++)
            if (!makes_big || (phase_of(t / S, dh, top, sh) == a &&
                               phase_of(t % S, dw, left, sw) == b))
                tap[taps++] = t;
        at = to + ((size_t)before * C + (size_t)c0 * taps) * KR;
        before += taps;
        for (int c = c0; c < min(c0 + CHANNELS, C); c++)
            for (int t = 0; t < taps; t++, at += KR) {
                const global float *from = block + c * by_c + tap[t];

                for (int q = 0; q < KR; q++)
                    at[q] = k0 + q < K ? from[q * by_k] : 0.0f;
            }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_pack(const global float *restrict weight, global float *restrict packed,
          const int groups, const int C, const int K, const int R, const int S,
          const int sh, const int sw, const int dh, const int dw, const int top,
          const int left, const int makes_big)
{
    pack(weight, packed, get_global_id(0) * CHANNELS, get_global_id(1), C, K, R,
         S, sh, sw, dh, dw, top, left, makes_big);
}

#define SIZES                                                                  \
    const int items, const int groups, const int C, const int H, const int W,  \
        const int K, const int P, const int Q, const int R, const int S,       \
        const int sh, const int sw, const int dh, const int dw, const int top, \
        const int left, const int makes_big, const int x_pitch,                \
        const int y_pitch, const int rows, const int columns,                  \
        const int splits, const float least

ONCE void direct(const global float *restrict x,
                 const global float *restrict packed,
                 const global float *restrict bias, global float *y,
                 global float *region, volatile global int *turns, SIZES)
{
    // Phases of the source and of the result.
    const int A = makes_big ? 1 : sh, B = makes_big ? 1 : sw;
    const int YA = makes_big ? sh : 1, YB = makes_big ? sw : 1;
    const int grid_rows = (P + YA - 1) / YA, grid_columns = (Q + YB - 1) / YB;
    const int from_row = makes_big ? floor_div(top - (R - 1) * dh, sh) : -top;
    const int from_column =
        makes_big ? floor_div(left - (S - 1) * dw, sw) : -left;
    const int more_rows = makes_big ? (sh - 1 + top) / sh - from_row
                                    : (R - 1) * dh / sh;
    const int more_columns = makes_big ? (sw - 1 + left) / sw - from_column
                                       : (S - 1) * dw / sw;
    const int n_down = (grid_rows + rows - 1) / rows;
    const int n_across = (grid_columns + columns - 1) / columns;
    const int KB = (K + KR - 1) / KR;
#ifdef NP
    global float *copied =
        region + (rows * (columns + more_columns) + NP + VW) * KR;
#else
    global float *copied = region;
#endif
    int offset[MAX_TAPS];
    float start[KR];
    int item;

    while (next_turn(turns, items, &item)) {
        const int split = item % splits, at = item / splits;
        const int j0 = at % n_across * columns;
        const int i0 = at / n_across % n_down * rows;
        const int n = at / n_across / n_down / groups;
        const int g = at / n_across / n_down % groups;
        const int ib = min(rows, grid_rows - i0);
        const int jb = min(columns, grid_columns - j0);
        const int LR = ib + more_rows;
        const int shared_zeros =
            B == 1 ? min(-from_column,
                         j0 == 0 ? from_column + jb + more_columns - W : 0)
                   : 0;
        const int pitch = jb + more_columns - max(shared_zeros, 0);
        const int plane = A * B * LR * pitch;
        const int kb_end = (split + 1) * KB / splits;
        int before = 0;

        for (int i = 0; i < shared_zeros; i++)
            copied[C * plane + i] = 0.0f;
        for (int c = 0; c < C; c++) {
            const global float *src =
                x + ((size_t)n * x_pitch + g * C + c) * H * W;
            global float *to = copied + c * plane;

            for (int phase = 0; phase < A * B; phase++)
                for (int i = 0; i < LR; i++, to += pitch)
                    copy_row(src, H, W, (i0 + i) * A + phase / B + from_row,
                             j0 * B + phase % B + from_column, B, to, pitch);
        }
        for (int phase = 0; phase < YA * YB; phase++) {
            const int a = phase / YB, b = phase % YB;
            const int height = min(ib, (P - a + YA - 1) / YA - i0);
            const int width = min(jb, (Q - b + YB - 1) / YB - j0);
            const struct grid grid = {
                height, width, pitch, (height - 1) * pitch + width, YA * Q, YB,
                (size_t)P * Q};
            const size_t panel = (size_t)before * C * KR;
            int taps = 0;

            for (int r = 0; r < R; r++)
                for (int s = 0; s < S; s++) {
                    if (makes_big && (phase_of(r, dh, top, sh) != a ||
                                      phase_of(s, dw, left, sw) != b))
                        continue;
                    offset[taps++] =
                        makes_big
                            ? ((a + top - r * dh) / sh - from_row) * pitch +
                                  (b + left - s * dw) / sw - from_column
                            : ((r * dh % sh * B + s * dw % sw) * LR +
                               r * dh / sh) *
                                      pitch +
                                  s * dw / sw;
                }
            before += taps;
            if (height < 1 || width < 1)
                continue;
            for (int kb = split * KB / splits; kb < kb_end; kb++) {
                const int kn = min(KR, K - kb * KR);

                for (int q = 0; q < KR; q++)
                    start[q] =
                        bias && q < kn ? bias[g * K + kb * KR + q] : 0.0f;
                sum_block(copied, plane, C, offset, taps,
                          packed + (size_t)(g * KB + kb) * C * R * S * KR +
                              panel,
                          start, kn, least, grid, region,
                          y +
                              ((size_t)n * y_pitch + g * K + kb * KR) * P * Q +
                              (size_t)(i0 * YA + a) * Q + j0 * YB + b);
            }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_direct(const global float *restrict x,
            const global float *restrict packed,
            const global float *restrict bias, global float *y,
            global float *region, const long region_size,
            volatile global int *turns, SIZES)
{
    direct(x, packed, bias, y, region + get_global_id(0) * region_size, turns,
           items, groups, C, H, W, K, P, Q, R, S, sh, sw, dh, dw, top, left,
           makes_big, x_pitch, y_pitch, rows, columns, splits, least);
}
