// Sums that stay in registers while a product goes over its depth: TILE_ROWS x
// TILE_VECTORS vectors of VW floats, for processors.

void tile_clear(VECTOR sum[TILE_ROWS][TILE_VECTORS])
{
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++)
#pragma unroll
        for (int v = 0; v < TILE_VECTORS; v++)
            sum[i][v] = 0.0f;
}

// One step of the depth: sum[i][v] += column[i] * row[v].
void tile_add(VECTOR sum[TILE_ROWS][TILE_VECTORS], const global float *column,
              const global float *row)
{
    VECTOR in[TILE_VECTORS];

#pragma unroll
    for (int v = 0; v < TILE_VECTORS; v++)
        in[v] = LOAD(v, row);
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++)
#pragma unroll
        for (int v = 0; v < TILE_VECTORS; v++)
            sum[i][v] += column[i] * in[v];
}

// To [TILE_ROWS][TILE_VECTORS * VW].
void tile_store(VECTOR sum[TILE_ROWS][TILE_VECTORS], global float *to)
{
#pragma unroll
    for (int i = 0; i < TILE_ROWS; i++)
#pragma unroll
        for (int v = 0; v < TILE_VECTORS; v++)
            STORE(sum[i][v], i * TILE_VECTORS + v, to);
}
