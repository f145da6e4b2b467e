// Where values lie, and how long.
#include "session_planner.h"
#include "shape.h"

// Whether a layer that runs at a time, the last to read a tenant, may write
// there: what lies in a part of it may still be read, and what is written would
// go over what lies beside a part.
static bool is_last_reader(const struct lam_planner *p, int tenant, int time)
{
    const struct lam_session_plan *plan = p->plan;

    if (plan->tenants[tenant].last != time || plan->tenants[tenant].host >= 0)
        return false;
    for (int i = 0; i < plan->n_tenants; i++)
        if (plan->tenants[i].host == tenant && plan->tenants[i].last >= time)
            return false;
    return true;
}

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

enum { WANTED = 0 }; // a tenant that will be there

// What backward makes again or reads from halves, and until when each value is
// read where it was made.
static void find_kept(struct lam_planner *p)
{
    struct lam_session_plan *plan = p->plan;

    for (int i = 0; i < p->graph->n_values; i++) {
        if (is_made_again(p, i))
            plan->again[i] = WANTED;
        else if (is_half(p, i))
            plan->half[i] = WANTED;
        p->last[i] = plan->again[i] == WANTED || plan->half[i] == WANTED
                         ? forward_last(p, i)
                         : value_last(p, i);
    }
}

// What a value is kept as for backward.
static void plan_kept(struct lam_planner *p, int value)
{
    struct lam_session_plan *plan = p->plan;
    const struct lam_value *v = &p->graph->values[value];
    const int64_t bytes = (int64_t)lam_shape_bytes(&v->shape);

    if (plan->again[value] == WANTED) {
        const struct lam_node *node = &p->graph->nodes[v->producer];
        const int before = first_reader(p, value);
        const int now = lam_planner_backward_time(p, before);

        plan->again_before[value] = before;
        plan->again[value] =
            lam_planner_tenant(p, bytes, now, value_last(p, value));
        for (int k = 0; k < node->shapes.n_in; k++)
            plan->nodes[v->producer].wide_again[k] =
                lam_planner_wide(p, node->in[k], now);
    } else if (plan->half[value] == WANTED) {
        plan->half[value] =
            lam_planner_tenant(p, bytes / 2, v->producer, value_last(p, value));
    }
}

static int value_tenant(struct lam_planner *p, int value)
{
    return lam_planner_whole(p, value, false, p->graph->values[value].producer,
                             p->last[value]);
}

// Values that lie in another one, the last ones first: a host is there then, or
// lies in none.
static void plan_joined(struct lam_planner *p)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;

    lam_plan_joins(graph, p->last, p->pitched, p->joins[LAM_JOIN_VALUES],
                   p->places);
    for (int i = graph->n_values - 1; i >= 0; i--) {
        const struct lam_value *v = &graph->values[i];
        const int host = p->places[i].host;

        if (host < 0)
            continue;
        if (plan->value[host] < 0)
            plan->value[host] = value_tenant(p, host);
        plan->value[i] =
            lam_planner_part(p, plan->value[host], i, p->places[i].offset,
                             p->places[i].pitch, v->producer, p->last[i]);
    }
    for (int i = 0; i < graph->n_nodes; i++)
        plan->nodes[i].joins_run = lam_plan_is_joined(graph, i, p->places);
}

void lam_planner_values(struct lam_planner *p)
{
    const struct lam_graph *graph = p->graph;
    struct lam_session_plan *plan = p->plan;

    find_kept(p);
    plan_joined(p);
    for (int i = 0; i < graph->n_values; i++) {
        const struct lam_value *v = &graph->values[i];
        const struct lam_node *node =
            v->producer < 0 ? NULL : &graph->nodes[v->producer];
        int source = -1;

        plan_kept(p, i);
        if (plan->value[i] >= 0)
            continue;
        if (node && v->output == 0 && node->shapes.flags & LAM_RUN_INPLACE &&
            !p->options->keep_all)
            source = plan->value[node->in[0]];
        if (source >= 0 && is_last_reader(p, source, v->producer) &&
            plan->tenants[source].bytes ==
                (int64_t)lam_shape_bytes(&v->shape)) {
            plan->value[i] = source;
            lam_planner_extend(p, source, v->producer, p->last[i]);
        } else {
            plan->value[i] = value_tenant(p, i);
        }
    }
}
