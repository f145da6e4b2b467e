// winograd: 1-D transforms of F(M, TAPS) (Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", arXiv 1509.09308), on arrays of vectors, of VW
// numbers where it is defined, in place; and where tiles lie. The points are 0,
// 1, -1, then 2 for F(4, 2), 2 and -2 for F(4, 3), and infinity at last.
#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#ifdef VW
#define VECTOR JOIN(float, VW)
#define INTS JOIN(int, VW)
#define LOAD JOIN(vload, VW)
#define STORE JOIN(vstore, VW)
#else
#define VECTOR float
#endif
#ifndef TAPS
#define TAPS 3
#endif
#define SIDE (M + TAPS - 1)

#if TAPS == 2

// B^T d, of SIDE numbers of the source.
void source_transform(VECTOR *d)
{
    const VECTOR odd = d[3] - d[1], even = d[4] - d[2];
    const VECTOR near = d[1] - d[2], next = d[3] - d[2];

    d[0] = 2.0f * (d[0] - d[2]) + odd;
    d[4] = even - 2.0f * odd;
    d[2] = next + 2.0f * near;
    d[1] = next - 2.0f * d[1];
    d[3] = odd;
}

// A^T m, of SIDE numbers, M results.
void result_transform(VECTOR *m)
{
    const VECTOR sum = m[1] + m[2], difference = m[1] - m[2], far = m[3];

    m[0] += sum + far;
    m[1] = difference + 2.0f * far;
    m[2] = sum + 4.0f * far;
    m[3] = difference + 8.0f * far + m[4];
}

// A d, of M gradients of results, SIDE numbers.
void gradient_transform(VECTOR *d)
{
    const VECTOR even = d[0] + d[2], odd = d[1] + d[3];

    d[4] = d[3];
    d[3] = d[0] + 2.0f * d[1] + 4.0f * d[2] + 8.0f * d[3];
    d[1] = even + odd;
    d[2] = even - odd;
}

// G^T m, of SIDE numbers, TAPS gradients of weights.
void weight_gradient_transform(VECTOR *m)
{
    const VECTOR middle = 0.5f * m[1], sixth = (1.0f / 6.0f) * m[2];

    m[0] = 0.5f * m[0] - middle - sixth + (1.0f / 6.0f) * m[3];
    m[1] = sixth - middle + (1.0f / 3.0f) * m[3] + m[4];
}

// G g, of 2 weights, SIDE numbers to to[0], to[step] ..
#define WEIGHT_TRANSFORM(g0, g1, to, step)                                     \
    do {                                                                       \
        (to)[0] = 0.5f * (g0);                                                 \
        (to)[step] = -0.5f * ((g0) + (g1));                                    \
        (to)[2 * (step)] = (1.0f / 6.0f) * ((g1) - (g0));                      \
        (to)[3 * (step)] = (1.0f / 6.0f) * (g0) + (1.0f / 3.0f) * (g1);        \
        (to)[4 * (step)] = (g1);                                               \
    } while (0)

#elif M == 4

// B^T d, of SIDE numbers of the source.
void source_transform(VECTOR *d)
{
    const VECTOR even = d[4] - 4.0f * d[2], odd = d[3] - 4.0f * d[1];
    const VECTOR even2 = d[4] - d[2], odd2 = 2.0f * (d[3] - d[1]);

    d[0] = 4.0f * d[0] - 5.0f * d[2] + d[4];
    d[5] = 4.0f * d[1] - 5.0f * d[3] + d[5];
    d[1] = even + odd;
    d[2] = even - odd;
    d[3] = even2 + odd2;
    d[4] = even2 - odd2;
}

// A^T m, of SIDE numbers, M results.
void result_transform(VECTOR *m)
{
    const VECTOR sum = m[1] + m[2], difference = m[1] - m[2];
    const VECTOR sum2 = m[3] + m[4], difference2 = m[3] - m[4];

    m[0] += sum + sum2;
    m[1] = difference + 2.0f * difference2;
    m[2] = sum + 4.0f * sum2;
    m[3] = difference + 8.0f * difference2 + m[5];
}

// A d, of M gradients of results, SIDE numbers.
void gradient_transform(VECTOR *d)
{
    const VECTOR even = d[0] + d[2], odd = d[1] + d[3];
    const VECTOR even2 = d[0] + 4.0f * d[2];
    const VECTOR odd2 = 2.0f * d[1] + 8.0f * d[3];

    d[5] = d[3];
    d[1] = even + odd;
    d[2] = even - odd;
    d[3] = even2 + odd2;
    d[4] = even2 - odd2;
}

// G^T m, of SIDE numbers, TAPS gradients of weights.
void weight_gradient_transform(VECTOR *m)
{
    const VECTOR sum = m[1] + m[2], difference = m[2] - m[1];
    const VECTOR sum2 = m[3] + m[4], difference2 = m[3] - m[4];

    m[0] = 0.25f * m[0] - (1.0f / 6.0f) * sum + (1.0f / 24.0f) * sum2;
    m[1] = (1.0f / 6.0f) * difference + (1.0f / 12.0f) * difference2;
    m[2] = (1.0f / 6.0f) * (sum2 - sum) + m[5];
}

// G g, of 3 weights, SIDE numbers to to[0], to[step] ..
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

#else

void source_transform(VECTOR *d)
{
    const VECTOR sum = d[1] + d[2], difference = d[2] - d[1];

    d[0] -= d[2];
    d[3] = d[1] - d[3];
    d[1] = sum;
    d[2] = difference;
}

void result_transform(VECTOR *m)
{
    const VECTOR difference = m[1] - m[2];

    m[0] += m[1] + m[2];
    m[1] = difference - m[3];
}

void gradient_transform(VECTOR *d)
{
    d[2] = d[0] - d[1];
    d[3] = -d[1];
    d[1] = d[0] + d[1];
}

void weight_gradient_transform(VECTOR *m)
{
    const VECTOR sum = 0.5f * (m[1] + m[2]);

    m[0] += sum;
    m[1] = 0.5f * (m[1] - m[2]);
    m[2] = sum + m[3];
}

#define WEIGHT_TRANSFORM(TYPE, g0, g1, g2, to, step)                           \
    do {                                                                       \
        const TYPE outer_ = (g0 + g2) * 0.5f, inner_ = g1 * 0.5f;              \
                                                                               \
        (to)[0] = g0;                                                          \
        (to)[step] = outer_ + inner_;                                          \
        (to)[2 * (step)] = outer_ - inner_;                                    \
        (to)[3 * (step)] = g2;                                                 \
    } while (0)

#endif

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
    tile.p = t / across % down * M * dh + sub / dw;
    tile.q = t % across * M * dw + sub % dw;
    tile.h = tile.p - top;
    tile.w = tile.q - left;
    return tile;
}
