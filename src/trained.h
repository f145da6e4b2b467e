// trained.h - a checkpoint opened for use: device, model, weights.
#ifndef LAM_TRAINED_H
#define LAM_TRAINED_H

#include "image.h"
#include "metrics.h"
#include "predictor.h"

struct lam_trained {
    struct lam_checkpoint checkpoint;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_model *model;
    struct lam_predictor *predictor;
    struct lam_metrics_options metrics;
};

// The checkpoint that a path stands for: itself, or a run folder's best, else
// its last; in text, or path itself.
const char *lam_trained_file(const char *path, char *text, size_t size);

// path: a checkpoint, or a run folder (its best, else its last). With tuned,
// what `lamina tune` has measured is used.
int lam_trained_open(struct lam_context *ctx, const char *path,
                     const char *device, bool tuned,
                     struct lam_trained *trained);
void lam_trained_close(struct lam_trained *trained);
// An image file, and its pixels normalised as in training, to free().
int lam_trained_read(struct lam_context *ctx, const struct lam_trained *trained,
                     const char *path, struct lam_image **image,
                     float **pixels);
// Probability of the foreground in a map: its only channel, or all but the
// first summed. height * width elements, the image's, over which a grid of
// cells is spread; to free().
float *lam_trained_foreground(const struct lam_map *map, int height, int width);

#endif
