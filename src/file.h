// file.h - whole files in one go.
#ifndef LAM_FILE_H
#define LAM_FILE_H

#include "status.h"

// At most 2 GiB, into *bytes, to free(). LAM_EFILE.
int lam_file_read(struct lam_context *ctx, const char *path, void **bytes,
                  size_t *size);

struct lam_piece {
    const void *data;
    size_t size;
};

// Writes the pieces beside the file, then renames: a reader sees the old file
// or the new one, also after a power cut. LAM_EFILE.
int lam_file_write(struct lam_context *ctx, const char *path,
                   const struct lam_piece *pieces, int n);

#endif
