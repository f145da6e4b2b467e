// Which tensors may have a pitch: all that touch them must know.
#include "session_planner.h"

static bool knows(const struct lam_node_plan *np, int pass)
{
    const struct lam_variant *v = np->taken[pass].variant;

    return !v || v->flags & LAM_PITCHED;
}

static bool backward_knows(const struct lam_node_plan *np)
{
    for (int pass = LAM_PASS_BACKWARD_DATA; pass < LAM_N_PASSES; pass++)
        if (np->runs[pass] && !knows(np, pass))
            return false;
    return true;
}

static bool makes(const struct lam_planner *p, int value)
{
    const struct lam_value *v = &p->graph->values[value];

    return v->producer >= 0 && !v->is_output && value != p->options->loss &&
           !p->options->keep_half &&
           p->graph->nodes[v->producer].shapes.pitched_out >> v->output & 1;
}

bool lam_planner_pitched(const struct lam_planner *p, int value)
{
    const struct lam_graph *graph = p->graph;
    const struct lam_value *v = &graph->values[value];

    if (!makes(p, value) || !knows(&p->plan->nodes[v->producer], LAM_PASS_RUN))
        return false;
    if (graph->nodes[v->producer].shapes.backward_out >> v->output & 1 &&
        !backward_knows(&p->plan->nodes[v->producer]))
        return false;
    for (int i = 0; i < graph->n_nodes; i++)
        for (int k = 0; k < graph->nodes[i].shapes.n_in; k++)
            if (graph->nodes[i].in[k] == value &&
                (!(graph->nodes[i].shapes.pitched_in >> k & 1) ||
                 !knows(&p->plan->nodes[i], LAM_PASS_RUN) ||
                 (lam_planner_reads_back(p, i, k) &&
                  !backward_knows(&p->plan->nodes[i]))))
                return false;
    return true;
}

bool lam_planner_grad_pitched(const struct lam_planner *p, int value)
{
    const int producer = p->graph->values[value].producer;

    return makes(p, value) && backward_knows(&p->plan->nodes[producer]);
}
