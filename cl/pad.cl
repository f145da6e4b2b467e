// pad: y [planes, OH, OW] is x [planes, H, W] moved down by `top` and right by
// `left`, which are negative where y is a part of x (crop). Outside of x y is
// zero, or x mirrored or repeated. Work-item (stretch of a row, row, plane).
enum { ZERO, REFLECT, REPLICATE };

// The element of x, of n, at place i outside of it; -1: zero.
int pad_source(const int mode, const int i, const int n)
{
    if (mode == ZERO)
        return -1;
    if (mode == REPLICATE)
        return i < 0 ? 0 : n - 1;
    return i < 0 ? -i : 2 * (n - 1) - i;
}

kernel void pad_forward(const global stored *restrict x,
                        global stored *restrict y, const int H, const int W, const int OH, const int OW,
                        const int top, const int left, const int mode,
                        const int chunk)
{
    const int first = (int)min((long)get_global_id(0) * chunk, (long)OW);
    const int last = min(first + chunk, OW);
    const int oy = get_global_id(1);
    const size_t plane = get_global_id(2);
    // Columns [inner, outer) of y lie in x.
    const int inner = clamp(left, first, last);
    const int outer = clamp(left + W, inner, last);
    int row = oy - top;

    if (oy >= OH)
        return;
    y += (plane * OH + oy) * OW;
    if (row < 0 || row >= H)
        row = pad_source(mode, row, H);
    if (row < 0) {
        for (int ox = first; ox < last; ox++)
            WRITE(y, ox, REAL(0.0));
        return;
    }
    x += (plane * H + row) * W;
    for (int ox = first; ox < inner; ox++) {
        const int i = pad_source(mode, ox - left, W);

        WRITE(y, ox, i < 0 ? REAL(0.0) : READ(x, i));
    }
    for (int ox = inner; ox < outer; ox++)
        WRITE(y, ox, READ(x, ox - left));
    for (int ox = outer; ox < last; ox++) {
        const int i = pad_source(mode, ox - left, W);

        WRITE(y, ox, i < 0 ? REAL(0.0) : READ(x, i));
    }
}

// How many results may read element i of n, and which the k-th of them is, -1:
// none. There are `out` results, `before` of them ahead of element 0.
int pad_readers(const int mode, const int i, const int n, const int out,
                const int before)
{
    if (mode == REFLECT)
        return 3;
    return 1 + (i == 0 ? before : 0) + (i == n - 1 ? out - before - n : 0);
}

int pad_reader(const int mode, const int i, const int n, const int out,
               const int before, const int k)
{
    const int self = i + before;

    if (mode == REPLICATE)
        return (i == 0 ? 0 : self) + k;
    if (k == 0)
        return i > 0 && i <= before ? before - i : -1;
    if (k == 1)
        return self;
    return i < n - 1 && n - 1 - i < out - before - n + 1
               ? before + 2 * (n - 1) - i
               : -1;
}

// dx by reflect and replicate; each element sums its readers in their order.
kernel void pad_backward(const global stored *restrict dy,
                         global stored *restrict dx, const int H, const int W,
                         const int OH, const int OW, const int top,
                         const int left, const int mode, const int chunk)
{
    const int first = (int)min((long)get_global_id(0) * chunk, (long)W);
    const int last = min(first + chunk, W);
    const int row = get_global_id(1);
    const size_t plane = get_global_id(2);

    if (row >= H)
        return;
    dx += (plane * H + row) * W;
    dy += plane * OH * OW;
    for (int i = first; i < last; i++) {
        real sum = REAL(0.0);

        for (int ky = 0; ky < pad_readers(mode, row, H, OH, top); ky++) {
            const int oy = pad_reader(mode, row, H, OH, top, ky);
            const global stored *from = dy + (size_t)oy * OW;

            for (int kx = 0; oy >= 0 && kx < pad_readers(mode, i, W, OW, left);
                 kx++) {
                const int ox = pad_reader(mode, i, W, OW, left, kx);

                if (ox >= 0)
                    sum += READ(from, ox);
            }
        }
        WRITE(dx, i, sum);
    }
}
