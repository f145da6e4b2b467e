// Setting up a training run: model, data, memory, weights, folder.
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "device_check.h"
#include "fuse.h"
#include "halves.h"
#include "rng.h"
#include "shape.h"
#include "train_ranks.h"
#include "weight_map.h"

static const char *const precisions[] = {"float", "half", NULL};

const struct lam_param lam_train_params[] = {
    LAM_SCHEDULE_PARAMS(struct lam_train_config, schedule),
    {"batch", LAM_PARAM_INT, offsetof(struct lam_train_config, batch), "4", 1,
     65536, NULL, "images per update", 0},
    {"epochs", LAM_PARAM_INT, offsetof(struct lam_train_config, epochs), "10",
     1, 1000000, NULL, "passes over the training split", 0},
    {"steps", LAM_PARAM_INT, offsetof(struct lam_train_config, steps), "0", 0,
     2000000000, NULL, "updates in all; 0: by epochs", 0},
    {"seed", LAM_PARAM_INT, offsetof(struct lam_train_config, seed), "1", 0,
     2000000000, NULL, "of weights, order, crops and dropout", 0},
    {"micro_batch", LAM_PARAM_INT,
     offsetof(struct lam_train_config, micro_batch), "0", 0, 65536, NULL,
     "images on the device at once; 0: as many as fit", 0},
    {"norm_batch", LAM_PARAM_INT, offsetof(struct lam_train_config, norm_batch),
     "0", 0, 65536, NULL,
     "images of one batch norm, over several ranks (synchronised); 0: those of "
     "a micro-batch",
     0},
    {"keep", LAM_PARAM_CHOICE, offsetof(struct lam_train_config, keep), "float",
     0, 0, precisions,
     "how values and gradients wait for the backward pass: float or half", 0},
    {"store", LAM_PARAM_CHOICE, offsetof(struct lam_train_config, store),
     "float", 0, 0, precisions,
     "how values and gradients lie in memory at all: float or half, for GPUs",
     0},
    {"loss_scale", LAM_PARAM_REAL,
     offsetof(struct lam_train_config, loss_scale), "0", 0, 0x1p60, NULL,
     "the loss times this before the backward pass, gradients of weights "
     "divided by it after; 0: by overflows with halves, else none",
     0},
    {"eval_every", LAM_PARAM_INT, offsetof(struct lam_train_config, eval_every),
     "1", 0, 1000000, NULL, "epochs between validations; 0: never", 0},
    {"eval_start", LAM_PARAM_BOOL,
     offsetof(struct lam_train_config, eval_start), "false", 0, 0, NULL,
     "validate before the first step too, as epoch 0", 0},
    {"save_every", LAM_PARAM_INT, offsetof(struct lam_train_config, save_every),
     "0", 0, 2000000000, NULL, "steps between checkpoints, besides each epoch",
     0},
    {"patience", LAM_PARAM_INT, offsetof(struct lam_train_config, patience),
     "0", 0, 1000000, NULL,
     "epochs without a better validation before stopping; 0: never stops", 0},
    {"freeze", LAM_PARAM_TEXT, offsetof(struct lam_train_config, freeze), "", 0,
     0, NULL, "layers whose weights are not trained, as 'enc.* fc_1*'", 0},
    {"bucket_mib", LAM_PARAM_REAL,
     offsetof(struct lam_train_config, bucket_mib), "1", 0, 1024, NULL,
     "several ranks: MiB of gradients that are sent together", 0},
    {0}};

static bool is_half(const struct lam_model *model, const char *key)
{
    const char *precision = lam_model_get(model, "train", key);

    return precision && strcmp(precision, precisions[1]) == 0;
}

bool lam_train_keeps_half(const struct lam_model *model)
{
    return is_half(model, "keep");
}

bool lam_train_stores_half(const struct lam_model *model)
{
    return is_half(model, "store");
}

static int read_sections(struct lam_trainer *t)
{
    static const char *const type_only[] = {"type", NULL};
    const char *type = lam_model_get(t->model, "optimizer", "type");
    char where[300];
    int err;

    err = lam_model_section(t->model, "train", lam_train_params, &t->config,
                            sizeof(t->config), NULL);
    if (!err)
        err = lam_schedule_check(
            t->ctx, lam_model_where(t->model, "train", where, sizeof(where)),
            &t->config.schedule);
    if (!err)
        err = lam_model_section(t->model, "metrics", lam_metrics_params,
                                &t->metrics, sizeof(t->metrics), NULL);
    if (!err)
        err = lam_model_section(t->model, "augment", lam_augment_params,
                                &t->augment, sizeof(t->augment), NULL);
    if (!err)
        err = lam_model_section(t->model, "data", lam_sampling_params,
                                &t->sampling, sizeof(t->sampling), NULL);
    if (err)
        return err;
    type = type ? type : "adam";
    t->optimizer = lam_registry_optimizer(t->registry, type);
    if (!t->optimizer) {
        const char *near =
            lam_nearest(type, lam_registry_optimizer_names(t->registry));

        return lam_fail(
            t->ctx, LAM_EMODEL, "%s: unknown optimiser '%s'%s%s%s",
            lam_model_where(t->model, "optimizer", where, sizeof(where)), type,
            near ? " (did you mean '" : "", near ? near : "",
            near ? "'?)" : "");
    }
    t->optimizer_config = calloc(1, t->optimizer->config_size + 1);
    if (!t->optimizer_config)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    return lam_model_section(t->model, "optimizer", t->optimizer->params,
                             t->optimizer_config, t->optimizer->config_size,
                             type_only);
}

static int open_model(struct lam_trainer *t)
{
    const struct lam_train_options *o = t->options;
    char path[1100];
    int err;

    if (o->resume) {
        err = lam_checkpoint_read(
            t->ctx,
            lam_run_file(o->resume, "last.safetensors", path, sizeof(path)),
            &t->resumed);
        if (err)
            return err;
        snprintf(t->run, sizeof(t->run), "%s", o->resume);
        err = lam_run_read_kernels(t->ctx, t->run, &t->no_fuse, &t->kernels,
                                   &t->gemm);
        if (err)
            return err;
        t->progress = t->resumed.progress;
        t->data_path = strdup(o->data ? o->data : t->resumed.data);
        err = lam_model_parse(t->ctx, path, t->resumed.model,
                              strlen(t->resumed.model), o->sets, o->n_sets,
                              &t->model);
    } else {
        t->progress.best = -1.0;
        t->progress.threshold = 0.5;
        t->data_path = strdup(o->data);
        err = lam_model_load(t->ctx, o->model, o->sets, o->n_sets, &t->model);
    }
    if (err)
        return err;
    t->model_text = lam_model_resolved(t->model);
    if (!t->model_text || !t->data_path)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    return lam_model_parse(t->ctx, "resolved model", t->model_text,
                           strlen(t->model_text), NULL, 0,
                           &t->model_for_prediction);
}

static int open_data(struct lam_trainer *t)
{
    int err = lam_dataset_open(t->ctx, t->data_path, &t->dataset);
    int n;

    if (err)
        return err;
    if (t->options->resume)
        t->intensity = t->resumed.intensity;
    else
        err = lam_dataset_measure(t->dataset, &t->intensity);
    n = lam_dataset_count(t->dataset, LAM_SPLIT_TRAIN);
    t->steps_per_epoch = (n + t->config.batch - 1) / t->config.batch;
    t->steps = t->config.steps ? t->config.steps
                               : t->config.epochs * t->steps_per_epoch;
    if (!err)
        lam_log(t->ctx, LAM_LOG_INFO, "data: %s: %d train, %d val, %d test",
                t->data_path, n, lam_dataset_count(t->dataset, LAM_SPLIT_VAL),
                lam_dataset_count(t->dataset, LAM_SPLIT_TEST));
    return err;
}

static int freeze_layers(struct lam_trainer *t)
{
    const char *at = t->config.freeze;

    for (at += strspn(at, " "); *at; at += strspn(at, " ")) {
        const int n = (int)strcspn(at, " ");
        char pattern[256];

        snprintf(pattern, sizeof(pattern), "%.*s", n, at);
        if (!lam_graph_freeze(t->graph, pattern))
            return lam_fail(t->ctx, LAM_EMODEL,
                            "train: freeze: '%s' fits no layer with weights",
                            pattern);
        at += n;
    }
    return LAM_OK;
}

int lam_trainer_build(struct lam_trainer *t)
{
    const char *input;
    int err = lam_graph_create(t->ctx, t->registry, &t->host, 1, &t->graph);

    if (!err)
        err = lam_model_build(t->model, t->graph, t->micro_batch);
    if (!err)
        err = freeze_layers(t);
    if (!err)
        err = lam_model_build_loss(t->model, t->graph, &t->loss);
    if (!err && !t->no_fuse)
        err = lam_graph_fuse(&t->graph, &t->loss, 1);
    if (!err && t->config.store)
        err = lam_graph_halves(&t->graph, &t->loss, 1);
    if (err)
        return err;
    input = lam_model_input(t->model, &t->height, &t->width);
    t->input = lam_graph_find(t->graph, input);
    t->target = lam_graph_find(t->graph, "target");
    if (t->height == 0)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "input '%s' is no image [N, C, H, W]", input);
    return LAM_OK;
}

// The memory of a processor is that of the process, its driver's included:
// PoCL takes some to run kernels, and a process in which it has compiled any is
// of about one size without the plan (docs/benchmarks.md). Which it has
// compiled before only it knows. A checkpoint is put together in memory.
static void print_plan(const struct lam_trainer *t, const struct lam_memory *m)
{
    enum { RUNS_MIB = 30, COMPILES_MIB = 220 };
    const double before = lam_bench_peak_mib();
    const int64_t saved = m->weights + m->optimizer;
    const double mib = (double)(m->total + saved) / 0x1p20 + before + RUNS_MIB;
    char text[200];

    lam_memory_text(m, text, sizeof(text));
    if (lam_queue_device(t->queue)->info.kind != LAM_DEVICE_CPU)
        lam_log(t->ctx, LAM_LOG_INFO, "%s", text);
    else if (before > COMPILES_MIB)
        lam_log(t->ctx, LAM_LOG_INFO, "%s; about %.0f MiB with the process",
                text, mib);
    else
        lam_log(t->ctx, LAM_LOG_INFO,
                "%s; about %.0f MiB with the process, %.0f if the driver has "
                "kernels to compile",
                text, mib, mib + COMPILES_MIB - before);
}

// One attempt at a micro-batch; LAM_EMEMORY when it does not fit.
static int try_micro_batch(struct lam_trainer *t, int micro_batch)
{
    struct lam_session_options options = {
        .training = 1,
        .optimizer = t->optimizer,
        .optimizer_config = t->optimizer_config,
        .micro_batches = t->ranks ? 1 : t->config.batch / micro_batch,
        .observe = t->ranks != NULL,
        .keep_half = t->config.keep != 0,
        .loss_scale = t->config.store || t->config.loss_scale > 0.0,
        .variants = t->options->variants ? t->options->variants : t->kernels,
        .tuning = t->queue ? lam_queue_tuning(t->queue) : NULL};
    const bool is_dry = t->options->plan != NULL;
    int err;

    t->micro_batch = micro_batch;
    t->n_micro = t->config.batch / micro_batch;
    lam_host_share(&t->host, t->ranks, lam_ranks_sharing(t, micro_batch));
    err = lam_trainer_build(t);
    options.loss = t->loss;
    if (!err)
        err = lam_session_memory(t->graph, &options, &t->memory);
    if (!err && !is_dry)
        print_plan(t, &t->memory);
    if (!err && is_dry && t->queue)
        err = lam_memory_check(t->ctx, &t->memory,
                               &lam_queue_device(t->queue)->info);
    else if (!err && !is_dry)
        err = lam_session_create(t->graph, t->queue, &options, &t->session);
    err = lam_ranks_fit(t, err);
    if (err) {
        lam_session_destroy(t->session);
        t->session = NULL;
        lam_graph_destroy(t->graph);
        t->graph = NULL;
    }
    return err;
}

static bool may_be_micro(const struct lam_trainer *t, int m)
{
    const int n = t->ranks ? t->ranks->place.size : 1;

    return t->config.batch % m == 0 && (int64_t)n * m <= t->config.batch &&
           lam_ranks_sharing(t, m) > 0;
}

// The largest up to m that may be one; 0: none.
static int largest_micro(const struct lam_trainer *t, int m)
{
    for (; m > 0; m--)
        if (may_be_micro(t, m))
            return m;
    return 0;
}

// micro_batch 0: no size of one serves.
static int fail_norm(const struct lam_trainer *t, int micro_batch)
{
    const int norm = t->config.norm_batch;
    const int n = t->ranks ? t->ranks->place.size : 1;

    if (t->config.batch % norm)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "train: norm_batch %d does not divide batch %d", norm,
                        t->config.batch);
    if (!micro_batch)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "train: no micro_batch cuts batch %d and norm_batch %d "
                        "into parts for %d ranks",
                        t->config.batch, norm, n);
    if (norm % micro_batch)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "train: norm_batch %d is no multiple of micro_batch %d",
                        norm, micro_batch);
    return lam_fail(t->ctx, LAM_EMODEL,
                    "train: norm_batch %d in micro-batches of %d wants %d "
                    "ranks or a multiple, found %d; several may share a "
                    "device, as with --device 0,0",
                    norm, micro_batch, norm / micro_batch, n);
}

// Where to start looking for the micro-batch: what was asked for, what the run
// that goes on has had, or the most that gives all ranks one.
static int first_micro_batch(struct lam_trainer *t, int *first)
{
    const int batch = t->config.batch, wanted = t->config.micro_batch;
    const int n = t->ranks ? t->ranks->place.size : 1;
    const int had = (int)t->progress.micro_batch;

    *first = wanted && wanted < batch ? wanted : batch;
    if (batch % *first)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "train: micro_batch %d does not divide batch %d",
                        *first, batch);
    if (batch / (wanted ? *first : 1) < n)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "train: a batch of %d in micro-batches of %d leaves "
                        "nothing to do for some of %d ranks",
                        batch, wanted ? *first : 1, n);
    if (wanted)
        return lam_ranks_sharing(t, *first) ? LAM_OK : fail_norm(t, *first);
    if (had > 0 && may_be_micro(t, had)) {
        *first = had;
        return LAM_OK;
    }
    *first = largest_micro(t, *first);
    if (!*first)
        return fail_norm(t, 0);
    if (had > 0)
        lam_log(t->ctx, LAM_LOG_WARNING,
                "the run has had micro-batches of %d; %d ranks take %d, which "
                "gives other batch statistics and roundings",
                had, n, *first);
    return LAM_OK;
}

// The largest micro-batch that divides the batch and fits the device.
static int open_session(struct lam_trainer *t)
{
    char problem[sizeof(t->ctx->error)];
    int m, next, err = first_micro_batch(t, &m);

    if (err)
        return err;
    for (;; m = next) {
        next = largest_micro(t, m - 1);
        err = try_micro_batch(t, m);
        if (err != LAM_EMEMORY || !next)
            break;
        memcpy(problem, t->ctx->error, sizeof(problem));
        lam_error_clear(t->ctx);
        lam_log(t->ctx, LAM_LOG_WARNING, "micro-batch %d does not fit: %s", m,
                problem);
    }
    if (err)
        return err;
    t->progress.micro_batch = t->micro_batch;
    lam_loss_scale_begin(&t->progress.loss_scale, t->config.loss_scale,
                         t->config.keep || t->config.store);
    t->losses = calloc((size_t)t->n_micro, sizeof(*t->losses));
    if (!t->losses)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    if (t->n_micro > 1)
        lam_log(t->ctx, LAM_LOG_INFO,
                "batch %d as %d micro-batches of %d, gradients summed",
                t->config.batch, t->n_micro, t->micro_batch);
    if (t->host.sharing > 1)
        lam_log(t->ctx, LAM_LOG_INFO,
                "batch norm over %d images, those of %d ranks at once",
                t->config.norm_batch, t->host.sharing);
    return LAM_OK;
}

static int take_weight(void *session, int i, const float *values)
{
    return session ? lam_session_weight_write(session, i, values) : LAM_OK;
}

static int fill_from_file(struct lam_trainer *t)
{
    const struct lam_train_options *o = t->options;
    struct lam_weight_map map = {.include = o->include,
                                 .exclude = o->exclude,
                                 .n_include = o->n_include,
                                 .n_exclude = o->n_exclude};
    struct lam_safetensors *file = NULL;
    struct lam_taken taken;
    int err = lam_weight_map_open(t->ctx, o->init_map, &map);

    if (!err)
        err = lam_safetensors_read(t->ctx, o->init, &file);
    if (!err)
        err = lam_weight_map_apply(&map, file, t->graph, false, take_weight,
                                   t->session, &taken);
    if (!err)
        lam_taken_log(t->ctx, o->init, file, &taken);
    lam_safetensors_free(file);
    lam_weight_map_close(&map);
    return err;
}

static int fill_weights(struct lam_trainer *t)
{
    int err;

    if (t->options->resume)
        return lam_checkpoint_restore(&t->resumed, t->session, t->graph,
                                      t->optimizer);
    t->progress.seed = (uint64_t)t->config.seed;
    err = lam_session_init(t->session, t->progress.seed);
    return err || !t->options->init ? err : fill_from_file(t);
}

// regularize: rows {match: "conv*.weight", l2: 1e-5}; the first match counts.
static int read_regularize(struct lam_trainer *t)
{
    const struct lam_setting *row;
    int n;

    t->l2 = calloc((size_t)t->graph->n_weights + 1, sizeof(*t->l2));
    if (!t->l2)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; (n = lam_model_row(t->model, "regularize", i, &row)) >= 0;
         i++) {
        const char *match = NULL, *l2 = NULL;
        double value;
        int matched = 0;

        for (int k = 0; k < n; k++) {
            if (strcmp(row[k].key, "match") == 0)
                match = row[k].value;
            else if (strcmp(row[k].key, "l2") == 0)
                l2 = row[k].value;
        }
        if (!match || !l2 || n != 2 || !lam_parse_real(l2, &value))
            return lam_fail(t->ctx, LAM_EMODEL,
                            "regularize: row %d: wanted {match: PATTERN, l2: "
                            "NUMBER}",
                            i + 1);
        for (int w = 0; w < t->graph->n_weights; w++)
            if (t->graph->weights[w].is_trained && t->l2[w] == 0.0 &&
                fnmatch(match, t->graph->weights[w].name, 0) == 0) {
                t->l2[w] = value;
                matched++;
            }
        if (!matched)
            return lam_fail(t->ctx, LAM_EMODEL,
                            "regularize: row %d: '%s' fits no trained weight",
                            i + 1, match);
    }
    return t->ctx->code;
}

static int open_loader(struct lam_trainer *t)
{
    struct lam_loader_options options = {.batch = t->config.batch,
                                         .height = t->height,
                                         .width = t->width,
                                         .seed = t->progress.seed,
                                         .first_step = t->progress.step,
                                         .end_step = t->steps,
                                         .augment = &t->augment,
                                         .sampling = &t->sampling,
                                         .intensity = t->intensity,
                                         .micro_batch = t->micro_batch};
    const size_t pixels =
        (size_t)t->config.batch * (size_t)t->height * (size_t)t->width;

    t->images = malloc(pixels * sizeof(*t->images));
    t->masks = malloc(pixels * sizeof(*t->masks));
    if (!t->images || !t->masks)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    if (t->ranks) {
        options.rank = t->ranks->place.rank;
        options.ranks = t->ranks->place.size;
    }
    return lam_loader_open(t->dataset, &options, &t->loader);
}

// What the run must do alike when it goes on.
static int write_kernels(struct lam_trainer *t)
{
    char *variants = lam_session_variants(t->session);
    const int err =
        variants ? lam_run_write_kernels(t->ctx, t->run, !t->no_fuse, variants,
                                         lam_gemm_parameters(t->queue))
                 : lam_fail(t->ctx, LAM_EMEMORY, "out of memory");

    free(variants);
    return err;
}

static int open_folder(struct lam_trainer *t)
{
    const struct lam_run_info info = {.command = t->options->command,
                                      .data = t->data_path,
                                      .device = lam_queue_device(t->queue),
                                      .parameters =
                                          lam_graph_parameters(t->graph, false),
                                      .plan_bytes = t->memory.total,
                                      .layers = t->graph->n_nodes};
    const bool goes_on = t->options->resume != NULL;
    int err;

    if (!lam_collective_leads(t->ranks))
        return LAM_OK;
    err = goes_on ? lam_run_cut_rows(t->ctx, t->run, t->progress.epoch,
                                     t->progress.step)
                  : lam_run_create(t->ctx, t->options->run,
                                   lam_model_name(t->model), t->run,
                                   sizeof(t->run));
    if (!err && !goes_on)
        err = lam_run_write_text(t->ctx, t->run, "model.yaml", t->model_text);
    if (!err && !goes_on)
        err = lam_run_write_info(t->ctx, t->run, &info);
    if (!err && t->options->tensorboard)
        err = lam_run_add_tensorboard(t->ctx, t->run);
    return err || goes_on ? err : write_kernels(t);
}

static int open_device(struct lam_trainer *t)
{
    const struct lam_queue_options options = {.device = t->options->device,
                                              .nth = t->options->nth_device,
                                              .timeout_s =
                                                  t->options->timeout_s,
                                              .tuned = !t->options->no_tuning};
    int err = lam_queue_open(t->ctx, &options, &t->queue);

    if (!err)
        err = lam_device_check_once(t->queue);
    if (!err)
        err = lam_host_init(&t->host, t->ctx, t->queue, LAM_F32);
    if (!err && t->config.store && t->host.device.kind == LAM_DEVICE_CPU)
        lam_log(t->ctx, LAM_LOG_WARNING,
                "train.store=half is for GPUs: convolutions of halves have no "
                "fast kernels for processors; train.keep=half saves memory "
                "there");
    if (!err && t->options->resume)
        err = lam_gemm_use(t->queue, t->gemm ? t->gemm : "own");
    // Processors have a product of our own, which builds in no time.
    if (!err && t->host.device.kind == LAM_DEVICE_GPU)
        err = lam_gemm_warm(t->queue, LAM_F32);
    return err;
}

// All that can be said without a device, and whether it fits where there is
// one: no kernel is built, no file written.
static int open_dry(struct lam_trainer *t)
{
    const struct lam_queue_options options = {.device = t->options->device};
    int err = lam_queue_open(t->ctx, &options, &t->queue);

    if (err == LAM_EDEVICE && !t->options->device) {
        lam_log(t->ctx, LAM_LOG_INFO,
                "no device: the memory is without its workspaces");
        lam_error_clear(t->ctx);
        err = LAM_OK;
    }
    if (!err)
        err = lam_host_init(&t->host, t->ctx, t->queue, LAM_F32);
    if (!err)
        err = open_session(t);
    if (!err && t->options->init && !t->options->resume)
        err = fill_from_file(t);
    if (!err)
        err = read_regularize(t);
    return err ? err : lam_trainer_apply_schedule(t, INT64_MAX);
}

// Validation holds a session of its own beside that of training.
static int tell_validation(const struct lam_trainer *t)
{
    const int n = lam_dataset_count(t->dataset, LAM_SPLIT_VAL);
    const struct lam_sample_info *largest = NULL;
    int64_t bytes;
    int err;

    for (int i = 0; i < n; i++) {
        const struct lam_sample_info *info =
            lam_dataset_info(t->dataset, LAM_SPLIT_VAL, i);

        if (!largest || (int64_t)info->width * info->height >
                            (int64_t)largest->width * largest->height)
            largest = info;
    }
    if (!largest || !t->config.eval_every)
        return LAM_OK;
    err = lam_predictor_memory(t->predictor, largest->height, largest->width,
                               &bytes);
    if (!err)
        lam_log(t->ctx, LAM_LOG_INFO,
                "memory: validation of %d x %d pixels takes about %.0f MiB "
                "more",
                largest->width, largest->height, (double)bytes / 0x1p20);
    return err;
}

int lam_trainer_open(struct lam_trainer *t)
{
    int err;

    t->no_fuse = t->options->no_fuse;
    t->registry = lam_registry_create(t->ctx);
    if (!t->registry)
        return t->ctx->code;
    err = lam_registry_load_default(t->registry);
    if (!err)
        err = open_model(t);
    if (!err)
        err = read_sections(t);
    if (!err)
        err = open_data(t);
    if (!err && t->options->plan)
        return open_dry(t);
    if (!err)
        err = open_device(t);
    if (!err)
        err = lam_trainer_open_crop(t);
    err = lam_collective_agree(t->ranks, err);
    if (!err)
        err = lam_ranks_compare(t);
    if (!err)
        err = open_session(t);
    err = lam_collective_agree(t->ranks, err);
    if (!err)
        err = fill_weights(t);
    if (!err)
        err = read_regularize(t);
    if (!err)
        err = lam_trainer_apply_schedule(t, t->progress.epoch);
    if (!err)
        err = open_loader(t);
    if (!err)
        err = lam_predictor_create(t->ctx, t->registry, t->queue,
                                   t->model_for_prediction, &t->predictor);
    if (!err)
        err = tell_validation(t);
    if (!err)
        err = open_folder(t);
    err = lam_collective_agree(t->ranks, err);
    return err ? err : lam_ranks_start(t);
}

void lam_trainer_close(struct lam_trainer *t)
{
    lam_loader_close(t->loader);
    lam_predictor_destroy(t->predictor);
    lam_reduce_destroy(t->reduce);
    lam_session_destroy(t->session);
    lam_graph_destroy(t->graph);
    lam_dataset_close(t->dataset);
    lam_host_finish(&t->host);
    lam_queue_close(t->queue);
    lam_checkpoint_close(&t->resumed);
    lam_model_destroy(t->model);
    lam_model_destroy(t->model_for_prediction);
    lam_registry_destroy(t->registry);
    free(t->optimizer_config);
    free(t->kernels);
    free(t->gemm);
    free(t->model_text);
    free(t->data_path);
    free(t->images);
    free(t->masks);
    free(t->losses);
    free(t->l2);
}
