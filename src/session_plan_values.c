// Where values lie, and how long.
#include "session_planner.h"
#include "shape.h"

// Time of the last reader of a value, the caller included.
static int value_last(const struct lam_planner *p, int value)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_value *v = &graph->values[value];
    int last = v->producer;

    if (v->is_output || value == p->options->loss ||
        (v->producer < 0 && !p->options->free_inputs))
        return lam_planner_end_time(p);
    if (v->producer >= 0 && p->plan->nodes[v->producer].runs_backward &&
        graph->nodes[v->producer].shapes.backward_out >> v->output & 1)
        return lam_planner_backward_time(p, v->producer);
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        const struct lam_node *node = &graph->nodes[i];

        for (int k = 0; k < node->shapes.n_in; k++) {
            if (node->in[k] != value)
                continue;
            if (i > last)
                last = i;
            if (lam_planner_reads_back(p, i, k) &&
                lam_planner_backward_time(p, i) > last)
                last = lam_planner_backward_time(p, i);
        }
    }
    return last;
}

// The first node, in the order of backward passes, that reads a value there; -1
// if none does.
static int first_reader(const struct lam_planner *p, int value)
{
    for (int i = p->graph->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < p->graph->nodes[i].shapes.n_in; k++)
            if (p->graph->nodes[i].in[k] == value &&
                lam_planner_reads_back(p, i, k))
                return i;
    return -1;
}

// Whether a value can be made again when backward wants it: from inputs that
// are kept anyhow.
static bool is_made_again(const struct lam_planner *p, int value)
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
static int forward_last(const struct lam_planner *p, int value)
{
    int last = p->graph->values[value].producer;

    for (int i = last + 1; i < p->graph->n_nodes; i++)
        for (int k = 0; k < p->graph->nodes[i].shapes.n_in; k++)
            if (p->graph->nodes[i].in[k] == value)
                last = i;
    return last;
}

// Whether a value waits for backward as halves: where it waits long enough
// between its last reader and the loss.
static bool is_half(const struct lam_planner *p, int value)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_value *v = &graph->values[value];

    return p->options->keep_half && !p->options->keep_all &&
           v->shape.dtype == LAM_F32 && v->producer >= 0 && !v->is_output &&
           value != p->options->loss && p->plan->again[value] < 0 &&
           value_last(p, value) >= graph->n_nodes &&
           forward_last(p, value) < graph->n_nodes - LAM_WORTH_HALVES;
}

void lam_planner_values(struct lam_planner *p)
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
            plan->again[i] = lam_planner_tenant(
                p, bytes, lam_planner_backward_time(p, plan->again_before[i]),
                last);
            last = forward_last(p, i);
            for (int k = 0; k < node->shapes.n_in; k++)
                plan->nodes[v->producer].wide_again[k] = lam_planner_wide(
                    p, node->in[k],
                    lam_planner_backward_time(p, plan->again_before[i]));
        } else if (is_half(p, i)) {
            plan->half[i] = lam_planner_tenant(p, bytes / 2, v->producer, last);
            last = forward_last(p, i);
        }
        if (node && v->output == 0 && node->shapes.flags & LAM_RUN_INPLACE &&
            !p->options->keep_all)
            source = plan->value[node->in[0]];
        if (source >= 0 && plan->tenants[source].last == v->producer &&
            plan->tenants[source].bytes == bytes) {
            plan->value[i] = source;
            lam_planner_extend(p, source, v->producer, last);
            continue;
        }
        plan->value[i] = lam_planner_tenant(p, bytes, v->producer, last);
    }
}
