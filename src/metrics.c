#include "metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const image_rules[] = {"any", "share", "count", NULL};

#define AT(member) offsetof(struct lam_metrics_options, member)

const struct lam_param lam_metrics_params[] = {
    {"threshold", LAM_PARAM_REAL, AT(threshold), "0.5", 0.0, 1.0, NULL,
     "a pixel is foreground above this probability", 0},
    {"thresholds", LAM_PARAM_REALS, AT(thresholds),
     "0.2 0.3 0.4 0.5 0.65 0.75 0.85 0.95", 0.0, 1.0, NULL,
     "tried in search of the highest mean Dice", 0},
    {"image_rule", LAM_PARAM_CHOICE, AT(image_rule), "any", 0, 0, image_rules,
     "when an image is found positive", 0},
    {"image_share", LAM_PARAM_INT, AT(image_share), "750", 1.0, 1e9, NULL,
     "rule share: more pixels than the image has, divided by this", 0},
    {"image_count", LAM_PARAM_INT, AT(image_count), "0", 0.0, 2e9, NULL,
     "rule count: more pixels than this", 0},
    {"ignore", LAM_PARAM_INT, AT(ignore), "-1", -1.0, 65535.0, NULL,
     "label of pixels that do not count; -1: none", 0},
    {0}};

enum { MAX_THRESHOLDS = 8 };

// Pixels of a background or a foreground label above each threshold.
struct tried {
    int64_t above[MAX_THRESHOLDS][2];
};

struct lam_metrics {
    struct lam_context *ctx;
    struct lam_metrics_options options;
    int channels, classes;
    bool is_logit;
    int64_t n_images, n_positive;
    int64_t *all, *one; // by label, then by prediction: of all, of one image
    struct tried all_tried, one_tried;
    double dice_sum[MAX_THRESHOLDS];
    struct lam_scores sum, positive_sum, *class_sum;
    struct lam_counts images;
};

// a / b, and 1 where nothing was there and nothing found.
static double ratio(int64_t a, int64_t b, bool is_nothing)
{
    return is_nothing ? 1.0 : b > 0 ? (double)a / (double)b : 0.0;
}

struct lam_scores lam_scores_of(const struct lam_counts *c)
{
    const int64_t all = c->tp + c->fp + c->fn + c->tn;
    const int64_t wrong = c->fp + c->fn;
    const bool no_foreground = c->tp + wrong == 0;
    const bool no_background = c->tn + wrong == 0;
    const double iou = ratio(c->tp, c->tp + wrong, no_foreground);
    const double other = ratio(c->tn, c->tn + wrong, no_background);

    return (struct lam_scores){
        .accuracy = ratio(c->tp + c->tn, all, all == 0),
        .precision = ratio(c->tp, c->tp + c->fp, no_foreground),
        .recall = ratio(c->tp, c->tp + c->fn, no_foreground),
        .dice = ratio(2 * c->tp, 2 * c->tp + wrong, no_foreground),
        .iou = iou,
        .mean_iou = no_foreground   ? other
                    : no_background ? iou
                                    : (iou + other) / 2.0};
}

// Class k against the rest.
static struct lam_counts class_counts(const int64_t *matrix, int classes, int k)
{
    struct lam_counts c = {0};

    for (int label = 0; label < classes; label++)
        for (int found = 0; found < classes; found++) {
            const int64_t n = matrix[label * classes + found];

            *(label == k ? (found == k ? &c.tp : &c.fn)
                         : (found == k ? &c.fp : &c.tn)) += n;
        }
    return c;
}

// All classes above 0 against class 0.
static struct lam_counts foreground_counts(const int64_t *matrix, int classes)
{
    const struct lam_counts c = class_counts(matrix, classes, 0);

    return (struct lam_counts){c.tn, c.fn, c.fp, c.tp};
}

static struct lam_scores matrix_scores(const int64_t *matrix, int classes)
{
    const struct lam_counts fg = foreground_counts(matrix, classes);
    struct lam_scores scores = lam_scores_of(&fg);
    double sum = 0.0;
    int64_t right = 0, all = 0;
    int n = 0;

    if (classes == 2)
        return scores;
    for (int k = 0; k < classes; k++) {
        const struct lam_counts c = class_counts(matrix, classes, k);

        right += c.tp;
        all = c.tp + c.fp + c.fn + c.tn;
        if (c.tp + c.fp + c.fn > 0) {
            sum += lam_scores_of(&c).iou;
            n++;
        }
    }
    scores.accuracy = ratio(right, all, all == 0);
    scores.mean_iou = n ? sum / n : 1.0;
    return scores;
}

static void scores_add(struct lam_scores *sum, const struct lam_scores *s)
{
    sum->accuracy += s->accuracy;
    sum->precision += s->precision;
    sum->recall += s->recall;
    sum->dice += s->dice;
    sum->iou += s->iou;
    sum->mean_iou += s->mean_iou;
}

static struct lam_scores scores_mean(const struct lam_scores *sum, int64_t n)
{
    const double by = n > 0 ? (double)n : 1.0;

    return (struct lam_scores){.accuracy = sum->accuracy / by,
                               .precision = sum->precision / by,
                               .recall = sum->recall / by,
                               .dice = sum->dice / by,
                               .iou = sum->iou / by,
                               .mean_iou = sum->mean_iou / by};
}

int lam_metrics_create(struct lam_context *ctx,
                       const struct lam_metrics_options *options, int channels,
                       bool is_logit, struct lam_metrics **metrics)
{
    const int classes = channels < 2 ? 2 : channels;
    struct lam_metrics *m;

    *metrics = NULL;
    if (channels < 1 || channels > LAM_METRICS_MAX_CLASSES)
        return lam_fail(ctx, LAM_EMODEL,
                        "metrics: a map of 1 to %d channels was wanted, found "
                        "%d",
                        LAM_METRICS_MAX_CLASSES, channels);
    m = calloc(1, sizeof(*m));
    if (!m)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    m->ctx = ctx;
    m->options = *options;
    m->channels = channels;
    m->classes = classes;
    m->is_logit = is_logit;
    m->all = calloc((size_t)(classes * classes), sizeof(*m->all));
    m->one = calloc((size_t)(classes * classes), sizeof(*m->one));
    m->class_sum = calloc((size_t)classes, sizeof(*m->class_sum));
    if (!m->all || !m->one || !m->class_sum) {
        lam_metrics_destroy(m);
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    *metrics = m;
    return LAM_OK;
}

void lam_metrics_destroy(struct lam_metrics *m)
{
    if (!m)
        return;
    free(m->all);
    free(m->one);
    free(m->class_sum);
    free(m);
}

static int n_thresholds(const struct lam_metrics *m)
{
    return m->channels <= 2 ? m->options.thresholds.n : 0;
}

// Class of label y; -1: does not count, -2: is none.
static int class_of(const struct lam_metrics *m, double y)
{
    if (m->options.ignore >= 0 && y == m->options.ignore)
        return -1;
    if (m->classes == 2)
        return y > 0.0 ? 1 : y == 0.0 ? 0 : -2;
    return y >= 0.0 && y < m->classes && y == floor(y) ? (int)y : -2;
}

// Probability of foreground with one or two channels.
static double probability(const struct lam_metrics *m, const float *map,
                          int64_t pixels)
{
    const double z = (double)map[m->channels == 2 ? pixels : 0];

    if (!m->is_logit)
        return z;
    return 1.0 / (1.0 + exp((m->channels == 2 ? (double)map[0] : 0.0) - z));
}

// The largest channel, -1 if there is a NaN.
static int largest(const struct lam_metrics *m, const float *map,
                   int64_t pixels)
{
    int best = 0;

    for (int k = 0; k < m->channels; k++) {
        if (isnan(map[k * pixels]))
            return -1;
        if (map[k * pixels] > map[best * pixels])
            best = k;
    }
    return best;
}

static void try_thresholds(struct lam_metrics *m, double p, int label)
{
    const int n = n_thresholds(m);

    for (int i = 0; i < n; i++)
        m->one_tried.above[i][label] += p > m->options.thresholds.v[i];
}

static int count_pixels(struct lam_metrics *m, const char *name,
                        const float *map, const float *mask, int height,
                        int width)
{
    const int64_t pixels = (int64_t)height * width;

    for (int64_t i = 0; i < pixels; i++) {
        const int label = class_of(m, (double)mask[i]);
        int found;

        if (label == -2)
            return lam_fail(m->ctx, LAM_EDATA,
                            "%s: label %g in row %d, column %d is none of the "
                            "%d classes",
                            name, (double)mask[i], (int)(i / width),
                            (int)(i % width), m->classes);
        if (m->channels <= 2) {
            const double p = probability(m, map + i, pixels);

            found = isnan(p) ? -1 : p > m->options.threshold;
            if (found >= 0 && label >= 0)
                try_thresholds(m, p, label);
        } else {
            found = largest(m, map + i, pixels);
        }
        if (found < 0)
            return lam_fail(m->ctx, LAM_ENONFINITE,
                            "%s: the prediction in row %d, column %d is not a "
                            "number",
                            name, (int)(i / width), (int)(i % width));
        if (label >= 0)
            m->one[label * m->classes + found]++;
    }
    return LAM_OK;
}

static bool is_found(const struct lam_metrics *m, int64_t found, int64_t pixels)
{
    switch (m->options.image_rule) {
    case LAM_IMAGE_SHARE:
        return found > pixels / m->options.image_share;
    case LAM_IMAGE_COUNT:
        return found > m->options.image_count;
    default:
        return found > 0;
    }
}

static struct lam_counts tried_counts(const struct tried *tried, int i,
                                      const struct lam_counts *known)
{
    const int64_t fp = tried->above[i][0], tp = tried->above[i][1];

    return (struct lam_counts){tp, fp, known->tp + known->fn - tp,
                               known->tn + known->fp - fp};
}

// Adds the image's counts to those of all.
static void add_counts(struct lam_metrics *m, const struct lam_image_metrics *r)
{
    const int n = n_thresholds(m);

    for (int i = 0; i < m->classes * m->classes; i++)
        m->all[i] += m->one[i];
    for (int k = 0; k < m->classes; k++) {
        const struct lam_counts c = class_counts(m->one, m->classes, k);
        const struct lam_scores s = lam_scores_of(&c);

        scores_add(&m->class_sum[k], &s);
    }
    for (int i = 0; i < n; i++) {
        const struct lam_counts c = tried_counts(&m->one_tried, i, &r->counts);

        m->dice_sum[i] += lam_scores_of(&c).dice;
        m->all_tried.above[i][0] += m->one_tried.above[i][0];
        m->all_tried.above[i][1] += m->one_tried.above[i][1];
    }
    scores_add(&m->sum, &r->scores);
    if (r->is_positive)
        scores_add(&m->positive_sum, &r->scores);
    m->n_images++;
    m->n_positive += r->is_positive;
    *(r->is_positive ? (r->is_found ? &m->images.tp : &m->images.fn)
                     : (r->is_found ? &m->images.fp : &m->images.tn)) += 1;
}

int lam_metrics_add(struct lam_metrics *metrics, const char *name,
                    const float *map, const float *mask, int height, int width,
                    struct lam_image_metrics *image)
{
    struct lam_metrics *m = metrics;
    struct lam_image_metrics result;
    const struct lam_counts *c = &result.counts;
    int err;

    memset(m->one, 0, (size_t)(m->classes * m->classes) * sizeof(*m->one));
    m->one_tried = (struct tried){0};
    err = count_pixels(m, name, map, mask, height, width);
    if (err)
        return err;
    result.counts = foreground_counts(m->one, m->classes);
    result.scores = matrix_scores(m->one, m->classes);
    result.is_positive = c->tp + c->fn > 0;
    result.is_found = is_found(m, c->tp + c->fp, (int64_t)height * width);
    add_counts(m, &result);
    if (image)
        *image = result;
    return LAM_OK;
}

void lam_metrics_result(const struct lam_metrics *m,
                        struct lam_metrics_result *result)
{
    struct lam_threshold_row row;

    *result = (struct lam_metrics_result){0};
    if (m->n_images == 0)
        return;
    result->n_images = m->n_images;
    result->n_positive = m->n_positive;
    result->pixels = foreground_counts(m->all, m->classes);
    result->pooled = matrix_scores(m->all, m->classes);
    result->mean = scores_mean(&m->sum, m->n_images);
    result->positive = scores_mean(&m->positive_sum, m->n_positive);
    result->images = m->images;
    result->image = lam_scores_of(&m->images);
    for (int i = 0; lam_metrics_threshold(m, i, &row); i++)
        if (i == 0 || row.mean_dice > result->best_dice) {
            result->best_threshold = row.threshold;
            result->best_dice = row.mean_dice;
        }
}

int lam_metrics_classes(const struct lam_metrics *m)
{
    return m->classes;
}

void lam_metrics_class(const struct lam_metrics *m, int class_index,
                       struct lam_scores *pooled, struct lam_scores *mean)
{
    const struct lam_counts c = class_counts(m->all, m->classes, class_index);

    *pooled = lam_scores_of(&c);
    *mean = scores_mean(&m->class_sum[class_index], m->n_images);
}

bool lam_metrics_threshold(const struct lam_metrics *m, int i,
                           struct lam_threshold_row *row)
{
    const struct lam_counts known = foreground_counts(m->all, m->classes);
    struct lam_counts c;

    if (i < 0 || i >= n_thresholds(m))
        return false;
    c = tried_counts(&m->all_tried, i, &known);
    row->threshold = m->options.thresholds.v[i];
    row->pooled = lam_scores_of(&c);
    row->mean_dice =
        m->n_images > 0 ? m->dice_sum[i] / (double)m->n_images : 0.0;
    return true;
}
