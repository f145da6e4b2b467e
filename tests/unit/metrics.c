// Scores by hand, on images small enough to count.
#include "../check.h"

#include "metrics.h"
#include "param.h"

static struct lam_context ctx;

static struct lam_metrics *make(const char *text, int channels, bool is_logit)
{
    struct lam_metrics_options options;
    struct lam_setting settings[8];
    struct lam_metrics *metrics;
    char copy[200];

    lam_error_clear(&ctx);
    snprintf(copy, sizeof(copy), "%s", text);
    CHECK_INT(lam_params_fill(&ctx, "metrics", lam_metrics_params, &options,
                              sizeof(options), settings,
                              lam_settings_split(copy, settings, 8)),
              LAM_OK);
    CHECK_INT(lam_metrics_create(&ctx, &options, channels, is_logit, &metrics),
              LAM_OK);
    return metrics;
}

static void test_scores(void)
{
    const struct lam_counts some = {6, 2, 4, 8};
    const struct lam_counts nothing = {0, 0, 0, 9}, full = {9, 0, 0, 0};
    const struct lam_counts missed = {0, 0, 3, 6}, invented = {0, 3, 0, 6};
    struct lam_scores s = lam_scores_of(&some);

    CHECK_NEAR(s.accuracy, 0.7, 1e-15);
    CHECK_NEAR(s.precision, 0.75, 1e-15);
    CHECK_NEAR(s.recall, 0.6, 1e-15);
    CHECK_NEAR(s.dice, 12.0 / 18.0, 1e-15);
    CHECK_NEAR(s.iou, 0.5, 1e-15);
    CHECK_NEAR(s.mean_iou, (0.5 + 8.0 / 14.0) / 2.0, 1e-15);
    CHECK_NEAR(s.iou, s.dice / (2.0 - s.dice), 1e-15);
    s = lam_scores_of(&nothing);
    CHECK(s.accuracy == 1.0 && s.precision == 1.0 && s.recall == 1.0 &&
          s.dice == 1.0 && s.iou == 1.0 && s.mean_iou == 1.0);
    s = lam_scores_of(&full);
    CHECK(s.dice == 1.0 && s.iou == 1.0 && s.mean_iou == 1.0);
    s = lam_scores_of(&missed);
    CHECK(s.precision == 0.0 && s.recall == 0.0 && s.dice == 0.0 &&
          s.iou == 0.0);
    CHECK_NEAR(s.mean_iou, (0.0 + 6.0 / 9.0) / 2.0, 1e-15);
    s = lam_scores_of(&invented);
    CHECK(s.precision == 0.0 && s.recall == 0.0 && s.dice == 0.0 &&
          s.iou == 0.0);
}

// Three images of 2 x 2: half right, empty and found empty, missed.
static void test_images(void)
{
    static const float maps[3][4] = {{0.9f, 0.8f, 0.1f, 0.5f},
                                     {0.1f, 0.2f, 0.3f, 0.0f},
                                     {0.4f, 0.1f, 0.1f, 0.1f}};
    static const float masks[3][4] = {
        {1, 0, 1, 0}, {0, 0, 0, 0}, {255, 0, 0, 0}};
    struct lam_metrics *m = make("thresholds=0.05,0.35,0.5,0.95", 1, false);
    struct lam_image_metrics image;
    struct lam_metrics_result r;
    struct lam_scores pooled, mean;
    struct lam_threshold_row row;

    lam_metrics_result(m, &r);
    CHECK_INT(r.n_images, 0);
    for (int i = 0; i < 3; i++) {
        CHECK_INT(lam_metrics_add(m, "x", maps[i], masks[i], 2, 2, &image),
                  LAM_OK);
        CHECK_INT(image.is_positive, i != 1);
        CHECK_INT(image.is_found, i == 0);
    }
    lam_metrics_result(m, &r);
    CHECK_INT(r.n_images, 3);
    CHECK_INT(r.n_positive, 2);
    CHECK_INT(r.pixels.tp, 1);
    CHECK_INT(r.pixels.fp, 1);
    CHECK_INT(r.pixels.fn, 2);
    CHECK_INT(r.pixels.tn, 8);
    CHECK_NEAR(r.pooled.dice, 2.0 / 5.0, 1e-15);
    CHECK_NEAR(r.pooled.accuracy, 9.0 / 12.0, 1e-15);
    CHECK_NEAR(r.mean.dice, (0.5 + 1.0 + 0.0) / 3.0, 1e-15);
    CHECK_NEAR(r.mean.iou, (1.0 / 3.0 + 1.0 + 0.0) / 3.0, 1e-15);
    CHECK_NEAR(r.positive.dice, 0.25, 1e-15);
    CHECK_INT(r.images.tp, 1);
    CHECK_INT(r.images.fn, 1);
    CHECK_INT(r.images.tn, 1);
    CHECK_NEAR(r.image.accuracy, 2.0 / 3.0, 1e-15);
    CHECK_NEAR(r.image.recall, 0.5, 1e-15);

    // At 0.35: 2 of 5 found and right, nothing, 1 of 1.
    CHECK(lam_metrics_threshold(m, 1, &row));
    CHECK_NEAR(row.threshold, 0.35, 0.0);
    CHECK_NEAR(row.mean_dice, (2.0 / 5.0 + 1.0 + 1.0) / 3.0, 1e-15);
    CHECK_NEAR(row.pooled.dice, 4.0 / 7.0, 1e-15);
    CHECK(!lam_metrics_threshold(m, 4, &row));
    CHECK_NEAR(r.best_threshold, 0.35, 0.0);
    CHECK_NEAR(r.best_dice, 0.8, 1e-15);

    CHECK_INT(lam_metrics_classes(m), 2);
    lam_metrics_class(m, 0, &pooled, &mean);
    CHECK_NEAR(pooled.iou, 8.0 / 11.0, 1e-15);
    CHECK_NEAR(mean.iou, (1.0 / 3.0 + 1.0 + 3.0 / 4.0) / 3.0, 1e-15);
    lam_metrics_class(m, 1, &pooled, &mean);
    CHECK_NEAR(mean.dice, r.mean.dice, 0.0);
    lam_metrics_destroy(m);
}

static void test_logits(void)
{
    // Two channels, three pixels: z1 - z0 is 1, 0, -1.
    static const float two[] = {1, 2, 3, 2, 2, 2}, mask[] = {1, 1, 0};
    static const float one[] = {1, 0, -1};
    struct lam_metrics *m = make("thresholds=0.2,0.8", 2, true);
    struct lam_image_metrics a, b;
    struct lam_metrics_result r;

    CHECK_INT(lam_metrics_add(m, "x", two, mask, 1, 3, &a), LAM_OK);
    CHECK_INT(a.counts.tp, 1);
    CHECK_INT(a.counts.fn, 1);
    CHECK_INT(a.counts.tn, 1);
    lam_metrics_result(m, &r);
    CHECK_NEAR(r.best_threshold, 0.2, 0.0);
    CHECK_NEAR(r.best_dice, 0.8, 1e-15);
    lam_metrics_destroy(m);
    m = make("", 1, true);
    CHECK_INT(lam_metrics_add(m, "x", one, mask, 1, 3, &b), LAM_OK);
    CHECK(memcmp(&a.counts, &b.counts, sizeof(a.counts)) == 0);
    lam_metrics_destroy(m);
}

static void test_classes(void)
{
    // Found: 0 (of two equals), 2, 2, and one that is ignored.
    static const float map[] = {3, 0, 0, 1, 3, 0, 1, 2, 1, 5, 4, 2};
    static const float mask[] = {0, 2, 1, 7};
    struct lam_metrics *m = make("ignore=7", 3, true);
    struct lam_metrics_result r;
    struct lam_scores pooled, mean;
    struct lam_threshold_row row;

    CHECK_INT(lam_metrics_add(m, "x", map, mask, 2, 2, NULL), LAM_OK);
    lam_metrics_result(m, &r);
    CHECK_INT(r.pixels.tp, 2);
    CHECK_INT(r.pixels.tn, 1);
    CHECK_NEAR(r.pooled.accuracy, 2.0 / 3.0, 1e-15);
    CHECK_NEAR(r.pooled.dice, 1.0, 0.0);
    CHECK_NEAR(r.pooled.mean_iou, (1.0 + 0.0 + 0.5) / 3.0, 1e-15);
    lam_metrics_class(m, 2, &pooled, &mean);
    CHECK_NEAR(pooled.iou, 0.5, 1e-15);
    CHECK_NEAR(pooled.recall, 1.0, 0.0);
    CHECK_NEAR(mean.precision, 0.5, 1e-15);
    CHECK(!lam_metrics_threshold(m, 0, &row));
    CHECK_NEAR(r.best_threshold, 0.0, 0.0);
    lam_metrics_destroy(m);
}

static void test_rules(void)
{
    static const struct {
        const char *text;
        int found;
    } rules[] = {{"", 1},
                 {"image_rule=count image_count=2", 1},
                 {"image_rule=count image_count=3", 0},
                 {"image_rule=share image_share=3", 0},
                 {"image_rule=share image_share=4", 1}};
    // Three of eleven pixels; 11 / 3 is 3, 11 / 4 is 2.
    static const float map[11] = {1, 1, 1}, mask[11];

    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        struct lam_metrics *m = make(rules[i].text, 1, false);
        struct lam_image_metrics image;

        CHECK_INT(lam_metrics_add(m, "x", map, mask, 1, 11, &image), LAM_OK);
        CHECK_INT(image.is_found, rules[i].found);
        CHECK_INT(image.is_positive, 0);
        lam_metrics_destroy(m);
    }
}

static void test_refused(void)
{
    static const float good[3] = {0}, nan_map[] = {0, NAN, 0};
    static const float half[] = {0, 0, 0.5f}, negative[] = {0, -1, 0};
    struct lam_metrics_options options = {0};
    struct lam_metrics *m = make("", 1, false);
    struct lam_metrics_result r;

    CHECK_INT(lam_metrics_add(m, "a.png", nan_map, good, 1, 3, NULL),
              LAM_ENONFINITE);
    CHECK_HAS(ctx.error, "a.png: the prediction in row 0, column 1");
    lam_error_clear(&ctx);
    CHECK_INT(lam_metrics_add(m, "b.png", good, negative, 1, 3, NULL),
              LAM_EDATA);
    CHECK_HAS(ctx.error, "b.png: label -1 in row 0, column 1");
    lam_metrics_result(m, &r);
    CHECK_INT(r.n_images, 0);
    CHECK_INT(lam_metrics_add(m, "c.png", good, half, 1, 3, NULL), LAM_OK);
    lam_metrics_destroy(m);

    m = make("", 3, false);
    {
        static const float map[9] = {0, 0, 0, 0, NAN};

        CHECK_INT(lam_metrics_add(m, "d.png", map, good, 3, 1, NULL),
                  LAM_ENONFINITE);
        CHECK_HAS(ctx.error, "row 1, column 0");
        lam_error_clear(&ctx);
        CHECK_INT(lam_metrics_add(m, "e.png", map, half, 3, 1, NULL),
                  LAM_ENONFINITE);
        lam_error_clear(&ctx);
    }
    lam_metrics_destroy(m);
    CHECK_INT(lam_metrics_create(&ctx, &options, 65, false, &m), LAM_EMODEL);
    CHECK(!m);
    lam_metrics_destroy(m);
}

int main(void)
{
    test_scores();
    test_images();
    test_logits();
    test_classes();
    test_rules();
    test_refused();
    return check_done();
}
