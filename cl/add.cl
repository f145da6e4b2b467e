// add: sums of n elements; one work-item per chunk of them. Buffers may be one
// and the same; the pragma says that an element depends on itself alone, which
// no compiler can know then.

// y = factor * x
kernel void add_scale(global stored *y, const global stored *x,
                      const real factor, const long n, const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, n);

#pragma clang loop vectorize(assume_safety)
    for (long i = first; i < last; i++)
        WRITE(y, i, factor * READ(x, i));
}

// y = factor_a * a + factor_b * b
kernel void add_pair(global stored *y, const global stored *a,
                     const global stored *b, const real factor_a,
                     const real factor_b, const long n, const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, n);

#pragma clang loop vectorize(assume_safety)
    for (long i = first; i < last; i++)
        WRITE(y, i, factor_a * READ(a, i) + factor_b * READ(b, i));
}
