// Any bytes as an ONNX file: what is accepted becomes a model file that is read
// again, with a value for each number of each weight.
#include "onnx_import.h"

#include <string.h>

#include "device.h"
#include "fuzz.h"
#include "model.h"

static struct lam_registry *registry;

static void import(struct lam_context *ctx, struct lam_onnx *onnx)
{
    const struct lam_onnx_options options = {.height = 16, .width = 16};
    struct lam_imported in;
    struct lam_model *model;
    struct lam_host host;

    fuzz_holds(lam_host_init(&host, ctx, NULL, LAM_F32) == LAM_OK);
    if (lam_onnx_import(ctx, "fuzz", onnx, registry, &host, &options, &in)) {
        fuzz_holds(ctx->error[0] != '\0');
    } else {
        fuzz_holds(in.n_values == in.graph->n_weights);
        fuzz_holds(lam_model_parse(ctx, "imported", in.model, strlen(in.model),
                                   NULL, 0, &model) == LAM_OK);
        lam_model_destroy(model);
    }
    lam_imported_free(&in);
    lam_host_finish(&host);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lam_context ctx = {0};
    struct lam_onnx onnx;

    if (!registry) {
        registry = lam_registry_create(&ctx);
        fuzz_holds(registry && lam_registry_load_default(registry) == LAM_OK);
    }
    if (lam_onnx_parse(&ctx, "fuzz", data, size, &onnx))
        fuzz_holds(ctx.error[0] != '\0');
    else
        import(&ctx, &onnx);
    lam_onnx_free(&onnx);
    return 0;
}
