#include "weight_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"
#include "yaml_tree.h"

enum { MAX_STARS = 4 };

// What the stars of a pattern stand for in a name.
struct parts {
    const char *at[MAX_STARS];
    int length[MAX_STARS];
};

// The first star takes as little as it can.
static bool fits(const char *pattern, const char *name, int star,
                 struct parts *parts)
{
    if (*pattern == '\0')
        return *name == '\0';
    if (*pattern != '*')
        return *pattern == *name && fits(pattern + 1, name + 1, star, parts);
    for (int n = 0; n <= (int)strlen(name) && star < MAX_STARS; n++) {
        parts->at[star] = name;
        parts->length[star] = n;
        if (fits(pattern + 1, name + n, star + 1, parts))
            return true;
    }
    return false;
}

static int stars_of(const char *pattern)
{
    int n = 0;

    for (; *pattern; pattern++)
        n += *pattern == '*';
    return n;
}

static int fail_at(struct lam_context *ctx, const char *path,
                   const struct lam_yaml *at, const char *problem)
{
    return lam_fail(ctx, LAM_EMODEL, "%s:%d:%d: %s", path, at->line, at->column,
                    problem);
}

static int check_rules(struct lam_context *ctx, const char *path,
                       const struct lam_yaml *rules)
{
    if (rules->kind != LAM_YAML_MAP)
        return fail_at(ctx, path, rules, "weights are rows of OURS: THEIRS");
    for (int i = 0; i < rules->n_items; i++) {
        const struct lam_yaml *rule = rules->items[i];

        if (rule->kind != LAM_YAML_SCALAR)
            return fail_at(ctx, path, rule, "a rule is OURS: THEIRS");
        if (stars_of(rule->key) != stars_of(rule->text) ||
            stars_of(rule->key) > MAX_STARS)
            return fail_at(ctx, path, rule,
                           "both sides want the same number of *, at most 4");
    }
    return LAM_OK;
}

int lam_weight_map_open(struct lam_context *ctx, const char *path,
                        struct lam_weight_map *map)
{
    static const char *const keys[] = {"weights", "include", "exclude", NULL};
    int err;

    map->tree = NULL;
    if (!path)
        return LAM_OK;
    err = lam_yaml_load(ctx, path, &map->tree);
    if (!err && map->tree->kind != LAM_YAML_MAP)
        err = fail_at(ctx, path, map->tree, "wanted weights: {OURS: THEIRS}");
    for (int i = 0; !err && i < map->tree->n_items; i++) {
        const struct lam_yaml *item = map->tree->items[i];
        int k = 0;

        while (keys[k] && strcmp(keys[k], item->key) != 0)
            k++;
        if (!keys[k])
            err = fail_at(ctx, path, item,
                          "unknown key, wanted weights, include or exclude");
        else if (k == 0)
            err = check_rules(ctx, path, item);
        else if (item->kind != LAM_YAML_LIST)
            err = fail_at(ctx, path, item, "wanted a list of patterns");
        for (int n = 0; !err && k > 0 && n < item->n_items; n++)
            if (item->items[n]->kind != LAM_YAML_SCALAR)
                err = fail_at(ctx, path, item->items[n], "wanted a pattern");
    }
    return err;
}

void lam_weight_map_close(struct lam_weight_map *map)
{
    lam_yaml_free(map->tree);
    map->tree = NULL;
}

// Whether a name fits one of the patterns of the caller, or of the file; *n
// counts them.
static bool fits_any(const char *const *given, int n_given,
                     const struct lam_yaml *list, const char *name, int *n)
{
    struct parts parts;
    bool found = false;

    *n = n_given + (list ? list->n_items : 0);
    for (int i = 0; i < n_given && !found; i++)
        found = fits(given[i], name, 0, &parts);
    for (int i = 0; list && i < list->n_items && !found; i++)
        found = fits(list->items[i]->text, name, 0, &parts);
    return found;
}

static void substitute(const char *theirs, const struct parts *parts,
                       char *text, size_t size)
{
    size_t used = 0;
    int star = 0;

    for (; *theirs && used < size - 1; theirs++) {
        if (*theirs != '*') {
            text[used++] = *theirs;
            continue;
        }
        used += (size_t)snprintf(text + used, size - used, "%.*s",
                                 parts->length[star], parts->at[star]);
        star++;
    }
    text[used < size ? used : size - 1] = '\0';
}

const char *lam_weight_map_name(const struct lam_weight_map *map,
                                const char *ours, char *text, size_t size)
{
    const struct lam_yaml *rules =
        map->tree ? lam_yaml_get(map->tree, "weights") : NULL;
    struct parts parts;
    int n;

    if (!fits_any(map->include, map->n_include,
                  map->tree ? lam_yaml_get(map->tree, "include") : NULL, ours,
                  &n) &&
        n > 0)
        return NULL;
    if (fits_any(map->exclude, map->n_exclude,
                 map->tree ? lam_yaml_get(map->tree, "exclude") : NULL, ours,
                 &n))
        return NULL;
    for (int i = 0; rules && i < rules->n_items; i++)
        if (fits(rules->items[i]->key, ours, 0, &parts)) {
            substitute(rules->items[i]->text, &parts, text, size);
            return text;
        }
    snprintf(text, size, "%s", ours);
    return text;
}

static int take_one(const struct lam_stored *t, int i, lam_take_weight *take,
                    void *data, struct lam_context *ctx)
{
    const int64_t n = lam_shape_elements(&t->shape);
    float *values;
    int err;

    if (t->shape.dtype == LAM_F32)
        return take(data, i, t->data);
    values = malloc((size_t)n * sizeof(*values) + 1);
    if (!values)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int64_t k = 0; k < n; k++)
        values[k] = (float)((const double *)t->data)[k];
    err = take(data, i, values);
    free(values);
    return err;
}

static bool same_sizes(const struct lam_shape *a, const struct lam_shape *b)
{
    bool same = a->rank == b->rank;

    for (int d = 0; d < a->rank && same; d++)
        same = a->dim[d] == b->dim[d];
    return same;
}

int lam_weight_map_apply(const struct lam_weight_map *map,
                         const struct lam_safetensors *file,
                         const struct lam_graph *graph, bool exact,
                         lam_take_weight *take, void *data,
                         struct lam_taken *taken)
{
    const int n_stored = lam_safetensors_count(file);
    bool *used = calloc((size_t)n_stored + 1, sizeof(*used));
    int err =
        used ? LAM_OK : lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");

    *taken = (struct lam_taken){0};
    for (int i = 0; i < graph->n_weights && !err; i++) {
        const char *ours = graph->weights[i].name;
        const struct lam_shape *wanted = &graph->weights[i].spec.shape;
        char text[400], found[100], shape[100];
        const char *theirs = lam_weight_map_name(map, ours, text, sizeof(text));
        const struct lam_stored *t = NULL;

        if (!theirs) {
            taken->left_out++;
            continue;
        }
        t = lam_safetensors_find(file, theirs);
        if (t && same_sizes(&t->shape, wanted)) {
            used[t - lam_safetensors_at(file, 0)] = true;
            taken->matched++;
            err = take_one(t, i, take, data, graph->ctx);
            continue;
        }
        lam_shape_print(wanted, shape, sizeof(shape));
        if (t)
            snprintf(found, sizeof(found), "is ");
        if (t)
            lam_shape_print(&t->shape, found + 3, sizeof(found) - 3);
        if (exact)
            err = lam_fail(graph->ctx, LAM_ECHECKPOINT,
                           "%s, %s, wanted as %s, %s", ours, shape, theirs,
                           t ? found : "is not in the file");
        else
            lam_log(graph->ctx, LAM_LOG_INFO,
                    "%s, %s: left as it starts: %s %s", ours, shape, theirs,
                    t ? found : "is not in the file");
        *(t ? &taken->differing : &taken->missing) += 1;
    }
    for (int i = 0; i < n_stored && !err; i++)
        if (!used[i] &&
            strncmp(lam_safetensors_at(file, i)->name, "optim.", 6) != 0)
            taken->unused++;
    free(used);
    return err;
}

void lam_taken_log(struct lam_context *ctx, const char *path,
                   const struct lam_safetensors *file,
                   const struct lam_taken *taken)
{
    lam_log(ctx, LAM_LOG_INFO,
            "weights from %s: %d matched, %d missing there, %d of another "
            "shape, %d left out by patterns, %d there unused, %d there of "
            "other types",
            path, taken->matched, taken->missing, taken->differing,
            taken->left_out, taken->unused, lam_safetensors_skipped(file));
}
