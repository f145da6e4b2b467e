// selftest_case.h - inside of the self-test: one case, its data, its results.
#ifndef LAM_SELFTEST_CASE_H
#define LAM_SELFTEST_CASE_H

#include "selftest.h"
#include "session.h"

enum { LAM_CASE_HALVES = 2 };

struct lam_case {
    struct lam_selftest *test;
    const struct lam_layer_type *type;
    const struct lam_sample *sample;
    char text[512]; // of the parameters, split by settings
    struct lam_setting settings[32];
    int n_settings, n_in, training;
    struct lam_shape in_shape[LAM_MAX_IN];
    // By real, then LAM_CASE_HALVES: of layers that take halves, else NULL.
    // Their shapes are alike.
    struct lam_graph *graph[3];
    double *in[LAM_MAX_IN], *weight[LAM_MAX_WEIGHT], *d_out;
    char problem[600];
};

// What a run gave, in doubles.
struct lam_outcome {
    double *out[LAM_MAX_OUT], *weight[LAM_MAX_WEIGHT];
    double *d_in[LAM_MAX_IN], *d_weight[LAM_MAX_WEIGHT];
};

// GATED: gradients of inputs pass through the relu that is said to have made
// them. GAPS: all that may have a pitch has one.
enum lam_case_mode {
    LAM_CASE_KEEP_ALL,
    LAM_CASE_IN_PLACE,
    LAM_CASE_TWICE,
    LAM_CASE_GATED,
    LAM_CASE_GAPS
};

// Fills n doubles: "normal", "away", "distinct", "unit", "binary", "labels:K",
// "indices:MAX"; with exact, whole numbers from -3 to 3 instead of normal ones.
// The numbers are halves, so that all runs see the same.
void lam_case_fill(const char *how, bool exact, uint64_t seed, int64_t n,
                   double *dst);

int lam_case_open(struct lam_case *c, struct lam_selftest *test,
                  const struct lam_layer_type *type,
                  const struct lam_sample *sample);
void lam_case_close(struct lam_case *c);

// Runs the graph of this index on the device with the variants wanted,
// forward and, when the case trains, backward. TWICE: fails unless a second run
// gives the same bits.
int lam_case_run(struct lam_case *c, int which, const char *variants,
                 enum lam_case_mode mode, struct lam_outcome *outcome);
// The same by the plain C reference, forward only.
int lam_case_reference(const struct lam_case *c, double *const *in,
                       double *const *weight, struct lam_outcome *outcome);
void lam_outcome_free(struct lam_outcome *outcome);

// |got - want| <= atol * max(1, max |want|) + rtol * |want|; a NaN never passes
// unless one is wanted. What differs is the case's problem.
struct lam_tolerance {
    double atol, rtol;
};
void lam_case_compare(struct lam_case *c, const char *what,
                      const struct lam_outcome *got,
                      const struct lam_outcome *want,
                      struct lam_tolerance forward,
                      struct lam_tolerance backward);
// All variants of a graph against what its plain kernels gave.
int lam_case_variants(struct lam_case *c, int which,
                      const struct lam_outcome *plain,
                      struct lam_tolerance forward,
                      struct lam_tolerance backward);
// The same for the gradient of input 0 through a gate, where the layer takes it
// along.
int lam_case_gates(struct lam_case *c, int which,
                   const struct lam_outcome *plain,
                   struct lam_tolerance backward);
// The same as `dense` bit by bit with gaps between images, where the layer
// takes them, by the variant of this name, which was asked for by `variants`.
int lam_case_gaps(struct lam_case *c, int which, const char *variants,
                  const char *name, const struct lam_outcome *dense);
// With halves, against what the plain kernels gave in float; rounds that.
int lam_case_halves(struct lam_case *c, struct lam_outcome *plain);
// Twice but in a tiny run.
enum lam_case_mode lam_case_twice(const struct lam_case *c);

// All checks of a case; the first problem is in c->problem.
void lam_case_check(struct lam_case *c);
// Line i of the made-up shapes: "conv2d 1x2x7x5 filters=3 ...".
void lam_selftest_shape(uint64_t seed, int i, char *text, size_t size);
// Optimisers.
void lam_selftest_optimizer(struct lam_selftest *test,
                            const struct lam_optimizer_type *type);
// Counts and reports; forgets the context's error.
void lam_selftest_count(struct lam_selftest *test, const char *name,
                        const char *problem);

#endif
