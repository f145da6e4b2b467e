#include "tile_advice.h"

#include "fuse.h"

static bool fits(struct lam_context *ctx, struct lam_trained *t,
                 const struct lam_host *host, int side)
{
    const struct lam_session_options options = {
        .loss = -1, .tuning = lam_queue_tuning(t->queue)};
    struct lam_graph *graph = NULL;
    struct lam_memory memory;
    int err = lam_model_resize(t->model, side, side);

    if (!err)
        err = lam_graph_create(ctx, t->registry, host, 0, &graph);
    if (!err)
        err = lam_model_build(t->model, graph, 1);
    if (!err)
        err = lam_graph_fuse(&graph, NULL, 0);
    if (!err)
        err = lam_session_memory(graph, &options, &memory);
    if (!err)
        err = lam_memory_check(ctx, &memory, &lam_queue_device(t->queue)->info);
    lam_graph_destroy(graph);
    lam_error_clear(ctx);
    return !err;
}

int tile_advice(struct lam_context *ctx, struct lam_trained *t)
{
    struct lam_host host;
    int found = 0;

    if (lam_host_init(&host, ctx, t->queue, LAM_F32))
        return 0;
    // Steps of a quarter: 4096, 3072, 2048, 1536, ..
    for (int side = 4096; side >= 32 && !found; side /= 2)
        for (int part = 4; part >= 3 && !found; part--)
            if (fits(ctx, t, &host, side / 4 * part))
                found = side / 4 * part;
    lam_host_finish(&host);
    return found;
}
