// conv_panel: convolution as a product of matrices, piece by piece, for
// processors with vectors of VW floats (see conv_plain.cl for big and small).
//
//   made[f][o] = sum over d of filters[f][d] * seen[d][o]
//
// o runs over the positions of small, row after row. Where small is made, f is
// its channel and seen[c, r, s] is what tap r, s of big's channel c lies on.
// Where big is made, its kernel is as large as its stride: f is [channel, r, s]
// of big, seen small itself, and each result goes to its place between others.
//
// A work-item copies what tiles * TILE positions see into `region`, as panels
// of [D][TILE], which stay in the cache while blocks of KR filters pass over
// all of them, one after another; a tile of KR filters x NV vectors lies in
// registers. What no second filter will see is not copied where it lies in
// order. From one image of x to the next there are x_pitch channels, y_pitch of
// y. packed is [groups][F / KR][D][KR], F and D counted per group.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VECTOR JOIN(float, VW)
#define LOAD JOIN(vload, VW)
#define STORE JOIN(vstore, VW)
#define TILE (NV * VW)
#define TILE_ROWS KR
#define TILE_VECTORS NV

#include "rows.cl"
#include "tile.cl"
#include "turns.cl"

// A work-item packs DEPTH rows of one block of KR. by_f and by_d: from one
// filter and from one row to the next.
#define DEPTH 64

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
panel_pack(const global float *restrict weight, global float *restrict packed,
           const int F, const int D, const int by_f, const int by_d)
{
    const int d0 = get_global_id(0) * DEPTH, FB = (F + KR - 1) / KR;
    const int g = get_global_id(1) / FB, f0 = get_global_id(1) % FB * KR;
    global float *to = packed + ((size_t)get_global_id(1) * D + d0) * KR;
    const global float *from =
        weight + (size_t)g * F * D + (size_t)f0 * by_f + (size_t)d0 * by_d;

    for (int d = d0; d < min(d0 + DEPTH, D); d++, to += KR, from += by_d)
        for (int q = 0; q < KR; q++)
            to[q] = f0 + q < F ? from[(size_t)q * by_f] : 0.0f;
}

#if VW == 16
#define LAST sF
#elif VW == 8
#define LAST s7
#else
#define LAST s3
#endif

// Taps whose places are looked up at once, for all channels.
#define TAPS 32
// What a vector of positions sees: elements of one row; the same but for the
// first or the last, which is beyond the row; nothing; or it is more involved.
enum { ROW, NO_FIRST, NO_LAST, NOTHING, INVOLVED };

// Of positions in one row: h, w is what the first sees. A load may reach into
// the rows before and behind, so these must be there.
int kind_of(const int h, const int w, const int H, const int W, const int sw)
{
    const int left = W - w - VW * sw;

    if (h < 0 || h >= H)
        return NOTHING;
    if (w >= 0 && left >= 0)
        return ROW;
    if (w == -1 && left >= 0 && h > 0)
        return NO_FIRST;
    if (w >= 0 && left == -1 && h < H - 1)
        return sw == 2 ? ROW : NO_LAST;
    return INVOLVED;
}

// The panel of a tile: what the positions from o on see in C channels.
void copy_tile(const global float *src, global float *to, const int o,
               const int C, const int H, const int W, const int P, const int Q,
               const int R, const int S, const int sh, const int sw,
               const int dh, const int dw, const int top, const int left)
{
    int found[TAPS * NV], kind[TAPS * NV], row[NV], column[NV];

    for (int v = 0; v < NV; v++) {
        row[v] = (o + v * VW) / Q;
        column[v] = (o + v * VW) % Q;
    }
    for (int t0 = 0; t0 < R * S; t0 += TAPS) {
        const int taps = min(TAPS, R * S - t0);

        for (int i = 0; i < taps * NV; i++) {
            const int t = t0 + i / NV, v = i % NV;
            const int h = row[v] * sh + t / S * dh - top;
            const int w = column[v] * sw + t % S * dw - left;

            found[i] = h * W + w;
            kind[i] = sw <= 2 && column[v] + VW <= Q ? kind_of(h, w, H, W, sw)
                                                     : INVOLVED;
        }
        for (int c = 0; c < C; c++) {
            const global float *plane = src + (size_t)c * H * W;
            global float *out = to + ((size_t)c * R * S + t0) * TILE;

            for (int i = 0; i < taps * NV; i++, out += VW) {
                const global float *from = plane + found[i];

                if (kind[i] == INVOLVED) {
                    const int down = (t0 + i / NV) / S * dh - top;
                    const int across = (t0 + i / NV) % S * dw - left;
                    int p = row[i % NV], q = column[i % NV];

                    for (int lane = 0; lane < VW; p++, q = 0) {
                        const int n = min(VW - lane, Q - q);

                        copy_row(plane, p < P ? H : 0, W, p * sh + down,
                                 q * sw + across, sw, out + lane, n);
                        lane += n;
                    }
                } else {
                    VECTOR seen = 0.0f;

                    if (kind[i] != NOTHING && sw == 1)
                        seen = LOAD(0, from);
                    if (kind[i] != NOTHING && sw == 2) {
                        const VECTOR a = LOAD(0, from), b = LOAD(1, from);

                        seen = (VECTOR)(a.even, b.even);
                    }
                    if (kind[i] == NO_FIRST)
                        seen.s0 = 0.0f;
                    if (kind[i] == NO_LAST)
                        seen.LAST = 0.0f;
                    STORE(seen, 0, out);
                }
            }
        }
    }
}

// A tile of results, n of them, goes to y, [P * YR][Q * YS] of each channel;
// filter q of the tile is f0 + q of [channels][YR][YS].
void put_tile(const float *lanes, const int f0, const int fn, const int o,
              const int n, const int P, const int Q, const int YR, const int YS,
              global float *y)
{
    for (int q = 0; q < fn; q++) {
        const int f = f0 + q;
        global float *to = y + ((size_t)(f / (YR * YS)) * P * YR +
                                f / YS % YR) * Q * YS + f % YS;
        int row = o / Q, column = o % Q;

        for (int i = 0; i < n; i++) {
            to[((size_t)row * YR * Q + column) * YS] = lanes[q * TILE + i];
            if (++column == Q) {
                column = 0;
                row++;
            }
        }
    }
}

// a and b in turns.
void put_pairs(const VECTOR a, const VECTOR b, global float *to)
{
    VECTOR low, high;

    low.even = a.lo;
    low.odd = b.lo;
    high.even = a.hi;
    high.odd = b.hi;
    STORE(low, 0, to);
    STORE(high, 1, to);
}

#define SIZES                                                                  \
    const int groups, const int C, const int H, const int W, const int F,      \
        const int P, const int Q, const int R, const int S, const int sh,      \
        const int sw, const int dh, const int dw, const int top,               \
        const int left, const int YR, const int YS, const int x_pitch,         \
        const int y_pitch, const int tiles, const int splits,                  \
        const float least

ONCE void panels(const global float *restrict x,
                 const global float *restrict packed,
                 const global float *restrict bias, global float *restrict y,
                 global float *region, volatile global int *turns,
                 const int items, SIZES)
{
    const int T = R * S, D = C * T, PQ = P * Q;
    const bool is_plain =
        T * sh * sw == 1 && top == 0 && left == 0 && H == P && W == Q;
    const int FB = (F + KR - 1) / KR;
    const bool in_order = is_plain && FB == 1;
    const int chunks = (PQ + tiles * TILE - 1) / (tiles * TILE);
    int item;

    while (next_turn(turns, items, &item)) {
        const int split = item % splits, chunk = item / splits % chunks;
        const int n = item / splits / chunks / groups;
        const int g = item / splits / chunks % groups;
        const int begin = chunk * tiles * TILE;
        const int end = min(PQ, begin + tiles * TILE);
        const global float *src = x + ((size_t)n * x_pitch + g * C) * H * W;
        const int whole = is_plain ? (end - begin) / TILE * TILE : 0;

        for (int c = 0; c < C && !in_order; c++)
            for (int i = 0; i < whole; i += TILE)
#pragma unroll
                for (int v = 0; v < NV; v++)
                    STORE(LOAD(v, src + (size_t)c * H * W + begin + i), v,
                          region + (size_t)i * D + c * TILE);
        for (int i = whole; i < end - begin; i += TILE)
            copy_tile(src, region + (size_t)i * D, begin + i, C, H, W, P, Q, R,
                      S, sh, sw, dh, dw, top, left);
        for (int fb = split * FB / splits; fb < (split + 1) * FB / splits;
             fb++)
            for (int o = begin; o < end; o += TILE) {
                const bool is_there = in_order && o + TILE <= end;
                const global float *panel =
                    is_there ? src + o : region + (size_t)(o - begin) * D;
                const size_t step = is_there ? (size_t)H * W : TILE;
                const global float *w =
                    packed + (size_t)(g * FB + fb) * D * KR;
                const int f0 = fb * KR, fn = min(KR, F - f0);
                global float *to =
                    y + ((size_t)n * y_pitch * YR * YS + g * F) * PQ;
                VECTOR sum[KR][NV];
                float lanes[KR * TILE];

                tile_clear(sum);
                for (int d = 0; d < D; d++, panel += step, w += KR)
                    tile_add(sum, w, panel);
#pragma unroll
                for (int q = 0; q < KR; q++) {
                    const int f = g * F + min(f0 + q, F - 1);
                    const float b = bias ? bias[f / (YR * YS)] : 0.0f;

#pragma unroll
                    for (int v = 0; v < NV; v++) {
                        sum[q][v] += b;
                        sum[q][v] = sum[q][v] < least ? least : sum[q][v];
                    }
                }
                if (YR * YS == 1 && o + TILE <= end) {
                    to += (size_t)f0 * PQ + o;
#pragma unroll
                    for (int q = 0; q < KR; q++)
                        if (q < fn)
#pragma unroll
                            for (int v = 0; v < NV; v++)
                                STORE(sum[q][v], v, to + (size_t)q * PQ);
                    continue;
                }
                // Each vector in one row.
                if (YS == 2 && fn == KR && o + TILE <= end &&
                    (Q % VW == 0 || o % Q + TILE <= Q)) {
#pragma unroll
                    for (int v = 0; v < NV; v++) {
                        const int p = (o + v * VW) / Q;
                        const int column = (o + v * VW) % Q;

#pragma unroll
                        for (int q = 0; q < KR; q += 2) {
                            const int f = (f0 + q) / 2;
                            global float *row =
                                to + 2 * Q *
                                         ((size_t)(f / YR * P + p) * YR +
                                          f % YR);

                            put_pairs(sum[q][v], sum[q + 1][v],
                                      row + 2 * column);
                        }
                    }
                    continue;
                }
#pragma unroll
                for (int q = 0; q < KR; q++)
#pragma unroll
                    for (int v = 0; v < NV; v++)
                        STORE(sum[q][v], q * NV + v, lanes);
                put_tile(lanes, f0, fn, o, min(TILE, end - o), P, Q, YR, YS,
                         to);
            }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
conv_panel(const global float *restrict x, const global float *restrict packed,
           const global float *restrict bias, global float *restrict y,
           global float *region, const long region_size,
           volatile global int *turns, const int items, SIZES)
{
    panels(x, packed, bias, y, region + get_global_id(0) * region_size, turns,
           items, groups, C, H, W, F, P, Q, R, S, sh, sw, dh, dw, top, left, YR,
           YS, x_pitch, y_pitch, tiles, splits, least);
}
