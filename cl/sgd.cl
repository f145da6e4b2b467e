// sgd: g += decay * w; with momentum v = momentum * v + g and g = v, or
// g + momentum * v if `nesterov`; w -= lr * g.
//
// w, g, v: n elements. One work-item per `chunk` neighbours.
kernel void sgd(global real *restrict w, const global real *restrict g,
                global real *restrict v, const real lr, const real momentum,
                const real decay, const int nesterov, const long n,
                const int chunk)
{
    const long first = (long)get_global_id(0) * chunk;
    const long last = min(first + chunk, n);

    if (momentum == REAL(0.0)) {
        for (long i = first; i < last; i++)
            w[i] -= lr * (g[i] + decay * w[i]);
        return;
    }
    for (long i = first; i < last; i++) {
        const real gradient = g[i] + decay * w[i];
        const real velocity = momentum * v[i] + gradient;

        v[i] = velocity;
        w[i] -= lr * (nesterov ? gradient + momentum * velocity : velocity);
    }
}
