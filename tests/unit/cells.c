// Masks as grids of cells, and back.
#include "cells.h"

#include <string.h>

#include "check.h"

int main(void)
{
    static const float mask[] = {0, 0, 0, 0, 1, //
                                 0, 0, 0, 0, 0, //
                                 0, 3, 0, 0, 0};
    static const float spread[] = {5, 5, 6, 6, 6, //
                                   7, 7, 8, 8, 8, //
                                   7, 7, 8, 8, 8};
    static const float cells[] = {5, 6, 7, 8};
    float out[15];

    lam_cells_of_mask(mask, 3, 5, out, 1, 1);
    CHECK_NEAR(out[0], 3, 0);
    // Rows 0 | 1 2, columns 0 1 | 2 3 4.
    lam_cells_of_mask(mask, 3, 5, out, 2, 2);
    CHECK_NEAR(out[0], 0, 0);
    CHECK_NEAR(out[1], 1, 0);
    CHECK_NEAR(out[2], 3, 0);
    CHECK_NEAR(out[3], 0, 0);
    lam_cells_of_mask(mask, 3, 5, out, 3, 5);
    CHECK(check_same(out, mask, sizeof(mask)));
    lam_cells_spread(cells, 2, 2, out, 3, 5);
    CHECK(check_same(out, spread, sizeof(spread)));
    return check_done();
}
