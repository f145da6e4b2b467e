#include "blueprint.h"

int blueprint_open(struct lam_context *ctx, const char *path,
                   const char *const *sets, int n_sets, int batch,
                   struct blueprint *b)
{
    int err;

    *b = (struct blueprint){.loss = -1};
    b->registry = lam_registry_create(ctx);
    if (!b->registry)
        return ctx->code;
    err = lam_registry_load_default(b->registry);
    if (!err)
        err = lam_host_init(&b->host, ctx, NULL, LAM_F32);
    if (!err)
        err = lam_model_load(ctx, path, sets, n_sets, &b->model);
    if (!err)
        err = lam_graph_create(ctx, b->registry, &b->host, 1, &b->graph);
    if (!err)
        err = lam_model_build(b->model, b->graph, batch);
    if (!err && lam_model_has(b->model, "loss"))
        err = lam_model_build_loss(b->model, b->graph, &b->loss);
    return err;
}

void blueprint_close(struct blueprint *b)
{
    lam_graph_destroy(b->graph);
    lam_model_destroy(b->model);
    lam_host_finish(&b->host);
    lam_registry_destroy(b->registry);
}
