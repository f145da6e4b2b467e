#include "compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "csv.h"
#include "run_folder.h"
#include "yaml_tree.h"

enum { MAX_NAME = 512 };

const struct compare_number compare_numbers[COMPARE_NUMBERS] = {
    {"best_epoch", "best epoch", 0},   {"best_val_dice", "its val Dice", 4},
    {"best_val_iou", "pooled IoU", 4}, {"best_val_precision", "precision", 4},
    {"best_val_recall", "recall", 4},  {"best_val_threshold", "above", 2},
    {"epochs", "last epoch", 0},       {"last_loss", "its loss", 4},
    {"last_val_dice", "val Dice", 4},  {"seconds", "seconds in all", 1},
    {"images_per_s", "images/s", 1},   {"plan_mib", "planned MiB", 1},
    {"parameters", "parameters", 0},   {"layers", "layers", 0},
};
enum { BEST = 0, LAST = 6, SECONDS = 9, SPEED = 10, PLAN = 11 };

static struct compare_setting *find(struct compare *c, const char *name)
{
    for (int i = 0; i < c->n_settings; i++)
        if (strcmp(c->settings[i].name, name) == 0)
            return &c->settings[i];
    if (c->n_settings == c->room) {
        const int room = c->room ? 2 * c->room : 64;
        struct compare_setting *grown =
            realloc(c->settings, (size_t)room * sizeof(*grown));

        if (!grown)
            return NULL;
        c->settings = grown;
        c->room = room;
    }
    c->settings[c->n_settings] =
        (struct compare_setting){.name = strdup(name), .layer = -1};
    return c->settings[c->n_settings].name ? &c->settings[c->n_settings++]
                                           : NULL;
}

static struct compare_setting *put(struct compare *c, int run, const char *name,
                                   const char *value)
{
    struct compare_setting *setting = find(c, name);

    if (setting && !setting->values[run])
        setting->values[run] = strdup(value);
    if (setting && setting->values[run])
        return setting;
    lam_fail(c->ctx, LAM_EMEMORY, "out of memory");
    return NULL;
}

// Layers are known by their names, wherever they stand.
static int put_layer(struct compare *c, int run, const char *layer,
                     const struct lam_yaml *node)
{
    char whole[1024], value[512], name[MAX_NAME];
    int n = snprintf(whole, sizeof(whole), "%s", lam_yaml_text(node, "type"));
    struct compare_setting *setting;
    int at;

    for (int i = 0; i < node->n_items; i++) {
        const struct lam_yaml *item = node->items[i];

        if (strcmp(item->key, "name") != 0 && strcmp(item->key, "type") != 0 &&
            strcmp(item->key, "from") != 0 && n < (int)sizeof(whole) &&
            lam_yaml_flat(item, value, sizeof(value)))
            n += snprintf(whole + n, sizeof(whole) - (size_t)n, " %s=%s",
                          item->key, value);
    }
    setting = put(c, run, layer, whole);
    if (!setting)
        return c->ctx->code;
    setting->is_layer = true;
    at = (int)(setting - c->settings);
    for (int i = 0; i < node->n_items; i++) {
        const struct lam_yaml *item = node->items[i];

        snprintf(name, sizeof(name), "%s.%s", layer, item->key);
        if (strcmp(item->key, "name") == 0 ||
            !lam_yaml_flat(item, value, sizeof(value)))
            continue;
        setting = put(c, run, name, value);
        if (!setting)
            return c->ctx->code;
        setting->layer = at;
    }
    return LAM_OK;
}

static int put_tree(struct compare *c, int run, const char *prefix,
                    const struct lam_yaml *node)
{
    char name[MAX_NAME], text[1024];
    int err = LAM_OK;

    if (lam_yaml_flat(node, text, sizeof(text)))
        return put(c, run, prefix, text) ? LAM_OK : c->ctx->code;
    for (int i = 0; i < node->n_items && !err; i++) {
        const struct lam_yaml *item = node->items[i];
        const char *layer = lam_yaml_text(item, "name");

        if (item->key)
            snprintf(name, sizeof(name), "%s%s%s", prefix, prefix[0] ? "." : "",
                     item->key);
        else
            snprintf(name, sizeof(name), "%s.%d", prefix, i);
        err = layer && lam_yaml_text(item, "type") &&
                      strcmp(prefix, "layers") == 0
                  ? put_layer(c, run, layer, item)
                  : put_tree(c, run, name, item);
    }
    return err;
}

static int read_tree(struct compare *c, const char *path, const char *name,
                     struct lam_yaml **tree)
{
    char file[1100];

    return lam_yaml_load(c->ctx, lam_run_file(path, name, file, sizeof(file)),
                         tree);
}

static double cell(const struct lam_csv *csv, int row, const char *name)
{
    const int column = lam_csv_column(csv, name);
    const char *text = column < 0 ? "" : lam_csv_cell(csv, row, column);

    return text[0] ? strtod(text, NULL) : NAN;
}

static void read_rows(const struct lam_csv *csv, double *numbers)
{
    static const char *const best_names[] = {"epoch",      "val_dice",
                                             "val_iou",    "val_precision",
                                             "val_recall", "val_threshold"};
    static const char *const last_names[] = {"epoch", "loss", "val_dice"};
    const int last = csv->n_rows - 1;
    int best = 0;
    double seconds = 0.0, images = 0.0;

    for (int i = 1; i <= last; i++) {
        const double dice = cell(csv, i, "val_dice");
        const double spent = cell(csv, i, "seconds");

        if (isnan(spent)) // before the first step
            continue;
        if (!isnan(dice) && (!best || dice > cell(csv, best, "val_dice")))
            best = i;
        seconds += spent;
        images += spent * cell(csv, i, "images_per_s");
    }
    for (int k = 0; k < 6 && best; k++)
        numbers[BEST + k] = cell(csv, best, best_names[k]);
    for (int k = 0; k < 3 && last; k++)
        numbers[LAST + k] = cell(csv, last, last_names[k]);
    if (last && seconds > 0.0) {
        numbers[SECONDS] = seconds;
        numbers[SPEED] = images / seconds;
    }
}

// What a run tells of itself when it starts: JSON, which is YAML too.
static int read_info(struct compare *c, int run)
{
    static const char *const texts[] = {"data", "device", "driver", "lamina"};
    struct lam_yaml *tree = NULL;
    int err = read_tree(c, c->runs[run].path, "run.json", &tree);

    for (int i = 0; i < 4 && !err; i++) {
        const char *text = lam_yaml_text(tree, texts[i]);

        if (text && !put(c, run, texts[i], text))
            err = c->ctx->code;
    }
    for (int k = PLAN; k < COMPARE_NUMBERS && !err; k++) {
        const char *text = lam_yaml_text(tree, compare_numbers[k].name);

        if (text)
            c->runs[run].numbers[k] = strtod(text, NULL);
    }
    lam_yaml_free(tree);
    return err;
}

static int read_run(struct compare *c, int run)
{
    const char *path = c->runs[run].path;
    struct lam_yaml *tree = NULL;
    struct lam_csv csv;
    struct stat info;
    char file[1100];
    int err;

    for (int k = 0; k < COMPARE_NUMBERS; k++)
        c->runs[run].numbers[k] = NAN;
    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return lam_fail(c->ctx, LAM_EFILE, "%s is no run folder", path);
    err = read_tree(c, path, "model.yaml", &tree);
    if (!err)
        err = put_tree(c, run, "", tree);
    lam_yaml_free(tree);
    if (!err)
        err = read_info(c, run);
    // A run that has not ended its first epoch has no table yet.
    lam_run_file(path, "metrics.csv", file, sizeof(file));
    if (err || stat(file, &info))
        return err;
    err = lam_csv_read(c->ctx, file, &csv);
    if (err)
        return err;
    read_rows(&csv, c->runs[run].numbers);
    lam_csv_free(&csv);
    return LAM_OK;
}

int compare_open(struct lam_context *ctx, const char *const *paths, int n,
                 struct compare *c)
{
    int err = LAM_OK;

    *c = (struct compare){.ctx = ctx, .n_runs = n};
    for (int i = 0; i < n && !err; i++) {
        c->runs[i].path = paths[i];
        err = read_run(c, i);
    }
    return err;
}

void compare_close(struct compare *c)
{
    for (int k = 0; k < c->n_settings; k++) {
        for (int i = 0; i < c->n_runs; i++)
            free(c->settings[k].values[i]);
        free(c->settings[k].name);
    }
    free(c->settings);
}

// Some runs have it, some do not.
static bool is_partial(const struct compare *c, int setting)
{
    char *const *values = c->settings[setting].values;

    for (int i = 1; i < c->n_runs; i++)
        if (!values[0] != !values[i])
            return true;
    return false;
}

bool compare_differs(const struct compare *c, int k)
{
    const struct compare_setting *s = &c->settings[k];

    if (s->is_layer || is_partial(c, k))
        return is_partial(c, k) && (s->layer < 0 || !is_partial(c, s->layer));
    for (int i = 1; i < c->n_runs && s->values[0]; i++)
        if (strcmp(s->values[0], s->values[i]) != 0)
            return true;
    return false;
}
