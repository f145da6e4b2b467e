// experiment.h - the same network and data with several changes and seeds: the
// file that says so, one run of it, and the table of all.
#ifndef LAM_EXPERIMENT_H
#define LAM_EXPERIMENT_H

#include <stdio.h>

#include "status.h"

enum {
    EXPERIMENT_MAX_RUNS = 32,
    EXPERIMENT_MAX_SEEDS = 16,
    EXPERIMENT_MAX_SETS = 32,
    EXPERIMENT_MAX_NUMBERS = 64
};

struct experiment_run {
    const char *name;
    const char *sets[EXPERIMENT_MAX_SETS]; // of this run alone
    int n_sets;
};

// What one run gave, as named numbers; none until it is done.
struct experiment_result {
    int n;
    struct {
        char name[48];
        double value;
    } numbers[EXPERIMENT_MAX_NUMBERS];
};

// An experiment file:
//
//     format: 1
//     name: upsampling
//     model: upsampling.yaml       # beside this file, or an installed one
//     seeds: [1, 2, 3]
//     set: [train.epochs=12]       # for all runs
//     periods: 2,4,8               # of `lamina checkerboard`; none: left out
//     runs:
//       - {name: nearest, set: [up.kind=nearest]}
struct experiment {
    struct lam_context *ctx;
    struct lam_yaml *tree; // what the texts point into
    const char *name, *periods;
    char *model;            // path, owned
    const char *data, *out; // paths
    const char *device;
    const char *sets[EXPERIMENT_MAX_SETS];
    int n_sets;
    int seeds[EXPERIMENT_MAX_SEEDS];
    int n_seeds;
    struct experiment_run runs[EXPERIMENT_MAX_RUNS];
    int n_runs;
    struct experiment_result *results; // [n_runs][n_seeds], owned
};

// LAM_EMODEL with file:line:column.
int experiment_load(struct lam_context *ctx, const char *path,
                    struct experiment *experiment);
void experiment_free(struct experiment *experiment);

// Reads what is done already in OUT, each run once, into results.
int experiment_read(struct experiment *experiment);
struct experiment_result *experiment_result(const struct experiment *experiment,
                                            int r, int s);
// A number of run r with seed s; NAN where it is not done or has none.
double experiment_value(const struct experiment *experiment, int r, int s,
                        const char *name);
void experiment_put(struct experiment_result *result, const char *name,
                    double value);
// Writes the numbers of that run into its folder.
int experiment_write(const struct experiment *experiment, int r, int s);

// OUT/RUN-SEED of that run.
void experiment_folder(const struct experiment *experiment, int r, int s,
                       char *text, size_t size);
// OUT/name, to be closed with lam_file_close; path is for messages.
FILE *experiment_create(const struct experiment *experiment, const char *name,
                        char *path, size_t size);

// Trains, evaluates and measures run r with seed s in a folder of its own, each
// step in a process of its own, whose memory is measured. What is done already
// is not done again; a training that was cut goes on.
int experiment_run(struct experiment *experiment, int r, int s);

// Writes OUT/results.csv, a row a run, and OUT/results.md, a row a kind of run:
// mean and standard deviation over the seeds. Runs that are not done are left
// out.
int experiment_tables(const struct experiment *experiment);
// And charts as SVG: scores by epoch with the range of the seeds, test Dice and
// checkerboards as dots.
int experiment_charts(const struct experiment *experiment);

#endif
