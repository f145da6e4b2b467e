// carafe: y[n,c,i,j] = sum over u, v of k[n,u*K+v,i,j] * x[n,c,i/s+u-r,j/s+v-r]
//
// x, dx [N, C, H, W]; k, dk [N, K * K, s H, s W]; y, dy [N, C, s H, s W];
// K = KERNEL, s = SCALE, r = K / 2, outside the image x is 0. Each work-item
// gathers one element: ids are (column, row, plane), those beyond are left out.
// Sums run in a fixed order, so that results are the same bits every time.
#define K2 (KERNEL * KERNEL)
#define R  (KERNEL / 2)

kernel void carafe_forward(const global real *restrict x,
                           const global real *restrict k,
                           global real *restrict y, const int C, const int H,
                           const int W)
{
    const int j = get_global_id(0), i = get_global_id(1);
    const long plane = get_global_id(2), n = plane / C;
    const int OH = H * SCALE, OW = W * SCALE;
    real sum = REAL(0.0);

    if (i >= OH || j >= OW)
        return;
    x += plane * H * W;
    k += n * K2 * OH * OW + (long)i * OW + j;
    for (int u = 0; u < KERNEL; u++)
        for (int v = 0; v < KERNEL; v++) {
            const int p = i / SCALE + u - R, q = j / SCALE + v - R;

            if (p >= 0 && p < H && q >= 0 && q < W)
                sum += k[(long)(u * KERNEL + v) * OH * OW] * x[(long)p * W + q];
        }
    y[(plane * OH + i) * OW + j] = sum;
}

// dx[n,c,p,q] = sum over u, v and the s x s pixels (i, j) in which x[p,q] is
// neighbour (u, v): those of the pixel (p - u + r, q - v + r).
kernel void carafe_dx(const global real *restrict k,
                      const global real *restrict dy, global real *restrict dx,
                      const int C, const int H, const int W)
{
    const int q = get_global_id(0), p = get_global_id(1);
    const long plane = get_global_id(2), n = plane / C;
    const int OH = H * SCALE, OW = W * SCALE;
    real sum = REAL(0.0);

    if (p >= H || q >= W)
        return;
    dy += plane * OH * OW;
    k += n * K2 * OH * OW;
    for (int t = 0; t < K2; t++) {
        const int a = p - t / KERNEL + R, b = q - t % KERNEL + R;

        if (a < 0 || a >= H || b < 0 || b >= W)
            continue;
        for (int i = a * SCALE; i < (a + 1) * SCALE; i++)
            for (int j = b * SCALE; j < (b + 1) * SCALE; j++)
                sum += k[((long)t * OH + i) * OW + j] * dy[(long)i * OW + j];
    }
    dx[(plane * H + p) * W + q] = sum;
}

// dk[n,u*K+v,i,j] = sum over c of dy[n,c,i,j] * x[n,c,i/s+u-r,j/s+v-r]
kernel void carafe_dk(const global real *restrict x,
                      const global real *restrict dy, global real *restrict dk,
                      const int C, const int H, const int W)
{
    const int j = get_global_id(0), i = get_global_id(1);
    const long plane = get_global_id(2), n = plane / K2;
    const int OH = H * SCALE, OW = W * SCALE;
    const int t = plane % K2;
    const int p = i / SCALE + t / KERNEL - R, q = j / SCALE + t % KERNEL - R;
    real sum = REAL(0.0);

    if (i >= OH || j >= OW)
        return;
    dy += n * C * OH * OW + (long)i * OW + j;
    if (p >= 0 && p < H && q >= 0 && q < W)
        for (int c = 0; c < C; c++)
            sum += dy[(long)c * OH * OW] * x[((n * C + c) * H + p) * W + q];
    dk[(plane * OH + i) * OW + j] = sum;
}
