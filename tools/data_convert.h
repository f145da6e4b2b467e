// data_convert.h - a data set as another one.
#ifndef LAM_DATA_CONVERT_H
#define LAM_DATA_CONVERT_H

#include "data_writer.h"

// Image i of all splits; free it with data_image_free, with an error too.
int data_read(struct lam_context *ctx, struct lam_dataset *dataset, int i,
              struct data_image *image);

// Every image of the data set at `path`, changed, into a new folder `out`.
int data_convert(struct lam_context *ctx, const char *path, const char *out,
                 const struct data_changes *changes);

#endif
