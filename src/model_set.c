// Overrides of a model: --set NAME.KEY=VALUE.
#include "model_state.h"

#include <stdlib.h>
#include <string.h>

// Sections that --set may write into.
static const char *const settable[] = {
    "inputs",  "loss", "optimizer", "train",      "data", "augment",
    "metrics", "name", "schedule",  "regularize", NULL};

static int no_memory(const struct lam_model *model)
{
    return lam_fail(model->ctx, LAM_EMEMORY, "out of memory");
}

static bool is_settable(const char *name)
{
    for (int i = 0; settable[i]; i++)
        if (strcmp(settable[i], name) == 0)
            return true;
    return false;
}

static int put_text(const struct lam_model *model, struct lam_yaml *map,
                    const char *key, const char *value)
{
    return lam_yaml_put(map, key, lam_yaml_make(LAM_YAML_SCALAR, value))
               ? LAM_OK
               : no_memory(model);
}

// Texts of an override stand in no file.
static void forget_marks(struct lam_yaml *node)
{
    node->line = node->column = 0;
    for (int i = 0; i < node->n_items; i++)
        forget_marks(node->items[i]);
}

// A whole section, as YAML: "loss={type: soft_iou, from: logit}".
static int set_whole(struct lam_model *model, const char *section,
                     const char *value)
{
    const size_t size = strlen(section) + strlen(value) + 3;
    struct lam_yaml *tree = NULL;
    char *text;
    int err;

    if (value[0] != '{' && value[0] != '[')
        return put_text(model, model->tree, section, value);
    text = malloc(size);
    if (!text)
        return no_memory(model);
    snprintf(text, size, "%s: %s", section, value);
    err = lam_yaml_parse(model->ctx, "--set", text, strlen(text), &tree);
    if (!err)
        forget_marks(tree);
    if (!err && !lam_yaml_put(model->tree, section,
                              lam_yaml_copy(lam_yaml_get(tree, section))))
        err = no_memory(model);
    lam_yaml_free(tree);
    free(text);
    return err;
}

// "train.epochs", "loss.positive_weight", "loss.0.factor", "name".
static int set_section(struct lam_model *model, const char *section,
                       const char *key, const char *value)
{
    struct lam_yaml *map = lam_yaml_get(model->tree, section);
    const char *dot;

    if (!key)
        return set_whole(model, section, value);
    if (!map && strcmp(section, "name") != 0) {
        if (!lam_yaml_put(model->tree, section,
                          lam_yaml_make(LAM_YAML_MAP, NULL)))
            return no_memory(model);
        map = lam_yaml_get(model->tree, section);
    }
    dot = strchr(key, '.');
    if (map && map->kind == LAM_YAML_LIST && dot) {
        const int i = atoi(key);

        if (i < 0 || i >= map->n_items)
            return lam_fail(model->ctx, LAM_EUSAGE,
                            "--set %s.%s: there are %d terms", section, key,
                            map->n_items);
        map = map->items[i];
        key = dot + 1;
    }
    if (!map || map->kind != LAM_YAML_MAP)
        return lam_fail(model->ctx, LAM_EUSAGE, "--set %s.%s: %s is no mapping",
                        section, key, section);
    return put_text(model, map, key, value);
}

static struct lam_yaml *find_row(const struct lam_model *model,
                                 const char *name)
{
    struct lam_yaml *layers = lam_yaml_get(model->tree, "layers");

    for (int i = 0; layers && i < layers->n_items; i++) {
        const char *found = lam_yaml_text(layers->items[i], "name");

        if (found && strcmp(found, name) == 0)
            return layers->items[i];
    }
    return NULL;
}

static int fail_set(const struct lam_model *model, const char *set,
                    const char *first)
{
    const struct lam_yaml *blocks = lam_yaml_get(model->tree, "blocks");
    const struct lam_yaml *layers = lam_yaml_get(model->tree, "layers");
    const char *names[513] = {NULL};
    const char *near;
    int n = 0;

    for (int i = 0; settable[i]; i++)
        names[n++] = settable[i];
    for (int i = 0; blocks && i < blocks->n_items && n < 200; i++)
        names[n++] = blocks->items[i]->key;
    for (int i = 0; layers && i < layers->n_items && n < 512; i++) {
        names[n] = lam_yaml_text(layers->items[i], "name");
        n += names[n] != NULL;
    }
    names[n] = NULL;
    near = lam_nearest(first, names);
    return lam_fail(model->ctx, LAM_EUSAGE,
                    "--set %s: '%s' is no section, block or layer of %s%s%s%s",
                    set, first, model->file, near ? " (did you mean '" : "",
                    near ? near : "", near ? "'?)" : "");
}

// Layers inside blocks are only there after expansion.
static bool set_inner(struct lam_model *model, const char *path,
                      const char *value, int *err)
{
    for (int i = 0; i < model->n_rows; i++) {
        const size_t n = strlen(model->rows[i].name);

        if (strncmp(model->rows[i].name, path, n) == 0 && path[n] == '.' &&
            !strchr(path + n + 1, '.')) {
            *err =
                put_text(model, model->rows[i].settings, path + n + 1, value);
            return true;
        }
    }
    return false;
}

int lam_model_set(struct lam_model *model, const char *set, bool is_late)
{
    char path[256];
    const size_t length = strcspn(set, "=");
    struct lam_yaml *block, *row;
    char *key;
    int err = LAM_OK;

    if (set[length] != '=' || length == 0 || length >= sizeof(path))
        return lam_fail(model->ctx, LAM_EUSAGE,
                        "--set %s: wanted NAME.KEY=VALUE", set);
    memcpy(path, set, length);
    path[length] = '\0';
    if (is_late) {
        char first[256];
        const char *dot = strchr(path, '.');

        if (!dot || is_settable(path))
            return LAM_OK;
        snprintf(first, sizeof(first), "%.*s", (int)(dot - path), path);
        if (is_settable(first) ||
            (!strchr(dot + 1, '.') &&
             (lam_yaml_get(lam_yaml_get(model->tree, "blocks"), first) ||
              find_row(model, first))))
            return LAM_OK;
        if (set_inner(model, path, set + length + 1, &err))
            return err;
        return fail_set(model, set, first);
    }
    key = strchr(path, '.');
    if (key)
        *key++ = '\0';
    if (is_settable(path))
        return set_section(model, path, key, set + length + 1);
    if (!key)
        return fail_set(model, set, path);
    if (strchr(key, '.'))
        return LAM_OK;
    block = lam_yaml_get(lam_yaml_get(model->tree, "blocks"), path);
    if (block) {
        struct lam_yaml *params = lam_yaml_get(block, "params");

        if (!lam_yaml_get(params, key)) {
            const char *names[65] = {NULL};
            const char *near;

            for (int i = 0; params && i < params->n_items && i < 64; i++)
                names[i] = params->items[i]->key;
            near = lam_nearest(key, names);
            return lam_fail(model->ctx, LAM_EUSAGE,
                            "--set %s: block '%s' has no parameter '%s'%s%s%s",
                            set, path, key, near ? " (did you mean '" : "",
                            near ? near : "", near ? "'?)" : "");
        }
        return put_text(model, params, key, set + length + 1);
    }
    row = find_row(model, path);
    return row ? put_text(model, row, key, set + length + 1) : LAM_OK;
}
