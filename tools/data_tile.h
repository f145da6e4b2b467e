// data_tile.h - a data set cut into tiles, of which the useful ones are kept.
#ifndef LAM_DATA_TILE_H
#define LAM_DATA_TILE_H

#include "data_writer.h"

// From..to; what is outside is left out.
struct data_range {
    double from, to;
};

// Greys are of 255, and of the tile as it is written.
struct data_tiles {
    int side, stride;           // stride 0: the side
    double bright, most_bright; // at most so many pixels from `bright` up
    double dark, most_dark;     // at most so many pixels up to `dark`
    struct data_range mean, variance;
};

// The rules as given to the program, NULL: none. "225:99", or "225:5%" of the
// tile's pixels, for bright and dark; "40:180" for mean and variance.
// LAM_EUSAGE.
int data_tiles_parse(struct lam_context *ctx, const char *side,
                     const char *stride, const char *bright, const char *dark,
                     const char *mean, const char *variance,
                     struct data_tiles *tiles);

// Every image of the data set at `path`, changed, in tiles NAME_Y_X into a new
// folder `out`; a tile has the patient and the split of its image. Says how
// many were left out by which rule. LAM_EDATA if none is kept.
int data_tile(struct lam_context *ctx, const char *path, const char *out,
              const struct data_changes *changes,
              const struct data_tiles *tiles);

#endif
