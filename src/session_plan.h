// session_plan.h - what a session will do and how long each tensor lives.
// Pure: shapes and scores only. Layer i runs at time i, its backward at
// 2n - 1 - i, where n is the number of layers.
#ifndef LAM_SESSION_PLAN_H
#define LAM_SESSION_PLAN_H

#include "plan.h"
#include "session.h"
#include "variants.h"

struct lam_node_plan {
    struct lam_taken taken[LAM_N_PASSES];
    int64_t persist[LAM_N_PASSES], scratch[2]; // bytes; scratch: run, backward
    bool runs_backward;
    bool wants[LAM_MAX_IN]; // gradient of in[i]
    bool runs[LAM_N_PASSES];
    bool gates; // backward takes in[0]'s relu along, see LAM_GATES
    bool core_gates[LAM_MAX_IN]; // the core does so for in[i] after it
    // Not called, for in lies in out[0], d_in in d_out[0], see LAM_JOINS.
    bool joins_run, joins_backward;
    bool same[LAM_MAX_IN]; // d_in[i] is d_out[0], see LAM_SAME_GRADS
    // Tenants, -1 where there is none.
    int aux[LAM_MAX_AUX], run_scratch, backward_scratch;
    int passing[LAM_N_PASSES]; // what would persist but for weights that change
    int sum[LAM_MAX_IN];       // d_in[i] before it is added
    int weight_sum[LAM_MAX_WEIGHT]; // d_weight[i] before it is added
    int first_grad[LAM_MAX_IN];     // d_in[i] before it waits as halves
    // in[i] and out[i] as its backward reads them, in[i] as it is made again
    // from it, where they were kept as halves.
    int wide_in[LAM_MAX_IN], wide_out[LAM_MAX_OUT], wide_again[LAM_MAX_IN];
};

struct lam_session_plan {
    struct lam_node_plan *nodes;
    int *value, *grad; // tenants by value, -1 where there is none
    // Values that are made again for backward instead of being kept: their
    // second tenants, -1 where there is none, and the node before whose
    // backward that is done.
    int *again, *again_before;
    int *half; // tenants of halves that wait for backward
    // Tenants of gradients that wait as halves between the first two layers
    // that touch them, and the second of these.
    int *grad_half, *grad_half_before;
    int64_t n_strange; // words that say which gradients are no numbers
    struct lam_tenant *tenants;
    int n_tenants;
    int64_t *slots; // bytes
    struct lam_memory memory;
};

// Whether weights change between any two runs: what layers make of them is then
// not kept, and shares memory with values.
bool lam_session_repacks(const struct lam_session_options *options);

// How many work-items unscale the gradient of a weight, of LAM_UNSCALE_CHUNK
// elements each.
enum { LAM_UNSCALE_CHUNK = 1024 };
int64_t lam_session_unscalers(const struct lam_shape *weight);

// Whether gradients of a value have to be zero where it is not above zero.
bool lam_session_is_gated(const struct lam_graph *graph, int value);

int lam_session_plan_create(const struct lam_graph *graph,
                            const struct lam_session_options *options,
                            struct lam_session_plan **plan);
void lam_session_plan_destroy(struct lam_session_plan *plan); // NULL is fine

#endif
