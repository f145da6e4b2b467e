// predictor.h - a model with weights, ready to segment images of any size: a
// session per size, made when first wanted.
#ifndef LAM_PREDICTOR_H
#define LAM_PREDICTOR_H

#include "checkpoint.h"

struct lam_predictor;

// model is resized by the predictor and must not be shared.
int lam_predictor_create(struct lam_context *ctx,
                         const struct lam_registry *registry,
                         struct lam_queue *queue, struct lam_model *model,
                         struct lam_predictor **predictor);
void lam_predictor_destroy(struct lam_predictor *predictor); // NULL is fine

// Batch norm takes each image's own statistics instead of the running ones, as
// in training; dropout stays off. Before the first image.
void lam_predictor_use_own_statistics(struct lam_predictor *predictor);

// Maps are the mean over the image and its mirror images, by the flips of the
// model's `augment` section; LAM_EUSAGE if that has none. Before the first
// image.
int lam_predictor_use_flips(struct lam_predictor *predictor);

// Weights of a training session, or of a checkpoint; all must be there.
int lam_predictor_take(struct lam_predictor *predictor,
                       struct lam_session *session,
                       const struct lam_graph *graph);
int lam_predictor_load(struct lam_predictor *predictor,
                       const struct lam_checkpoint *checkpoint);

// Bytes that an image of this size takes, on the device and for the host's copy
// of the weights: sizes only, nothing is allocated.
int lam_predictor_memory(struct lam_predictor *predictor, int height, int width,
                         int64_t *bytes);

// A normalised image, seen as the model's `data` section says. A size that the
// network does not map onto itself is padded by reflection below and to the
// right, and the map cut back. tile > 0: squares of that side which share
// `overlap` pixels, blended linearly, where the image is larger.
int lam_predictor_run(struct lam_predictor *predictor, const float *image,
                      int height, int width, int tile, int overlap,
                      struct lam_map *map);

#endif
