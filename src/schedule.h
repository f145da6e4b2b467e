// schedule.h - the learning rate as a pure function of the step.
#ifndef LAM_SCHEDULE_H
#define LAM_SCHEDULE_H

#include "status.h"

enum lam_schedule_kind {
    LAM_SCHEDULE_CONSTANT,    // lr
    LAM_SCHEDULE_STAIRCASE,   // lr * decay^floor(epoch / E)
    LAM_SCHEDULE_EXPONENTIAL, // lr * decay^(epoch / E)
    LAM_SCHEDULE_STEP,        // lr * decay^(how many of E1, E2, .. are reached)
    LAM_SCHEDULE_COSINE // from lr, after the warm-up, to min_lr at the end
};

// E, or E1, E2, .., is decay_epochs.
struct lam_schedule {
    double lr, decay, min_lr;
    int32_t kind, warmup_steps;
    struct lam_list decay_epochs;
};

extern const char *const lam_schedule_names[]; // NULL-ended, by kind

// Rows for the parameter table of a struct that has a struct lam_schedule:
//     LAM_SCHEDULE_PARAMS(struct train_config, schedule),
// clang-format off
#define LAM_SCHEDULE_PARAMS(type, member)                                      \
    {"lr", LAM_PARAM_REAL, offsetof(type, member.lr), "0.001", 0.0, 1e3, NULL, \
     "learning rate", 0},                                                      \
    {"schedule", LAM_PARAM_CHOICE, offsetof(type, member.kind), "constant",    \
     0, 0, lam_schedule_names, "how the learning rate falls", 0},              \
    {"decay", LAM_PARAM_REAL, offsetof(type, member.decay), "0.85", 0.0, 1.0,  \
     NULL, "factor of staircase, exponential and step", 0},                    \
    {"decay_epochs", LAM_PARAM_LIST, offsetof(type, member.decay_epochs),      \
     "10", 1.0, 1e9, NULL,                                                     \
     "epochs from factor to factor; for step: when each comes", 0},            \
    {"warmup_steps", LAM_PARAM_INT, offsetof(type, member.warmup_steps), "0",  \
     0.0, 1e9, NULL, "steps in which the rate rises to its value", 0},         \
    {"min_lr", LAM_PARAM_REAL, offsetof(type, member.min_lr), "0", 0.0, 1e3,   \
     NULL, "the schedule falls no lower", 0}
// clang-format on

// LAM_EMODEL, starting with where ("net.yaml:3:1"), if the fields do not fit
// each other: several decay_epochs where one is wanted, or not in rising order;
// min_lr above lr.
int lam_schedule_check(struct lam_context *ctx, const char *where,
                       const struct lam_schedule *schedule);

// The rate of a step (0 is the first). epoch = step / steps_per_epoch; steps is
// how many there will be in all, which only `cosine` asks. In the warm-up the
// rate of the schedule is multiplied by (step + 1) / warmup_steps.
double lam_schedule_lr(const struct lam_schedule *schedule, int64_t step,
                       int64_t steps_per_epoch, int64_t steps);

#endif
