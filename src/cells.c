#include "cells.h"

#include <stdint.h>
#include <stdlib.h>

static int start(int i, int n, int size)
{
    return (int)((int64_t)i * size / n);
}

void lam_cells_of_mask(const float *mask, int height, int width, float *dst,
                       int rows, int columns)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            float highest = 0.0f;

            for (int y = start(i, rows, height); y < start(i + 1, rows, height);
                 y++)
                for (int x = start(j, columns, width);
                     x < start(j + 1, columns, width); x++) {
                    const float label = mask[(size_t)y * width + x];

                    highest = label > highest ? label : highest;
                }
            dst[(size_t)i * columns + j] = highest;
        }
}

float *lam_cells_truth(const float *mask, int height, int width, int rows,
                       int columns)
{
    float *cells = malloc(sizeof(*cells) * (size_t)rows * (size_t)columns);

    if (cells)
        lam_cells_of_mask(mask, height, width, cells, rows, columns);
    return cells;
}

void lam_cells_spread(const float *cells, int rows, int columns, float *dst,
                      int height, int width)
{
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            for (int y = start(i, rows, height); y < start(i + 1, rows, height);
                 y++)
                for (int x = start(j, columns, width);
                     x < start(j + 1, columns, width); x++)
                    dst[(size_t)y * width + x] = cells[(size_t)i * columns + j];
}
