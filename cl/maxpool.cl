// maxpool: y is the largest number in the window, see window.cl.
//
// taps says where it was, first come first kept: r * KW + s, or h * W + w if
// FLAT. A NaN counts as larger than all numbers. A work-item serves `rows` rows
// of all planes and `columns` columns: long ones on a processor, one number on
// a GPU.
#include "window.cl"

// PLACE_WIDE: of 16 taps, SW columns apart.
#ifdef FLAT
#define PLACE(r, s, h, w) ((h)*W + (w))
#define PLACE_WIDE(r, s, h, w)                                                 \
    ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) * SW +      \
     PLACE(r, s, h, w))
#else
#define PLACE(r, s, h, w)      ((r)*KW + (s))
#define PLACE_WIDE(r, s, h, w) ((TAP)PLACE(r, s, h, w))
#endif

// Without KEEP nobody asks where the largest number was.
#ifdef KEEP
#define KEPT(to, from)      ((to) = (from))
#define KEPT_WIDE(from, to) vstore16(from, 0, to)
#else
#define KEPT(to, from)
#define KEPT_WIDE(from, to)
#endif

// One number, with the taps outside the plane left out. h and w: of tap 0.
ONCE void maxpool_one(const global stored *x, global stored *y,
                      global TAP *taps, const int H, const int W, const int h,
                      const int w)
{
    const int r0 = window_first(h, DH, 0), r1 = window_last(h, DH, KH, H);
    const int s0 = window_first(w, DW, 0), s1 = window_last(w, DW, KW, W);
    real m = READ(x, (long)(h + r0 * DH) * W + w + s0 * DW);
    int place = PLACE(r0, s0, h + r0 * DH, w + s0 * DW);

    for (int r = r0; r < r1; r++)
        for (int s = s0; s < s1; s++) {
            const real v = READ(x, (long)(h + r * DH) * W + w + s * DW);
            const int is_larger = !(v <= m) && m == m;

            m = is_larger ? v : m;
            place = is_larger ? PLACE(r, s, h + r * DH, w + s * DW) : place;
        }
    WRITE(y, 0, m);
    KEPT(*taps, place);
}

#if FAST
// Windows [from, to) of a row, with all taps inside the plane.
void maxpool_many(const global real *restrict x, global real *restrict y,
                  global TAP *restrict taps, const int W, const int h,
                  const int from, const int to)
{
    for (int q = from; q < to; q++) {
        const global real *restrict at = x + (long)h * W + q * SW - LEFT;
        real m = at[0];
        int place = PLACE(0, 0, h, q * SW - LEFT);

#pragma unroll
        for (int r = 0; r < KH; r++)
#pragma unroll
            for (int s = 0; s < KW; s++) {
                const real v = at[(long)r * DH * W + s * DW];
                const int is_larger = !(v <= m) && m == m;

                m = is_larger ? v : m;
                place = is_larger
                            ? PLACE(r, s, h + r * DH, q * SW - LEFT + s * DW)
                            : place;
            }
        y[q] = m;
        KEPT(taps[q], place);
    }
}
#endif

#ifdef WIDE
#define CONVERT_TO(type, v) convert_##type##16(v)
#define CONVERT(type, v)    CONVERT_TO(type, v)

// Windows q to q + 15 of a row.
void maxpool_wide(const global real *x, global real *y, global TAP *taps,
                  const int W, const int h, const int q)
{
    const global real *at = x + (long)h * W + q * SW - LEFT;
    wide m = window_load(at, 0);
    wide_mask place = (wide_mask)(0);

#pragma unroll
    for (int r = 0; r < KH; r++)
#pragma unroll
        for (int s = 0; s < KW; s++) {
            const wide v = window_load(at + (long)r * DH * W, s);
            const wide_mask is_larger = ~(v <= m) & (m == m);

            m = is_larger ? v : m;
            place =
                is_larger ? (wide_mask)(PLACE(r, s, r * DH, s * DW)) : place;
        }
#ifdef FLAT
    place += WIDE_MASK(PLACE_WIDE(0, 0, h, q * SW - LEFT));
#endif
    vstore16(m, 0, y + q);
    KEPT_WIDE(CONVERT(TAP, place), taps + q);
}
#endif

#if FAST
// Windows [from, to) of a row, with all taps inside the plane.
ONCE void maxpool_row(const global real *x, global real *y, global TAP *taps,
                      const int W, const int h, const int from, const int to)
{
    int q = from;

#ifdef WIDE
    const int wide_to = window_wide_to(W, to);

    for (; q < wide_to; q += 16)
        maxpool_wide(x, y, taps, W, h, q);
    // A last one may make some again, so as to leave few behind.
    if (q < to && wide_to > from) {
        maxpool_wide(x, y, taps, W, h, wide_to - 1);
        q = wide_to + 15;
    }
#endif
    maxpool_many(x, y, taps, W, h, q, to);
}
#endif

kernel void maxpool_forward(const global stored *restrict x,
                            global stored *restrict y, global TAP *restrict taps,
                            const int C, const long x_pitch, const long y_pitch,
                            const int H, const int W, const int P, const int Q,
                            const long all_rows, const int rows,
                            const int columns)
{
    const int begin = get_global_id(0) * columns;
    const int end = min(begin + columns, Q);
    const long first = get_global_id(1) * (long)rows;
    const long last = min(first + rows, all_rows);

    for (long row = first; row < last; row++) {
        const global stored *plane =
            x + pitched_plane(row / P, C, x_pitch) * H * W;
        global stored *made =
            y + (pitched_plane(row / P, C, y_pitch) * P + row % P) * Q;
        const int h = (int)(row % P) * SH - TOP;
        int from = end, to = end;

#if FAST
        if (h >= 0 && h + (KH - 1) * DH < H) {
            from = clamp(window_from(Q), begin, end);
            to = clamp(window_to(W, Q), from, end);
            maxpool_row(plane, made, taps + row * Q, W, h, from, to);
        }
#endif
        for (int q = begin; q < from; q++)
            maxpool_one(plane, made + q, taps + row * Q + q, H, W, h,
                        q * SW - LEFT);
        for (int q = to; q < end; q++)
            maxpool_one(plane, made + q, taps + row * Q + q, H, W, h,
                        q * SW - LEFT);
    }
}

// What row r of the windows at dy and taps gives to dx[w].
real maxpool_sum(const global stored *restrict dy,
                 const global TAP *restrict taps, const int h, const int w,
                 const int W, const int Q, const int r)
{
    real sum = REAL(0.0);

    for (int s = 0; s < KW; s++) {
        const int at = w + LEFT - s * DW, q = at / SW;

        if (at >= 0 && at % SW == 0 && q < Q && taps[q] == PLACE(r, s, h, w))
            sum += READ(dy, q);
    }
    return sum;
}

#ifdef WIDE
// The same for 16 groups of SW columns from j on, put at or added to dx.
void maxpool_give_wide(const global real *dy, const global TAP *taps,
                       global real *dx, const int h, const int W, const int r,
                       const int j, const int is_first)
{
    wide sum[SW];

#pragma unroll
    for (int f = 0; f < SW; f++) {
        sum[f] = (wide)(REAL(0.0));
#pragma unroll
        for (int s = 0; s < KW; s++)
            if (WINDOW_HAS(f, s)) {
                const int q = j + WINDOW_OFFSET(f, s);
                const wide g = vload16(0, dy + q);

                sum[f] += WIDE_MASK(vload16(0, taps + q) ==
                                    PLACE_WIDE(r, s, h, j * SW + f))
                              ? g
                              : (wide)(REAL(0.0));
            }
    }
    window_store(sum[0], sum[SW - 1], dx + j * SW, is_first);
}
#endif

#if FAST
// Adds this to dx[begin..end) of row h, or puts it there if is_first.
ONCE void maxpool_give(const global real *restrict dy,
                       const global TAP *restrict taps,
                       global real *restrict dx, const int h, const int W,
                       const int Q, const int r, const int begin, const int end,
                       const int is_first)
{
    const int from = min(window_group_from(0, begin) * SW, end);
    const int to = max(window_group_to(Q, end) * SW, from);
    int j = from / SW;

#ifdef WIDE
    for (; j + 16 <= to / SW; j += 16)
        maxpool_give_wide(dy, taps, dx, h, W, r, j, is_first);
#endif
    for (; j < to / SW; j++)
#pragma unroll
        for (int f = 0; f < SW; f++) {
            real sum = REAL(0.0);

#pragma unroll
            for (int s = 0; s < KW; s++)
                if (WINDOW_HAS(f, s)) {
                    const int q = j + WINDOW_OFFSET(f, s);

                    sum += taps[q] == PLACE(r, s, h, j * SW + f) ? dy[q]
                                                                 : REAL(0.0);
                }
            dx[j * SW + f] = is_first ? sum : dx[j * SW + f] + sum;
        }
    for (int w = begin; w < from; w++)
        dx[w] = (is_first ? REAL(0.0) : dx[w]) +
                maxpool_sum(dy, taps, h, w, W, Q, r);
    for (int w = to; w < end; w++)
        dx[w] = (is_first ? REAL(0.0) : dx[w]) +
                maxpool_sum(dy, taps, h, w, W, Q, r);
}
#endif

// Each number of dx looks at the windows that it is a tap of.
kernel void maxpool_backward(const global stored *restrict dy,
                             const global TAP *restrict taps,
                             global stored *restrict dx, const int C,
                             const long dy_pitch, const int H,
                             const int W, const int P, const int Q, const long all_rows,
                             const int rows, const int columns)
{
    const int begin = get_global_id(0) * columns;
    const int end = min(begin + columns, W);
    const long first = get_global_id(1) * (long)rows;
    const long last = min(first + rows, all_rows);

    for (long row = first; row < last; row++) {
        const long plane = pitched_plane(row / H, C, dy_pitch);
        const int h = row % H;

#if FAST
        int is_first = 1;

        for (int r = 0; r < KH; r++) {
            const int at = h + TOP - r * DH, p = at / SH;
            const long base = (row / H * P + p) * Q;

            if (at < 0 || at % SH || p >= P)
                continue;
            maxpool_give(dy + (plane * P + p) * Q, taps + base, dx + row * W, h,
                         W, Q, r, begin, end, is_first);
            is_first = 0;
        }
        for (int w = begin; is_first && w < end; w++)
            dx[row * W + w] = REAL(0.0);
#else
        for (int w = begin; w < end; w++) {
            real sum = REAL(0.0);

            for (int r = 0; r < KH; r++) {
                const int at = h + TOP - r * DH, p = at / SH;
                const long base = (row / H * P + p) * Q;

                if (at >= 0 && at % SH == 0 && p < P)
                    sum += maxpool_sum(dy + (plane * P + p) * Q, taps + base,
                                       h, w, W, Q, r);
            }
            WRITE(dx, row * W + w, sum);
        }
#endif
    }
}
