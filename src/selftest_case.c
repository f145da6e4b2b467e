// One case: making it, running it on the device and by its reference.
#include "selftest_case.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "rng.h"
#include "shape.h"

static const struct lam_node *case_node(const struct lam_case *c, int which)
{
    return &c->graph[which]->nodes[0];
}

// Word i of a text of words, or `other`.
static void word_at(const char *text, int i, const char *other, char *word,
                    size_t size)
{
    size_t length = 0;

    for (; text && *text; i--) {
        text += strspn(text, " ");
        length = strcspn(text, " ");
        if (i == 0 && length) {
            snprintf(word, size, "%.*s", (int)length, text);
            return;
        }
        text += length;
    }
    snprintf(word, size, "%s", other);
}

static int read_inputs(struct lam_case *c)
{
    struct lam_context *ctx = c->test->ctx;
    char word[128], fill[64];

    for (c->n_in = 0; c->n_in < LAM_MAX_IN; c->n_in++) {
        word_at(c->sample->inputs, c->n_in, "", word, sizeof(word));
        word_at(c->sample->fill, c->n_in, "normal", fill, sizeof(fill));
        if (!word[0])
            break;
        if (!lam_shape_parse(
                word, strncmp(fill, "indices", 7) == 0 ? LAM_I32 : LAM_F32,
                &c->in_shape[c->n_in]))
            return lam_fail(ctx, LAM_EPLUGIN,
                            "sample input '%s' is not a shape", word);
    }
    return LAM_OK;
}

static int make_graph(struct lam_case *c, int which)
{
    struct lam_context *ctx = c->test->ctx;
    const bool halves = which == LAM_CASE_HALVES;
    int in[LAM_MAX_IN], node, err;
    const struct lam_node_spec spec = {.name = "op",
                                       .type = c->type->name,
                                       .settings = c->settings,
                                       .n_settings = c->n_settings,
                                       .in = in,
                                       .n_in = c->n_in};

    err = lam_graph_create(ctx, c->test->registry,
                           &c->test->host[halves ? LAM_F32 : which],
                           c->training, &c->graph[which]);
    for (int i = 0; i < c->n_in && !err; i++) {
        struct lam_shape shape = c->in_shape[i];
        char name[16];

        if (halves && shape.dtype != LAM_I32)
            shape.dtype = LAM_F16;
        snprintf(name, sizeof(name), "x%d", i);
        err = lam_graph_input(c->graph[which], name, &shape, &in[i]);
    }
    if (!err)
        err = lam_graph_add(c->graph[which], &spec, &node);
    for (int i = 0; !err && i < c->graph[which]->n_values; i++)
        c->graph[which]->values[i].is_output =
            c->graph[which]->values[i].producer >= 0;
    return err;
}

static int fill_case(struct lam_case *c)
{
    const bool exact = c->sample->flags & LAM_SAMPLE_EXACT;
    const uint64_t seed =
        lam_rng_hash(lam_rng_hash(1, c->type->name), c->sample->params);
    const struct lam_node *node = case_node(c, LAM_F32);
    int64_t n;

    for (int i = 0; i < c->n_in; i++) {
        char fill[64];

        n = lam_shape_elements(&c->in_shape[i]);
        word_at(c->sample->fill, i, "normal", fill, sizeof(fill));
        c->in[i] = malloc((size_t)n * sizeof(double));
        if (!c->in[i])
            return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        lam_case_fill(fill, exact, seed + (uint64_t)i, n, c->in[i]);
    }
    for (int i = 0; i < node->shapes.n_weight; i++) {
        const struct lam_weight *w = &node->shapes.weight[i];

        n = lam_shape_elements(&w->shape);
        c->weight[i] = malloc((size_t)n * sizeof(double));
        if (!c->weight[i])
            return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        // Running variances must stay positive.
        lam_case_fill(w->is_state ? "unit" : "normal", exact, seed + 100 + i, n,
                      c->weight[i]);
    }
    n = lam_shape_elements(&node->shapes.out[0]);
    c->d_out = malloc((size_t)n * sizeof(double));
    if (!c->d_out)
        return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
    lam_case_fill("normal", exact, seed + 200, n, c->d_out);
    if (n == 1)
        c->d_out[0] = exact ? 2.0 : 0.75;
    return LAM_OK;
}

int lam_case_open(struct lam_case *c, struct lam_selftest *test,
                  const struct lam_layer_type *type,
                  const struct lam_sample *sample)
{
    struct lam_context *ctx = test->ctx;
    int err;

    *c = (struct lam_case){.test = test,
                           .type = type,
                           .sample = sample,
                           .training = !(sample->flags & LAM_SAMPLE_EVAL)};
    if ((size_t)snprintf(c->text, sizeof(c->text), "%s", sample->params) >=
        sizeof(c->text))
        return lam_fail(ctx, LAM_EPLUGIN, "sample parameters are too long");
    c->n_settings = lam_settings_split(c->text, c->settings, 32);
    if (c->n_settings < 0)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "sample parameters '%s' are not of the form 'a=1 b=2'",
                        sample->params);
    err = read_inputs(c);
    if (!err)
        err = make_graph(c, LAM_F32);
    if (!err && !sample->error)
        err = make_graph(c, LAM_F64);
    if (!err && !sample->error &&
        case_node(c, LAM_F32)->shapes.flags & LAM_HALVES)
        err = make_graph(c, LAM_CASE_HALVES);
    return err || sample->error ? err : fill_case(c);
}

void lam_case_close(struct lam_case *c)
{
    for (int i = 0; i < LAM_MAX_IN; i++)
        free(c->in[i]);
    for (int i = 0; i < LAM_MAX_WEIGHT; i++)
        free(c->weight[i]);
    free(c->d_out);
    lam_graph_destroy(c->graph[0]);
    lam_graph_destroy(c->graph[1]);
    lam_graph_destroy(c->graph[LAM_CASE_HALVES]);
}

void lam_outcome_free(struct lam_outcome *o)
{
    for (int i = 0; i < LAM_MAX_OUT; i++)
        free(o->out[i]);
    for (int i = 0; i < LAM_MAX_WEIGHT; i++) {
        free(o->weight[i]);
        free(o->d_weight[i]);
    }
    for (int i = 0; i < LAM_MAX_IN; i++)
        free(o->d_in[i]);
    *o = (struct lam_outcome){0};
}

static void *narrow(const double *src, const struct lam_shape *shape)
{
    const int64_t n = lam_shape_elements(shape);
    void *dst = calloc(1, lam_shape_bytes(shape));

    for (int64_t i = 0; dst && i < n; i++) {
        if (shape->dtype == LAM_F64)
            ((double *)dst)[i] = src[i];
        else if (shape->dtype == LAM_F32)
            ((float *)dst)[i] = (float)src[i];
        else if (shape->dtype == LAM_F16)
            ((uint16_t *)dst)[i] = lam_half_of((float)src[i]);
        else
            ((int32_t *)dst)[i] = (int32_t)src[i];
    }
    return dst;
}

static double *widen(const void *src, const struct lam_shape *shape)
{
    const int64_t n = lam_shape_elements(shape);
    double *dst = malloc((size_t)n * sizeof(*dst));

    for (int64_t i = 0; dst && i < n; i++)
        dst[i] = lam_element(src, shape->dtype, i);
    return dst;
}

enum what { VALUE, GRAD, WEIGHT, WEIGHT_GRAD };

static int fetch(struct lam_session *s, struct lam_context *ctx, enum what what,
                 int i, const struct lam_shape *shape, double **result)
{
    void *data = malloc(lam_shape_bytes(shape));
    int err = data ? LAM_OK : lam_fail(ctx, LAM_EMEMORY, "out of memory");

    if (!err)
        err = what == VALUE    ? lam_session_read(s, i, data)
              : what == GRAD   ? lam_session_read_grad(s, i, data)
              : what == WEIGHT ? lam_session_weight_read(s, i, data)
                               : lam_session_grad_read(s, i, data);
    if (!err) {
        *result = widen(data, shape);
        if (!*result)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    free(data);
    return err;
}

static int has_gradient(const struct lam_case *c, int i)
{
    return c->training && c->type->backward &&
           !(c->sample->flags & LAM_SAMPLE_NO_GRAD) &&
           c->in_shape[i].dtype != LAM_I32 &&
           !(c->type->kind == LAM_KIND_LOSS && i > 0);
}

static int write_all(struct lam_case *c, int which, struct lam_session *s)
{
    const struct lam_node *node = case_node(c, which);
    int err = LAM_OK;

    for (int i = 0; i < c->n_in && !err; i++) {
        void *data = narrow(c->in[i], &node->in_shape[i]);

        err = data ? lam_session_write(s, node->in[i], data)
                   : lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        free(data);
    }
    for (int i = 0; i < node->shapes.n_weight && !err; i++) {
        void *data = narrow(c->weight[i], &node->shapes.weight[i].shape);

        err = data ? lam_session_weight_write(s, node->weight[i], data)
                   : lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        free(data);
    }
    return err;
}

static int run_once(struct lam_case *c, int which, struct lam_session *s,
                    struct lam_outcome *o)
{
    const struct lam_node *node = case_node(c, which);
    struct lam_context *ctx = c->test->ctx;
    int err = write_all(c, which, s);

    if (!err)
        err = lam_session_forward(s, 7);
    for (int i = 0; i < node->shapes.n_out && !err; i++)
        err = fetch(s, ctx, VALUE, node->out[i], &node->shapes.out[i],
                    &o->out[i]);
    for (int i = 0; i < node->shapes.n_weight && !err; i++)
        err = fetch(s, ctx, WEIGHT, node->weight[i],
                    &node->shapes.weight[i].shape, &o->weight[i]);
    if (err || !has_gradient(c, 0))
        return err;
    if (lam_shape_elements(&node->shapes.out[0]) > 1) {
        void *data = narrow(c->d_out, &node->shapes.out[0]);

        err = data ? lam_session_write_grad(s, data)
                   : lam_fail(ctx, LAM_EMEMORY, "out of memory");
        free(data);
    }
    if (!err)
        err = lam_session_backward(s, c->d_out[0], true);
    for (int i = 0; i < c->n_in && !err; i++)
        if (has_gradient(c, i))
            err = fetch(s, ctx, GRAD, node->in[i], &node->in_shape[i],
                        &o->d_in[i]);
    for (int i = 0; i < node->shapes.n_weight && !err; i++)
        if (!node->shapes.weight[i].is_state)
            err = fetch(s, ctx, WEIGHT_GRAD, node->weight[i],
                        &node->shapes.weight[i].shape, &o->d_weight[i]);
    return err;
}

static bool same_bits(const double *a, const double *b,
                      const struct lam_shape *shape)
{
    return !a || !b ||
           memcmp(a, b, (size_t)lam_shape_elements(shape) * sizeof(*a)) == 0;
}

static bool outcomes_equal(const struct lam_case *c, int which,
                           const struct lam_outcome *a,
                           const struct lam_outcome *b)
{
    const struct lam_node *node = case_node(c, which);
    bool equal = true;

    for (int i = 0; i < node->shapes.n_out; i++)
        equal &= same_bits(a->out[i], b->out[i], &node->shapes.out[i]);
    for (int i = 0; i < c->n_in; i++)
        equal &= same_bits(a->d_in[i], b->d_in[i], &c->in_shape[i]);
    for (int i = 0; i < node->shapes.n_weight; i++) {
        const struct lam_shape *shape = &node->shapes.weight[i].shape;

        equal &= same_bits(a->weight[i], b->weight[i], shape);
        equal &= same_bits(a->d_weight[i], b->d_weight[i], shape);
    }
    return equal;
}

int lam_case_run(struct lam_case *c, int which, const char *variants,
                 enum lam_case_mode mode, struct lam_outcome *outcome)
{
    const struct lam_session_options options = {
        .training = c->training,
        .loss = has_gradient(c, 0) ? case_node(c, which)->out[0] : -1,
        .want_input_grad = true,
        .keep_all = mode != LAM_CASE_IN_PLACE,
        .free_inputs = true,
        .gate_inputs = mode == LAM_CASE_GATED,
        .gaps = mode == LAM_CASE_GAPS,
        .variants = variants};
    struct lam_outcome again = {0};
    struct lam_session *s;
    int err;

    *outcome = (struct lam_outcome){0};
    err = lam_session_create(c->graph[which], c->test->queue, &options, &s);
    if (!err)
        err = run_once(c, which, s, outcome);
    if (!err && mode == LAM_CASE_TWICE)
        err = run_once(c, which, s, &again);
    if (!err && mode == LAM_CASE_TWICE &&
        !outcomes_equal(c, which, outcome, &again))
        err = lam_fail(c->test->ctx, LAM_ERUN,
                       "a second run does not give the same bits");
    if (!err)
        err = lam_session_intact(s);
    if (!err && mode == LAM_CASE_GAPS)
        err = lam_session_gaps(s);
    lam_outcome_free(&again);
    lam_session_destroy(s);
    return err;
}

int lam_case_reference(const struct lam_case *c, double *const *in,
                       double *const *weight, struct lam_outcome *o)
{
    const struct lam_node *node = case_node(c, LAM_F64);
    struct lam_shape weight_shape[LAM_MAX_WEIGHT];
    const struct lam_ref ref = {.n_in = c->n_in,
                                .n_out = node->shapes.n_out,
                                .n_weight = node->shapes.n_weight,
                                .in_shape = node->in_shape,
                                .out_shape = node->shapes.out,
                                .weight_shape = weight_shape,
                                .in = (const double *const *)in,
                                .out = o->out,
                                .weight = o->weight,
                                .training = c->training,
                                .seed = lam_rng_hash(7, node->name)};

    *o = (struct lam_outcome){0};
    for (int i = 0; i < node->shapes.n_out; i++) {
        o->out[i] = calloc((size_t)lam_shape_elements(&node->shapes.out[i]),
                           sizeof(double));
        if (!o->out[i])
            return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
    }
    for (int i = 0; i < node->shapes.n_weight; i++) {
        const size_t n =
            (size_t)lam_shape_elements(&node->shapes.weight[i].shape);

        weight_shape[i] = node->shapes.weight[i].shape;
        o->weight[i] = malloc(n * sizeof(double));
        if (!o->weight[i])
            return lam_fail(c->test->ctx, LAM_EMEMORY, "out of memory");
        memcpy(o->weight[i], weight[i], n * sizeof(double));
    }
    return c->type->reference(&node->layer, &ref);
}
