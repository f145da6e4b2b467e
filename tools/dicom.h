// dicom.h - the door to DICOM: dcmtk's dcmj2pnm, run for each file.
#ifndef LAM_DICOM_H
#define LAM_DICOM_H

#include "image.h"

// Grey values as stored, their whole range as 0..65535, MONOCHROME1 turned
// round. LAM_ERUN without dcmtk (the package is named), LAM_EDATA for a file
// that it does not read.
int dicom_read(struct lam_context *ctx, const char *path,
               struct lam_image **image);

// The .dcm files below a folder, sorted; at most `max`. Each to free().
int dicom_list(const char *folder, char **paths, int max);

#endif
