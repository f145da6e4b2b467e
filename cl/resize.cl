// resize: x [planes, H, W] to y [planes, OH, OW] and back.
//
// A coordinate is a ratio of whole numbers num / den (see plugins/resize.c), so
// every choice of a pixel is exact. Forward: work-item (oy, plane) makes a row
// of y. Backward: work-item (y, plane) makes a row of dx, each element the sum
// over the outputs that read it, in order.
enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, PYTORCH_HALF_PIXEL };
enum { ROUND_AUTO, FLOOR, CEIL, PREFER_FLOOR, PREFER_CEIL };

long2 coordinate(const int mode, const long o, const long in, const long out)
{
    if (mode == ASYMMETRIC)
        return (long2)(o * in, out);
    if (mode == ALIGN_CORNERS)
        return out == 1 ? (long2)(0, 1) : (long2)(o * (in - 1), out - 1);
    if (mode == PYTORCH_HALF_PIXEL && out == 1)
        return (long2)(0, 1);
    return (long2)((2 * o + 1) * in - out, 2 * out);
}

long floor_div(const long a, const long b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

int nearest(const int mode, const int rounding, const int o, const int in,
            const int out)
{
    const long2 x = coordinate(mode, o, in, out);
    long i;

    if (rounding == FLOOR)
        i = floor_div(x.x, x.y);
    else if (rounding == CEIL)
        i = -floor_div(-x.x, x.y);
    else if (rounding == PREFER_FLOOR)
        i = -floor_div(-(2 * x.x - x.y), 2 * x.y);
    else
        i = floor_div(2 * x.x + x.y, 2 * x.y);
    return (int)clamp(i, 0L, (long)in - 1);
}

// The two pixels a bilinear output reads and the weight of the second.
int2 bilinear(const int mode, const int o, const int in, const int out, real *t)
{
    const long2 x = coordinate(mode, o, in, out);
    const long low = floor_div(x.x, x.y);

    *t = (real)(x.x - low * x.y) / (real)x.y;
    return (int2)((int)clamp(low, 0L, (long)in - 1),
                  (int)clamp(low + 1, 0L, (long)in - 1));
}

// The outputs that may read input i lie in [result.x, result.y): a pixel reads
// no further than 2 inputs from its coordinate.
int2 readers(const int mode, const int i, const int in, const int out)
{
    const long span = mode == ALIGN_CORNERS && in > 1 ? in - 1 : in;
    const long low = floor_div((long)(i - 2) * out, span) - 2;
    const long high = floor_div((long)(i + 3) * out, span) + 3;
    // The first and last input also serve the outputs beyond the border.
    const int first = i == 0 ? 0 : (int)clamp(low, 0L, (long)out);
    const int last = i == in - 1 ? out : (int)clamp(high, 0L, (long)out);

    return (int2)(first, last);
}

kernel void resize_nearest(const global real *restrict x,
                           global real *restrict y, const int H, const int W,
                           const int OH, const int OW, const int mode,
                           const int rounding)
{
    const int oy = get_global_id(0);
    const size_t plane = get_global_id(1);
    const global real *row =
        x + (plane * H + nearest(mode, rounding, oy, H, OH)) * W;

    y += (plane * OH + oy) * OW;
    if (OW % W == 0 && mode != ALIGN_CORNERS &&
        (mode != PYTORCH_HALF_PIXEL || OW > 1) &&
        (mode == ASYMMETRIC ? rounding == FLOOR : rounding == PREFER_CEIL)) {
        const int r = OW / W;

        for (int i = 0; i < W; i++)
            for (int k = 0; k < r; k++)
                y[i * r + k] = row[i];
        return;
    }
    for (int ox = 0; ox < OW; ox++)
        y[ox] = row[nearest(mode, rounding, ox, W, OW)];
}

kernel void resize_nearest_backward(const global real *restrict dy,
                                    global real *restrict dx, const int H,
                                    const int W, const int OH, const int OW,
                                    const int mode, const int rounding)
{
    const int i = get_global_id(0);
    const size_t plane = get_global_id(1);
    const int2 rows = readers(mode, i, H, OH);

    dx += (plane * H + i) * W;
    dy += plane * OH * OW;
    for (int j = 0; j < W; j++)
        dx[j] = REAL(0.0);
    for (int oy = rows.x; oy < rows.y; oy++) {
        if (nearest(mode, rounding, oy, H, OH) != i)
            continue;
        if (OW % W == 0 && mode != ALIGN_CORNERS &&
            (mode != PYTORCH_HALF_PIXEL || OW > 1) &&
            (mode == ASYMMETRIC ? rounding == FLOOR
                                : rounding == PREFER_CEIL)) {
            const int r = OW / W;

            for (int j = 0; j < W; j++)
                for (int k = 0; k < r; k++)
                    dx[j] += dy[(size_t)oy * OW + j * r + k];
        } else {
            for (int ox = 0; ox < OW; ox++)
                dx[nearest(mode, rounding, ox, W, OW)] +=
                    dy[(size_t)oy * OW + ox];
        }
    }
}

kernel void resize_bilinear(const global real *restrict x,
                            global real *restrict y, const int H, const int W,
                            const int OH, const int OW, const int mode,
                            const int rounding)
{
    const int oy = get_global_id(0);
    const size_t plane = get_global_id(1);
    real ty, tx;
    const int2 rows = bilinear(mode, oy, H, OH, &ty);
    const global real *above = x + (plane * H + rows.x) * W;
    const global real *below = x + (plane * H + rows.y) * W;

    y += (plane * OH + oy) * OW;
    for (int ox = 0; ox < OW; ox++) {
        const int2 at = bilinear(mode, ox, W, OW, &tx);
        const real a = above[at.x] + tx * (above[at.y] - above[at.x]);
        const real b = below[at.x] + tx * (below[at.y] - below[at.x]);

        y[ox] = a + ty * (b - a);
    }
}

kernel void resize_bilinear_backward(const global real *restrict dy,
                                     global real *restrict dx, const int H,
                                     const int W, const int OH, const int OW,
                                     const int mode, const int rounding)
{
    const int i = get_global_id(0);
    const size_t plane = get_global_id(1);
    const int2 candidates = readers(mode, i, H, OH);
    real ty, tx;

    dx += (plane * H + i) * W;
    dy += plane * OH * OW;
    for (int j = 0; j < W; j++)
        dx[j] = REAL(0.0);
    for (int oy = candidates.x; oy < candidates.y; oy++) {
        const int2 rows = bilinear(mode, oy, H, OH, &ty);
        const real weight = (rows.x == i ? 1 - ty : 0) + (rows.y == i ? ty : 0);

        if (weight == 0)
            continue;
        for (int ox = 0; ox < OW; ox++) {
            const int2 at = bilinear(mode, ox, W, OW, &tx);
            const real g = weight * dy[(size_t)oy * OW + ox];

            dx[at.x] += (1 - tx) * g;
            dx[at.y] += tx * g;
        }
    }
}
