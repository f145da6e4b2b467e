// pixel_shuffle: small [N, C * r * r, H, W] and big [N, C, H * r, W * r],
//   big[n, c, h*r + i, w*r + j] = small[n, channel(c, i, j), h, w]
// -DR= is r, so that its loops are of known length; -DTF chooses the order of
// the channels. Work-item (stretch of w, row of big, plane of big).
#ifdef TF
#define CHANNEL(c, i, j) (((i)*R + (j)) * C + (c))
#else
#define CHANNEL(c, i, j) (((c)*R + (i)) * R + (j))
#endif

// Where the elements j = 0 of this work-item's row begin in small, how far
// apart the channels of j are; false: there is no such row.
bool shuffle_place(const int C, const int H, const int W, size_t *small,
                   size_t *step, size_t *big)
{
    const int row = get_global_id(1), h = row / R, i = row % R;
    const int n = get_global_id(2) / C, c = get_global_id(2) % C;

    *small = (((size_t)n * C * R * R + CHANNEL(c, i, 0)) * H + h) * W;
    *step = (size_t)(CHANNEL(c, i, 1) - CHANNEL(c, i, 0)) * H * W;
    *big = (get_global_id(2) * H * R + row) * W * R;
    return row < H * R;
}

kernel void shuffle_forward(const global stored *restrict small,
                            global stored *restrict big, const int C,
                            const int H, const int W, const int chunk)
{
    const int first = (int)min((long)get_global_id(0) * chunk, (long)W);
    const int last = min(first + chunk, W);
    size_t from, step, to;

    if (!shuffle_place(C, H, W, &from, &step, &to))
        return;
    small += from;
    big += to;
    for (int w = first; w < last; w++)
        for (int j = 0; j < R; j++)
            WRITE(big, w * R + j, READ(small, j * step + w));
}

kernel void shuffle_backward(const global stored *restrict big,
                             global stored *restrict small, const int C,
                             const int H, const int W, const int chunk)
{
    const int first = (int)min((long)get_global_id(0) * chunk, (long)W);
    const int last = min(first + chunk, W);
    size_t from, step, to;

    if (!shuffle_place(C, H, W, &to, &step, &from))
        return;
    small += to;
    big += from;
    for (int w = first; w < last; w++)
        for (int j = 0; j < R; j++)
            WRITE(small, j * step + w, READ(big, w * R + j));
}
