// winograd: 1-D transforms of F(4, 3) at the points 0, 1, -1, 2, -2 and
// infinity (Lavin and Gray, "Fast Algorithms for Convolutional Neural
// Networks", arXiv 1509.09308), of vectors a[0], a[step], ..
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define VECTOR JOIN(float, VW)
#define LOAD JOIN(vload, VW)
#define STORE JOIN(vstore, VW)

// Six numbers of the source: B^T d.
#define SOURCE_TRANSFORM(d0, d1, d2, d3, d4, d5)                               \
    do {                                                                       \
        const VECTOR even_ = d4 - 4.0f * d2, odd_ = d3 - 4.0f * d1;            \
        const VECTOR even2_ = d4 - d2, odd2_ = 2.0f * (d3 - d1);               \
                                                                               \
        d0 = 4.0f * d0 - 5.0f * d2 + d4;                                       \
        d5 = 4.0f * d1 - 5.0f * d3 + d5;                                       \
        d1 = even_ + odd_;                                                     \
        d2 = even_ - odd_;                                                     \
        d3 = even2_ + odd2_;                                                   \
        d4 = even2_ - odd2_;                                                   \
    } while (0)

// Six numbers to four results: A^T m, into m0 .. m3.
#define RESULT_TRANSFORM(m0, m1, m2, m3, m4, m5)                               \
    do {                                                                       \
        const VECTOR sum_ = m1 + m2, difference_ = m1 - m2;                    \
        const VECTOR sum2_ = m3 + m4, difference2_ = m3 - m4;                  \
                                                                               \
        m0 += sum_ + sum2_;                                                    \
        m1 = difference_ + 2.0f * difference2_;                                \
        m2 = sum_ + 4.0f * sum2_;                                              \
        m3 = difference_ + 8.0f * difference2_ + m5;                           \
    } while (0)

// Three weights to six numbers: G g, into to[0], to[step] ..
#define WEIGHT_TRANSFORM(TYPE, g0, g1, g2, to, step)                           \
    do {                                                                       \
        const TYPE outer_ = (g0 + g2) * (1.0f / 6.0f);                         \
        const TYPE inner_ = g1 * (1.0f / 6.0f);                                \
        const TYPE far_ = g0 * (1.0f / 24.0f) + g2 * (1.0f / 6.0f);            \
        const TYPE middle_ = g1 * (1.0f / 12.0f);                              \
                                                                               \
        (to)[0] = 0.25f * g0;                                                  \
        (to)[step] = -outer_ - inner_;                                         \
        (to)[2 * (step)] = inner_ - outer_;                                    \
        (to)[3 * (step)] = far_ + middle_;                                     \
        (to)[4 * (step)] = far_ - middle_;                                     \
        (to)[5 * (step)] = g2;                                                 \
    } while (0)

// A place of a tile: its first row and column of the source and the result, of
// which image; height and width of the result that it covers.
struct tile {
    int n, h, w, p, q;
};

// Tiles are counted along the columns, the rows, the dh * dw sub-grids (on
// each of which a dilated kernel is a dense one) and the images.
struct tile tile_at(const int t, const int down, const int across,
                    const int dh, const int dw, const int top, const int left)
{
    const int sub = t / across / down % (dh * dw);
    struct tile tile;

    tile.n = t / across / down / (dh * dw);
    tile.p = t / across % down * 4 * dh + sub / dw;
    tile.q = t % across * 4 * dw + sub % dw;
    tile.h = tile.p - top;
    tile.w = tile.q - left;
    return tile;
}

// The rows h, h + dh .. (6 of them) of a row of VW tiles whose columns are one
// beside the other, with zeros around the image, become 36 vectors of tiles in
// `to`, `step` floats apart.
void source_row(const global float *x, const int H, const int W, const int h,
                const int w, const int dh, global float *to, const size_t step)
{
    float rows[6][5 * VW];

    for (int r = 0; r < 6; r++) {
        const int from = h + r * dh;
        const global float *row = x + (long)from * W + w;
        const bool is_in = from >= 0 && from < H;
        const int begin = is_in ? clamp(-w, 0, 5 * VW) : 5 * VW;
        const int end = is_in ? clamp(W - w, begin, 5 * VW) : 5 * VW;
        int i = 0;

        if (begin == 0 && end == 5 * VW) {
#pragma unroll
            for (int v = 0; v < 5; v++)
                STORE(LOAD(v, row), v, rows[r]);
            continue;
        }
        for (; i < begin; i++)
            rows[r][i] = 0.0f;
        for (; i < end; i++)
            rows[r][i] = row[i];
        for (; i < 5 * VW; i++)
            rows[r][i] = 0.0f;
    }
#pragma unroll
    for (int v = 0; v < 5; v++) {
        VECTOR d[6];

#pragma unroll
        for (int r = 0; r < 6; r++)
            d[r] = LOAD(v, rows[r]);
        SOURCE_TRANSFORM(d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
        for (int r = 0; r < 6; r++)
            STORE(d[r], v, rows[r]);
    }
    for (int r = 0; r < 6; r++) {
        VECTOR d[6];

        // Every fourth number, from 0 and from 4 on.
#pragma unroll
        for (int from = 0; from < 2; from++) {
            const VECTOR a = LOAD(0, rows[r] + 4 * from);
            const VECTOR b = LOAD(1, rows[r] + 4 * from);
            const VECTOR c = LOAD(2, rows[r] + 4 * from);
            const VECTOR e = LOAD(3, rows[r] + 4 * from);
            const VECTOR even = (VECTOR)(a.even, b.even);
            const VECTOR even2 = (VECTOR)(c.even, e.even);
            const VECTOR odd = (VECTOR)(a.odd, b.odd);
            const VECTOR odd2 = (VECTOR)(c.odd, e.odd);

            d[4 * from] = (VECTOR)(even.even, even2.even);
            d[4 * from + 1] = (VECTOR)(odd.even, odd2.even);
            if (from == 0) {
                d[2] = (VECTOR)(even.odd, even2.odd);
                d[3] = (VECTOR)(odd.odd, odd2.odd);
            }
        }
        SOURCE_TRANSFORM(d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
        for (int s = 0; s < 6; s++)
            STORE(d[s], 0, to + (6 * r + s) * step);
    }
}

// The same of VW tiles anywhere.
void source_tiles(const global float *x, const long image, const int H,
                  const int W, const struct tile *tiles, const int N,
                  const int dh, const int dw, global float *to,
                  const size_t step)
{
    float numbers[36][VW];

    for (int lane = 0; lane < VW; lane++) {
        const struct tile t = tiles[lane];
        const global float *at = x + t.n * image + (long)t.h * W + t.w;

        if (t.n < N && t.h >= 0 && t.h + 5 * dh < H && t.w >= 0 &&
            t.w + 5 * dw < W) {
            for (int r = 0; r < 6; r++, at += dh * W)
#pragma unroll
                for (int s = 0; s < 6; s++)
                    numbers[6 * r + s][lane] = at[s * dw];
            continue;
        }
        for (int r = 0; r < 6; r++, at += dh * W) {
            const int h = t.h + r * dh;

            for (int s = 0; s < 6; s++)
                numbers[6 * r + s][lane] =
                    t.n < N && h >= 0 && h < H && t.w + s * dw >= 0 &&
                            t.w + s * dw < W
                        ? at[s * dw]
                        : 0.0f;
        }
    }
    for (int s = 0; s < 6; s++) {
        VECTOR d[6];

#pragma unroll
        for (int r = 0; r < 6; r++)
            d[r] = LOAD(0, numbers[6 * r + s]);
        SOURCE_TRANSFORM(d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
        for (int r = 0; r < 6; r++)
            STORE(d[r], 0, numbers[6 * r + s]);
    }
    for (int r = 0; r < 6; r++) {
        VECTOR d[6];

#pragma unroll
        for (int s = 0; s < 6; s++)
            d[s] = LOAD(0, numbers[6 * r + s]);
        SOURCE_TRANSFORM(d[0], d[1], d[2], d[3], d[4], d[5]);
#pragma unroll
        for (int s = 0; s < 6; s++)
            STORE(d[s], 0, to + (6 * r + s) * step);
    }
}
