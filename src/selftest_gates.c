// A case whose input came from a relu, the gradient of which the layer takes
// along (LAM_GATES).
#include <stdio.h>
#include <stdlib.h>

#include "selftest_case.h"
#include "shape.h"
#include "tuning.h"

// Gradients of inputs as they are without a gate, through it.
static int gated(const struct lam_case *c, const struct lam_outcome *plain,
                 struct lam_outcome *want)
{
    *want = *plain;
    for (int i = 0; i < c->n_in; i++) {
        const int64_t n = lam_shape_elements(&c->in_shape[i]);

        if (!plain->d_in[i])
            continue;
        want->d_in[i] = malloc((size_t)n * sizeof(double));
        if (!want->d_in[i])
            return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        for (int64_t k = 0; k < n; k++)
            want->d_in[i][k] = c->in[i][k] > 0.0 ? plain->d_in[i][k] : 0.0;
    }
    return LAM_OK;
}

static int try_one(struct lam_case *c, int which, const char *name,
                   const struct lam_outcome *want,
                   struct lam_tolerance tolerance)
{
    char choice[80], what[100];
    struct lam_outcome o;
    int err;

    snprintf(choice, sizeof(choice), "op:%s=%s,op=plain",
             lam_pass_names[LAM_PASS_BACKWARD_DATA], name);
    snprintf(what, sizeof(what), "%s through a gate", name);
    err = lam_case_run(c, which, choice, LAM_CASE_GATED, &o);
    if (!err)
        lam_case_compare(c, what, &o, want, tolerance, tolerance);
    lam_outcome_free(&o);
    return err;
}

int lam_case_gates(struct lam_case *c, int which,
                   const struct lam_outcome *plain,
                   struct lam_tolerance backward)
{
    // Of variants in which fractions arise.
    const struct lam_tolerance inexact = {1e-3, 1e-4};
    const struct lam_node *node = &c->graph[which]->nodes[0];
    struct lam_outcome want;
    int err;

    if (!(node->shapes.flags & LAM_GATES) || !plain->d_in[0])
        return LAM_OK;
    err = gated(c, plain, &want);
    if (!err)
        err = try_one(c, which, "plain", &want, backward);
    for (const struct lam_variant *v = c->type->variants; v && v->name && !err;
         v++)
        if (v->pass == LAM_PASS_BACKWARD_DATA &&
            v->score(&node->layer, &node->shapes) > 0)
            err = try_one(c, which, v->name, &want,
                          v->flags & LAM_INEXACT ? inexact : backward);
    for (int i = 0; i < c->n_in; i++)
        if (want.d_in[i] != plain->d_in[i])
            free(want.d_in[i]);
    c->test->n_gates++;
    return err;
}
