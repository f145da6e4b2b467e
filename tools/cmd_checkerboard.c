// lamina checkerboard - measures what strided layers leave in a network's
// output and in the gradient of its input, before and after training.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkerboard.h"
#include "cmd.h"
#include "mosaic.h"
#include "trained.h"

enum { MAX_PERIODS = 8, N_MAPS = 2, N_STATES = 2 };

static const char *const map_names[N_MAPS] = {"output", "input gradient"};
static const char *const state_names[N_STATES] = {"at first", "trained"};

struct job {
    struct lam_context *ctx;
    struct lam_trained trained;
    struct lam_dataset *dataset;
    struct lam_loader *loader;
    struct lam_host host;
    struct lam_graph *graph;
    struct lam_session *session;
    int input, target, logits; // values
    int batch, height, width;
    int periods[MAX_PERIODS], n_periods;
    const char *pictures;
    // Means over the batch.
    struct lam_checkerboard found[N_STATES][N_MAPS][MAX_PERIODS];
};

// The network as it is trained, so that its loss gives a gradient; batch norm
// takes the batch's own statistics, as there are no others at first.
static int open_session(struct job *j)
{
    struct lam_session_options options = {
        .training = 1, .want_input_grad = true, .keep_all = true};
    struct lam_model *model = j->trained.model;
    const char *name = lam_model_input(model, &j->height, &j->width);
    int err = lam_host_init(&j->host, j->ctx, j->trained.queue, LAM_F32);

    if (!err)
        err = lam_graph_create(j->ctx, j->trained.registry, &j->host, 1,
                               &j->graph);
    if (!err)
        err = lam_model_build(model, j->graph, j->batch);
    if (!err)
        err = lam_model_build_loss(model, j->graph, &options.loss);
    if (err)
        return err;
    j->input = lam_graph_find(j->graph, name);
    j->target = lam_graph_find(j->graph, "target");
    for (int i = 0; i < j->graph->n_nodes && !j->logits; i++)
        if (j->graph->nodes[i].layer.type->kind == LAM_KIND_LOSS)
            j->logits = j->graph->nodes[i].in[0];
    return lam_session_create(j->graph, j->trained.queue, &options,
                              &j->session);
}

// Centre crops of the first images, as they are.
static int write_batch(struct job *j)
{
    const size_t n = (size_t)j->batch * (size_t)j->height * (size_t)j->width;
    const struct lam_loader_options options = {
        .batch = j->batch,
        .height = j->height,
        .width = j->width,
        .seed = j->trained.checkpoint.progress.seed,
        .end_step = 1,
        .intensity = j->trained.checkpoint.intensity};
    float *images = malloc(n * sizeof(*images));
    float *masks = malloc(n * sizeof(*masks));
    int err = images && masks
                  ? lam_loader_open(j->dataset, &options, &j->loader)
                  : lam_fail(j->ctx, LAM_EMEMORY, "out of memory");

    if (!err)
        err = lam_loader_next(j->loader, images, masks);
    if (!err)
        err = lam_session_write(j->session, j->input, images);
    if (!err)
        err = lam_session_write(j->session, j->target, masks);
    free(images);
    free(masks);
    return err;
}

static int write_picture(struct job *j, int state, int map, const float *data,
                         int height, int width)
{
    char path[1200];

    mkdir(j->pictures, 0777);
    snprintf(path, sizeof(path), "%s/%s-%s.png", j->pictures,
             map ? "gradient" : "output", state ? "trained" : "first");
    return lam_mosaic_write(j->ctx, path, data, 1, height, width);
}

// data: [batch, channels, height, width]. With two channels or more their
// difference to the first one is what decides.
static int measure(struct job *j, int state, int map, float *data,
                   const struct lam_shape *shape)
{
    const int channels = (int)shape->dim[1], height = (int)shape->dim[2];
    const int width = (int)shape->dim[3];
    const size_t n = (size_t)height * (size_t)width;
    int err = LAM_OK;

    for (int b = 0; b < j->batch && !err; b++) {
        float *at = data + (size_t)b * (size_t)channels * n;

        for (size_t i = 0; i < n && channels > 1; i++)
            at[i] = at[n + i] - at[i];
        for (int k = 0; k < j->n_periods; k++) {
            const struct lam_checkerboard c =
                lam_checkerboard_measure(at, height, width, j->periods[k]);

            j->found[state][map][k].phase += c.phase / j->batch;
            j->found[state][map][k].spectral += c.spectral / j->batch;
        }
        if (b == 0 && j->pictures)
            err = write_picture(j, state, map, at, height, width);
    }
    return err;
}

static int measure_state(struct job *j, int state)
{
    const int values[N_MAPS] = {j->logits, j->input};
    int err = lam_session_forward(j->session, 1);

    if (!err)
        err = lam_session_backward(j->session, 1.0, true);
    for (int m = 0; m < N_MAPS && !err; m++) {
        const struct lam_shape *shape = &j->graph->values[values[m]].shape;
        float *data = malloc(sizeof(*data) * (size_t)lam_elements(shape));

        if (!data)
            return lam_fail(j->ctx, LAM_EMEMORY, "out of memory");
        if (shape->rank != 4)
            err = lam_fail(j->ctx, LAM_EMODEL, "the network makes no image");
        else if (m == 0)
            err = lam_session_read(j->session, values[m], data);
        else
            err = lam_session_read_grad(j->session, values[m], data);
        if (!err)
            err = measure(j, state, m, data, shape);
        free(data);
    }
    return err;
}

static void print_rows(const struct job *j, bool is_csv)
{
    printf(is_csv ? "map,state,period,phase,spectral\n"
                  : "%-16s %-9s %7s %11s %9s\n",
           "", "", "period", "phase", "spectral");
    for (int m = 0; m < N_MAPS; m++)
        for (int s = 0; s < N_STATES; s++)
            for (int k = 0; k < j->n_periods; k++)
                printf(is_csv ? "%s,%s,%d,%.8f,%.6g\n"
                              : "%-16s %-9s %7d %10.4f%% %9.2f\n",
                       map_names[m], state_names[s], j->periods[k],
                       (is_csv ? 1.0 : 100.0) * j->found[s][m][k].phase,
                       j->found[s][m][k].spectral);
}

static int run(struct job *j, const char *path, const char *data,
               const char *device, bool is_csv)
{
    int err = lam_trained_open(j->ctx, path, device, true, &j->trained);

    if (!err)
        err = lam_dataset_open(j->ctx, data ? data : j->trained.checkpoint.data,
                               &j->dataset);
    if (!err)
        err = open_session(j);
    if (!err)
        err = write_batch(j);
    if (!err)
        err = lam_session_init(j->session, j->trained.checkpoint.progress.seed);
    if (!err)
        err = measure_state(j, 0);
    if (!err)
        err = lam_checkpoint_restore(&j->trained.checkpoint, j->session,
                                     j->graph, NULL);
    if (!err)
        err = measure_state(j, 1);
    if (!err)
        print_rows(j, is_csv);
    return err;
}

static int parse_periods(struct job *j, const char *text)
{
    while (*text) {
        char *end;
        const long period = strtol(text, &end, 10);

        if (end == text || period < 2 || period > 64 ||
            j->n_periods == MAX_PERIODS || (*end && *end != ','))
            return lam_fail(j->ctx, LAM_EUSAGE,
                            "--periods is '%s', wanted up to %d numbers from 2 "
                            "to 64, as 2,4,8",
                            text, MAX_PERIODS);
        j->periods[j->n_periods++] = (int)period;
        text = *end ? end + 1 : end;
    }
    return LAM_OK;
}

int cmd_checkerboard(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina checkerboard CHECKPOINT|RUN [--periods 2,4,8]\n"
        "Measures how much of the network's output and of the gradient of its "
        "input repeats\nwith a period, with the weights it started from and "
        "with those it has now. phase:\nthe share of the variance that a "
        "pixel's place in the grid explains; spectral: the\nenergy at the "
        "grid's frequencies by that around them, 1 where nothing repeats.\n";
    const char *data = NULL, *device = NULL, *periods = "2,4,8", *rest[1];
    struct job job = {.ctx = ctx, .batch = 8};
    int is_csv = 0, n_rest;
    const struct option_row rows[] = {
        {"--data", "PATH", "the data set (the one trained on)", NULL, &data,
         NULL, NULL},
        {"--periods", "LIST", "of the layers' strides and their products", NULL,
         &periods, NULL, NULL},
        {"--pictures", "DIR", "write both maps of the first image", NULL,
         &job.pictures, NULL, NULL},
        {"--csv", NULL, "a row per map, state and period", &is_csv, NULL, NULL,
         NULL},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {0}};
    bool done;
    int err =
        options_parse(ctx, argc, argv, usage, rows, rest, 1, &n_rest, &done);

    if (!err && !done && n_rest != 1)
        err =
            lam_fail(ctx, LAM_EUSAGE,
                     "a run or a checkpoint is wanted; lamina checkerboard -h "
                     "explains");
    if (!err && !done)
        err = parse_periods(&job, periods);
    if (!err && !done)
        err = run(&job, rest[0], data, device, is_csv);
    lam_session_destroy(job.session);
    lam_graph_destroy(job.graph);
    lam_loader_close(job.loader);
    lam_dataset_close(job.dataset);
    lam_host_finish(&job.host);
    lam_trained_close(&job.trained);
    return err;
}
