// lamina experiment - trains the same network with several changes and seeds.
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cmd.h"
#include "experiment.h"
#include "json.h"
#include "param.h"

static int print_file(struct lam_context *ctx, const char *folder,
                      const char *name)
{
    char path[1100], line[2048];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "r");
    if (!file)
        return lam_fail(ctx, LAM_EFILE, "%s cannot be read", path);
    while (fgets(line, sizeof(line), file))
        fputs(line, stdout);
    fclose(file);
    return LAM_OK;
}

static void print_json(const struct experiment *e)
{
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_text(&j, "name", e->name);
    lam_json_list(&j, "runs");
    for (int r = 0; r < e->n_runs; r++)
        for (int s = 0; s < e->n_seeds; s++) {
            const struct experiment_result *result = experiment_result(e, r, s);

            lam_json_object(&j, NULL);
            lam_json_text(&j, "run", e->runs[r].name);
            lam_json_int(&j, "seed", e->seeds[s]);
            for (int i = 0; i < result->n; i++)
                lam_json_real(&j, result->numbers[i].name,
                              result->numbers[i].value);
            lam_json_close(&j);
        }
    lam_json_end(&j);
}

// Seed by seed, so that what is there when it is stopped can be compared.
static int run_all(struct experiment *e, bool is_json)
{
    int n = 0, err;

    if (mkdir(e->out, 0777) && errno != EEXIST)
        return lam_fail(e->ctx, LAM_EFILE, "%s cannot be made: %s", e->out,
                        strerror(errno));
    err = experiment_read(e);
    for (int s = 0; s < e->n_seeds && !err; s++)
        for (int r = 0; r < e->n_runs && !err; r++) {
            lam_log(e->ctx, LAM_LOG_INFO, "%s: run %d of %d: %s, seed %d",
                    e->name, ++n, e->n_runs * e->n_seeds, e->runs[r].name,
                    e->seeds[s]);
            err = experiment_run(e, r, s);
            if (!err)
                err = experiment_tables(e);
        }
    if (!err)
        err = experiment_charts(e);
    if (!err && is_json)
        print_json(e);
    return err || is_json ? err : print_file(e->ctx, e->out, "results.md");
}

int cmd_experiment(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina experiment FILE.yaml --data PATH [--out DIR]\n"
        "Trains and evaluates every run of the file with every seed, and "
        "writes "
        "results.csv,\nresults.md and charts. What is done is not done again, "
        "so it "
        "can "
        "be stopped and started.\n";
    const char *data = NULL, *out = NULL, *seeds = NULL, *rest[1];
    const char *sets[EXPERIMENT_MAX_SETS], *device = NULL;
    struct experiment e = {.ctx = ctx};
    char folder[1000];
    int n_sets = 0, n_rest, is_json = 0;
    const struct option_row rows[] = {
        {"--data", "PATH", "the data set", NULL, &data, NULL, NULL},
        {"--out", "DIR", "where the runs go (runs/NAME)", NULL, &out, NULL,
         NULL},
        {"--set", "NAME.KEY=VALUE", "override for all runs, may be repeated",
         NULL, NULL, sets, &n_sets},
        {"--seeds", "N", "only the first N seeds of the file", NULL, &seeds,
         NULL, NULL},
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {0}};
    int64_t n = 0;
    bool done;
    int err =
        options_parse(ctx, argc, argv, usage, rows, rest, 1, &n_rest, &done);

    if (err || done)
        return err;
    if (n_rest != 1 || !data)
        return lam_fail(ctx, LAM_EUSAGE,
                        "an experiment file and --data are wanted; lamina "
                        "experiment -h explains");
    if (seeds && (!lam_parse_int(seeds, &n) || n < 1))
        return lam_fail(ctx, LAM_EUSAGE,
                        "--seeds is '%s', wanted a whole number from 1", seeds);
    err = experiment_load(ctx, rest[0], &e);
    if (!err && e.n_sets + n_sets > EXPERIMENT_MAX_SETS)
        err = lam_fail(ctx, LAM_EUSAGE, "more than %d settings",
                       EXPERIMENT_MAX_SETS);
    if (!err) {
        snprintf(folder, sizeof(folder), "runs/%s", e.name);
        e.out = out ? out : folder;
        e.data = data;
        e.device = device;
        for (int i = 0; i < n_sets; i++)
            e.sets[e.n_sets++] = sets[i];
        e.n_seeds = seeds && n < e.n_seeds ? (int)n : e.n_seeds;
        if (!out)
            mkdir("runs", 0777);
        err = run_all(&e, is_json);
    }
    experiment_free(&e);
    return err;
}
