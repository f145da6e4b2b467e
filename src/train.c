// The training loop.
#include "train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cells.h"
#include "overlay.h"
#include "rng.h"
#include "train_ranks.h"

enum { MAX_OVERLAYS = 8 };

static int save(struct lam_trainer *t, const char *name)
{
    char path[1100];

    if (!lam_collective_leads(t->ranks))
        return LAM_OK;
    return lam_checkpoint_write(t->session, t->graph, t->optimizer,
                                t->model_text, t->data_path, &t->intensity,
                                &t->progress,
                                lam_run_file(t->run, name, path, sizeof(path)));
}

static double rate_at(const struct lam_trainer *t, int64_t step)
{
    return lam_schedule_lr(&t->config.schedule, step, t->steps_per_epoch,
                           t->steps);
}

// Labels of a micro-batch at the size of the prediction.
static int write_target(struct lam_trainer *t, const float *masks)
{
    const struct lam_shape *shape = &t->graph->values[t->target].shape;
    const int rows = shape->rank == 4 ? (int)shape->dim[2] : 1;
    const int columns = shape->rank == 4 ? (int)shape->dim[3] : 1;
    const size_t n = (size_t)rows * (size_t)columns;
    const size_t pixels = (size_t)t->height * (size_t)t->width;
    float *cells;
    int err;

    if (rows == t->height && columns == t->width)
        return lam_session_write(t->session, t->target, masks);
    cells = malloc(sizeof(*cells) * n * (size_t)t->micro_batch);
    if (!cells)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    for (int b = 0; b < t->micro_batch; b++)
        lam_cells_of_mask(masks + (size_t)b * pixels, t->height, t->width,
                          cells + (size_t)b * n, rows, columns);
    err = lam_session_write(t->session, t->target, cells);
    free(cells);
    return err;
}

// Puts the step before what was said of a value.
static int name_step(struct lam_trainer *t, int64_t step, int err)
{
    char text[sizeof(t->ctx->error)];

    if (err != LAM_ENONFINITE)
        return err;
    memcpy(text, t->ctx->error, sizeof(text));
    lam_error_clear(t->ctx);
    return lam_fail(t->ctx, err, "step %" PRId64 ": %s", step, text);
}

// Names the first bad layer and the step.
static int fail_loss(struct lam_trainer *t, uint64_t seed, double loss)
{
    int err;

    // The others do not run it again.
    lam_host_share(&t->host, NULL, t->host.sharing);
    err = lam_session_blame(t->session, seed);

    if (!err)
        err = lam_fail(t->ctx, LAM_ENONFINITE, "the loss is %g", loss);
    return name_step(t, t->progress.step + 1, err);
}

static uint64_t micro_seed(const struct lam_trainer *t, int k)
{
    return lam_rng_bits(
        lam_rng_bits(t->progress.seed, (uint64_t)t->progress.step),
        (uint64_t)k);
}

int lam_trainer_run_micro(struct lam_trainer *t, int k, bool first)
{
    const size_t pixels =
        (size_t)t->micro_batch * (size_t)t->height * (size_t)t->width;
    const double scale = t->progress.loss_scale.scale;
    int err = lam_session_write(t->session, t->input, t->images + k * pixels);

    if (!err)
        err = write_target(t, t->masks + k * pixels);
    if (!err)
        err = lam_session_forward(t->session, micro_seed(t, k));
    return err ? err
               : lam_session_backward(t->session,
                                      (scale > 0.0 ? scale : 1.0) / t->n_micro,
                                      first);
}

int lam_trainer_read_loss(struct lam_trainer *t, int k)
{
    float value = 0.0f;
    int err = lam_session_read(t->session, t->loss, &value);

    t->losses[k] = (double)value;
    return err || isfinite(value)
               ? err
               : fail_loss(t, micro_seed(t, k), (double)value);
}

static int run_all_micro(struct lam_trainer *t)
{
    int err = LAM_OK;

    for (int k = 0; k < t->n_micro && !err; k++) {
        err = lam_trainer_run_micro(t, k, k == 0);
        if (!err)
            err = lam_trainer_read_loss(t, k);
    }
    t->is_stopping = t->ctx->interrupted && *t->ctx->interrupted;
    return err;
}

// Gradients of a scaled loss become those of the loss. An overflow leaves the
// step out.
static int unscale(struct lam_trainer *t, bool *is_skipped)
{
    struct lam_loss_scale *s = &t->progress.loss_scale;
    const double scale = s->scale;
    int strange, err;

    *is_skipped = false;
    if (!(scale > 0.0))
        return LAM_OK;
    err = lam_session_unscale(t->session, scale, &strange);
    if (err)
        return err;
    if (!lam_loss_scale_update(s, t->config.loss_scale, strange >= 0))
        return lam_fail(t->ctx, LAM_ENONFINITE,
                        "step %" PRId64 ": the gradient of weight %s has a "
                        "non-finite value with the loss scaled by %g",
                        t->progress.step + 1, t->graph->weights[strange].name,
                        scale);
    *is_skipped = strange >= 0;
    if (*is_skipped)
        lam_log(t->ctx, LAM_LOG_INFO,
                "step %" PRId64 ": the gradient of weight %s overflows with "
                "the loss scaled by %g: left out; scaled by %g from here on",
                t->progress.step + 1, t->graph->weights[strange].name, scale,
                s->scale);
    return LAM_OK;
}

// Updates by the optimiser, which does not count what was left out.
static int update(struct lam_trainer *t)
{
    int err = LAM_OK;

    for (int i = 0; i < t->graph->n_weights && !err; i++)
        if (t->l2[i] > 0.0)
            err = lam_session_decay(t->session, i, t->l2[i]);
    return err ? err
               : lam_session_step(t->session,
                                  t->progress.step + 1 -
                                      t->progress.loss_scale.skipped,
                                  rate_at(t, t->progress.step));
}

static int run_step(struct lam_trainer *t, double *loss)
{
    bool is_skipped;
    int err = lam_loader_next(t->loader, t->images, t->masks);

    if (!err)
        err = t->ranks ? lam_ranks_step(t) : run_all_micro(t);
    *loss = 0.0;
    for (int k = 0; k < t->n_micro; k++)
        *loss += t->losses[k] / t->n_micro;
    if (!err)
        err = unscale(t, &is_skipped);
    if (!err && !is_skipped)
        err = update(t);
    if (!err)
        t->progress.step++;
    return err;
}

// image | truth | what is above the threshold, cells spread over their pixels.
static int write_overlay(struct lam_trainer *t, const char *path,
                         const float *image, const float *mask, int height,
                         int width, const struct lam_map *map)
{
    const size_t n = (size_t)map->height * (size_t)map->width;
    float *said = malloc(sizeof(*said) * (size_t)height * (size_t)width);
    int err;

    if (!said)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    lam_cells_spread(map->data + (map->channels > 1 ? n : 0), map->height,
                     map->width, said, height, width);
    for (int k = 0; k < height * width; k++)
        said[k] = (double)said[k] > t->progress.threshold ? 1.0f : 0.0f;
    err = lam_overlay_write(t->ctx, path, width, height, image, mask, said);
    free(said);
    return err;
}

static int predict_one(struct lam_trainer *t, enum lam_split split, int i,
                       struct lam_metrics **metrics, const char *overlay)
{
    const struct lam_sample_info *info = lam_dataset_info(t->dataset, split, i);
    const bool leads = lam_collective_leads(t->ranks);
    struct lam_map map = {0};
    float *image = NULL, *mask = NULL, *truth = NULL;
    int height, width;
    int err = lam_dataset_read(t->dataset, split, i, &t->intensity, &image,
                               &mask, &height, &width);

    if (!err && mask)
        err = lam_ranks_predict(t, i, image, height, width, &map);
    if (!err && mask && leads && !*metrics)
        err = lam_metrics_create(t->ctx, &t->metrics, map.channels, false,
                                 metrics);
    if (!err && mask && leads) {
        truth = lam_cells_truth(mask, height, width, map.height, map.width);
        err = truth ? lam_metrics_add(*metrics, info->name, map.data, truth,
                                      map.height, map.width, NULL)
                    : lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    }
    if (!err && mask && leads && overlay)
        err = write_overlay(t, overlay, image, mask, height, width, &map);
    free(image);
    free(mask);
    free(truth);
    free(map.data);
    return err;
}

// The row speaks of the threshold with the highest mean Dice.
static void use_best_threshold(const struct lam_metrics *metrics,
                               const struct lam_metrics_result *result,
                               struct lam_epoch_row *row)
{
    struct lam_threshold_row tried;

    for (int i = 0; lam_metrics_threshold(metrics, i, &tried); i++)
        if (tried.threshold == result->best_threshold &&
            result->best_dice > row->val_dice) {
            row->val_dice = result->best_dice;
            row->val_threshold = tried.threshold;
            row->val_iou = tried.pooled.iou;
            row->val_precision = tried.pooled.precision;
            row->val_recall = tried.pooled.recall;
            return;
        }
}

static int validate(struct lam_trainer *t, struct lam_epoch_row *row,
                    bool with_overlays)
{
    const int n = lam_dataset_count(t->dataset, LAM_SPLIT_VAL);
    struct lam_metrics *metrics = NULL;
    struct lam_metrics_result result;
    int err = lam_predictor_take(t->predictor, t->session, t->graph);

    for (int i = 0; i < n && !err; i++) {
        char path[1200];

        if (!lam_ranks_validate(t, i))
            continue;
        snprintf(path, sizeof(path), "%s/overlays/%s.png", t->run,
                 lam_dataset_info(t->dataset, LAM_SPLIT_VAL, i)->name);
        err = predict_one(t, LAM_SPLIT_VAL, i, &metrics,
                          with_overlays && i < MAX_OVERLAYS ? path : NULL);
    }
    if (!err && metrics) {
        lam_metrics_result(metrics, &result);
        row->has_val = true;
        row->val_dice = result.mean.dice;
        row->val_iou = result.pooled.iou;
        row->val_precision = result.pooled.precision;
        row->val_recall = result.pooled.recall;
        row->val_threshold = t->metrics.threshold;
        use_best_threshold(metrics, &result, row);
    }
    lam_metrics_destroy(metrics);
    return err;
}

static int end_epoch(struct lam_trainer *t, struct lam_meter *meter,
                     struct lam_epoch_row *row)
{
    const int every = t->config.eval_every;
    const bool is_last = t->progress.step >= t->steps;
    int err = LAM_OK;

    t->progress.epoch = t->progress.step / t->steps_per_epoch;
    row->epoch = t->progress.epoch;
    row->step = t->progress.step;
    row->lr = rate_at(t, t->progress.step - 1);
    lam_meter_clear(meter);
    err = name_step(t, t->progress.step, lam_session_blame_weights(t->session));
    err = lam_collective_agree(t->ranks, err);
    if (!err && every && (t->progress.epoch % every == 0 || is_last))
        err = validate(t, row, false);
    if (!err && row->has_val && row->val_dice > t->progress.best) {
        t->progress.best = row->val_dice;
        t->progress.best_epoch = t->progress.epoch;
        t->progress.threshold = row->val_threshold;
        err = save(t, "best.safetensors");
    }
    // The row first: a resume drops rows newer than its checkpoint, but cannot
    // make one that is missing.
    if (!err && lam_collective_leads(t->ranks))
        err = lam_run_add_row(t->ctx, t->run, row);
    if (!err)
        err = save(t, "last.safetensors");
    if (!err)
        err = lam_ranks_end_epoch(t);
    if (!err && row->has_val)
        lam_log(t->ctx, LAM_LOG_INFO,
                "epoch %" PRId64
                ": loss %.4f, val mean Dice %.4f (above %.2f); "
                "pooled IoU %.4f, precision %.3f, recall %.3f; %.1f images/s%s",
                row->epoch, row->loss, row->val_dice, row->val_threshold,
                row->val_iou, row->val_precision, row->val_recall,
                row->images_per_s,
                t->progress.best_epoch == row->epoch ? ", best so far" : "");
    else if (!err)
        lam_log(t->ctx, LAM_LOG_INFO,
                "epoch %" PRId64 ": loss %.4f, %.1f images/s", row->epoch,
                row->loss, row->images_per_s);
    if (!err)
        err = lam_trainer_apply_schedule(t, t->progress.epoch);
    return err || is_last ? err : lam_trainer_crop_changes(t, &t->grows);
}

// What the weights it starts from are worth: a row of epoch 0.
static int begin(struct lam_trainer *t)
{
    struct lam_epoch_row row = {
        .loss = NAN, .lr = rate_at(t, 0), .images_per_s = NAN, .seconds = NAN};
    int err;

    if (!t->config.eval_start || t->progress.step)
        return LAM_OK;
    err = validate(t, &row, false);
    if (!err && lam_collective_leads(t->ranks))
        err = lam_run_add_row(t->ctx, t->run, &row);
    if (!err && row.has_val)
        lam_log(
            t->ctx, LAM_LOG_INFO,
            "before the first step: val mean Dice %.4f (above %.2f); pooled "
            "IoU %.4f, precision %.3f, recall %.3f",
            row.val_dice, row.val_threshold, row.val_iou, row.val_precision,
            row.val_recall);
    return err;
}

static bool is_out_of_patience(const struct lam_trainer *t)
{
    return t->config.patience && t->progress.best >= 0 &&
           t->progress.epoch - t->progress.best_epoch >= t->config.patience;
}

static int stop_early(struct lam_trainer *t, struct lam_meter *meter)
{
    const int err = save(t, "last.safetensors");

    lam_meter_clear(meter);
    if (!err && t->ranks)
        t->ranks->has_agreed = true;
    return err ? err
               : lam_fail(t->ctx, LAM_EINTERRUPT,
                          "interrupted after step %" PRId64
                          "; lamina train --resume %s goes on",
                          t->progress.step, t->run);
}

static int loop(struct lam_trainer *t)
{
    const int64_t per_epoch = t->steps_per_epoch;
    const int64_t epochs = (t->steps + per_epoch - 1) / per_epoch;
    struct lam_meter meter;
    double loss, sum = 0.0, started;
    int64_t n = 0;
    int err = begin(t);

    if (err)
        return err;
    started = lam_clock();
    lam_meter_start(&meter, t->options->quiet, t->progress.step, t->steps);
    while (t->progress.step < t->steps && !is_out_of_patience(t)) {
        err = run_step(t, &loss);
        if (err)
            break;
        sum += loss;
        n++;
        lam_meter_step(&meter, t->progress.step,
                       (t->progress.step - 1) / per_epoch + 1, epochs, loss,
                       rate_at(t, t->progress.step - 1), t->config.batch);
        if (t->progress.step % per_epoch == 0 || t->progress.step == t->steps) {
            const double spent = lam_clock() - started;
            struct lam_epoch_row row = {
                .loss = sum / (double)n,
                .seconds = spent,
                .images_per_s = (double)n * t->config.batch / spent};

            err = end_epoch(t, &meter, &row);
            if (err)
                break;
            sum = 0.0;
            n = 0;
            started = lam_clock();
        } else if (t->config.save_every &&
                   t->progress.step % t->config.save_every == 0) {
            err = save(t, "last.safetensors");
            if (err)
                break;
        }
        if (t->is_stopping)
            return stop_early(t, &meter);
        if (t->grows)
            break;
    }
    lam_meter_clear(&meter);
    return err;
}

static int finish(struct lam_trainer *t)
{
    struct lam_epoch_row row = {0};
    int err = LAM_OK;

    if (t->progress.step < t->steps)
        lam_log(t->ctx, LAM_LOG_INFO,
                "stopped early: %d epochs without a better validation",
                t->config.patience);
    if (t->config.eval_every)
        err = validate(t, &row, true);
    if (!err && t->progress.best >= 0)
        lam_log(t->ctx, LAM_LOG_INFO,
                "best validation Dice %.4f after epoch %" PRId64
                "; weights in %s/best.safetensors",
                t->progress.best, t->progress.best_epoch, t->run);
    return err;
}

static void describe(const struct lam_trainer *t, struct lam_train_plan *plan)
{
    *plan = (struct lam_train_plan){
        .layers = t->graph->n_nodes,
        .n_train = lam_dataset_count(t->dataset, LAM_SPLIT_TRAIN),
        .n_val = lam_dataset_count(t->dataset, LAM_SPLIT_VAL),
        .n_test = lam_dataset_count(t->dataset, LAM_SPLIT_TEST),
        .batch = t->config.batch,
        .micro_batch = t->micro_batch,
        .parameters = lam_graph_parameters(t->graph, false),
        .first_step = t->progress.step,
        .steps = t->steps,
        .steps_per_epoch = t->steps_per_epoch,
        .memory = t->memory};
    snprintf(plan->model, sizeof(plan->model), "%s", lam_model_name(t->model));
    if (t->queue)
        snprintf(plan->device, sizeof(plan->device), "%s",
                 lam_queue_device(t->queue)->name);
}

// To the end, or to where crops of another size begin.
static int train(struct lam_trainer *t)
{
    int err = lam_trainer_open(t);

    if (!err && t->options->plan) {
        describe(t, t->options->plan);
        t->grows = false;
        return LAM_OK;
    }
    if (!err) {
        lam_log(t->ctx, LAM_LOG_INFO,
                "%s: %d layers, %" PRId64
                " parameters; crops of %d x %d; %s; run folder %s",
                lam_model_name(t->model), t->graph->n_nodes,
                lam_graph_parameters(t->graph, false), t->height, t->width,
                lam_queue_device(t->queue)->name, t->run);
        if (t->options->explain && lam_collective_leads(t->ranks)) {
            char *text = lam_session_explain(t->session);

            printf("%s", text ? text : "");
            free(text);
        }
        err = loop(t);
        lam_ranks_report(t);
    }
    if (!err && t->grows && t->ranks)
        err = lam_collective_broadcast(t->ranks, 0, t->run, sizeof(t->run));
    else if (!err && !t->grows)
        err = finish(t);
    if (err && t->ranks && !t->ranks->has_agreed && t->ranks->transport->leave)
        t->ranks->transport->leave(t->ranks->data);
    return err;
}

// A size of crops after the other, each as if the run were resumed there.
int lam_train(struct lam_context *ctx, const struct lam_train_options *options)
{
    struct lam_trainer *t = calloc(1, sizeof(*t));
    struct lam_train_options rest = *options;
    char run[sizeof(t->run)];
    bool grows = true;
    int err = t ? LAM_OK : lam_fail(ctx, LAM_EMEMORY, "out of memory");

    while (!err && grows) {
        *t = (struct lam_trainer){.ctx = ctx, .options = &rest};
        t->ranks = options->ranks && options->ranks->place.size > 1
                       ? options->ranks
                       : NULL;
        err = train(t);
        grows = t->grows;
        memcpy(run, t->run, sizeof(run));
        lam_trainer_close(t);
        rest.resume = run;
        rest.n_sets = 0;
    }
    free(t);
    return err;
}
