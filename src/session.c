// Making a session: buffers, tensors, kernels; weights in and out.
#include "session_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "rng.h"
#include "shape.h"

static int buffer_make(struct lam_session *s, int64_t bytes,
                       struct lam_buffer **buffer)
{
    return bytes > 0 ? lam_buffer_create(s->queue, (size_t)bytes, buffer)
                     : LAM_OK;
}

const char *lam_memory_text(const struct lam_memory *m, char *text, size_t size)
{
    snprintf(text, size,
             "memory: %.1f MiB: activations %.1f in %d buffers, weights %.1f, "
             "gradients %.1f, optimiser %.1f, workspaces %.1f",
             (double)m->total / 0x1p20, (double)m->activations / 0x1p20,
             m->n_slots, (double)m->weights / 0x1p20,
             (double)m->weight_grads / 0x1p20, (double)m->optimizer / 0x1p20,
             (double)m->workspace / 0x1p20);
    return text;
}

int lam_memory_check(struct lam_context *ctx, const struct lam_memory *memory,
                     const struct lam_device *device)
{
    if (memory->largest > device->max_alloc_bytes)
        return lam_fail(ctx, LAM_EMEMORY,
                        "the largest buffer needs %.1f MiB, but the device "
                        "gives at most %.1f MiB at once: take a smaller batch "
                        "or image",
                        (double)memory->largest / 0x1p20,
                        (double)device->max_alloc_bytes / 0x1p20);
    if (memory->total > device->global_bytes)
        return lam_fail(ctx, LAM_EMEMORY,
                        "the plan needs %.1f MiB, but the device has %.1f "
                        "MiB: take a smaller batch or image",
                        (double)memory->total / 0x1p20,
                        (double)device->global_bytes / 0x1p20);
    return LAM_OK;
}

static int count_slots(const struct lam_optimizer_type *type)
{
    int n = 0;

    while (type && type->slots && type->slots[n])
        n++;
    return n;
}

static int make_weights(struct lam_session *s)
{
    const struct lam_graph *graph = s->graph;
    int err = LAM_OK;

    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_parameter *p = &graph->weights[i];
        struct weight_buffers *w = &s->weights[i];
        const int64_t bytes = (int64_t)lam_shape_bytes(&p->spec.shape);
        const bool is_trained = s->options.training && p->is_trained;

        err = buffer_make(s, bytes, &w->weight);
        if (!err && is_trained)
            err = buffer_make(s, bytes, &w->grad);
        if (!err && s->options.observe && p->spec.is_state) {
            err = buffer_make(s, bytes, &w->observed);
            if (!err)
                err = lam_buffer_fill(w->observed, 0);
        }
        for (int k = 0; is_trained && k < s->n_slots && !err; k++) {
            err = buffer_make(s, bytes, &w->slot[k]);
            if (!err)
                err = lam_buffer_fill(w->slot[k], 0);
        }
    }
    return err;
}

struct lam_buffer *lam_session_tenant(const struct lam_session *s, int tenant)
{
    return tenant < 0         ? NULL
           : s->parts[tenant] ? s->parts[tenant]
                              : s->slots[s->plan->tenants[tenant].slot];
}

void lam_session_bind(const struct lam_session *s, int tenant,
                      struct lam_tensor *tensor)
{
    tensor->buffer = lam_session_tenant(s, tenant);
    tensor->pitch = tenant < 0 ? 0 : s->plan->tenants[tenant].pitch;
}

static struct lam_tensor bytes_tensor(struct lam_buffer *buffer, int64_t bytes)
{
    return (struct lam_tensor){
        .shape = {.dtype = LAM_F32, .rank = 1, .dim = {bytes / 4}},
        .buffer = buffer};
}

static void bind_node(struct lam_session *s, int i)
{
    const struct lam_graph *graph = s->graph;
    const struct lam_node *node = &graph->nodes[i];
    const struct lam_node_plan *np = &s->plan->nodes[i];
    struct node_tensors *t = &s->tensors[i];

    for (int k = 0; k < node->shapes.n_in; k++) {
        const struct lam_shape *shape = &graph->values[node->in[k]].shape;

        t->in[k].shape = t->d_in[k].shape = *shape;
        lam_session_bind(s, s->plan->value[node->in[k]], &t->in[k]);
        t->kept[k] = t->in[k];
        if (s->plan->again[node->in[k]] >= 0)
            lam_session_bind(s, s->plan->again[node->in[k]], &t->kept[k]);
        t->again_in[k] = t->in[k];
        if (np->wide_in[k] >= 0)
            lam_session_bind(s, np->wide_in[k], &t->kept[k]);
        if (np->wide_again[k] >= 0)
            lam_session_bind(s, np->wide_again[k], &t->again_in[k]);
        if (np->wants[k])
            lam_session_bind(s,
                             np->sum[k] >= 0 ? np->sum[k]
                             : np->first_grad[k] >= 0
                                 ? np->first_grad[k]
                                 : s->plan->grad[node->in[k]],
                             &t->d_in[k]);
    }
    for (int k = 0; k < node->shapes.n_out; k++) {
        t->out[k].shape = t->d_out[k].shape = node->shapes.out[k];
        lam_session_bind(s, s->plan->value[node->out[k]], &t->out[k]);
        lam_session_bind(s, s->plan->grad[node->out[k]], &t->d_out[k]);
        t->kept_out[k] = t->out[k];
        if (np->wide_out[k] >= 0)
            lam_session_bind(s, np->wide_out[k], &t->kept_out[k]);
    }
    t->again = t->out[0];
    lam_session_bind(s, s->plan->again[node->out[0]], &t->again);
    for (int k = 0; k < node->shapes.n_weight; k++) {
        t->weight[k].shape = t->d_weight[k].shape =
            node->shapes.weight[k].shape;
        t->weight[k].buffer = s->weights[node->weight[k]].observed
                                  ? s->weights[node->weight[k]].observed
                                  : s->weights[node->weight[k]].weight;
        if (np->runs_backward)
            t->d_weight[k].buffer = s->weights[node->weight[k]].grad;
    }
    for (int k = 0; k < node->shapes.n_aux; k++) {
        t->aux[k].shape = node->shapes.aux[k];
        t->aux[k].buffer = lam_session_tenant(s, np->aux[k]);
    }
}

struct lam_tensor lam_session_persist(const struct lam_session *s, int i,
                                      int pass)
{
    const struct lam_node_plan *np = &s->plan->nodes[i];

    return bytes_tensor(np->passing[pass] >= 0
                            ? lam_session_tenant(s, np->passing[pass])
                            : s->tensors[i].persist[pass],
                        np->persist[pass]);
}

void lam_session_io(struct lam_session *s, int i, int pass, struct lam_io *io)
{
    const struct lam_node *node = &s->graph->nodes[i];
    const struct lam_node_plan *np = &s->plan->nodes[i];
    struct node_tensors *t = &s->tensors[i];
    const int scratch =
        pass == LAM_PASS_RUN ? np->run_scratch : np->backward_scratch;

    *io = (struct lam_io){.n_in = node->shapes.n_in,
                          .n_out = node->shapes.n_out,
                          .n_weight = node->shapes.n_weight,
                          .n_aux = node->shapes.n_aux,
                          .in = pass == LAM_PASS_RUN ? t->in : t->kept,
                          .out = pass == LAM_PASS_RUN ? t->out : t->kept_out,
                          .weight = t->weight,
                          .aux = t->aux,
                          .training = s->graph->training,
                          .observe = s->options.observe,
                          .weights_version = lam_session_repacks(&s->options)
                                                 ? ++s->weights_version
                                                 : s->weights_version};
    if (scratch >= 0)
        io->scratch = bytes_tensor(lam_session_tenant(s, scratch),
                                   s->plan->tenants[scratch].bytes);
    io->persist = lam_session_persist(s, i, pass);
    if (pass != LAM_PASS_RUN) {
        io->d_out = t->d_out;
        io->d_in = t->d_in;
        io->d_weight = t->d_weight;
        io->gate = np->gates;
    }
}

static int prepare_node(struct lam_session *s, int i)
{
    struct lam_node *node = &s->graph->nodes[i];
    const struct lam_layer_type *type = node->layer.type;
    const struct lam_node_plan *np = &s->plan->nodes[i];
    struct lam_io io;
    int err = LAM_OK;

    lam_session_io(s, i, LAM_PASS_RUN, &io);
    s->tensors[i].is_prepared = true;
    if (type->prepare)
        err = type->prepare(&node->layer, &io);
    for (int pass = 0; pass < LAM_N_PASSES && !err; pass++) {
        const struct lam_variant *v = np->taken[pass].variant;

        if (!v || !v->prepare || !np->runs[pass])
            continue;
        lam_session_io(s, i, pass, &io);
        err = v->prepare(&node->layer, &io);
    }
    if (err)
        lam_fail(s->ctx, err, "%s: cannot be prepared", node->name);
    return err;
}

static int make_buffers(struct lam_session *s)
{
    int err = LAM_OK;

    for (int i = 0; i < s->plan->memory.n_slots && !err; i++)
        err = buffer_make(s, s->plan->slots[i], &s->slots[i]);
    for (int i = 0; i < s->plan->n_tenants && !err; i++) {
        const struct lam_tenant *t = &s->plan->tenants[i];

        if (t->host >= 0)
            err = lam_buffer_part(s->slots[t->slot], (size_t)t->offset,
                                  (size_t)t->bytes, &s->parts[i]);
    }
    for (int i = 0; i < s->graph->n_nodes && !err; i++)
        for (int pass = 0; pass < LAM_N_PASSES && !err; pass++)
            if (s->plan->nodes[i].passing[pass] < 0)
                err = buffer_make(s, s->plan->nodes[i].persist[pass],
                                  &s->tensors[i].persist[pass]);
    if (!err)
        err = buffer_make(s, 4 * s->plan->n_strange, &s->strange);
    return err ? err : make_weights(s);
}

static int make_optimizer(struct lam_session *s)
{
    struct lam_optimizer *o = &s->optimizer;

    o->type = s->options.optimizer;
    if (!o->type || !s->options.training)
        return LAM_OK;
    o->host = s->graph->host;
    o->config = s->options.optimizer_config;
    o->state = calloc(1, o->type->state_size ? o->type->state_size : 1);
    if (!o->state)
        return lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
    return o->type->prepare ? o->type->prepare(o) : LAM_OK;
}

static bool has_halves(const struct lam_graph *graph)
{
    for (int i = 0; i < graph->n_values; i++)
        if (graph->values[i].shape.dtype == LAM_F16)
            return true;
    return false;
}

// Kernels for gradients that the core takes through a relu, by type.
static int make_gates(struct lam_session *s)
{
    const struct lam_graph *graph = s->graph;
    const struct lam_host *host = graph->host;
    bool wanted[2] = {false};
    int err = LAM_OK;

    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i].shapes.n_in; k++)
            if (s->plan->nodes[i].core_gates[k])
                wanted[graph->nodes[i].in_shape[k].dtype == LAM_F16] = true;
    if (s->options.loss >= 0 && lam_session_is_gated(graph, s->options.loss))
        wanted[graph->values[s->options.loss].shape.dtype == LAM_F16] = true;
    if (wanted[0])
        err = host->kernel(host, core_cl, "gate_gradient", NULL, &s->gate);
    if (!err && wanted[1])
        err = host->kernel(host, core_cl, "gate_gradient", "-DHALVES=1",
                           &s->gate_halves);
    return err;
}

int lam_session_create(struct lam_graph *graph, struct lam_queue *queue,
                       const struct lam_session_options *options,
                       struct lam_session **session)
{
    const struct lam_host *host = graph->host;
    struct lam_session *s = calloc(1, sizeof(*s));
    int err;

    *session = NULL;
    if (!s)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    s->ctx = graph->ctx;
    s->graph = graph;
    s->queue = queue;
    s->options = *options;
    s->weights_version = 1;
    s->n_slots = count_slots(options->optimizer);
    err = lam_session_plan_create(graph, options, &s->plan);
    if (!err)
        err = lam_memory_check(s->ctx, &s->plan->memory,
                               &lam_queue_device(queue)->info);
    if (err)
        goto fail;
    s->slots = calloc((size_t)s->plan->memory.n_slots + 1, sizeof(*s->slots));
    s->parts = calloc((size_t)s->plan->n_tenants + 1, sizeof(*s->parts));
    s->weights = calloc((size_t)graph->n_weights + 1, sizeof(*s->weights));
    s->tensors = calloc((size_t)graph->n_nodes + 1, sizeof(*s->tensors));
    if (!s->slots || !s->parts || !s->weights || !s->tensors) {
        err = lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
        goto fail;
    }
    err = make_buffers(s);
    if (!err)
        err = host->kernel(host, core_cl, "core_add", NULL, &s->add);
    if (!err && has_halves(graph))
        err = host->kernel(host, core_cl, "core_add", "-DHALVES=1",
                           &s->add_halves);
    if (!err && options->keep_half)
        err = host->kernel(host, core_cl, "halves_narrow", NULL, &s->narrow);
    if (!err && options->keep_half)
        err = host->kernel(host, core_cl, "halves_widen", NULL, &s->widen);
    if (!err && options->training)
        err = make_gates(s);
    if (!err && s->strange)
        err = host->kernel(host, core_cl, "core_unscale", NULL, &s->unscale);
    for (int i = 0; i < graph->n_nodes && !err; i++)
        bind_node(s, i);
    for (int i = 0; i < graph->n_nodes && !err; i++)
        err = prepare_node(s, i);
    if (!err)
        err = make_optimizer(s);
    if (err)
        goto fail;
    *session = s;
    return LAM_OK;
fail:
    lam_session_destroy(s);
    return err;
}

void lam_session_destroy(struct lam_session *s)
{
    if (!s)
        return;
    for (int i = 0; s->tensors && i < s->graph->n_nodes; i++) {
        struct lam_layer *layer = &s->graph->nodes[i].layer;

        if (s->tensors[i].is_prepared && layer->type->finish)
            layer->type->finish(layer);
        if (s->tensors[i].is_prepared && layer->type->state_size)
            memset(layer->state, 0, layer->type->state_size);
        for (int pass = 0; pass < LAM_N_PASSES; pass++)
            lam_buffer_destroy(s->tensors[i].persist[pass]);
    }
    for (int i = 0; s->weights && i < s->graph->n_weights; i++) {
        lam_buffer_destroy(s->weights[i].weight);
        lam_buffer_destroy(s->weights[i].grad);
        lam_buffer_destroy(s->weights[i].observed);
        for (int k = 0; k < LAM_MAX_SLOT; k++)
            lam_buffer_destroy(s->weights[i].slot[k]);
    }
    for (int i = 0; s->parts && i < s->plan->n_tenants; i++)
        lam_buffer_destroy(s->parts[i]);
    for (int i = 0; s->slots && i < s->plan->memory.n_slots; i++)
        lam_buffer_destroy(s->slots[i]);
    lam_buffer_destroy(s->strange);
    lam_session_plan_destroy(s->plan);
    free(s->optimizer.state);
    free(s->slots);
    free(s->parts);
    free(s->weights);
    free(s->tensors);
    free(s);
}

static void round_to(void *dst, const double *src, int64_t n, int dtype)
{
    float *narrow = dst;

    if (dtype == LAM_F64)
        memcpy(dst, src, (size_t)n * sizeof(*src));
    else
        for (int64_t i = 0; i < n; i++)
            narrow[i] = (float)src[i];
}

int lam_session_init(struct lam_session *s, uint64_t seed)
{
    int err = LAM_OK;

    for (int i = 0; i < s->graph->n_weights && !err; i++) {
        const struct lam_parameter *p = &s->graph->weights[i];
        const int64_t n = lam_shape_elements(&p->spec.shape);
        double *values = malloc((size_t)n * sizeof(*values));
        void *rounded = malloc(lam_shape_bytes(&p->spec.shape));

        if (!values || !rounded)
            err = lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
        if (!err)
            err = lam_init_weight(s->ctx, &p->spec, lam_rng_hash(seed, p->name),
                                  values);
        if (!err) {
            round_to(rounded, values, n, p->spec.shape.dtype);
            err = lam_session_weight_write(s, i, rounded);
        }
        free(values);
        free(rounded);
    }
    return err;
}

static size_t weight_bytes(const struct lam_session *s, int i)
{
    return lam_shape_bytes(&s->graph->weights[i].spec.shape);
}

int lam_session_weight_read(struct lam_session *s, int i, void *dst)
{
    return lam_buffer_read(s->weights[i].weight, 0, weight_bytes(s, i), dst);
}

int lam_session_weight_write(struct lam_session *s, int i, const void *src)
{
    s->weights_version++;
    return lam_buffer_write(s->weights[i].weight, 0, weight_bytes(s, i), src);
}

int lam_session_grad_read(struct lam_session *s, int i, void *dst)
{
    if (!s->weights[i].grad)
        return lam_fail(s->ctx, LAM_EUSAGE, "%s is not trained",
                        s->graph->weights[i].name);
    return lam_buffer_read(s->weights[i].grad, 0, weight_bytes(s, i), dst);
}

int lam_session_grad_write(struct lam_session *s, int i, const void *src)
{
    return lam_buffer_write(s->weights[i].grad, 0, weight_bytes(s, i), src);
}

int lam_session_ready_read(struct lam_session *s, int i, void *dst,
                           struct lam_read *read)
{
    const struct weight_buffers *w = &s->weights[i];

    return lam_buffer_read_start(w->observed ? w->observed : w->grad,
                                 weight_bytes(s, i), dst, read);
}

int lam_session_slot_read(struct lam_session *s, int i, int slot, void *dst)
{
    return lam_buffer_read(s->weights[i].slot[slot], 0, weight_bytes(s, i),
                           dst);
}

int lam_session_slot_write(struct lam_session *s, int i, int slot,
                           const void *src)
{
    return lam_buffer_write(s->weights[i].slot[slot], 0, weight_bytes(s, i),
                            src);
}

const struct lam_memory *lam_session_plan(const struct lam_session *s)
{
    return &s->plan->memory;
}
