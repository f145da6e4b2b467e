#include "halves.h"

#include <stdio.h>
#include <stdlib.h>

struct job {
    const struct lam_graph *from;
    struct lam_graph *to;
    const int *values; // of `from`, which the caller needs as floats
    int n_values;
    int *map; // from values of the old graph to those of the new
};

static bool is_needed(const struct job *j, int value)
{
    for (int k = 0; k < j->n_values; k++)
        if (j->values[k] == value)
            return true;
    return j->from->values[value].is_output;
}

static bool takes_halves(const struct job *j, int i)
{
    const struct lam_node *node = &j->from->nodes[i];

    for (int k = 0; k < node->shapes.n_out; k++)
        if (is_needed(j, node->out[k]))
            return false;
    return node->shapes.flags & LAM_HALVES;
}

// The value as halves or as floats: itself, or what a cast makes of it.
static int as(const struct job *j, int value, bool halves, int *made)
{
    const struct lam_value *v = &j->to->values[value];
    const int32_t wanted = halves ? LAM_F16 : LAM_F32;
    const struct lam_setting to = {.key = "to",
                                   .value = halves ? "half" : "float"};
    char name[300];
    const struct lam_node_spec spec = {.name = name,
                                       .type = "cast",
                                       .settings = &to,
                                       .n_settings = 1,
                                       .in = &value,
                                       .n_in = 1};
    int node, err;

    *made = value;
    if (v->shape.dtype == LAM_I32 || v->shape.dtype == wanted)
        return LAM_OK;
    if (snprintf(name, sizeof(name), "%s.%s", v->name, to.value) >=
        (int)sizeof(name))
        return lam_fail(j->to->ctx, LAM_EMODEL, "%s: its name is too long",
                        v->name);
    *made = lam_graph_find(j->to, name);
    if (*made >= 0)
        return LAM_OK;
    err = lam_graph_add(j->to, &spec, &node);
    if (!err)
        *made = j->to->nodes[node].out[0];
    return err;
}

static int copy_node(const struct job *j, int i)
{
    const struct lam_node *old = &j->from->nodes[i];
    const bool halves = takes_halves(j, i);
    int in[LAM_MAX_IN], node, err = LAM_OK;

    for (int k = 0; k < old->shapes.n_in && !err; k++)
        err = as(j, j->map[old->in[k]], halves, &in[k]);
    if (!err)
        err = lam_graph_add_copy(j->to, j->from, i, in, &node);
    for (int k = 0; k < old->shapes.n_out && !err; k++) {
        const struct lam_value *v = &j->to->values[j->to->nodes[node].out[k]];

        j->map[old->out[k]] = j->to->nodes[node].out[k];
        if (halves && v->shape.dtype != LAM_F16 && v->shape.dtype != LAM_I32)
            err = lam_fail(j->to->ctx, LAM_EPLUGIN,
                           "%s: its shape function makes floats of halves",
                           old->name);
    }
    return err;
}

static int copy_graph(struct job *j)
{
    const struct lam_graph *from = j->from;
    int err = lam_graph_create(from->ctx, from->registry, from->host,
                               from->training, &j->to);

    for (int v = 0; v < from->n_values && !err; v++)
        if (from->values[v].producer < 0)
            err = lam_graph_input(j->to, from->values[v].name,
                                  &from->values[v].shape, &j->map[v]);
    for (int i = 0; i < from->n_nodes && !err; i++)
        err = copy_node(j, i);
    for (int v = 0; v < from->n_values && !err; v++)
        j->to->values[j->map[v]].is_output = from->values[v].is_output;
    return err;
}

int lam_graph_halves(struct lam_graph **graph, int *values, int n)
{
    struct lam_graph *from = *graph;
    struct job j = {.from = from,
                    .values = values,
                    .n_values = n,
                    .map = calloc((size_t)from->n_values + 1, sizeof(*j.map))};
    const int err = !j.map ? lam_fail(from->ctx, LAM_EMEMORY, "out of memory")
                    : from->host->real == LAM_F64
                        ? lam_fail(from->ctx, LAM_EUSAGE,
                                   "halves go with floats, not with doubles")
                        : copy_graph(&j);

    if (err) {
        lam_graph_destroy(j.to);
    } else {
        for (int k = 0; k < n; k++)
            if (values[k] >= 0)
                values[k] = j.map[values[k]];
        lam_graph_destroy(from);
        *graph = j.to;
    }
    free(j.map);
    return err;
}
