// upsample_conv2d: x [N, groups*CG, H, W] is enlarged by SY and SX (each pixel
// becomes a block) to e, then
//
//   y[n,k,p,q] = bias[k] + sum over c, r, s of
//       e[n, c, p + r - top, q + s - left] * w[k,c,r,s]
//
// with y [N, groups*KG, P, Q] and w [groups*KG, CG, R, S]; from one image to
// the next there are x_pitch and y_pitch channels. The first three kernels do
// so plainly, never writing e; each result gathers its terms in one order. The
// same is a transposed convolution of strides SY, SX by
//
//   v[c, k, t, u] = sum over a < SY, b < SX of
//       w[k, c, R-1 + a - t, S-1 + b - u],
//
// v [groups*CG, KG, R+SY-1, S+SX-1], which upsample_widen makes; upsample_fold
// takes a gradient of v back to one of w.
#ifndef KERNEL_Y
#define GEOMETRY                                                               \
    const int N, const int groups, const int CG, const int H, const int W,     \
        const int KG, const int P, const int Q, const int R, const int S,      \
        const int SY, const int SX, const int top, const int left,             \
        const int x_pitch, const int y_pitch

kernel void upsample_run(const global stored *restrict x,
                         const global real *restrict w,
                         const global real *restrict bias, const real least,
                         global stored *restrict y, GEOMETRY)
{
    const int q = get_global_id(0), p = get_global_id(1);
    const int nk = get_global_id(2), K = groups * KG;
    const int n = nk / K, k = nk % K;
    real sum = bias && n < N ? bias[k] : REAL(0.0);

    if (q >= Q || p >= P || n >= N)
        return;
    for (int c = 0; c < CG; c++) {
        const global stored *image =
            x + ((size_t)n * x_pitch + k / KG * CG + c) * H * W;

        for (int r = 0; r < R; r++)
            for (int s = 0; s < S; s++) {
                const int h = p + r - top, v = q + s - left;

                if (h >= 0 && h < H * SY && v >= 0 && v < W * SX)
                    sum += READ(image, (size_t)(h / SY) * W + v / SX) *
                           w[(((size_t)k * CG + c) * R + r) * S + s];
            }
    }
    WRITE(y, (((size_t)n * y_pitch + k) * P + p) * Q + q,
          sum < least ? least : sum);
}

kernel void upsample_data(const global stored *restrict dy,
                          const global real *restrict w,
                          global stored *restrict dx, GEOMETRY)
{
    const int j = get_global_id(0), i = get_global_id(1);
    const int nc = get_global_id(2), C = groups * CG;
    const int n = nc / C, c = nc % C, g = c / CG;
    real sum = REAL(0.0);

    if (j >= W || i >= H || n >= N)
        return;
    for (int k = g * KG; k < (g + 1) * KG; k++)
        for (int t = 0; t < R + SY - 1; t++)
            for (int u = 0; u < S + SX - 1; u++) {
                const int p = i * SY + t - (R - 1 - top);
                const int q = j * SX + u - (S - 1 - left);
                real along = REAL(0.0);

                if (p < 0 || p >= P || q < 0 || q >= Q)
                    continue;
                for (int r = max(R - 1 - t, 0); r < min(R, R - 1 - t + SY); r++)
                    for (int s = max(S - 1 - u, 0);
                         s < min(S, S - 1 - u + SX); s++)
                        along += w[(((size_t)k * CG + c % CG) * R + r) * S + s];
                sum +=
                    along *
                    READ(dy, (((size_t)n * y_pitch + k) * P + p) * Q + q);
            }
    WRITE(dx, (((size_t)n * x_pitch + c) * H + i) * W + j, sum);
}

kernel void upsample_weight(const global stored *restrict x,
                            const global stored *restrict dy,
                            global real *restrict dw, GEOMETRY)
{
    const int tap = get_global_id(0), c = get_global_id(1);
    const int k = get_global_id(2), r = tap / S, s = tap % S;
    real sum = REAL(0.0);

    if (r >= R || c >= CG || k >= groups * KG)
        return;
    for (int n = 0; n < N; n++)
        for (int p = max(0, top - r); p < min(P, H * SY + top - r); p++) {
            const global stored *row =
                x + (((size_t)n * x_pitch + k / KG * CG + c) * H +
                     (p + r - top) / SY) *
                        W;
            const global stored *gradient =
                dy + (((size_t)n * y_pitch + k) * P + p) * Q;
            real along = REAL(0.0);

            for (int q = max(0, left - s); q < min(Q, W * SX + left - s); q++)
                along += READ(gradient, q) * READ(row, (q + s - left) / SX);
            sum += along;
        }
    dw[(((size_t)k * CG + c) * R + r) * S + s] = sum;
}

#else
// KERNEL_Y = R, KERNEL_X = S, and SCALE_Y, SCALE_X are constants here, so that
// the taps are unrolled. A work-item has one of the C channels c and BLOCK of
// the KG filters of its group.
#define WIDE_Y (KERNEL_Y + SCALE_Y - 1)
#define WIDE_X (KERNEL_X + SCALE_X - 1)
#define BLOCK 32

// One filter of one channel, first along its columns, then along its rows.
ONCE void widen(const global real *restrict w, global real *restrict v)
{
#pragma unroll
    for (int t = 0; t < WIDE_Y; t++) {
        real along[KERNEL_X];

#pragma unroll
        for (int s = 0; s < KERNEL_X; s++) {
            along[s] = REAL(0.0);
#pragma unroll
            for (int a = 0; a < SCALE_Y; a++) {
                const int r = KERNEL_Y - 1 + a - t;

                if (r >= 0 && r < KERNEL_Y)
                    along[s] += w[r * KERNEL_X + s];
            }
        }
#pragma unroll
        for (int u = 0; u < WIDE_X; u++) {
            real sum = REAL(0.0);

#pragma unroll
            for (int b = 0; b < SCALE_X; b++) {
                const int s = KERNEL_X - 1 + b - u;

                if (s >= 0 && s < KERNEL_X)
                    sum += along[s];
            }
            v[t * WIDE_X + u] = sum;
        }
    }
}

ONCE void fold(const global real *restrict dv, global real *restrict dw)
{
#pragma unroll
    for (int r = 0; r < KERNEL_Y; r++) {
        real along[WIDE_X];

#pragma unroll
        for (int u = 0; u < WIDE_X; u++) {
            along[u] = REAL(0.0);
#pragma unroll
            for (int a = 0; a < SCALE_Y; a++)
                along[u] += dv[(KERNEL_Y - 1 + a - r) * WIDE_X + u];
        }
#pragma unroll
        for (int s = 0; s < KERNEL_X; s++) {
            real sum = REAL(0.0);

#pragma unroll
            for (int b = 0; b < SCALE_X; b++)
                sum += along[KERNEL_X - 1 + b - s];
            dw[r * KERNEL_X + s] = sum;
        }
    }
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
upsample_widen(const global real *restrict w, global real *restrict v,
               const int CG, const int KG)
{
    const int k0 = get_global_id(0) * BLOCK, c = get_global_id(1);

    for (int k = k0; k < min(k0 + BLOCK, KG); k++)
        widen(w + ((size_t)(c / CG * KG + k) * CG + c % CG) *
                      (KERNEL_Y * KERNEL_X),
              v + ((size_t)c * KG + k) * (WIDE_Y * WIDE_X));
}

__attribute__((reqd_work_group_size(1, 1, 1))) kernel void
upsample_fold(const global real *restrict dv, global real *restrict dw,
              const int CG, const int KG)
{
    const int k0 = get_global_id(0) * BLOCK, c = get_global_id(1);

    for (int k = k0; k < min(k0 + BLOCK, KG); k++)
        fold(dv + ((size_t)c * KG + k) * (WIDE_Y * WIDE_X),
             dw + ((size_t)(c / CG * KG + k) * CG + c % CG) *
                      (KERNEL_Y * KERNEL_X));
}
#endif
