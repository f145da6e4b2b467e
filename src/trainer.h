// trainer.h - inside of a training run, for train.c and train_setup.c.
#ifndef LAM_TRAINER_H
#define LAM_TRAINER_H

#include "predictor.h"
#include "progress.h"
#include "reduce.h"
#include "run_folder.h"
#include "train.h"

struct lam_trainer {
    struct lam_context *ctx;
    const struct lam_train_options *options;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_model *model, *model_for_prediction;
    char *model_text, *data_path;
    struct lam_train_config config;
    struct lam_metrics_options metrics;
    struct lam_augment augment;
    struct lam_sampling sampling;
    const struct lam_optimizer_type *optimizer;
    void *optimizer_config;
    struct lam_dataset *dataset;
    struct lam_intensity intensity;
    struct lam_loader *loader;
    struct lam_collective *ranks; // NULL: alone
    struct lam_reduce *reduce;    // of ranks
    int64_t sent, n_sent;         // bytes by this rank, in so many steps
    struct lam_graph *graph;
    struct lam_session *session;
    struct lam_predictor *predictor;
    struct lam_checkpoint resumed;
    struct lam_progress progress;
    char *kernels; // variants of the run that goes on, NULL: none
    char *gemm;    // CLBlast's parameters of it
    bool no_fuse;
    char run[1024];
    int loss, input, target;        // values
    int height, width;              // of a crop
    int micro_batch, n_micro;       // images in one, how many of them
    struct lam_memory memory;       // as planned
    double *losses;                 // by micro-batch, of the last step
    bool is_stopping;               // all ranks end after this step
    bool grows;                     // the next epoch has other crops
    int64_t steps, steps_per_epoch; // in all, in one epoch
    float *images, *masks;          // of one batch
    double *l2;                     // by weight of the graph
};

int lam_trainer_open(struct lam_trainer *trainer);
void lam_trainer_close(struct lam_trainer *trainer);
// Micro-batch k forward and backward, enqueued; its loss, which waits.
// LAM_ENONFINITE names the layer.
int lam_trainer_run_micro(struct lam_trainer *trainer, int k, bool first);
int lam_trainer_read_loss(struct lam_trainer *trainer, int k);
// The graph, for micro_batch images of the model's size.
int lam_trainer_build(struct lam_trainer *trainer);
// Rows of `schedule` up to the epoch, in their order, but for those of crops.
int lam_trainer_apply_schedule(struct lam_trainer *trainer, int64_t epoch);
// Rows of crops: the model gets the size of the epoch that comes. Refuses what
// the network does not take, now or later.
int lam_trainer_open_crop(struct lam_trainer *trainer);
// Whether the epoch that comes wants another size than the run has now.
int lam_trainer_crop_changes(struct lam_trainer *trainer, bool *changes);

#endif
