// winograd_tiles: tiles of M x M results and what they read, see winograd.cl.

// The rows h, h + dh .. (SIDE of them) of a row of VW tiles whose columns are
// one beside the other, with zeros around the image, become SIDE * SIDE vectors
// of tiles in `to`, `step` floats apart.
void source_row(const global float *x, const int H, const int W, const int h,
                const int w, const int dh, global float *to, const size_t step)
{
    float rows[SIDE][(M + 1) * VW];

    for (int r = 0; r < SIDE; r++) {
        const int from = h + r * dh;
        const global float *row = x + (long)from * W + w;
        const bool is_in = from >= 0 && from < H;
        const int begin = is_in ? clamp(-w, 0, (M + 1) * VW) : (M + 1) * VW;
        const int end = is_in ? clamp(W - w, begin, (M + 1) * VW) : (M + 1) * VW;
        int i = 0;

        if (begin == 0 && end == (M + 1) * VW) {
#pragma unroll
            for (int v = 0; v < M + 1; v++)
                STORE(LOAD(v, row), v, rows[r]);
            continue;
        }
        for (; i < begin; i++)
            rows[r][i] = 0.0f;
        for (; i < end; i++)
            rows[r][i] = row[i];
        for (; i < (M + 1) * VW; i++)
            rows[r][i] = 0.0f;
    }
#pragma unroll
    for (int v = 0; v < M + 1; v++) {
        VECTOR d[SIDE];

#pragma unroll
        for (int r = 0; r < SIDE; r++)
            d[r] = LOAD(v, rows[r]);
        source_transform(d);
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            STORE(d[r], v, rows[r]);
    }
    for (int r = 0; r < SIDE; r++) {
        VECTOR d[SIDE];

        // Every M-th number, from 0 and from M on.
#pragma unroll
        for (int from = 0; from < 2; from++) {
            const float *at = rows[r] + M * from;
            const VECTOR a = LOAD(0, at), b = LOAD(1, at);
            const VECTOR even = (VECTOR)(a.even, b.even);
            const VECTOR odd = (VECTOR)(a.odd, b.odd);
#if M == 4
            const VECTOR c = LOAD(2, at), e = LOAD(3, at);
            const VECTOR even2 = (VECTOR)(c.even, e.even);
            const VECTOR odd2 = (VECTOR)(c.odd, e.odd);

            d[4 * from] = (VECTOR)(even.even, even2.even);
            d[4 * from + 1] = (VECTOR)(odd.even, odd2.even);
            if (from == 0) {
                d[2] = (VECTOR)(even.odd, even2.odd);
                d[3] = (VECTOR)(odd.odd, odd2.odd);
            }
#else
            d[2 * from] = even;
            d[2 * from + 1] = odd;
#endif
        }
        source_transform(d);
#pragma unroll
        for (int s = 0; s < SIDE; s++)
            STORE(d[s], 0, to + (SIDE * r + s) * step);
    }
}

// The same of VW tiles anywhere.
void source_tiles(const global float *x, const long image, const int H,
                  const int W, const struct tile *tiles, const int N,
                  const int dh, const int dw, global float *to,
                  const size_t step)
{
    float numbers[SIDE * SIDE][VW];

    for (int lane = 0; lane < VW; lane++) {
        const struct tile t = tiles[lane];
        const global float *at = x + t.n * image + (long)t.h * W + t.w;

        if (t.n < N && t.h >= 0 && t.h + (SIDE - 1) * dh < H && t.w >= 0 &&
            t.w + (SIDE - 1) * dw < W) {
            for (int r = 0; r < SIDE; r++, at += dh * W)
#pragma unroll
                for (int s = 0; s < SIDE; s++)
                    numbers[SIDE * r + s][lane] = at[s * dw];
            continue;
        }
        for (int r = 0; r < SIDE; r++, at += dh * W) {
            const int h = t.h + r * dh;

            for (int s = 0; s < SIDE; s++)
                numbers[SIDE * r + s][lane] =
                    t.n < N && h >= 0 && h < H && t.w + s * dw >= 0 &&
                            t.w + s * dw < W
                        ? at[s * dw]
                        : 0.0f;
        }
    }
    for (int s = 0; s < SIDE; s++) {
        VECTOR d[SIDE];

#pragma unroll
        for (int r = 0; r < SIDE; r++)
            d[r] = LOAD(0, numbers[SIDE * r + s]);
        source_transform(d);
#pragma unroll
        for (int r = 0; r < SIDE; r++)
            STORE(d[r], 0, numbers[SIDE * r + s]);
    }
    for (int r = 0; r < SIDE; r++) {
        VECTOR d[SIDE];

#pragma unroll
        for (int s = 0; s < SIDE; s++)
            d[s] = LOAD(0, numbers[SIDE * r + s]);
        source_transform(d);
#pragma unroll
        for (int s = 0; s < SIDE; s++)
            STORE(d[s], 0, to + (SIDE * r + s) * step);
    }
}
