// reduce.h - gradients and state of all ranks become those of a step, in the
// order of the micro-batches: ((g0 + g1) + g2) + .., the very sum that one rank
// makes which runs them one after another. So the bits do not depend on how
// many ranks there are.
//
// The tensors are laid one behind another, those first whose gradients are
// final first, and cut into buckets. As soon as a bucket of a rank is there,
// while earlier layers still run backward, each rank sends to rank r the r-th
// part of it; r adds the parts in order, and after the last micro-batch sends
// the sum to all. A rank sends and receives about twice the bytes of all
// gradients, whatever the number of ranks.
//
// A state tensor (running statistics) has a bucket of its own. There rank r
// makes state = keep * state + (1 - keep) * observed, in the same order.
#ifndef LAM_REDUCE_H
#define LAM_REDUCE_H

#include "collective.h"
#include "session.h"

struct lam_reduce;

struct lam_reduce_options {
    size_t bucket_bytes; // a bucket is closed when it has as many
    int alike; // so many ranks, one behind the other, share statistics: what
               // they observe (LAM_SHARES) is the same and counts once
};

struct lam_reduce_times {
    int64_t rounds;
    double wait_s;    // after the backward pass was done
    double traffic_s; // from the first bucket sent to the last one received
};

// Of a session made with `observe`, whose state tensors hold the state. It
// hooks into the session's backward pass.
int lam_reduce_create(struct lam_collective *ranks, struct lam_session *session,
                      const struct lam_graph *graph,
                      const struct lam_reduce_options *options,
                      struct lam_reduce **reduce);
void lam_reduce_destroy(struct lam_reduce *reduce); // NULL is fine

// A round: the first n_sharing ranks run one micro-batch each, the others none.
// Before it, with first and last true for those rounds of a step.
int lam_reduce_begin(struct lam_reduce *reduce, int n_sharing, bool first,
                     bool last);
// After backward was enqueued: waits until all is exchanged.
int lam_reduce_finish(struct lam_reduce *reduce);
// After the last round: puts gradients and state on the device.
int lam_reduce_store(struct lam_reduce *reduce);

struct lam_reduce_times lam_reduce_times(const struct lam_reduce *reduce);

#endif
