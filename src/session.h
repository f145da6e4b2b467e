// session.h - a graph made ready to run on a device: the memory plan, the
// kernels, the weights; forward, backward and the optimiser's step.
#ifndef LAM_SESSION_H
#define LAM_SESSION_H

#include "device.h"
#include "graph.h"

struct lam_session;
struct lam_tuning; // tuning.h

// What a session takes, in bytes, known before anything is allocated.
struct lam_memory {
    int64_t activations; // slots shared by values and gradients
    int64_t weights, weight_grads, optimizer, workspace;
    int64_t total, largest; // largest: one buffer
    int n_slots;
    int n_joined, n_joined_backward; // layers with nothing to do: LAM_JOINS
    int n_same;                      // and gradients not made: LAM_SAME_GRADS
};

// Whether copies of layers that only join their inputs (LAM_JOINS), or give
// them their own gradient (LAM_SAME_GRADS), are left out.
enum lam_joining {
    LAM_JOINING_SAVES, // where that takes no more memory than their copies
    LAM_JOINING_NEVER,
    LAM_JOINING_ALWAYS
};

struct lam_session_options {
    int training; // as the graph was made for
    int loss;     // value to differentiate, or -1; see lam_session_write_grad
    const struct lam_optimizer_type *optimizer; // NULL: none
    const void *optimizer_config;
    int micro_batches;    // > 1: gradients of several runs are summed
    bool observe;         // layers write what they observe beside their state,
                          // which stays; see lam_session_on_ready
    bool want_input_grad; // gradients of graph inputs are made, kept, readable
    bool keep_all;        // no slot is shared: every value stays readable
    bool free_inputs;     // inputs need not survive a run: layers may work in
                          // place on them
    bool gate_inputs;     // inputs count as made by a relu, see LAM_GATES
    bool gaps; // all that may have a pitch has one, with keep_all: to prove it
    bool keep_half;       // what waits in or for backward waits as halves
    bool loss_scale;      // lam_session_unscale is called; keep_half means it
    int joining;          // enum lam_joining; never with keep_all
    const char *variants; // asked for, see variants.h; NULL: none
    const struct lam_tuning *tuning; // what was measured; NULL: nothing
};

// Pure: sizes only.
int lam_session_memory(const struct lam_graph *graph,
                       const struct lam_session_options *options,
                       struct lam_memory *memory);

// "memory: .. MiB: activations ..", the parts of it; returns text.
const char *lam_memory_text(const struct lam_memory *memory, char *text,
                            size_t size);

// LAM_EMEMORY, with the sizes, where the device cannot hold it.
int lam_memory_check(struct lam_context *ctx, const struct lam_memory *memory,
                     const struct lam_device *device);

// Refuses with LAM_EMEMORY, before the first kernel, what the device cannot
// hold. The graph must outlive the session and belongs to it meanwhile.
int lam_session_create(struct lam_graph *graph, struct lam_queue *queue,
                       const struct lam_session_options *options,
                       struct lam_session **session);
void lam_session_destroy(struct lam_session *session); // NULL is fine

// Draws all weights from the seed (each from its name and the seed, so that the
// same layer gets the same numbers in another network).
int lam_session_init(struct lam_session *session, uint64_t seed);

// By index in graph->weights; in the host's real type, dense.
int lam_session_weight_read(struct lam_session *session, int i, void *dst);
int lam_session_weight_write(struct lam_session *session, int i,
                             const void *src);
int lam_session_grad_read(struct lam_session *session, int i, void *dst);
int lam_session_grad_write(struct lam_session *session, int i, const void *src);
// Optimiser slots of weight i ("m", "v" ...).
int lam_session_slot_read(struct lam_session *session, int i, int slot,
                          void *dst);
int lam_session_slot_write(struct lam_session *session, int i, int slot,
                           const void *src);

int lam_session_write(struct lam_session *session, int value, const void *src);
int lam_session_read(struct lam_session *session, int value, void *dst);
// Gradient of a value; LAM_EUSAGE unless want_input_grad or keep_all kept it.
int lam_session_read_grad(struct lam_session *session, int value, void *dst);

// Sets the gradient of a loss value that has more than one element, after
// forward and before backward, which then ignores its scale.
int lam_session_write_grad(struct lam_session *session, const void *src);

// Enqueue. seed feeds dropout. backward starts from scale * dLoss/dLoss and
// adds to the weight gradients unless first is true.
int lam_session_forward(struct lam_session *session, uint64_t seed);
int lam_session_backward(struct lam_session *session, double scale, bool first);
// Calls ready(data, i) within forward and backward: the gradient of weight i,
// or what was observed for state i, was enqueued, and lam_session_ready_read
// may start to read it.
void lam_session_on_ready(struct lam_session *session,
                          int (*ready)(void *data, int i), void *data);
int lam_session_ready_read(struct lam_session *session, int i, void *dst,
                           struct lam_read *read);
// Divides all gradients of weights by the scale that backward was given, after
// the last micro-batch; waits. *strange: the first weight whose gradient then
// has an infinite value or none that is a number; -1: none has.
int lam_session_unscale(struct lam_session *session, double scale,
                        int *strange);
// Adds l2 * weight to the gradient of weight i (coupled L2).
int lam_session_decay(struct lam_session *session, int i, double l2);
int lam_session_step(struct lam_session *session, int64_t t, double lr);

// LAM_ENONFINITE naming the first bad layer in running order, by looking at all
// values of a fresh forward run of the same input. Only called after a bad
// loss.
int lam_session_blame(struct lam_session *session, uint64_t seed);
// The same for weights alone.
int lam_session_blame_weights(struct lam_session *session);

int lam_session_finish(struct lam_session *session); // waits
// LAM_ERUN when a canary behind one of the buffers has changed.
// With `gaps`: that what lies between images is as it was, NaN.
int lam_session_gaps(struct lam_session *session);
int lam_session_intact(struct lam_session *session);
const struct lam_memory *lam_session_plan(const struct lam_session *session);
// One line per node and pass: name, variant, why; a text to free().
char *lam_session_explain(const struct lam_session *session);
// Name of the variant that serves a pass of a node.
const char *lam_session_variant(const struct lam_session *session, int node,
                                int pass);
// All variants taken, in the form of `variants` above; a text to free().
char *lam_session_variants(const struct lam_session *session);

#endif
