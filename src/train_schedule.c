// What changes at given epochs of a run: the rows of `schedule`.
#include <stdlib.h>
#include <string.h>

#include "param.h"
#include "trainer.h"

struct row {
    int64_t epoch;
    const char *set, *value;
};

// False past the last row, or with an error.
static bool read_row(struct lam_trainer *t, int i, struct row *row)
{
    const struct lam_setting *settings;
    const int n = lam_model_row(t->model, "schedule", i, &settings);

    *row = (struct row){.epoch = -1};
    for (int k = 0; k < n; k++) {
        if (strcmp(settings[k].key, "set") == 0)
            row->set = settings[k].value;
        else if (strcmp(settings[k].key, "value") == 0)
            row->value = settings[k].value;
        else if (strcmp(settings[k].key, "epoch") != 0 ||
                 !lam_parse_int(settings[k].value, &row->epoch))
            row->epoch = -1;
    }
    if (n < 0)
        return false;
    if (!row->set || !row->value || row->epoch < 0) {
        lam_fail(t->ctx, LAM_EMODEL,
                 "schedule: row %d: wanted {epoch: N, set: LOSS.PARAMETER, "
                 "value: V} or {epoch: N, set: crop, value: SIDE}",
                 i + 1);
        return false;
    }
    return !t->ctx->code;
}

static bool is_crop(const struct row *row)
{
    return strcmp(row->set, "crop") == 0;
}

// "loss.positive_weight" of the node "loss".
// A list keeps its length, which the layer was made for.
static int set_param(struct lam_trainer *t, const struct lam_node *node,
                     const struct lam_param *p, const char *value)
{
    void *config = (void *)node->layer.config;
    const struct lam_reals *list = (void *)((char *)config + p->offset);
    const int n = p->kind == LAM_PARAM_REALS ? list->n : 0;
    const int err = lam_param_set(t->ctx, node->name, p, config, value);

    if (!err && p->kind == LAM_PARAM_REALS && list->n != n)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "schedule: %s.%s has %d numbers, found '%s'",
                        node->name, p->name, n, value);
    return err;
}

// Sets what a row says, or, where it is not due, looks whether it could.
static int apply_row(struct lam_trainer *t, const struct row *row, bool is_due)
{
    const char *dot = strrchr(row->set, '.');

    for (int i = 0; dot && i < t->graph->n_nodes; i++) {
        const struct lam_node *node = &t->graph->nodes[i];

        if (strlen(node->name) != (size_t)(dot - row->set) ||
            strncmp(node->name, row->set, (size_t)(dot - row->set)) != 0)
            continue;
        for (const struct lam_param *p = node->layer.type->params; p && p->name;
             p++)
            if (strcmp(p->name, dot + 1) == 0 && p->scheduled)
                return is_due ? set_param(t, node, p, row->value) : LAM_OK;
    }
    return lam_fail(t->ctx, LAM_EMODEL,
                    "schedule: '%s' is no parameter that may be scheduled: "
                    "lamina layers NAME says which are",
                    row->set);
}

int lam_trainer_apply_schedule(struct lam_trainer *t, int64_t epoch)
{
    struct row row;
    int err = LAM_OK;

    for (int i = 0; !err && read_row(t, i, &row); i++)
        if (!is_crop(&row))
            err = apply_row(t, &row, row.epoch <= epoch);
    return err ? err : t->ctx->code;
}

// "480", or "480 640": height and width.
static int read_crop(struct lam_trainer *t, const struct row *row, int *height,
                     int *width)
{
    char *end, *rest;
    const long h = strtol(row->value, &end, 10);
    const long w = *end == ' ' ? strtol(end, &rest, 10) : h;

    if (end == row->value || *(*end == ' ' ? rest : end) || h < 1 || w < 1 ||
        h > 65536 || w > 65536)
        return lam_fail(t->ctx, LAM_EMODEL,
                        "schedule: a crop is 'SIDE' or 'HEIGHT WIDTH', found "
                        "'%s'",
                        row->value);
    *height = (int)h;
    *width = (int)w;
    return LAM_OK;
}

// The crop from an epoch on, left as it is where no row says.
static int crop_at(struct lam_trainer *t, int64_t epoch, int *height,
                   int *width)
{
    struct row row;
    int err = LAM_OK;

    for (int i = 0; !err && read_row(t, i, &row); i++)
        if (row.epoch <= epoch && is_crop(&row))
            err = read_crop(t, &row, height, width);
    return err ? err : t->ctx->code;
}

// Whether the network takes a crop, before hours were spent on a smaller one.
static int try_crop(struct lam_trainer *t, const struct row *row)
{
    char problem[sizeof(t->ctx->error)];
    int height = 0, width = 0, err = read_crop(t, row, &height, &width);

    if (err)
        return err;
    err = lam_model_resize(t->model, height, width);
    t->micro_batch = 1;
    if (!err)
        err = lam_trainer_build(t);
    lam_graph_destroy(t->graph);
    t->graph = NULL;
    if (!err)
        return LAM_OK;
    memcpy(problem, t->ctx->error, sizeof(problem));
    lam_error_clear(t->ctx);
    return lam_fail(t->ctx, err, "schedule: a crop of %d x %d: %s", height,
                    width, problem);
}

int lam_trainer_open_crop(struct lam_trainer *t)
{
    struct row row;
    int height, width, n = 0, err = LAM_OK;

    lam_model_input(t->model, &height, &width);
    for (int i = 0; !err && read_row(t, i, &row); i++)
        if (is_crop(&row)) {
            err = try_crop(t, &row);
            n++;
        }
    if (!err)
        err = crop_at(t, t->progress.epoch, &height, &width);
    return err || !n ? err : lam_model_resize(t->model, height, width);
}

int lam_trainer_crop_changes(struct lam_trainer *t, bool *changes)
{
    int height = t->height, width = t->width;
    const int err = crop_at(t, t->progress.epoch, &height, &width);

    *changes = height != t->height || width != t->width;
    return err;
}
