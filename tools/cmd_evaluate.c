// lamina evaluate - measures a trained network on a data set.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cells.h"
#include "cmd.h"
#include "file.h"
#include "json.h"
#include "overlay.h"
#include "param.h"
#include "progress.h"
#include "sweep.h"
#include "talk.h"
#include "trained.h"

struct job {
    struct lam_context *ctx;
    struct lam_trained trained;
    struct lam_dataset *dataset;
    struct lam_metrics *metrics;
    FILE *csv;
    struct lam_sweep *sweep; // NULL: no curve is wanted
    const char *overlays;
    bool is_val;           // a threshold may be chosen on it
    struct lam_json *json; // NULL: a table for people
};

static void print_csv(FILE *csv, const char *name,
                      const struct lam_image_metrics *m)
{
    fprintf(csv,
            "%s,%.6f,%.6f,%.6f,%.6f,%.6f,%" PRId64 ",%" PRId64 ",%" PRId64
            ",%" PRId64 "\n",
            name, m->scores.dice, m->scores.iou, m->scores.precision,
            m->scores.recall, m->scores.accuracy, m->counts.tp, m->counts.fp,
            m->counts.fn, m->counts.tn);
}

static int write_overlay(struct job *job, const char *name, const float *image,
                         const float *mask, int height, int width,
                         const struct lam_map *map)
{
    const size_t n = (size_t)height * (size_t)width;
    float *p = lam_trained_foreground(map, height, width);
    char path[1400];
    int err;

    if (!p)
        return lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++)
        p[i] = (double)p[i] > job->trained.metrics.threshold ? 1.0f : 0.0f;
    snprintf(path, sizeof(path), "%s/%s.png", job->overlays, name);
    err = lam_overlay_write(job->ctx, path, width, height, image, mask, p);
    free(p);
    return err;
}

static int sweep_one(struct job *job, const float *mask, int height, int width,
                     const struct lam_map *map)
{
    float *p = lam_trained_foreground(map, height, width);

    if (!p)
        return lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    lam_sweep_add(job->sweep, p, mask, (size_t)height * (size_t)width);
    free(p);
    return LAM_OK;
}

// A row for each threshold from 0 to 1; scores without a value are empty.
static int write_curve(struct job *job, const char *path)
{
    FILE *file = lam_file_create(job->ctx, path);
    int err;

    if (!file)
        return job->ctx->code;
    fprintf(file, "threshold,precision,recall,dice\n");
    for (int i = 0; i <= LAM_SWEEP_BINS; i++) {
        const struct lam_sweep_point p = lam_sweep_at(job->sweep, i);
        const double scores[] = {p.precision, p.recall, p.dice};

        fprintf(file, "%.3f", p.threshold);
        for (int k = 0; k < 3; k++)
            if (isnan(scores[k]))
                fprintf(file, ",");
            else
                fprintf(file, ",%.6f", scores[k]);
        fprintf(file, "\n");
    }
    err = lam_file_close(job->ctx, file, path);
    if (!err && !job->json)
        printf("average precision of all pixels %.4f\n",
               lam_sweep_average_precision(job->sweep));
    return err;
}

static void put_scores(struct lam_json *j, const struct lam_scores *s)
{
    lam_json_real(j, "dice", s->dice);
    lam_json_real(j, "iou", s->iou);
    lam_json_real(j, "precision", s->precision);
    lam_json_real(j, "recall", s->recall);
    lam_json_real(j, "accuracy", s->accuracy);
}

static void scores_json(struct lam_json *j, const char *key,
                        const struct lam_scores *s)
{
    lam_json_object(j, key);
    put_scores(j, s);
    lam_json_real(j, "mean_iou", s->mean_iou);
    lam_json_close(j);
}

static void image_json(struct lam_json *j, const char *name,
                       const struct lam_image_metrics *m)
{
    lam_json_object(j, NULL);
    lam_json_text(j, "name", name);
    put_scores(j, &m->scores);
    lam_json_int(j, "tp", m->counts.tp);
    lam_json_int(j, "fp", m->counts.fp);
    lam_json_int(j, "fn", m->counts.fn);
    lam_json_int(j, "tn", m->counts.tn);
    lam_json_close(j);
}

static int evaluate_one(struct job *job, enum lam_split split, int i)
{
    const struct lam_sample_info *info =
        lam_dataset_info(job->dataset, split, i);
    struct lam_image_metrics one;
    struct lam_map map = {0};
    float *image, *mask, *truth = NULL;
    int height, width;
    int err = lam_dataset_read(job->dataset, split, i,
                               &job->trained.checkpoint.intensity, &image,
                               &mask, &height, &width);

    if (!err && !mask)
        err = lam_fail(job->ctx, LAM_EDATA, "%s has no mask", info->name);
    if (!err)
        err = lam_predictor_run(job->trained.predictor, image, height, width, 0,
                                0, &map);
    if (!err && !job->metrics)
        err = lam_metrics_create(job->ctx, &job->trained.metrics, map.channels,
                                 false, &job->metrics);
    if (!err) {
        truth = lam_cells_truth(mask, height, width, map.height, map.width);
        err = truth ? lam_metrics_add(job->metrics, info->name, map.data, truth,
                                      map.height, map.width, &one)
                    : lam_fail(job->ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err && job->sweep)
        err = sweep_one(job, mask, height, width, &map);
    if (!err && job->json)
        image_json(job->json, info->name, &one);
    if (!err && job->csv)
        print_csv(job->csv, info->name, &one);
    if (!err && job->overlays)
        err = write_overlay(job, info->name, image, mask, height, width, &map);
    free(map.data);
    free(truth);
    free(image);
    free(mask);
    return err;
}

static void print_scores(const char *name, const struct lam_scores *s)
{
    printf("%-28s %7.4f %7.4f %9.4f %7.4f %8.4f %8.4f\n", name, s->dice, s->iou,
           s->precision, s->recall, s->accuracy, s->mean_iou);
}

static void result_json(const struct job *job)
{
    struct lam_json *j = job->json;
    struct lam_metrics_result r;

    lam_metrics_result(job->metrics, &r);
    lam_json_close(j);
    lam_json_int(j, "n_images", r.n_images);
    lam_json_int(j, "n_with_foreground", r.n_positive);
    lam_json_real(j, "threshold", job->trained.metrics.threshold);
    scores_json(j, "mean", &r.mean);
    scores_json(j, "mean_with_foreground", &r.positive);
    scores_json(j, "pooled", &r.pooled);
    scores_json(j, "by_image_rule", &r.image);
    if (job->is_val && r.best_threshold > 0.0) {
        lam_json_real(j, "best_threshold", r.best_threshold);
        lam_json_real(j, "best_mean_dice", r.best_dice);
    }
    if (job->sweep)
        lam_json_real(j, "average_precision",
                      lam_sweep_average_precision(job->sweep));
}

static void print_result(const struct job *job)
{
    struct lam_metrics_result r;

    lam_metrics_result(job->metrics, &r);
    printf("%" PRId64 " images, %" PRId64
           " with foreground; foreground above probability %.2f; an empty mask "
           "counts 1 if the\nprediction is empty too, else 0\n",
           r.n_images, r.n_positive, job->trained.metrics.threshold);
    printf("%-28s %7s %7s %9s %7s %8s %8s\n", "", "Dice", "IoU", "precision",
           "recall", "accuracy", "mean IoU");
    print_scores("mean over images", &r.mean);
    print_scores("mean, images with foreground", &r.positive);
    print_scores("all pixels pooled", &r.pooled);
    print_scores("images (by the image rule)", &r.image);
    if (job->is_val && r.best_threshold > 0.0)
        printf("highest mean Dice %.4f, above probability %.2f, of those "
               "`metrics` tries\n",
               r.best_dice, r.best_threshold);
}

static int open_csv(struct job *job, const char *path)
{
    if (!path)
        return LAM_OK;
    job->csv = fopen(path, "w");
    if (!job->csv)
        return lam_fail(job->ctx, LAM_EFILE, "%s cannot be written", path);
    fprintf(job->csv, "name,dice,iou,precision,recall,accuracy,tp,fp,fn,tn\n");
    return LAM_OK;
}

static int run(struct job *job, const char *data, enum lam_split split,
               const char *csv)
{
    struct lam_meter meter;
    int n, err = lam_dataset_open(job->ctx, data, &job->dataset);

    if (!err)
        err = open_csv(job, csv);
    if (!err && job->overlays)
        mkdir(job->overlays, 0777);
    n = err ? 0 : lam_dataset_count(job->dataset, split);
    if (!err && n == 0)
        err = lam_fail(job->ctx, LAM_EDATA, "%s has no image in this split",
                       data);
    lam_meter_start(&meter, !talk_shows_progress(), 0, n);
    for (int i = 0; i < n && !err; i++) {
        err = evaluate_one(job, split, i);
        lam_meter_count(&meter, i + 1, "images");
    }
    lam_meter_clear(&meter);
    if (job->csv && fclose(job->csv) && !err)
        err = lam_fail(job->ctx, LAM_EFILE, "%s cannot be written", csv);
    if (!err && job->json)
        result_json(job);
    else if (!err)
        print_result(job);
    return err;
}

int cmd_evaluate(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina evaluate CHECKPOINT|RUN [--data PATH] [--split test]\n"
        "Prints Dice, IoU, precision, recall, accuracy: per image and pooled. "
        "The threshold\nis the one validation chose, unless --threshold says "
        "otherwise.\n";
    const char *data = NULL, *split_text = "test", *threshold = NULL;
    const char *csv = NULL, *curve = NULL, *device = NULL, *rest[1];
    struct job job = {.ctx = ctx};
    int no_tuning = 0, own_statistics = 0, flips = 0, is_json = 0;
    struct lam_json document;
    const struct option_row rows[] = {
        {"--data", "PATH", "the data set (the one trained on)", NULL, &data,
         NULL, NULL},
        {"--split", "NAME", "train, val, test or all (test)", NULL, &split_text,
         NULL, NULL},
        {"--threshold", "T", "foreground above this probability", NULL,
         &threshold, NULL, NULL},
        {"--csv", "FILE", "a row per image", NULL, &csv, NULL, NULL},
        {"--curve", "FILE",
         "precision, recall and Dice of all pixels at 1001 thresholds", NULL,
         &curve, NULL, NULL},
        {"--overlays", "DIR", "a picture per image", NULL, &job.overlays, NULL,
         NULL},
        {"--json", NULL, "for programs, with a member per image", &is_json,
         NULL, NULL, NULL},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {"--own-statistics", NULL,
         "batch norm by the image itself, not by the running statistics",
         &own_statistics, NULL, NULL, NULL},
        {"--flips", NULL,
         "the mean over the image and the mirror images training had", &flips,
         NULL, NULL, NULL},
        {"--no-tuning", NULL, "ignore what lamina tune has measured",
         &no_tuning, NULL, NULL, NULL},
        {0}};
    enum lam_split split = LAM_SPLIT_TEST;
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, rest, 1, &n, &done);

    if (err || done)
        return err;
    if (n == 0)
        return lam_fail(ctx, LAM_EUSAGE, "no checkpoint was given");
    err = options_split(ctx, split_text, &split);
    job.is_val = split == LAM_SPLIT_VAL;
    if (!err)
        err = lam_trained_open(ctx, rest[0], device, !no_tuning, &job.trained);
    if (!err && own_statistics)
        lam_predictor_use_own_statistics(job.trained.predictor);
    if (!err && flips)
        err = lam_predictor_use_flips(job.trained.predictor);
    if (!err) {
        job.trained.metrics.threshold =
            job.trained.checkpoint.progress.threshold;
        if (threshold &&
            (!lam_parse_real(threshold, &job.trained.metrics.threshold) ||
             job.trained.metrics.threshold < 0 ||
             job.trained.metrics.threshold > 1))
            err = lam_fail(ctx, LAM_EUSAGE,
                           "--threshold is '%s', wanted 0 to 1", threshold);
    }
    if (!err && curve) {
        job.sweep = calloc(1, sizeof(*job.sweep));
        if (!job.sweep)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err && is_json) {
        job.json = &document;
        lam_json_begin(job.json, stdout);
        lam_json_text(job.json, "checkpoint", rest[0]);
        lam_json_text(job.json, "data",
                      data ? data : job.trained.checkpoint.data);
        lam_json_text(job.json, "split", split_text);
        lam_json_list(job.json, "images");
    }
    if (!err)
        err = run(&job, data ? data : job.trained.checkpoint.data, split, csv);
    if (!err && curve)
        err = write_curve(&job, curve);
    if (job.json)
        lam_json_end(job.json);
    free(job.sweep);
    lam_metrics_destroy(job.metrics);
    lam_dataset_close(job.dataset);
    lam_trained_close(&job.trained);
    return err;
}
