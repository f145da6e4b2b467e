// Reading an experiment file.
#include <stdlib.h>
#include <string.h>

#include "experiment.h"
#include "param.h"
#include "yaml_tree.h"

struct reader {
    struct experiment *to;
    const char *path;
};

static int fail_at(const struct reader *r, const struct lam_yaml *node,
                   const char *text)
{
    return lam_fail(r->to->ctx, LAM_EMODEL, "%s:%d:%d: %s", r->path, node->line,
                    node->column, text);
}

static int check_keys(const struct reader *r, const struct lam_yaml *map,
                      const char *const *known)
{
    for (int i = 0; i < map->n_items; i++) {
        const struct lam_yaml *item = map->items[i];
        const char *near = lam_nearest(item->key, known);
        bool is_known = false;

        for (int k = 0; known[k]; k++)
            is_known |= strcmp(known[k], item->key) == 0;
        if (!is_known)
            return lam_fail(r->to->ctx, LAM_EMODEL,
                            "%s:%d:%d: unknown key '%s'%s%s%s", r->path,
                            item->line, item->column, item->key,
                            near ? " (did you mean '" : "", near ? near : "",
                            near ? "'?)" : "");
    }
    return LAM_OK;
}

// The words of a list; a missing one has none.
static int read_words(const struct reader *r, const struct lam_yaml *list,
                      int max, const char **words, int *n)
{
    *n = 0;
    if (!list)
        return LAM_OK;
    if (list->kind != LAM_YAML_LIST)
        return fail_at(r, list, "a list is wanted");
    for (int i = 0; i < list->n_items; i++) {
        if (list->items[i]->kind != LAM_YAML_SCALAR)
            return fail_at(r, list->items[i], "a word or number is wanted");
        if (*n == max)
            return fail_at(r, list->items[i], "the list is too long");
        words[(*n)++] = list->items[i]->text;
    }
    return LAM_OK;
}

static int read_seeds(const struct reader *r, const struct lam_yaml *list)
{
    const char *words[EXPERIMENT_MAX_SEEDS];
    struct experiment *e = r->to;
    int err = read_words(r, list, EXPERIMENT_MAX_SEEDS, words, &e->n_seeds);

    for (int i = 0; i < e->n_seeds && !err; i++) {
        int64_t seed;

        if (!lam_parse_int(words[i], &seed) || seed < 0 || seed > 2000000000)
            err = fail_at(r, list->items[i], "a seed is a whole number from 0");
        else
            e->seeds[i] = (int)seed;
    }
    if (!err && e->n_seeds == 0) {
        e->seeds[0] = 1;
        e->n_seeds = 1;
    }
    return err;
}

static int read_run(const struct reader *r, const struct lam_yaml *row,
                    struct experiment_run *run)
{
    static const char *const known[] = {"name", "set", NULL};
    int err;

    if (row->kind != LAM_YAML_MAP)
        return fail_at(r, row, "a run is written {name: .., set: [..]}");
    err = check_keys(r, row, known);
    if (err)
        return err;
    run->name = lam_yaml_text(row, "name");
    // It names a folder.
    if (!run->name || !run->name[0] ||
        run->name[strspn(run->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
                                    "QRSTUVWXYZ0123456789_-")])
        return fail_at(r, row,
                       "a run's 'name' is of letters, digits, '-' and '_'");
    for (const struct experiment_run *other = r->to->runs; other < run; other++)
        if (strcmp(other->name, run->name) == 0)
            return fail_at(r, row, "two runs have the same name");
    return read_words(r, lam_yaml_get(row, "set"), EXPERIMENT_MAX_SETS,
                      run->sets, &run->n_sets);
}

// The model is beside the file, or else what the program finds by that name.
static char *model_path(const char *path, const char *name)
{
    const char *slash = strrchr(path, '/');
    const int length = slash ? (int)(slash - path) + 1 : 0;
    const size_t size = (size_t)length + strlen(name) + 1;
    char *text = malloc(size);
    FILE *file;

    if (!text)
        return NULL;
    snprintf(text, size, "%.*s%s", length, path, name);
    file = fopen(text, "r");
    if (file)
        fclose(file);
    else
        snprintf(text, size, "%s", name);
    return text;
}

static int read_all(const struct reader *r, const struct lam_yaml *tree)
{
    static const char *const known[] = {"format", "name",    "model", "seeds",
                                        "set",    "periods", "runs",  NULL};
    struct experiment *e = r->to;
    const char *format = lam_yaml_text(tree, "format");
    const char *model = lam_yaml_text(tree, "model");
    const struct lam_yaml *runs = lam_yaml_get(tree, "runs");
    int err = check_keys(r, tree, known);

    if (err)
        return err;
    if (!format || strcmp(format, "1") != 0)
        return fail_at(r, tree, "'format: 1' is wanted at the top");
    e->name = lam_yaml_text(tree, "name");
    e->periods = lam_yaml_text(tree, "periods");
    if (!e->name || !model)
        return fail_at(r, tree, "'name' and 'model' are wanted");
    if (!runs || runs->kind != LAM_YAML_LIST || runs->n_items == 0 ||
        runs->n_items > EXPERIMENT_MAX_RUNS)
        return fail_at(r, runs ? runs : tree,
                       "'runs' is a list of 1 to 32 runs");
    e->model = model_path(r->path, model);
    if (!e->model)
        return lam_fail(e->ctx, LAM_EMEMORY, "out of memory");
    err = read_seeds(r, lam_yaml_get(tree, "seeds"));
    if (!err)
        err = read_words(r, lam_yaml_get(tree, "set"), EXPERIMENT_MAX_SETS,
                         e->sets, &e->n_sets);
    for (int i = 0; i < runs->n_items && !err; i++) {
        err = read_run(r, runs->items[i], &e->runs[i]);
        e->n_runs++;
    }
    return err;
}

int experiment_load(struct lam_context *ctx, const char *path,
                    struct experiment *e)
{
    const struct reader reader = {e, path};
    int err;

    *e = (struct experiment){.ctx = ctx};
    err = lam_yaml_load(ctx, path, &e->tree);
    return err ? err : read_all(&reader, e->tree);
}

void experiment_free(struct experiment *e)
{
    lam_yaml_free(e->tree);
    free(e->model);
    free(e->results);
}
