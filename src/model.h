// model.h - a model file: YAML text to a tree with marks, blocks expanded,
// overrides applied, and from there to a graph. See docs/model-format.md.
#ifndef LAM_MODEL_H
#define LAM_MODEL_H

#include "graph.h"

struct lam_model;

// path: a file, or the name of an installed model ("unet"). Files it includes
// are beside it, or else installed.
// sets: "up.kind=transpose", "enc1.filters=64", "train.epochs=3",
// "inputs.image=N,1,640,640". The first part names a section, a block, or a
// layer, in this order. LAM_EMODEL with file:line:col, or LAM_EUSAGE for a
// set that fits nothing (with the nearest name).
int lam_model_load(struct lam_context *ctx, const char *path,
                   const char *const *sets, int n_sets,
                   struct lam_model **model);
// The same from memory; name stands for the file in messages.
int lam_model_parse(struct lam_context *ctx, const char *name, const char *text,
                    size_t size, const char *const *sets, int n_sets,
                    struct lam_model **model);
void lam_model_destroy(struct lam_model *model); // NULL is fine
const char *lam_model_name(const struct lam_model *model);

// The file after includes, overrides and blocks: a model file itself, without
// blocks. To free().
char *lam_model_resolved(const struct lam_model *model);

// Adds inputs (N becomes batch) and layers to the graph, marks the outputs.
// frozen: patterns of layer names ("enc*") whose weights are not trained.
int lam_model_build(const struct lam_model *model, struct lam_graph *graph,
                    int batch);
// Gives the first input another height and width, for later builds.
int lam_model_resize(struct lam_model *model, int height, int width);
// Its name, and its [H, W] now.
const char *lam_model_input(const struct lam_model *model, int *height,
                            int *width);
// Adds the loss section on top: an input "target" [N,1,H,W] of the size of the
// prediction, one node per term ("loss.0"...) and, where there are several, a
// weighted sum "loss". *loss is the value to differentiate.
int lam_model_build_loss(const struct lam_model *model, struct lam_graph *graph,
                         int *loss);

// A section (optimizer, train, data, augment, metrics) by a table, as for a
// layer. A missing section gives the defaults; keys in `skip` (NULL-ended, may
// be NULL) are left to the caller.
int lam_model_section(const struct lam_model *model, const char *section,
                      const struct lam_param *table, void *config,
                      size_t config_size, const char *const *skip);
bool lam_model_has(const struct lam_model *model, const char *section);
// One scalar of a section as text, NULL if absent: ("optimizer", "type").
const char *lam_model_get(const struct lam_model *model, const char *section,
                          const char *key);
// "file:line:col" of a section (or of the file), for messages.
const char *lam_model_where(const struct lam_model *model, const char *section,
                            char *text, size_t size);

// Rows of a list section (schedule, regularize): row i as settings, which stay
// valid with the model. Returns how many settings, -1 past the last row.
int lam_model_row(const struct lam_model *model, const char *section, int i,
                  const struct lam_setting **settings);

// Name of the value that holds the probabilities to predict with: the first of
// `outputs`.
const char *lam_model_output(const struct lam_model *model);

#endif
