#include "checkpoint.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "param.h"
#include "shape.h"

enum { MAX_META = 20 };

const struct lam_intensity lam_intensity_none = {
    .low = 0.0, .high = 65535.0, .mean = 0.0, .std = 1.0};
const struct lam_progress lam_progress_none = {.best = -1.0, .threshold = 0.5};

struct collector {
    struct lam_stored *tensors;
    int n;
    char **names; // that we allocated
    int n_names;
};

static void collector_free(struct collector *c)
{
    for (int i = 0; i < c->n; i++)
        free((void *)c->tensors[i].data);
    for (int i = 0; i < c->n_names; i++)
        free(c->names[i]);
    free(c->names);
    free(c->tensors);
}

static char *slot_name(const char *weight, const char *slot)
{
    const size_t size = strlen(weight) + strlen(slot) + 8;
    char *name = malloc(size);

    if (name)
        snprintf(name, size, "optim.%s.%s", weight, slot);
    return name;
}

static int collect(struct lam_session *session, const struct lam_graph *graph,
                   const struct lam_optimizer_type *optimizer,
                   struct collector *c)
{
    const size_t most = (size_t)graph->n_weights * (1 + LAM_MAX_SLOT) + 1;
    int err = LAM_OK;

    c->tensors = calloc(most, sizeof(*c->tensors));
    c->names = calloc(most, sizeof(*c->names));
    if (!c->tensors || !c->names)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_parameter *p = &graph->weights[i];

        for (int k = -1; !err; k++) {
            void *data;

            if (k >= 0 && (!p->is_trained || !optimizer || !optimizer->slots ||
                           !optimizer->slots[k]))
                break;
            data = malloc(lam_shape_bytes(&p->spec.shape));
            if (!data)
                return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
            err = k < 0 ? lam_session_weight_read(session, i, data)
                        : lam_session_slot_read(session, i, k, data);
            if (!err && !lam_shape_finite(&p->spec.shape, data))
                err = lam_fail(graph->ctx, LAM_ENONFINITE,
                               "%s of %s has a non-finite value, so it is not "
                               "saved",
                               k < 0 ? "weight" : "optimiser state", p->name);
            c->tensors[c->n] = (struct lam_stored){
                .name = p->name, .shape = p->spec.shape, .data = data};
            if (k >= 0) {
                c->names[c->n_names] = slot_name(p->name, optimizer->slots[k]);
                if (!c->names[c->n_names])
                    err = lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
                c->tensors[c->n].name = c->names[c->n_names++];
            }
            c->n++;
        }
    }
    return err;
}

struct meta {
    struct lam_pair pairs[MAX_META];
    char numbers[MAX_META][40];
    int n;
};

static void meta_text(struct meta *m, const char *key, const char *value)
{
    m->pairs[m->n++] = (struct lam_pair){key, value};
}

static void meta_real(struct meta *m, const char *key, double value)
{
    snprintf(m->numbers[m->n], sizeof(m->numbers[0]), "%.17g", value);
    meta_text(m, key, m->numbers[m->n]);
}

static void meta_int(struct meta *m, const char *key, int64_t value)
{
    snprintf(m->numbers[m->n], sizeof(m->numbers[0]), "%" PRId64, value);
    meta_text(m, key, m->numbers[m->n]);
}

int lam_checkpoint_write_tensors(struct lam_context *ctx,
                                 const struct lam_stored *tensors, int n,
                                 const char *model_text, const char *data,
                                 const struct lam_intensity *intensity,
                                 const struct lam_progress *progress,
                                 const char *path)
{
    struct meta m = {.n = 0};

    meta_text(&m, "format", "lamina 1");
    meta_text(&m, "model", model_text);
    meta_text(&m, "data", data);
    meta_real(&m, "intensity.low", intensity->low);
    meta_real(&m, "intensity.high", intensity->high);
    meta_real(&m, "intensity.mean", intensity->mean);
    meta_real(&m, "intensity.std", intensity->std);
    meta_int(&m, "step", progress->step);
    meta_int(&m, "epoch", progress->epoch);
    meta_int(&m, "seed", (int64_t)progress->seed);
    meta_real(&m, "best", progress->best);
    meta_int(&m, "best_epoch", progress->best_epoch);
    meta_real(&m, "threshold", progress->threshold);
    meta_int(&m, "micro_batch", progress->micro_batch);
    if (progress->loss_scale.scale > 0.0) {
        meta_real(&m, "loss_scale", progress->loss_scale.scale);
        meta_int(&m, "loss_scale.good", progress->loss_scale.good);
        meta_int(&m, "loss_scale.skipped", progress->loss_scale.skipped);
    }
    return lam_safetensors_write(ctx, path, tensors, n, m.pairs, m.n);
}

int lam_checkpoint_write(struct lam_session *session,
                         const struct lam_graph *graph,
                         const struct lam_optimizer_type *optimizer,
                         const char *model_text, const char *data,
                         const struct lam_intensity *intensity,
                         const struct lam_progress *progress, const char *path)
{
    struct collector c = {0};
    int err = collect(session, graph, optimizer, &c);

    if (!err)
        err =
            lam_checkpoint_write_tensors(graph->ctx, c.tensors, c.n, model_text,
                                         data, intensity, progress, path);
    collector_free(&c);
    return err;
}

static int read_real(struct lam_context *ctx, const char *path,
                     const struct lam_safetensors *file, const char *key,
                     double *value)
{
    const char *text = lam_safetensors_meta(file, key);

    if (text && lam_parse_real(text, value))
        return LAM_OK;
    return lam_fail(ctx, LAM_ECHECKPOINT,
                    "%s: its metadata has no number '%s': not written by "
                    "lamina?",
                    path, key);
}

static int read_int(struct lam_context *ctx, const char *path,
                    const struct lam_safetensors *file, const char *key,
                    int64_t *value)
{
    const char *text = lam_safetensors_meta(file, key);

    if (text && lam_parse_int(text, value))
        return LAM_OK;
    return lam_fail(ctx, LAM_ECHECKPOINT,
                    "%s: its metadata has no whole number '%s': not written "
                    "by lamina?",
                    path, key);
}

static int read_loss_scale(struct lam_context *ctx, const char *path,
                           const struct lam_safetensors *file,
                           struct lam_loss_scale *s)
{
    int err;

    if (!lam_safetensors_meta(file, "loss_scale"))
        return LAM_OK;
    err = read_real(ctx, path, file, "loss_scale", &s->scale);
    if (!err)
        err = read_int(ctx, path, file, "loss_scale.good", &s->good);
    if (!err)
        err = read_int(ctx, path, file, "loss_scale.skipped", &s->skipped);
    return err;
}

int lam_checkpoint_read(struct lam_context *ctx, const char *path,
                        struct lam_checkpoint *c)
{
    struct {
        const char *key;
        double *value;
    } reals[] = {{"intensity.low", &c->intensity.low},
                 {"intensity.high", &c->intensity.high},
                 {"intensity.mean", &c->intensity.mean},
                 {"intensity.std", &c->intensity.std},
                 {"best", &c->progress.best},
                 {"threshold", &c->progress.threshold}};
    int64_t seed = 0;
    int err;

    *c = (struct lam_checkpoint){0};
    err = lam_safetensors_read(ctx, path, &c->file);
    for (size_t i = 0; i < sizeof(reals) / sizeof(reals[0]) && !err; i++)
        err = read_real(ctx, path, c->file, reals[i].key, reals[i].value);
    if (!err)
        err = read_int(ctx, path, c->file, "step", &c->progress.step);
    if (!err)
        err = read_int(ctx, path, c->file, "epoch", &c->progress.epoch);
    if (!err)
        err =
            read_int(ctx, path, c->file, "best_epoch", &c->progress.best_epoch);
    if (!err)
        err = read_int(ctx, path, c->file, "seed", &seed);
    c->progress.seed = (uint64_t)seed;
    // Not in files of the first versions.
    if (!err && lam_safetensors_meta(c->file, "micro_batch"))
        err = read_int(ctx, path, c->file, "micro_batch",
                       &c->progress.micro_batch);
    if (!err)
        err = read_loss_scale(ctx, path, c->file, &c->progress.loss_scale);
    if (!err) {
        c->model = lam_safetensors_meta(c->file, "model");
        c->data = lam_safetensors_meta(c->file, "data");
        if (!c->model || !c->data)
            err = lam_fail(ctx, LAM_ECHECKPOINT,
                           "%s: its metadata has no model: not written by "
                           "lamina?",
                           path);
    }
    if (err)
        lam_checkpoint_close(c);
    return err;
}

void lam_checkpoint_close(struct lam_checkpoint *c)
{
    lam_safetensors_free(c->file);
    c->file = NULL;
}

static int restore_one(const struct lam_checkpoint *c,
                       struct lam_session *session,
                       const struct lam_graph *graph, int i, int slot,
                       const char *name)
{
    const struct lam_shape *shape = &graph->weights[i].spec.shape;
    const struct lam_stored *stored = lam_safetensors_find(c->file, name);

    if (!stored || !lam_shape_equal(&stored->shape, shape))
        return lam_fail(graph->ctx, LAM_ECHECKPOINT, "%s %s", name,
                        stored ? "has another shape in the checkpoint"
                               : "is not in the checkpoint");
    return slot < 0 ? lam_session_weight_write(session, i, stored->data)
                    : lam_session_slot_write(session, i, slot, stored->data);
}

int lam_checkpoint_restore(const struct lam_checkpoint *c,
                           struct lam_session *session,
                           const struct lam_graph *graph,
                           const struct lam_optimizer_type *optimizer)
{
    int err = LAM_OK;

    for (int i = 0; i < graph->n_weights && !err; i++) {
        const struct lam_parameter *p = &graph->weights[i];

        err = restore_one(c, session, graph, i, -1, p->name);
        for (int k = 0; !err && p->is_trained && optimizer &&
                        optimizer->slots && optimizer->slots[k];
             k++) {
            char *name = slot_name(p->name, optimizer->slots[k]);

            err = name ? restore_one(c, session, graph, i, k, name)
                       : lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
            free(name);
        }
    }
    return err;
}
