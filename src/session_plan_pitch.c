// Which tensors may have a pitch: all that touch them must know.
#include "session_planner.h"

enum { GAP = 3 }; // channels

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

static bool maker_knows(const struct lam_planner *p, int value)
{
    const struct lam_value *v = &p->graph->values[value];
    const struct lam_shapes *shapes = &p->graph->nodes[v->producer].shapes;
    const struct lam_node_plan *np = &p->plan->nodes[v->producer];

    return shapes->pitched_out >> v->output & 1 && knows(np, LAM_PASS_RUN) &&
           (!(shapes->backward_out >> v->output & 1) || backward_knows(np));
}

static bool reader_knows(const struct lam_planner *p, int i, int k)
{
    const struct lam_node_plan *np = &p->plan->nodes[i];

    return p->graph->nodes[i].shapes.pitched_in >> k & 1 &&
           knows(np, LAM_PASS_RUN) &&
           (!lam_planner_reads_back(p, i, k) || backward_knows(np));
}

static bool readers_know(const struct lam_planner *p, int value)
{
    for (int i = 0; i < p->graph->n_nodes; i++)
        for (int k = 0; k < p->graph->nodes[i].shapes.n_in; k++)
            if (p->graph->nodes[i].in[k] == value && !reader_knows(p, i, k))
                return false;
    return true;
}

static bool grad_readers_know(const struct lam_planner *p, int value)
{
    const struct lam_value *v = &p->graph->values[value];

    return p->graph->nodes[v->producer].shapes.pitched_out >> v->output & 1 &&
           backward_knows(&p->plan->nodes[v->producer]);
}

// Neither the caller reads or writes it, nor does it wait as halves.
static bool is_inside(const struct lam_planner *p, int value)
{
    const struct lam_value *v = &p->graph->values[value];

    return v->producer >= 0 && !v->is_output && value != p->options->loss &&
           !p->options->keep_half;
}

bool lam_planner_pitched(const struct lam_planner *p, int value)
{
    return is_inside(p, value) && maker_knows(p, value) &&
           readers_know(p, value);
}

bool lam_planner_grad_pitched(const struct lam_planner *p, int value)
{
    return is_inside(p, value) && grad_readers_know(p, value);
}

int lam_planner_whole(struct lam_planner *p, int value, bool is_grad, int first,
                      int last)
{
    const struct lam_value *v = &p->graph->values[value];
    const bool is_made = v->producer >= 0;
    const bool has_gaps =
        p->options->gaps && v->shape.rank > 1 && v->shape.dtype != LAM_I32 &&
        (is_grad
             ? is_made && grad_readers_know(p, value)
             : (!is_made || maker_knows(p, value)) && readers_know(p, value));
    const int64_t pitch = has_gaps ? v->shape.dim[1] + GAP : 0;
    const int tenant =
        lam_planner_tenant(p, lam_planner_bytes(p, value, pitch), first, last);

    if (tenant >= 0)
        p->plan->tenants[tenant].pitch = pitch;
    return tenant;
}
