// lamina import - a network of another program's: a model file and weights.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "cmd.h"
#include "file.h"
#include "offline.h"
#include "onnx_import.h"
#include "param.h"
#include "weight_map.h"

struct job {
    struct lam_context *ctx;
    const char *file, *model, *weights, *run;
    const char *into, *map; // of a state dict
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

// What is to be written.
struct result {
    const struct lam_graph *graph;
    float *const *values; // by weight of the graph
    const char *model;
    struct lam_intensity intensity;
    struct lam_progress progress;
};

static int write_weights(const struct job *job, const struct result *r,
                         const char *path)
{
    const int n = r->graph->n_weights;
    struct lam_stored *tensors = calloc((size_t)n + 1, sizeof(*tensors));
    int err;

    if (!tensors)
        return lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n; i++)
        tensors[i] =
            (struct lam_stored){.name = r->graph->weights[i].name,
                                .shape = r->graph->weights[i].spec.shape,
                                .data = r->values[i]};
    err = lam_checkpoint_write_tensors(job->ctx, tensors, n, r->model, "",
                                       &r->intensity, &r->progress, path);
    free(tensors);
    return err;
}

static int write_all(const struct job *job, const struct result *r)
{
    const struct lam_piece text = {r->model, strlen(r->model)};
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
        err = write_weights(job, r, weights);
    if (!err)
        printf("%s: %d layers, %lld weights\n", job->file, r->graph->n_nodes,
               (long long)lam_graph_parameters(r->graph, false));
    return err;
}

static int import_onnx(struct job *job)
{
    struct lam_context *ctx = job->ctx;
    struct result r = {.intensity = lam_intensity_none,
                       .progress = lam_progress_none};
    struct lam_registry *registry = lam_registry_create(ctx);
    struct lam_imported in = {0};
    struct lam_onnx onnx = {0};
    struct lam_host host = {0};
    int err = registry ? lam_registry_load_default(registry) : ctx->code;

    if (!err)
        err = lam_host_init(&host, ctx, NULL, LAM_F32);
    if (!err)
        err = lam_onnx_read(ctx, job->file, &onnx);
    if (!err) {
        read_metadata(&onnx, &r.intensity, &r.progress, &job->options);
        err = lam_onnx_import(ctx, job->file, &onnx, registry, &host,
                              &job->options, &in);
    }
    r.graph = in.graph;
    r.values = in.values;
    r.model = in.model;
    if (!err)
        err = write_all(job, &r);
    lam_imported_free(&in);
    lam_onnx_free(&onnx);
    lam_host_finish(&host);
    lam_registry_destroy(registry);
    return err;
}

// Into the array of drawn weights.
static int take_weight(void *data, int i, const float *values)
{
    struct lam_offline *o = data;

    memcpy(o->drawn[i], values,
           (size_t)lam_elements(&o->graph->weights[i].spec.shape) *
               sizeof(*values));
    return LAM_OK;
}

// A safetensors file for a model of ours: every weight must be there.
static int import_weights(struct job *job)
{
    struct lam_context *ctx = job->ctx;
    struct lam_weight_map map = {0};
    struct lam_safetensors *file = NULL;
    struct lam_offline o;
    struct lam_taken taken;
    char *model = NULL;
    int err = lam_offline_open(ctx, job->into, NULL, 0, &o);

    if (!err && !o.drawn)
        err = lam_fail(ctx, LAM_EUSAGE, "--into wants a model file, NAME.yaml");
    if (!err)
        err = lam_weight_map_open(ctx, job->map, &map);
    if (!err)
        err = lam_safetensors_read(ctx, job->file, &file);
    if (!err)
        err = lam_weight_map_apply(&map, file, o.graph, true, take_weight, &o,
                                   &taken);
    if (!err) {
        lam_taken_log(ctx, job->file, file, &taken);
        model = lam_model_resolved(o.model);
        err = model ? LAM_OK : lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err)
        err = write_all(job, &(struct result){.graph = o.graph,
                                              .values = o.drawn,
                                              .model = model,
                                              .intensity = lam_intensity_none,
                                              .progress = lam_progress_none});
    free(model);
    lam_safetensors_free(file);
    lam_weight_map_close(&map);
    lam_offline_close(&o);
    return err;
}

int cmd_import(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina import FILE.onnx --run DIR\n"
        "       lamina import FILE.onnx [--model FILE.yaml] "
        "[--weights FILE.safetensors]\n"
        "       lamina import FILE.safetensors --into MODEL.yaml [--map FILE] "
        "--run DIR\n"
        "Reads a network from ONNX, or weights of another program's for a "
        "model "
        "file,\nwithout a device. A run folder gets both, "
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
        {"--into", "MODEL.yaml", "the model that the weights are for", NULL,
         &job.into, NULL, NULL},
        {"--map", "FILE", "names there: YAML, weights: {OURS: THEIRS}", NULL,
         &job.map, NULL, NULL},
        {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, rest, 1, &n, &done);
    if (err || done)
        return err;
    if (n != 1 || (!job.run && !job.model && !job.weights))
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted an ONNX or safetensors file, and --run DIR, or "
                        "--model FILE "
                        "and --weights FILE");
    job.file = rest[0];
    err = read_size(ctx, size, &job.options.height, &job.options.width);
    if (err)
        return err;
    return job.into ? import_weights(&job) : import_onnx(&job);
}
