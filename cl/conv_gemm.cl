// conv_gemm: columns for a convolution by matrix products (see conv_plain.cl
// for big and small).
//
// columns is [images][CG*R*S][rows * Q]: what the kernel sees at the positions
// of some rows of small, of one group g of some images from n0 on, which are
// `pitch` channels of big apart.
#define GEOMETRY                                                               \
    const int CG, const int H, const int W, const int P, const int Q,          \
        const int R, const int S, const int sh, const int sw, const int dh,    \
        const int dw, const int top, const int left, const int pitch

// A work-item makes one element.
kernel void conv_columns(const global real *restrict big,
                         global real *restrict columns, const int n0,
                         const int g, const int p0, const int rows, GEOMETRY)
{
    const int i = get_global_id(0), row = get_global_id(1);
    const int n = get_global_id(2);
    const int s = row % S, r = row / S % R, c = row / S / R;
    const int h = (p0 + i / Q) * sh + r * dh - top;
    const int w = i % Q * sw + s * dw - left;
    const bool is_in = h >= 0 && h < H && w >= 0 && w < W;
    const size_t channel = (size_t)(n0 + n) * pitch + g * CG + c;

    if (i >= rows * Q || c >= CG)
        return;
    columns[((size_t)n * CG * R * S + row) * rows * Q + i] =
        is_in ? big[(channel * H + h) * W + w] : REAL(0.0);
}

// Adds to each element of big, from row h0 on, what the columns hold for it.
kernel void conv_uncolumns(const global real *restrict columns,
                           global real *restrict big, const int n0,
                           const int g, const int p0, const int rows,
                           const int h0, GEOMETRY)
{
    const int w = get_global_id(0), h = h0 + (int)get_global_id(1);
    const int c = get_global_id(2) % CG, n = get_global_id(2) / CG;
    const size_t channel = (size_t)(n0 + n) * pitch + g * CG + c;
    real sum = REAL(0.0);

    if (w >= W || h >= H)
        return;
    columns += ((size_t)n * CG + c) * R * S * rows * Q;
    for (int r = 0; r < R; r++) {
        const int down = h + top - r * dh, p = down / sh - p0;

        if (down < 0 || down % sh != 0 || p < 0 || p >= rows)
            continue;
        for (int s = 0; s < S; s++) {
            const int across = w + left - s * dw, q = across / sw;

            if (across >= 0 && across % sw == 0 && q < Q)
                sum += columns[((size_t)(r * S + s) * rows + p) * Q + q];
        }
    }
    big[(channel * H + h) * W + w] += sum;
}

// y[n,k] = bias[k], or zero.
kernel void conv_start(const global real *restrict bias, global real *y,
                       const int K, const long pitch, const long plane)
{
    const size_t i = get_global_id(0), nk = get_global_id(1);

    if (i < (size_t)plane)
        y[pitched_plane(nk, K, pitch) * plane + i] =
            bias ? bias[nk % K] : REAL(0.0);
}
