// Loading a model file: includes, overrides, sections.
#include "model_state.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "installed.h"

static const char *const sections[] = {
    "format",  "name",     "inputs",     "include", "blocks", "layers",
    "outputs", "loss",     "optimizer",  "train",   "data",   "augment",
    "metrics", "schedule", "regularize", "note",    NULL};

int(lam_model_fail)(const struct lam_model *model, const struct lam_yaml *at,
                    const char *format, ...)
{
    char text[800];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (at && at->line == 0)
        return lam_fail(model->ctx, LAM_EMODEL, "--set: %s", text);
    return lam_fail(model->ctx, LAM_EMODEL, "%s:%d:%d: %s", model->file,
                    at ? at->line : 1, at ? at->column : 1, text);
}

static int no_memory(const struct lam_model *model)
{
    return lam_fail(model->ctx, LAM_EMEMORY, "out of memory");
}

static bool is_among(const char *const *names, const char *name)
{
    for (; *names; names++)
        if (strcmp(*names, name) == 0)
            return true;
    return false;
}

static int check_keys(const struct lam_model *model)
{
    for (int i = 0; i < model->tree->n_items; i++) {
        const struct lam_yaml *item = model->tree->items[i];
        const char *near;

        if (is_among(sections, item->key))
            continue;
        near = lam_nearest(item->key, sections);
        return lam_model_fail(model, item, "unknown section '%s'%s%s%s",
                              item->key, near ? " (did you mean '" : "",
                              near ? near : "", near ? "'?)" : "");
    }
    if (!lam_yaml_text(model->tree, "format") ||
        strcmp(lam_yaml_text(model->tree, "format"), "1") != 0)
        return lam_model_fail(model, lam_yaml_get(model->tree, "format"),
                              "'format: 1' is wanted at the top");
    return LAM_OK;
}

static bool is_there(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0;
}

// Adds the blocks of another file; those of the model itself win.
static int include_file(struct lam_model *model, const struct lam_yaml *at)
{
    const char *slash = strrchr(model->file, '/');
    struct lam_yaml *tree = NULL, *blocks, *own;
    char path[1024], installed[4096];
    int err = LAM_OK;

    if (at->kind != LAM_YAML_SCALAR || strchr(at->text, '/'))
        return lam_model_fail(model, at,
                              "'include' takes names of files in the folder "
                              "of the model");
    snprintf(path, sizeof(path), "%.*s%s",
             slash ? (int)(slash - model->file + 1) : 0, model->file, at->text);
    if (is_there(path))
        err = lam_yaml_load(model->ctx, path, &tree);
    else if (lam_installed_model(at->text, installed, sizeof(installed)))
        err = lam_yaml_load(model->ctx, installed, &tree);
    else
        err = lam_model_fail(model, at,
                             "there is no file %s, and no installed one of "
                             "that name",
                             path);
    if (err)
        return err;
    blocks = lam_yaml_get(tree, "blocks");
    own = lam_yaml_get(model->tree, "blocks");
    if (!own) {
        if (!lam_yaml_put(model->tree, "blocks",
                          lam_yaml_make(LAM_YAML_MAP, NULL)))
            err = no_memory(model);
        own = lam_yaml_get(model->tree, "blocks");
    }
    for (int i = 0; i < tree->n_items && !err; i++)
        if (strcmp(tree->items[i]->key, "blocks") != 0)
            err = lam_fail(model->ctx, LAM_EMODEL,
                           "%s:%d:%d: an included file holds 'blocks' alone, "
                           "found '%s'",
                           path, tree->items[i]->line, tree->items[i]->column,
                           tree->items[i]->key);
    for (int i = 0; blocks && i < blocks->n_items && !err; i++)
        if (!lam_yaml_get(own, blocks->items[i]->key) &&
            !lam_yaml_put(own, blocks->items[i]->key,
                          lam_yaml_copy(blocks->items[i])))
            err = no_memory(model);
    lam_yaml_free(tree);
    return err;
}

static int include_all(struct lam_model *model)
{
    const struct lam_yaml *include = lam_yaml_get(model->tree, "include");
    int err = LAM_OK;

    if (include && include->kind == LAM_YAML_SCALAR)
        return include_file(model, include);
    for (int i = 0; include && i < include->n_items && !err; i++)
        err = include_file(model, include->items[i]);
    return err;
}

static int finish_load(struct lam_model *model, const char *const *sets,
                       int n_sets)
{
    int err = check_keys(model);

    if (!err)
        err = include_all(model);
    for (int i = 0; i < n_sets && !err; i++)
        err = lam_model_set(model, sets[i], false);
    if (!err)
        err = lam_model_expand(model);
    for (int i = 0; i < n_sets && !err; i++)
        err = lam_model_set(model, sets[i], true);
    return err;
}

static int load(struct lam_context *ctx, const char *name, const char *text,
                size_t size, const char *const *sets, int n_sets,
                struct lam_model **model)
{
    struct lam_model *m = calloc(1, sizeof(*m));
    int err;

    *model = NULL;
    if (!m)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    m->ctx = ctx;
    m->file = strdup(name);
    err = m->file ? LAM_OK : no_memory(m);
    if (!err)
        err = text ? lam_yaml_parse(ctx, name, text, size, &m->tree)
                   : lam_yaml_load(ctx, name, &m->tree);
    if (!err)
        err = finish_load(m, sets, n_sets);
    if (err) {
        lam_model_destroy(m);
        return err;
    }
    *model = m;
    return LAM_OK;
}

int lam_model_load(struct lam_context *ctx, const char *path,
                   const char *const *sets, int n_sets,
                   struct lam_model **model)
{
    char installed[4096], near[256];

    if (is_there(path) || strchr(path, '/'))
        return load(ctx, path, NULL, 0, sets, n_sets, model);
    if (lam_installed_model(path, installed, sizeof(installed)))
        return load(ctx, installed, NULL, 0, sets, n_sets, model);
    *model = NULL;
    if (lam_installed_nearest(path, near, sizeof(near)))
        return lam_fail(ctx, LAM_EMODEL,
                        "there is no file '%s', and no installed model of this "
                        "name (did you mean '%s'?)",
                        path, near);
    return load(ctx, path, NULL, 0, sets, n_sets, model);
}

int lam_model_parse(struct lam_context *ctx, const char *name, const char *text,
                    size_t size, const char *const *sets, int n_sets,
                    struct lam_model **model)
{
    return load(ctx, name, text, size, sets, n_sets, model);
}

void lam_model_destroy(struct lam_model *model)
{
    if (!model)
        return;
    for (int i = 0; i < model->n_rows; i++) {
        struct lam_model_row *row = &model->rows[i];

        free(row->name);
        free(row->type);
        for (int k = 0; k < row->n_from; k++)
            free(row->from[k]);
        lam_yaml_free(row->settings);
    }
    for (int i = 0; i < model->n_aliases; i++) {
        free(model->aliases[i].name);
        free(model->aliases[i].target);
    }
    for (int i = 0; i < model->n_owned; i++)
        free(model->owned[i]);
    free(model->owned);
    free(model->rows);
    free(model->aliases);
    lam_yaml_free(model->tree);
    free(model->file);
    free(model);
}

const char *lam_model_name(const struct lam_model *model)
{
    const char *name = lam_yaml_text(model->tree, "name");
    const char *slash = strrchr(model->file, '/');

    return name ? name : slash ? slash + 1 : model->file;
}

// A settings array and the texts of lists, in one allocation each.
static void *own(struct lam_model *model, size_t size)
{
    void **grown =
        realloc(model->owned, sizeof(*grown) * (size_t)(model->n_owned + 1));
    void *memory;

    if (!grown)
        return NULL;
    model->owned = grown;
    memory = calloc(1, size);
    if (memory)
        grown[model->n_owned++] = memory;
    return memory;
}

int lam_model_settings(struct lam_model *model, const struct lam_yaml *map,
                       const char *const *skip,
                       const struct lam_setting **settings)
{
    struct lam_setting *array;
    int n = 0;

    *settings = NULL;
    if (!map)
        return 0;
    if (map->kind != LAM_YAML_MAP) {
        lam_model_fail(model, map, "a mapping {key: value} was wanted");
        return -1;
    }
    array = own(model, sizeof(*array) * (size_t)(map->n_items + 1));
    if (!array) {
        no_memory(model);
        return -1;
    }
    for (int i = 0; i < map->n_items; i++) {
        const struct lam_yaml *item = map->items[i];
        char flat[512], *text;

        if (skip && is_among(skip, item->key))
            continue;
        if (!lam_yaml_flat(item, flat, sizeof(flat))) {
            lam_model_fail(model, item,
                           "'%s' wants a word, a number or a list of them",
                           item->key);
            return -1;
        }
        text = own(model, strlen(flat) + 1);
        if (!text) {
            no_memory(model);
            return -1;
        }
        memcpy(text, flat, strlen(flat));
        array[n++] =
            (struct lam_setting){.key = item->key,
                                 .value = text,
                                 .file = item->line ? model->file : NULL,
                                 .line = item->line,
                                 .column = item->column};
    }
    *settings = array;
    return n;
}

int lam_model_section(const struct lam_model *model, const char *section,
                      const struct lam_param *table, void *config,
                      size_t config_size, const char *const *skip)
{
    // Only the list of owned texts grows.
    struct lam_model *m = (struct lam_model *)model;
    const struct lam_setting *settings;
    const int n = lam_model_settings(m, lam_yaml_get(model->tree, section),
                                     skip, &settings);

    if (n < 0)
        return model->ctx->code;
    return lam_params_fill(model->ctx, section, table, config, config_size,
                           settings, n);
}

bool lam_model_has(const struct lam_model *model, const char *section)
{
    return lam_yaml_get(model->tree, section) != NULL;
}

const char *lam_model_get(const struct lam_model *model, const char *section,
                          const char *key)
{
    return lam_yaml_text(lam_yaml_get(model->tree, section), key);
}

const char *lam_model_where(const struct lam_model *model, const char *section,
                            char *text, size_t size)
{
    const struct lam_yaml *at = lam_yaml_get(model->tree, section);

    snprintf(text, size, "%s:%d:%d", model->file, at ? at->line : 1,
             at ? at->column : 1);
    return text;
}

int lam_model_row(const struct lam_model *model, const char *section, int i,
                  const struct lam_setting **settings)
{
    const struct lam_yaml *list = lam_yaml_get(model->tree, section);

    *settings = NULL;
    if (!list || list->kind != LAM_YAML_LIST || i >= list->n_items)
        return -1;
    return lam_model_settings((struct lam_model *)model, list->items[i], NULL,
                              settings);
}
