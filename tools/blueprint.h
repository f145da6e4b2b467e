// blueprint.h - a model file as a graph without a device, for verbs that only
// look at it.
#ifndef LAM_BLUEPRINT_H
#define LAM_BLUEPRINT_H

#include "model.h"
#include "session.h"

struct blueprint {
    struct lam_registry *registry;
    struct lam_host host;
    struct lam_model *model;
    struct lam_graph *graph;
    int loss; // value, -1 without a loss section
};

int blueprint_open(struct lam_context *ctx, const char *path,
                   const char *const *sets, int n_sets, int batch,
                   struct blueprint *blueprint);
void blueprint_close(struct blueprint *blueprint);

#endif
