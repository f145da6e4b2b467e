// gate: a gradient through the relu that made x, for the core and for layers: y
// becomes zero where x is not above zero; one work-item per `chunk` elements.
kernel void gate_gradient(global stored *restrict y,
                          const global stored *restrict x, const long n,
                          const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++)
        WRITE(y, i, READ(x, i) > 0 ? READ(y, i) : REAL(0.0));
}
