// halves: from floats and back, for the core and for layers; one work-item per
// `chunk` elements.

// halves = x, n floats, to the nearest half, ties to even; what is beyond
// `most` becomes that first. INFINITY: what is too large for a half becomes
// infinite.
kernel void halves_narrow(global half *restrict halves,
                        const global real *restrict x, const real most,
                        const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++)
        vstore_half_rte(x[i] > most ? most : x[i] < -most ? -most : x[i], i,
                        halves);
}

// y = halves, n of them, exactly.
kernel void halves_widen(global real *restrict y,
                       const global half *restrict halves, const long n,
                       const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++)
        y[i] = vload_half(i, halves);
}
