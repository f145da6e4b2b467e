#include "offline.h"

#include <stdlib.h>
#include <string.h>

#include "init.h"
#include "rng.h"
#include "shape.h"
#include "train.h"
#include "trained.h"

static bool is_model(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && (strcmp(dot, ".yaml") == 0 || strcmp(dot, ".yml") == 0);
}

static int draw(struct lam_offline *o)
{
    struct lam_train_config config;
    int err = lam_model_section(o->model, "train", lam_train_params, &config,
                                sizeof(config), NULL);

    if (err)
        return err;
    o->drawn = calloc((size_t)o->graph->n_weights + 1, sizeof(*o->drawn));
    for (int i = 0; o->drawn && !err && i < o->graph->n_weights; i++) {
        const struct lam_parameter *p = &o->graph->weights[i];
        const int64_t n = lam_shape_elements(&p->spec.shape);
        double *values = malloc((size_t)n * sizeof(*values));

        o->drawn[i] = malloc((size_t)n * sizeof(**o->drawn));
        if (values && o->drawn[i])
            err = lam_init_weight(o->graph->ctx, &p->spec,
                                  lam_rng_hash((uint64_t)config.seed, p->name),
                                  values);
        else
            err = lam_fail(o->graph->ctx, LAM_EMEMORY, "out of memory");
        for (int64_t k = 0; !err && k < n; k++)
            o->drawn[i][k] = (float)values[k];
        free(values);
    }
    return o->drawn ? err
                    : lam_fail(o->graph->ctx, LAM_EMEMORY, "out of memory");
}

int lam_offline_open(struct lam_context *ctx, const char *path,
                     const char *const *sets, int n_sets, struct lam_offline *o)
{
    char file[1200];
    int err = LAM_OK;

    *o = (struct lam_offline){0};
    if (!is_model(path))
        err = lam_checkpoint_read(
            ctx, lam_trained_file(path, file, sizeof(file)), &o->checkpoint);
    if (err)
        return err;
    o->registry = lam_registry_create(ctx);
    if (!o->registry)
        return ctx->code;
    err = lam_registry_load_default(o->registry);
    if (!err)
        err = lam_host_init(&o->host, ctx, NULL, LAM_F32);
    if (!err && is_model(path))
        err = lam_model_load(ctx, path, sets, n_sets, &o->model);
    else if (!err)
        err = lam_model_parse(ctx, "model in the checkpoint",
                              o->checkpoint.model, strlen(o->checkpoint.model),
                              sets, n_sets, &o->model);
    if (!err)
        err = lam_graph_create(ctx, o->registry, &o->host, 0, &o->graph);
    if (!err)
        err = lam_model_build(o->model, o->graph, 1);
    if (is_model(path)) {
        o->checkpoint.intensity = lam_intensity_none;
        o->checkpoint.progress = lam_progress_none;
    }
    if (!err && is_model(path))
        err = draw(o);
    return err;
}

void lam_offline_close(struct lam_offline *o)
{
    for (int i = 0; o->drawn && i < o->graph->n_weights; i++)
        free(o->drawn[i]);
    free(o->drawn);
    lam_graph_destroy(o->graph);
    lam_model_destroy(o->model);
    lam_host_finish(&o->host);
    lam_registry_destroy(o->registry);
    lam_checkpoint_close(&o->checkpoint);
}

int lam_offline_find(void *data, const char *name, int64_t n,
                     const float **values)
{
    const struct lam_offline *o = data;
    const struct lam_stored *t;
    const int i = lam_graph_find_weight(o->graph, name);

    if (o->drawn && i >= 0) {
        *values = o->drawn[i];
        return LAM_OK;
    }
    t = o->checkpoint.file ? lam_safetensors_find(o->checkpoint.file, name)
                           : NULL;
    if (!t || t->shape.dtype != LAM_F32 || lam_shape_elements(&t->shape) != n)
        return lam_fail(o->graph->ctx, LAM_ECHECKPOINT, "the weight %s is %s",
                        name, t ? "of another size" : "missing");
    *values = t->data;
    return LAM_OK;
}
