// trial.h - one pass of one layer alone on a device: its results and its time.
#ifndef LAM_TRIAL_H
#define LAM_TRIAL_H

#include "session.h"

struct lam_trial;

struct lam_trial_spec {
    const char *type;
    const struct lam_setting *settings;
    int n_settings;
    const struct lam_shape *in;
    int n_in;
    int pass; // enum lam_pass
    int training;
    const char *variant; // NULL: as in any run
};

// Random input, weights and output gradient of a fixed seed, the same for every
// variant. LAM_EUSAGE where the layer has no such pass.
int lam_trial_open(const struct lam_registry *registry,
                   const struct lam_host *host, struct lam_queue *queue,
                   const struct lam_trial_spec *spec, struct lam_trial **trial);
void lam_trial_close(struct lam_trial *trial); // NULL is fine

// Runs the pass `times` times, the device idle before and after; *ms is that of
// one. Waiting is as coarse as a third of a millisecond.
int lam_trial_run(struct lam_trial *trial, int times, double *ms);
// How many times are long enough to be measured, for a pass that takes this.
int lam_trial_times(double ms);
// What the pass made: the output, the gradient of the first input, or those of
// all weights. *values: to free().
int lam_trial_read(struct lam_trial *trial, float **values, int64_t *n);
// The name of the variant in use.
const char *lam_trial_variant(const struct lam_trial *trial);
double lam_trial_macs(const struct lam_trial *trial);

#endif
