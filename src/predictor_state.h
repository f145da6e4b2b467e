// predictor_state.h - inside of a predictor, for predictor*.c.
#ifndef LAM_PREDICTOR_STATE_H
#define LAM_PREDICTOR_STATE_H

#include "predictor.h"
#include "weight_store.h"

enum { LAM_PREDICTOR_SIZES = 4 };

// A session of one size.
struct lam_sized {
    int height, width; // wanted
    int padded_height, padded_width;
    int rows, columns; // of the output: the padded size, or fewer, of cells
    struct lam_graph *graph;
    struct lam_session *session;
    int input, output; // values
    bool is_current;   // has the newest weights
    long used;
};

struct lam_predictor {
    struct lam_context *ctx;
    const struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_model *model;
    struct lam_sampling sampling;
    bool own_statistics;
    int flips; // mirror images that are averaged, LAM_MIRROR_X | ..
    struct lam_sized sizes[LAM_PREDICTOR_SIZES];
    struct lam_weight_store weights;
    long clock;
};

// height x width pixels of an image whose rows are `stride` apart, at once.
int lam_predictor_window(struct lam_predictor *predictor, const float *image,
                         int stride, int height, int width,
                         struct lam_map *map);

#endif
