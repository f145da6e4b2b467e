// safetensors.h - weights in the safetensors format, with the checks its
// readers owe their users. The only door to jansson.
#ifndef LAM_SAFETENSORS_H
#define LAM_SAFETENSORS_H

#include "status.h"

struct lam_stored {
    const char *name;
    struct lam_shape shape; // LAM_F32 or LAM_F64
    const void *data;       // little-endian, dense
};

struct lam_pair {
    const char *key, *value;
};

// Writes beside the file, then renames: a reader sees the old file or the new
// one, also after a power cut. A SHA-256 of the data goes into the metadata.
// LAM_EFILE.
int lam_safetensors_write(struct lam_context *ctx, const char *path,
                          const struct lam_stored *tensors, int n_tensors,
                          const struct lam_pair *metadata, int n_metadata);

struct lam_safetensors;

// LAM_ECHECKPOINT, saying what is wrong, for any file that is not exactly one:
// header length, JSON, names, types, shapes, offsets without holes or overlap,
// total length, and the SHA-256 where there is one.
int lam_safetensors_read(struct lam_context *ctx, const char *path,
                         struct lam_safetensors **file);
void lam_safetensors_free(struct lam_safetensors *file); // NULL is fine
// Tensors of F32 and F64, and of F16 and BF16, which are read as F32; how many
// there are of other types, which are left out.
int lam_safetensors_count(const struct lam_safetensors *file);
int lam_safetensors_skipped(const struct lam_safetensors *file);
const struct lam_stored *lam_safetensors_at(const struct lam_safetensors *file,
                                            int i);
const struct lam_stored *
lam_safetensors_find(const struct lam_safetensors *file, const char *name);
// NULL if absent.
const char *lam_safetensors_meta(const struct lam_safetensors *file,
                                 const char *key);

#endif
