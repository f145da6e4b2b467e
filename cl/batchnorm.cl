// batchnorm: x [N, C, plane], statistics by channel.
//
// A plane is cut into chunks of CHUNK elements. Work-item (k, c, n) serves chunk
// k of channel c of image n; the joins run one work-item per channel, over the
// partial results in the order n, k. aux holds mean[C] and 1 / std[C].
#ifdef LAM_F64
typedef double8 lanes;
#define N_LANES 8
#define LOAD vload8
#else
typedef float16 lanes;
#define N_LANES 16
#define LOAD vload16
#endif

real sum_lanes(const lanes v)
{
#ifdef LAM_F64
    const double4 a = v.lo + v.hi;
#else
    const float8 b = v.lo + v.hi;
    const float4 a = b.lo + b.hi;
#endif
    return (a.x + a.z) + (a.y + a.w);
}

// partial [C][N][chunks][3]: count, mean, sum of squared differences.
kernel void batchnorm_stats(const global real *restrict x,
                            global real *restrict partial, const int C,
                            const long plane)
{
    const size_t k = get_global_id(0), c = get_global_id(1);
    const size_t n = get_global_id(2);
    const int count = (int)min((long)CHUNK, plane - (long)k * CHUNK);
    lanes sum = 0, squares = 0;
    real mean, rest = 0;
    int i = 0;

    x += (n * C + c) * plane + k * CHUNK;
    partial += ((c * get_global_size(2) + n) * get_global_size(0) + k) * 3;
    for (; i + N_LANES <= count; i += N_LANES)
        sum += LOAD(0, x + i);
    for (; i < count; i++)
        rest += x[i];
    mean = (sum_lanes(sum) + rest) / count;
    rest = 0;
    for (i = 0; i + N_LANES <= count; i += N_LANES) {
        const lanes d = LOAD(0, x + i) - mean;

        squares += d * d;
    }
    for (; i < count; i++)
        rest += (x[i] - mean) * (x[i] - mean);
    partial[0] = count;
    partial[1] = mean;
    partial[2] = sum_lanes(squares) + rest;
}

kernel void batchnorm_join(const global real *restrict partial,
                           global real *restrict aux,
                           global real *restrict running_mean,
                           global real *restrict running_var, const int C,
                           const int N, const int chunks, const long plane,
                           const real keep, const real epsilon)
{
    const int c = get_global_id(0);
    real count = 0, mean = 0, squares = 0;

    partial += (size_t)c * N * chunks * 3;
    for (long i = 0; i < (long)N * chunks; i++, partial += 3) {
        const real total = count + partial[0];
        const real d = partial[1] - mean;

        mean += d * (partial[0] / total);
        squares += partial[2] + d * d * (count * (partial[0] / total));
        count = total;
    }
    aux[c] = mean;
    aux[C + c] = 1 / sqrt(squares / count + epsilon);
    running_mean[c] = keep * running_mean[c] + (1 - keep) * mean;
    running_var[c] = keep * running_var[c] +
                     (1 - keep) * squares / (count > 1 ? count - 1 : 1);
}

void scale_chunk(const global real *x, global real *y, const size_t k,
                 const size_t c, const size_t n, const int C, const long plane,
                 const real scale, const real mean, const real shift)
{
    const int count = (int)min((long)CHUNK, plane - (long)k * CHUNK);

    x += (n * C + c) * plane + k * CHUNK;
    y += (n * C + c) * plane + k * CHUNK;
    for (int i = 0; i < count; i++)
        y[i] = scale * (x[i] - mean) + shift;
}

// y and x may be one buffer; weight and bias may be null.
kernel void batchnorm_apply(const global real *x, global real *y,
                            const global real *aux, const global real *weight,
                            const global real *bias, const int C,
                            const long plane)
{
    const size_t c = get_global_id(1);

    scale_chunk(x, y, get_global_id(0), c, get_global_id(2), C, plane,
                aux[C + c] * (weight ? weight[c] : 1), aux[c],
                bias ? bias[c] : 0);
}

kernel void batchnorm_apply_running(const global real *x, global real *y,
                                    const global real *mean,
                                    const global real *var,
                                    const global real *weight,
                                    const global real *bias, const int C,
                                    const long plane, const real epsilon)
{
    const size_t c = get_global_id(1);

    scale_chunk(x, y, get_global_id(0), c, get_global_id(2), C, plane,
                (weight ? weight[c] : 1) / sqrt(var[c] + epsilon), mean[c],
                bias ? bias[c] : 0);
}

// partial [C][N][chunks][2]: sums of dy and of dy (x - mean) / std.
kernel void batchnorm_sums(const global real *restrict x,
                           const global real *restrict dy,
                           const global real *restrict aux,
                           global real *restrict partial, const int C,
                           const long plane)
{
    const size_t k = get_global_id(0), c = get_global_id(1);
    const size_t n = get_global_id(2);
    const int count = (int)min((long)CHUNK, plane - (long)k * CHUNK);
    const real mean = aux[c], inverse = aux[C + c];
    lanes sum = 0, product = 0;
    real rest = 0, rest_product = 0;
    int i = 0;

    x += (n * C + c) * plane + k * CHUNK;
    dy += (n * C + c) * plane + k * CHUNK;
    partial += ((c * get_global_size(2) + n) * get_global_size(0) + k) * 2;
    for (; i + N_LANES <= count; i += N_LANES) {
        const lanes g = LOAD(0, dy + i);

        sum += g;
        product += g * (LOAD(0, x + i) - mean);
    }
    for (; i < count; i++) {
        rest += dy[i];
        rest_product += dy[i] * (x[i] - mean);
    }
    partial[0] = sum_lanes(sum) + rest;
    partial[1] = (sum_lanes(product) + rest_product) * inverse;
}

// The sums of a channel end in the first place of its partial results.
kernel void batchnorm_join_sums(global real *restrict partial,
                                global real *restrict d_weight,
                                global real *restrict d_bias, const int C,
                                const int N, const int chunks)
{
    const int c = get_global_id(0);
    real sum = 0, product = 0;

    partial += (size_t)c * N * chunks * 2;
    for (long i = 0; i < (long)N * chunks; i++) {
        sum += partial[2 * i];
        product += partial[2 * i + 1];
    }
    partial[0] = sum;
    partial[1] = product;
    if (d_weight)
        d_weight[c] = product;
    if (d_bias)
        d_bias[c] = sum;
}

// dx and dy may be one buffer.
kernel void batchnorm_apply_backward(const global real *x,
                                     const global real *dy, global real *dx,
                                     const global real *aux,
                                     const global real *partial,
                                     const global real *weight, const int C,
                                     const int N, const int chunks,
                                     const long plane)
{
    const size_t k = get_global_id(0), c = get_global_id(1);
    const size_t n = get_global_id(2);
    const int count = (int)min((long)CHUNK, plane - (long)k * CHUNK);
    const real mean = aux[c], inverse = aux[C + c];
    const global real *sums = partial + c * N * chunks * 2;
    const real m = (real)N * plane;
    const real scale = (weight ? weight[c] : 1) * inverse;
    const real shift = sums[0] / m, slope = sums[1] / m * inverse;

    x += (n * C + c) * plane + k * CHUNK;
    dy += (n * C + c) * plane + k * CHUNK;
    dx += (n * C + c) * plane + k * CHUNK;
    for (int i = 0; i < count; i++)
        dx[i] = scale * (dy[i] - shift - (x[i] - mean) * slope);
}
