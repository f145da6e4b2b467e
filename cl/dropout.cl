// dropout: y[i] = x[i] * scale where the hash of (seed, i) is at least `limit`,
// else 0. Work-item per chunk of elements; x and y may be one buffer, which is
// why the pragma says that an element depends on itself alone.

// The upper half of splitmix64's mix.
ulong dropout_bits(const ulong seed, const ulong i)
{
    ulong z = seed + (i + 1) * 0x9E3779B97F4A7C15UL;

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9UL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBUL;
    return (z ^ (z >> 31)) >> 32;
}

kernel void dropout(const global stored *x, global stored *y,
                    const ulong seed, const ulong limit, const real scale, const long n,
                    const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, n);

#pragma clang loop vectorize(assume_safety)
    for (long i = first; i < last; i++)
        WRITE(y, i,
              dropout_bits(seed, i) >= limit ? READ(x, i) * scale : REAL(0.0));
}
