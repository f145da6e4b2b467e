// lamina data check and data stats.
#include "data_check.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data.h"
#include "json.h"
#include "rng.h"

static const char *const split_names[] = {"train", "val", "test"};
static const char *const dice_names[] = {"train_dice", "val_dice", "test_dice"};

struct image_stats {
    double share; // of foreground
    int highest;  // label
    double white; // highest grey, of 65535
    uint64_t hash;
};

static int look(struct lam_dataset *d, enum lam_split split, int i,
                struct image_stats *stats)
{
    const struct lam_intensity raw = {.low = 0, .high = 1, .mean = 0, .std = 1};
    float *image, *mask;
    int height, width;
    const int err =
        lam_dataset_read(d, split, i, &raw, &image, &mask, &height, &width);
    const int64_t n = err ? 0 : (int64_t)height * width;

    *stats = (struct image_stats){.hash = 1};
    for (int64_t k = 0; k < n; k++) {
        stats->hash = lam_rng_bits(stats->hash, (uint64_t)image[k]);
        if ((double)image[k] > stats->white)
            stats->white = (double)image[k];
        if (mask && mask[k] > 0) {
            stats->share += 1.0 / (double)n;
            if (mask[k] > (float)stats->highest)
                stats->highest = (int)mask[k];
        }
    }
    free(image);
    free(mask);
    return err;
}

// What is wrong, counted and told: a line each, or texts of a list.
struct problems {
    struct lam_json *json; // NULL: lines for people
    int n;
};

static void add_problem(void *data, const char *problem)
{
    struct problems *p = data;

    if (p->json)
        lam_json_text(p->json, NULL, problem);
    else
        printf("%s\n", problem);
    p->n++;
}

// Pairs that training and test must not share.
static void compare(struct problems *p, struct lam_dataset *d,
                    const struct image_stats *stats, int i)
{
    const struct lam_sample_info *a = lam_dataset_info(d, LAM_SPLIT_ALL, i);
    char text[1200];

    for (int j = 0; j < i; j++) {
        const struct lam_sample_info *b = lam_dataset_info(d, LAM_SPLIT_ALL, j);

        if (a->split == b->split)
            continue;
        if (stats[i].hash == stats[j].hash) {
            snprintf(text, sizeof(text),
                     "%s (%s) and %s (%s) have the same pixels", a->name,
                     split_names[a->split], b->name, split_names[b->split]);
            add_problem(p, text);
        }
        if (strcmp(a->patient, b->patient) == 0) {
            snprintf(text, sizeof(text),
                     "patient %s is in %s (%s) and in %s (%s)", a->patient,
                     split_names[a->split], a->name, split_names[b->split],
                     b->name);
            add_problem(p, text);
            break;
        }
    }
}

// How the greys are stored; 10 to 14 bits often lie in 16.
static void print_summary(const struct problems *p, struct lam_dataset *d,
                          const struct image_stats *stats, int n_empty)
{
    const int n = lam_dataset_count(d, LAM_SPLIT_ALL);
    int n_wide = 0, n_bare = 0, bits = 1;
    double white = 0.0;

    for (int i = 0; i < n; i++) {
        const struct lam_sample_info *info =
            lam_dataset_info(d, LAM_SPLIT_ALL, i);

        n_bare += !info->mask_path && info->image_path;
        n_wide += info->bits == 16;
        if (info->bits == 16 && stats[i].white > white)
            white = stats[i].white;
    }
    while (white >= (double)(1 << bits))
        bits++;
    if (p->json) {
        lam_json_close(p->json);
        lam_json_int(p->json, "images", n);
        lam_json_int(p->json, "images_of_8_bits", n - n_wide);
        lam_json_int(p->json, "images_of_16_bits", n_wide);
        if (n_wide)
            lam_json_int(p->json, "bits_used", bits);
        lam_json_int(p->json, "without_mask", n_bare);
        lam_json_int(p->json, "without_foreground", n_empty);
        lam_json_end(p->json);
        return;
    }
    printf("%d images of 8 bits, %d of 16", n - n_wide, n_wide);
    if (n_wide)
        printf(" (up to %.0f: %d bits are used)", white, bits);
    printf(", %d without a mask\n", n_bare);
    printf("%d images, %d without foreground, %d problems\n", n, n_empty, p->n);
}

int data_check(struct lam_context *ctx, const char *path, bool is_json)
{
    struct lam_json document = {0};
    struct problems problems = {.json = is_json ? &document : NULL};
    struct image_stats *stats;
    struct lam_dataset *d;
    int n_empty = 0, n, err;

    if (is_json) {
        lam_json_begin(&document, stdout);
        lam_json_text(&document, "data", path);
        lam_json_list(&document, "problems");
    }
    err = lam_dataset_open_rest(ctx, path, add_problem, &problems, &d);
    n = err ? 0 : lam_dataset_count(d, LAM_SPLIT_ALL);
    stats = calloc((size_t)n + 1, sizeof(*stats));
    if (!err && !stats)
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++) {
        if (look(d, LAM_SPLIT_ALL, i, &stats[i])) {
            add_problem(&problems, ctx->error);
            lam_error_clear(ctx);
            continue;
        }
        n_empty += stats[i].share == 0.0;
        compare(&problems, d, stats, i);
    }
    if (!err)
        print_summary(&problems, d, stats, n_empty);
    else if (is_json)
        lam_json_end(&document);
    free(stats);
    if (!err)
        lam_dataset_close(d);
    if (!err && problems.n)
        err = lam_fail(ctx, LAM_EDATA, "%d problems in %s", problems.n, path);
    return err;
}

// Mean Dice of "grey above t" for each of 256 thresholds.
static int dice_by_threshold(struct lam_dataset *d, enum lam_split split,
                             double *dice)
{
    const struct lam_intensity raw = {
        .low = 0, .high = 257, .mean = 0, .std = 1};
    const int n = lam_dataset_count(d, split);
    int err = LAM_OK;

    memset(dice, 0, 256 * sizeof(*dice));
    for (int i = 0; i < n && !err; i++) {
        int64_t all[257] = {0}, hit[257] = {0}, positives = 0;
        float *image, *mask;
        int height, width;

        err =
            lam_dataset_read(d, split, i, &raw, &image, &mask, &height, &width);
        for (int64_t k = 0; !err && mask && k < (int64_t)height * width; k++) {
            const int v = (int)image[k];

            all[v]++;
            hit[v] += mask[k] > 0;
            positives += mask[k] > 0;
        }
        for (int t = 255; t >= 0; t--) {
            all[t] += all[t + 1];
            hit[t] += hit[t + 1];
        }
        for (int t = 0; t < 256; t++)
            dice[t] +=
                (all[t + 1] + positives ? 2.0 * (double)hit[t + 1] /
                                              (double)(all[t + 1] + positives)
                                        : 1.0) /
                n;
        free(image);
        free(mask);
    }
    return err;
}

static int print_threshold(struct lam_dataset *d, struct lam_json *json)
{
    double dice[3][256];
    int best = 0, err = LAM_OK;

    for (int s = 0; s < 3 && !err; s++)
        err = dice_by_threshold(d, (enum lam_split)s, dice[s]);
    if (err)
        return err;
    for (int t = 1; t < 256; t++)
        if (dice[0][t] > dice[0][best])
            best = t;
    if (json) {
        lam_json_object(json, "best_grey_threshold");
        lam_json_int(json, "above", best);
        for (int s = 0; s < 3; s++)
            lam_json_real(
                json, dice_names[s],
                lam_dataset_count(d, (enum lam_split)s) ? dice[s][best] : NAN);
        lam_json_close(json);
        return LAM_OK;
    }
    printf("best grey threshold on train: above %d of 255; mean Dice train "
           "%.3f, val %.3f, test %.3f\n",
           best, dice[0][best], dice[1][best], dice[2][best]);
    return LAM_OK;
}

static int print_split(struct lam_dataset *d, int s, struct lam_json *json)
{
    const int n = lam_dataset_count(d, (enum lam_split)s);
    double share = 0.0, least = 1.0, most = 0.0;
    int highest = 0, err = LAM_OK;

    for (int i = 0; i < n && !err; i++) {
        struct image_stats one;

        err = look(d, (enum lam_split)s, i, &one);
        share += one.share / n;
        least = one.share < least ? one.share : least;
        most = one.share > most ? one.share : most;
        highest = one.highest > highest ? one.highest : highest;
    }
    if (err || (n == 0 && !json))
        return err;
    if (json) {
        lam_json_object(json, split_names[s]);
        lam_json_int(json, "images", n);
        lam_json_real(json, "foreground_mean", n ? share : NAN);
        lam_json_real(json, "foreground_min", n ? least : NAN);
        lam_json_real(json, "foreground_max", n ? most : NAN);
        lam_json_int(json, "highest_label", highest);
        lam_json_close(json);
    } else {
        printf("%-5s %5d images, foreground %.4f on average (%.4f to %.4f), "
               "labels 0 to %d\n",
               split_names[s], n, share, least, most, highest);
    }
    return LAM_OK;
}

static int print_intensity(struct lam_dataset *d, struct lam_json *json)
{
    struct lam_intensity in = {0};
    const int err = lam_dataset_measure(d, &in);

    if (err)
        return err;
    if (json) {
        lam_json_object(json, "intensity");
        lam_json_real(json, "low", in.low);
        lam_json_real(json, "high", in.high);
        lam_json_real(json, "mean", in.mean);
        lam_json_real(json, "deviation", in.std);
        lam_json_close(json);
    } else {
        printf("intensity of train: %.0f to %.0f of 65535, mean %.4f, standard "
               "deviation %.4f of that range\n",
               in.low, in.high, in.mean, in.std);
    }
    return LAM_OK;
}

int data_stats(struct lam_context *ctx, const char *path, bool is_json)
{
    struct lam_json document = {0}, *json = is_json ? &document : NULL;
    struct lam_dataset *d;
    int err = lam_dataset_open(ctx, path, &d);

    if (err)
        return err;
    if (json) {
        lam_json_begin(json, stdout);
        lam_json_text(json, "data", path);
    }
    for (int s = 0; s < 3 && !err; s++)
        err = print_split(d, s, json);
    if (!err)
        err = print_intensity(d, json);
    if (!err)
        err = print_threshold(d, json);
    if (json)
        lam_json_end(json);
    lam_dataset_close(d);
    return err;
}
