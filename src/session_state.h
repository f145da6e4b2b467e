// session_state.h - inside of a session, for session*.c.
#ifndef LAM_SESSION_STATE_H
#define LAM_SESSION_STATE_H

#include "core.cl.h"
#include "session_plan.h"

struct weight_buffers {
    struct lam_buffer *weight, *grad, *slot[LAM_MAX_SLOT];
    struct lam_buffer *observed; // of a state, with `observe`
};

struct node_tensors {
    struct lam_tensor in[LAM_MAX_IN], out[LAM_MAX_OUT];
    // in and out as backward finds them, in as what out[0] is made again from.
    struct lam_tensor kept[LAM_MAX_IN], kept_out[LAM_MAX_OUT];
    struct lam_tensor again_in[LAM_MAX_IN];
    struct lam_tensor again; // out[0], made again
    struct lam_tensor weight[LAM_MAX_WEIGHT], aux[LAM_MAX_AUX];
    struct lam_tensor d_in[LAM_MAX_IN], d_out[LAM_MAX_OUT];
    struct lam_tensor d_weight[LAM_MAX_WEIGHT];
    struct lam_buffer *persist[LAM_N_PASSES];
    bool is_prepared;
};

struct lam_session {
    struct lam_context *ctx;
    struct lam_graph *graph;
    struct lam_queue *queue;
    struct lam_session_options options;
    struct lam_session_plan *plan;
    struct lam_buffer **slots;      // by slot of the plan
    struct lam_buffer **parts;      // by tenant; NULL: it has its slot
    struct weight_buffers *weights; // by weight of the graph
    struct node_tensors *tensors;   // by node
    int n_slots;                    // of the optimiser
    struct lam_optimizer optimizer;
    struct lam_kernel *add, *add_halves, *gate, *gate_halves;
    struct lam_kernel *narrow, *widen, *unscale;
    struct lam_buffer *strange; // NULL: nothing will be unscaled
    uint64_t weights_version;
    uint64_t seed; // of the last forward
    int (*ready)(void *data, int i);
    void *ready_data;
};

static inline struct lam_tensor lam_dense(const struct lam_shape *shape,
                                          struct lam_buffer *buffer)
{
    return (struct lam_tensor){.shape = *shape, .buffer = buffer};
}

// Where a tenant of the plan lies; NULL for -1, none.
struct lam_buffer *lam_session_tenant(const struct lam_session *session,
                                      int tenant);
// Lets a tensor be what a tenant holds.
void lam_session_bind(const struct lam_session *session, int tenant,
                      struct lam_tensor *tensor);
// A value, or its gradient, as that tenant holds it.
struct lam_tensor lam_session_tensor(const struct lam_session *session,
                                     int value, int tenant);
// Reads a tensor; LAM_ENONFINITE where it has a number that is not finite.
int lam_session_look(struct lam_session *session, const struct lam_tensor *x,
                     const char *what, const char *name);
// The io of a node for a pass, but for the seed. What variants kept is taken
// for outdated by each where it shares memory.
void lam_session_io(struct lam_session *session, int node, int pass,
                    struct lam_io *io);
// What the chosen variant of a pass keeps between calls.
struct lam_tensor lam_session_persist(const struct lam_session *session,
                                      int node, int pass);

// Enqueues a kernel over n elements, whose last two arguments, set here, are n
// and how many a work-item takes: `chunk`, 0: what suits the device.
int lam_session_launch(struct lam_session *session, struct lam_kernel *kernel,
                       struct lam_arg *args, int n_args, int64_t n, int chunk);
// y += a * x
int lam_session_add(struct lam_session *session, const struct lam_tensor *y,
                    const struct lam_tensor *x, double a);

#endif
