// core_gemm: C = alpha * op(A) * op(B) + beta * C, for processors.
//
// Row-major; op(A) is m x k, op(B) k x n; offsets, leading dimensions and batch
// strides in elements. C is not read where beta is 0.
//
// ROWS x COLUMNS  a tile of C, held in registers
// WIDTH           elements of a vector; COLUMNS is two of them
// DEPTH           how much of k is packed at once
// TILES           tiles above one another that are packed at once
#define COLUMNS     (2 * WIDTH)
#define JOIN_(a, b) a##b
#define JOIN(a, b)  JOIN_(a, b)
#define LOAD        JOIN(vload, WIDTH)
#define STORE       JOIN(vstore, WIDTH)
#ifdef LAM_F64
typedef JOIN(double, WIDTH) vec;
#else
typedef JOIN(float, WIDTH) vec;
#endif

// One work-item per element of C: the reference of the others.
kernel void core_gemm_plain(const global real *restrict a,
                            const global real *restrict b,
                            global real *restrict c, const long lda,
                            const long ldb, const long ldc, const long stride_a,
                            const long stride_b, const long stride_c,
                            const long offset_a, const long offset_b,
                            const long offset_c, const int trans_a,
                            const int trans_b, const int m, const int n,
                            const int k, const real alpha, const real beta)
{
    const int j = get_global_id(0), i = get_global_id(1);
    const long batch = get_global_id(2);
    real sum = REAL(0.0);

    if (i >= m || j >= n)
        return;
    a += offset_a + batch * stride_a + i * (trans_a ? 1 : lda);
    b += offset_b + batch * stride_b + j * (trans_b ? ldb : 1);
    c += offset_c + batch * stride_c + i * ldc + j;
    for (int l = 0; l < k; l++)
        sum += a[l * (trans_a ? lda : 1)] * b[l * (trans_b ? 1 : ldb)];
    *c = beta == REAL(0.0) ? alpha * sum : alpha * sum + beta * *c;
}

// rows x depth of op(A) as tiles of [depth][ROWS], zeros below the last row.
void pack_a(local real *to, const global real *a, const long lda,
            const int trans_a, const int rows, const int depth)
{
    for (int i = 0; i < rows; i += ROWS, to += ROWS * DEPTH) {
        const int n = min(ROWS, rows - i);

        if (n < ROWS)
            for (int l = 0; l < depth * ROWS; l++)
                to[l] = REAL(0.0);
        if (trans_a && n == ROWS) {
            for (int l = 0; l < depth; l++)
                for (int r = 0; r < ROWS; r++)
                    to[l * ROWS + r] = a[l * lda + i + r];
        } else if (trans_a) {
            for (int l = 0; l < depth; l++)
                for (int r = 0; r < n; r++)
                    to[l * ROWS + r] = a[l * lda + i + r];
        } else {
            for (int r = 0; r < n; r++)
                for (int l = 0; l < depth; l++)
                    to[l * ROWS + r] = a[(i + r) * lda + l];
        }
    }
}

// depth x columns of op(B) as [depth][COLUMNS], zeros right of the last column.
void pack_b(local real *to, const global real *b, const long ldb,
            const int trans_b, const int columns, const int depth)
{
    if (columns < COLUMNS)
        for (int l = 0; l < depth * COLUMNS; l++)
            to[l] = REAL(0.0);
    if (trans_b) {
        for (int j = 0; j < columns; j++)
            for (int l = 0; l < depth; l++)
                to[l * COLUMNS + j] = b[j * ldb + l];
    } else if (columns == COLUMNS) {
        for (int l = 0; l < depth; l++) {
            STORE(LOAD(0, b + l * ldb), 0, to + l * COLUMNS);
            STORE(LOAD(1, b + l * ldb), 1, to + l * COLUMNS);
        }
    } else {
        for (int l = 0; l < depth; l++)
            for (int j = 0; j < columns; j++)
                to[l * COLUMNS + j] = b[l * ldb + j];
    }
}

// to = alpha * sum + beta * to, a row of a tile.
void put_row(global real *to, const vec left, const vec right,
             const int columns, const real alpha, const real beta)
{
    if (columns == COLUMNS && beta == REAL(0.0)) {
        STORE(alpha * left, 0, to);
        STORE(alpha * right, 1, to);
    } else if (columns == COLUMNS) {
        STORE(alpha * left + beta * LOAD(0, to), 0, to);
        STORE(alpha * right + beta * LOAD(1, to), 1, to);
    } else {
        real row[COLUMNS];

        STORE(left, 0, row);
        STORE(right, 1, row);
        for (int j = 0; j < columns; j++)
            to[j] = beta == REAL(0.0) ? alpha * row[j]
                                      : alpha * row[j] + beta * to[j];
    }
}

// One work-item, alone in its group, makes a block of C: `tiles` tiles high,
// `strips` tiles wide. Local memory is cached memory here, so it packs its part
// of A, then strip for strip of B, and the innermost loop runs over whole,
// adjacent vectors. With n_splits > 1 each third of the global id sums its
// `split` columns of op(A) into a C of its own.
kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
core_gemm_tile(const global real *restrict a, const global real *restrict b,
               global real *restrict c, const long lda, const long ldb,
               const long ldc, const long stride_a, const long stride_b,
               const long stride_c, const long offset_a, const long offset_b,
               const long offset_c, const int trans_a, const int trans_b,
               const int m, const int n, const int k, const real alpha,
               const real beta, const int tiles, const int strips,
               const int n_splits, const int split)
{
    local real packed_a[TILES * ROWS * DEPTH], packed_b[COLUMNS * DEPTH];
    const int i0 = get_global_id(1) * tiles * ROWS;
    const int j0 = get_global_id(0) * strips * COLUMNS;
    const int rows = min(m - i0, tiles * ROWS);
    const int last = min(n, j0 + strips * COLUMNS);
    const long part = get_global_id(2), batch = part / n_splits;
    const int first = (int)(part - batch * n_splits) * split;
    const int end = min(k, first + split);

    a += offset_a + batch * stride_a + i0 * (trans_a ? 1 : lda);
    b += offset_b + batch * stride_b;
    c += offset_c + part * stride_c + i0 * ldc;
    for (int l0 = first; l0 < end; l0 += DEPTH) {
        const int depth = min(DEPTH, end - l0);
        const real old = l0 == first ? beta : REAL(1.0);

        pack_a(packed_a, a + l0 * (trans_a ? lda : 1), lda, trans_a, rows,
               depth);
        for (int j = j0; j < last; j += COLUMNS) {
            const int columns = min(COLUMNS, n - j);

            pack_b(packed_b,
                   b + l0 * (trans_b ? 1 : ldb) + j * (trans_b ? ldb : 1), ldb,
                   trans_b, columns, depth);
            for (int i = 0; i < rows; i += ROWS) {
                const local real *pa = packed_a + i * DEPTH;
                const local real *pb = packed_b;
                vec sum[ROWS][2];

#pragma unroll
                for (int r = 0; r < ROWS; r++)
                    sum[r][0] = sum[r][1] = (vec)(REAL(0.0));
                for (int l = 0; l < depth; l++) {
                    const vec left = LOAD(0, pb), right = LOAD(1, pb);

#pragma unroll
                    for (int r = 0; r < ROWS; r++) {
                        sum[r][0] += pa[r] * left;
                        sum[r][1] += pa[r] * right;
                    }
                    pa += ROWS;
                    pb += COLUMNS;
                }
#pragma unroll
                for (int r = 0; r < ROWS; r++)
                    if (i + r < rows)
                        put_row(c + (i + r) * ldc + j, sum[r][0], sum[r][1],
                                columns, alpha, old);
            }
        }
    }
}

// Adds the parts [batch][split][m][n] of core_gemm_tile, in order.
kernel void core_gemm_reduce(const global real *restrict part,
                             global real *restrict c, const long ldc,
                             const long stride_c, const long offset_c,
                             const int m, const int n, const int n_splits,
                             const real alpha, const real beta)
{
    const int j = get_global_id(0), i = get_global_id(1);
    const long batch = get_global_id(2);
    real sum = REAL(0.0);

    if (i >= m || j >= n)
        return;
    part += (batch * n_splits * m + i) * n + j;
    c += offset_c + batch * stride_c + i * ldc + j;
    for (int s = 0; s < n_splits; s++)
        sum += part[(long)s * m * n];
    *c = beta == REAL(0.0) ? alpha * sum : alpha * sum + beta * *c;
}
