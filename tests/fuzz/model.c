// Any text as a model file: what is accepted can be printed, and the print is a
// model file that prints the same again.
#include "model.h"

#include <string.h>

#include "device.h"
#include "fuzz.h"

static struct lam_registry *registry;

static void start(void)
{
    static struct lam_context ctx;

    registry = lam_registry_create(&ctx);
    fuzz_holds(registry && !lam_registry_load_default(registry));
}

// NULL unless the text is a model.
static char *resolve(const char *text, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_model *model = NULL;
    struct lam_graph *graph = NULL;
    char *resolved = NULL;
    struct lam_host host;
    int loss, err = lam_host_init(&host, &ctx, NULL, LAM_F32);

    if (!err)
        err = lam_model_parse(&ctx, "fuzz", text, size, NULL, 0, &model);
    if (!err)
        err = lam_graph_create(&ctx, registry, &host, 1, &graph);
    if (!err)
        err = lam_model_build(model, graph, 2);
    if (!err && lam_model_has(model, "loss"))
        err = lam_model_build_loss(model, graph, &loss);
    if (!err)
        resolved = lam_model_resolved(model);
    lam_graph_destroy(graph);
    lam_model_destroy(model);
    lam_host_finish(&host);
    fuzz_holds(!err || ctx.error[0]);
    return resolved;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *first, *second;

    if (!registry)
        start();
    first = resolve((const char *)data, size);
    if (!first)
        return 0;
    second = resolve(first, strlen(first));
    fuzz_holds(second && strcmp(first, second) == 0);
    free(first);
    free(second);
    return 0;
}
