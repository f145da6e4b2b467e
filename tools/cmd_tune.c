// lamina tune - measures which kernels are the fastest for a model's layers.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "cmd.h"
#include "fuse.h"
#include "gemm_tune.h"
#include "halves.h"
#include "model.h"
#include "param.h"
#include "talk.h"
#include "train.h"
#include "tune.h"

struct job {
    struct lam_context *ctx;
    const char *model_file, *pass, *device, *variants;
    const char *sets[64];
    int n_sets, no_fuse, json, is_gemm;
    int64_t batch;
    struct lam_tune_options options;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_gemm_recorder recorder;
    struct lam_tune_result result;
    struct lam_gemm_result gemm;
};

static volatile int interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int open_device(struct job *j)
{
    // A kernel that leaves numbers out must not find those of the one before.
    const struct lam_queue_options options = {
        .device = j->device, .poison = true, .tuned = true};
    int err;

    j->registry = lam_registry_create(j->ctx);
    if (!j->registry)
        return j->ctx->code;
    err = lam_registry_load_default(j->registry);
    if (!err)
        err = lam_queue_open(j->ctx, &options, &j->queue);
    if (!err)
        err = lam_host_init(&j->host, j->ctx, j->queue, LAM_F32);
    if (!err && j->is_gemm)
        return lam_gemm_use(j->queue, "own");
    if (!err && j->host.device.kind == LAM_DEVICE_GPU)
        err = lam_gemm_warm(j->queue, LAM_F32);
    return err;
}

static int tune_graph(struct job *j, struct lam_model *model, bool training)
{
    struct lam_graph *graph = NULL;
    struct lam_tune_result result = {0};
    int loss = -1;
    int err = lam_graph_create(j->ctx, j->registry, &j->host, training, &graph);

    if (!err)
        err = lam_model_build(model, graph, (int)j->batch);
    if (!err && training)
        err = lam_model_build_loss(model, graph, &loss);
    if (!err && !j->no_fuse)
        err = lam_graph_fuse(&graph, &loss, 1);
    if (!err && lam_train_stores_half(model))
        err = lam_graph_halves(&graph, &loss, 1);
    if (!err)
        err = lam_tune(graph, j->queue, lam_queue_tuning(j->queue), &j->options,
                       &result);
    j->result.measured += result.measured;
    j->result.known += result.known;
    j->result.left += result.left;
    j->result.refused += result.refused;
    j->result.before_ms += result.before_ms;
    j->result.after_ms += result.after_ms;
    lam_graph_destroy(graph);
    return err;
}

// Two steps of the model, for the products that it asks for.
static int record_gemm(struct job *j, struct lam_model *model, bool training)
{
    const struct lam_bench_options options = {.training = training,
                                              .repeats = 1,
                                              .variants = j->variants,
                                              .store_half =
                                                  lam_train_stores_half(model),
                                              .no_fuse = j->no_fuse};
    struct lam_graph *graph = NULL;
    struct lam_session *session = NULL;
    struct lam_bench bench = {0};
    int loss = -1;
    int err = lam_graph_create(j->ctx, j->registry, &j->recorder.host, training,
                               &graph);

    if (!err)
        err = lam_model_build(model, graph, (int)j->batch);
    if (!err && training)
        err = lam_model_build_loss(model, graph, &loss);
    if (!err)
        err = lam_bench_run(&graph, j->queue, loss, NULL, NULL, &options,
                            &bench, &session);
    lam_bench_free(&bench);
    lam_session_destroy(session);
    lam_graph_destroy(graph);
    return err;
}

static int tune_model(struct job *j)
{
    int (*tune)(struct job *, struct lam_model *, bool) =
        j->is_gemm ? record_gemm : tune_graph;
    const bool both = strcmp(j->pass, "both") == 0;
    struct lam_model *model = NULL;
    int err = lam_model_load(j->ctx, j->model_file, j->sets, j->n_sets, &model);

    if (!err && (both || strcmp(j->pass, "train") == 0))
        err = tune(j, model, true);
    if (!err && (both || strcmp(j->pass, "infer") == 0))
        err = tune(j, model, false);
    lam_model_destroy(model);
    return err;
}

static int tune_gemm(struct job *j)
{
    int err;

    if (!lam_gemm_parameters(j->queue))
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--gemm: products of this device do not go through "
                        "CLBlast: processors have kernels of our own");
    lam_gemm_record(&j->recorder, &j->host);
    err = tune_model(j);
    return err ? err
               : lam_gemm_tune(j->queue, j->recorder.shapes, j->recorder.n,
                               &j->options, &j->gemm);
}

static void print_gemm(const struct job *j)
{
    const struct lam_gemm_result *r = &j->gemm;
    const char *path = lam_tuning_path(lam_queue_tuning(j->queue));

    printf(j->json ? "{\"known\": %s, \"measured\": %d, \"refused\": %d, "
                     "\"left\": %d, \"own_ms\": %.3f, \"ms\": %.3f, "
                     "\"parameters\": \"%s\", \"file\": \"%s\"}\n"
                   : "known before: %s; %d sets of parameters measured, %d "
                     "refused, %d left\nproducts took %.3f ms by CLBlast's own "
                     "and take %.3f ms with:\n%s\n%s\n",
           r->known ? (j->json ? "true" : "yes") : (j->json ? "false" : "no"),
           r->measured, r->refused, r->left, r->own_ms, r->ms, r->parameters,
           path);
}

static void print_result(const struct job *j)
{
    const struct lam_tune_result *r = &j->result;
    const char *path = lam_tuning_path(lam_queue_tuning(j->queue));

    printf(j->json
               ? "{\"measured\": %d, \"known\": %d, \"left\": %d, \"refused\": "
                 "%d, \"before_ms\": %.3f, \"after_ms\": %.3f, \"file\": "
                 "\"%s\"}\n"
               : "%d passes of layers measured, %d known before, %d left; %d "
                 "variants refused\n"
                 "those measured took %.1f ms by score and take %.1f ms now\n"
                 "%s\n",
           r->measured, r->known, r->left, r->refused, r->before_ms,
           r->after_ms, path);
}

static void print_list(const struct lam_tuning *tuning)
{
    for (int i = 0; i < lam_tuning_count(tuning); i++) {
        const struct lam_tuned *t = lam_tuning_at(tuning, i);

        printf("%s | %s | %s %s | %s %s ms | %s\n", t->layer, t->input, t->mode,
               t->pass, t->taken, t->ms, t->others);
    }
    printf("%s\n", lam_tuning_path(tuning));
}

static int check(struct job *j, const char *batch, const char *budget,
                 const char *repeats)
{
    int64_t n = 0;

    if (!lam_parse_int(batch, &j->batch) || j->batch < 1 || j->batch > 65536)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--batch is '%s', wanted 1 to 65536", batch);
    if (!lam_parse_real(budget, &j->options.budget_s) ||
        j->options.budget_s < 0)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--budget is '%s', wanted seconds, 0 for no limit",
                        budget);
    if (!lam_parse_int(repeats, &n) || n < 1 || n > 1000)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--repeats is '%s', wanted 1 to 1000", repeats);
    j->options.repeats = (int)n;
    if (strcmp(j->pass, "train") != 0 && strcmp(j->pass, "infer") != 0 &&
        strcmp(j->pass, "both") != 0)
        return lam_fail(j->ctx, LAM_EUSAGE,
                        "--pass is '%s', wanted train, infer or both", j->pass);
    return LAM_OK;
}

static int run(struct job *j, bool is_list, bool is_clear)
{
    struct lam_tuning *tuning;
    int err = open_device(j);

    if (err)
        return err;
    tuning = lam_queue_tuning(j->queue);
    if (is_clear) {
        lam_tuning_clear(tuning);
        err = lam_tuning_save(tuning);
    }
    if (!err && j->model_file && j->is_gemm) {
        err = tune_gemm(j);
        if (!err)
            print_gemm(j);
    } else if (!err && j->model_file) {
        err = tune_model(j);
        if (!err || err == LAM_EINTERRUPT)
            print_result(j);
    }
    if (!err && is_list)
        print_list(tuning);
    return err;
}

int cmd_tune(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina tune MODEL.yaml [--gemm] [options]\n"
        "       lamina tune --list | --clear\n"
        "Measures every kernel that can serve each layer of the model on this "
        "device,\nchecks it against the plain one, and keeps the fastest for "
        "all later runs.\nCtrl-C keeps what was measured.\n\n"
        "  lamina tune models/n16.yaml --batch 2\n"
        "  lamina train models/n16.yaml --data cases/ --explain\n";
    struct job j = {.ctx = ctx, .pass = "both"};
    const struct sigaction action = {.sa_handler = on_signal};
    const char *file[1] = {NULL}, *batch = "1", *budget = "600", *repeats = "7";
    int n, is_list = 0, is_clear = 0, err;
    const struct option_row rows[] = {
        {"--pass", "P", "train, infer or both (both)", NULL, &j.pass, NULL,
         NULL},
        {"--batch", "N", "images (1)", NULL, &batch, NULL, NULL},
        {"--budget", "S", "begin nothing more after S seconds (600)", NULL,
         &budget, NULL, NULL},
        {"--repeats", "N", "times each kernel is measured (7)", NULL, &repeats,
         NULL, NULL},
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         j.sets, &j.n_sets},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL,
         &j.device, NULL, NULL},
        {"--no-fuse", NULL, "the layers as written, merge none", &j.no_fuse,
         NULL, NULL, NULL},
        {"--gemm", NULL, "CLBlast's parameters for the model's products",
         &j.is_gemm, NULL, NULL, NULL},
        {"--variants", "LIST",
         "with --gemm: kernels of the run, conv2d=gemm,..", NULL, &j.variants,
         NULL, NULL},
        {"--list", NULL, "print what is known of the device", &is_list, NULL,
         NULL, NULL},
        {"--clear", NULL, "forget it first", &is_clear, NULL, NULL, NULL},
        {"--json", NULL, "the result as JSON", &j.json, NULL, NULL, NULL},
        {0}};
    bool done;

    err = options_parse(ctx, argc, argv, usage, rows, file, 1, &n, &done);
    if (err || done)
        return err;
    if (n == 0 && !is_list && !is_clear)
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted a model file, --list or --clear");
    j.model_file = file[0];
    j.options.quiet = !talk_shows_progress();
    err = check(&j, batch, budget, repeats);
    if (!err) {
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        ctx->interrupted = &interrupted;
        err = run(&j, is_list, is_clear);
    }
    lam_host_finish(&j.host);
    lam_queue_close(j.queue);
    lam_registry_destroy(j.registry);
    return err;
}
