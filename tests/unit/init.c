// First weights: patterns by hand, distributions by their moments.
#include "../check.h"

#include <stdlib.h>

#include "init.h"
#include "shape.h"

enum { MAX_ELEMENTS = 40000 };

static double values[MAX_ELEMENTS], again[MAX_ELEMENTS];
static struct lam_context ctx;

static struct lam_weight weight(const char *shape, int init)
{
    struct lam_weight w = {.name = "weight", .init = init};

    CHECK(lam_shape_parse(shape, LAM_F32, &w.shape));
    CHECK(lam_shape_elements(&w.shape) <= MAX_ELEMENTS);
    return w;
}

static void moments(const struct lam_weight *w, double *mean, double *std,
                    double *largest)
{
    const int64_t n = lam_shape_elements(&w->shape);
    double sum = 0.0, squares = 0.0;

    *largest = 0.0;
    for (int64_t i = 0; i < n; i++) {
        sum += values[i];
        squares += values[i] * values[i];
        *largest = fmax(*largest, fabs(values[i]));
    }
    *mean = sum / (double)n;
    *std = sqrt(squares / (double)n - *mean * *mean);
}

static void test_constant(void)
{
    const struct lam_weight zeros = weight("3x2", LAM_INIT_ZEROS);
    const struct lam_weight ones = weight("5", LAM_INIT_ONES);

    values[5] = values[6] = 7.0;
    CHECK_INT(lam_init_weight(&ctx, &zeros, 1, values), LAM_OK);
    CHECK_NEAR(values[5], 0.0, 0.0);
    CHECK_NEAR(values[6], 7.0, 0.0);
    CHECK_INT(lam_init_weight(&ctx, &ones, 1, values), LAM_OK);
    CHECK_NEAR(values[0], 1.0, 0.0);
    CHECK_NEAR(values[4], 1.0, 0.0);
}

static void test_random(void)
{
    double mean, std, largest;
    struct lam_weight w = weight("64x64x3x3", LAM_INIT_HE);

    w.fan_in = 576.0;
    w.fan_out = 24.0;
    w.scale = 0.05;
    CHECK_INT(lam_init_weight(&ctx, &w, 11, values), LAM_OK);
    moments(&w, &mean, &std, &largest);
    CHECK_NEAR(mean, 0.0, 1e-3);
    CHECK_NEAR(std, sqrt(2.0 / 576.0), 1e-3);
    CHECK(largest > 3.0 * std);

    w.init = LAM_INIT_GLOROT;
    CHECK_INT(lam_init_weight(&ctx, &w, 11, values), LAM_OK);
    moments(&w, &mean, &std, &largest);
    CHECK_NEAR(mean, 0.0, 1e-3);
    CHECK(largest <= 0.1 && largest > 0.0999);
    CHECK_NEAR(std, 0.1 / sqrt(3.0), 1e-3);

    w.init = LAM_INIT_UNIFORM;
    CHECK_INT(lam_init_weight(&ctx, &w, 11, values), LAM_OK);
    moments(&w, &mean, &std, &largest);
    CHECK(largest <= 0.05 && largest > 0.0499);

    w.init = LAM_INIT_TRUNCATED;
    CHECK_INT(lam_init_weight(&ctx, &w, 11, values), LAM_OK);
    moments(&w, &mean, &std, &largest);
    CHECK_NEAR(mean, 0.0, 1e-3);
    CHECK(largest <= 0.1 && largest > 0.099);
    // The deviation of a normal cut at two deviations is 0.8796 of it.
    CHECK_NEAR(std, 0.05 * 0.87962566, 5e-4);
}

static void test_seed(void)
{
    struct lam_weight w = weight("100", LAM_INIT_TRUNCATED);

    w.scale = 1.0;
    CHECK_INT(lam_init_weight(&ctx, &w, 5, values), LAM_OK);
    CHECK_INT(lam_init_weight(&ctx, &w, 5, again), LAM_OK);
    CHECK(check_same(values, again, 100 * sizeof(*values)));
    CHECK_INT(lam_init_weight(&ctx, &w, 6, again), LAM_OK);
    CHECK(values[0] != again[0] && values[99] != again[99]);
}

static void test_bilinear(void)
{
    const double row4[] = {0.25, 0.75, 0.75, 0.25};
    const double row3[] = {0.5, 1.0, 0.5};
    struct lam_weight w = weight("2x3x4x3", LAM_INIT_BILINEAR);

    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    for (int c = 0; c < 2; c++)
        for (int k = 0; k < 3; k++)
            for (int i = 0; i < 12; i++)
                CHECK_NEAR(values[(c * 3 + k) * 12 + i],
                           c == k ? row4[i / 3] * row3[i % 3] : 0.0, 0.0);
    w = weight("3x1x4x4", LAM_INIT_BILINEAR);
    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    for (int i = 0; i < 48; i++)
        CHECK_NEAR(values[i], row4[i / 4 % 4] * row4[i % 4], 0.0);
    w = weight("1x1x1x2", LAM_INIT_BILINEAR);
    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    CHECK_NEAR(values[0], 0.5, 0.0);
    CHECK_NEAR(values[1], 0.5, 0.0);
}

static void test_icnr(void)
{
    struct lam_weight w = weight("8x3x3x3", LAM_INIT_ICNR);

    w.fan_in = 27.0;
    w.group = 4;
    CHECK_INT(lam_init_weight(&ctx, &w, 3, values), LAM_OK);
    for (int k = 0; k < 8; k++)
        CHECK(check_same(&values[k * 27], &values[k / 4 * 4 * 27],
                         27 * sizeof(*values)));
    CHECK(!check_same(&values[0], &values[4 * 27], 27 * sizeof(*values)));
}

static void test_identity(void)
{
    struct lam_weight w = weight("3x2x3x4", LAM_INIT_IDENTITY);

    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    // The tap at row 1, column 1: "same" pads four columns by one and two.
    for (int i = 0; i < 3 * 2 * 12; i++)
        CHECK_NEAR(values[i], i == 5 || i == 3 * 12 + 5 ? 1.0 : 0.0, 0.0);
    w = weight("2x2", LAM_INIT_IDENTITY);
    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    CHECK(values[0] == 1.0 && values[1] == 0.0 && values[2] == 0.0 &&
          values[3] == 1.0);
    w = weight("4x1x1x1", LAM_INIT_IDENTITY);
    w.group = 4;
    CHECK_INT(lam_init_weight(&ctx, &w, 0, values), LAM_OK);
    CHECK(values[0] == 1.0 && values[3] == 1.0);
}

static void test_refused(void)
{
    static const struct {
        const char *shape;
        int init, group;
        const char *message;
    } bad[] = {{"3x3", LAM_INIT_HE, 0, "fan-in"},
               {"3x3", LAM_INIT_GLOROT, 0, "fan-out"},
               {"3x3", LAM_INIT_ICNR, 3, "fan-in"},
               {"3x3", LAM_INIT_BILINEAR, 0, "four sizes"},
               {"3", LAM_INIT_IDENTITY, 0, "K x C"},
               {"3x1x1x1", LAM_INIT_IDENTITY, 2, "multiple of the groups"},
               {"3", 99, 0, "initialiser 99"}};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct lam_weight w = weight(bad[i].shape, bad[i].init);

        w.group = bad[i].group;
        lam_error_clear(&ctx);
        CHECK_INT(lam_init_weight(&ctx, &w, 1, values), LAM_EPLUGIN);
        CHECK_HAS(ctx.error, "'weight'");
        CHECK_HAS(ctx.error, bad[i].message);
    }
}

int main(void)
{
    test_constant();
    test_random();
    test_seed();
    test_bilinear();
    test_icnr();
    test_identity();
    test_refused();
    return check_done();
}
