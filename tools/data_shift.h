// data_shift.h - how the intensities of several data sets differ.
#ifndef LAM_DATA_SHIFT_H
#define LAM_DATA_SHIFT_H

#include "data.h"

// Prints, for each data set, mean and deviation over its images of their mean,
// deviation, least and greatest grey (of 255), and the distance of its
// histogram to the first one's: the mean shift of a pixel's grey (earth mover's
// distance). svg: where a chart of the histograms goes, NULL: nowhere.
int data_shift(struct lam_context *ctx, const char *const *paths, int n,
               const char *svg, bool is_json);

#endif
