// core_gemm: C = alpha * op(A) * op(B) + beta * C, for processors.
//
// Row-major; op(A) is m x k, op(B) k x n; offsets, leading dimensions and batch
// strides in elements. One work-item makes a tile of ROWS x COLUMNS of C, with
// the columns innermost so that they become vectors.
kernel void core_gemm(const global real *restrict a,
                      const global real *restrict b, global real *restrict c,
                      const long offset_a, const long offset_b,
                      const long offset_c, const long lda, const long ldb,
                      const long ldc, const long stride_a, const long stride_b,
                      const long stride_c, const int trans_a,
                      const int trans_b, const int m, const int n, const int k,
                      const real alpha, const real beta)
{
    const int j0 = get_global_id(0) * COLUMNS, i0 = get_global_id(1) * ROWS;
    const int batch = get_global_id(2);
    const long step_ai = trans_a ? 1 : lda, step_ak = trans_a ? lda : 1;
    const long step_bk = trans_b ? 1 : ldb, step_bj = trans_b ? ldb : 1;
    real sum[ROWS][COLUMNS];

    a += offset_a + batch * stride_a;
    b += offset_b + batch * stride_b;
    c += offset_c + batch * stride_c;
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            sum[i][j] = REAL(0.0);
    for (int l = 0; l < k; l++) {
        real row[COLUMNS];

        for (int j = 0; j < COLUMNS; j++)
            row[j] = b[l * step_bk + min(j0 + j, n - 1) * step_bj];
        for (int i = 0; i < ROWS; i++) {
            const real x = a[min(i0 + i, m - 1) * step_ai + l * step_ak];

            for (int j = 0; j < COLUMNS; j++)
                sum[i][j] += x * row[j];
        }
    }
    for (int i = 0; i < ROWS && i0 + i < m; i++)
        for (int j = 0; j < COLUMNS && j0 + j < n; j++) {
            global real *at = c + (i0 + i) * ldc + j0 + j;

            *at = beta == REAL(0.0) ? alpha * sum[i][j]
                                    : alpha * sum[i][j] + beta * *at;
        }
}
