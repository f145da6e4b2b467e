#include "session_plan.h"

#include <stdlib.h>
#include <string.h>

#include "shape.h"

struct planner {
    const struct lam_graph *graph;
    const struct lam_session_options *options;
    struct lam_session_plan *plan;
    bool *needs_grad; // by value
};

void lam_session_plan_destroy(struct lam_session_plan *plan)
{
    if (!plan)
        return;
    free(plan->nodes);
    free(plan->value);
    free(plan->grad);
    free(plan->again);
    free(plan->again_before);
    free(plan->half);
    free(plan->grad_half);
    free(plan->grad_half_before);
    free(plan->tenants);
    free(plan->slots);
    free(plan);
}

static int backward_time(const struct planner *p, int node)
{
    return 2 * p->graph->n_nodes - 1 - node;
}

static int end_time(const struct planner *p)
{
    return 2 * p->graph->n_nodes;
}

static int tenant_add(struct planner *p, int64_t bytes, int first, int last)
{
    struct lam_session_plan *plan = p->plan;

    if (bytes == 0)
        return -1;
    if (p->options->keep_all) {
        first = -1;
        last = end_time(p);
    }
    plan->tenants[plan->n_tenants] =
        (struct lam_tenant){.bytes = bytes, .first = first, .last = last};
    return plan->n_tenants++;
}

static void tenant_extend(struct planner *p, int tenant, int first, int last)
{
    struct lam_tenant *t = &p->plan->tenants[tenant];

    if (first < t->first)
        t->first = first;
    if (last > t->last)
        t->last = last;
}

static void find_gradients(struct planner *p)
{
    const struct lam_graph *graph = p->graph;
    // Whether the loss depends on a value.
    bool *leads = p->needs_grad + graph->n_values;

    for (int i = 0; i < graph->n_values; i++)
        p->needs_grad[i] = graph->values[i].producer < 0 &&
                           graph->values[i].shape.dtype != LAM_I32 &&
                           p->options->want_input_grad;
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct lam_node *node = &graph->nodes[i];
        bool needs = false;

        for (int k = 0; k < node->shapes.n_in; k++)
            needs |= p->needs_grad[node->in[k]];
        for (int k = 0; k < node->shapes.n_weight; k++)
            needs |= graph->weights[node->weight[k]].is_trained;
        if (!node->layer.type->backward)
            needs = false;
        for (int k = 0; k < node->shapes.n_out; k++)
            p->needs_grad[node->out[k]] =
                needs && node->shapes.out[k].dtype != LAM_I32;
    }
    leads[p->options->loss] = true;
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct lam_node *node = &graph->nodes[i];
        struct lam_node_plan *np = &p->plan->nodes[i];
        const int n_in =
            node->layer.type->kind == LAM_KIND_LOSS ? 1 : node->shapes.n_in;

        for (int k = 0; k < node->shapes.n_out; k++)
            np->runs_backward |=
                leads[node->out[k]] && p->needs_grad[node->out[k]];
        if (!np->runs_backward)
            continue;
        for (int k = 0; k < n_in; k++) {
            np->wants[k] = p->needs_grad[node->in[k]];
            if (np->wants[k])
                leads[node->in[k]] = true;
            np->runs[LAM_PASS_BACKWARD_DATA] |= np->wants[k];
        }
        for (int k = 0; k < node->shapes.n_weight; k++)
            np->runs[LAM_PASS_BACKWARD_WEIGHT] |=
                graph->weights[node->weight[k]].is_trained;
    }
    for (int i = 0; i < graph->n_values; i++)
        p->needs_grad[i] &= leads[i];
}

// Who takes the gradient of a relu that its layer does not.
static void find_gates(struct planner *p)
{
    const struct lam_graph *graph = p->graph;

    for (int i = 0; i < graph->n_nodes; i++) {
        struct lam_node_plan *np = &p->plan->nodes[i];

        for (int k = 0; k < graph->nodes[i].shapes.n_in; k++) {
            const int value = graph->nodes[i].in[k];
            const bool is_gated =
                np->wants[k] && (lam_session_is_gated(graph, value) ||
                                 (p->options->gate_inputs &&
                                  graph->values[value].producer < 0));

            if (k == 0 && graph->nodes[i].shapes.flags & LAM_GATES)
                np->gates = is_gated;
            else
                np->core_gates[k] = is_gated;
        }
    }
}

bool lam_session_is_gated(const struct lam_graph *graph, int value)
{
    const struct lam_value *v = &graph->values[value];

    return v->producer >= 0 && v->output == 0 &&
           graph->nodes[v->producer].shapes.flags & LAM_GATED;
}

// Whether backward of node i reads in[k], or the core after it.
static bool reads_back(const struct planner *p, int i, int k)
{
    return p->plan->nodes[i].runs_backward &&
           (p->graph->nodes[i].shapes.backward_in >> k & 1 ||
            p->plan->nodes[i].core_gates[k]);
}

// Time of the last reader of a value, the caller included.
static int value_last(const struct planner *p, int value)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_value *v = &graph->values[value];
    int last = v->producer;

    if (v->is_output || value == p->options->loss ||
        (v->producer < 0 && !p->options->free_inputs))
        return end_time(p);
    if (v->producer >= 0 && p->plan->nodes[v->producer].runs_backward &&
        graph->nodes[v->producer].shapes.backward_out >> v->output & 1)
        return backward_time(p, v->producer);
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct lam_node *node = &graph->nodes[i];

        for (int k = 0; k < node->shapes.n_in; k++) {
            if (node->in[k] != value)
                continue;
            if (i > last)
                last = i;
            if (reads_back(p, i, k) && backward_time(p, i) > last)
                last = backward_time(p, i);
        }
    }
    return last;
}

// The first node, in the order of backward passes, that reads a value there; -1
// if none does.
static int first_reader(const struct planner *p, int value)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < p->graph->nodes[i].shapes.n_in; k++)
            if (p->graph->nodes[i].in[k] == value && reads_back(p, i, k))
                return i;
    return -1;
}

// Whether a value can be made again when backward wants it: from inputs that
// are kept anyhow.
static bool is_made_again(const struct planner *p, int value)
{
    const struct lam_value *v = &p->graph->values[value];
    const struct lam_node *node =
        v->producer < 0 ? NULL : &p->graph->nodes[v->producer];

    if (!node || !(node->shapes.flags & LAM_RUN_AGAIN) ||
        node->shapes.n_out != 1 || node->shapes.backward_out & 1 ||
        !p->plan->nodes[v->producer].runs_backward || v->is_output ||
        value == p->options->loss || p->options->keep_all)
        return false;
    for (int k = 0; k < node->shapes.n_in; k++)
        if (!(node->shapes.backward_in >> k & 1) ||
            p->plan->again[node->in[k]] >= 0)
            return false;
    return first_reader(p, value) >= 0;
}

// Time of the last reader of a value that runs forward.
static int forward_last(const struct planner *p, int value)
{
    int last = p->graph->values[value].producer;

    for (int i = last + 1; i < p->graph->n_nodes; i++)
        for (int k = 0; k < p->graph->nodes[i].shapes.n_in; k++)
            if (p->graph->nodes[i].in[k] == value)
                last = i;
    return last;
}

enum { WORTH_IT = 3 }; // layers that a value has to wait for to become halves

// Whether a value waits for backward as halves: where it waits long enough
// between its last reader and the loss.
static bool is_half(const struct planner *p, int value)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_value *v = &graph->values[value];

    return p->options->keep_half && !p->options->keep_all &&
           v->shape.dtype == LAM_F32 && v->producer >= 0 && !v->is_output &&
           value != p->options->loss && p->plan->again[value] < 0 &&
           value_last(p, value) >= graph->n_nodes &&
           forward_last(p, value) < graph->n_nodes - WORTH_IT;
}

// Room for a value to be widened to, at one time.
static int plan_wide(struct planner *p, int value, int now)
{
    const struct lam_shape *shape = &p->graph->values[value].shape;

    return p->plan->half[value] < 0
               ? -1
               : tenant_add(p, (int64_t)lam_shape_bytes(shape), now, now);
}

static void plan_values(struct planner *p)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;

    for (int i = 0; i < graph->n_values; i++) {
        const struct lam_value *v = &graph->values[i];
        const int64_t bytes = (int64_t)lam_shape_bytes(&v->shape);
        int last = value_last(p, i);
        const struct lam_node *node =
            v->producer < 0 ? NULL : &graph->nodes[v->producer];
        int source = -1;

        if (is_made_again(p, i)) {
            plan->again_before[i] = first_reader(p, i);
            plan->again[i] = tenant_add(
                p, bytes, backward_time(p, plan->again_before[i]), last);
            last = forward_last(p, i);
            for (int k = 0; k < node->shapes.n_in; k++)
                plan->nodes[v->producer].wide_again[k] = plan_wide(
                    p, node->in[k], backward_time(p, plan->again_before[i]));
        } else if (is_half(p, i)) {
            plan->half[i] = tenant_add(p, bytes / 2, v->producer, last);
            last = forward_last(p, i);
        }
        if (node && v->output == 0 && node->shapes.flags & LAM_RUN_INPLACE &&
            !p->options->keep_all)
            source = plan->value[node->in[0]];
        if (source >= 0 && plan->tenants[source].last == v->producer &&
            plan->tenants[source].bytes == bytes) {
            plan->value[i] = source;
            tenant_extend(p, source, v->producer, last);
            continue;
        }
        plan->value[i] = tenant_add(p, bytes, v->producer, last);
    }
}

// The node whose backward is the next to touch the gradient of in[k] of node i.
static int next_toucher(const struct planner *p, int i, int k)
{
    const struct lam_graph *graph = p->graph;
    const int value = graph->nodes[i].in[k];
    const int producer = graph->values[value].producer;

    for (int next = i; next > producer; next--)
        for (int m = next == i ? k + 1 : 0; m < graph->nodes[next].shapes.n_in;
             m++)
            if (graph->nodes[next].in[m] == value &&
                p->plan->nodes[next].wants[m])
                return next;
    return producer;
}

// The node up to whose backward the gradient of in[k], which node i makes,
// waits as halves; -1: it does not wait long enough.
static int halves_until(const struct planner *p, int i, int k)
{
    const struct lam_value *v = &p->graph->values[p->graph->nodes[i].in[k]];
    const int next = next_toucher(p, i, k);

    return p->options->keep_half && !p->options->keep_all &&
                   v->shape.dtype == LAM_F32 && v->producer >= 0 &&
                   i - next > WORTH_IT
               ? next
               : -1;
}

static void plan_backward(struct planner *p, int i)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;
    const struct lam_node *node = &graph->nodes[i];
    struct lam_node_plan *np = &plan->nodes[i];
    const int now = backward_time(p, i);

    for (int k = 0; k < node->shapes.n_in; k++)
        if (reads_back(p, i, k))
            np->wide_in[k] = plan_wide(p, node->in[k], now);
    for (int k = 0; k < node->shapes.n_out; k++)
        if (node->shapes.backward_out >> k & 1)
            np->wide_out[k] = plan_wide(p, node->out[k], now);
    for (int k = 0; k < node->shapes.n_in; k++) {
        const int value = node->in[k];
        const struct lam_value *v = &graph->values[value];
        const int64_t bytes = (int64_t)lam_shape_bytes(&v->shape);
        const int last =
            v->producer < 0 ? end_time(p) : backward_time(p, v->producer);
        const int next =
            np->wants[k] && plan->grad[value] < 0 ? halves_until(p, i, k) : -1;
        const bool waits = next >= 0;
        int source = -1,
            *made = waits ? &np->first_grad[k] : &plan->grad[value];

        if (!np->wants[k])
            continue;
        if (plan->grad[value] >= 0) {
            np->sum[k] = tenant_add(p, bytes, now, now);
            continue;
        }
        if (k == 0 && node->shapes.flags & LAM_BACKWARD_INPLACE &&
            !p->options->keep_all)
            source = plan->grad[node->out[0]];
        if (source >= 0 && plan->tenants[source].last == now &&
            plan->tenants[source].bytes == bytes) {
            *made = source;
            tenant_extend(p, source, now, waits ? now : last);
        } else {
            *made = tenant_add(p, bytes, now, waits ? now : last);
        }
        if (waits) {
            plan->grad_half_before[value] = next;
            plan->grad_half[value] =
                tenant_add(p, bytes / 2, now, backward_time(p, next));
            plan->grad[value] =
                tenant_add(p, bytes, backward_time(p, next), last);
        }
    }
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void plan_workspace(struct planner *p, int i)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_node *node = &graph->nodes[i];
    struct lam_node_plan *np = &p->plan->nodes[i];
    int64_t scratch[2] = {node->shapes.run_scratch, 0};
    const int time[LAM_N_PASSES] = {i, backward_time(p, i),
                                    backward_time(p, i)};

    if (np->runs_backward)
        scratch[1] = node->shapes.backward_scratch;
    for (int pass = 0; pass < LAM_N_PASSES; pass++) {
        const struct lam_variant *v = np->taken[pass].variant;
        int64_t wanted = 0;

        if (!v || !v->workspace || !np->runs[pass])
            continue;
        v->workspace(&node->layer, &node->shapes, &wanted, &np->persist[pass]);
        scratch[pass > 0] = max64(scratch[pass > 0], wanted);
        if (lam_session_repacks(p->options))
            np->passing[pass] =
                tenant_add(p, np->persist[pass], time[pass], time[pass]);
    }
    np->run_scratch = tenant_add(p, scratch[0], i, i);
    np->backward_scratch =
        tenant_add(p, scratch[1], backward_time(p, i), backward_time(p, i));
    for (int k = 0; graph->training && k < node->shapes.n_aux; k++)
        np->aux[k] =
            tenant_add(p, (int64_t)lam_shape_bytes(&node->shapes.aux[k]), i,
                       np->runs_backward ? backward_time(p, i) : i);
    if (np->runs_backward && p->options->micro_batches > 1)
        for (int k = 0; k < node->shapes.n_weight; k++)
            if (graph->weights[node->weight[k]].is_trained)
                np->weight_sum[k] = tenant_add(
                    p, (int64_t)lam_shape_bytes(&node->shapes.weight[k].shape),
                    backward_time(p, i), backward_time(p, i));
}

bool lam_session_repacks(const struct lam_session_options *options)
{
    return options->training && options->micro_batches < 2;
}

int64_t lam_session_unscalers(const struct lam_shape *weight)
{
    return (lam_shape_elements(weight) + LAM_UNSCALE_CHUNK - 1) /
           LAM_UNSCALE_CHUNK;
}

// Work-items that unscale gradients.
static int64_t count_strange(const struct lam_graph *graph)
{
    int64_t n = 0;

    for (int i = 0; i < graph->n_weights; i++)
        if (graph->weights[i].is_trained)
            n += lam_session_unscalers(&graph->weights[i].spec.shape);
    return n;
}

static void count_memory(struct planner *p, int n_slots)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;
    struct lam_memory *memory = &plan->memory;
    int n_slot_tensors = 0;

    memory->n_slots = n_slots;
    for (int i = 0; i < n_slots; i++) {
        memory->activations += plan->slots[i];
        memory->largest = max64(memory->largest, plan->slots[i]);
    }
    while (p->options->optimizer && p->options->optimizer->slots &&
           p->options->optimizer->slots[n_slot_tensors])
        n_slot_tensors++;
    for (int i = 0; i < graph->n_weights; i++) {
        const int64_t bytes =
            (int64_t)lam_shape_bytes(&graph->weights[i].spec.shape);

        memory->weights += bytes;
        memory->largest = max64(memory->largest, bytes);
        if (p->options->training && graph->weights[i].is_trained) {
            memory->weight_grads += bytes;
            memory->optimizer += n_slot_tensors * bytes;
        }
    }
    for (int i = 0; i < graph->n_nodes; i++)
        for (int pass = 0; pass < LAM_N_PASSES; pass++)
            if (plan->nodes[i].passing[pass] < 0) {
                memory->workspace += plan->nodes[i].persist[pass];
                memory->largest =
                    max64(memory->largest, plan->nodes[i].persist[pass]);
            }
    if (p->options->training &&
        (p->options->keep_half || p->options->loss_scale))
        plan->n_strange = count_strange(graph);
    memory->workspace += 4 * plan->n_strange;
    memory->total = memory->activations + memory->weights +
                    memory->weight_grads + memory->optimizer +
                    memory->workspace;
}

static void clear_indices(struct lam_session_plan *plan,
                          const struct lam_graph *graph)
{
    for (int i = 0; i < graph->n_values; i++)
        plan->value[i] = plan->grad[i] = plan->again[i] = plan->half[i] =
            plan->grad_half[i] = -1;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct lam_node_plan *np = &plan->nodes[i];

        np->run_scratch = np->backward_scratch = -1;
        for (int pass = 0; pass < LAM_N_PASSES; pass++)
            np->passing[pass] = -1;
        for (int k = 0; k < LAM_MAX_AUX; k++)
            np->aux[k] = -1;
        for (int k = 0; k < LAM_MAX_IN; k++)
            np->sum[k] = np->first_grad[k] = np->wide_in[k] =
                np->wide_again[k] = -1;
        for (int k = 0; k < LAM_MAX_OUT; k++)
            np->wide_out[k] = -1;
        for (int k = 0; k < LAM_MAX_WEIGHT; k++)
            np->weight_sum[k] = -1;
    }
}

int lam_session_plan_create(const struct lam_graph *graph,
                            const struct lam_session_options *options,
                            struct lam_session_plan **plan)
{
    const size_t n_values = (size_t)graph->n_values + 1;
    const size_t n_nodes = (size_t)graph->n_nodes + 1;
    const size_t n_tenants =
        6 * n_values +
        n_nodes * (2 + LAM_N_PASSES + LAM_MAX_AUX + 3 * LAM_MAX_IN +
                   LAM_MAX_OUT + LAM_MAX_WEIGHT);
    struct planner p = {.graph = graph, .options = options};
    const bool is_training = options->training && options->loss >= 0;
    int n_slots = -1;

    *plan = p.plan = calloc(1, sizeof(**plan));
    p.needs_grad = calloc(2 * n_values, sizeof(*p.needs_grad));
    if (!p.plan || !p.needs_grad)
        goto fail;
    p.plan->nodes = calloc(n_nodes, sizeof(*p.plan->nodes));
    p.plan->value = calloc(n_values, sizeof(*p.plan->value));
    p.plan->grad = calloc(n_values, sizeof(*p.plan->grad));
    p.plan->again = calloc(n_values, sizeof(*p.plan->again));
    p.plan->again_before = calloc(n_values, sizeof(*p.plan->again_before));
    p.plan->half = calloc(n_values, sizeof(*p.plan->half));
    p.plan->grad_half = calloc(n_values, sizeof(*p.plan->grad_half));
    p.plan->grad_half_before =
        calloc(n_values, sizeof(*p.plan->grad_half_before));
    p.plan->tenants = calloc(n_tenants, sizeof(*p.plan->tenants));
    p.plan->slots = calloc(n_tenants, sizeof(*p.plan->slots));
    if (!p.plan->nodes || !p.plan->value || !p.plan->grad || !p.plan->again ||
        !p.plan->again_before || !p.plan->half || !p.plan->grad_half ||
        !p.plan->grad_half_before || !p.plan->tenants || !p.plan->slots)
        goto fail;
    clear_indices(p.plan, graph);
    for (int i = 0; i < graph->n_nodes; i++) {
        const int err =
            lam_variants_take(graph, i, options->variants, options->tuning,
                              p.plan->nodes[i].taken);

        p.plan->nodes[i].runs[LAM_PASS_RUN] = true;
        if (err) {
            free(p.needs_grad);
            lam_session_plan_destroy(p.plan);
            *plan = NULL;
            return err;
        }
    }
    if (is_training) {
        find_gradients(&p);
        find_gates(&p);
    }
    plan_values(&p);
    if (is_training && p.needs_grad[options->loss])
        p.plan->grad[options->loss] = tenant_add(
            &p, (int64_t)lam_shape_bytes(&graph->values[options->loss].shape),
            graph->n_nodes,
            graph->values[options->loss].producer < 0
                ? end_time(&p)
                : backward_time(&p, graph->values[options->loss].producer));
    for (int i = graph->n_nodes - 1; i >= 0; i--)
        if (p.plan->nodes[i].runs_backward)
            plan_backward(&p, i);
    for (int i = 0; i < graph->n_nodes; i++)
        plan_workspace(&p, i);
    n_slots = lam_plan_slots(p.plan->tenants, p.plan->n_tenants, p.plan->slots);
    if (n_slots < 0)
        goto fail;
    count_memory(&p, n_slots);
    free(p.needs_grad);
    return LAM_OK;
fail:
    free(p.needs_grad);
    lam_session_plan_destroy(*plan);
    *plan = NULL;
    return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
}

int lam_session_memory(const struct lam_graph *graph,
                       const struct lam_session_options *options,
                       struct lam_memory *memory)
{
    struct lam_session_plan *plan;
    const int err = lam_session_plan_create(graph, options, &plan);

    *memory = (struct lam_memory){0};
    if (err)
        return err;
    *memory = plan->memory;
    lam_session_plan_destroy(plan);
    return LAM_OK;
}
