// data_convert.h - a data set as another one.
#ifndef LAM_DATA_CONVERT_H
#define LAM_DATA_CONVERT_H

#include "data_writer.h"

// Every image of the data set at `path`, changed, into a new folder `out`.
int data_convert(struct lam_context *ctx, const char *path, const char *out,
                 const struct data_changes *changes);

#endif
