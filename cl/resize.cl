// resize: x [planes, H, W] to y [planes, OH, OW] and back; of y, `pitch` planes
// from one image to the next, of which C are its own.
//
// A coordinate is a ratio of whole numbers num / den (see plugins/resize.c), so
// every choice of a pixel is exact, in INDEX: int where the sizes allow it, else
// long. Forward: work-item (stretch, oy, plane) makes `chunk` numbers of a row of
// y. Backward: work-item (stretch, y, plane) makes as many of a row of dx, each
// the sum over the outputs that read it, in order: a whole row of floats by going
// through the outputs once, others by looking up those of each number.
enum { HALF_PIXEL, ASYMMETRIC, ALIGN_CORNERS, PYTORCH_HALF_PIXEL };
enum { ROUND_AUTO, FLOOR, CEIL, PREFER_FLOOR, PREFER_CEIL };

INDEX2 coordinate(const int mode, const INDEX o, const INDEX in,
                  const INDEX out)
{
    if (mode == ASYMMETRIC)
        return (INDEX2)(o * in, out);
    if (mode == ALIGN_CORNERS)
        return out == 1 ? (INDEX2)(0, 1) : (INDEX2)(o * (in - 1), out - 1);
    if (mode == PYTORCH_HALF_PIXEL && out == 1)
        return (INDEX2)(0, 1);
    return (INDEX2)((2 * o + 1) * in - out, 2 * out);
}

INDEX floor_div(const INDEX a, const INDEX b)
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

int nearest(const int mode, const int rounding, const int o, const int in,
            const int out)
{
    const INDEX2 x = coordinate(mode, o, in, out);
    INDEX i;

    if (rounding == FLOOR)
        i = floor_div(x.x, x.y);
    else if (rounding == CEIL)
        i = -floor_div(-x.x, x.y);
    else if (rounding == PREFER_FLOOR)
        i = -floor_div(-(2 * x.x - x.y), 2 * x.y);
    else
        i = floor_div(2 * x.x + x.y, 2 * x.y);
    return (int)clamp(i, (INDEX)0, (INDEX)in - 1);
}

// The two pixels a bilinear output reads and the weight of the second.
int2 bilinear(const int mode, const int o, const int in, const int out, real *t)
{
    const INDEX2 x = coordinate(mode, o, in, out);
    const INDEX low = floor_div(x.x, x.y);

    *t = (real)(x.x - low * x.y) / (real)x.y;
    return (int2)((int)clamp(low, (INDEX)0, (INDEX)in - 1),
                  (int)clamp(low + 1, (INDEX)0, (INDEX)in - 1));
}

// The outputs that may read input i lie in [result.x, result.y): a pixel reads
// no further than 2 inputs from its coordinate.
int2 readers(const int mode, const int i, const int in, const int out)
{
    const INDEX span = mode == ALIGN_CORNERS && in > 1 ? in - 1 : in;
    const INDEX low = floor_div((INDEX)(i - 2) * out, span) - 2;
    const INDEX high = floor_div((INDEX)(i + 3) * out, span) + 3;
    // The first and last input also serve the outputs beyond the border.
    const int first = i == 0 ? 0 : (int)clamp(low, (INDEX)0, (INDEX)out);
    const int last = i == in - 1 ? out : (int)clamp(high, (INDEX)0, (INDEX)out);

    return (int2)(first, last);
}

// Whether nearest pixels repeat each OW / W times along a row.
bool repeats(const int mode, const int rounding, const int W, const int OW)
{
    return OW % W == 0 && mode != ALIGN_CORNERS &&
           (mode != PYTORCH_HALF_PIXEL || OW > 1) &&
           (mode == ASYMMETRIC ? rounding == FLOOR : rounding == PREFER_CEIL);
}

kernel void resize_nearest(const global stored *restrict x,
                           global stored *restrict y, const int H, const int W,
                           const int OH, const int OW, const int C,
                           const long pitch, const int mode,
                           const int rounding, const int chunk)
{
    const int first = get_global_id(0) * chunk, last = min(first + chunk, OW);
    const int oy = get_global_id(1);
    const size_t plane = get_global_id(2);
    const global stored *row =
        x + (plane * H + nearest(mode, rounding, oy, H, OH)) * W;

    if (oy >= OH)
        return;
    y += (pitched_plane(plane, C, pitch) * OH + oy) * OW;
    if (repeats(mode, rounding, W, OW)) {
        const int r = OW / W;
        int ox = first;

        for (int i = first / r; ox < last; i++)
            for (const int end = min((i + 1) * r, last); ox < end; ox++)
                WRITE(y, ox, READ(row, i));
        return;
    }
    for (int ox = first; ox < last; ox++)
        WRITE(y, ox, READ(row, nearest(mode, rounding, ox, W, OW)));
}

// Whether numbers of a row may be summed where they lie: not in halves.
#ifdef HALVES
#define IS_WHOLE false
#else
#define IS_WHOLE (last - first == W)
#endif
#define ADD(p, i, v) WRITE(p, i, READ(p, i) + (v))

// dx[i][j], where columns [ends.x, ends.y) of dy may read j, all of them if
// `all`.
real nearest_sum(const global stored *restrict dy, const int2 rows,
                 const int2 ends, const bool all, const int i, const int j,
                 const int H, const int W, const int OH, const int OW,
                 const int mode, const int rounding)
{
    real sum = REAL(0.0);

    for (int oy = rows.x; oy < rows.y; oy++)
        if (nearest(mode, rounding, oy, H, OH) == i)
            for (int ox = ends.x; ox < ends.y; ox++)
                if (all || nearest(mode, rounding, ox, W, OW) == j)
                    sum += READ(dy, (size_t)oy * OW + ox);
    return sum;
}

kernel void resize_nearest_backward(const global stored *restrict dy,
                                    global stored *restrict dx, const int H,
                                    const int W, const int OH, const int OW,
                                    const int C, const long pitch,
                                    const int mode, const int rounding,
                                    const int chunk)
{
    const int first = get_global_id(0) * chunk, last = min(first + chunk, W);
    const int i = get_global_id(1);
    const size_t plane = get_global_id(2);
    const int2 rows = readers(mode, i, H, OH);
    const bool all = repeats(mode, rounding, W, OW);
    const int r = OW / W;

    if (i >= H)
        return;
    dx += (plane * H + i) * W;
    dy += pitched_plane(plane, C, pitch) * OH * OW;
    if (!IS_WHOLE) {
        for (int j = first; j < last; j++)
            WRITE(dx, j,
                  nearest_sum(dy, rows,
                              all ? (int2)(j * r, j * r + r)
                                  : readers(mode, j, W, OW),
                              all, i, j, H, W, OH, OW, mode, rounding));
        return;
    }
    for (int j = 0; j < W; j++)
        WRITE(dx, j, REAL(0.0));
    for (int oy = rows.x; oy < rows.y; oy++) {
        const global stored *row = dy + (size_t)oy * OW;

        if (nearest(mode, rounding, oy, H, OH) != i)
            continue;
        for (int j = 0; j < W && all; j++)
            for (int k = 0; k < r; k++)
                ADD(dx, j, READ(row, j * r + k));
        for (int ox = 0; ox < OW && !all; ox++)
            ADD(dx, nearest(mode, rounding, ox, W, OW), READ(row, ox));
    }
}

kernel void resize_bilinear(const global stored *restrict x,
                            global stored *restrict y, const int H, const int W,
                            const int OH, const int OW, const int C,
                            const long pitch, const int mode,
                            const int rounding, const int chunk)
{
    const int first = get_global_id(0) * chunk, last = min(first + chunk, OW);
    const int oy = get_global_id(1);
    const size_t plane = get_global_id(2);
    real ty, tx;
    const int2 rows = bilinear(mode, oy, H, OH, &ty);
    const global stored *above = x + (plane * H + rows.x) * W;
    const global stored *below = x + (plane * H + rows.y) * W;

    if (oy >= OH)
        return;
    y += (pitched_plane(plane, C, pitch) * OH + oy) * OW;
    for (int ox = first; ox < last; ox++) {
        const int2 at = bilinear(mode, ox, W, OW, &tx);
        const real p = READ(above, at.x), q = READ(below, at.x);
        const real a = p + tx * (READ(above, at.y) - p);
        const real b = q + tx * (READ(below, at.y) - q);

        WRITE(y, ox, a + ty * (b - a));
    }
}

// What the outputs of row i read of its number j: dx[i][j].
real bilinear_sum(const global stored *restrict dy, const int2 rows,
                  const int i, const int j, const int H, const int W,
                  const int OH, const int OW, const int mode)
{
    const int2 columns = readers(mode, j, W, OW);
    real sum = REAL(0.0), ty, tx;

    for (int oy = rows.x; oy < rows.y; oy++) {
        const int2 from = bilinear(mode, oy, H, OH, &ty);
        const real weight = (from.x == i ? 1 - ty : 0) + (from.y == i ? ty : 0);

        for (int ox = columns.x; ox < columns.y && weight != 0; ox++) {
            const int2 at = bilinear(mode, ox, W, OW, &tx);
            const real g = weight * READ(dy, (size_t)oy * OW + ox);

            if (at.x == j)
                sum += (1 - tx) * g;
            if (at.y == j)
                sum += tx * g;
        }
    }
    return sum;
}

kernel void resize_bilinear_backward(const global stored *restrict dy,
                                     global stored *restrict dx, const int H,
                                     const int W, const int OH, const int OW,
                                     const int C, const long pitch,
                                     const int mode, const int rounding,
                                     const int chunk)
{
    const int first = get_global_id(0) * chunk, last = min(first + chunk, W);
    const int i = get_global_id(1);
    const size_t plane = get_global_id(2);
    const int2 candidates = readers(mode, i, H, OH);
    real ty, tx;

    if (i >= H)
        return;
    dx += (plane * H + i) * W;
    dy += pitched_plane(plane, C, pitch) * OH * OW;
    if (!IS_WHOLE) {
        for (int j = first; j < last; j++)
            WRITE(dx, j,
                  bilinear_sum(dy, candidates, i, j, H, W, OH, OW, mode));
        return;
    }
    for (int j = 0; j < W; j++)
        WRITE(dx, j, REAL(0.0));
    for (int oy = candidates.x; oy < candidates.y; oy++) {
        const int2 rows = bilinear(mode, oy, H, OH, &ty);
        const real weight = (rows.x == i ? 1 - ty : 0) + (rows.y == i ? ty : 0);

        for (int ox = 0; ox < OW && weight != 0; ox++) {
            const int2 at = bilinear(mode, ox, W, OW, &tx);
            const real g = weight * READ(dy, (size_t)oy * OW + ox);

            ADD(dx, at.x, (1 - tx) * g);
            ADD(dx, at.y, tx * g);
        }
    }
}
