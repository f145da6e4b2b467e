// avgpool: y is the sum over the window, see window.cl, divided by the number
// of taps inside: those in the plane, or with PADS also those in the pads,
// which reach BOTTOM and RIGHT beyond it. A work-item serves `rows` rows of all
// planes and `columns` columns: long ones on a processor, one number on a GPU.
#include "window.cl"

#ifdef PADS
#define LOW(before)    (-(before))
#define HIGH(n, after) ((n) + (after))
#else
#define LOW(before)    0
#define HIGH(n, after) (n)
#endif

// Taps that count, of the window that starts in row h, or in column w.
int avgpool_rows(const int h, const int H)
{
    return window_last(h, DH, KH, HIGH(H, BOTTOM)) -
           window_first(h, DH, LOW(TOP));
}

int avgpool_columns(const int w, const int W)
{
    return window_last(w, DW, KW, HIGH(W, RIGHT)) -
           window_first(w, DW, LOW(LEFT));
}

// One number, with the taps outside the plane left out. h and w: of tap 0.
real avgpool_one(const global stored *x, const int H, const int W,
                 const int h, const int w)
{
    const int r0 = window_first(h, DH, 0), r1 = window_last(h, DH, KH, H);
    const int s0 = window_first(w, DW, 0), s1 = window_last(w, DW, KW, W);
    real sum = REAL(0.0);

    for (int r = r0; r < r1; r++)
        for (int s = s0; s < s1; s++)
            sum += READ(x, (long)(h + r * DH) * W + w + s * DW);
    return sum / (avgpool_rows(h, H) * avgpool_columns(w, W));
}

#if FAST
// Windows [from, to) of a row, with all taps inside the plane.
void avgpool_row(const global real *restrict x, global real *restrict y,
                 const int W, const int h, const int from, const int to)
{
    const global real *restrict at = x + (long)h * W - LEFT;
    int q = from;

#ifdef WIDE
    const int wide_to = window_wide_to(W, to);

    for (; q < wide_to; q += 16) {
        wide sum = (wide)(REAL(0.0));

#pragma unroll
        for (int r = 0; r < KH; r++)
#pragma unroll
            for (int s = 0; s < KW; s++)
                sum += window_load(at + (long)r * DH * W + q * SW, s);
        vstore16(sum / (real)(KH * KW), 0, y + q);
    }
#endif
    for (; q < to; q++) {
        real sum = REAL(0.0);

#pragma unroll
        for (int r = 0; r < KH; r++)
#pragma unroll
            for (int s = 0; s < KW; s++)
                sum += at[(long)r * DH * W + q * SW + s * DW];
        y[q] = sum / (KH * KW);
    }
}
#endif

kernel void avgpool_forward(const global stored *restrict x,
                            global stored *restrict y, const int H,
                            const int W, const int P, const int Q,
                            const long all_rows, const int rows,
                            const int columns)
{
    const int begin = get_global_id(0) * columns;
    const int end = min(begin + columns, Q);
    const long first = get_global_id(1) * (long)rows;
    const long last = min(first + rows, all_rows);

    for (long row = first; row < last; row++) {
        const global stored *plane = x + row / P * H * W;
        const int h = (int)(row % P) * SH - TOP;
        int from = end, to = end;

#if FAST
        if (h >= 0 && h + (KH - 1) * DH < H) {
            from = clamp(window_from(Q), begin, end);
            to = clamp(window_to(W, Q), from, end);
            avgpool_row(plane, y + row * Q, W, h, from, to);
        }
#endif
        for (int q = begin; q < from; q++)
            WRITE(y, row * Q + q,
                  avgpool_one(plane, H, W, h, q * SW - LEFT));
        for (int q = to; q < end; q++)
            WRITE(y, row * Q + q,
                  avgpool_one(plane, H, W, h, q * SW - LEFT));
    }
}

// What the windows at dy, of `count` rows, give to dx[w].
real avgpool_sum(const global stored *restrict dy, const int w, const int W,
                 const int Q, const int count)
{
    real sum = REAL(0.0);

    for (int s = 0; s < KW; s++) {
        const int at = w + LEFT - s * DW, q = at / SW;

        if (at >= 0 && at % SW == 0 && q < Q)
            sum += READ(dy, q) / (count * avgpool_columns(q * SW - LEFT, W));
    }
    return sum;
}

#if FAST
// Adds this to dx[begin..end), or puts it there if is_first.
void avgpool_give(const global real *restrict dy, global real *restrict dx,
                  const int W, const int Q, const int count, const int begin,
                  const int end, const int is_first)
{
    const int from = min(window_group_from(window_from(Q), begin) * SW, end);
    const int to = max(window_group_to(window_to(W, Q), end) * SW, from);

    for (int j = from / SW; j < to / SW; j++)
#pragma unroll
        for (int f = 0; f < SW; f++) {
            real sum = REAL(0.0);

#pragma unroll
            for (int s = 0; s < KW; s++)
                if (WINDOW_HAS(f, s))
                    sum += dy[j + WINDOW_OFFSET(f, s)];
            sum /= count * KW;
            dx[j * SW + f] = is_first ? sum : dx[j * SW + f] + sum;
        }
    for (int w = begin; w < from; w++)
        dx[w] =
            (is_first ? REAL(0.0) : dx[w]) + avgpool_sum(dy, w, W, Q, count);
    for (int w = to; w < end; w++)
        dx[w] =
            (is_first ? REAL(0.0) : dx[w]) + avgpool_sum(dy, w, W, Q, count);
}
#endif

// Each number of dx looks at the windows that it is a tap of.
kernel void avgpool_backward(const global stored *restrict dy,
                             global stored *restrict dx, const int H,
                             const int W, const int P, const int Q,
                             const long all_rows, const int rows,
                             const int columns)
{
    const int begin = get_global_id(0) * columns;
    const int end = min(begin + columns, W);
    const long first = get_global_id(1) * (long)rows;
    const long last = min(first + rows, all_rows);

    for (long row = first; row < last; row++) {
        const int h = row % H;

#if FAST
        int is_first = 1;

        for (int r = 0; r < KH; r++) {
            const int at = h + TOP - r * DH, p = at / SH;

            if (at < 0 || at % SH || p >= P)
                continue;
            avgpool_give(dy + (row / H * P + p) * Q, dx + row * W, W, Q,
                         avgpool_rows(p * SH - TOP, H), begin, end, is_first);
            is_first = 0;
        }
        for (int w = begin; is_first && w < end; w++)
            dx[row * W + w] = REAL(0.0);
#else
        for (int w = begin; w < end; w++) {
            real sum = REAL(0.0);

            for (int r = 0; r < KH; r++) {
                const int at = h + TOP - r * DH, p = at / SH;

                if (at >= 0 && at % SH == 0 && p < P)
                    sum += avgpool_sum(dy + (row / H * P + p) * Q, w, W, Q,
                                       avgpool_rows(p * SH - TOP, H));
            }
            WRITE(dx, row * W + w, sum);
        }
#endif
    }
}
