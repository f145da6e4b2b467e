// mul: y[n,c,s] = a[n,c,s] * b at that place; a and y are [N, C, S], b is as
// large or has C = 1 or S = 1. Buffers may be one and the same; the pragma says
// that an element depends on itself alone, which no compiler can know then.

// How b is read, for a plane (n, c): -DSAME, -DONE_CHANNEL, -DONE_PIXEL.
#if defined(SAME)
#define B(plane, s) b[(plane)*S + (s)]
#elif defined(ONE_CHANNEL)
#define B(plane, s) b[(plane) / C * S + (s)]
#else
#define B(plane, s) b[plane]
#endif

// x is a forward, dy backward; work-item (chunk of the plane, -, plane).
kernel void mul_apply(const global real *x, const global real *b,
                      global real *y, const int C, const long S,
                      const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, S);
    const long plane = get_global_id(2);

    if (get_global_id(1) > 0)
        return;
    x += plane * S;
    y += plane * S;
#pragma clang loop vectorize(assume_safety)
    for (long s = first; s < last; s++)
        y[s] = x[s] * B(plane, s);
}

// db[n,s] = sum over c of dy[n,c,s] * a[n,c,s]; work-item (chunk, -, n).
kernel void mul_sum_channels(const global real *restrict dy,
                             const global real *restrict a,
                             global real *restrict db, const int C,
                             const long S, const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, S);
    const long n = get_global_id(2);

    if (get_global_id(1) > 0)
        return;
    dy += n * C * S;
    a += n * C * S;
    db += n * S;
    for (long s = first; s < last; s++)
        db[s] = dy[s] * a[s];
    for (int c = 1; c < C; c++) {
        dy += S;
        a += S;
        for (long s = first; s < last; s++)
            db[s] += dy[s] * a[s];
    }
}

// db[n,c] = sum over s of dy[n,c,s] * a[n,c,s], in 16 sums that are added in
// the end; work-item (-, -, plane).
kernel void mul_sum_pixels(const global real *restrict dy,
                           const global real *restrict a,
                           global real *restrict db, const int C, const long S,
                           const int chunk)
{
    const long plane = get_global_id(2);
    const long whole = S / 16 * 16;
    real sum[16];
    real total = REAL(0.0);

    if (get_global_id(0) > 0 || get_global_id(1) > 0)
        return;
    dy += plane * S;
    a += plane * S;
    for (int i = 0; i < 16; i++)
        sum[i] = REAL(0.0);
    for (long s = 0; s < whole; s += 16)
        for (int i = 0; i < 16; i++)
            sum[i] += dy[s + i] * a[s + i];
    for (long s = whole; s < S; s++)
        sum[s - whole] += dy[s] * a[s];
    for (int i = 0; i < 16; i++)
        total += sum[i];
    db[plane] = total;
}
