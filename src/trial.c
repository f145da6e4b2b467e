#include "trial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "half.h"
#include "progress.h"
#include "shape.h"
#include "tuning.h"

struct lam_trial {
    struct lam_context *ctx;
    struct lam_graph *graph;
    struct lam_session *session;
    int pass, out;
};

static int make_graph(struct lam_trial *t, const struct lam_registry *registry,
                      const struct lam_host *host,
                      const struct lam_trial_spec *spec)
{
    int in[LAM_MAX_IN], node;
    const struct lam_node_spec layer = {.name = "op",
                                        .type = spec->type,
                                        .settings = spec->settings,
                                        .n_settings = spec->n_settings,
                                        .in = in,
                                        .n_in = spec->n_in,
                                        .is_frozen = spec->pass ==
                                                     LAM_PASS_BACKWARD_DATA};
    const struct lam_layer_type *type =
        lam_registry_layer(registry, spec->type);
    const bool is_loss = type && type->kind == LAM_KIND_LOSS;
    int err =
        lam_graph_create(t->ctx, registry, host, spec->training, &t->graph);

    for (int i = 0; i < spec->n_in && !err; i++) {
        char name[16];

        snprintf(name, sizeof(name), is_loss && i == 1 ? "target" : "x%d", i);
        err = lam_graph_input(t->graph, name, &spec->in[i], &in[i]);
    }
    if (!err)
        err = lam_graph_add(t->graph, &layer, &node);
    if (err)
        return err;
    t->out = t->graph->nodes[0].out[0];
    t->graph->values[t->out].is_output = true;
    return LAM_OK;
}

static bool has_pass(const struct lam_trial *t)
{
    const struct lam_node *node = &t->graph->nodes[0];
    bool is_trained = false;

    for (int i = 0; i < t->graph->n_weights; i++)
        is_trained |= t->graph->weights[i].is_trained;
    return t->pass == LAM_PASS_RUN ||
           (node->layer.type->backward &&
            (t->pass == LAM_PASS_BACKWARD_DATA || is_trained));
}

static int start(struct lam_trial *t)
{
    const struct lam_shape *shape = &t->graph->values[t->out].shape;
    const int64_t n = lam_shape_elements(shape);
    float *dy;
    int err = lam_session_init(t->session, 1);

    for (int i = 0; i < t->graph->n_values && !err; i++)
        if (t->graph->values[i].producer < 0)
            err = lam_bench_fill(t->session, t->graph, i);
    if (err || t->pass == LAM_PASS_RUN)
        return err;
    err = lam_session_forward(t->session, 1);
    dy = err || n == 1 ? NULL : lam_bench_numbers(n, "dy");
    if (dy && shape->dtype == LAM_F16)
        lam_half_pack(dy, n);
    if (dy)
        err = lam_session_write_grad(t->session, dy);
    else if (!err && n > 1)
        err = lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    free(dy);
    return err;
}

int lam_trial_open(const struct lam_registry *registry,
                   const struct lam_host *host, struct lam_queue *queue,
                   const struct lam_trial_spec *spec, struct lam_trial **trial)
{
    struct lam_trial *t = calloc(1, sizeof(*t));
    const bool is_data = spec->pass == LAM_PASS_BACKWARD_DATA;
    char variants[128];
    struct lam_session_options options = {.training = spec->training,
                                          .loss = -1,
                                          .micro_batches = 1,
                                          .want_input_grad = is_data,
                                          .keep_all = true,
                                          .variants =
                                              spec->variant ? variants : NULL,
                                          .tuning = lam_queue_tuning(queue)};
    int err;

    *trial = NULL;
    if (!t)
        return lam_fail(lam_queue_context(queue), LAM_EMEMORY, "out of memory");
    t->ctx = lam_queue_context(queue);
    t->pass = spec->pass;
    snprintf(variants, sizeof(variants), "op:%s=%s", lam_pass_names[spec->pass],
             spec->variant ? spec->variant : "");
    err = make_graph(t, registry, host, spec);
    if (!err && !has_pass(t))
        err = lam_fail(t->ctx, LAM_EUSAGE, "%s has no gradient of its %s",
                       spec->type, is_data ? "input" : "weights");
    if (!err && t->pass != LAM_PASS_RUN)
        options.loss = t->out;
    if (!err)
        err = lam_session_create(t->graph, queue, &options, &t->session);
    if (!err)
        err = start(t);
    if (err)
        lam_trial_close(t);
    else
        *trial = t;
    return err;
}

void lam_trial_close(struct lam_trial *t)
{
    if (!t)
        return;
    lam_session_destroy(t->session);
    lam_graph_destroy(t->graph);
    free(t);
}

int lam_trial_run(struct lam_trial *t, int times, double *ms)
{
    double started;
    int err = lam_session_finish(t->session);

    started = lam_clock();
    for (int i = 0; i < times && !err; i++)
        err = t->pass == LAM_PASS_RUN
                  ? lam_session_forward(t->session, 1)
                  : lam_session_backward(t->session, 1.0, true);
    if (!err)
        err = lam_session_finish(t->session);
    *ms = 1e3 * (lam_clock() - started) / times;
    return err;
}

int lam_trial_times(double ms)
{
    const double times = 20.0 / (ms > 0.01 ? ms : 0.01);

    return times > 100.0 ? 100 : times < 1.0 ? 1 : (int)times;
}

int lam_trial_read(struct lam_trial *t, float **values, int64_t *n)
{
    const struct lam_graph *graph = t->graph;
    const int value = t->pass == LAM_PASS_RUN ? t->out : graph->nodes[0].in[0];
    int err = LAM_OK;

    *n = 0;
    if (t->pass != LAM_PASS_BACKWARD_WEIGHT)
        *n = lam_shape_elements(&graph->values[value].shape);
    for (int i = 0; t->pass == LAM_PASS_BACKWARD_WEIGHT && i < graph->n_weights;
         i++)
        if (graph->weights[i].is_trained)
            *n += lam_shape_elements(&graph->weights[i].spec.shape);
    *values = malloc((size_t)*n * sizeof(**values));
    if (!*values)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    if (t->pass != LAM_PASS_BACKWARD_WEIGHT) {
        err = t->pass == LAM_PASS_RUN
                  ? lam_session_read(t->session, value, *values)
                  : lam_session_read_grad(t->session, value, *values);
        if (!err && graph->values[value].shape.dtype == LAM_F16)
            lam_half_unpack(*values, *n);
        return err;
    }
    for (int64_t i = 0, at = 0; i < graph->n_weights && !err; i++) {
        if (!graph->weights[i].is_trained)
            continue;
        err = lam_session_grad_read(t->session, (int)i, *values + at);
        at += lam_shape_elements(&graph->weights[i].spec.shape);
    }
    return err;
}

const char *lam_trial_variant(const struct lam_trial *t)
{
    return lam_session_variant(t->session, 0, t->pass);
}

double lam_trial_macs(const struct lam_trial *t)
{
    return t->graph->nodes[0].shapes.macs;
}
