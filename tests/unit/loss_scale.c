// How the scale of the loss follows overflows.
#include "../check.h"

#include "loss_scale.h"

static void test_dynamic(void)
{
    struct lam_loss_scale s = {0};

    lam_loss_scale_begin(&s, 0.0, true);
    CHECK_NEAR(s.scale, 65536.0, 0.0);
    CHECK(lam_loss_scale_update(&s, 0.0, true));
    CHECK_NEAR(s.scale, 32768.0, 0.0);
    CHECK_INT(s.skipped, 1);
    for (int i = 0; i < 1999; i++)
        CHECK(lam_loss_scale_update(&s, 0.0, false));
    CHECK_NEAR(s.scale, 32768.0, 0.0);
    // An overflow starts the count anew.
    CHECK(lam_loss_scale_update(&s, 0.0, true));
    CHECK_NEAR(s.scale, 16384.0, 0.0);
    for (int i = 0; i < 2000; i++)
        CHECK(lam_loss_scale_update(&s, 0.0, false));
    CHECK_NEAR(s.scale, 32768.0, 0.0);
    CHECK_INT(s.skipped, 2);
    // A run that goes on keeps it.
    lam_loss_scale_begin(&s, 0.0, true);
    CHECK_NEAR(s.scale, 32768.0, 0.0);
}

static void test_ends(void)
{
    struct lam_loss_scale s = {.scale = 2.0};

    CHECK(lam_loss_scale_update(&s, 0.0, true));
    CHECK_NEAR(s.scale, 1.0, 0.0);
    CHECK(!lam_loss_scale_update(&s, 0.0, true));
    CHECK_INT(s.skipped, 1);
    s = (struct lam_loss_scale){.scale = 0x1p24, .good = 1999};
    CHECK(lam_loss_scale_update(&s, 0.0, false));
    CHECK_NEAR(s.scale, 0x1p24, 0.0);
}

static void test_asked(void)
{
    struct lam_loss_scale s = {.scale = 65536.0};

    lam_loss_scale_begin(&s, 8.0, true);
    CHECK_NEAR(s.scale, 8.0, 0.0);
    for (int i = 0; i < 2001; i++)
        CHECK(lam_loss_scale_update(&s, 8.0, false));
    CHECK_NEAR(s.scale, 8.0, 0.0);
    CHECK(!lam_loss_scale_update(&s, 8.0, true));
    lam_loss_scale_begin(&s, 0.0, false);
    CHECK_NEAR(s.scale, 0.0, 0.0);
}

int main(void)
{
    test_dynamic();
    test_ends();
    test_asked();
    return check_done();
}
