// trained.h - a checkpoint opened for use: device, model, weights.
#ifndef LAM_TRAINED_H
#define LAM_TRAINED_H

#include "metrics.h"
#include "predictor.h"

struct trained {
    struct lam_checkpoint checkpoint;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_model *model;
    struct lam_predictor *predictor;
    struct lam_metrics_options metrics;
};

// path: a checkpoint, or a run folder (its best, else its last). With tuned,
// what `lamina tune` has measured is used.
int trained_open(struct lam_context *ctx, const char *path, const char *device,
                 bool tuned, struct trained *trained);
void trained_close(struct trained *trained);
// Probability of the foreground in a map: its only channel, or all but the
// first summed. height * width elements, to free().
float *trained_foreground(const struct lam_map *map);

#endif
