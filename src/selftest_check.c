// What is checked of a case.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "selftest_case.h"
#include "shape.h"
#include "tuning.h"

enum { MAX_PROBED = 24 }; // elements of a tensor whose gradient is measured

static void problem(struct lam_case *c, const char *what, const char *tensor,
                    int64_t i, double got, double want)
{
    if (!c->problem[0])
        snprintf(c->problem, sizeof(c->problem),
                 "%s: %s[%lld] is %.9g, wanted %.9g", what, tensor,
                 (long long)i, got, want);
}

// |got - want| <= atol * max(1, max |want|) + rtol * |want|; a NaN never passes
// unless one is wanted.
static bool compare(struct lam_case *c, const char *what, const char *tensor,
                    const double *got, const double *want, int64_t n,
                    struct lam_tolerance tolerance)
{
    double scale = 1.0;

    if (!got || !want)
        return true;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(want[i]))
            scale = fmax(scale, fabs(want[i]));
    for (int64_t i = 0; i < n; i++) {
        const double limit =
            tolerance.atol * scale + tolerance.rtol * fabs(want[i]);

        if (got[i] == want[i] || (isnan(got[i]) && isnan(want[i])) ||
            fabs(got[i] - want[i]) <= limit)
            continue;
        problem(c, what, tensor, i, got[i], want[i]);
        return false;
    }
    return true;
}

void lam_case_compare(struct lam_case *c, const char *what,
                      const struct lam_outcome *got,
                      const struct lam_outcome *want,
                      struct lam_tolerance forward,
                      struct lam_tolerance backward)
{
    const struct lam_node *node = &c->graph[0]->nodes[0];
    char name[64];

    for (int i = 0; i < node->shapes.n_out; i++)
        compare(c, what, i ? "out1" : "out", got->out[i], want->out[i],
                lam_shape_elements(&node->shapes.out[i]), forward);
    for (int i = 0; i < node->shapes.n_weight; i++) {
        const int64_t n = lam_shape_elements(&node->shapes.weight[i].shape);

        if (node->shapes.weight[i].is_state)
            compare(c, what, node->shapes.weight[i].name, got->weight[i],
                    want->weight[i], n, forward);
        snprintf(name, sizeof(name), "gradient of %s",
                 node->shapes.weight[i].name);
        compare(c, what, name, got->d_weight[i], want->d_weight[i], n,
                backward);
    }
    for (int i = 0; i < c->n_in; i++) {
        snprintf(name, sizeof(name), "gradient of input %d", i);
        compare(c, what, name, got->d_in[i], want->d_in[i],
                lam_shape_elements(&c->in_shape[i]), backward);
    }
}

// sum(out[0] * d_out): what the gradients are gradients of.
static double objective(const struct lam_case *c, const struct lam_outcome *o)
{
    const int64_t n = lam_shape_elements(&c->graph[0]->nodes[0].shapes.out[0]);
    double sum = 0.0;

    for (int64_t i = 0; i < n; i++)
        sum += o->out[0][i] * c->d_out[i];
    return sum;
}

static int objective_at(struct lam_case *c, double *value)
{
    struct lam_outcome o;
    const int err = lam_case_reference(c, c->in, c->weight, &o);

    *value = err ? 0.0 : objective(c, &o);
    lam_outcome_free(&o);
    return err;
}

static int check_gradient(struct lam_case *c, const char *name, double *at,
                          int64_t n, const double *gradient)
{
    // Whole numbers leave room for a step that rounds nothing.
    const double eps = c->sample->flags & LAM_SAMPLE_EXACT ? 0.25 : 1e-6;
    const int64_t probed = n < MAX_PROBED ? n : MAX_PROBED;
    int err = LAM_OK;

    for (int64_t k = 0; k < probed && gradient && !err; k++) {
        const int64_t i =
            n <= MAX_PROBED
                ? k
                : (int64_t)(lam_rng_bits(5, (uint64_t)k) % (uint64_t)n);
        const double kept = at[i];
        double above, below, measured;

        at[i] = kept + eps;
        err = objective_at(c, &above);
        at[i] = kept - eps;
        if (!err)
            err = objective_at(c, &below);
        at[i] = kept;
        if (err)
            break;
        measured = (above - below) / (2.0 * eps);
        if (!(fabs(gradient[i] - measured) <= 1e-5 + 1e-3 * fabs(measured)))
            problem(c, "gradient against central differences", name, i,
                    gradient[i], measured);
    }
    return err;
}

static int check_gradients(struct lam_case *c, const struct lam_outcome *o)
{
    const struct lam_node *node = &c->graph[LAM_F64]->nodes[0];
    char name[64];
    int err = LAM_OK;

    for (int i = 0; i < c->n_in && !err; i++) {
        snprintf(name, sizeof(name), "input %d", i);
        err = check_gradient(c, name, c->in[i],
                             lam_shape_elements(&c->in_shape[i]), o->d_in[i]);
    }
    for (int i = 0; i < node->shapes.n_weight && !err; i++)
        err = check_gradient(c, node->shapes.weight[i].name, c->weight[i],
                             lam_shape_elements(&node->shapes.weight[i].shape),
                             o->d_weight[i]);
    return err;
}

// <Ax, y> = <x, A'y>, where Ax is the run less its value at x = 0 and A'y the
// gradient of input 0, within `limit` of the sum of absolute terms.
static int check_adjoint(struct lam_case *c, const char *what,
                         const struct lam_outcome *o, double limit)
{
    const int64_t n_in = lam_shape_elements(&c->in_shape[0]);
    const int64_t n_out =
        lam_shape_elements(&c->graph[0]->nodes[0].shapes.out[0]);
    double *zeros = calloc((size_t)n_in, sizeof(*zeros));
    double *in[LAM_MAX_IN];
    double left = 0.0, right = 0.0, size = 0.0;
    struct lam_outcome at_zero = {0};
    int err =
        zeros ? LAM_OK : lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");

    memcpy(in, c->in, sizeof(in));
    in[0] = zeros;
    if (!err)
        err = lam_case_reference(c, in, c->weight, &at_zero);
    for (int64_t i = 0; i < n_out && !err; i++) {
        const double term = (o->out[0][i] - at_zero.out[0][i]) * c->d_out[i];

        left += term;
        size += fabs(term);
    }
    for (int64_t i = 0; i < n_in && !err; i++) {
        right += c->in[0][i] * o->d_in[0][i];
        size += fabs(c->in[0][i] * o->d_in[0][i]);
    }
    if (!err && !(fabs(left - right) <= limit * fmax(size, 1e-30)))
        problem(c, what, "product", 0, left, right);
    lam_outcome_free(&at_zero);
    free(zeros);
    return err;
}

static void check_trust(struct lam_case *c, const struct lam_outcome *o)
{
    const int64_t n = lam_shape_elements(&c->graph[0]->nodes[0].shapes.out[0]);

    for (int64_t i = 0; i < n; i++)
        if (o->out[0][i] != 0.0)
            return;
    if (!c->problem[0])
        snprintf(c->problem, sizeof(c->problem),
                 "mistrusted: the whole result is zero, so this tests "
                 "nothing");
}

static int check_double(struct lam_case *c, const struct lam_outcome *want,
                        const struct lam_outcome *single, bool exact)
{
    const struct lam_tolerance close = {1e-12, 1e-12};
    // Gradients of floats against those of doubles.
    struct lam_tolerance loose = {
        c->sample->atol > 0 ? 10 * c->sample->atol : 2e-5,
        c->sample->rtol > 0 ? 10 * c->sample->rtol : 1e-4};
    struct lam_outcome o;
    int err = lam_case_run(c, LAM_F64, "op=plain", LAM_CASE_KEEP_ALL, &o);

    if (exact && c->sample->flags & LAM_SAMPLE_LINEAR)
        loose = (struct lam_tolerance){0, 0};
    if (!err)
        lam_case_compare(c, "in double, against the reference", &o, want, close,
                         close);
    if (!err && o.d_in[0]) {
        lam_case_compare(c, "backward in float, against double", single, &o,
                         (struct lam_tolerance){INFINITY, 0}, loose);
        err = check_gradients(c, &o);
        c->test->n_gradients++;
    }
    if (!err && o.d_in[0] && c->sample->flags & LAM_SAMPLE_LINEAR) {
        err = check_adjoint(c, "adjoint: <Ax, y> against <x, A'y>", &o, 1e-12);
        if (!err)
            err = check_adjoint(c, "adjoint in float: <Ax, y> against <x, A'y>",
                                single, 1e-5);
        c->test->n_adjoints++;
    }
    lam_outcome_free(&o);
    return err;
}

enum lam_case_mode lam_case_twice(const struct lam_case *c)
{
    return c->test->is_tiny ? LAM_CASE_KEEP_ALL : LAM_CASE_TWICE;
}

// In a tiny run, whether two samples have shown this variant.
static bool is_known(const struct lam_case *c, const struct lam_variant *v)
{
    const ptrdiff_t i = v - c->type->variants;

    return c->test->is_tiny && i < LAM_TINY_VARIANTS &&
           c->test->n_runs[i]++ >= 2;
}

int lam_case_variants(struct lam_case *c, int which,
                      const struct lam_outcome *plain,
                      struct lam_tolerance forward,
                      struct lam_tolerance backward)
{
    // Where fractions arise, in parts of the largest value.
    const bool halves = which == LAM_CASE_HALVES;
    const struct lam_tolerance inexact = {halves ? 1e-3 : 2e-5, 1e-5};
    const struct lam_tolerance inexact_back = {halves ? 1e-3 : 1e-4, 1e-4};
    const struct lam_node *node = &c->graph[which]->nodes[0];
    int err = LAM_OK;

    for (const struct lam_variant *v = c->type->variants; v && v->name && !err;
         v++) {
        char choice[80], what[100];
        struct lam_outcome o;

        if (v->score(&node->layer, &node->shapes) <= 0 || is_known(c, v))
            continue;
        snprintf(choice, sizeof(choice), "op:%s=%s,op=plain",
                 lam_pass_names[v->pass], v->name);
        snprintf(what, sizeof(what), "variant %s against plain", v->name);
        err = lam_case_run(c, which, choice, lam_case_twice(c), &o);
        c->test->n_variants++;
        if (!err)
            lam_case_compare(c, what, &o, plain,
                             v->flags & LAM_INEXACT ? inexact : forward,
                             v->flags & LAM_INEXACT ? inexact_back : backward);
        if (!err && v->flags & LAM_PITCHED)
            err = lam_case_gaps(c, which, choice, v->name, &o);
        lam_outcome_free(&o);
    }
    return err;
}

static int check_all(struct lam_case *c)
{
    const bool exact = c->sample->flags & LAM_SAMPLE_EXACT;
    const bool has_double = c->test->host[LAM_F64].kernel != NULL;
    const struct lam_tolerance nothing = {0, 0};
    const struct lam_tolerance usual = {
        c->sample->atol > 0 ? c->sample->atol : 1e-5,
        c->sample->rtol > 0 ? c->sample->rtol : 1e-5};
    const struct lam_tolerance forward = exact ? nothing : usual;
    const struct lam_tolerance backward =
        exact && c->sample->flags & LAM_SAMPLE_LINEAR
            ? nothing
            : (struct lam_tolerance){10 * usual.atol, 10 * usual.rtol};
    struct lam_outcome want = {0}, got = {0}, in_place = {0};
    int err = lam_case_reference(c, c->in, c->weight, &want);

    if (!err)
        err = lam_case_run(c, LAM_F32, "op=plain", lam_case_twice(c), &got);
    if (!err) {
        lam_case_compare(c, "forward, against the reference", &got, &want,
                         forward, forward);
        check_trust(c, &got);
        if (!c->test->is_tiny)
            err = lam_case_run(c, LAM_F32, "op=plain", LAM_CASE_IN_PLACE,
                               &in_place);
    }
    if (!err) {
        lam_case_compare(c, "in place", &in_place, &got, nothing, nothing);
        err = lam_case_variants(c, LAM_F32, &got, forward, backward);
    }
    if (!err)
        err = lam_case_gaps(c, LAM_F32, "op=plain", "plain", &got);
    if (!err)
        err = lam_case_gates(c, LAM_F32, &got, backward);
    if (!err && has_double)
        err = check_double(c, &want, &got, exact);
    if (!err && c->graph[LAM_CASE_HALVES])
        err = lam_case_halves(c, &got);
    lam_outcome_free(&want);
    lam_outcome_free(&got);
    lam_outcome_free(&in_place);
    return err;
}

void lam_case_check(struct lam_case *c)
{
    if (!c->type->reference)
        snprintf(c->problem, sizeof(c->problem), "it brings no reference");
    else if (check_all(c) && !c->problem[0])
        snprintf(c->problem, sizeof(c->problem), "%s", c->test->ctx->error);
}
