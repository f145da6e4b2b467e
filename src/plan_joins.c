#include "plan_joins.h"

#include <limits.h>

#include "shape.h"

static int64_t bytes_of(const struct lam_graph *graph, int value)
{
    return (int64_t)lam_shape_bytes(&graph->values[value].shape);
}

bool lam_plan_can_join(const struct lam_graph *graph, int i, int64_t part_bytes)
{
    const struct lam_node *node = &graph->nodes[i];
    int64_t offset = 0;

    if (part_bytes <= 0 || !(node->shapes.flags & LAM_JOINS) ||
        node->shapes.n_out != 1)
        return false;
    for (int k = 0; k < node->shapes.n_in; k++) {
        if (offset % part_bytes != 0)
            return false;
        offset += bytes_of(graph, node->in[k]);
    }
    return offset == bytes_of(graph, node->out[0]);
}

// A layer makes it, and no other host has it.
static bool is_free(const struct lam_graph *graph, int value,
                    const struct lam_place *places)
{
    return graph->values[value].producer >= 0 && places[value].host < 0;
}

static void join(const struct lam_graph *graph, int i, const int *last,
                 struct lam_place *places)
{
    const struct lam_node *node = &graph->nodes[i];
    const int out = node->out[0];
    int64_t offset = 0;

    for (int k = 0; k < node->shapes.n_in; k++) {
        if (!is_free(graph, node->in[k], places) ||
            last[node->in[k]] >= places[out].until)
            return;
        for (int m = 0; m < k; m++)
            if (node->in[m] == node->in[k])
                return;
    }
    for (int k = 0; k < node->shapes.n_in; k++) {
        places[node->in[k]] =
            (struct lam_place){out, offset, places[out].until};
        offset += bytes_of(graph, node->in[k]);
    }
}

// What lies in in[0] must not be read from now on: out[0] is written there.
static void work_in_place(const struct lam_graph *graph, int i, const int *last,
                          struct lam_place *places)
{
    const int in = graph->nodes[i].in[0], out = graph->nodes[i].out[0];

    if (places[out].host >= 0 && is_free(graph, in, places) && last[in] == i &&
        bytes_of(graph, in) == bytes_of(graph, out))
        places[in] = (struct lam_place){out, 0, i};
}

void lam_plan_joins(const struct lam_graph *graph, const int *last,
                    int64_t part_bytes, struct lam_place *places)
{
    for (int i = 0; i < graph->n_values; i++)
        places[i] = (struct lam_place){-1, 0, INT_MAX};
    // From the last layer on, so that each host knows its own place.
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        if (lam_plan_can_join(graph, i, part_bytes))
            join(graph, i, last, places);
        else if (graph->nodes[i].shapes.flags & LAM_RUN_INPLACE)
            work_in_place(graph, i, last, places);
    }
}

bool lam_plan_is_joined(const struct lam_graph *graph, int i,
                        const struct lam_place *places)
{
    const struct lam_node *node = &graph->nodes[i];

    return node->shapes.flags & LAM_JOINS &&
           places[node->in[0]].host == node->out[0];
}
