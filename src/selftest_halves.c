// A case whose images lie in memory as halves.
#include "half.h"
#include "selftest_case.h"
#include "shape.h"

static double rounded(double x)
{
    return (double)lam_half_float(lam_half_of((float)x));
}

static void round_all(double *x, const struct lam_shape *shape)
{
    for (int64_t i = 0; x && i < lam_shape_elements(shape); i++)
        x[i] = rounded(x[i]);
}

// Whether halves hold what the case begins with.
static bool is_held(const struct lam_case *c)
{
    for (int i = 0; i < c->n_in; i++)
        for (int64_t k = 0; k < lam_shape_elements(&c->in_shape[i]); k++)
            if (c->in_shape[i].dtype != LAM_I32 &&
                rounded(c->in[i][k]) != c->in[i][k])
                return false;
    return true;
}

int lam_case_halves(struct lam_case *c, struct lam_outcome *plain)
{
    // A half is within 2^-11 of its number. Backward may start from outputs
    // that were rounded, and sums of several inputs are at each step.
    const struct lam_tolerance nothing = {0, 0}, close = {1e-3, 1e-3},
                               closer = {4e-3, 4e-3};
    const bool exact = c->sample->flags & LAM_SAMPLE_EXACT;
    const bool linear = exact && c->sample->flags & LAM_SAMPLE_LINEAR;
    const struct lam_node *node = &c->graph[LAM_CASE_HALVES]->nodes[0];
    struct lam_outcome o;
    int err;

    for (int i = 0; i < node->shapes.n_out; i++)
        if (node->shapes.out[i].dtype == LAM_F16)
            round_all(plain->out[i], &node->shapes.out[i]);
    for (int i = 0; i < c->n_in; i++)
        round_all(plain->d_in[i], &c->in_shape[i]);
    if (!is_held(c))
        return LAM_OK;
    err = lam_case_run(c, LAM_CASE_HALVES, "op=plain", lam_case_twice(c), &o);
    c->test->n_halves++;
    if (!err) {
        lam_case_compare(c, "with halves, against float", &o, plain,
                         exact ? nothing : close, linear ? nothing : closer);
        err = lam_case_variants(c, LAM_CASE_HALVES, &o, exact ? nothing : close,
                                linear ? nothing : closer);
    }
    if (!err)
        err = lam_case_gates(c, LAM_CASE_HALVES, &o, linear ? nothing : closer);
    lam_outcome_free(&o);
    return err;
}
