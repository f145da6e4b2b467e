#include "session_plan.h"

#include <stdlib.h>
#include <string.h>

#include "session_planner.h"
#include "shape.h"

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

int lam_planner_backward_time(const struct lam_planner *p, int node)
{
    return 2 * p->graph->n_nodes - 1 - node;
}

static bool is_training(const struct lam_planner *p)
{
    return p->options->training && p->options->loss >= 0;
}

int lam_planner_end_time(const struct lam_planner *p)
{
    return 2 * p->graph->n_nodes;
}

int lam_planner_tenant(struct lam_planner *p, int64_t bytes, int first,
                       int last)
{
    struct lam_session_plan *plan = p->plan;

    if (bytes == 0)
        return -1;
    if (p->options->keep_all) {
        first = -1;
        last = lam_planner_end_time(p);
    }
    plan->tenants[plan->n_tenants] = (struct lam_tenant){
        .bytes = bytes, .first = first, .last = last, .host = -1};
    return plan->n_tenants++;
}

void lam_planner_extend(struct lam_planner *p, int tenant, int first, int last)
{
    for (int i = tenant; i >= 0; i = p->plan->tenants[i].host) {
        struct lam_tenant *t = &p->plan->tenants[i];

        if (first < t->first)
            t->first = first;
        if (last > t->last)
            t->last = last;
    }
}

int64_t lam_planner_bytes(const struct lam_planner *p, int value, int64_t pitch)
{
    const struct lam_shape *shape = &p->graph->values[value].shape;
    const int64_t image = lam_plan_image_bytes(p->graph, value);

    return pitch ? (shape->dim[0] - 1) * (image / shape->dim[1] * pitch) + image
                 : (int64_t)lam_shape_bytes(shape);
}

int lam_planner_host(const struct lam_planner *p, int tenant)
{
    const int host = p->plan->tenants[tenant].host;

    return host < 0 ? tenant : host;
}

int lam_planner_part(struct lam_planner *p, int whole, int value,
                     int64_t offset, int64_t pitch, int first, int last)
{
    const struct lam_tenant host = p->plan->tenants[whole];
    const int64_t bytes = lam_planner_bytes(p, value, pitch);
    int part = whole;

    if (bytes < host.bytes) {
        part = lam_planner_tenant(p, bytes, first, last);
        p->plan->tenants[part].host = lam_planner_host(p, whole);
        p->plan->tenants[part].offset = host.offset + offset;
        p->plan->tenants[part].pitch = pitch;
    }
    lam_planner_extend(p, part, first, last);
    return part;
}

bool lam_planner_reads_back(const struct lam_planner *p, int i, int k)
{
    return p->plan->nodes[i].runs_backward &&
           (p->graph->nodes[i].shapes.backward_in >> k & 1 ||
            p->plan->nodes[i].core_gates[k]);
}

int lam_planner_wide(struct lam_planner *p, int value, int now)
{
    const struct lam_shape *shape = &p->graph->values[value].shape;

    return p->plan->half[value] < 0
               ? -1
               : lam_planner_tenant(p, (int64_t)lam_shape_bytes(shape), now,
                                    now);
}

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

// What the kernels of node i want, wherever values lie.
static void find_workspace(struct lam_planner *p, int i)
{
    const struct lam_node *node = &p->graph->nodes[i];
    struct lam_node_plan *np = &p->plan->nodes[i];

    np->scratch[0] = node->shapes.run_scratch;
    np->scratch[1] = np->runs_backward ? node->shapes.backward_scratch : 0;
    for (int pass = 0; pass < LAM_N_PASSES; pass++) {
        const struct lam_variant *v = np->taken[pass].variant;
        int64_t *scratch = &np->scratch[pass > 0], wanted = 0;

        if (!v || !v->workspace || !np->runs[pass])
            continue;
        v->workspace(&node->layer, &node->shapes, &wanted, &np->persist[pass]);
        *scratch = max64(*scratch, wanted);
    }
}

static void plan_workspace(struct lam_planner *p, int i)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_node *node = &graph->nodes[i];
    struct lam_node_plan *np = &p->plan->nodes[i];
    const int back = lam_planner_backward_time(p, i);

    for (int pass = 0; pass < LAM_N_PASSES; pass++)
        if (lam_session_repacks(p->options))
            np->passing[pass] = lam_planner_tenant(
                p, np->persist[pass], pass ? back : i, pass ? back : i);
    np->run_scratch = lam_planner_tenant(p, np->scratch[0], i, i);
    np->backward_scratch = lam_planner_tenant(p, np->scratch[1], back, back);
    for (int k = 0; graph->training && k < node->shapes.n_aux; k++)
        np->aux[k] = lam_planner_tenant(
            p, (int64_t)lam_shape_bytes(&node->shapes.aux[k]), i,
            np->runs_backward ? back : i);
    if (np->runs_backward && p->options->micro_batches > 1)
        for (int k = 0; k < node->shapes.n_weight; k++)
            if (graph->weights[node->weight[k]].is_trained)
                np->weight_sum[k] = lam_planner_tenant(
                    p, (int64_t)lam_shape_bytes(&node->shapes.weight[k].shape),
                    back, back);
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

static void count_memory(struct lam_planner *p, int n_slots)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;
    struct lam_memory *memory = &plan->memory;
    int n_slot_tensors = 0;

    *memory = (struct lam_memory){.n_slots = n_slots};
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
    for (int i = 0; i < graph->n_nodes; i++) {
        memory->n_joined += plan->nodes[i].joins_run;
        memory->n_joined_backward += plan->nodes[i].joins_backward;
        for (int k = 0; k < LAM_MAX_IN; k++)
            memory->n_same += plan->nodes[i].same[k];
    }
    if (p->options->training &&
        (p->options->keep_half || p->options->loss_scale))
        plan->n_strange = count_strange(graph);
    memory->workspace += 4 * plan->n_strange;
    memory->total = memory->activations + memory->weights +
                    memory->weight_grads + memory->optimizer +
                    memory->workspace;
}

static void clear(struct lam_planner *p)
{
    struct lam_session_plan *plan = p->plan;
    const struct lam_graph *graph = p->graph;

    plan->n_tenants = 0;
    for (int i = 0; i < graph->n_values; i++)
        plan->value[i] = plan->grad[i] = plan->again[i] = plan->half[i] =
            plan->grad_half[i] = -1;
    for (int i = 0; i < graph->n_nodes; i++) {
        struct lam_node_plan *np = &plan->nodes[i];

        np->run_scratch = np->backward_scratch = -1;
        for (int pass = 0; pass < LAM_N_PASSES; pass++)
            np->passing[pass] = -1;
        np->joins_run = np->joins_backward = false;
        for (int k = 0; k < LAM_MAX_AUX; k++)
            np->aux[k] = -1;
        memset(np->same, 0, sizeof(np->same));
        for (int k = 0; k < LAM_MAX_IN; k++)
            np->sum[k] = np->first_grad[k] = np->wide_in[k] =
                np->wide_again[k] = -1;
        for (int k = 0; k < LAM_MAX_OUT; k++)
            np->wide_out[k] = -1;
        for (int k = 0; k < LAM_MAX_WEIGHT; k++)
            np->weight_sum[k] = -1;
    }
}

// Gives everything its memory; false when out of memory.
bool lam_planner_lay_out(struct lam_planner *p)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;
    const int loss = p->options->loss;
    int n_slots;

    clear(p);
    lam_planner_values(p);
    if (is_training(p) && p->needs_grad[loss]) {
        const struct lam_value *v = &graph->values[loss];

        plan->grad[loss] = lam_planner_whole(
            p, loss, true, graph->n_nodes,
            v->producer < 0 ? lam_planner_end_time(p)
                            : lam_planner_backward_time(p, v->producer));
    }
    for (int i = graph->n_nodes - 1; i >= 0; i--)
        if (plan->nodes[i].runs_backward)
            lam_planner_backward(p, i);
    for (int i = 0; i < graph->n_nodes; i++)
        plan_workspace(p, i);
    n_slots = lam_plan_slots(plan->tenants, plan->n_tenants, plan->slots);
    if (n_slots >= 0)
        count_memory(p, n_slots);
    return n_slots >= 0;
}

static bool make_plan(struct lam_session_plan *plan,
                      const struct lam_graph *graph)
{
    const size_t n_values = (size_t)graph->n_values + 1;
    const size_t n_nodes = (size_t)graph->n_nodes + 1;
    const size_t n_tenants =
        6 * n_values +
        n_nodes * (2 + LAM_N_PASSES + LAM_MAX_AUX + 3 * LAM_MAX_IN +
                   LAM_MAX_OUT + LAM_MAX_WEIGHT);

    plan->nodes = calloc(n_nodes, sizeof(*plan->nodes));
    plan->value = calloc(n_values, sizeof(*plan->value));
    plan->grad = calloc(n_values, sizeof(*plan->grad));
    plan->again = calloc(n_values, sizeof(*plan->again));
    plan->again_before = calloc(n_values, sizeof(*plan->again_before));
    plan->half = calloc(n_values, sizeof(*plan->half));
    plan->grad_half = calloc(n_values, sizeof(*plan->grad_half));
    plan->grad_half_before = calloc(n_values, sizeof(*plan->grad_half_before));
    plan->tenants = calloc(n_tenants, sizeof(*plan->tenants));
    plan->slots = calloc(n_tenants, sizeof(*plan->slots));
    return plan->nodes && plan->value && plan->grad && plan->again &&
           plan->again_before && plan->half && plan->grad_half &&
           plan->grad_half_before && plan->tenants && plan->slots;
}

// What is known before memory is laid out.
static int prepare(struct lam_planner *p)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_session_options *options = p->options;
    const size_t n_values = (size_t)graph->n_values + 1;
    int err = LAM_OK;

    p->needs_grad = calloc(2 * n_values, sizeof(*p->needs_grad));
    p->last = calloc(n_values, sizeof(*p->last));
    p->pitched = calloc(n_values, sizeof(*p->pitched));
    p->places = calloc(n_values, sizeof(*p->places));
    for (int k = 0; k < LAM_N_JOINS; k++)
        p->joins[k] = calloc((size_t)graph->n_nodes + 1, sizeof(*p->joins[k]));
    if (!make_plan(p->plan, graph) || !p->needs_grad || !p->last ||
        !p->pitched || !p->places || !p->joins[LAM_JOIN_VALUES] ||
        !p->joins[LAM_JOIN_GRADS] || !p->joins[LAM_JOIN_SAME])
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < graph->n_nodes && !err; i++) {
        err = lam_variants_take(graph, i, options->variants, options->tuning,
                                p->plan->nodes[i].taken);
        p->plan->nodes[i].runs[LAM_PASS_RUN] = true;
    }
    if (!err && is_training(p)) {
        lam_planner_find_gradients(p);
        lam_planner_find_gates(p);
    }
    for (int i = 0; i < graph->n_nodes && !err; i++)
        find_workspace(p, i);
    for (int i = 0; i < graph->n_values && !err; i++)
        p->pitched[i] = lam_planner_pitched(p, i);
    return err;
}

int lam_session_plan_create(const struct lam_graph *graph,
                            const struct lam_session_options *options,
                            struct lam_session_plan **plan)
{
    struct lam_planner p = {.graph = graph, .options = options};
    int err;

    if (!options->keep_all && options->joining != LAM_JOINING_NEVER)
        p.part_bytes = lam_host_part_bytes(graph->host);
    *plan = p.plan = calloc(1, sizeof(**plan));
    if (!p.plan)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    err = prepare(&p);
    if (!err && !lam_planner_lay_out_best(&p))
        err = lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    free(p.needs_grad);
    free(p.last);
    free(p.pitched);
    for (int k = 0; k < LAM_N_JOINS; k++)
        free(p.joins[k]);
    free(p.places);
    if (err) {
        lam_session_plan_destroy(p.plan);
        *plan = NULL;
    }
    return err;
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
