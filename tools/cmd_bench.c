// lamina bench - measures a model's training step or inference on a device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_layer.h"
#include "bench_profile.h"
#include "cmd.h"
#include "model.h"
#include "param.h"
#include "safetensors.h"
#include "shape.h"
#include "train.h"

struct job {
    struct lam_context *ctx;
    const char *model_file, *pass, *format, *device, *save;
    const char *sets[64];
    const char *layers[64], *shape;
    int n_sets, n_layers, kernels, explain, no_tuning;
    int64_t batch;
    struct lam_bench_options options;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_model *model;
    struct lam_graph *graph;
    struct lam_session *session;
    const struct lam_optimizer_type *optimizer;
    void *optimizer_config;
    struct lam_bench result;
    struct bench_profile profile;
};

static int open_optimizer(struct job *j)
{
    static const char *const skip[] = {"type", NULL};
    const char *type = lam_model_get(j->model, "optimizer", "type");

    j->optimizer = lam_registry_optimizer(j->registry, type ? type : "adam");
    if (!j->optimizer)
        return lam_fail(j->ctx, LAM_EMODEL, "unknown optimiser '%s'", type);
    j->optimizer_config = calloc(1, j->optimizer->config_size + 1);
    if (!j->optimizer_config)
        return lam_fail(j->ctx, LAM_EMEMORY, "out of memory");
    return lam_model_section(j->model, "optimizer", j->optimizer->params,
                             j->optimizer_config, j->optimizer->config_size,
                             skip);
}

static int open_graph(struct job *j, int *loss)
{
    const bool is_training = j->options.training;
    int h, w;
    int err =
        lam_model_load(j->ctx, j->model_file, j->sets, j->n_sets, &j->model);

    *loss = -1;
    if (!err)
        err = lam_graph_create(j->ctx, j->registry, &j->host, is_training,
                               &j->graph);
    if (!err)
        err = lam_model_build(j->model, j->graph, (int)j->batch);
    if (!err && is_training)
        err = lam_model_build_loss(j->model, j->graph, loss);
    // What is saved must outlive the run.
    if (!err && j->save)
        j->graph
            ->values[lam_graph_find(j->graph,
                                    lam_model_input(j->model, &h, &w))]
            .is_output = true;
    return err || !is_training ? err : open_optimizer(j);
}

static int run(struct job *j)
{
    const struct lam_queue_options options = {
        .device = j->device, .profile = j->kernels, .tuned = !j->no_tuning};
    int loss, err;

    j->registry = lam_registry_create(j->ctx);
    if (!j->registry)
        return j->ctx->code;
    err = lam_registry_load_default(j->registry);
    if (!err)
        err = lam_queue_open(j->ctx, &options, &j->queue);
    if (!err)
        err = lam_host_init(&j->host, j->ctx, j->queue, LAM_F32);
    if (!err && j->host.device.kind == LAM_DEVICE_GPU)
        err = lam_gemm_warm(j->queue, LAM_F32);
    if (err)
        return err;
    if (j->n_layers) {
        const struct bench_layer_options layers = {
            .layers = j->layers,
            .n_layers = j->n_layers,
            .shape = j->shape,
            .variant = j->options.variants,
            .format = j->format,
            .warmup = j->options.warmup,
            .repeats = j->options.repeats};

        return bench_layers(j->registry, &j->host, j->queue, &layers);
    }
    err = open_graph(j, &loss);
    j->options.keep_half = !err && lam_train_keeps_half(j->model);
    j->options.store_half = !err && lam_train_stores_half(j->model);
    return err ? err
               : lam_bench_run(&j->graph, j->queue, loss, j->optimizer,
                               j->optimizer_config, &j->options, &j->result,
                               &j->session);
}

static void print_json(const struct job *j)
{
    const struct lam_device_row *device = lam_queue_device(j->queue);
    const struct lam_bench *b = &j->result;

    printf("{\"model\": \"%s\", \"pass\": \"%s\", \"batch\": %d, "
           "\"device\": \"%s\", \"driver\": \"%s\", \"compute_units\": %d, "
           "\"layers\": %d, \"gmacs\": %.6f, \"warmup\": %d, "
           "\"median_ms\": %.3f, \"min_ms\": %.3f, \"quartile_ms\": %.3f, "
           "\"three_quartile_ms\": %.3f, \"first_ms\": %.3f, "
           "\"create_s\": %.3f, \"programs\": %d, \"from_cache\": %d, "
           "\"build_s\": %.3f, \"plan_mib\": %.1f, \"before_mib\": %.1f, "
           "\"peak_rss_mib\": %.1f, "
           "\"all_ms\": [",
           lam_model_name(j->model), j->pass, (int)j->batch, device->name,
           device->driver, device->info.compute_units, j->graph->n_nodes,
           b->macs / 1e9, j->options.warmup, b->spread.median, b->spread.min,
           b->spread.quartile, b->spread.three_quartile, b->first_ms,
           b->create_s, b->programs, b->hits, b->build_s,
           (double)b->memory.total / 0x1p20, b->before_mib,
           lam_bench_peak_mib());
    for (int i = 0; i < b->n; i++)
        printf("%s%.3f", i ? ", " : "", b->all_ms[i]);
    printf("]");
    if (j->kernels) {
        printf(", ");
        bench_profile_json(&j->profile);
    }
    printf("}\n");
}

static void print_csv(const struct job *j)
{
    const struct lam_bench *b = &j->result;

    printf("model,pass,batch,median_ms,min_ms,quartile_ms,three_quartile_ms,"
           "first_ms,gmacs,programs,build_s,plan_mib,peak_rss_mib\n"
           "%s,%s,%d,%.3f,%.3f,%.3f,%.3f,%.3f,%.6f,%d,%.3f,%.1f,%.1f\n",
           lam_model_name(j->model), j->pass, (int)j->batch, b->spread.median,
           b->spread.min, b->spread.quartile, b->spread.three_quartile,
           b->first_ms, b->macs / 1e9, b->programs, b->build_s,
           (double)b->memory.total / 0x1p20, lam_bench_peak_mib());
}

static void print_md(const struct job *j)
{
    const struct lam_device_row *device = lam_queue_device(j->queue);
    const struct lam_bench *b = &j->result;
    const double passes = j->options.training ? 3.0 : 1.0;

    printf("%s, %s, batch %d, on %s (%d compute units, %s)\n\n",
           lam_model_name(j->model), j->pass, (int)j->batch, device->name,
           device->info.compute_units, device->driver);
    printf("| figure | value |\n|---|---|\n");
    printf("| step, median of %d after %d | %.1f ms (quartiles %.1f to %.1f, "
           "least %.1f) |\n",
           b->n, j->options.warmup, b->spread.median, b->spread.quartile,
           b->spread.three_quartile, b->spread.min);
    printf("| per image | %.1f ms, %.2f images/s |\n",
           b->spread.median / (double)j->batch,
           1e3 * (double)j->batch / b->spread.median);
    printf("| multiply-adds forward | %.3f GMACs, %.0f GFLOPS over %s |\n",
           b->macs / 1e9, 2e-6 * passes * b->macs / b->spread.median,
           j->options.training ? "the three passes" : "the step");
    printf("| first step | %.1f ms, after %.2f s to open |\n", b->first_ms,
           b->create_s);
    printf("| programs | %d, %d of them from the cache, %.2f s to build |\n",
           b->programs, b->hits, b->build_s);
    printf("| memory | plan %.1f MiB and %.1f MiB before it; peak of the "
           "process %.1f MiB |\n",
           (double)b->memory.total / 0x1p20, b->before_mib,
           lam_bench_peak_mib());
}

// Before the device is asked for its best, whose kernels are not the model's.
static int open_profile(struct job *j)
{
    j->profile =
        (struct bench_profile){.queue = j->queue,
                               .graph = j->graph,
                               .steps = j->result.n + j->options.warmup};
    return bench_profile_open(&j->profile, &j->host);
}

static int print_result(const struct job *j)
{
    char *text;

    if (j->explain) {
        text = lam_session_explain(j->session);
        fputs(text ? text : "", stderr);
        free(text);
    }
    if (strcmp(j->format, "json") == 0) {
        print_json(j);
    } else if (strcmp(j->format, "csv") == 0) {
        print_csv(j);
    } else {
        print_md(j);
        if (j->kernels)
            bench_profile_print(&j->profile);
    }
    return LAM_OK;
}

// Weights, the input and the first output, for other programs to compare with.
static int save(struct job *j)
{
    const struct lam_graph *graph = j->graph;
    const int n = graph->n_weights + 2;
    struct lam_stored *tensors = calloc((size_t)n, sizeof(*tensors));
    char *text = lam_model_resolved(j->model);
    int h, w, err = tensors && text ? LAM_OK : LAM_EMEMORY;
    const int values[] = {
        lam_graph_find(graph, lam_model_input(j->model, &h, &w)),
        lam_graph_find(graph, lam_model_output(j->model))};

    for (int i = 0; i < n && !err; i++) {
        const bool is_weight = i < graph->n_weights;
        const int value = is_weight ? -1 : values[i - graph->n_weights];
        const struct lam_shape *shape = is_weight
                                            ? &graph->weights[i].spec.shape
                                            : &graph->values[value].shape;
        void *data = malloc(lam_shape_bytes(shape));

        tensors[i] =
            (struct lam_stored){is_weight               ? graph->weights[i].name
                                : i == graph->n_weights ? "bench.input"
                                                        : "bench.output",
                                *shape, data};
        if (!data)
            err = LAM_EMEMORY;
        else
            err = is_weight ? lam_session_weight_read(j->session, i, data)
                            : lam_session_read(j->session, value, data);
    }
    if (!err) {
        const struct lam_pair meta = {"model", text};

        err = lam_safetensors_write(j->ctx, j->save, tensors, n, &meta, 1);
    } else if (!j->ctx->code) {
        lam_fail(j->ctx, err, "out of memory");
    }
    for (int i = 0; tensors && i < n; i++)
        free((void *)tensors[i].data);
    free(tensors);
    free(text);
    return err;
}

static int number(struct lam_context *ctx, const char *name, const char *text,
                  int64_t low, int64_t high, int64_t *value)
{
    if (lam_parse_int(text, value) && *value >= low && *value <= high)
        return LAM_OK;
    return lam_fail(ctx, LAM_EUSAGE, "%s is '%s', wanted %lld to %lld", name,
                    text, (long long)low, (long long)high);
}

static int check(struct job *j, const char *batch, const char *warmup,
                 const char *repeats)
{
    static const char *const formats[] = {"md", "csv", "json", NULL};
    int64_t n_warmup, n_repeats;
    int err = number(j->ctx, "--batch", batch, 1, 65536, &j->batch), i = 0;

    if (!err)
        err = number(j->ctx, "--warmup", warmup, 1, 1000, &n_warmup);
    if (!err)
        err = number(j->ctx, "--repeats", repeats, 1, 100000, &n_repeats);
    if (err)
        return err;
    j->options.warmup = (int)n_warmup;
    j->options.repeats = (int)n_repeats;
    j->options.training = strcmp(j->pass, "train") == 0;
    if (!j->options.training && strcmp(j->pass, "infer") != 0)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--pass is '%s', wanted train or infer", j->pass);
    while (formats[i] && strcmp(formats[i], j->format) != 0)
        i++;
    if (!formats[i])
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--format is '%s', wanted md, csv or json", j->format);
    if (j->kernels && i == 1)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--kernels goes with --format md or json");
    if (j->n_layers && (j->save || j->kernels || j->explain))
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--save, --kernels and --explain go with a model file");
    if (j->save && j->options.training)
        return lam_fail(j->ctx, LAM_EUSAGE, "--save goes with --pass infer");
    return LAM_OK;
}

int cmd_bench(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina bench MODEL.yaml [options]\n"
        "Measures a training step (forward, backward, update) or inference on "
        "random\ninput, the device idle before and after each.\n\n"
        "  lamina bench models/n16.yaml --batch 2\n"
        "  lamina bench models/unet.yaml --pass infer --format json\n"
        "  lamina bench --layer 'conv2d filters=32 kernel=3' --shape "
        "2x32x320x320\n";
    struct job j = {.ctx = ctx, .pass = "train", .format = "md"};
    const char *file[1], *batch = "1", *warmup = "2", *repeats = "10";
    int n, no_fuse = 0, err;
    const struct option_row rows[] = {
        {"--pass", "P", "train or infer (train)", NULL, &j.pass, NULL, NULL},
        {"--batch", "N", "images (1)", NULL, &batch, NULL, NULL},
        {"--warmup", "N", "steps before, the first compiles (2)", NULL, &warmup,
         NULL, NULL},
        {"--repeats", "N", "steps measured (10)", NULL, &repeats, NULL, NULL},
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         j.sets, &j.n_sets},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL,
         &j.device, NULL, NULL},
        {"--layer", "LAYER", "a layer alone, all passes; may be repeated", NULL,
         NULL, j.layers, &j.n_layers},
        {"--shape", "SHAPE", "of its input: 2x32x320x320", NULL, &j.shape, NULL,
         NULL},
        {"--variants", "LIST",
         "force kernels: conv2d=plain,..; a layer's: NAME", NULL,
         &j.options.variants, NULL, NULL},
        {"--explain", NULL, "print which kernels were taken and why",
         &j.explain, NULL, NULL, NULL},
        {"--no-tuning", NULL, "ignore what lamina tune has measured",
         &j.no_tuning, NULL, NULL, NULL},
        {"--no-fuse", NULL, "run the layers as written, merge none", &no_fuse,
         NULL, NULL, NULL},
        {"--kernels", NULL, "time by kernel and layer, which slows small ones",
         &j.kernels, NULL, NULL, NULL},
        {"--format", "F", "md, csv or json (md)", NULL, &j.format, NULL, NULL},
        {"--save", "FILE", "weights as they run, input and output, safetensors",
         NULL, &j.save, NULL, NULL},
        {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, file, 1, &n, &done);
    if (err || done)
        return err;
    if ((n == 0) == (j.n_layers == 0))
        return lam_fail(ctx, LAM_EUSAGE, "wanted a model file or --layer");
    j.model_file = file[0];
    j.options.no_fuse = no_fuse;
    err = check(&j, batch, warmup, repeats);
    if (!err)
        err = run(&j);
    if (!err && j.save)
        err = save(&j);
    if (!err && j.kernels)
        err = open_profile(&j);
    if (!err && !j.n_layers)
        err = print_result(&j);
    bench_profile_close(&j.profile);
    lam_bench_free(&j.result);
    lam_session_destroy(j.session);
    lam_graph_destroy(j.graph);
    lam_model_destroy(j.model);
    free(j.optimizer_config);
    lam_host_finish(&j.host);
    lam_queue_close(j.queue);
    lam_registry_destroy(j.registry);
    return err;
}
