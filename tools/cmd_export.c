// lamina export - a network for other programs: ONNX, or plain safetensors.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "offline.h"
#include "onnx_export.h"

enum { MAX_META = 8 };

// What a user of the file must know: how pixels become its input.
static int list_metadata(const struct lam_offline *o, char numbers[][32],
                         struct lam_onnx_pair *pairs)
{
    static const char *const keys[] = {
        "lamina.intensity.low", "lamina.intensity.high",
        "lamina.intensity.mean", "lamina.intensity.std", "lamina.threshold"};
    const struct lam_intensity *in = &o->checkpoint.intensity;
    const double values[] = {in->low, in->high, in->mean, in->std,
                             o->checkpoint.progress.threshold};
    int n = 0;

    for (int i = 0; o->checkpoint.file && i < 5; i++) {
        snprintf(numbers[n], 32, "%.17g", values[i]);
        pairs[n] = (struct lam_onnx_pair){keys[i], numbers[n]};
        n++;
    }
    return n;
}

static int export_onnx(struct lam_context *ctx, struct lam_offline *o,
                       const char *path)
{
    struct lam_onnx_pair pairs[MAX_META];
    char numbers[MAX_META][32];
    char size[32];
    int height, width, n = list_metadata(o, numbers, pairs);

    lam_model_input(o->model, &height, &width);
    if (height) {
        snprintf(size, sizeof(size), "%d,%d", height, width);
        pairs[n++] = (struct lam_onnx_pair){"lamina.size", size};
    }
    return lam_onnx_export(ctx, o->registry, &o->host, o->model,
                           lam_offline_find, o, pairs, n, path);
}

static int export_safetensors(struct lam_context *ctx, struct lam_offline *o,
                              const char *path)
{
    const struct lam_graph *g = o->graph;
    struct lam_stored *tensors =
        calloc((size_t)g->n_weights + 1, sizeof(*tensors));
    char *model = lam_model_resolved(o->model);
    int err = tensors ? LAM_OK : lam_fail(ctx, LAM_EMEMORY, "out of memory");

    for (int i = 0; i < g->n_weights && !err; i++) {
        const struct lam_parameter *p = &g->weights[i];
        const float *values = NULL;

        err =
            lam_offline_find(o, p->name, lam_elements(&p->spec.shape), &values);
        tensors[i] = (struct lam_stored){
            .name = p->name, .shape = p->spec.shape, .data = values};
    }
    if (!err && !model)
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (!err)
        err = lam_checkpoint_write_tensors(
            ctx, tensors, g->n_weights, model,
            o->checkpoint.file ? o->checkpoint.data : "",
            &o->checkpoint.intensity, &o->checkpoint.progress, path);
    free(model);
    free(tensors);
    return err;
}

int cmd_export(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina export CHECKPOINT|RUN|MODEL.yaml [--onnx FILE] "
        "[--safetensors FILE]\n"
        "Writes a network for other programs, without a device: ONNX of "
        "operator set 13,\nor its weights alone, under PyTorch's names and in "
        "its layouts. A model file\ngives weights as they start.\n\n"
        "  lamina export runs/nuclei --onnx nuclei.onnx\n";
    const char *onnx = NULL, *safetensors = NULL, *rest[1], *sets[64];
    struct lam_offline offline;
    int n, n_sets = 0, err;
    const struct option_row rows[] = {
        {"--onnx", "FILE", "the network, with its weights", NULL, &onnx, NULL,
         NULL},
        {"--safetensors", "FILE", "the weights alone", NULL, &safetensors, NULL,
         NULL},
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         sets, &n_sets},
        {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, rest, 1, &n, &done);
    if (err || done)
        return err;
    if (n != 1 || (!onnx && !safetensors))
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted a checkpoint, run or model file, and --onnx "
                        "FILE or --safetensors FILE");
    err = lam_offline_open(ctx, rest[0], sets, n_sets, &offline);
    if (!err && onnx)
        err = export_onnx(ctx, &offline, onnx);
    if (!err && safetensors)
        err = export_safetensors(ctx, &offline, safetensors);
    lam_offline_close(&offline);
    return err;
}
