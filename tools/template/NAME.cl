// @name@: y = x / (1 + |x / width|)
//
// x, y, dx, dy: n elements, any shape. One work-item per element; the global
// size is rounded up, so i is checked. `real` is float, or double when
// gradients are checked; REAL(0.5) is a number of that type.
kernel void @name@_forward(const global real *restrict x,
                           global real *restrict y, const long n,
                           const real width)
{
    const long i = get_global_id(0);

    if (i < n)
        y[i] = x[i] / (REAL(1.0) + fabs(x[i] / width));
}

// dx = dy / (1 + |x / width|)^2
kernel void @name@_backward(const global real *restrict x,
                            const global real *restrict dy,
                            global real *restrict dx, const long n,
                            const real width)
{
    const long i = get_global_id(0);

    if (i < n) {
        const real d = REAL(1.0) + fabs(x[i] / width);

        dx[i] = dy[i] / (d * d);
    }
}
