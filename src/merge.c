#include "merge.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"

struct source {
    int from;
    char name[128];   // "conv1.weight"
    char shorter[64]; // "weight"
    struct lam_shape shape;
};

struct lam_merge {
    const struct lam_fusion *rule;
    struct source sources[LAM_MAX_FUSED];
    int n_sources;
    double reads[LAM_MAX_READS];
};

void lam_merge_destroy(struct lam_merge *merge)
{
    free(merge);
}

struct lam_merge *lam_merge_copy(const struct lam_merge *merge)
{
    struct lam_merge *copy = malloc(sizeof(*copy));

    if (copy)
        *copy = *merge;
    return copy;
}

static void add_sources(struct lam_merge *merge, const struct lam_node *node,
                        int from)
{
    for (int i = 0; i < node->shapes.n_weight; i++) {
        struct source *s = &merge->sources[merge->n_sources++];
        const struct lam_weight *weight = &node->shapes.weight[i];

        s->from = from;
        s->shape = weight->shape;
        snprintf(s->name, sizeof(s->name), "%s.%s", node->name, weight->name);
        snprintf(s->shorter, sizeof(s->shorter), "%s", weight->name);
    }
}

int lam_merge_create(struct lam_context *ctx, const struct lam_fusion *rule,
                     const struct lam_node *first,
                     const struct lam_node *second,
                     const double reads[LAM_MAX_READS],
                     struct lam_merge **merge)
{
    *merge = NULL;
    if (first->merge || second->merge)
        return lam_fail(ctx, LAM_EMODEL, "%s: its weights are merged already",
                        first->merge ? first->name : second->name);
    *merge = calloc(1, sizeof(**merge));
    if (!*merge)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    (*merge)->rule = rule;
    memcpy((*merge)->reads, reads, sizeof((*merge)->reads));
    add_sources(*merge, first, 0);
    add_sources(*merge, second, 1);
    return LAM_OK;
}

static int read_source(const struct source *s, lam_find_weight *find,
                       void *data, double **values)
{
    const int64_t n = lam_shape_elements(&s->shape);
    const float *stored;
    const int err = find(data, s->name, n, &stored);

    if (err)
        return err;
    *values = malloc((size_t)n * sizeof(**values));
    for (int64_t i = 0; i < n && *values; i++)
        (*values)[i] = stored[i];
    return *values ? LAM_OK : LAM_EMEMORY;
}

static int make(const struct lam_node *node, int slot, lam_find_weight *find,
                void *data, float *values)
{
    const struct lam_merge *merge = node->merge;
    struct lam_fused_weight in[LAM_MAX_FUSED];
    const struct lam_shape *out_shape[LAM_MAX_WEIGHT];
    double *read[LAM_MAX_FUSED] = {NULL}, *out[LAM_MAX_WEIGHT] = {NULL};
    const struct lam_fused fused = {.n_in = merge->n_sources,
                                    .n_out = node->shapes.n_weight,
                                    .in = in,
                                    .out_shape = out_shape,
                                    .out = out,
                                    .reads = merge->reads};
    int err = LAM_OK;

    for (int i = 0; i < merge->n_sources && !err; i++) {
        const struct source *s = &merge->sources[i];

        err = read_source(s, find, data, &read[i]);
        in[i] =
            (struct lam_fused_weight){s->from, s->shorter, &s->shape, read[i]};
    }
    for (int i = 0; i < fused.n_out && !err; i++) {
        out_shape[i] = &node->shapes.weight[i].shape;
        out[i] =
            calloc((size_t)lam_shape_elements(out_shape[i]), sizeof(*out[i]));
        err = out[i] ? LAM_OK : LAM_EMEMORY;
    }
    if (!err)
        err = merge->rule->weights(&fused);
    for (int64_t i = 0; !err && i < lam_shape_elements(out_shape[slot]); i++)
        values[i] = (float)out[slot][i];
    for (int i = 0; i < LAM_MAX_FUSED; i++)
        free(read[i]);
    for (int i = 0; i < LAM_MAX_WEIGHT; i++)
        free(out[i]);
    return err;
}

int lam_graph_weight_values(const struct lam_graph *graph, int i,
                            lam_find_weight *find, void *data, float *values)
{
    const struct lam_parameter *p = &graph->weights[i];
    const struct lam_node *node = &graph->nodes[p->node];
    const int64_t n = lam_shape_elements(&p->spec.shape);
    const float *stored;
    int err;

    if (!node->merge) {
        err = find(data, p->name, n, &stored);
        if (!err)
            memcpy(values, stored, (size_t)n * sizeof(*values));
        return err;
    }
    err = make(node, p->slot, find, data, values);
    if (err == LAM_EMEMORY)
        return lam_fail(graph->ctx, err, "out of memory");
    return err ? lam_fail(graph->ctx, err, "%s: cannot be merged: %s", p->name,
                          lam_status_text(err))
               : LAM_OK;
}
