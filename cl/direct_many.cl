// Of conv_direct: the sums of a block of KR = NF * VW filters over all
// positions. A tile of NP positions x NF vectors of filters lies in registers:
// weights come in order, as vectors, and each number of the source is taken NF
// times at once. The sums go to `made`, [positions][KR], and from there in
// squares of VW x VW, turned, to y.
#define KR (NF * VW)
#define TILE_ROWS NP
#define TILE_VECTORS NF

#include "tile.cl"
#include "transpose.cl"

void put_block(const global float *made, const float *bias, const int kn,
               const float least, const struct grid at, global float *y)
{
    const int squares = (at.width + VW - 1) / VW;

    for (int i = 0; i < NF * at.height * squares; i++) {
        const int v = i / squares / at.height * VW;
        const int row = i / squares % at.height, column = i % squares * VW;
        const int n = min(VW, at.width - column), filters = min(VW, kn - v);
        const global float *from =
            made + ((size_t)row * at.pitch + column) * KR + v;
        global float *to = y + v * at.channel + (size_t)row * at.down +
                           column * at.across;
        VECTOR r[VW];

#pragma unroll
        for (int q = 0; q < VW; q++) {
            r[q] = LOAD(0, from + q * KR) + LOAD(0, bias + v);
            r[q] = r[q] < least ? least : r[q];
        }
        transpose(r);
        if (at.across == 1 && n == VW) {
#pragma unroll
            for (int q = 0; q < VW; q++)
                if (q < filters)
                    STORE(r[q], 0, to + q * at.channel);
        } else {
            float lanes[VW * VW];

#pragma unroll
            for (int q = 0; q < VW; q++)
                STORE(r[q], q, lanes);
            for (int q = 0; q < filters; q++)
                for (int j = 0; j < n; j++)
                    to[q * at.channel + j * at.across] = lanes[q * VW + j];
        }
    }
}

void sum_block(const global float *source, const int plane, const int C,
               const int *offset, const int taps, const global float *weights,
               const float *bias, const int kn, const float least,
               const struct grid at, global float *made, global float *y)
{
    for (int o = 0; o < at.length; o += NP) {
        const global float *from = source + o, *w = weights;
        VECTOR sum[NP][NF];

        tile_clear(sum);
        for (int c = 0; c < C; c++, from += plane)
            for (int t = 0; t < taps; t++, w += KR)
                tile_add(sum, from + offset[t], w);
        tile_store(sum, made + (size_t)o * KR);
    }
    put_block(made, bias, kn, least, at, y);
}
