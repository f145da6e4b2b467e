// gate: a gradient through the relu that made x, for the core and for layers: y
// becomes zero where x is not above zero; one work-item per `chunk` elements of
// an image of n, steps from one image to the next.
kernel void gate_gradient(global stored *restrict y, const long y_step,
                          const global stored *restrict x, const long x_step,
                          const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    y += get_global_id(1) * y_step;
    x += get_global_id(1) * x_step;
    for (long i = first; i < last; i++)
        WRITE(y, i, READ(x, i) > 0 ? READ(y, i) : REAL(0.0));
}
