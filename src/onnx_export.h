// onnx_export.h - a model and its weights as an ONNX file of operator set 13.
// Weights keep their names, values those of their layers.
#ifndef LAM_ONNX_EXPORT_H
#define LAM_ONNX_EXPORT_H

#include "merge.h"
#include "model.h"
#include "onnx.h"

// The batch becomes a symbol, and height and width too, where the network is
// the same at another size. find gives the weights. The model is resized on the
// way and is as it was afterwards. metadata: pairs for the file, not owned.
// The log names the mode of each Resize. LAM_EMODEL, naming the layer, for one
// that has no form in ONNX.
int lam_onnx_export(struct lam_context *ctx,
                    const struct lam_registry *registry,
                    const struct lam_host *host, struct lam_model *model,
                    lam_find_weight *find, void *find_data,
                    const struct lam_onnx_pair *metadata, int n_metadata,
                    const char *path);

#endif
