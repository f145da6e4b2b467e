// Which gradients are made, where they lie, and how long.
#include "session_planner.h"
#include "shape.h"

void lam_planner_find_gradients(struct lam_planner *p)
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

void lam_planner_find_gates(struct lam_planner *p)
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

// The node whose backward is the next to touch the gradient of in[k] of node i.
static int next_toucher(const struct lam_planner *p, int i, int k)
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
static int halves_until(const struct lam_planner *p, int i, int k)
{
    const struct lam_value *v = &p->graph->values[p->graph->nodes[i].in[k]];
    const int next = next_toucher(p, i, k);

    return p->options->keep_half && !p->options->keep_all &&
                   v->shape.dtype == LAM_F32 && v->producer >= 0 &&
                   i - next > LAM_WORTH_HALVES
               ? next
               : -1;
}

static bool joins_backward(const struct lam_planner *p, int i)
{
    const struct lam_node *node = &p->graph->nodes[i];
    const bool has_gaps = p->graph->values[node->out[0]].shape.dim[0] > 1;
    const int out = p->plan->grad[node->out[0]];

    // What is made of parts would go over a gradient that others read as well.
    if (!p->joins[LAM_JOIN_GRADS][i] || out < 0 ||
        p->plan->tenants[out].last > lam_planner_backward_time(p, i))
        return false;
    for (int k = 0; k < node->shapes.n_in && has_gaps; k++) {
        const int grad = p->plan->grad[node->in[k]];

        if (!p->plan->nodes[i].wants[k])
            continue;
        // A part that is added to another one must not overlap it.
        if (grad >= 0 && lam_planner_host(p, grad) == lam_planner_host(p, out))
            return false;
        for (int m = 0; m < k; m++)
            if (node->in[m] == node->in[k])
                return false;
        if (grad < 0 && !lam_planner_grad_pitched(p, node->in[k]))
            return false;
    }
    return true;
}

// Who reads the gradient of a value when it is whole, and when.
static int last_reader(const struct lam_planner *p, int value)
{
    const int producer = p->graph->values[value].producer;

    return producer < 0 ? lam_planner_end_time(p)
                        : lam_planner_backward_time(p, producer);
}

static bool is_gated(const struct lam_node_plan *np, int k)
{
    return np->core_gates[k] || (k == 0 && np->gates);
}

// Whether d_in[k] of node i is d_out[0] as it is.
static bool is_unchanged(const struct lam_planner *p, int i, int k)
{
    const struct lam_node_plan *np = &p->plan->nodes[i];

    return p->joins[LAM_JOIN_SAME][i] && np->wants[k] && !is_gated(np, k);
}

// Whether the gradient of in[k], which node i makes, may be that of out[0].
static bool may_share(const struct lam_planner *p, int i, int k)
{
    const struct lam_node *node = &p->graph->nodes[i];
    const int value = node->in[k], out = p->plan->grad[node->out[0]];

    for (int m = 0; m < node->shapes.n_in; m++)
        if (m != k && p->graph->values[node->in[m]].producer ==
                          p->graph->values[value].producer)
            return false;
    return p->plan->tenants[out].last == lam_planner_backward_time(p, i) &&
           halves_until(p, i, k) < 0 &&
           (!p->plan->tenants[out].pitch || lam_planner_grad_pitched(p, value));
}

// Which gradients of inputs need not be made, as that of the output serves: to
// be added, or to be theirs from now on. Then it is that of several: one to
// which another layer adds must be the last that is read, and is not shared
// again. Returns whether there are any.
static bool find_same(struct lam_planner *p, int i)
{
    const struct lam_node *node = &p->graph->nodes[i];
    const int out = p->plan->grad[node->out[0]];
    const int now = lam_planner_backward_time(p, i);
    bool *same = p->plan->nodes[i].same, shares[LAM_MAX_IN] = {false};
    bool found = false;

    for (int k = 0; k < node->shapes.n_in && out >= 0; k++) {
        const int grad = p->plan->grad[node->in[k]];

        same[k] = grad >= 0 && grad != out && is_unchanged(p, i, k);
        shares[k] = grad < 0 && is_unchanged(p, i, k) && may_share(p, i, k);
    }
    for (int k = 0; k < node->shapes.n_in; k++) {
        const int next = next_toucher(p, i, k);

        if (next == p->graph->values[node->in[k]].producer)
            continue;
        for (int m = 0; m < node->shapes.n_in; m++)
            if (m != k && shares[m] &&
                last_reader(p, node->in[m]) >=
                    lam_planner_backward_time(p, next))
                shares[k] = false;
    }
    for (int k = 0; k < node->shapes.n_in; k++) {
        if (shares[k]) {
            same[k] = true;
            p->plan->grad[node->in[k]] = out;
            lam_planner_extend(p, out, now, last_reader(p, node->in[k]));
        }
        found |= same[k];
    }
    return found;
}

void lam_planner_backward(struct lam_planner *p, int i)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;
    const struct lam_node *node = &graph->nodes[i];
    struct lam_node_plan *np = &plan->nodes[i];
    const int now = lam_planner_backward_time(p, i);
    int64_t offset = 0, pitch = 0;
    bool has_same;

    np->joins_backward = joins_backward(p, i);
    if (np->joins_backward)
        pitch = lam_plan_pitch(graph, i,
                               plan->tenants[plan->grad[node->out[0]]].pitch);
    has_same = find_same(p, i);
    for (int k = 0; k < node->shapes.n_in; k++)
        if (lam_planner_reads_back(p, i, k))
            np->wide_in[k] = lam_planner_wide(p, node->in[k], now);
    for (int k = 0; k < node->shapes.n_out; k++)
        if (node->shapes.backward_out >> k & 1)
            np->wide_out[k] = lam_planner_wide(p, node->out[k], now);
    for (int k = 0; k < node->shapes.n_in; k++) {
        const int value = node->in[k];
        const struct lam_value *v = &graph->values[value];
        const int64_t bytes = (int64_t)lam_shape_bytes(&v->shape), at = offset;
        const int last = last_reader(p, value);
        const int next =
            np->wants[k] && plan->grad[value] < 0 ? halves_until(p, i, k) : -1;
        const bool waits = next >= 0;
        int source = -1,
            *made = waits ? &np->first_grad[k] : &plan->grad[value];

        offset += lam_plan_image_bytes(graph, value);
        if (np->same[k] && plan->grad[value] != plan->grad[node->out[0]])
            np->sum[k] = plan->grad[node->out[0]];
        if (!np->wants[k] || np->same[k])
            continue;
        if (plan->grad[value] >= 0) {
            np->sum[k] = np->joins_backward
                             ? lam_planner_part(p, plan->grad[node->out[0]],
                                                value, at, pitch, now, now)
                             : lam_planner_tenant(p, bytes, now, now);
            continue;
        }
        // What others are to have from d_out must not go through a relu there.
        if (k == 0 && node->shapes.flags & LAM_BACKWARD_INPLACE &&
            !p->options->keep_all && !(is_gated(np, 0) && has_same))
            source = plan->grad[node->out[0]];
        if (np->joins_backward) {
            *made = lam_planner_part(p, plan->grad[node->out[0]], value, at,
                                     pitch, now, waits ? now : last);
        } else if (source >= 0 && plan->tenants[source].last == now &&
                   plan->tenants[source].bytes == bytes &&
                   !plan->tenants[source].pitch) {
            *made = source;
            lam_planner_extend(p, source, now, waits ? now : last);
        } else {
            *made = lam_planner_tenant(p, bytes, now, waits ? now : last);
        }
        if (waits) {
            plan->grad_half_before[value] = next;
            plan->grad_half[value] = lam_planner_tenant(
                p, bytes / 2, now, lam_planner_backward_time(p, next));
            plan->grad[value] = lam_planner_tenant(
                p, bytes, lam_planner_backward_time(p, next), last);
        }
    }
}
