// plan_joins.h - which values are made right where another one will have them,
// so that the layer which joins them (LAM_JOINS) has nothing to do. Pure.
#ifndef LAM_PLAN_JOINS_H
#define LAM_PLAN_JOINS_H

#include "graph.h"

struct lam_place {
    int host;       // the value in whose memory it lies; -1: it has its own
    int64_t offset; // from the start of the host's images, in bytes
    int64_t pitch;  // as that of a tensor, 0: as the host has one image
    int until;      // what lies in its own memory has no reader from this time
                    // on: it is overwritten then
};

int64_t lam_plan_image_bytes(const struct lam_graph *graph, int value);

// Whether an image of out[0] can be parted into those of the inputs of node i:
// parts start at multiples of part_bytes, 0: nothing can be parted.
bool lam_plan_can_join(const struct lam_graph *graph, int i,
                       int64_t part_bytes);

// The pitch that the inputs of node i have in out[0], if that has this one:
// with one image there are no gaps.
int64_t lam_plan_pitch(const struct lam_graph *graph, int i, int64_t pitch);

// Finds the place of each value. A host has a larger number than what lies in
// it, and may have a host as well. last: when each value is read for the last
// time; layer i runs at time i. pitched: which values may have a pitch. joins:
// which layers are to join, of those that can. A layer's inputs all lie in its
// output, or none; with LAM_RUN_INPLACE in[0] lies where out[0] does, if out[0]
// has a host, without a pitch, and in[0] is not read later.
void lam_plan_joins(const struct lam_graph *graph, const int *last,
                    const bool *pitched, const bool *joins,
                    struct lam_place *places);

// Whether the inputs of node i lie in its output, as they are joined.
bool lam_plan_is_joined(const struct lam_graph *graph, int i,
                        const struct lam_place *places);

#endif
