// lamina train - trains a model on a data set.
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd.h"
#include "json.h"
#include "memory_json.h"
#include "param.h"
#include "ranks.h"
#include "run_folder.h"
#include "talk.h"
#include "train_devices.h"

static volatile int interrupted;
static volatile time_t interrupted_at;
static sigset_t awaited;

// The second time the process ends at once; launchers may give one signal
// twice.
static void on_signal(int number)
{
    struct timespec now;

    (void)number;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (interrupted && now.tv_sec > interrupted_at + 1)
        _exit(130);
    if (!interrupted)
        interrupted_at = now.tv_sec;
    interrupted = 1;
}

static void *await_signals(void *data)
{
    int number;

    (void)data;
    while (!sigwait(&awaited, &number))
        on_signal(number);
    return NULL;
}

// A thread of its own takes them. The compiler in OpenCL drivers (LLVM) puts
// handlers in the place of others; one that is used once, so that of two
// signals at a time the second would end the process.
static void catch_signals(struct lam_context *ctx)
{
    struct sigaction action = {.sa_handler = on_signal};
    pthread_t thread;

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigemptyset(&awaited);
    sigaddset(&awaited, SIGINT);
    sigaddset(&awaited, SIGTERM);
    // All threads that start from now on have the same mask.
    pthread_sigmask(SIG_BLOCK, &awaited, NULL);
    if (pthread_create(&thread, NULL, await_signals, NULL))
        pthread_sigmask(SIG_UNBLOCK, &awaited, NULL);
    else
        pthread_detach(thread);
    signal(SIGXFSZ, SIG_IGN);
    ctx->interrupted = &interrupted;
}

static int check(struct lam_context *ctx, struct lam_train_options *o,
                 const char *timeout)
{
    if (!o->resume && (!o->model || !o->data))
        return lam_fail(ctx, LAM_EUSAGE,
                        "wanted a model file and --data PATH "
                        "(or --resume RUN)");
    if (o->resume && strcmp(o->resume, "auto") == 0) {
        if (!o->model || !o->data || !o->run)
            return lam_fail(ctx, LAM_EUSAGE,
                            "--resume auto wants a model file, --data and "
                            "--run");
    } else if (o->resume && (o->model || o->run || o->init))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--resume goes with neither a model file, --run nor "
                        "--init: the run has them");
    if (!o->init && (o->init_map || o->n_include || o->n_exclude))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--map, --include and --exclude go with --init");
    if (timeout &&
        (!lam_parse_real(timeout, &o->timeout_s) || o->timeout_s <= 0))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--timeout is '%s', wanted seconds above 0", timeout);
    return LAM_OK;
}

// --resume auto: goes on with --run where it has a checkpoint, else starts it.
// Rank 0 looks, before it makes one.
static int choose_resume(struct lam_train_options *o)
{
    char path[1100];
    int32_t is_there = 0;
    int err = LAM_OK;

    if (!o->resume || strcmp(o->resume, "auto") != 0)
        return LAM_OK;
    is_there =
        access(lam_run_file(o->run, "last.safetensors", path, sizeof(path)),
               F_OK) == 0;
    if (o->ranks)
        err =
            lam_collective_broadcast(o->ranks, 0, &is_there, sizeof(is_there));
    o->resume = is_there ? o->run : NULL;
    if (is_there)
        o->model = o->run = o->init = NULL;
    return err;
}

// One of several processes takes the device of its place on the machine.
static int train(struct lam_context *ctx, struct lam_train_options *o)
{
    char item[200];
    int n_items = 0, err = choose_resume(o);

    if (err)
        return err;
    if (!o->ranks)
        return o->device && strchr(o->device, ',') ? lam_train_devices(ctx, o)
                                                   : lam_train(ctx, o);
    o->nth_device = o->ranks->place.local_rank;
    while (o->device && lam_device_item(o->device, n_items, item, sizeof(item),
                                        &o->nth_device))
        n_items++;
    if (n_items) {
        lam_device_item(o->device, o->ranks->place.local_rank % n_items, item,
                        sizeof(item), &o->nth_device);
        o->nth_device += o->ranks->place.local_rank / n_items;
        o->device = item;
    }
    o->quiet = o->quiet || o->ranks->place.rank;
    return lam_train(ctx, o);
}

// Started by mpirun or srun: all that is to be said once is said by rank 0.
static int train_as_rank(struct lam_context *ctx,
                         const struct lam_train_options *o, int status)
{
    struct lam_train_options own = *o;
    struct lam_collective ranks;
    const int err = ranks_open(ctx, &ranks);

    if (err)
        return err;
    if (o->timeout_s > 0)
        ranks.timeout_s = o->timeout_s;
    own.ranks = &ranks;
    status = lam_collective_agree(&ranks, status);
    if (!status)
        status = train(ctx, &own);
    ranks_close(&ranks, status);
    return status;
}

static void print_plan(const struct lam_train_plan *p)
{
    const int64_t first = p->first_step, per_epoch = p->steps_per_epoch;
    char memory[200];

    printf("%s: %d layers, %" PRId64 " parameters\n", p->model, p->layers,
           p->parameters);
    printf("data: %d train, %d val, %d test\n", p->n_train, p->n_val,
           p->n_test);
    printf("steps: %" PRId64 " to %" PRId64 ", %" PRId64
           " an epoch, of %d images",
           first + 1, p->steps, per_epoch, p->batch);
    if (p->micro_batch < p->batch)
        printf(" in micro-batches of %d", p->micro_batch);
    printf("\n%s\n", lam_memory_text(&p->memory, memory, sizeof(memory)));
    printf("device: %s\nnothing was done: --dry-run\n",
           p->device[0] ? p->device : "none");
}

static void plan_json(const struct lam_train_plan *p)
{
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_text(&j, "model", p->model);
    lam_json_int(&j, "layers", p->layers);
    lam_json_int(&j, "parameters", p->parameters);
    lam_json_int(&j, "n_train", p->n_train);
    lam_json_int(&j, "n_val", p->n_val);
    lam_json_int(&j, "n_test", p->n_test);
    lam_json_int(&j, "batch", p->batch);
    lam_json_int(&j, "micro_batch", p->micro_batch);
    lam_json_int(&j, "first_step", p->first_step);
    lam_json_int(&j, "steps", p->steps);
    lam_json_int(&j, "steps_per_epoch", p->steps_per_epoch);
    memory_json(&j, "memory", &p->memory);
    lam_json_text(&j, "device", p->device[0] ? p->device : NULL);
    lam_json_end(&j);
}

static int plan(struct lam_context *ctx, struct lam_train_options *o,
                bool is_json)
{
    struct lam_train_plan p = {0};
    int err;

    if (o->ranks || (o->device && strchr(o->device, ',')))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--dry-run looks at one device, not at several");
    err = choose_resume(o);
    o->plan = &p;
    if (!err)
        err = lam_train(ctx, o);
    o->plan = NULL;
    if (!err && is_json)
        plan_json(&p);
    else if (!err)
        print_plan(&p);
    return err;
}

int cmd_train(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina train MODEL.yaml --data PATH [options]\n"
        "       lamina train --resume RUN [--set train.epochs=N]\n"
        "       mpirun -n N lamina train ..\n"
        "Trains into a run folder: best and last checkpoint, metrics.csv, "
        "overlays.\nCtrl-C finishes the step, saves and exits 130.\n\n"
        "  lamina train models/unet-small.yaml --data phantom:60:128:1\n"
        "  lamina train models/unet-small.yaml --data nuclei/ --set "
        "up.kind=transpose\n";
    const char *include[64], *exclude[64];
    const char *sets[64], *model[1] = {NULL}, *timeout = NULL;
    char command[2000] = "lamina";
    struct lam_train_options o = {
        .sets = sets, .include = include, .exclude = exclude};
    int n, explain = 0, tensorboard = 0, dry_run = 0, is_json = 0, no_fuse = 0,
           no_tuning = 0, err;
    const struct option_row rows[] = {
        {"--data", "PATH", "folder, manifest or phantom:COUNT:SIZE:SEED", NULL,
         &o.data, NULL, NULL},
        {"--set", "NAME.KEY=VALUE", "override, may be repeated", NULL, NULL,
         sets, &o.n_sets},
        {"--run", "DIR", "run folder (runs/NAME-1, -2, ..)", NULL, &o.run, NULL,
         NULL},
        {"--resume", "RUN", "go on with a run, exactly; auto: --run, if it is",
         NULL, &o.resume, NULL, NULL},
        {"--init", "FILE", "take weights that fit from a safetensors file",
         NULL, &o.init, NULL, NULL},
        {"--map", "FILE", "their names there: YAML, weights: {OURS: THEIRS}",
         NULL, &o.init_map, NULL, NULL},
        {"--include", "PATTERN", "only these weights from --init", NULL, NULL,
         include, &o.n_include},
        {"--exclude", "PATTERN", "not these weights from --init", NULL, NULL,
         exclude, &o.n_exclude},
        {"--device", "D", "gpu, cpu, number, part of a name; several: 0,1",
         NULL, &o.device, NULL, NULL},
        {"--variants", "LIST", "force kernels: conv2d=plain,..", NULL,
         &o.variants, NULL, NULL},
        {"--no-fuse", NULL, "run the layers as written, merge none", &no_fuse,
         NULL, NULL, NULL},
        {"--no-tuning", NULL, "ignore what lamina tune has measured",
         &no_tuning, NULL, NULL, NULL},
        {"--tensorboard", NULL, "write the metrics for TensorBoard as well",
         &tensorboard, NULL, NULL, NULL},
        {"--dry-run", NULL,
         "read all, print the plan, do nothing; needs no "
         "device",
         &dry_run, NULL, NULL, NULL},
        {"--json", NULL, "the plan of --dry-run for programs", &is_json, NULL,
         NULL, NULL},
        {"--explain", NULL, "print which kernels were taken and why", &explain,
         NULL, NULL, NULL},
        {"--timeout", "S", "give a hung device up after S seconds (300)", NULL,
         &timeout, NULL, NULL},
        {0}};
    bool done, is_rank;

    err = options_parse(ctx, argc, argv, usage, rows, model, 1, &n, &done);
    if (err || done)
        return err;
    o.model = n ? model[0] : NULL;
    err = check(ctx, &o, timeout);
    for (int i = 0; i < argc; i++) {
        const size_t used = strlen(command);

        snprintf(command + used, sizeof(command) - used, " %s", argv[i]);
    }
    o.command = command;
    o.quiet = !talk_shows_progress();
    o.explain = explain;
    o.tensorboard = tensorboard;
    o.no_fuse = no_fuse;
    o.no_tuning = no_tuning;
    if (!ctx->code && is_json && !dry_run)
        return lam_fail(ctx, LAM_EUSAGE, "--json goes with --dry-run");
    if (!ctx->code && dry_run)
        return plan(ctx, &o, is_json);
    is_rank = ranks_started(ctx);
    catch_signals(ctx);
    if (is_rank)
        return train_as_rank(ctx, &o, err);
    return ctx->code ? ctx->code : train(ctx, &o);
}
