// softmax over the channels of [N, C, S]: y = exp(x - max) / sum.
//
// Work-item (tile of -DT= pixels, -, n) takes its pixels through all channels;
// the loops over a whole tile are of known length, for vectors. x and y may be
// one buffer, so may dy and dx: every element is read before it is written, and
// by its own work-item only.
#define EACH for (int t = 0; t < width; t++)

void softmax_tile(const global real *x, global real *y, const int C,
                  const long S, const int width)
{
    real most[T], sum[T];

    EACH most[t] = x[t];
    for (int c = 1; c < C; c++)
        EACH most[t] = x[c * S + t] > most[t] ? x[c * S + t] : most[t];
    EACH sum[t] = REAL(0.0);
    for (int c = 0; c < C; c++)
        EACH
        {
            const real e = exp(x[c * S + t] - most[t]);

            sum[t] += e;
            y[c * S + t] = e;
        }
    EACH sum[t] = 1 / sum[t];
    for (int c = 0; c < C; c++)
        EACH y[c * S + t] *= sum[t];
}

// dx = y * (dy - sum over channels of y * dy)
void softmax_tile_backward(const global real *restrict y, const global real *dy,
                           global real *dx, const int C, const long S,
                           const int width)
{
    real sum[T];

    EACH sum[t] = REAL(0.0);
    for (int c = 0; c < C; c++)
        EACH sum[t] += y[c * S + t] * dy[c * S + t];
    for (int c = 0; c < C; c++)
        EACH dx[c * S + t] = y[c * S + t] * (dy[c * S + t] - sum[t]);
}

kernel void softmax_forward(const global real *x, global real *y, const int C,
                            const long S)
{
    const long s = get_global_id(0) * T;
    const long at = get_global_id(2) * C * S + s;

    if (s >= S || get_global_id(1) > 0)
        return;
    if (S - s >= T)
        softmax_tile(x + at, y + at, C, S, T);
    else
        softmax_tile(x + at, y + at, C, S, (int)(S - s));
}

kernel void softmax_backward(const global real *restrict y,
                             const global real *dy, global real *dx,
                             const int C, const long S)
{
    const long s = get_global_id(0) * T;
    const long at = get_global_id(2) * C * S + s;

    if (s >= S || get_global_id(1) > 0)
        return;
    if (S - s >= T)
        softmax_tile_backward(y + at, dy + at, dx + at, C, S, T);
    else
        softmax_tile_backward(y + at, dy + at, dx + at, C, S, (int)(S - s));
}
