#include "weight_store.h"

#include <stdlib.h>
#include <string.h>

#include "shape.h"

void lam_weight_store_free(struct lam_weight_store *s)
{
    for (int i = 0; i < s->n; i++) {
        free(s->weights[i].name);
        free(s->weights[i].data);
    }
    free(s->weights);
    s->weights = NULL;
    s->n = 0;
}

static int reserve(struct lam_weight_store *s, int n)
{
    lam_weight_store_free(s);
    s->weights = calloc((size_t)n + 1, sizeof(*s->weights));
    return s->weights ? LAM_OK : lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
}

static int add(struct lam_weight_store *s, const char *name, int64_t n)
{
    struct lam_named_weight *w = &s->weights[s->n++];

    w->name = strdup(name);
    w->data = malloc((size_t)(n ? n : 1) * sizeof(*w->data));
    w->n = n;
    return w->name && w->data ? LAM_OK
                              : lam_fail(s->ctx, LAM_EMEMORY, "out of memory");
}

int lam_weight_store_take(struct lam_weight_store *s,
                          struct lam_session *session,
                          const struct lam_graph *graph)
{
    int err = reserve(s, graph->n_weights);

    for (int i = 0; i < graph->n_weights && !err; i++) {
        err = add(s, graph->weights[i].name,
                  lam_shape_elements(&graph->weights[i].spec.shape));
        if (!err)
            err = lam_session_weight_read(session, i, s->weights[i].data);
    }
    return err;
}

int lam_weight_store_load(struct lam_weight_store *s,
                          const struct lam_checkpoint *c)
{
    const int n = lam_safetensors_count(c->file);
    int err = reserve(s, n);

    for (int i = 0; i < n && !err; i++) {
        const struct lam_stored *t = lam_safetensors_at(c->file, i);

        if (strncmp(t->name, "optim.", 6) == 0 || t->shape.dtype != LAM_F32)
            continue;
        err = add(s, t->name, lam_shape_elements(&t->shape));
        if (!err)
            memcpy(s->weights[s->n - 1].data, t->data,
                   lam_shape_bytes(&t->shape));
    }
    return err;
}

int lam_weight_store_find(void *data, const char *name, int64_t n,
                          const float **values)
{
    const struct lam_weight_store *s = data;
    const struct lam_named_weight *found = NULL;

    for (int k = 0; k < s->n && !found; k++)
        if (strcmp(s->weights[k].name, name) == 0)
            found = &s->weights[k];
    if (!found || found->n != n)
        return lam_fail(s->ctx, LAM_ECHECKPOINT, "the weight %s is %s", name,
                        found ? "of another size" : "missing");
    *values = found->data;
    return LAM_OK;
}
