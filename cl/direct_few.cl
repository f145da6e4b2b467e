// Of conv_direct: the sums of a block of KR filters over all positions, for few
// filters. A tile of KR filters x NV vectors of positions lies in registers.
#define TILE (NV * VW)
#define TILE_ROWS KR
#define TILE_VECTORS NV

#include "tile.cl"

void sum_block(const global float *source, const int plane, const int C,
               const int *offset, const int taps, const global float *weights,
               const float *bias, const int kn, const float least,
               const struct grid at, global float *made, global float *y)
{
    for (int o = 0; o < at.length; o += TILE) {
        const global float *from = source + o, *w = weights;
        int row = o / at.pitch, column = o % at.pitch;
        VECTOR sum[KR][NV];
        float lanes[KR * TILE];

#pragma unroll
        for (int q = 0; q < KR; q++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                sum[q][v] = bias[q];
        for (int c = 0; c < C; c++, from += plane)
            for (int t = 0; t < taps; t++, w += KR)
                tile_add(sum, w, from + offset[t]);
#pragma unroll
        for (int q = 0; q < KR; q++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                sum[q][v] = sum[q][v] < least ? least : sum[q][v];
        if (at.across == 1 && column + TILE <= at.width) {
            global float *to = y + (size_t)row * at.down + column;

#pragma unroll
            for (int q = 0; q < KR; q++)
                if (q < kn)
#pragma unroll
                    for (int v = 0; v < NV; v++)
                        STORE(sum[q][v], v, to + q * at.channel);
            continue;
        }
#pragma unroll
        for (int q = 0; q < KR; q++)
#pragma unroll
            for (int v = 0; v < NV; v++)
                STORE(sum[q][v], q * NV + v, lanes);
        for (int lane = 0; lane < TILE && row < at.height; row++, column = 0) {
            const int n = min(at.width - column, TILE - lane);

            for (int q = 0; q < kn; q++)
                for (int i = 0; i < n; i++)
                    y[q * at.channel + (size_t)row * at.down +
                      (column + i) * at.across] = lanes[q * TILE + lane + i];
            lane += at.pitch - column;
        }
    }
}
