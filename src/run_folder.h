// run_folder.h - the files of a training run.
#ifndef LAM_RUN_FOLDER_H
#define LAM_RUN_FOLDER_H

#include "device.h"

// One row of metrics.csv and metrics.jsonl.
struct lam_epoch_row {
    int64_t epoch, step;
    double loss, lr;
    bool has_val;
    double val_dice, val_iou, val_precision, val_recall, val_threshold;
    double images_per_s, seconds;
};

// Makes the folder (wanted, or runs/NAME-1, -2, .. that is new) and fills path.
// LAM_EFILE; LAM_EUSAGE when wanted holds a run already.
int lam_run_create(struct lam_context *ctx, const char *wanted,
                   const char *name, char *path, size_t size);
// path/name into text; returns text.
const char *lam_run_file(const char *path, const char *name, char *text,
                         size_t size);
int lam_run_write_text(struct lam_context *ctx, const char *path,
                       const char *name, const char *text);
// run.json: what a run tells of itself when it starts.
struct lam_run_info {
    const char *command, *data;
    const struct lam_device_row *device;
    int64_t parameters, plan_bytes;
    int layers;
};
int lam_run_write_info(struct lam_context *ctx, const char *path,
                       const struct lam_run_info *info);
// Which kernels a run takes, so that it goes on with the same: whether layers
// are merged, all variants as lam_session_variants gives them, and CLBlast's
// parameters as lam_gemm_parameters does.
int lam_run_write_kernels(struct lam_context *ctx, const char *path,
                          bool is_merged, const char *variants,
                          const char *gemm);
// Sets *no_fuse to true where they are not merged, *variants and *gemm, to
// free(); what the run does not say stays as it is. LAM_EMEMORY.
int lam_run_read_kernels(struct lam_context *ctx, const char *path,
                         bool *no_fuse, char **variants, char **gemm);
// From now on rows go to a file for TensorBoard too.
int lam_run_add_tensorboard(struct lam_context *ctx, const char *path);
int lam_run_add_row(struct lam_context *ctx, const char *path,
                    const struct lam_epoch_row *row);
// Drops rows after an epoch and its step, before going on from there.
int lam_run_cut_rows(struct lam_context *ctx, const char *path, int64_t epoch,
                     int64_t step);

#endif
