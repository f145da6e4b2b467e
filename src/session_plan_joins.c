// Which copies are left out: all of them, else one after another, where the
// plan takes no more memory. What lies in another tensor keeps all of that
// alive.
#include "session_planner.h"
#include "shape.h"

static bool has_same_grads(const struct lam_planner *p, int i)
{
    const struct lam_node *node = &p->graph->nodes[i];

    for (int k = 0; k < node->shapes.n_in; k++)
        if (lam_shape_bytes(&node->in_shape[k]) !=
            lam_shape_bytes(&node->shapes.out[0]))
            return false;
    return node->shapes.flags & LAM_SAME_GRADS &&
           p->plan->nodes[i].runs_backward && !p->options->keep_all &&
           p->options->joining != LAM_JOINING_NEVER;
}

static bool can_join(const struct lam_planner *p, int i, int kind)
{
    return kind == LAM_JOIN_SAME
               ? has_same_grads(p, i)
               : lam_plan_can_join(p->graph, i, p->part_bytes);
}

// Returns how many copies that leaves out, at most.
static int join(struct lam_planner *p, bool wanted)
{
    int n = 0;

    for (int k = 0; k < LAM_N_JOINS; k++)
        for (int i = 0; i < p->graph->n_nodes; i++)
            n += p->joins[k][i] = wanted && can_join(p, i, k);
    return n;
}

bool lam_planner_lay_out_best(struct lam_planner *p)
{
    const int64_t *total = &p->plan->memory.total;
    int64_t least;
    bool done;

    join(p, false);
    done = lam_planner_lay_out(p);
    least = *total;
    if (!done || join(p, true) == 0)
        return done;
    done = lam_planner_lay_out(p);
    if (p->options->joining == LAM_JOINING_ALWAYS || *total <= least)
        return done;
    join(p, false);
    for (int i = p->graph->n_nodes - 1; i >= 0; i--)
        for (int k = 0; k < LAM_N_JOINS && done; k++) {
            if (!can_join(p, i, k))
                continue;
            p->joins[k][i] = true;
            done = lam_planner_lay_out(p);
            p->joins[k][i] = *total <= least;
            least = *total < least ? *total : least;
        }
    return done && lam_planner_lay_out(p);
}
