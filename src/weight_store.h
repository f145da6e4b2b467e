// weight_store.h - weights by name, as a predictor takes them over from a
// training session or a checkpoint.
#ifndef LAM_WEIGHT_STORE_H
#define LAM_WEIGHT_STORE_H

#include "checkpoint.h"

struct lam_weight_store {
    struct lam_context *ctx;
    struct lam_named_weight {
        char *name;
        float *data;
        int64_t n;
    } * weights;
    int n;
};

// What was there is forgotten.
int lam_weight_store_take(struct lam_weight_store *store,
                          struct lam_session *session,
                          const struct lam_graph *graph);
int lam_weight_store_load(struct lam_weight_store *store,
                          const struct lam_checkpoint *checkpoint);
void lam_weight_store_free(struct lam_weight_store *store);
// LAM_ECHECKPOINT where a weight is missing or of another size. The form that
// lam_graph_weight_values asks; data: the store.
int lam_weight_store_find(void *data, const char *name, int64_t n,
                          const float **values);

#endif
