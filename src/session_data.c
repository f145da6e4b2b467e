// A session's numbers: to and from the host, and whether they are sound.
#include <math.h>
#include <stdlib.h>

#include "session_state.h"
#include "shape.h"

static size_t element_of(const struct lam_tensor *x)
{
    return lam_shape_bytes(&x->shape) / (size_t)lam_shape_elements(&x->shape);
}

// Images of a tensor to or from the host, where they lie one behind another;
// one of both pointers is NULL.
static int transfer(const struct lam_tensor *x, void *to, const void *from)
{
    const int64_t n = lam_shape_elements(&x->shape);
    const size_t element = element_of(x);
    const size_t images = x->pitch ? (size_t)x->shape.dim[0] : 1;
    const size_t image = element * (size_t)n / images;
    const size_t step = x->pitch ? element * (size_t)lam_step(x) : 0;
    int err = LAM_OK;

    for (size_t i = 0; i < images && !err; i++)
        err = to ? lam_buffer_read(x->buffer, i * step, image,
                                   (char *)to + i * image)
                 : lam_buffer_write(x->buffer, i * step, image,
                                    (const char *)from + i * image);
    return err;
}

struct lam_tensor lam_session_tensor(const struct lam_session *s, int value,
                                     int tenant)
{
    struct lam_tensor x = {.shape = s->graph->values[value].shape};

    lam_session_bind(s, tenant, &x);
    return x;
}

int lam_session_write(struct lam_session *s, int value, const void *src)
{
    const struct lam_tensor x =
        lam_session_tensor(s, value, s->plan->value[value]);

    return transfer(&x, NULL, src);
}

int lam_session_read(struct lam_session *s, int value, void *dst)
{
    const struct lam_value *v = &s->graph->values[value];
    const struct lam_tensor x =
        lam_session_tensor(s, value, s->plan->value[value]);

    if (!v->is_output && value != s->options.loss && !s->options.keep_all)
        return lam_fail(s->ctx, LAM_EUSAGE,
                        "%s is not an output, so it was not kept", v->name);
    return transfer(&x, dst, NULL);
}

int lam_session_read_grad(struct lam_session *s, int value, void *dst)
{
    const struct lam_value *v = &s->graph->values[value];
    const struct lam_tensor grad =
        lam_session_tensor(s, value, s->plan->grad[value]);

    if (!grad.buffer || (!s->options.keep_all &&
                         !(s->options.want_input_grad && v->producer < 0)))
        return lam_fail(s->ctx, LAM_EUSAGE, "the gradient of %s was not kept",
                        v->name);
    return transfer(&grad, dst, NULL);
}

int lam_session_write_grad(struct lam_session *s, const void *src)
{
    const int loss = s->options.loss;
    const struct lam_tensor grad =
        lam_session_tensor(s, loss, s->plan->grad[loss]);

    if (!grad.buffer)
        return lam_fail(s->ctx, LAM_EUSAGE, "%s has no gradient",
                        s->graph->values[loss].name);
    return transfer(&grad, NULL, src);
}

// Reads a tensor and looks at it.
int lam_session_look(struct lam_session *s, const struct lam_tensor *x,
                     const char *what, const char *name)
{
    const struct lam_shape *shape = &x->shape;
    void *data;
    int err;

    if (shape->dtype == LAM_I32)
        return LAM_OK;
    data = malloc(lam_shape_bytes(shape));
    if (!data)
        return lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
    err = transfer(x, data, NULL);
    if (!err && !lam_shape_finite(shape, data))
        err = lam_fail(s->ctx, LAM_ENONFINITE, "%s %s has a non-finite value",
                       what, name);
    free(data);
    return err;
}

int lam_session_blame_weights(struct lam_session *s)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_tensor weight =
            lam_dense(&graph->weights[i].spec.shape, s->weights[i].weight);

        err = lam_session_look(s, &weight, "weight", graph->weights[i].name);
    }
    return err;
}

// What lies between the images of x.
static int gaps_of(struct lam_session *s, const struct lam_tensor *x,
                   const char *what)
{
    const int64_t step = lam_step(x);
    const int64_t image = lam_shape_elements(&x->shape) / x->shape.dim[0];
    const size_t element = element_of(x);
    void *gap = malloc((size_t)(step - image) * element);
    int err = gap ? LAM_OK : lam_fail(s->ctx, LAM_EMEMORY, "out of memory");

    for (int64_t i = 0; i + 1 < x->shape.dim[0] && !err; i++) {
        err = lam_buffer_read(x->buffer, (size_t)(i * step + image) * element,
                              (size_t)(step - image) * element, gap);
        for (int64_t e = 0; e < step - image && !err; e++)
            if (!isnan(lam_element(gap, x->shape.dtype, e)))
                err = lam_fail(s->ctx, LAM_ERUN,
                               "%s: written to between its images", what);
    }
    free(gap);
    return err;
}

int lam_session_gaps(struct lam_session *s)
{
    int err = LAM_OK;

    for (int i = 0; i < s->graph->n_values && !err; i++) {
        const struct lam_tensor x = lam_session_tensor(s, i, s->plan->value[i]);
        const struct lam_tensor grad =
            lam_session_tensor(s, i, s->plan->grad[i]);

        // The poison is no NaN in every half.
        if (x.shape.dtype == LAM_F16)
            continue;
        if (x.pitch)
            err = gaps_of(s, &x, s->graph->values[i].name);
        if (!err && grad.pitch)
            err = gaps_of(s, &grad, s->graph->values[i].name);
    }
    return err;
}

int lam_session_intact(struct lam_session *s)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int i = 0; i < s->plan->memory.n_slots && !err; i++)
        err = lam_buffer_intact(s->slots[i], "a slot of values");
    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct weight_buffers *w = &s->weights[i];

        err = lam_buffer_intact(w->weight, graph->weights[i].name);
        if (!err && w->grad)
            err = lam_buffer_intact(w->grad, graph->weights[i].name);
        for (int k = 0; k < LAM_MAX_SLOT && !err; k++)
            if (w->slot[k])
                err = lam_buffer_intact(w->slot[k], graph->weights[i].name);
    }
    for (int i = 0; i < graph->n_nodes && !err; i++)
        for (int pass = 0; pass < LAM_N_PASSES && !err; pass++)
            if (s->tensors[i].persist[pass])
                err = lam_buffer_intact(s->tensors[i].persist[pass],
                                        graph->nodes[i].name);
    return err;
}
