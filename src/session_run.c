// Running a session: forward, backward, the optimiser's step.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "session_state.h"
#include "shape.h"

static struct lam_buffer *grad_buffer(const struct lam_session *s, int value)
{
    return lam_session_tenant(s, s->plan->grad[value]);
}

static int call_run(struct lam_session *s, int i, struct lam_io *io,
                    const char *pass)
{
    struct lam_node *node = &s->graph->nodes[i];
    const struct lam_variant *v = s->plan->nodes[i].taken[LAM_PASS_RUN].variant;
    int err;

    lam_queue_layer(s->queue, node->name, pass);
    err =
        v ? v->run(&node->layer, io) : node->layer.type->run(&node->layer, io);
    lam_queue_layer(s->queue, NULL, NULL);
    if (err)
        lam_fail(s->ctx, err, "%s: its forward run failed", node->name);
    return err;
}

static int launch(struct lam_session *s, struct lam_kernel *kernel,
                  struct lam_arg *args, int n_args, int64_t n, int64_t images,
                  int chunk)
{
    const struct lam_host *host = s->graph->host;
    const bool is_cpu = host->device.kind == LAM_DEVICE_CPU;
    const int taken = chunk ? chunk : is_cpu ? 4096 : 4;
    // Some drivers compile a kernel anew for each size of a group.
    const size_t local[3] = {is_cpu ? 1 : 64, 1, 1};
    const size_t groups =
        ((size_t)((n + taken - 1) / taken) + local[0] - 1) / local[0];
    const size_t global[3] = {groups * local[0], (size_t)images, 1};

    args[n_args] = (struct lam_arg)LAM_ARG_LONG(n);
    args[n_args + 1] = (struct lam_arg)LAM_ARG_INT(taken);
    return host->launch(host, kernel, args, n_args + 2, global, local);
}

int lam_session_launch(struct lam_session *s, struct lam_kernel *kernel,
                       struct lam_arg *args, int n_args, int64_t n, int chunk)
{
    return launch(s, kernel, args, n_args, n, 1, chunk);
}

// Over the elements of y and x, of one shape, of which either may have a pitch:
// the kernel's first arguments are both, with their steps.
static int launch_pair(struct lam_session *s, struct lam_kernel *kernel,
                       const struct lam_tensor *y, const struct lam_tensor *x,
                       const double *a)
{
    const int64_t images = y->pitch || x->pitch ? y->shape.dim[0] : 1;
    const int64_t n = lam_shape_elements(&y->shape) / images;
    struct lam_arg args[7] = {LAM_ARG_TENSOR(y), LAM_ARG_LONG(lam_step(y)),
                              LAM_ARG_TENSOR(x), LAM_ARG_LONG(lam_step(x)),
                              LAM_ARG_REAL(a ? *a : 0.0)};

    return launch(s, kernel, args, a ? 5 : 4, n, images, 0);
}

static const double largest_half = 65504.0;

// A tensor into a tenant of halves, what is beyond `most` as that.
static int narrow(struct lam_session *s, int tenant,
                  const struct lam_tensor *wide, double most)
{
    const struct lam_tensor halves = {.buffer = lam_session_tenant(s, tenant)};
    struct lam_arg args[5] = {LAM_ARG_TENSOR(&halves), LAM_ARG_TENSOR(wide),
                              LAM_ARG_REAL(most)};

    return lam_session_launch(s, s->narrow, args, 3,
                              lam_shape_elements(&wide->shape), 0);
}

// And back.
static int widen(struct lam_session *s, int tenant,
                 const struct lam_tensor *wide)
{
    const struct lam_tensor halves = {.buffer = lam_session_tenant(s, tenant)};
    struct lam_arg args[4] = {LAM_ARG_TENSOR(wide), LAM_ARG_TENSOR(&halves)};

    return lam_session_launch(s, s->widen, args, 2,
                              lam_shape_elements(&wide->shape), 0);
}

static int run_node(struct lam_session *s, int i, uint64_t seed)
{
    const struct lam_node *node = &s->graph->nodes[i];
    struct lam_io io;
    int err = LAM_OK;

    lam_session_io(s, i, LAM_PASS_RUN, &io);
    io.seed = lam_rng_hash(seed, node->name);
    if (!s->plan->nodes[i].joins_run)
        err = call_run(s, i, &io, "run");
    for (int k = 0; k < node->shapes.n_out && !err; k++)
        if (s->plan->half[node->out[k]] >= 0)
            err = narrow(s, s->plan->half[node->out[k]], &s->tensors[i].out[k],
                         largest_half);
    return err;
}

// The gradient of a value, should node i be the one before which it is brought
// back.
static int widen_grad(struct lam_session *s, int i, int value,
                      const struct lam_shape *shape)
{
    const struct lam_tensor grad = lam_dense(shape, grad_buffer(s, value));

    return s->plan->grad_half[value] >= 0 &&
                   s->plan->grad_half_before[value] == i
               ? widen(s, s->plan->grad_half[value], &grad)
               : LAM_OK;
}

// Brings back what backward of node i reads and was kept as halves.
static int widen_node(struct lam_session *s, int i)
{
    const struct lam_node *node = &s->graph->nodes[i];
    const struct lam_node_plan *np = &s->plan->nodes[i];
    int err = LAM_OK;

    for (int k = 0; k < node->shapes.n_in && !err; k++)
        if (np->wide_in[k] >= 0)
            err = widen(s, s->plan->half[node->in[k]], &s->tensors[i].kept[k]);
    for (int k = 0; k < node->shapes.n_out && !err; k++)
        if (np->wide_out[k] >= 0)
            err = widen(s, s->plan->half[node->out[k]],
                        &s->tensors[i].kept_out[k]);
    for (int k = 0; k < node->shapes.n_in && !err; k++)
        err = widen_grad(s, i, node->in[k], &s->tensors[i].in[k].shape);
    for (int k = 0; k < node->shapes.n_out && !err; k++)
        err = widen_grad(s, i, node->out[k], &s->tensors[i].out[k].shape);
    return err;
}

// Makes the inputs of node i again that were not kept for its backward pass.
static int run_again(struct lam_session *s, int i)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int k = 0; k < graph->nodes[i].shapes.n_in && !err; k++) {
        const int value = graph->nodes[i].in[k];
        const int producer = graph->values[value].producer;
        struct lam_io io;

        if (s->plan->again[value] < 0 || s->plan->again_before[value] != i)
            continue;
        for (int m = 0; m < graph->nodes[producer].shapes.n_in && !err; m++)
            if (s->plan->nodes[producer].wide_again[m] >= 0)
                err = widen(s, s->plan->half[graph->nodes[producer].in[m]],
                            &s->tensors[producer].again_in[m]);
        if (err)
            break;
        lam_session_io(s, producer, LAM_PASS_RUN, &io);
        io.seed = lam_rng_hash(s->seed, graph->nodes[producer].name);
        io.in = s->tensors[producer].again_in;
        io.out = &s->tensors[producer].again;
        io.scratch = (struct lam_tensor){0};
        io.again = 1;
        err = call_run(s, producer, &io, "again");
    }
    return err;
}

void lam_session_on_ready(struct lam_session *s,
                          int (*ready)(void *data, int i), void *data)
{
    s->ready = ready;
    s->ready_data = data;
}

// Tells of the states of a node, or of its gradients.
static int tell_ready(struct lam_session *s, int i, bool is_state)
{
    const struct lam_node *node = &s->graph->nodes[i];
    int err = LAM_OK;

    for (int k = 0; s->ready && k < node->shapes.n_weight && !err; k++) {
        const struct weight_buffers *w = &s->weights[node->weight[k]];

        if (is_state ? w->observed != NULL : w->grad != NULL)
            err = s->ready(s->ready_data, node->weight[k]);
    }
    return err;
}

int lam_session_forward(struct lam_session *s, uint64_t seed)
{
    int err = LAM_OK;

    s->seed = seed;
    for (int i = 0; i < s->graph->n_nodes && !err; i++) {
        err = run_node(s, i, seed);
        if (!err)
            err = tell_ready(s, i, true);
    }
    return err;
}

int lam_session_add(struct lam_session *s, const struct lam_tensor *y,
                    const struct lam_tensor *x, double a)
{
    return launch_pair(s, y->shape.dtype == LAM_F16 ? s->add_halves : s->add, y,
                       x, &a);
}

// A gradient through the relu that made x.
static int gate(struct lam_session *s, const struct lam_tensor *grad,
                const struct lam_tensor *x)
{
    return launch_pair(s, x->shape.dtype == LAM_F16 ? s->gate_halves : s->gate,
                       grad, x, NULL);
}

// Where a variant serves one half of backward, the plain one gets the other
// half alone: gradients it shall not touch have no buffer.
static int call_backward(struct lam_session *s, int i, struct lam_io *io)
{
    static const struct lam_tensor none[LAM_MAX_IN];
    struct lam_node *node = &s->graph->nodes[i];
    const struct lam_node_plan *np = &s->plan->nodes[i];
    const struct lam_variant *data = np->taken[LAM_PASS_BACKWARD_DATA].variant;
    const struct lam_variant *weight =
        np->taken[LAM_PASS_BACKWARD_WEIGHT].variant;
    const struct lam_tensor *d_in = io->d_in, *d_weight = io->d_weight;
    bool wants_data = false, wants_weight = false;
    int err = LAM_OK;

    for (int k = 0; k < io->n_in; k++)
        wants_data |= d_in[k].buffer != NULL;
    for (int k = 0; k < io->n_weight; k++)
        wants_weight |= d_weight[k].buffer != NULL;
    if (weight && wants_weight) {
        io->d_in = none;
        io->persist = lam_session_persist(s, i, LAM_PASS_BACKWARD_WEIGHT);
        lam_queue_layer(s->queue, node->name, "weight");
        err = weight->run(&node->layer, io);
    }
    if (!err && data && wants_data) {
        io->d_in = d_in;
        io->d_weight = none;
        io->persist = lam_session_persist(s, i, LAM_PASS_BACKWARD_DATA);
        lam_queue_layer(s->queue, node->name, "data");
        err = data->run(&node->layer, io);
    }
    io->d_in = data ? none : d_in;
    io->d_weight = weight ? none : d_weight;
    wants_data &= !data;
    wants_weight &= !weight;
    if (!err && (wants_data || wants_weight)) {
        lam_queue_layer(s->queue, node->name,
                        wants_data && wants_weight ? "backward"
                        : wants_data               ? "data"
                                                   : "weight");
        err = node->layer.type->backward(&node->layer, io);
    }
    io->d_in = d_in;
    io->d_weight = d_weight;
    return err;
}

static int backward_node(struct lam_session *s, int i, bool first)
{
    const struct lam_node *node = &s->graph->nodes[i];
    const struct lam_node_plan *np = &s->plan->nodes[i];
    struct node_tensors *t = &s->tensors[i];
    struct lam_tensor d_weight[LAM_MAX_WEIGHT], d_in[LAM_MAX_IN];
    struct lam_io io;
    int err = LAM_OK;

    lam_session_io(s, i, LAM_PASS_BACKWARD_DATA, &io);
    io.seed = lam_rng_hash(s->seed, node->name);
    memcpy(d_weight, t->d_weight, sizeof(d_weight));
    io.d_weight = d_weight;
    memcpy(d_in, t->d_in, sizeof(d_in));
    io.d_in = d_in;
    for (int k = 0; k < io.n_in; k++)
        if (np->same[k])
            d_in[k].buffer = NULL;
    for (int k = 0; k < io.n_weight && !first; k++)
        if (d_weight[k].buffer && np->weight_sum[k] >= 0)
            d_weight[k].buffer = lam_session_tenant(s, np->weight_sum[k]);
    if (!np->joins_backward)
        err = call_backward(s, i, &io);
    lam_queue_layer(s->queue, NULL, NULL);
    for (int k = 0; k < io.n_weight && !err && !first; k++)
        if (d_weight[k].buffer != t->d_weight[k].buffer)
            err = lam_session_add(s, &t->d_weight[k], &d_weight[k], 1.0);
    for (int k = 0; k < io.n_in && !err; k++) {
        const int value = node->in[k];

        if (np->core_gates[k])
            err = gate(s, &t->d_in[k], &t->kept[k]);
        // Too large for a half stays infinite, so that the step can tell.
        if (!err && np->first_grad[k] >= 0)
            err = narrow(s, s->plan->grad_half[value], &t->d_in[k], INFINITY);
        if (!err && np->sum[k] >= 0) {
            const struct lam_tensor sum =
                lam_session_tensor(s, value, s->plan->grad[value]);

            err = lam_session_add(s, &sum, &t->d_in[k], 1.0);
        }
    }
    if (err)
        lam_fail(s->ctx, err, "%s: its backward run failed", node->name);
    return err;
}

static int gate_loss(struct lam_session *s)
{
    const int value = s->options.loss;
    const struct lam_tensor grad =
        lam_session_tensor(s, value, s->plan->grad[value]);
    const struct lam_tensor x =
        lam_session_tensor(s, value, s->plan->value[value]);

    return gate(s, &grad, &x);
}

int lam_session_backward(struct lam_session *s, double scale, bool first)
{
    const struct lam_host *host = s->graph->host;
    const struct lam_value *loss;
    int err = LAM_OK;

    if (!s->options.training || s->options.loss < 0)
        return lam_fail(s->ctx, LAM_EUSAGE,
                        "backward needs a session made for training");
    if (!first && s->options.micro_batches < 2)
        return lam_fail(s->ctx, LAM_EUSAGE,
                        "gradients of several runs need micro_batches > 1");
    loss = &s->graph->values[s->options.loss];
    if (lam_shape_elements(&loss->shape) == 1) {
        const struct lam_tensor d_loss = {
            .shape = loss->shape, .buffer = grad_buffer(s, s->options.loss)};

        if (d_loss.buffer)
            err = host->fill(host, &d_loss, scale);
    }
    if (!err && grad_buffer(s, s->options.loss) &&
        lam_session_is_gated(s->graph, s->options.loss))
        err = gate_loss(s);
    for (int i = s->graph->n_nodes - 1; i >= 0 && !err; i--) {
        if (s->plan->nodes[i].runs_backward) {
            err = run_again(s, i);
            if (!err)
                err = widen_node(s, i);
            if (!err)
                err = backward_node(s, i, first);
        }
        if (!err)
            err = tell_ready(s, i, false);
    }
    return err;
}

int lam_session_blame(struct lam_session *s, uint64_t seed)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int i = 0; i < graph->n_values && !err; i++) {
        const struct lam_tensor x = lam_session_tensor(s, i, s->plan->value[i]);

        if (graph->values[i].producer < 0)
            err = lam_session_look(s, &x, "input", graph->values[i].name);
    }
    if (!err)
        err = lam_session_blame_weights(s);
    for (int i = 0; i < graph->n_nodes && !err; i++) {
        err = run_node(s, i, seed);
        for (int k = 0; k < graph->nodes[i].shapes.n_out && !err; k++)
            err = lam_session_look(s, &s->tensors[i].out[k],
                                   "the output of layer", graph->nodes[i].name);
    }
    return err;
}

int lam_session_finish(struct lam_session *s)
{
    return lam_queue_finish(s->queue);
}
