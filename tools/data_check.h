// data_check.h - what is wrong with a data set, and what is in it.
#ifndef LAM_DATA_CHECK_H
#define LAM_DATA_CHECK_H

#include "status.h"

// Prints every problem: images that cannot be read or whose mask has another
// size, pixels and patients that two splits share; then how the greys are
// stored. LAM_EDATA if there are any.
int data_check(struct lam_context *ctx, const char *path, bool is_json);
// Prints images, foreground and greys of each split, and how well the best grey
// threshold segments.
int data_stats(struct lam_context *ctx, const char *path, bool is_json);

#endif
