// One run of an experiment: training, evaluation and what else is measured,
// each in a process of its own, so that time and memory are its own and a crash
// stops nothing but itself.
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "blueprint.h"
#include "child.h"
#include "csv.h"
#include "experiment.h"

// `lamina` itself, which must end well.
static int run_lamina(struct lam_context *ctx, struct child *c)
{
    int err = child_run(ctx, c);

    if (err || c->ended == 0)
        return err;
    if (c->ended == 130)
        return lam_fail(ctx, LAM_EINTERRUPT, "interrupted");
    return lam_fail(ctx, LAM_ERUN, "lamina %s ended with %s %d", c->words[1],
                    c->ended < CHILD_SIGNAL ? "exit code" : "signal",
                    c->ended % CHILD_SIGNAL);
}

static bool is_there(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

static const char *file_in(const char *folder, const char *name, char *text,
                           size_t size)
{
    snprintf(text, size, "%s/%s", folder, name);
    return text;
}

// The settings of a run, as words of a command and as a plain list.
static void add_sets(const struct experiment *e, int r, const char *seed,
                     struct child *c)
{
    for (int i = 0; i < e->n_sets; i++)
        child_add_option(c, "--set", e->sets[i]);
    for (int i = 0; i < e->runs[r].n_sets; i++)
        child_add_option(c, "--set", e->runs[r].sets[i]);
    child_add_option(c, "--set", seed);
}

static int train(const struct experiment *e, int r, int s, const char *folder,
                 double *peak)
{
    struct child c = {.program = "/proc/self/exe", .out = "/dev/null"};
    char seed[32], last[1200];
    int err;

    snprintf(seed, sizeof(seed), "train.seed=%d", e->seeds[s]);
    child_add(&c, "lamina");
    child_add(&c, "train");
    if (is_there(file_in(folder, "last.safetensors", last, sizeof(last)))) {
        child_add_option(&c, "--resume", folder);
    } else {
        child_add(&c, e->model);
        child_add_option(&c, "--data", e->data);
        child_add_option(&c, "--run", folder);
        add_sets(e, r, seed, &c);
    }
    child_add_option(&c, "--device", e->device);
    err = run_lamina(e->ctx, &c);
    *peak = c.peak_bytes;
    return err;
}

static int evaluate(const struct experiment *e, const char *folder,
                    const char *csv)
{
    struct child c = {.program = "/proc/self/exe", .out = "/dev/null"};

    child_add(&c, "lamina");
    child_add(&c, "evaluate");
    child_add(&c, folder);
    child_add_option(&c, "--csv", csv);
    child_add_option(&c, "--device", e->device);
    return run_lamina(e->ctx, &c);
}

static int checkerboard(const struct experiment *e, const char *folder,
                        const char *csv)
{
    struct child c = {.program = "/proc/self/exe", .out = csv};
    char pictures[1200];

    child_add(&c, "lamina");
    child_add(&c, "checkerboard");
    child_add(&c, folder);
    child_add(&c, "--csv");
    child_add_option(&c, "--periods", e->periods);
    child_add_option(
        &c, "--pictures",
        file_in(folder, "checkerboard", pictures, sizeof(pictures)));
    child_add_option(&c, "--device", e->device);
    return run_lamina(e->ctx, &c);
}

static double number(const struct lam_csv *csv, int row, const char *column)
{
    const int i = lam_csv_column(csv, column);

    return i < 0 ? 0.0 : strtod(lam_csv_cell(csv, row, i), NULL);
}

// Means over the images, and scores of all pixels together.
static int read_images(struct lam_context *ctx, const char *path,
                       struct experiment_result *result)
{
    double dice = 0.0, tp = 0.0, fp = 0.0, fn = 0.0;
    struct lam_csv csv = {0};
    int err = lam_csv_read(ctx, path, &csv);

    for (int i = 1; i < csv.n_rows && !err; i++) {
        dice += number(&csv, i, "dice") / (csv.n_rows - 1);
        tp += number(&csv, i, "tp");
        fp += number(&csv, i, "fp");
        fn += number(&csv, i, "fn");
    }
    if (!err) {
        experiment_put(result, "dice", dice);
        experiment_put(result, "pooled_dice", 2 * tp / (2 * tp + fp + fn));
        experiment_put(result, "iou", tp / (tp + fp + fn));
        experiment_put(result, "precision", tp + fp > 0 ? tp / (tp + fp) : 0.0);
        experiment_put(result, "recall", tp / (tp + fn));
    }
    lam_csv_free(&csv);
    return err;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

// The best validation, and the time of an image in the median epoch.
static int read_epochs(struct lam_context *ctx, const char *path,
                       struct experiment_result *result)
{
    struct lam_csv csv = {0};
    double *times, best = 0.0;
    int n = 0, err = lam_csv_read(ctx, path, &csv);

    if (err)
        return err;
    times = malloc(sizeof(*times) * (size_t)csv.n_rows);
    if (!times) {
        lam_csv_free(&csv);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    for (int i = 1; i < csv.n_rows; i++) {
        const double rate = number(&csv, i, "images_per_s");
        const double dice = number(&csv, i, "val_dice");

        if (!(rate > 0.0)) // before the first step
            continue;
        times[n++] = 1e3 / rate;
        best = dice > best ? dice : best;
    }
    qsort(times, (size_t)n, sizeof(*times), compare);
    experiment_put(result, "val_dice", best);
    experiment_put(result, "ms_per_image", n ? times[n / 2] : 0.0);
    free(times);
    lam_csv_free(&csv);
    return LAM_OK;
}

static int read_checkerboard(struct lam_context *ctx, const char *path,
                             struct experiment_result *result)
{
    struct lam_csv csv = {0};
    int err = lam_csv_read(ctx, path, &csv);

    for (int i = 1; i < csv.n_rows && !err; i++) {
        const char *map = lam_csv_cell(&csv, i, 0);
        const char *state = lam_csv_cell(&csv, i, 1);

        for (int k = 0; k < 2; k++) {
            const char *what = k ? "spectral" : "phase";
            char name[48];

            snprintf(name, sizeof(name), "%s_%s_%s_%s",
                     strcmp(map, "output") == 0 ? "output" : "gradient",
                     strcmp(state, "trained") == 0 ? "trained" : "first", what,
                     lam_csv_cell(&csv, i, 2));
            experiment_put(result, name, number(&csv, i, what));
        }
    }
    lam_csv_free(&csv);
    return err;
}

// Parameters and multiply-adds of one image, which need no device.
static int read_size(const struct experiment *e, int r,
                     struct experiment_result *result)
{
    const char *sets[2 * EXPERIMENT_MAX_SETS];
    struct blueprint b;
    double macs = 0.0;
    int n = 0, err;

    for (int i = 0; i < e->n_sets; i++)
        sets[n++] = e->sets[i];
    for (int i = 0; i < e->runs[r].n_sets; i++)
        sets[n++] = e->runs[r].sets[i];
    err = blueprint_open(e->ctx, e->model, sets, n, 2, &b);
    if (!err) {
        for (int i = 0; i < b.graph->n_nodes; i++)
            macs += b.graph->nodes[i].shapes.macs / 2.0;
        experiment_put(result, "parameters",
                       (double)lam_graph_parameters(b.graph, false));
        experiment_put(result, "gmacs", macs / 1e9);
    }
    blueprint_close(&b);
    return err;
}

int experiment_run(struct experiment *e, int r, int s)
{
    struct experiment_result *done = experiment_result(e, r, s), result = {0};
    char folder[1024], images[1100], grids[1100], epochs[1100];
    double peak = 0.0;
    int err;

    if (done->n)
        return LAM_OK;
    experiment_folder(e, r, s, folder, sizeof(folder));
    file_in(folder, "images.csv", images, sizeof(images));
    file_in(folder, "checkerboard.csv", grids, sizeof(grids));
    file_in(folder, "metrics.csv", epochs, sizeof(epochs));
    err = train(e, r, s, folder, &peak);
    if (!err)
        err = evaluate(e, folder, images);
    if (!err && e->periods)
        err = checkerboard(e, folder, grids);
    if (!err)
        err = read_images(e->ctx, images, &result);
    if (!err)
        err = read_epochs(e->ctx, epochs, &result);
    if (!err)
        err = read_size(e, r, &result);
    if (!err)
        experiment_put(&result, "peak_mib", peak / (1 << 20));
    if (!err && e->periods)
        err = read_checkerboard(e->ctx, grids, &result);
    if (err)
        return err;
    *done = result;
    return experiment_write(e, r, s);
}
