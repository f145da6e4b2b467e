// file.h - whole files in one go, and files that are printed into.
#ifndef LAM_FILE_H
#define LAM_FILE_H

#include <stdio.h>

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

// To print into; NULL and LAM_EFILE where that cannot be.
FILE *lam_file_create(struct lam_context *ctx, const char *path);
// LAM_EFILE where anything that was printed is lost.
int lam_file_close(struct lam_context *ctx, FILE *file, const char *path);

#endif
