// What a session does with the gradients of weights after backward.
#include <stdlib.h>

#include "session_state.h"
#include "shape.h"

// Which weight has a word set among those of all.
static int find_strange(const struct lam_session *s, const int32_t *words)
{
    const struct lam_graph *graph = s->graph;
    int64_t at = 0;

    for (int i = 0; i < graph->n_weights; i++) {
        const int64_t n =
            graph->weights[i].is_trained
                ? lam_session_unscalers(&graph->weights[i].spec.shape)
                : 0;

        for (int64_t k = 0; k < n; k++)
            if (words[at + k])
                return i;
        at += n;
    }
    return -1;
}

int lam_session_unscale(struct lam_session *s, double scale, int *strange)
{
    const struct lam_graph *graph = s->graph;
    const size_t bytes = 4 * (size_t)s->plan->n_strange;
    const struct lam_tensor words = {.buffer = s->strange};
    int32_t *read;
    int64_t at = 0;
    int err = LAM_OK;

    *strange = -1;
    if (!s->strange)
        return lam_fail(s->ctx, LAM_EUSAGE,
                        "unscaling needs a session made for it");
    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_shape *shape = &graph->weights[i].spec.shape;
        const struct lam_tensor grad = lam_dense(shape, s->weights[i].grad);
        struct lam_arg args[6] = {LAM_ARG_TENSOR(&grad), LAM_ARG_TENSOR(&words),
                                  LAM_ARG_LONG(at), LAM_ARG_REAL(1.0 / scale)};

        if (!graph->weights[i].is_trained)
            continue;
        err = lam_session_launch(s, s->unscale, args, 4,
                                 lam_shape_elements(shape), LAM_UNSCALE_CHUNK);
        at += lam_session_unscalers(shape);
    }
    read = malloc(bytes);
    if (!err && !read)
        err = lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
    if (!err)
        err = lam_buffer_read(s->strange, 0, bytes, read);
    if (!err)
        *strange = find_strange(s, read);
    free(read);
    return err;
}

int lam_session_decay(struct lam_session *s, int i, double l2)
{
    const struct lam_shape *shape = &s->graph->weights[i].spec.shape;
    const struct lam_tensor weight = lam_dense(shape, s->weights[i].weight);
    const struct lam_tensor grad = lam_dense(shape, s->weights[i].grad);

    return grad.buffer ? lam_session_add(s, &grad, &weight, l2) : LAM_OK;
}

int lam_session_step(struct lam_session *s, int64_t t, double lr)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_shape *shape = &graph->weights[i].spec.shape;
        const struct weight_buffers *w = &s->weights[i];
        struct lam_step step = {.t = t,
                                .lr = lr,
                                .is_decayed = shape->rank > 1,
                                .weight = lam_dense(shape, w->weight),
                                .grad = lam_dense(shape, w->grad)};

        if (!w->grad)
            continue;
        for (int k = 0; k < s->n_slots; k++)
            step.slot[k] = lam_dense(shape, w->slot[k]);
        err = s->optimizer.type->step(&s->optimizer, &step);
        if (err)
            lam_fail(s->ctx, err, "%s: its update failed",
                     graph->weights[i].name);
    }
    s->weights_version++;
    return err;
}
