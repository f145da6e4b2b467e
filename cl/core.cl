// core: the kernels of the core itself.

#include "gate.cl"
#include "halves.cl"

// y += a * x; one work-item per `chunk` elements of an image of n, steps from
// one image to the next.
kernel void core_add(global stored *restrict y, const long y_step,
                     const global stored *restrict x, const long x_step,
                     const real a, const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    y += get_global_id(1) * y_step;
    x += get_global_id(1) * x_step;
    for (long i = first; i < last; i++)
        WRITE(y, i, READ(y, i) + a * READ(x, i));
}

// x *= a, n elements. strange[at + work-item]: whether one of its products is
// infinite or no number.
kernel void core_unscale(global real *restrict x, global int *restrict strange,
                         const long at, const real a, const long n,
                         const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);
    int is_strange = 0;

    if (first >= n)
        return;
    for (long i = first; i < last; i++) {
        x[i] *= a;
        is_strange |= !isfinite(x[i]);
    }
    strange[at + get_global_id(0)] = is_strange;
}

// n words of 32 bits become even, odd, even, ... A kernel and not the driver's
// fill, because checkers of kernels take what a driver fills for uninitialised.
kernel void core_fill(global uint *restrict y, const uint even, const uint odd,
                      const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++)
        y[i] = i & 1 ? odd : even;
}
