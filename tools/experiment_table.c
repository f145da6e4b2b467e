// The tables of an experiment.
#include <math.h>

#include "experiment.h"
#include "file.h"

static int write_csv(const struct experiment *e)
{
    bool has_header = false;
    char path[1100];
    FILE *file = experiment_create(e, "results.csv", path, sizeof(path));

    if (!file)
        return e->ctx->code;
    for (int r = 0; r < e->n_runs; r++)
        for (int s = 0; s < e->n_seeds; s++) {
            const struct experiment_result *result = experiment_result(e, r, s);

            if (!result->n)
                continue;
            if (!has_header) {
                fprintf(file, "run,seed");
                for (int i = 0; i < result->n; i++)
                    fprintf(file, ",%s", result->numbers[i].name);
                fprintf(file, "\n");
                has_header = true;
            }
            fprintf(file, "%s,%d", e->runs[r].name, e->seeds[s]);
            for (int i = 0; i < result->n; i++)
                fprintf(file, ",%.10g", result->numbers[i].value);
            fprintf(file, "\n");
        }
    return lam_file_close(e->ctx, file, path);
}

// Mean and sample standard deviation over the seeds that are done.
struct spread {
    double mean, deviation;
    int n;
};

static struct spread spread_of(const struct experiment *e, int r,
                               const char *name)
{
    struct spread spread = {0};
    double sum = 0.0, squares = 0.0;

    for (int s = 0; s < e->n_seeds; s++) {
        const double v = experiment_value(e, r, s, name);

        if (isnan(v))
            continue;
        spread.n++;
        sum += v;
        squares += v * v;
    }
    if (spread.n) {
        const double mean = sum / spread.n;
        const double rest = squares - sum * mean;

        spread.mean = mean;
        spread.deviation =
            spread.n > 1 && rest > 0.0 ? sqrt(rest / (spread.n - 1)) : 0.0;
    }
    return spread;
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

static void write_row(const struct experiment *e, FILE *file, int r,
                      const bool *has)
{
    const int n = spread_of(e, r, columns[0].name).n;

    if (n == 0)
        return;
    fprintf(file, "| %s | %d |", e->runs[r].name, n);
    for (int c = 0; c < N_COLUMNS; c++) {
        const struct spread s = spread_of(e, r, columns[c].name);

        if (!has[c])
            continue;
        fprintf(file, " %.*f", columns[c].digits, columns[c].factor * s.mean);
        if (columns[c].has_spread && s.n > 1)
            fprintf(file, " ± %.*f", columns[c].digits,
                    columns[c].factor * s.deviation);
        fprintf(file, " |");
    }
    fprintf(file, "\n");
}

static int write_markdown(const struct experiment *e)
{
    bool has[N_COLUMNS] = {false};
    char path[1100];
    FILE *file = experiment_create(e, "results.md", path, sizeof(path));

    if (!file)
        return e->ctx->code;
    for (int c = 0; c < N_COLUMNS; c++)
        for (int r = 0; r < e->n_runs; r++)
            has[c] |= spread_of(e, r, columns[c].name).n > 0;
    fprintf(file, "| run | seeds |");
    for (int c = 0; c < N_COLUMNS; c++)
        if (has[c])
            fprintf(file, " %s |", columns[c].title);
    fprintf(file, "\n| --- | --- |");
    for (int c = 0; c < N_COLUMNS; c++)
        if (has[c])
            fprintf(file, " --- |");
    fprintf(file, "\n");
    for (int r = 0; r < e->n_runs; r++)
        write_row(e, file, r, has);
    return lam_file_close(e->ctx, file, path);
}

int experiment_tables(const struct experiment *e)
{
    const int err = write_csv(e);

    return err ? err : write_markdown(e);
}
