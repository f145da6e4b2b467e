// lamina import - a network of another program's: a model file and weights.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "cmd.h"
#include "file.h"
#include "onnx_import.h"
#include "param.h"

struct job {
    struct lam_context *ctx;
    const char *file, *model, *weights, *run;
    struct lam_onnx_options options;
};

static int read_size(struct lam_context *ctx, const char *text, int *height,
                     int *width)
{
    int h = 0, w = 0;
    char end;

    if (text && (sscanf(text, "%d,%d%c", &h, &w, &end) != 2 || h < 1 || w < 1))
        return lam_fail(ctx, LAM_EUSAGE, "--size is '%s', wanted HEIGHT,WIDTH",
                        text);
    *height = h;
    *width = w;
    return LAM_OK;
}

// What lamina export has written into the file.
static void read_metadata(const struct lam_onnx *onnx,
                          struct lam_intensity *intensity,
                          struct lam_progress *progress,
                          struct lam_onnx_options *options)
{
    const struct {
        const char *key;
        double *value;
    } rows[] = {{"lamina.intensity.low", &intensity->low},
                {"lamina.intensity.high", &intensity->high},
                {"lamina.intensity.mean", &intensity->mean},
                {"lamina.intensity.std", &intensity->std},
                {"lamina.threshold", &progress->threshold}};

    for (int i = 0; i < onnx->n_metadata; i++) {
        const struct lam_onnx_pair *pair = &onnx->metadata[i];

        for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++)
            if (strcmp(pair->key, rows[k].key) == 0)
                lam_parse_real(pair->value, rows[k].value);
        if (strcmp(pair->key, "lamina.size") == 0 && !options->height &&
            sscanf(pair->value, "%d,%d", &options->height, &options->width) !=
                2)
            options->height = options->width = 0;
    }
}

static int write_weights(const struct job *job, const struct lam_imported *in,
                         const struct lam_intensity *intensity,
                         const struct lam_progress *progress, const char *path)
{
    struct lam_stored *tensors =
        calloc((size_t)in->n_values + 1, sizeof(*tensors));
    int err;

    if (!tensors)
        return lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < in->n_values; i++)
        tensors[i] =
            (struct lam_stored){.name = in->graph->weights[i].name,
                                .shape = in->graph->weights[i].spec.shape,
                                .data = in->values[i]};
    err =
        lam_checkpoint_write_tensors(job->ctx, tensors, in->n_values, in->model,
                                     "", intensity, progress, path);
    free(tensors);
    return err;
}

static int write_all(const struct job *job, const struct lam_imported *in,
                     const struct lam_intensity *intensity,
                     const struct lam_progress *progress)
{
    const struct lam_piece text = {in->model, strlen(in->model)};
    char model[1100], weights[1100];
    struct stat info;
    int err = LAM_OK;

    snprintf(model, sizeof(model), "%s", job->model ? job->model : "");
    snprintf(weights, sizeof(weights), "%s", job->weights ? job->weights : "");
    if (job->run) {
        if (mkdir(job->run, 0777) &&
            (stat(job->run, &info) || !S_ISDIR(info.st_mode)))
            return lam_fail(job->ctx, LAM_EFILE, "folder %s cannot be made",
                            job->run);
        snprintf(model, sizeof(model), "%s/model.yaml", job->run);
        snprintf(weights, sizeof(weights), "%s/best.safetensors", job->run);
    }
    if (model[0])
        err = lam_file_write(job->ctx, model, &text, 1);
    if (!err && weights[0])
        err = write_weights(job, in, intensity, progress, weights);
    return err;
}

static int import(struct job *job)
{
    struct lam_context *ctx = job->ctx;
    struct lam_intensity intensity = lam_intensity_none;
    struct lam_progress progress = lam_progress_none;
    struct lam_registry *registry = lam_registry_create(ctx);
    struct lam_imported in = {0};
    struct lam_onnx onnx = {0};
    struct lam_host host = {0};
    int err = registry ? lam_registry_load_default(registry) : ctx->code;

    if (!err)
        err = lam_host_init(&host, ctx, NULL, LAM_F32);
    if (!err)
        err = lam_onnx_read(ctx, job->file, &onnx);
    if (!err)
        read_metadata(&onnx, &intensity, &progress, &job->options);
    if (!err)
        err = lam_onnx_import(ctx, job->file, &onnx, registry, &host,
                              &job->options, &in);
    if (!err)
        err = write_all(job, &in, &intensity, &progress);
    if (!err)
        printf("%s: %d nodes, %d layers, %lld weights\n", job->file,
               onnx.n_nodes, in.graph->n_nodes,
               (long long)lam_graph_parameters(in.graph, false));
    lam_imported_free(&in);
    lam_onnx_free(&onnx);
    lam_host_finish(&host);
    lam_registry_destroy(registry);
    return err;
}

int cmd_import(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina import FILE.onnx --run DIR\n"
        "       lamina import FILE.onnx [--model FILE.yaml] "
        "[--weights FILE.safetensors]\n"
        "Reads a network from ONNX, without a device. A run folder gets both, "
        "to predict\nand evaluate with; the weights alone do too. Layers are "
        "listed in\ndocs/interchange.md.\n\n"
        "  lamina import unet.onnx --run runs/unet --size 256,256 --append "
        "sigmoid\n";
    struct job job = {.ctx = ctx};
    const char *size = NULL, *rest[1];
    int n, err;
    const struct option_row rows[] = {
        {"--run", "DIR", "a folder for both", NULL, &job.run, NULL, NULL},
        {"--model", "FILE", "where the model file goes", NULL, &job.model, NULL,
         NULL},
        {"--weights", "FILE", "where the weights go, a checkpoint", NULL,
         &job.weights, NULL, NULL},
        {"--size", "H,W", "height and width where the file leaves them open",
         NULL, &size, NULL, NULL},
        {"--append", "LAYER", "sigmoid or softmax behind the first output",
         NULL, &job.options.append, NULL, NULL},
        {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, rest, 1, &n, &done);
    if (err || done)
        return err;
    if (n != 1 || (!job.run && !job.model && !job.weights))
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted an ONNX file, and --run DIR, or --model FILE "
                        "and --weights FILE");
    job.file = rest[0];
    err = read_size(ctx, size, &job.options.height, &job.options.width);
    return err ? err : import(&job);
}
