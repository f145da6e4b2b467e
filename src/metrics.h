// metrics.h - how good predicted maps are: counts of pixels and of images, per
// image and pooled, and the threshold that would have been best.
//
// A map [C, H, W] holds probabilities or logits. With one or two channels a
// pixel is foreground where its probability (sigmoid; softmax of channel 1) is
// above the threshold; at 0.5 that is what argmax and rounding to even give.
// With more channels its class is the largest channel, the first of equals, and
// any class above 0 is foreground.
//
// Scores that have no value by their formula, 0 / 0, follow one rule: nothing
// there and nothing found is right (1), one of both is wrong (0). So Dice and
// IoU of an empty mask are 1 if the prediction is empty too, and 0 otherwise.
#ifndef LAM_METRICS_H
#define LAM_METRICS_H

#include "status.h"

enum { LAM_METRICS_MAX_CLASSES = 64 };

// When an image counts as positive. Its truth is: any positive pixel.
enum lam_image_rule {
    LAM_IMAGE_ANY,   // any positive pixel
    LAM_IMAGE_SHARE, // more than height * width / image_share, rounded down
    LAM_IMAGE_COUNT  // more than image_count
};

// The `metrics` section of a model.
struct lam_metrics_options {
    double threshold;
    struct lam_reals thresholds; // tried by the search, may be none
    int32_t image_rule, image_share, image_count;
    int32_t ignore; // label of pixels that do not count, -1: none
};
extern const struct lam_param lam_metrics_params[];

struct lam_counts {
    int64_t tp, fp, fn, tn;
};

// Foreground against background; with more than two classes accuracy is still
// the share of pixels whose class is right.
struct lam_scores {
    double accuracy, precision, recall;
    double dice;     // which is F1
    double iou;      // of the foreground, or of the class
    double mean_iou; // over the classes that occur in mask or prediction
};

// Scores of two classes.
struct lam_scores lam_scores_of(const struct lam_counts *counts);

// What one image adds.
struct lam_image_metrics {
    struct lam_counts counts; // of its pixels, foreground against background
    struct lam_scores scores;
    bool is_positive, is_found; // truth, and the image rule's answer
};

struct lam_metrics_result {
    int64_t n_images, n_positive; // images, those with foreground
    struct lam_counts pixels;     // of all images
    struct lam_scores pooled;     // from those counts
    struct lam_scores mean;       // mean of the images' scores
    struct lam_scores positive;   // the same, images with foreground only
    struct lam_counts images;     // by the image rule
    struct lam_scores image;      // from those
    double best_threshold;        // of the highest mean Dice, the first of
    double best_dice;             // equals; 0 and 0 if none was tried
};

struct lam_metrics;

// channels: of the maps, 1..LAM_METRICS_MAX_CLASSES. is_logit: not yet
// probabilities. LAM_EMODEL for any other number of channels.
int lam_metrics_create(struct lam_context *ctx,
                       const struct lam_metrics_options *options, int channels,
                       bool is_logit, struct lam_metrics **metrics);
void lam_metrics_destroy(struct lam_metrics *metrics); // NULL is fine

// Adds an image: map [channels, height, width], mask [height, width] of labels.
// name is for messages; image may be NULL. LAM_ENONFINITE for a NaN in the map,
// LAM_EDATA for a label that is no class; nothing is added then.
int lam_metrics_add(struct lam_metrics *metrics, const char *name,
                    const float *map, const float *mask, int height, int width,
                    struct lam_image_metrics *image);

// All that was added; with no image all is 0.
void lam_metrics_result(const struct lam_metrics *metrics,
                        struct lam_metrics_result *result);

// 2 for one channel.
int lam_metrics_classes(const struct lam_metrics *metrics);
// One class against the rest, pooled, and the mean of the images' scores.
void lam_metrics_class(const struct lam_metrics *metrics, int class_index,
                       struct lam_scores *pooled, struct lam_scores *mean);

// Row i of the search: pooled scores and mean Dice at a threshold. False past
// the last, and for more than two channels.
struct lam_threshold_row {
    double threshold, mean_dice;
    struct lam_scores pooled;
};
bool lam_metrics_threshold(const struct lam_metrics *metrics, int i,
                           struct lam_threshold_row *row);

#endif
