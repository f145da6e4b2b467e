// cells.h - networks that answer for parts of an image, not for its pixels: a
// grid of cells, down to one for the whole image (classifiers). Cell i of n
// stands for rows [i * height / n, (i + 1) * height / n), columns alike.
#ifndef LAM_CELLS_H
#define LAM_CELLS_H

// The labels of the cells: the highest label of each one's pixels. dst:
// [rows, columns].
void lam_cells_of_mask(const float *mask, int height, int width, float *dst,
                       int rows, int columns);
// The same in a buffer to free(), NULL without memory. A grid of the mask's
// size is a copy.
float *lam_cells_truth(const float *mask, int height, int width, int rows,
                       int columns);
// The other way: each pixel gets its cell's number. dst: [height, width].
void lam_cells_spread(const float *cells, int rows, int columns, float *dst,
                      int height, int width);

#endif
