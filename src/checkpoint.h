// checkpoint.h - a training run as one safetensors file: weights under the
// names of the graph, optimiser slots as "optim.WEIGHT.SLOT", the rest as
// metadata. Equal runs give equal bytes: no time, no device in it.
#ifndef LAM_CHECKPOINT_H
#define LAM_CHECKPOINT_H

#include "data.h"
#include "loss_scale.h"
#include "model.h"
#include "safetensors.h"
#include "session.h"

struct lam_progress {
    int64_t step, epoch; // finished
    uint64_t seed;
    double best;         // mean validation Dice, -1: none yet
    int64_t best_epoch;  // when that was
    double threshold;    // chosen on validation
    int64_t micro_batch; // images on a device at once, 0: not known
    struct lam_loss_scale loss_scale;
};

// Of weights that were not trained here: pixels become 0 to 1, no best epoch,
// threshold 1/2.
extern const struct lam_intensity lam_intensity_none;
extern const struct lam_progress lam_progress_none;

struct lam_checkpoint {
    struct lam_safetensors *file;
    struct lam_progress progress;
    struct lam_intensity intensity;
    const char *model; // YAML text
    const char *data;  // path the run was given
};

// optimizer NULL: weights only (a file to predict with).
int lam_checkpoint_write(struct lam_session *session,
                         const struct lam_graph *graph,
                         const struct lam_optimizer_type *optimizer,
                         const char *model_text, const char *data,
                         const struct lam_intensity *intensity,
                         const struct lam_progress *progress, const char *path);
// The same from weights on the host.
int lam_checkpoint_write_tensors(struct lam_context *ctx,
                                 const struct lam_stored *tensors, int n,
                                 const char *model_text, const char *data,
                                 const struct lam_intensity *intensity,
                                 const struct lam_progress *progress,
                                 const char *path);
int lam_checkpoint_read(struct lam_context *ctx, const char *path,
                        struct lam_checkpoint *checkpoint);
void lam_checkpoint_close(struct lam_checkpoint *checkpoint);

// Copies weights (and slots, with an optimizer) into the session. What is
// missing or of another shape is LAM_ECHECKPOINT; weight_map.h takes what fits.
int lam_checkpoint_restore(const struct lam_checkpoint *checkpoint,
                           struct lam_session *session,
                           const struct lam_graph *graph,
                           const struct lam_optimizer_type *optimizer);

#endif
