// conv_winograd: a 3x3 convolution of stride 1 by F(4x4, 3x3): 4x4 results from
// 36 products instead of 144. Of the source [N, groups*C, H, W] it makes
//
//   y[n,k,p,q] = bias[k] + sum over c, r, s of
//       x[n, c, p + r*dh - top, q + s*dw - left] * w[k,c,r,s]
//
// which is both conv_small and, with the weight turned around, conv_big of
// conv_plain.cl. A work-item takes NT = NV * VW tiles of M x M results. In its
// region it makes `source` [POINTS][C][NT] from all channels, then for each of the
// POINTS = (M + 2)^2 the products [POINTS][K][NT] of a tile of KR filters x NV vectors in
// registers, and turns those back. From one image of x to the next there are
// x_pitch channels, y_pitch of y. packed is [groups][POINTS][K / KR][C][KR].
// PAD floats stand behind each of the parts of all these, which would else lie
// at the same places of a cache.
//
// With M = 4 fractions arise: results of whole numbers are not exact. Against doubles, for
// 128 channels to 128 at 80 x 80, inputs in [-1, 1) and He's weights, the error
// is 2.3e-6 (root mean square, of that of the results) where the plain sum has
// 6.0e-7, and at most 3.9e-5 where it has 5.6e-6.
#include "turns.cl"
#include "winograd.cl"
#include "tile_rows.cl"
#include "winograd_tiles.cl"
#define POINTS (SIDE * SIDE)
#define NT (NV * VW)
#define TILE_ROWS KR
#define TILE_VECTORS NV
#define PAD 16

#include "tile.cl"

#define CHANNELS 16
#define FILTERS  JOIN(float, KR)

// Packs CHANNELS source channels from c0 on of block gkb of KR.
ONCE void pack(const global float *restrict weight,
               global float *restrict packed, const int c0, const int gkb,
               const int C, const int K, const int turned)
{
    const int KB = (K + KR - 1) / KR, g = gkb / KB, kb = gkb % KB;
    const int k0 = kb * KR;
    const size_t point_step = (size_t)KB * C * KR + PAD;
    // From one filter and from one channel to the next.
    const size_t by_k = turned ? 9 : (size_t)9 * C;
    const size_t by_c = turned ? (size_t)9 * K : 9;
    const global float *block =
        weight + (size_t)9 * g * K * C + k0 * by_k;

    for (int c = c0; c < min(c0 + CHANNELS, C); c++) {
        global float *to =
            packed + g * POINTS * point_step + ((size_t)kb * C + c) * KR;
        FILTERS taps[9], half_done[3 * SIDE], numbers[SIDE];
        float lanes[9][KR];

        for (int q = 0; q < KR; q++) {
            const global float *w = block + c * by_c + q * by_k;

            for (int t = 0; t < 9; t++)
                lanes[t][q] = k0 + q >= K ? 0.0f : turned ? w[8 - t] : w[t];
        }
#pragma unroll
        for (int t = 0; t < 9; t++)
            taps[t] = JOIN(vload, KR)(0, lanes[t]);
#pragma unroll
        for (int s = 0; s < 3; s++)
            WEIGHT_TRANSFORM(FILTERS, taps[s], taps[3 + s], taps[6 + s],
                             half_done + s, 3);
#pragma unroll
        for (int r = 0; r < SIDE; r++) {
            WEIGHT_TRANSFORM(FILTERS, half_done[3 * r], half_done[3 * r + 1],
                             half_done[3 * r + 2], numbers, 1);
#pragma unroll
            for (int s = 0; s < SIDE; s++)
                JOIN(vstore, KR)
                (numbers[s], 0, to + (SIDE * r + s) * point_step);
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
winograd_pack(const global float *restrict weight,
              global float *restrict packed, const int groups, const int C,
              const int K, const int turned)
{
    pack(weight, packed, get_global_id(0) * CHANNELS, get_global_id(1), C, K,
         turned);
}

#define SIZES                                                                  \
    const int items, const int N, const int groups, const int C, const int H,  \
        const int W, const int K, const int P, const int Q, const int dh,      \
        const int dw, const int top, const int left, const int x_pitch,        \
        const int y_pitch, const int splits, const float least

ONCE void winograd(const global float *restrict x,
                   const global float *restrict packed,
                   const global float *restrict bias, global float *y,
                   global float *source, volatile global int *turns, SIZES)
{
    const int down = ((P + dh - 1) / dh + M - 1) / M;
    const int across = ((Q + dw - 1) / dw + M - 1) / M;
    const int chunks = (N * dh * dw * down * across + NT - 1) / NT;
    const int KB = (K + KR - 1) / KR;
    const long image = (long)x_pitch * H * W;
    const size_t step = (size_t)C * NT + PAD;
    const size_t point_step = (size_t)KB * C * KR + PAD;
    struct tile tiles[NT];
    int item;

    while (next_turn(turns, items, &item)) {
        const int split = item % splits, chunk = item / splits % chunks;
        const int g = item / splits / chunks;
        const int kb0 = split * KB / splits, kb1 = (split + 1) * KB / splits;
        const size_t product_step = (size_t)(kb1 - kb0) * KR * NT + PAD;
        global float *products = source + POINTS * step;
        bool is_row[NV];

        for (int i = 0; i < NT; i++)
            tiles[i] =
                tile_at(chunk * NT + i, down, across, dh, dw, top, left);
        for (int v = 0; v < NV; v++) {
            const struct tile a = tiles[v * VW], b = tiles[v * VW + VW - 1];

            is_row[v] = dw == 1 && a.n == b.n && a.p == b.p && a.n < N;
        }
        for (int c = 0; c < C; c++)
            for (int v = 0; v < NV; v++) {
                const struct tile first = tiles[v * VW];
                const global float *plane = x + ((size_t)g * C + c) * H * W;
                global float *to = source + (size_t)c * NT + v * VW;

                if (is_row[v])
                    source_row(plane + first.n * image, H, W, first.h, first.w,
                               dh, to, step);
                else
                    source_tiles(plane, image, H, W, tiles + v * VW, N, dh, dw,
                                 to, step);
            }
        for (int point = 0; point < POINTS; point++)
            for (int kb = kb0; kb < kb1; kb++) {
                const global float *in = source + point * step;
                const global float *w =
                    packed +
                                        (g * POINTS + point) * point_step +
                                        (size_t)kb * C * KR;
                global float *to = products + point * product_step +
                                   (size_t)(kb - kb0) * KR * NT;
                VECTOR sum[KR][NV];

                tile_clear(sum);
                for (int c = 0; c < C; c++, in += NT, w += KR)
                    tile_add(sum, w, in);
                tile_store(sum, to);
            }
        for (int k = kb0 * KR; k < min(kb1 * KR, K); k++)
            for (int v = 0; v < NV; v++) {
                const global float *from =
                    products + (size_t)(k - kb0 * KR) * NT + v * VW;
                const float start = bias ? bias[g * K + k] : 0.0f;
                const struct tile first = tiles[v * VW];
                const size_t plane = (size_t)P * Q;
                float numbers[M * SIDE][VW];
                VECTOR m[SIDE];

                for (int s = 0; s < SIDE; s++) {
#pragma unroll
                    for (int r = 0; r < SIDE; r++)
                        m[r] = LOAD(0, from + (SIDE * r + s) * product_step);
                    result_transform(m);
#pragma unroll
                    for (int r = 0; r < M; r++)
                        STORE(m[r], 0, numbers[SIDE * r + s]);
                }
                for (int r = 0; r < M; r++) {
                    const int p = first.p + r * dh;

#pragma unroll
                    for (int s = 0; s < SIDE; s++)
                        m[s] = LOAD(0, numbers[SIDE * r + s]);
                    result_transform(m);
#pragma unroll
                    for (int s = 0; s < M; s++)
                        m[s] = m[s] + start < least ? least : m[s] + start;
                    if (is_row[v] && first.q + M * VW <= Q) {
                        if (p < P)
                            store_row(m,
                                      y +
                                          ((size_t)first.n * y_pitch +
                                           g * K + k) *
                                              plane +
                                          (size_t)p * Q + first.q);
                        continue;
                    }
#pragma unroll
                    for (int s = 0; s < M; s++)
                        STORE(m[s], 0, numbers[SIDE * r + s]);
                    for (int lane = 0; lane < VW; lane++) {
                        const struct tile t = tiles[v * VW + lane];
                        global float *to =
                            y +
                            ((size_t)t.n * y_pitch + g * K + k) * plane +
                            (size_t)(t.p + r * dh) * Q + t.q;

                        if (t.n >= N || t.p + r * dh >= P)
                            continue;
                        for (int s = 0; s < M && t.q + s * dw < Q; s++)
                            to[s * dw] = numbers[SIDE * r + s][lane];
                    }
                }
            }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_winograd(const global float *restrict x,
              const global float *restrict packed,
              const global float *restrict bias, global float *y,
              global float *region, const long region_size,
              volatile global int *turns, SIZES)
{
    winograd(x, packed, bias, y, region + get_global_id(0) * region_size,
             turns, items, N, groups, C, H, W, K, P, Q, dh, dw, top, left,
             x_pitch, y_pitch, splits, least);
}
