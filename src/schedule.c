#include "schedule.h"

#include <math.h>

const char *const lam_schedule_names[] = {
    "constant", "staircase", "exponential", "step", "cosine", NULL};

int lam_schedule_check(struct lam_context *ctx, const char *where,
                       const struct lam_schedule *schedule)
{
    const struct lam_list *epochs = &schedule->decay_epochs;
    const char *name = lam_schedule_names[schedule->kind];

    if ((schedule->kind == LAM_SCHEDULE_STAIRCASE ||
         schedule->kind == LAM_SCHEDULE_EXPONENTIAL) &&
        epochs->n != 1)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: schedule '%s' wants one number in decay_epochs, "
                        "found %d",
                        where, name, (int)epochs->n);
    if (schedule->kind == LAM_SCHEDULE_STEP && epochs->n == 0)
        return lam_fail(ctx, LAM_EMODEL,
                        "%s: schedule 'step' wants epochs in decay_epochs",
                        where);
    for (int i = 1; i < epochs->n && schedule->kind == LAM_SCHEDULE_STEP; i++)
        if (epochs->v[i] <= epochs->v[i - 1])
            return lam_fail(ctx, LAM_EMODEL,
                            "%s: decay_epochs must rise, found %d after %d",
                            where, (int)epochs->v[i], (int)epochs->v[i - 1]);
    if (schedule->min_lr > schedule->lr)
        return lam_fail(ctx, LAM_EMODEL, "%s: min_lr %g is above lr %g", where,
                        schedule->min_lr, schedule->lr);
    return LAM_OK;
}

static double cosine(const struct lam_schedule *s, int64_t step, int64_t steps)
{
    const double first = (double)s->warmup_steps;
    const double length = fmax((double)steps - first, 1.0);
    const double done = fmin(fmax((double)step - first, 0.0) / length, 1.0);

    return s->min_lr +
           (s->lr - s->min_lr) * (0.5 + 0.5 * cos(3.141592653589793 * done));
}

double lam_schedule_lr(const struct lam_schedule *schedule, int64_t step,
                       int64_t steps_per_epoch, int64_t steps)
{
    const struct lam_list *epochs = &schedule->decay_epochs;
    double lr = schedule->lr;
    int64_t factors = 0;

    switch (schedule->kind) {
    case LAM_SCHEDULE_STAIRCASE:
        factors = step / (epochs->v[0] * steps_per_epoch);
        lr *= pow(schedule->decay, (double)factors);
        break;
    case LAM_SCHEDULE_EXPONENTIAL:
        lr *= pow(schedule->decay, (double)step / (double)steps_per_epoch /
                                       (double)epochs->v[0]);
        break;
    case LAM_SCHEDULE_STEP:
        while (factors < epochs->n &&
               step >= epochs->v[factors] * steps_per_epoch)
            factors++;
        lr *= pow(schedule->decay, (double)factors);
        break;
    case LAM_SCHEDULE_COSINE:
        lr = cosine(schedule, step, steps);
        break;
    default:
        break;
    }
    lr = fmax(lr, schedule->min_lr);
    if (step < schedule->warmup_steps)
        lr *= (double)(step + 1) / (double)schedule->warmup_steps;
    return lr;
}
