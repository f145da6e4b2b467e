// conv_winograd_gpu: 3x3 convolutions of stride 1 by Winograd's F(M x M, 3x3) on
// GPUs: transforms, POINTS products of matrices for all groups, transforms back.
// Formulas as in conv_winograd.cl and conv_winograd_weight.cl, 1-D transforms in
// winograd.cl.
//
// Matrices are padded, so that no product checks a bound: channels to CP, a
// multiple of DEPTH and of a tile of the product, filters to KP, tiles to TP;
// what is beyond is zero. [z] runs over POINTS, then groups.
//
//   packed [z][CP][KP]  the weights
//   source [z][CP][TP]  the source
//   result [z][KP][TP]  the results, or what their gradients become
//   sums [parts][z][KP][CP]  gradients of the weights, summed in the order of
//                            parts
//
// The last three lie in one buffer, `scratch`, one behind the other: result_at
// and sums_at are where.
//
// TP holds the tiles from `first` on that the scratch memory has room for: the
// host calls the kernels again for the next.
#include "winograd.cl"
#define POINTS (SIDE * SIDE)
#define ITEMS (GROUP * GROUP)
#define HIGH (GROUP * ROWS)
#define WIDE (GROUP * COLUMNS)
#define DEPTH 16
#include "products.cl"

// One work-item a channel and filter, those beyond too. turned: as in
// winograd_pack.
kernel void winograd_weights(const global float *restrict weight,
                             global float *restrict packed, const int C,
                             const int K, const int turned)
{
    const int k = get_global_id(0), c = get_global_id(1), g = get_global_id(2);
    const size_t KP = get_global_size(0), CP = get_global_size(1);
    const size_t step = get_global_size(2) * CP * KP;
    const global float *w =
        weight + (size_t)9 * g * K * C +
        9 * (turned ? (size_t)c * K + k : (size_t)k * C + c);
    float half_done[3 * SIDE], numbers[SIDE], taps[9];

    for (int t = 0; t < 9; t++)
        taps[t] = k < K && c < C ? w[turned ? 8 - t : t] : 0.0f;
#pragma unroll
    for (int s = 0; s < 3; s++)
        WEIGHT_TRANSFORM(float, taps[s], taps[3 + s], taps[6 + s],
                         half_done + s, 3);
    packed += ((size_t)g * CP + c) * KP + k;
#pragma unroll
    for (int r = 0; r < SIDE; r++) {
        WEIGHT_TRANSFORM(float, half_done[3 * r], half_done[3 * r + 1],
                         half_done[3 * r + 2], numbers, 1);
#pragma unroll
        for (int s = 0; s < SIDE; s++)
            packed[(SIDE * r + s) * step] = numbers[s];
    }
}

// A row, then a column of SIDE x SIDE numbers at a time, of which a transform
// reads and writes the first ones.
#define TRANSFORM_BOTH(transform, d, n_columns, n_rows)                        \
    do {                                                                       \
        for (int s_ = 0; s_ < n_columns; s_++) {                               \
            float column_[SIDE];                                               \
            for (int r_ = 0; r_ < SIDE; r_++)                                  \
                column_[r_] = d[r_][s_];                                       \
            transform(column_);                                                \
            for (int r_ = 0; r_ < SIDE; r_++)                                  \
                d[r_][s_] = column_[r_];                                       \
        }                                                                      \
        for (int r_ = 0; r_ < n_rows; r_++)                                    \
            transform(d[r_]);                                                  \
    } while (0)

// One work-item a tile and channel of x [images, groups * C, H, W]. A pitch is
// the channels from one image to the next.
kernel void winograd_source(const global stored *restrict x,
                            global float *restrict source,
                            const int x_pitch, const int first,
                            const int tiles, const int C, const int H,
                            const int W, const int down, const int across,
                            const int dh, const int dw, const int top,
                            const int left)
{
    const int t = get_global_id(0), c = get_global_id(1), g = get_global_id(2);
    const size_t TP = get_global_size(0), CP = get_global_size(1);
    const size_t groups = get_global_size(2), step = groups * CP * TP;
    float d[SIDE][SIDE];

    if (t < tiles && c < C) {
        const struct tile at =
            tile_at(first + t, down, across, dh, dw, top, left);
        const global stored *image =
            x + ((size_t)at.n * x_pitch + g * C + c) * H * W;

        for (int r = 0; r < SIDE; r++)
            for (int s = 0; s < SIDE; s++) {
                const int h = at.h + r * dh, w = at.w + s * dw;

                d[r][s] = h >= 0 && h < H && w >= 0 && w < W
                              ? READ(image, h * W + w)
                              : 0.0f;
            }
        TRANSFORM_BOTH(source_transform, d, SIDE, SIDE);
    } else {
        for (int r = 0; r < SIDE; r++)
            for (int s = 0; s < SIDE; s++)
                d[r][s] = 0.0f;
    }
    source += (g * CP + c) * TP + t;
    for (int r = 0; r < SIDE; r++)
        for (int s = 0; s < SIDE; s++)
            source[(SIDE * r + s) * step] = d[r][s];
}

// result = packed^T source. A work-group has a tile of one z.
__attribute__((reqd_work_group_size(GROUP, GROUP, 1))) kernel void
winograd_products(const global float *restrict packed, global float *scratch,
                  const long result_at, const int CP, const int KP,
                  const int TP)
{
    local float a[DEPTH][HIGH], b[DEPTH][WIDE];
    const size_t z = get_group_id(2);
    const int k0 = get_group_id(1) * HIGH, t0 = get_group_id(0) * WIDE;
    const int lx = get_local_id(0), ly = get_local_id(1);
    const int lane = ly * GROUP + lx;
    const global float *source = scratch + z * CP * TP + t0;
    global float *result =
        scratch + result_at + (z * KP + k0 + ly) * TP + t0 + lx;
    float sum[ROWS][COLUMNS];

#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            sum[i][j] = 0.0f;
    packed += z * CP * KP + k0;
    for (int c0 = 0; c0 < CP; c0 += DEPTH) {
        for (int i = lane; i < DEPTH * HIGH / 4; i += ITEMS) {
            const int d = i / (HIGH / 4), at = i % (HIGH / 4);

            vstore4(vload4(at, packed + (size_t)(c0 + d) * KP), at, a[d]);
        }
        for (int i = lane; i < DEPTH * WIDE / 4; i += ITEMS) {
            const int d = i / (WIDE / 4), at = i % (WIDE / 4);

            vstore4(vload4(at, source + (size_t)(c0 + d) * TP), at, b[d]);
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(a[0], HIGH, b[0], WIDE, lx, ly, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            result[(size_t)GROUP * i * TP + GROUP * j] = sum[i][j];
}

// One work-item a tile and filter: back, and to y [images, groups * K, P, Q], zero
// where `gate`, as large, is there and not above zero.
kernel void winograd_result(const global float *restrict scratch,
                            const long result_at,
                            const global float *restrict bias,
                            const global stored *restrict gate,
                            global stored *restrict y, const int y_pitch,
                            const int gate_pitch, const int first,
                            const int tiles, const int KP, const int P,
                            const int Q, const int down, const int across,
                            const int dh, const int dw, const float least)
{
    const int t = get_global_id(0), k = get_global_id(1), g = get_global_id(2);
    const size_t TP = get_global_size(0), K = get_global_size(1);
    const size_t groups = get_global_size(2), step = groups * KP * TP;
    const struct tile at = tile_at(first + t, down, across, dh, dw, 0, 0);
    const float add = bias ? bias[g * K + k] : 0.0f;
    float d[SIDE][SIDE];

    if (t >= tiles)
        return;
    scratch += result_at + ((size_t)g * KP + k) * TP + t;
    for (int r = 0; r < SIDE; r++)
        for (int s = 0; s < SIDE; s++)
            d[r][s] = scratch[(SIDE * r + s) * step];
    TRANSFORM_BOTH(result_transform, d, SIDE, M);
    y += ((size_t)at.n * y_pitch + g * K + k) * P * Q;
    if (gate)
        gate += ((size_t)at.n * gate_pitch + g * K + k) * P * Q;
    for (int i = 0; i < M; i++)
        for (int j = 0; j < M; j++) {
            const int p = at.p + i * dh, q = at.q + j * dw;
            const float v = d[i][j] + add;

            if (p < P && q < Q)
                WRITE(y, p * Q + q,
                      gate && !(READ(gate, p * Q + q) > 0) ? 0.0f
                      : v < least                          ? least
                                                           : v);
        }
}

// One work-item a tile and filter of the gradient dy [images, groups * K, P, Q],
// those beyond too.
kernel void winograd_gradient(const global stored *restrict dy,
                              global float *restrict scratch,
                              const long result_at, const int dy_pitch,
                              const int first,
                              const int tiles, const int K, const int P,
                              const int Q, const int down, const int across,
                              const int dh, const int dw)
{
    const int t = get_global_id(0), k = get_global_id(1), g = get_global_id(2);
    const size_t TP = get_global_size(0), KP = get_global_size(1);
    const size_t groups = get_global_size(2), step = groups * KP * TP;
    const struct tile at = tile_at(first + t, down, across, dh, dw, 0, 0);
    const global stored *image =
        dy + ((size_t)at.n * dy_pitch + g * K + k) * P * Q;
    float d[SIDE][SIDE];

    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            const int p = at.p + i * dh, q = at.q + j * dw;

            d[i][j] = i < M && j < M && t < tiles && k < K && p < P && q < Q
                          ? READ(image, p * Q + q)
                          : 0.0f;
        }
    TRANSFORM_BOTH(gradient_transform, d, M, SIDE);
    scratch += result_at + (g * KP + k) * TP + t;
    for (int r = 0; r < SIDE; r++)
        for (int s = 0; s < SIDE; s++)
            scratch[(SIDE * r + s) * step] = d[r][s];
}

// sums = result source^T, of the tiles of part get_group_id(2) / (POINTS *
// groups), `length` of them; added to what is there already if adds.
__attribute__((reqd_work_group_size(GROUP, GROUP, 1))) kernel void
winograd_weight_products(global float *scratch, const long result_at,
                         const long sums_at, const int KP, const int CP,
                         const int TP, const int groups, const int length,
                         const int adds)
{
    // One more a row: neighbours are written DEPTH apart.
    local float a[DEPTH][HIGH + 1], b[DEPTH][WIDE + 1];
    const int z = get_group_id(2) % (POINTS * groups);
    const int part = get_group_id(2) / (POINTS * groups);
    const int end = min((part + 1) * length, TP);
    const int k0 = get_group_id(1) * HIGH, c0 = get_group_id(0) * WIDE;
    const int lx = get_local_id(0), ly = get_local_id(1);
    const int lane = ly * GROUP + lx;
    const global float *source = scratch + ((size_t)z * CP + c0) * TP;
    const global float *result =
        scratch + result_at + ((size_t)z * KP + k0) * TP;
    global float *sums =
        scratch + sums_at +
        ((size_t)get_group_id(2) * KP + k0 + ly) * CP + c0 + lx;
    float sum[ROWS][COLUMNS];

#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            sum[i][j] =
                adds ? sums[(size_t)GROUP * i * CP + GROUP * j] : 0.0f;
    for (int t0 = part * length; t0 < end; t0 += DEPTH) {
        for (int i = lane; i < DEPTH * HIGH; i += ITEMS)
            a[i % DEPTH][i / DEPTH] =
                result[(size_t)(i / DEPTH) * TP + t0 + i % DEPTH];
        for (int i = lane; i < DEPTH * WIDE; i += ITEMS)
            b[i % DEPTH][i / DEPTH] =
                source[(size_t)(i / DEPTH) * TP + t0 + i % DEPTH];
        barrier(CLK_LOCAL_MEM_FENCE);
        add_products(a[0], HIGH + 1, b[0], WIDE + 1, lx, ly, sum);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++)
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            sums[(size_t)GROUP * i * CP + GROUP * j] = sum[i][j];
}

// One work-item a channel and filter: adds the parts, and turns them back to
// d_weight [groups * K, C, 3, 3].
kernel void winograd_weight_result(const global float *restrict scratch,
                                   const long sums_at,
                                   global float *restrict d_weight,
                                   const int C, const int K, const int CP, const int KP,
                                   const int parts)
{
    const int c = get_global_id(0), k = get_global_id(1), g = get_global_id(2);
    const size_t groups = get_global_size(2), step = groups * KP * CP;
    float d[SIDE][SIDE];

    if (c >= C)
        return;
    scratch += sums_at + ((size_t)g * KP + k) * CP + c;
    for (int r = 0; r < SIDE; r++)
        for (int s = 0; s < SIDE; s++) {
            float sum = 0.0f;

            for (int part = 0; part < parts; part++)
                sum += scratch[(part * POINTS + SIDE * r + s) * step];
            d[r][s] = sum;
        }
    TRANSFORM_BOTH(weight_gradient_transform, d, SIDE, 3);
    d_weight += 9 * ((g * (size_t)K + k) * C + c);
    for (int r = 0; r < 3; r++)
        for (int s = 0; s < 3; s++)
            d_weight[3 * r + s] = d[r][s];
}
