// products: the heart of a product of matrices by work-groups of GROUP x GROUP
// items, with DEPTH numbers of the sum at a time in local memory. An item has
// ROWS x COLUMNS results, GROUP apart, in registers:
//   sum[i][j] += a[d][y + GROUP * i] * b[d][x + GROUP * j]
// where rows of a and b are a_pitch and b_pitch numbers apart.
void add_products(const local real *a, const int a_pitch, const local real *b,
                  const int b_pitch, const int x, const int y,
                  real sum[ROWS][COLUMNS])
{
    for (int d = 0; d < DEPTH; d++) {
        real row[ROWS], column[COLUMNS];

#pragma unroll
        for (int i = 0; i < ROWS; i++)
            row[i] = a[d * a_pitch + y + GROUP * i];
#pragma unroll
        for (int j = 0; j < COLUMNS; j++)
            column[j] = b[d * b_pitch + x + GROUP * j];
#pragma unroll
        for (int i = 0; i < ROWS; i++)
#pragma unroll
            for (int j = 0; j < COLUMNS; j++)
                sum[i][j] += row[i] * column[j];
    }
}
