// conv_winograd_weight: gradients of weight and bias (see conv_plain.cl) of a
// 3x3 convolution of stride 1 by F(M x M, 3x3),
//
//   dw[k,c,r,s] = sum over n, p, q of
//       small[n,k,p,q] * big[n, c, p + r*dh - top, q + s*dw - left]
//               = G^T [ sum over tiles of (A small A^T) . (B^T big B) ] G
//
// on each of the dh * dw sub-grids. Vectors lie along channels: rows of big and
// small are turned to [columns][VW] before they are transformed.
//
// A strip is one row of tiles of an image, cut into segments of T tiles of each
// of the dw sub-grids. A work-item owns channels c0 .. and filters k0 .. and a
// part of the segments, of which it takes `together` at once. In its region it
// makes `from_big` [POINTS][channels / NJ][tiles][NJ] and `from_small`
// [POINTS][filters / BLOCK][tiles][BLOCK]; a tile of NJ channels x NV vectors
// of filters then lies in registers while the tiles pass. The sums lie behind
// those of the bias, [parts][groups * K], as [parts][groups][K / BLOCK][C / NJ]
// [POINTS][NJ][BLOCK]. PAD floats keep the points' parts of the region off the
// same places of a cache. The order of all sums depends on the shapes alone.
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

// VW numbers of a row from column w on, zeros outside.
VECTOR part_of_row(const global float *row, const int W, const int w)
{
    float numbers[VW];

    if (w >= 0 && w + VW <= W)
        return LOAD(0, row + w);
#pragma unroll
    for (int i = 0; i < VW; i++)
        numbers[i] = w + i >= 0 && w + i < W ? row[w + i] : 0.0f;
    return LOAD(0, numbers);
}

// Columns w .. of row h of VW planes, to [columns][VW]; zeros outside and for
// planes beyond `planes`. Writes a multiple of VW columns.
void turn_row(const global float *x, const size_t plane, const int planes,
              const int H, const int W, const int h, const int w,
              const int columns, global float *to)
{
    for (int j = 0; j < columns; j += VW) {
        VECTOR a[VW];

#pragma unroll
        for (int i = 0; i < VW; i++)
            a[i] = i < planes && h >= 0 && h < H
                       ? part_of_row(x + i * plane + (long)h * W, W, w + j)
                       : 0.0f;
        transpose(a);
#pragma unroll
        for (int i = 0; i < VW; i++)
            STORE(a[i], j + i, to);
    }
}

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

#define SIZES                                                                  \
    const int items, const int images, const int groups, const int C,          \
        const int H, const int W, const int K, const int P, const int Q,       \
        const int dh, const int dw, const int top, const int left,             \
        const int T, const int together, const int channels,                   \
        const int filters, const int parts

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
    const int pitch = (width + 2 * dw + VW - 1) / VW * VW;
    const int most = together * T * dw;
    const size_t big_step = (size_t)channels * most + PAD;
    const size_t small_step = (size_t)filters * most + PAD;
    global float *from_big = rows + (size_t)SIDE * pitch * VW;
    global float *from_small = from_big + POINTS * big_step;
    int item;

    while (next_turn(turns, items, &item)) {
        const int part = item % parts, cb = item / parts % CB;
        const int fb = item / parts / CB % FB, g = item / parts / CB / FB;
        const int c0 = cb * channels, cn = min(channels, C - c0);
        const int k0 = fb * filters, kn = min(filters, K - k0);
        const int first = (int)((long)part * segments / parts);
        const int last = (int)((long)(part + 1) * segments / parts);
        global float *sums = scratch + partial_at +
                             (size_t)(part * groups + g) * k_blocks *
                                 c_tiles * POINTS * NJ * BLOCK;
        global float *bias = scratch + (size_t)(part * groups + g) * K + k0;

        for (int t0 = first; t0 < last; t0 += together) {
            int tiles = 0;

            for (int t = t0; t < min(t0 + together, last); t++) {
                const struct segment at =
                    segment_at(t, down, across, dh, width);
                const int columns = min(width, Q - at.q);
                const int whole = (columns + M * dw - 1) / (M * dw) * M * dw;
                int next = tiles;

                for (int c = 0; c < cn; c += VW) {
                    for (int r = 0; r < SIDE; r++)
                        turn_row(
                            big + (((size_t)at.n * groups + g) * C + c0 + c) *
                                      H * W,
                            (size_t)H * W, cn - c, H, W, at.p - top + r * dh,
                            at.q - left, whole + 2 * dw, rows + r * pitch * VW);
                    for (int j = 0; j < whole + 2 * dw; j++) {
                        VECTOR d[SIDE];

#pragma unroll
                        for (int r = 0; r < SIDE; r++)
                            d[r] = LOAD(r * pitch + j, rows);
                        source_transform(d);
#pragma unroll
                        for (int r = 0; r < SIDE; r++)
                            STORE(d[r], r * pitch + j, rows);
                    }
                    next = tiles;
                    for (int b = 0; b < dw; b++)
                        for (int j = b; j < columns; j += M * dw, next++)
                            for (int r = 0; r < SIDE; r++) {
                                global float *to =
                                    from_big + r * SIDE * big_step +
                                    ((size_t)c * most + next * NJ);
                                VECTOR d[SIDE];

#pragma unroll
                                for (int s = 0; s < SIDE; s++)
                                    d[s] = LOAD(r * pitch + j + s * dw, rows);
                                source_transform(d);
#pragma unroll
                                for (int s = 0; s < SIDE; s++)
                                    PUT(d[s], to + s * big_step, NJ, most * NJ);
                            }
                }
                for (int k = 0; k < (kn + BLOCK - 1) / BLOCK * BLOCK; k += VW) {
                    const int live = kn - k;

                    for (int r = 0; r < M; r++)
                        turn_row(
                            small +
                                (((size_t)at.n * groups + g) * K + k0 + k) * P *
                                    Q,
                            (size_t)P * Q, live, P, Q, at.p + r * dh, at.q,
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
                    for (int cj = 0; cj * NJ < cn; cj++) {
                        const global float *x = from_big + point * big_step +
                                                (size_t)cj * most * NJ;
                        const global float *dy = from_small +
                                                 point * small_step +
                                                 (size_t)kb * most * BLOCK;
                        global float *to =
                            sums +
                            (((size_t)(k0 / BLOCK + kb) * c_tiles + c0 / NJ +
                              cj) *
                                 POINTS +
                             point) *
                                NJ * BLOCK;
                        VECTOR sum[NJ][NV];

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
                     K, P, Q, dh, dw, top, left, T, together, channels, filters,
                     parts);
}

// Adds the parts of VW filters from k0 on and of NJ channels, turns them back by
// G^T .. G and to [K, C, 3, 3].
ONCE void add_parts(const global float *restrict scratch, const long partial_at,
                    global float *restrict d_weight, const int cj, const int k0,
                    const int g, const int parts, const int groups, const int C,
                    const int K)
{
    const int c_tiles = (C + NJ - 1) / NJ, k_blocks = (K + BLOCK - 1) / BLOCK;
    const size_t tile = POINTS * NJ * BLOCK;
    const size_t step = (size_t)groups * k_blocks * c_tiles * tile;
    const global float *partial =
        scratch + partial_at +
        (((size_t)g * k_blocks + k0 / BLOCK) * c_tiles + cj) * tile +
        k0 % BLOCK;
    float lanes[NJ * 9][VW];

    for (int j = 0; j < NJ; j++) {
        VECTOR columns[3][SIDE], m[SIDE];

        for (int s = 0; s < SIDE; s++) {
#pragma unroll
            for (int r = 0; r < SIDE; r++) {
                m[r] = 0.0f;
                for (int part = 0; part < parts; part++)
                    m[r] += LOAD(0, partial + part * step +
                                        ((r * SIDE + s) * NJ + j) * BLOCK);
            }
            weight_gradient_transform(m);
#pragma unroll
            for (int r = 0; r < 3; r++)
                columns[r][s] = m[r];
        }
        for (int r = 0; r < 3; r++) {
            weight_gradient_transform(columns[r]);
#pragma unroll
            for (int s = 0; s < 3; s++)
                STORE(columns[r][s], 0, lanes[j * 9 + r * 3 + s]);
        }
    }
    for (int k = k0; k < min(k0 + VW, K); k++)
        for (int i = 0; i < 9 * min(NJ, C - cj * NJ); i++)
            d_weight[(((size_t)g * K + k) * C + cj * NJ) * 9 + i] =
                lanes[i][k - k0];
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
winograd_weight_sum(const global float *restrict scratch, const long partial_at,
                    global float *restrict d_weight, const int parts,
                    const int groups, const int C, const int K)
{
    add_parts(scratch, partial_at, d_weight, get_global_id(0),
              get_global_id(1) * VW, get_global_id(2), parts, groups, C, K);
}
