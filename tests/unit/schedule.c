// Learning rates by hand, and the messages of a schedule that cannot be.
#include "../check.h"

#include "param.h"
#include "schedule.h"

struct train {
    int32_t before;
    struct lam_schedule rate;
};

static const struct lam_param train_params[] = {
    LAM_SCHEDULE_PARAMS(struct train, rate), {0}};

static struct lam_schedule read(const char *text, struct lam_context *ctx)
{
    struct train train;
    struct lam_setting settings[8];
    char copy[200];
    int n;

    lam_error_clear(ctx);
    snprintf(copy, sizeof(copy), "%s", text);
    n = lam_settings_split(copy, settings, 8);
    CHECK(n >= 0);
    CHECK_INT(lam_params_fill(ctx, "train", train_params, &train, sizeof(train),
                              settings, n),
              LAM_OK);
    return train.rate;
}

static void test_default(struct lam_context *ctx)
{
    const struct lam_schedule s = read("", ctx);

    CHECK_INT(s.kind, LAM_SCHEDULE_CONSTANT);
    CHECK_INT(lam_schedule_check(ctx, "train", &s), LAM_OK);
    CHECK_NEAR(lam_schedule_lr(&s, 0, 10, 100), 0.001, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 1000000, 10, 100), 0.001, 0.0);
}

static void test_staircase(struct lam_context *ctx)
{
    const struct lam_schedule s =
        read("lr=0.001 schedule=staircase decay=0.5 decay_epochs=10", ctx);

    CHECK_INT(lam_schedule_check(ctx, "train", &s), LAM_OK);
    // 7 steps an epoch: the first fall is at step 70.
    CHECK_NEAR(lam_schedule_lr(&s, 0, 7, 1000), 0.001, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 69, 7, 1000), 0.001, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 70, 7, 1000), 0.0005, 1e-18);
    CHECK_NEAR(lam_schedule_lr(&s, 139, 7, 1000), 0.0005, 1e-18);
    CHECK_NEAR(lam_schedule_lr(&s, 140, 7, 1000), 0.00025, 1e-18);
}

static void test_exponential(struct lam_context *ctx)
{
    const struct lam_schedule s = read(
        "lr=1 schedule=exponential decay=0.25 decay_epochs=2 min_lr=0.1", ctx);

    CHECK_NEAR(lam_schedule_lr(&s, 0, 4, 0), 1.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 4, 4, 0), 0.5, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 8, 4, 0), 0.25, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 2, 4, 0), 0.70710678118654752, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 800, 4, 0), 0.1, 0.0);
}

static void test_step(struct lam_context *ctx)
{
    struct lam_schedule s =
        read("lr=8 schedule=step decay=0.5 decay_epochs=2,3,10", ctx);

    CHECK_INT(lam_schedule_check(ctx, "train", &s), LAM_OK);
    CHECK_NEAR(lam_schedule_lr(&s, 9, 5, 0), 8.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 10, 5, 0), 4.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 14, 5, 0), 4.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 15, 5, 0), 2.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 50, 5, 0), 1.0, 0.0);
    CHECK_NEAR(lam_schedule_lr(&s, 5000, 5, 0), 1.0, 0.0);
}

static void test_cosine(struct lam_context *ctx)
{
    const struct lam_schedule s =
        read("lr=3 schedule=cosine min_lr=1 warmup_steps=4", ctx);

    // Four steps of warm-up, then a half wave over the other eight.
    CHECK_NEAR(lam_schedule_lr(&s, 0, 1, 12), 0.75, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 3, 1, 12), 3.0, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 4, 1, 12), 3.0, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 8, 1, 12), 2.0, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 10, 1, 12), 2.0 - 0.70710678118654752,
               1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 12, 1, 12), 1.0, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 99, 1, 12), 1.0, 1e-15);
    // All warm-up, and no steps at all.
    CHECK(isfinite(lam_schedule_lr(&s, 0, 1, 3)));
    CHECK(isfinite(lam_schedule_lr(&s, 5, 1, 0)));
}

static void test_warmup(struct lam_context *ctx)
{
    const struct lam_schedule s = read(
        "lr=1 schedule=staircase decay=0.5 decay_epochs=1 warmup_steps=4", ctx);

    CHECK_NEAR(lam_schedule_lr(&s, 0, 2, 0), 0.25, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 1, 2, 0), 0.5, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 2, 2, 0), 0.375, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 3, 2, 0), 0.5, 1e-15);
    CHECK_NEAR(lam_schedule_lr(&s, 4, 2, 0), 0.25, 1e-15);
}

static void test_refused(struct lam_context *ctx)
{
    static const struct {
        const char *text, *message;
    } bad[] = {{"schedule=staircase decay_epochs=1,2", "wants one number"},
               {"schedule=exponential decay_epochs=1,2", "'exponential'"},
               {"schedule=step decay_epochs=5,5", "must rise, found 5 after 5"},
               {"schedule=cosine min_lr=1", "min_lr 1 is above lr 0.001"}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct lam_schedule s = read(bad[i].text, ctx);

        CHECK_INT(lam_schedule_check(ctx, "net.yaml:3:1", &s), LAM_EMODEL);
        CHECK_HAS(ctx->error, bad[i].message);
        CHECK_HAS(ctx->error, "net.yaml:3:1: ");
    }
}

int main(void)
{
    struct lam_context ctx = {0};

    test_default(&ctx);
    test_staircase(&ctx);
    test_exponential(&ctx);
    test_step(&ctx);
    test_cosine(&ctx);
    test_warmup(&ctx);
    test_refused(&ctx);
    return check_done();
}
