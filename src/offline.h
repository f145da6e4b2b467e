// offline.h - a network and its weights on the host, without a device: to be
// exported.
#ifndef LAM_OFFLINE_H
#define LAM_OFFLINE_H

#include "checkpoint.h"

struct lam_offline {
    struct lam_checkpoint checkpoint; // file NULL: a model file was given
    struct lam_registry *registry;
    struct lam_host host;
    struct lam_model *model;
    struct lam_graph *graph; // for inference, of one image
    float **drawn;           // by weight of the graph; NULL with a checkpoint
};

// path: a checkpoint, a run folder (its best, else its last), or a model file,
// NAME.yaml, whose weights are drawn from its train.seed. sets: for the model.
int lam_offline_open(struct lam_context *ctx, const char *path,
                     const char *const *sets, int n_sets,
                     struct lam_offline *offline);
void lam_offline_close(struct lam_offline *offline);
// A lam_find_weight; data is the struct lam_offline.
int lam_offline_find(void *data, const char *name, int64_t n,
                     const float **values);

#endif
