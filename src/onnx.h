// onnx.h - an ONNX file in memory: the nodes, weights, inputs and outputs of
// its graph. https://onnx.ai/onnx/repo-docs/IR.html; the numbers of the fields
// are those of onnx.proto.
#ifndef LAM_ONNX_H
#define LAM_ONNX_H

#include "status.h"

enum { LAM_ONNX_MAX_RANK = 8 };

// TensorProto.DataType, as far as it is read.
enum lam_onnx_type {
    LAM_ONNX_FLOAT = 1,
    LAM_ONNX_INT32 = 6,
    LAM_ONNX_INT64 = 7,
    LAM_ONNX_BOOL = 9,
    LAM_ONNX_HALF = 10,
    LAM_ONNX_DOUBLE = 11,
    LAM_ONNX_BFLOAT = 16
};

// n numbers: floats where the type is a real one, else integers.
struct lam_onnx_tensor {
    const char *name;
    int type; // enum lam_onnx_type as in the file
    int rank;
    int64_t dim[LAM_ONNX_MAX_RANK], n;
    const float *floats;  // or NULL
    const int64_t *whole; // or NULL
    const char *unusable; // why there are no numbers, or NULL
    const char *location; // another file that has them, or NULL
    int64_t offset;       // there
};

// AttributeProto.AttributeType, as far as it is read.
enum lam_onnx_kind {
    LAM_ONNX_KIND_FLOAT = 1,
    LAM_ONNX_KIND_INT = 2,
    LAM_ONNX_KIND_TEXT = 3,
    LAM_ONNX_KIND_TENSOR = 4,
    LAM_ONNX_KIND_FLOATS = 6,
    LAM_ONNX_KIND_INTS = 7
};

struct lam_onnx_attribute {
    const char *name;
    int kind; // enum lam_onnx_kind
    double real;
    int64_t whole;
    const char *text;
    struct lam_onnx_tensor *tensor;
    int n;
    const int64_t *ints;
    const float *floats;
};

struct lam_onnx_node {
    const char *name, *op, *domain;
    const char **in, **out; // "": left out
    int n_in, n_out;
    struct lam_onnx_attribute *attributes;
    int n_attributes;
};

struct lam_onnx_value {
    const char *name;
    int type, rank;                        // rank -1: unknown
    int64_t dim[LAM_ONNX_MAX_RANK];        // -1: a symbol or unknown
    const char *symbol[LAM_ONNX_MAX_RANK]; // NULL: none
};

struct lam_onnx_pair {
    const char *key, *value;
};

// All it points to belongs to it, but for what a writer points to.
struct lam_onnx {
    void *blocks; // of memory
    int64_t opset;
    const char *name;
    struct lam_onnx_node *nodes;
    struct lam_onnx_tensor *tensors; // initialisers
    struct lam_onnx_value *inputs, *outputs;
    struct lam_onnx_pair *metadata;
    int n_nodes, n_tensors, n_inputs, n_outputs, n_metadata;
};

// Parses a file from memory, which may be freed then. LAM_EMODEL, after `name`
// and what is wrong, for anything that is no ONNX file; shapes and data are
// checked against each other. Subgraphs are left out: their nodes show up as
// attributes without a kind.
int lam_onnx_parse(struct lam_context *ctx, const char *name, const void *bytes,
                   size_t size, struct lam_onnx *onnx);
// The same from a file, with data in files beside it, in its folder or below.
// LAM_EFILE, LAM_EMODEL.
int lam_onnx_read(struct lam_context *ctx, const char *path,
                  struct lam_onnx *onnx);
// Writes beside the file, then renames. LAM_EFILE.
int lam_onnx_write(struct lam_context *ctx, const char *path,
                   const struct lam_onnx *onnx);
void lam_onnx_free(struct lam_onnx *onnx);

// Memory that lives as long as onnx, zeroed; NULL when there is none.
void *lam_onnx_alloc(struct lam_onnx *onnx, size_t n, size_t size);
char *lam_onnx_text(struct lam_onnx *onnx, const char *text, size_t size);

const struct lam_onnx_attribute *
lam_onnx_attribute(const struct lam_onnx_node *node, const char *name);
const struct lam_onnx_tensor *lam_onnx_tensor(const struct lam_onnx *onnx,
                                              const char *name);

#endif
