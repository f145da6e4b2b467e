// core: the kernels of the core itself.

// y += a * x, n elements; one work-item per `chunk` elements.
kernel void core_add(global real *restrict y, const global real *restrict x,
                     const real a, const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++)
        y[i] += a * x[i];
}
