// train.h - training a model file on a data set into a run folder.
#ifndef LAM_TRAIN_H
#define LAM_TRAIN_H

#include "checkpoint.h"
#include "collective.h"
#include "metrics.h"
#include "model.h"
#include "schedule.h"
#include "session.h"

// The `train` section of a model.
struct lam_train_config {
    struct lam_schedule schedule;
    int32_t batch, epochs, steps, seed, micro_batch, norm_batch;
    int32_t keep;      // 0: values and gradients wait as floats, 1: as halves
    int32_t store;     // 0: they lie in memory as floats, 1: as halves
    double loss_scale; // see loss_scale.h
    int32_t eval_every, save_every, patience;
    int32_t eval_start; // 1: validate before the first step too
    const char *freeze; // patterns of layer names, separated by blanks
    double bucket_mib;
};
extern const struct lam_param lam_train_params[];

// Whether train.keep says half.
bool lam_train_keeps_half(const struct lam_model *model);
// Whether train.store does.
bool lam_train_stores_half(const struct lam_model *model);

// What a run would do, for --dry-run.
struct lam_train_plan {
    char model[128], device[128]; // device: "" without one
    int layers, n_train, n_val, n_test, batch, micro_batch;
    int64_t parameters, first_step, steps, steps_per_epoch;
    struct lam_memory memory;
};

struct lam_train_options {
    const char *model;    // file; NULL with resume
    const char *data;     // NULL with resume: the one it was started with
    const char *run;      // folder; NULL: runs/NAME-1, -2 ...
    const char *resume;   // run folder to go on in
    const char *init;     // safetensors to take weights from, where they fit
    const char *init_map; // what they are called there, see weight_map.h
    const char *const *include, *const *exclude; // patterns of our names
    int n_include, n_exclude;
    const char *const *sets;
    int n_sets;
    const char *device, *variants;
    int nth_device;               // of those that fit, see lam_queue_options
    struct lam_collective *ranks; // to train with; NULL: alone
    double timeout_s;
    bool quiet, explain;
    bool tensorboard;            // metrics as scalars for it, too
    bool no_fuse;                // layers run as they are written, see fuse.h
    bool no_tuning;              // what `lamina tune` has measured is not read
    const char *command;         // for run.json
    struct lam_train_plan *plan; // filled in, and nothing is done; else NULL
};

// Makes the run folder: model.yaml (resolved), run.json, metrics.csv,
// metrics.jsonl, last.safetensors, best.safetensors, overlays/. On
// ctx->interrupted it finishes the step, saves and gives LAM_EINTERRUPT.
int lam_train(struct lam_context *ctx, const struct lam_train_options *options);

#endif
