// conv_phases: convolutions whose kernel R x S is larger than its stride and at
// most twice as large, by F(4x4, 2x2): 4x4 results from 25 products instead of
// 64.
//
// Of big (see conv_plain.cl) the phase e, f is every sh-th row and sw-th column,
//   big_ef[c,i,j] = big[c, i*sh + e - top, j*sw + f - left],
// on which at most two taps down and two across act, a and b being 0 or 1:
//   small[k,i,j] = sum over c, e, f, a, b of
//       big_ef[c,i+a,j+b] * w[k, c, e + a*sh, f + b*sw]
//   big_ef[c,i,j] = sum over k, a, b of
//       small[k,i-a,j-b] * w[k, c, e + a*sh, f + b*sw]
// So where small is made, phases are so many more source channels, and where big
// is made, so many more filters. Phases from R - sh on have one tap, and so at
// one point no product, nor room: at infinity, or, where big is made and taps are
// in turn, at 0.
//
// A work-item takes NT = NV * VW tiles of M x M results of one phase. In its
// region it makes `source` [POINTS][phases][C][NT], then for `together` blocks
// of KR filters after another the products [POINTS][phases][blocks][KR][NT], a
// tile of KR filters x NV vectors at a time in registers, and turns those back.
// From one image of x to the next there are x_pitch channels, y_pitch of y.
// packed is [groups][POINTS][phases][K / KR][phases][C][KR], one of both being
// 1. PAD floats stand behind each of the parts of all these, which would
// else lie at the same places of a cache.
//
// Fractions arise, so results of whole numbers are not exact. For 128 channels
// to 128, 80 x 80 and 160 x 160, batch 2, the largest difference from the plain
// kernel is 1.0e-5 of the largest number where small is made with stride 2 by a
// kernel of 3, 6.7e-6 for its big, 5.8e-6 for the big of a kernel of 4.
#define M 4
#define TAPS 2
#include "winograd.cl"
#define POINTS (SIDE * SIDE)
#define NT (NV * VW)
#define TILE_ROWS KR
#define TILE_VECTORS NV
#define PAD 16

#include "rows.cl"
#include "tile.cl"
#include "tile_rows.cl"
#include "phase_lines.cl"
#include "turns.cl"

#define CHANNELS 16
#define FILTERS  JOIN(float, KR)

// Phases of one direction at a point of it, `two` of them with two taps.
#define PHASES(point, gone, stride, two) ((point) == (gone) ? (two) : (stride))

// Packs CHANNELS source channels from c0 on of block gkb of KR. Where big is
// made (turned), taps are in turn.
ONCE void pack(const global float *restrict weight,
               global float *restrict packed, const int c0, const int gkb,
               const int C, const int K, const int R, const int S,
               const int sh, const int sw, const int turned)
{
    const int gone = turned ? 0 : M;
    const int KB = (K + KR - 1) / KR, g = gkb / KB, kb = gkb % KB;
    const int k0 = kb * KR, taps = R * S;
    const size_t point_step = (size_t)KB * C * sh * sw * KR + PAD;
    // From one filter and from one channel to the next.
    const size_t by_k = turned ? taps : (size_t)taps * C;
    const size_t by_c = turned ? (size_t)taps * K : taps;
    const global float *block = weight + (size_t)taps * g * K * C + k0 * by_k;

    for (int ef = 0; ef < sh * sw; ef++) {
        const int e = ef / sw, f = ef % sw;

        for (int c = c0; c < min(c0 + CHANNELS, C); c++) {
            FILTERS half_done[2 * SIDE], numbers[SIDE];
            float lanes[4][KR];

            for (int q = 0; q < KR; q++) {
                const global float *w = block + c * by_c + q * by_k;

#pragma unroll
                for (int t = 0; t < 4; t++) {
                    const int a = turned ? 1 - t / 2 : t / 2;
                    const int b = turned ? 1 - t % 2 : t % 2;
                    const int r = e + a * sh, s = f + b * sw;

                    lanes[t][q] = k0 + q < K && r < R && s < S ? w[r * S + s]
                                                               : 0.0f;
                }
            }
#pragma unroll
            for (int b = 0; b < 2; b++)
                WEIGHT_TRANSFORM(JOIN(vload, KR)(0, lanes[b]),
                                 JOIN(vload, KR)(0, lanes[2 + b]),
                                 half_done + b, 2);
#pragma unroll
            for (int y = 0; y < SIDE; y++) {
                const int down = PHASES(y, gone, sh, R - sh);

                WEIGHT_TRANSFORM(half_done[2 * y], half_done[2 * y + 1],
                                 numbers, 1);
#pragma unroll
                for (int x = 0; x < SIDE; x++) {
                    const int across = PHASES(x, gone, sw, S - sw);
                    const int phase = e * across + f;
                    const int row = turned ? (phase * KB + kb) * C + c
                                           : (kb * down * across + phase) * C +
                                                 c;

                    if (e < down && f < across)
                        JOIN(vstore, KR)
                        (numbers[x], 0,
                         packed + (g * POINTS + y * SIDE + x) * point_step +
                             (size_t)row * KR);
                }
            }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
phases_pack(const global float *restrict weight, global float *restrict packed,
            const int C, const int K, const int R, const int S, const int sh,
            const int sw, const int turned)
{
    pack(weight, packed, get_global_id(0) * CHANNELS, get_global_id(1), C, K, R,
         S, sh, sw, turned);
}

// From lines to POINTS vectors of phase e, f of `to`, `step` apart; at each
// point the phases, `size` apart, are as many as it has: strides, or `two_`.
ONCE void put_source(global float *lines, const INTS is_last, const int e,
                     const int f, const int sh, const int sw, const int two_h,
                     const int two_w, const size_t size, global float *to,
                     const size_t step)
{
    VECTOR d[SIDE];

#pragma unroll
    for (int v = 0; v < M + 1; v++) {
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            d[r] = LOAD(v, lines + r * LINE);
        source_transform(d);
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            STORE(d[r], v, lines + r * LINE);
    }
    for (int r = 0; r < SIDE; r++) {
        const global float *line = lines + r * LINE;

        if (e >= PHASES(r, M, sh, two_h))
            continue;
        load_row(line, d);
        d[M] = select(follow(d[0]), LOAD(M, line), is_last);
        source_transform(d);
#pragma unroll
        for (int s = 0; s < SIDE; s++) {
            const int phases = PHASES(s, M, sw, two_w);

            if (f < phases)
                STORE(d[s], 0,
                      to + (SIDE * r + s) * step + (e * phases + f) * size);
        }
    }
}

// And from the products of phase e, f to M lines of results.
ONCE void take_products(const global float *from, const size_t step,
                        const size_t size, const int e, const int f,
                        const int sh, const int sw, const int two_h,
                        const int two_w, const float bias, const float least,
                        global float *lines)
{
    VECTOR half_done[M][SIDE], m[SIDE];

#pragma unroll
    for (int s = 0; s < SIDE; s++) {
        const int phases = PHASES(s, 0, sw, two_w);

#pragma unroll
        for (int r = 0; r < SIDE; r++)
            m[r] = e < PHASES(r, 0, sh, two_h) && f < phases
                       ? LOAD(0, from + (SIDE * r + s) * step +
                                     (e * phases + f) * size)
                       : 0.0f;
        result_transform(m);
#pragma unroll
        for (int r = 0; r < M; r++)
            half_done[r][s] = m[r];
    }
#pragma unroll
    for (int r = 0; r < M; r++) {
        result_transform(half_done[r]);
#pragma unroll
        for (int s = 0; s < M; s++) {
            m[s] = half_done[r][s] + bias;
            m[s] = m[s] < least ? least : m[s];
        }
        store_row(m, lines + r * M * VW);
    }
}

// The products of a block of filters: `to` [KR][NT] of `in` [depth][NT] and w
// [depth][KR].
ONCE void products_of(const global float *in, const global float *w,
                      const int depth, global float *to)
{
    VECTOR sum[KR][NV];

    tile_clear(sum);
    for (int d = 0; d < depth; d++, in += NT, w += KR)
        tile_add(sum, w, in);
    tile_store(sum, to);
}

#define SIZES                                                                  \
    const int items, const int N, const int groups, const int C, const int H,  \
        const int W, const int K, const int P, const int Q, const int R,       \
        const int S, const int sh, const int sw, const int down,               \
        const int across, const int turned, const int from_top,                \
        const int from_left, const int to_top, const int to_left,              \
        const int x_pitch, const int y_pitch, const int splits,                \
        const int together, const float least

ONCE void phases(const global float *restrict x,
                 const global float *restrict packed,
                 const global float *restrict bias, global float *y,
                 global float *lines, volatile global int *turns, SIZES)
{
    const int gone = turned ? 0 : M, chunks = (N * down * across + NT - 1) / NT;
    const int KB = (K + KR - 1) / KR;
    // Steps and phases of the source, and of the result.
    const int xh = turned ? 1 : sh, xw = turned ? 1 : sw;
    const int yh = turned ? sh : 1, yw = turned ? sw : 1;
    const size_t step = (size_t)xh * xw * C * NT + PAD;
    const size_t product_step = (size_t)yh * yw * together * KR * NT + PAD;
    const size_t point_step = (size_t)KB * C * sh * sw * KR + PAD;
    global float *source = lines + max(SIDE * LINE, yw * M * M * VW);
    global float *products = source + POINTS * step;
    int item;

    while (next_turn(turns, items, &item)) {
        const int split = item % splits, t0 = item / splits % chunks * NT;
        const int g = item / splits / chunks;
        const int kb_end = (split + 1) * KB / splits;
        INTS is_last[NV];

        for (int v = 0; v < NV; v++)
            is_last[v] = last_of_runs(t0 + v * VW, across);
        for (int c = 0; c < C; c++)
            for (int e = 0; e < xh; e++)
                for (int f = 0; f < xw; f++)
                    for (int v = 0; v < NV; v++) {
                        take_lines(x + ((size_t)g * C + c) * H * W,
                                   (long)x_pitch * H * W, N, H, W, xh, xw,
                                   e - from_top, f - from_left, t0 + v * VW,
                                   down, across, lines);
                        put_source(lines, is_last[v], e, f, xh, xw,
                                   turned ? 1 : R - sh, turned ? 1 : S - sw,
                                   (size_t)C * NT,
                                   source + (size_t)c * NT + v * VW, step);
                    }
        for (int kb0 = split * KB / splits; kb0 < kb_end; kb0 += together) {
            const int blocks = min(together, kb_end - kb0);

            for (int point = 0; point < POINTS; point++) {
                const int e_end = PHASES(point / SIDE, gone, sh, R - sh);
                const int f_end = PHASES(point % SIDE, gone, sw, S - sw);
                const int depth = turned ? C : C * e_end * f_end;

                for (int ef = 0; ef < (turned ? e_end * f_end : 1); ef++)
                    for (int kb = 0; kb < blocks; kb++) {
                        const global float *in = source + point * step;
                        const global float *w =
                            packed + (g * POINTS + point) * point_step +
                            (size_t)(ef * KB + kb0 + kb) * depth * KR;

                        products_of(in, w, depth,
                                    products + point * product_step +
                                        (size_t)(ef * blocks + kb) * KR * NT);
                    }
            }
            for (int k = kb0 * KR; k < min((kb0 + blocks) * KR, K); k++)
                for (int v = 0; v < NV; v++)
                    for (int e = 0; e < yh; e++) {
                        for (int f = 0; f < yw; f++)
                            take_products(
                                products + (size_t)(k - kb0 * KR) * NT + v * VW,
                                product_step, (size_t)blocks * KR * NT, e, f,
                                yh, yw, turned ? R - sh : 1,
                                turned ? S - sw : 1,
                                bias ? bias[g * K + k] : 0.0f, least,
                                lines + f * M * M * VW);
                        put_lines(lines, t0 + v * VW, down, across, N, yh, yw,
                                  e - to_top, -to_left,
                                  y + ((size_t)g * K + k) * P * Q,
                                  (size_t)y_pitch * P * Q, P, Q);
                    }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_phases(const global float *restrict x, const global float *restrict packed,
            const global float *restrict bias, global float *y,
            global float *region, const long region_size,
            volatile global int *turns, SIZES)
{
    phases(x, packed, bias, y, region + get_global_id(0) * region_size, turns,
           items, N, groups, C, H, W, K, P, Q, R, S, sh, sw, down, across,
           turned, from_top, from_left, to_top, to_left, x_pitch, y_pitch,
           splits, together, least);
}
