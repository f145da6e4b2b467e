// session_planner.h - inside of a plan for a session, for session_plan.c, which
// says what is planned, and session_plan_values.c and session_plan_grads.c.
#ifndef LAM_SESSION_PLANNER_H
#define LAM_SESSION_PLANNER_H

#include "plan_joins.h"
#include "session_plan.h"

// What layers need not copy: those that only join their inputs (LAM_JOINS), and
// those whose gradient is that of their inputs (LAM_SAME_GRADS).
enum { LAM_JOIN_VALUES, LAM_JOIN_GRADS, LAM_JOIN_SAME, LAM_N_JOINS };

struct lam_planner {
    const struct lam_graph *graph;
    const struct lam_session_options *options;
    struct lam_session_plan *plan;
    bool *needs_grad;         // by value
    int *last;                // by value: its last reader where it was made
    bool *pitched;            // by value: it may have a pitch
    struct lam_place *places; // by value
    bool *joins[LAM_N_JOINS]; // by node: whether it is to
    int64_t part_bytes;       // of the device; 0: nothing is joined
};

// Layers that a value has to wait for to become halves.
enum { LAM_WORTH_HALVES = 3 };

int lam_planner_backward_time(const struct lam_planner *p, int node);
int lam_planner_end_time(const struct lam_planner *p); // of the caller

// Bytes from the first to the last of a value, or its gradient, with a pitch.
int64_t lam_planner_bytes(const struct lam_planner *p, int value,
                          int64_t pitch);
// Adds a tenant that is alive from first to last; -1 for no bytes.
int lam_planner_tenant(struct lam_planner *p, int64_t bytes, int first,
                       int last);
// The tenant that has the room of this one: itself, if it is no part.
int lam_planner_host(const struct lam_planner *p, int tenant);
// Of a value or its gradient, a part of another tenant or that itself where it
// is as large; offset: from the start of each image.
int lam_planner_part(struct lam_planner *p, int whole, int value,
                     int64_t offset, int64_t pitch, int first, int last);
// Alive from first to last too, and so is that of which it is a part.
void lam_planner_extend(struct lam_planner *p, int tenant, int first, int last);
// Room for a value to be widened to, at one time; -1: it is not kept as halves.
int lam_planner_wide(struct lam_planner *p, int value, int now);

// Whether backward of node i reads in[k], or the core after it.
bool lam_planner_reads_back(const struct lam_planner *p, int i, int k);
// Which gradients are needed; then who takes that of a relu that its layer does
// not.
void lam_planner_find_gradients(struct lam_planner *p);
void lam_planner_find_gates(struct lam_planner *p);

// Whether a value, or its gradient, may have a pitch where it is joined: all
// that touch it know.
bool lam_planner_pitched(const struct lam_planner *p, int value);
bool lam_planner_grad_pitched(const struct lam_planner *p, int value);
// The tenant of a value, or its gradient, which has a pitch of its own if the
// options ask for gaps and it may.
int lam_planner_whole(struct lam_planner *p, int value, bool is_grad, int first,
                      int last);

// Gives everything its memory, by what p->joins says; by what takes the least.
// false when out of memory.
bool lam_planner_lay_out(struct lam_planner *p);
bool lam_planner_lay_out_best(struct lam_planner *p);

void lam_planner_values(struct lam_planner *p);
// Of the inputs of node i; from the last node to the first.
void lam_planner_backward(struct lam_planner *p, int i);

#endif
