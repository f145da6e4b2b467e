// norm_backward: the gradients of what norm.cl makes, which includes this. With
// has_relu, dy is zero where relu gave zero; x says where, so that y need not be
// kept.

// parts[i] is the sum of dy over chunk i, parts[chunks + i] that of
// dy * (x - mean).
kernel void norm_sums(const global stored *restrict x,
                      const global stored *restrict dy, const long pitch,
                      const global real *restrict moments,
                      const global real *restrict weight,
                      const global real *restrict bias,
                      global real *restrict parts, const long mine,
                      CUT, const int has_relu)
{
    local real shared[LANES];
    const int lane = get_local_id(0);
    const long first = get_group_id(0) * (long)per;
    const long last = min(first + per, chunks);

    for (long i = first; i < last; i++) {
        const long start = i % K * CHUNK, plane = i / K;
        const int n = min(size - start, (long)CHUNK);
        const int set = plane / divisor % sets, c = plane % C;
        const real m = moments[set];
        const real scale =
            weight ? weight[c] * moments[sets + set] : moments[sets + set];
        const real shift = bias ? bias[c] : REAL(0.0);
        const global stored *at = x + plane * size + start;
        const global stored *g =
            dy + pitched_plane(plane, C, pitch) * size + start;
        wide sum = (wide)(REAL(0.0)), product = (wide)(REAL(0.0));
        real rest = REAL(0.0), rest_product = REAL(0.0);

        for (int j = lane * WIDTH; j + WIDTH <= n; j += LANES * WIDTH) {
            const wide d = LOAD(at + j) - m;
            wide v = LOAD(g + j);

            if (has_relu)
                v = GATE(wide, v, d * scale + shift);
            sum += v;
            product += v * d;
        }
        for (int j = n - n % WIDTH + lane; j < n; j += LANES) {
            const real d = READ(at, j) - m;
            const real v = has_relu ? GATE(real, READ(g, j), d * scale + shift)
                                    : READ(g, j);

            rest += v;
            rest_product += v * d;
        }
        rest = norm_across(TOTAL(sum) + rest, shared);
        rest_product = norm_across(TOTAL(product) + rest_product, shared);
        if (lane == 0) {
            parts[mine + i] = rest;
            parts[mine + chunks + i] = rest_product;
        }
    }
}

// Gradients of weight and bias, of this rank's images; d_weight and d_bias may
// be null. One work-group per channel.
kernel void norm_weights(const global real *parts, const long mine,
                         const global real *moments, global real *d_weight,
                         global real *d_bias, const long K, const long chunks,
                         const int N, const int C, const int divisor,
                         const int sets)
{
    local real shared[LANES];
    const int c = get_group_id(0), lane = get_local_id(0);
    real sum = REAL(0.0), lost = REAL(0.0);
    real product = REAL(0.0), product_lost = REAL(0.0);

    for (long j = lane; j < N * K; j += LANES) {
        const long plane = j / K * C + c, i = mine + plane * K + j % K;

        norm_add(&sum, &lost, parts[i]);
        norm_add(&product, &product_lost,
                 parts[chunks + i] * moments[sets + plane / divisor % sets]);
    }
    sum = norm_across(sum, shared);
    product = norm_across(product, shared);
    if (lane)
        return;
    if (d_bias)
        d_bias[c] = sum;
    if (d_weight)
        d_weight[c] = product;
}

// Behind the sums in parts, from `behind` on: for each set the mean of
// weight * dy, then inverse^2 times the mean of weight * dy * (x - mean).
kernel void norm_means(global real *parts, const long behind,
                       const global real *moments, const global real *weight,
                       const long size, const long K, const long chunks,
                       const int planes, const int C, const int divisor,
                       const int step, const int sets)
{
    local real shared[LANES];
    const int set = get_group_id(0), lane = get_local_id(0);
    const real count = (real)planes * size, inverse = moments[sets + set];
    real sum = REAL(0.0), lost = REAL(0.0);
    real product = REAL(0.0), product_lost = REAL(0.0);

    for (long j = lane; j < planes * K; j += LANES) {
        const long plane = (long)set * divisor + j / K * step;
        const long i = norm_part(plane * K + j % K, chunks);
        const real w = weight ? weight[plane % C] : REAL(1.0);

        norm_add(&sum, &lost, parts[i] * w);
        norm_add(&product, &product_lost, parts[chunks + i] * w);
    }
    sum = norm_across(sum, shared);
    product = norm_across(product, shared);
    if (lane)
        return;
    parts[behind + set] = sum / count;
    parts[behind + sets + set] = product / count * inverse * inverse;
}

// dx = inverse * (weight * dy - means[set] - (x - mean) * means[sets + set]);
// dy and dx may be one buffer.
kernel void norm_gradient(const global stored *x, const global stored *dy,
                          const long pitch, global stored *dx,
                          const global real *parts,
                          const long behind, const global real *moments,
                          const global real *weight, const global real *bias,
                          CUT, const int has_relu)
{
    const int lane = get_local_id(0);
    const long first = get_group_id(0) * (long)per;
    const long last = min(first + per, chunks);
    const global real *means = parts + behind;

    for (long i = first; i < last; i++) {
        const long start = i % K * CHUNK, plane = i / K;
        const long base = plane * size + start;
        const int n = min(size - start, (long)CHUNK);
        const int set = plane / divisor % sets;
        const real m = moments[set], s = moments[sets + set];
        const real a = weight ? weight[plane % C] * s : s;
        const real b = s * means[set], c = s * means[sets + set];
        const real shift = bias ? bias[plane % C] : REAL(0.0);
        const global stored *at = x + base;
        const global stored *g =
            dy + pitched_plane(plane, C, pitch) * size + start;
        global stored *to = dx + base;

        for (int j = lane * WIDTH; j + WIDTH <= n; j += LANES * WIDTH) {
            const wide d = LOAD(at + j) - m;
            wide v = LOAD(g + j);

            if (has_relu)
                v = GATE(wide, v, d * a + shift);
            STORE(v * a - b - d * c, to + j);
        }
        for (int j = n - n % WIDTH + lane; j < n; j += LANES) {
            const real d = READ(at, j) - m;
            const real v = has_relu ? GATE(real, READ(g, j), d * a + shift)
                                    : READ(g, j);

            WRITE(to, j, v * a - b - d * c);
        }
    }
}
