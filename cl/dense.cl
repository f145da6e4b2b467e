// dense: the bias of y [N, K] and its gradient.

// y[n,k] += bias[k]; work-item (chunk of k, -, n).
kernel void dense_bias(global real *restrict y,
                       const global real *restrict bias, const long K,
                       const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, K);

    if (get_global_id(1) > 0)
        return;
    y += get_global_id(2) * K;
    for (long k = first; k < last; k++)
        y[k] += bias[k];
}

// dbias[k] = sum over n of dy[n,k]; work-item (chunk of k, -, -).
kernel void dense_bias_backward(const global real *restrict dy,
                                global real *restrict dbias, const int N,
                                const long K, const int chunk)
{
    const long first = get_global_id(0) * (long)chunk;
    const long last = min(first + chunk, K);

    for (long k = first; k < last; k++)
        dbias[k] = dy[k];
    for (int n = 1; n < N; n++)
        for (long k = first; k < last; k++)
            dbias[k] += dy[n * K + k];
}
