// onnx_import.h - an ONNX file as a model file and its weights.
#ifndef LAM_ONNX_IMPORT_H
#define LAM_ONNX_IMPORT_H

#include "graph.h"
#include "onnx.h"

struct lam_imported {
    struct lam_graph *graph; // for inference, of one image
    float **values;          // by weight of the graph
    int n_values;
    char *model; // text of the model file
};

struct lam_onnx_options {
    int height, width;  // where the file leaves them open; 0: it must not
    const char *append; // a layer behind the first output, "sigmoid"; or NULL
};

// Operators of the file become layers; arithmetic on shapes is done now, for
// the sizes given. LAM_EMODEL, naming file, node and operator, for what no
// layer computes. To be freed even after a failure.
int lam_onnx_import(struct lam_context *ctx, const char *file,
                    struct lam_onnx *onnx, const struct lam_registry *registry,
                    const struct lam_host *host,
                    const struct lam_onnx_options *options,
                    struct lam_imported *imported);
void lam_imported_free(struct lam_imported *imported);

#endif
