#include "loss_scale.h"

enum { FIRST = 1 << 16, LARGEST = 1 << 24, STEPS_TO_GROW = 2000 };

void lam_loss_scale_begin(struct lam_loss_scale *s, double asked, bool halves)
{
    if (asked > 0.0)
        s->scale = asked;
    else if (!halves)
        s->scale = 0.0;
    else if (s->scale <= 0.0)
        s->scale = FIRST;
}

bool lam_loss_scale_update(struct lam_loss_scale *s, double asked,
                           bool overflows)
{
    if (overflows && (asked > 0.0 || s->scale <= 1.0))
        return false;
    s->good++;
    s->skipped += overflows;
    if (overflows) {
        s->scale *= 0.5;
        s->good = 0;
    } else if (!(asked > 0.0) && s->good >= STEPS_TO_GROW) {
        if (s->scale < LARGEST)
            s->scale *= 2.0;
        s->good = 0;
    }
    return true;
}
