// conv_winograd_weight: gradients of weight and bias (see conv_plain.cl) by
// F(M x M, TAPS x TAPS),
//
//   dw[k,c,r,s] = sum over n, p, q of
//       small[n,k,p,q] * big[n, c, p + r*dh - top, q + s*dw - left]
//               = G^T [ sum over tiles of (A small A^T) . (B^T big B) ] G
//
// of 3x3 convolutions of stride 1, on each of the dh * dw sub-grids, and, with
// two taps, of each phase of those with strides (see conv_phases.cl; dh = dw = 1
// then). Vectors lie along channels: rows of big and small are turned to
// [columns][VW] before they are transformed.
//
// A strip is one row of tiles of an image, cut into segments of T tiles of each
// of the dw sub-grids. A work-item owns channels c0 .. and filters k0 .. and a
// part of the segments, of which it takes `together` at once. In its region it
// makes `from_big` [POINTS][phases][channels / NJ][tiles][NJ] and `from_small`
// [POINTS][filters / BLOCK][tiles][BLOCK]; a tile of NJ channels x NV vectors
// of filters then lies in registers while the tiles pass. The sums lie behind
// those of the bias, [parts][groups * K], as [parts][groups][K / BLOCK][phases]
// [C / NJ][POINTS][NJ][BLOCK]. PAD floats keep the points' parts of the region
// off the same places of a cache. The order of all sums depends on the shapes
// alone.
//
// For 128 channels and filters at 80 x 80, batch 2, the largest difference from
// the plain kernel is 5.5e-6 of the largest number with M = 4 and 1.7e-6 with
// M = 2, where the direct kernel has 2.8e-6.
#include "turns.cl"
#include "winograd.cl"
#define POINTS (SIDE * SIDE)
#define BLOCK (NV * VW)
#define PAD 16
#define TILE_ROWS NJ
#define TILE_VECTORS NV

#include "tile.cl"
#include "transpose.cl"

#if VW == 16
#define LANES ((INTS)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
#elif VW == 8
#define LANES ((INTS)(0, 1, 2, 3, 4, 5, 6, 7))
#else
#define LANES ((INTS)(0, 1, 2, 3))
#endif

// VW columns w, w + step .. of row h of VW planes, to [columns][VW]; zeros
// outside and for planes beyond `planes`.
void turn_square(const global float *x, const size_t plane, const int planes,
                 const int H, const int W, const int h, const int w,
                 const int step, global float *to)
{
    const int at = h * W + w;
    const INTS column = w + LANES * step;
    const INTS is_in = (column >= 0) & (column < W);
    VECTOR a[VW];

    if (h < 0 || h >= H) {
#pragma unroll
        for (int i = 0; i < VW; i++)
            a[i] = 0.0f;
    } else if (planes >= VW && step <= 2 && at >= 0 &&
               at + step * VW <= H * W) {
        // What a load reaches beyond the row is not taken, but must be there.
#pragma unroll
        for (int i = 0; i < VW; i++) {
            const global float *from = x + i * plane + at;

            a[i] = LOAD(0, from);
            if (step == 2)
                a[i] = (VECTOR)(a[i].even, LOAD(1, from).even);
            a[i] = select((VECTOR)0.0f, a[i], is_in);
        }
    } else {
        for (int i = 0; i < VW; i++) {
            float numbers[VW];

            for (int k = 0; k < VW; k++) {
                const int v = w + k * step;

                numbers[k] = i < planes && v >= 0 && v < W
                                 ? x[i * plane + h * W + v]
                                 : 0.0f;
            }
            a[i] = LOAD(0, numbers);
        }
    }
    transpose(a);
#pragma unroll
    for (int i = 0; i < VW; i++)
        STORE(a[i], i, to);
}

// The same of a multiple of VW columns, not less than `columns`.
void turn_row(const global float *x, const size_t plane, const int planes,
              const int H, const int W, const int h, const int w,
              const int step, const int columns, global float *to)
{
    for (int j = 0; j < columns; j += VW)
        turn_square(x, plane, planes, H, W, h, w + j * step, step, to + j * VW);
}

// Phases of a direction at a point: at infinity, those with all taps alone.
#define PHASES(point, stride, kernel)                                          \
    ((point) == SIDE - 1 ? (kernel) - (TAPS - 1) * (stride) : (stride))

// Where a segment starts: its image, row and column of small.
struct segment {
    int n, p, q;
};

struct segment segment_at(const int t, const int down, const int across,
                          const int dh, const int width)
{
    struct segment s;

    s.n = t / across / dh / down;
    s.p = t / across / dh % down * M * dh + t / across % dh;
    s.q = t % across * width;
    return s;
}

// Stores VW channels as they lie in [VW / wide][..][wide], `apart` floats
// between two of the outer.
#define PUT(vector, to, wide, apart)                                           \
    do {                                                                       \
        float lanes_[VW];                                                      \
        STORE(vector, 0, lanes_);                                              \
        for (int part_ = 0; part_ < VW / (wide); part_++)                      \
            JOIN(vstore, wide)                                                 \
        (JOIN(vload, wide)(part_, lanes_), 0, (to) + part_ * (apart));         \
    } while (0)

// Transforms what a segment sees of VW channels of one phase, from row h and
// column w of x on, to vectors in `to`, from tile `next` on; returns the tile
// behind them.
ONCE int put_big(const global float *x, const int planes, const int H,
                 const int W, const int h, const int w, const int sh,
                 const int sw, const int dh, const int dw, const int columns,
                 const int whole, global float *rows, const int pitch,
                 global float *to, const int most, int next,
                 const size_t step)
{
    const int more = (TAPS - 1) * dw;
    VECTOR d[SIDE];

    for (int r = 0; r < SIDE; r++)
        turn_row(x, (size_t)H * W, planes, H, W, h + r * dh * sh, w, sw,
                 whole + more, rows + r * pitch * VW);
    for (int j = 0; j < whole + more; j++) {
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            d[r] = LOAD(r * pitch + j, rows);
        source_transform(d);
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            STORE(d[r], r * pitch + j, rows);
    }
    for (int b = 0; b < dw; b++)
        for (int j = b; j < columns; j += M * dw, next++)
            for (int r = 0; r < SIDE; r++) {
#pragma unroll
                for (int s = 0; s < SIDE; s++)
                    d[s] = LOAD(r * pitch + j + s * dw, rows);
                source_transform(d);
#pragma unroll
                for (int s = 0; s < SIDE; s++)
                    PUT(d[s], to + (r * SIDE + s) * step + next * NJ, NJ,
                        most * NJ);
            }
    return next;
}

#define SIZES                                                                  \
    const int items, const int images, const int groups, const int C,          \
        const int H, const int W, const int K, const int P, const int Q,       \
        const int R, const int S, const int sh, const int sw, const int dh,    \
        const int dw, const int top, const int left, const int big_pitch,      \
        const int small_pitch, const int T, const int together,                \
        const int channels, const int filters, const int parts

ONCE void winograd_weights(const global float *restrict big,
                           const global float *restrict small,
                           global float *scratch, global float *rows,
                           const int has_bias, const long partial_at,
                           volatile global int *turns, SIZES)
{
    const int down = ((P + dh - 1) / dh + M - 1) / M;
    const int width = T * M * dw, across = (Q + width - 1) / width;
    const int segments = images * down * dh * across;
    const int CB = (C + channels - 1) / channels;
    const int FB = (K + filters - 1) / filters;
    const int c_tiles = (C + NJ - 1) / NJ, k_blocks = (K + BLOCK - 1) / BLOCK;
    const int more = (TAPS - 1) * dw, phases = sh * sw;
    const int pitch = (width + more + VW - 1) / VW * VW;
    const int most = together * T * dw;
    const size_t phase_step = (size_t)channels * most;
    const size_t big_step = phases * phase_step + PAD;
    const size_t small_step = (size_t)filters * most + PAD;
    global float *from_big = rows + (size_t)SIDE * pitch * VW;
    global float *from_small = from_big + POINTS * big_step;
    int item;

    while (next_turn(turns, items, &item)) {
        const int part = item % parts, cb = item / parts % CB;
        const int fb = item / parts / CB % FB, g = item / parts / CB / FB;
        const int c0 = cb * channels, cn = min(channels, C - c0);
        const int k0 = fb * filters, kn = min(filters, K - k0);
        const int tiles_of_c = (cn + NJ - 1) / NJ;
        const int first = (int)((long)part * segments / parts);
        const int last = (int)((long)(part + 1) * segments / parts);
        global float *sums = scratch + partial_at +
                             (size_t)(part * groups + g) * k_blocks *
                                 phases * c_tiles * POINTS * NJ * BLOCK;
        global float *bias = scratch + (size_t)(part * groups + g) * K + k0;

        for (int t0 = first; t0 < last; t0 += together) {
            int tiles = 0;

            for (int t = t0; t < min(t0 + together, last); t++) {
                const struct segment at =
                    segment_at(t, down, across, dh, width);
                const int columns = min(width, Q - at.q);
                const int whole = (columns + M * dw - 1) / (M * dw) * M * dw;
                int next = tiles;

                for (int c = 0; c < cn; c += VW)
                    for (int ef = 0; ef < phases; ef++)
                        next = put_big(
                            big + ((size_t)at.n * big_pitch + g * C + c0 + c) *
                                      H * W,
                            cn - c, H, W, at.p * sh + ef / sw - top,
                            at.q * sw + ef % sw - left, sh, sw, dh, dw,
                            columns, whole, rows, pitch,
                            from_big + ef * phase_step + (size_t)c * most, most,
                            tiles, big_step);
                for (int k = 0; k < (kn + BLOCK - 1) / BLOCK * BLOCK; k += VW) {
                    const int live = kn - k;

                    for (int r = 0; r < M; r++)
                        turn_row(
                            small +
                                ((size_t)at.n * small_pitch + g * K + k0 + k) *
                                    P * Q,
                            (size_t)P * Q, live, P, Q, at.p + r * dh, at.q, 1,
                            whole, rows + r * pitch * VW);
                    for (int j = 0; j < whole; j++) {
                        VECTOR d[SIDE];

#pragma unroll
                        for (int r = 0; r < M; r++)
                            d[r] = LOAD(r * pitch + j, rows);
                        gradient_transform(d);
#pragma unroll
                        for (int r = 0; r < SIDE; r++)
                            STORE(d[r], r * pitch + j, rows);
                    }
                    next = tiles;
                    for (int b = 0; b < dw; b++)
                        for (int j = b; j < columns; j += M * dw, next++)
                            for (int r = 0; r < SIDE; r++) {
                                global float *to =
                                    from_small + r * SIDE * small_step +
                                    (size_t)(k / BLOCK) * most * BLOCK +
                                    next * BLOCK + k % BLOCK;
                                VECTOR d[SIDE];

#pragma unroll
                                for (int s = 0; s < M; s++)
                                    d[s] = LOAD(r * pitch + j + s * dw, rows);
                                gradient_transform(d);
#pragma unroll
                                for (int s = 0; s < SIDE; s++)
                                    STORE(d[s], 0, to + s * small_step);
                            }
                }
                tiles = next;
            }
            for (int point = 0; point < POINTS; point++)
                for (int kb = 0; kb * BLOCK < kn; kb++)
                    for (int i = 0; i < phases * tiles_of_c; i++) {
                        const int ef = i / tiles_of_c, cj = i % tiles_of_c;
                        const global float *x = from_big + point * big_step +
                                                ef * phase_step +
                                                (size_t)cj * most * NJ;
                        const global float *dy = from_small +
                                                 point * small_step +
                                                 (size_t)kb * most * BLOCK;
                        global float *to =
                            sums +
                            ((((size_t)(k0 / BLOCK + kb) * phases + ef) *
                                  c_tiles +
                              c0 / NJ + cj) *
                                 POINTS +
                             point) *
                                NJ * BLOCK;
                        VECTOR sum[NJ][NV];

                        if (ef / sw >= PHASES(point / SIDE, sh, R) ||
                            ef % sw >= PHASES(point % SIDE, sw, S))
                            continue;

#pragma unroll
                        for (int j = 0; j < NJ; j++)
#pragma unroll
                            for (int v = 0; v < NV; v++)
                                sum[j][v] = t0 > first
                                                ? LOAD(j * NV + v, to)
                                                : 0.0f;
                        for (int t = 0; t < tiles; t++, x += NJ, dy += BLOCK)
                            tile_add(sum, x, dy);
                        tile_store(sum, to);
                    }
            // Point (1, 1) of A small A^T is the sum of the tile.
            if (has_bias && cb == 0)
                for (int k = 0; k < kn; k += VW) {
                    const global float *dy =
                        from_small + (SIDE + 1) * small_step +
                        (size_t)(k / BLOCK) * most * BLOCK + k % BLOCK;
                    VECTOR sum = 0.0f;
                    float lanes[VW];

                    for (int t = 0; t < tiles; t++)
                        sum += LOAD(0, dy + t * BLOCK);
                    STORE(sum, 0, lanes);
                    for (int i = 0; i < min(VW, kn - k); i++)
                        bias[k + i] = lanes[i] + (t0 > first ? bias[k + i]
                                                             : 0.0f);
                }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_winograd_weight(const global float *restrict big,
                     const global float *restrict small, global float *scratch,
                     const int has_bias, const long partial_at,
                     const long region_at, const long region_size,
                     volatile global int *turns, SIZES)
{
    winograd_weights(big, small, scratch,
                     scratch + region_at + get_global_id(0) * region_size,
                     has_bias, partial_at, turns, items, images, groups, C, H, W,
                     K, P, Q, R, S, sh, sw, dh, dw, top, left, big_pitch,
                     small_pitch, T, together, channels, filters, parts);
}

// Adds the parts of BLOCK filters and of NJ channels, turns them back by G^T .. G
// and to [K, C, R, S].
ONCE void add_parts(const global float *restrict scratch, const long partial_at,
                    global float *restrict d_weight, const int cj, const int kb,
                    const int g, const int parts, const int groups, const int C,
                    const int K, const int R, const int S, const int sh,
                    const int sw)
{
    const int c_tiles = (C + NJ - 1) / NJ, k_blocks = (K + BLOCK - 1) / BLOCK;
    const size_t tile = POINTS * NJ * BLOCK;
    const size_t step = (size_t)groups * k_blocks * sh * sw * c_tiles * tile;

    for (int ef = 0; ef < sh * sw; ef++) {
        const int e = ef / sw, f = ef % sw;
        const global float *partial =
            scratch + partial_at +
            ((((size_t)g * k_blocks + kb) * sh * sw + ef) * c_tiles + cj) *
                tile;
        float sums[POINTS * NJ * BLOCK], lanes[NJ * TAPS * TAPS][VW];

        // As they lie: caches look ahead then.
        for (int point = 0; point < POINTS; point++) {
            const bool is_there = e < PHASES(point / SIDE, sh, R) &&
                                  f < PHASES(point % SIDE, sw, S);

            for (int i = point * NJ * NV; i < (point + 1) * NJ * NV; i++) {
                VECTOR sum = 0.0f;

                for (int part = 0; part < parts && is_there; part++)
                    sum += LOAD(i, partial + part * step);
                STORE(sum, i, sums);
            }
        }
        for (int v = 0; v < NV; v++) {
            const int k0 = kb * BLOCK + v * VW, c0 = cj * NJ;

            for (int j = 0; j < NJ; j++) {
                VECTOR columns[TAPS][SIDE], m[SIDE];

                for (int s = 0; s < SIDE; s++) {
#pragma unroll
                    for (int r = 0; r < SIDE; r++)
                        m[r] = LOAD(((r * SIDE + s) * NJ + j) * NV + v, sums);
                    weight_gradient_transform(m);
#pragma unroll
                    for (int a = 0; a < TAPS; a++)
                        columns[a][s] = m[a];
                }
                for (int a = 0; a < TAPS; a++) {
                    weight_gradient_transform(columns[a]);
#pragma unroll
                    for (int b = 0; b < TAPS; b++)
                        STORE(columns[a][b], 0,
                              lanes[(j * TAPS + a) * TAPS + b]);
                }
            }
            for (int k = k0; k < min(k0 + VW, K); k++) {
                global float *to =
                    d_weight + (((size_t)g * K + k) * C + c0) * R * S;

                for (int j = 0; j < min(NJ, C - c0); j++, to += R * S)
                    for (int a = 0; a < TAPS && e + a * sh < R; a++)
                        for (int b = 0; b < TAPS && f + b * sw < S; b++)
                            to[(e + a * sh) * S + f + b * sw] =
                                lanes[(j * TAPS + a) * TAPS + b][k - k0];
            }
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
winograd_weight_sum(const global float *restrict scratch, const long partial_at,
                    global float *restrict d_weight, const int parts,
                    const int groups, const int C, const int K, const int R,
                    const int S, const int sh, const int sw)
{
    add_parts(scratch, partial_at, d_weight, get_global_id(0),
              get_global_id(1), get_global_id(2), parts, groups, C, K, R, S, sh,
              sw);
}
