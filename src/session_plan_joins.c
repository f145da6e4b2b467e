// Which copies are left out: all of them, else one after another, where the
// plan takes no more memory. What lies in another tensor keeps all of that
// alive.
#include "session_planner.h"

static bool can_join(const struct lam_planner *p, int i, int kind)
{
    return kind == LAM_JOIN_SAME
               ? p->graph->nodes[i].shapes.flags & LAM_SAME_GRADS &&
                     p->plan->nodes[i].runs_backward && !p->options->keep_all &&
                     p->options->joining != LAM_JOINING_NEVER
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

// Leaves out copies where that takes no more memory: what lies in another
// tensor keeps all of that for as long. All of them, else one after another.
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
