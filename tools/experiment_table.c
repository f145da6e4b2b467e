// The tables of an experiment.
#include <math.h>
#include <string.h>

#include "experiment.h"
#include "file.h"

static double value_of(const struct experiment_result *result, const char *name)
{
    for (int i = 0; i < result->n; i++)
        if (strcmp(result->numbers[i].name, name) == 0)
            return result->numbers[i].value;
    return NAN;
}

static FILE *create(const struct experiment *e, const char *name, char *path,
                    size_t size)
{
    snprintf(path, size, "%s/%s", e->out, name);
    return lam_file_create(e->ctx, path);
}

static int write_csv(const struct experiment *e)
{
    struct experiment_result result;
    bool has_header = false, is_done;
    char path[1100];
    FILE *file = create(e, "results.csv", path, sizeof(path));
    int err = file ? LAM_OK : e->ctx->code;

    for (int r = 0; r < e->n_runs && !err; r++)
        for (int s = 0; s < e->n_seeds && !err; s++) {
            err = experiment_run(e, r, s, true, &result, &is_done);
            if (err || !is_done)
                continue;
            if (!has_header) {
                fprintf(file, "run,seed");
                for (int i = 0; i < result.n; i++)
                    fprintf(file, ",%s", result.numbers[i].name);
                fprintf(file, "\n");
                has_header = true;
            }
            fprintf(file, "%s,%d", e->runs[r].name, e->seeds[s]);
            for (int i = 0; i < result.n; i++)
                fprintf(file, ",%.10g", result.numbers[i].value);
            fprintf(file, "\n");
        }
    return file && !err ? lam_file_close(e->ctx, file, path) : err;
}

// Mean and sample standard deviation over the seeds that are done.
struct spread {
    double mean, deviation;
    int n;
};

static int spread_of(const struct experiment *e, int r, const char *name,
                     struct spread *spread)
{
    double sum = 0.0, squares = 0.0;
    int err = LAM_OK;

    *spread = (struct spread){0};
    for (int s = 0; s < e->n_seeds && !err; s++) {
        struct experiment_result result;
        bool is_done;
        double v;

        err = experiment_run(e, r, s, true, &result, &is_done);
        v = err || !is_done ? NAN : value_of(&result, name);
        if (isnan(v))
            continue;
        spread->n++;
        sum += v;
        squares += v * v;
    }
    if (spread->n) {
        const double mean = sum / spread->n;
        const double rest = squares - sum * mean;

        spread->mean = mean;
        spread->deviation =
            spread->n > 1 && rest > 0.0 ? sqrt(rest / (spread->n - 1)) : 0.0;
    }
    return err;
}

// Columns of the readable table; those that no run has are left out. `factor`
// makes shares percentages.
static const struct column {
    const char *name, *title;
    double factor;
    int digits;
    bool has_spread;
} columns[] = {
    {"dice", "test Dice", 1, 3, true},
    {"iou", "pooled IoU", 1, 3, true},
    {"precision", "precision", 1, 3, true},
    {"recall", "recall", 1, 3, true},
    {"parameters", "parameters", 1, 0, false},
    {"gmacs", "GMACs", 1, 3, false},
    {"ms_per_image", "ms an image", 1, 1, true},
    {"peak_mib", "peak MiB", 1, 0, true},
    {"output_first_phase_2", "output at first, 2, %", 100, 2, true},
    {"output_trained_phase_2", "trained, 2, %", 100, 2, true},
    {"output_first_phase_8", "at first, 8, %", 100, 2, true},
    {"output_trained_phase_8", "trained, 8, %", 100, 2, true},
    {"gradient_first_phase_2", "gradient at first, 2, %", 100, 3, true},
    {"gradient_trained_phase_2", "trained, 2, %", 100, 3, true},
};
enum { N_COLUMNS = sizeof(columns) / sizeof(columns[0]) };

static int write_row(const struct experiment *e, FILE *file, int r,
                     const bool *has)
{
    struct spread s;
    int err = spread_of(e, r, columns[0].name, &s);

    if (err || s.n == 0)
        return err;
    fprintf(file, "| %s | %d |", e->runs[r].name, s.n);
    for (int c = 0; c < N_COLUMNS && !err; c++) {
        if (!has[c])
            continue;
        err = spread_of(e, r, columns[c].name, &s);
        fprintf(file, " %.*f", columns[c].digits, columns[c].factor * s.mean);
        if (columns[c].has_spread && s.n > 1)
            fprintf(file, " ± %.*f", columns[c].digits,
                    columns[c].factor * s.deviation);
        fprintf(file, " |");
    }
    fprintf(file, "\n");
    return err;
}

static int write_markdown(const struct experiment *e)
{
    bool has[N_COLUMNS] = {false};
    char path[1100];
    FILE *file = create(e, "results.md", path, sizeof(path));
    int err = file ? LAM_OK : e->ctx->code;

    for (int c = 0; c < N_COLUMNS && !err; c++)
        for (int r = 0; r < e->n_runs && !err; r++) {
            struct spread s;

            err = spread_of(e, r, columns[c].name, &s);
            has[c] |= s.n > 0;
        }
    if (!err) {
        fprintf(file, "| run | seeds |");
        for (int c = 0; c < N_COLUMNS; c++)
            if (has[c])
                fprintf(file, " %s |", columns[c].title);
        fprintf(file, "\n| --- | --- |");
        for (int c = 0; c < N_COLUMNS; c++)
            if (has[c])
                fprintf(file, " --- |");
        fprintf(file, "\n");
    }
    for (int r = 0; r < e->n_runs && !err; r++)
        err = write_row(e, file, r, has);
    return file && !err ? lam_file_close(e->ctx, file, path) : err;
}

int experiment_tables(const struct experiment *e)
{
    const int err = write_csv(e);

    return err ? err : write_markdown(e);
}
