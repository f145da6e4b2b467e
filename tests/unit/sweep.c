// A few pixels whose curve can be counted by hand.
#include "sweep.h"

#include "check.h"

int main(void)
{
    static const float p[] = {0.05f, 0.35f, 0.55f, 0.75f, 1.0f};
    static const float mask[] = {0, 1, 0, 1, 2};
    struct lam_sweep s = {0};
    struct lam_sweep_point at;

    lam_sweep_add(&s, p, mask, 5);
    at = lam_sweep_at(&s, 0);
    CHECK_NEAR(at.precision, 0.6, 1e-12);
    CHECK_NEAR(at.recall, 1.0, 1e-12);
    at = lam_sweep_at(&s, 500);
    CHECK_NEAR(at.threshold, 0.5, 1e-12);
    CHECK_NEAR(at.precision, 2.0 / 3, 1e-12);
    CHECK_NEAR(at.recall, 2.0 / 3, 1e-12);
    CHECK_NEAR(at.dice, 2.0 / 3, 1e-12);
    at = lam_sweep_at(&s, LAM_SWEEP_BINS);
    CHECK(isnan(at.precision));
    CHECK_NEAR(at.recall, 0.0, 1e-12);
    // From the top: 1, 1, then 3 of 4.
    CHECK_NEAR(lam_sweep_average_precision(&s), (1 + 1 + 0.75) / 3, 1e-12);
    s = (struct lam_sweep){0};
    CHECK(isnan(lam_sweep_average_precision(&s)));
    CHECK(isnan(lam_sweep_at(&s, 3).dice));
    return check_done();
}
