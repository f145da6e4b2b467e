// jpeg.h - what stb_image does not check of a JPEG: that it has an end, and
// that each scan names tables which the file has defined, of lengths that they
// hold. The scan itself has no checksum: damage inside it can pass.
#ifndef LAM_JPEG_H
#define LAM_JPEG_H

#include <stddef.h>

// Returns NULL when all is well, else what is wrong. What is left behind the
// end (a second picture, padding) is not read.
const char *lam_jpeg_problem(const unsigned char *data, size_t size);

#endif
