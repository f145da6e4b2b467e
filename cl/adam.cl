// adam: g += decay * w; m = beta1 m + rest1 g; v = beta2 v + rest2 g g;
// w = keep * w - rate * m / (sqrt(v) * scale + epsilon)
//
// w, g, m, v: n elements. rate and scale hold the bias corrections. One
// work-item per `chunk` neighbours.
kernel void adam(global real *restrict w, const global real *restrict g,
                 global real *restrict m, global real *restrict v,
                 const real beta1, const real beta2, const real rest1,
                 const real rest2, const real rate, const real scale,
                 const real epsilon, const real decay, const real keep,
                 const long n, const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    for (long i = first; i < last; i++) {
        const real gradient = g[i] + decay * w[i];
        const real mean = beta1 * m[i] + rest1 * gradient;
        const real square = beta2 * v[i] + rest2 * gradient * gradient;

        m[i] = mean;
        v[i] = square;
        w[i] = keep * w[i] - rate * mean / (sqrt(square) * scale + epsilon);
    }
}
