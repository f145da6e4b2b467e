// What the runs of an experiment gave, in memory and in
// OUT/RUN-SEED/result.csv.
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "csv.h"
#include "experiment.h"
#include "file.h"

void experiment_folder(const struct experiment *e, int r, int s, char *text,
                       size_t size)
{
    snprintf(text, size, "%s/%s-%d", e->out, e->runs[r].name, e->seeds[s]);
}

FILE *experiment_create(const struct experiment *e, const char *name,
                        char *path, size_t size)
{
    snprintf(path, size, "%s/%s", e->out, name);
    return lam_file_create(e->ctx, path);
}

static void result_path(const struct experiment *e, int r, int s, char *text,
                        size_t size)
{
    char folder[1024];

    experiment_folder(e, r, s, folder, sizeof(folder));
    snprintf(text, size, "%s/result.csv", folder);
}

struct experiment_result *experiment_result(const struct experiment *e, int r,
                                            int s)
{
    return &e->results[r * e->n_seeds + s];
}

double experiment_value(const struct experiment *e, int r, int s,
                        const char *name)
{
    const struct experiment_result *result = experiment_result(e, r, s);

    for (int i = 0; i < result->n; i++)
        if (strcmp(result->numbers[i].name, name) == 0)
            return result->numbers[i].value;
    return NAN;
}

void experiment_put(struct experiment_result *result, const char *name,
                    double value)
{
    if (result->n == EXPERIMENT_MAX_NUMBERS)
        return;
    snprintf(result->numbers[result->n].name,
             sizeof(result->numbers[result->n].name), "%s", name);
    result->numbers[result->n++].value = value;
}

int experiment_write(const struct experiment *e, int r, int s)
{
    const struct experiment_result *result = experiment_result(e, r, s);
    char path[1100];
    FILE *file;

    result_path(e, r, s, path, sizeof(path));
    file = lam_file_create(e->ctx, path);
    if (!file)
        return e->ctx->code;
    fprintf(file, "name,value\n");
    for (int i = 0; i < result->n; i++)
        fprintf(file, "%s,%.10g\n", result->numbers[i].name,
                result->numbers[i].value);
    return lam_file_close(e->ctx, file, path);
}

static int read_one(struct experiment *e, int r, int s)
{
    struct experiment_result *result = experiment_result(e, r, s);
    struct lam_csv csv = {0};
    struct stat info;
    char path[1100];
    int column, err;

    result_path(e, r, s, path, sizeof(path));
    if (stat(path, &info))
        return LAM_OK;
    err = lam_csv_read(e->ctx, path, &csv);
    column = err ? -1 : lam_csv_column(&csv, "value");
    for (int i = 1; column >= 0 && i < csv.n_rows; i++)
        experiment_put(result, lam_csv_cell(&csv, i, 0),
                       strtod(lam_csv_cell(&csv, i, column), NULL));
    lam_csv_free(&csv);
    return err;
}

int experiment_read(struct experiment *e)
{
    int err = LAM_OK;

    e->results = calloc((size_t)(e->n_runs * e->n_seeds), sizeof(*e->results));
    if (!e->results)
        return lam_fail(e->ctx, LAM_EMEMORY, "out of memory");
    for (int r = 0; r < e->n_runs && !err; r++)
        for (int s = 0; s < e->n_seeds && !err; s++)
            err = read_one(e, r, s);
    return err;
}
