// The charts of an experiment.
#include <math.h>
#include <stdlib.h>

#include "csv.h"
#include "experiment.h"
#include "file.h"
#include "svg.h"

enum { MAX_EPOCHS = 2000 };

// A score by epoch: mean, least and greatest over the seeds.
struct curve {
    double epoch[MAX_EPOCHS], mean[MAX_EPOCHS];
    double low[MAX_EPOCHS], high[MAX_EPOCHS];
    int seeds[MAX_EPOCHS];
    int n;
};

static int add_seed(const struct experiment *e, int r, int s, const char *score,
                    struct curve *c)
{
    char folder[1024], path[1100];
    struct lam_csv csv = {0};
    int column, epochs, err;

    experiment_folder(e, r, s, folder, sizeof(folder));
    snprintf(path, sizeof(path), "%s/metrics.csv", folder);
    err = lam_csv_read(e->ctx, path, &csv);
    column = err ? -1 : lam_csv_column(&csv, score);
    epochs = err ? -1 : lam_csv_column(&csv, "epoch");
    for (int i = 1; column >= 0 && i < csv.n_rows && i <= MAX_EPOCHS; i++) {
        const char *text = lam_csv_cell(&csv, i, column);
        const double v = strtod(text, NULL);
        const int k = i - 1;

        c->epoch[k] = strtod(lam_csv_cell(&csv, i, epochs), NULL);
        c->n = c->n > i ? c->n : i;
        if (!text[0])
            continue;
        c->low[k] = c->seeds[k] && c->low[k] < v ? c->low[k] : v;
        c->high[k] = c->seeds[k] && c->high[k] > v ? c->high[k] : v;
        c->mean[k] += (v - c->mean[k]) / ++c->seeds[k];
    }
    lam_csv_free(&csv);
    return err;
}

static int write_curves(const struct experiment *e, const char *name,
                        const char *score, const char *title)
{
    struct curve *curves = calloc((size_t)e->n_runs, sizeof(*curves));
    struct lam_series series[EXPERIMENT_MAX_RUNS];
    const struct lam_chart chart = {title, "epoch", "validation", 0,
                                    1,     series,  e->n_runs};
    char path[1100];
    FILE *file;
    int err = curves ? LAM_OK : lam_fail(e->ctx, LAM_EMEMORY, "out of memory");

    for (int r = 0; r < e->n_runs && !err; r++) {
        struct curve *c = &curves[r];

        for (int s = 0; s < e->n_seeds && !err; s++)
            if (experiment_result(e, r, s)->n)
                err = add_seed(e, r, s, score, c);
        for (int k = 0; k < c->n; k++)
            if (!c->seeds[k])
                c->mean[k] = c->low[k] = c->high[k] = NAN;
        series[r] = (struct lam_series){e->runs[r].name, c->epoch, c->mean,
                                        c->low,          c->high,  c->n};
    }
    file = err ? NULL : experiment_create(e, name, path, sizeof(path));
    if (file) {
        lam_svg_lines(file, &chart);
        err = lam_file_close(e->ctx, file, path);
    }
    free(curves);
    return e->ctx->code ? e->ctx->code : err;
}

static int write_dots(const struct experiment *e, const char *name,
                      const char *number, double factor, const char *title)
{
    double values[EXPERIMENT_MAX_RUNS][EXPERIMENT_MAX_SEEDS];
    struct lam_dots rows[EXPERIMENT_MAX_RUNS];
    char path[1100];
    FILE *file = experiment_create(e, name, path, sizeof(path));

    if (!file)
        return e->ctx->code;
    for (int r = 0; r < e->n_runs; r++) {
        rows[r] = (struct lam_dots){e->runs[r].name, values[r], e->n_seeds};
        for (int s = 0; s < e->n_seeds; s++)
            values[r][s] = factor * experiment_value(e, r, s, number);
    }
    lam_svg_dots(file, title, rows, e->n_runs);
    return lam_file_close(e->ctx, file, path);
}

// Of the first period.
static int write_checkerboard(const struct experiment *e, const char *state,
                              const char *when)
{
    const int period = atoi(e->periods);
    char name[64], number[64], title[100];

    snprintf(name, sizeof(name), "checkerboard-%s.svg", state);
    snprintf(number, sizeof(number), "output_%s_phase_%d", state, period);
    snprintf(title, sizeof(title),
             "output %s training: variance of period %d, %%", when, period);
    return write_dots(e, name, number, 100, title);
}

int experiment_charts(const struct experiment *e)
{
    int err = write_curves(e, "dice.svg", "val_dice", "validation Dice");

    if (!err)
        err = write_curves(e, "precision.svg", "val_precision",
                           "validation precision");
    if (!err)
        err = write_curves(e, "recall.svg", "val_recall", "validation recall");
    if (!err)
        err = write_dots(e, "test-dice.svg", "dice", 1, "test Dice");
    if (!err && e->periods)
        err = write_checkerboard(e, "first", "before");
    if (!err && e->periods)
        err = write_checkerboard(e, "trained", "after");
    return err;
}
