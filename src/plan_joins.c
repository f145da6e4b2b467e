#include "plan_joins.h"

#include <limits.h>

#include "shape.h"

static const struct lam_place nowhere = {-1, 0, 0, INT_MAX};

static int64_t bytes_of(const struct lam_graph *graph, int value)
{
    return (int64_t)lam_shape_bytes(&graph->values[value].shape);
}

int64_t lam_plan_image_bytes(const struct lam_graph *graph, int value)
{
    return bytes_of(graph, value) / graph->values[value].shape.dim[0];
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
        offset += lam_plan_image_bytes(graph, node->in[k]);
    }
    return offset == lam_plan_image_bytes(graph, node->out[0]);
}

int64_t lam_plan_pitch(const struct lam_graph *graph, int i, int64_t pitch)
{
    const struct lam_shape *out = &graph->nodes[i].shapes.out[0];

    return out->dim[0] == 1 ? 0 : pitch ? pitch : out->dim[1];
}

// A layer makes it, and no other host has it.
static bool is_free(const struct lam_graph *graph, int value,
                    const struct lam_place *places)
{
    return graph->values[value].producer >= 0 && places[value].host < 0;
}

static int outermost(const struct lam_place *places, int value)
{
    while (places[value].host >= 0)
        value = places[value].host;
    return value;
}

// Whether a layer reads one value and writes another that both lie among each
// other's images in `host`: no layer may, as memory of two buffers would
// overlap.
static bool meet(const struct lam_graph *graph, const struct lam_place *places,
                 int host)
{
    for (int i = 0; i < graph->n_nodes; i++) {
        const struct lam_node *node = &graph->nodes[i];
        bool writes = false, reads = false;

        if (lam_plan_is_joined(graph, i, places))
            continue;
        for (int k = 0; k < node->shapes.n_out; k++)
            writes |= places[node->out[k]].pitch &&
                      outermost(places, node->out[k]) == host;
        for (int k = 0; k < node->shapes.n_in; k++)
            reads |= outermost(places, node->in[k]) == host;
        if (writes && reads)
            return true;
    }
    return false;
}

static void join(const struct lam_graph *graph, int i, const int *last,
                 const bool *pitched, struct lam_place *places)
{
    const struct lam_node *node = &graph->nodes[i];
    const int out = node->out[0];
    const int64_t pitch = lam_plan_pitch(graph, i, places[out].pitch);
    int64_t offset = 0;

    for (int k = 0; k < node->shapes.n_in; k++) {
        if (!is_free(graph, node->in[k], places) ||
            last[node->in[k]] >= places[out].until ||
            (pitch && !pitched[node->in[k]]))
            return;
        for (int m = 0; m < k; m++)
            if (node->in[m] == node->in[k])
                return;
    }
    for (int k = 0; k < node->shapes.n_in; k++) {
        places[node->in[k]] =
            (struct lam_place){out, offset, pitch, places[out].until};
        offset += lam_plan_image_bytes(graph, node->in[k]);
    }
    if (pitch && meet(graph, places, outermost(places, out)))
        for (int k = 0; k < node->shapes.n_in; k++)
            places[node->in[k]] = nowhere;
}

// What lies in in[0] must not be read from now on: out[0] is written there.
static void work_in_place(const struct lam_graph *graph, int i, const int *last,
                          struct lam_place *places)
{
    const int in = graph->nodes[i].in[0], out = graph->nodes[i].out[0];

    if (places[out].host >= 0 && !places[out].pitch &&
        is_free(graph, in, places) && last[in] == i &&
        bytes_of(graph, in) == bytes_of(graph, out))
        places[in] = (struct lam_place){out, 0, 0, i};
}

void lam_plan_joins(const struct lam_graph *graph, const int *last,
                    const bool *pitched, const bool *joins,
                    struct lam_place *places)
{
    for (int i = 0; i < graph->n_values; i++)
        places[i] = nowhere;
    // From the last layer on, so that each host knows its own place.
    for (int i = graph->n_nodes - 1; i >= 0; i--) {
        if (joins[i])
            join(graph, i, last, pitched, places);
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
