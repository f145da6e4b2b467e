// From `layers` and `blocks` to a plain list of layers.
#include "model_state.h"

#include <stdlib.h>
#include <string.h>

#include "rng.h"

enum { MAX_NESTING = 16, MAX_ROWS = 4000 };

struct scope {
    const struct scope *parent;
    const char *prefix;            // "up1", "" at the top
    const struct lam_yaml *params; // of the block, NULL at the top
    char *const *in;               // values the block reads
    int n_in;
    int depth;
};

static int expand_list(struct lam_model *model, const struct lam_yaml *list,
                       const struct scope *scope, char *last, size_t size);

static int no_memory(const struct lam_model *model)
{
    return lam_fail(model->ctx, LAM_EMEMORY, "out of memory");
}

static bool is_value(const struct lam_model *model, const char *name)
{
    const uint64_t hash = lam_rng_hash(0, name);

    if (lam_yaml_get(lam_yaml_get(model->tree, "inputs"), name))
        return true;
    for (int i = 0; i < model->n_rows; i++)
        if (model->rows[i].hash == hash &&
            strcmp(model->rows[i].name, name) == 0)
            return true;
    return false;
}

static const char *alias_of(const struct lam_model *model, const char *name)
{
    const uint64_t hash = lam_rng_hash(0, name);

    for (int i = 0; i < model->n_aliases; i++)
        if (model->aliases[i].hash == hash &&
            strcmp(model->aliases[i].name, name) == 0)
            return model->aliases[i].target;
    return NULL;
}

bool lam_model_resolve(const struct lam_model *model, const char *prefix,
                       const char *name, char *text, size_t size)
{
    char full[256], base[256];
    const char *alias;
    char *dot;

    if (snprintf(full, sizeof(full), "%s%s%s", prefix, prefix[0] ? "." : "",
                 name) >= (int)sizeof(full))
        return false;
    alias = alias_of(model, full);
    if (alias || is_value(model, full))
        return snprintf(text, size, "%s", alias ? alias : full) < (int)size;
    // "pool1.indices": an output of a layer or of a block.
    snprintf(base, sizeof(base), "%s", full);
    dot = strrchr(base, '.');
    if (!dot)
        return false;
    *dot = '\0';
    alias = alias_of(model, base);
    if (!alias && !is_value(model, base))
        return false;
    return snprintf(text, size, "%s.%s", alias ? alias : base, dot + 1) <
           (int)size;
}

// "$filters" becomes the block's parameter.
static int substitute(const struct lam_model *model, struct lam_yaml *node,
                      const struct scope *scope)
{
    const struct lam_yaml *param;
    char *text;

    for (int i = 0; i < node->n_items; i++) {
        const int err = substitute(model, node->items[i], scope);

        if (err)
            return err;
    }
    if (node->kind != LAM_YAML_SCALAR || node->text[0] != '$' ||
        strncmp(node->text, "$in", 3) == 0)
        return LAM_OK;
    param = lam_yaml_get(scope->params, node->text + 1);
    if (!param)
        return lam_model_fail(model, node, "the block has no parameter '%s'",
                              node->text + 1);
    if (param->kind != LAM_YAML_SCALAR) {
        char flat[256];

        if (!lam_yaml_flat(param, flat, sizeof(flat)))
            return lam_model_fail(model, node,
                                  "parameter '%s' is no number or word",
                                  node->text + 1);
        text = strdup(flat);
    } else {
        text = strdup(param->text);
    }
    if (!text)
        return no_memory(model);
    free(node->text);
    node->text = text;
    return LAM_OK;
}

static int read_from_one(const struct lam_model *model,
                         const struct lam_yaml *node, const struct scope *scope,
                         char *text, size_t size)
{
    if (node->kind != LAM_YAML_SCALAR)
        return lam_model_fail(model, node, "'from' wants names of layers");
    if (scope->params && strncmp(node->text, "$in", 3) == 0) {
        const int i = node->text[3] ? atoi(node->text + 3) - 1 : 0;

        if (i < 0 || i >= scope->n_in)
            return lam_model_fail(
                model, node, "'%s': the block was given %d input%s", node->text,
                scope->n_in, scope->n_in == 1 ? "" : "s");
        snprintf(text, size, "%s", scope->in[i]);
        return LAM_OK;
    }
    if (!lam_model_resolve(model, scope->prefix, node->text, text, size)) {
        const char *names[257] = {NULL};
        const size_t skip = strlen(scope->prefix) + (scope->prefix[0] != 0);
        const struct lam_yaml *inputs = lam_yaml_get(model->tree, "inputs");
        const char *near;
        int n = 0;

        for (int i = 0; i < model->n_rows && n < 240; i++)
            if (strncmp(model->rows[i].name, scope->prefix,
                        skip ? skip - 1 : 0) == 0)
                names[n++] = model->rows[i].name + skip;
        for (int i = 0; i < model->n_aliases && n < 250; i++)
            names[n++] = model->aliases[i].name;
        for (int i = 0; inputs && i < inputs->n_items && n < 256; i++)
            names[n++] = inputs->items[i]->key;
        near = lam_nearest(node->text, names);
        return lam_model_fail(model, node,
                              "'%s' names no input or layer above%s%s%s",
                              node->text, near ? " (did you mean '" : "",
                              near ? near : "", near ? "'?)" : "");
    }
    return LAM_OK;
}

// Names the values a row reads, to free(): its `from`, else the value above.
static int read_from(const struct lam_model *model, const struct lam_yaml *row,
                     const struct scope *scope, const char *above,
                     char *from[LAM_MAX_IN], int *n)
{
    const struct lam_yaml *node = lam_yaml_get(row, "from");
    const int count = node && node->kind == LAM_YAML_LIST ? node->n_items : 1;
    char text[256];
    int err = LAM_OK;

    *n = 0;
    if (!node && !above[0])
        return lam_model_fail(model, row,
                              "the first layer needs 'from', for there are "
                              "several inputs or none");
    if (count > LAM_MAX_IN || count < 1)
        return lam_model_fail(model, node, "'from' takes 1 to %d names",
                              LAM_MAX_IN);
    for (int i = 0; i < count && !err; i++) {
        if (node)
            err = read_from_one(
                model, node->kind == LAM_YAML_LIST ? node->items[i] : node,
                scope, text, sizeof(text));
        else
            snprintf(text, sizeof(text), "%s", above);
        if (!err) {
            from[i] = strdup(text);
            if (!from[i])
                return no_memory(model);
            ++*n;
        }
    }
    return err;
}

static int add_alias(struct lam_model *model, const char *name,
                     const char *target)
{
    struct lam_model_alias *grown = realloc(
        model->aliases, sizeof(*grown) * (size_t)(model->n_aliases + 1));

    if (!grown)
        return no_memory(model);
    model->aliases = grown;
    grown[model->n_aliases].name = strdup(name);
    grown[model->n_aliases].target = strdup(target);
    grown[model->n_aliases].hash = lam_rng_hash(0, name);
    if (!grown[model->n_aliases].name || !grown[model->n_aliases].target) {
        free(grown[model->n_aliases].name);
        free(grown[model->n_aliases].target);
        return no_memory(model);
    }
    model->n_aliases++;
    return LAM_OK;
}

// The block's parameters: its defaults, then what the row sets.
static int bind_params(const struct lam_model *model,
                       const struct lam_yaml *row, const struct lam_yaml *block,
                       const char *name, struct lam_yaml **params)
{
    const struct lam_yaml *defaults = lam_yaml_get(block, "params");

    *params =
        defaults ? lam_yaml_copy(defaults) : lam_yaml_make(LAM_YAML_MAP, NULL);
    if (!*params)
        return no_memory(model);
    for (int i = 0; i < row->n_items; i++) {
        const struct lam_yaml *item = row->items[i];

        if (strcmp(item->key, "name") == 0 || strcmp(item->key, "from") == 0 ||
            strcmp(item->key, "block") == 0)
            continue;
        if (!lam_yaml_get(defaults, item->key)) {
            const char *names[65] = {NULL};
            const char *near;

            for (int k = 0; defaults && k < defaults->n_items && k < 64; k++)
                names[k] = defaults->items[k]->key;
            near = lam_nearest(item->key, names);
            return lam_model_fail(
                model, item, "block '%s' has no parameter '%s'%s%s%s", name,
                item->key, near ? " (did you mean '" : "", near ? near : "",
                near ? "'?)" : "");
        }
        if (!lam_yaml_put(*params, item->key, lam_yaml_copy(item)))
            return no_memory(model);
    }
    return LAM_OK;
}

// The list of layers a block stands for: `layers`, or the case chosen.
static int block_list(const struct lam_model *model, const struct lam_yaml *row,
                      const struct lam_yaml *block, const char *name,
                      const struct lam_yaml *params,
                      const struct lam_yaml **list)
{
    const char *by = lam_yaml_text(block, "cases");
    const char *chosen = by ? lam_yaml_text(params, by) : "layers";
    const char *names[33] = {NULL};
    char known[300] = "";
    const char *near;
    int n = 0;

    if (by && !chosen)
        return lam_model_fail(model, block,
                              "block '%s': cases are chosen by '%s', which is "
                              "no parameter of it",
                              name, by);
    *list = lam_yaml_get(block, chosen);
    if (*list && (*list)->kind == LAM_YAML_LIST &&
        (by ? strcmp(chosen, "params") != 0 : (*list)->n_items > 0))
        return LAM_OK; // A case may be empty: the block is its input then.
    if (!by)
        return lam_model_fail(model, block,
                              "block '%s' has no list of 'layers'", name);
    for (int i = 0; i < block->n_items && n < 32; i++)
        if (block->items[i]->kind == LAM_YAML_LIST) {
            const size_t used = strlen(known);

            snprintf(known + used, sizeof(known) - used, "%s%s", n ? ", " : "",
                     block->items[i]->key);
            names[n++] = block->items[i]->key;
        }
    near = lam_nearest(chosen, names);
    return lam_model_fail(
        model, row, "block '%s': %s is '%s', wanted one of %s%s%s%s", name, by,
        chosen, known, near ? " (did you mean '" : "", near ? near : "",
        near ? "'?)" : "");
}

static int expand_block(struct lam_model *model, const struct lam_yaml *row,
                        const struct scope *scope, const char *full,
                        char **from, int n_from, char *last, size_t size)
{
    const char *name = lam_yaml_text(row, "block");
    const struct lam_yaml *blocks = lam_yaml_get(model->tree, "blocks");
    const struct lam_yaml *block = name ? lam_yaml_get(blocks, name) : NULL;
    const struct lam_yaml *list = NULL;
    struct lam_yaml *params = NULL;
    int err;

    if (!block) {
        const char *names[129] = {NULL};
        const char *near;

        for (int i = 0; blocks && i < blocks->n_items && i < 128; i++)
            names[i] = blocks->items[i]->key;
        near = name ? lam_nearest(name, names) : NULL;
        return lam_model_fail(model, row, "unknown block '%s'%s%s%s",
                              name ? name : "", near ? " (did you mean '" : "",
                              near ? near : "", near ? "'?)" : "");
    }
    if (scope->depth == MAX_NESTING)
        return lam_model_fail(model, row,
                              "blocks are nested more than %d deep (does '%s' "
                              "use itself?)",
                              MAX_NESTING, name);
    err = bind_params(model, row, block, name, &params);
    if (!err)
        err = block_list(model, row, block, name, params, &list);
    if (!err) {
        const struct scope inner = {.parent = scope,
                                    .prefix = full,
                                    .params = params,
                                    .in = from,
                                    .n_in = n_from,
                                    .depth = scope->depth + 1};

        snprintf(last, size, "%s", from[0]);
        err = expand_list(model, list, &inner, last, size);
    }
    if (!err)
        err = add_alias(model, full, last);
    lam_yaml_free(params);
    return err;
}

static int add_row(struct lam_model *model, struct lam_yaml *row,
                   const char *full, char **from, int n_from)
{
    static const char *const ours[] = {"name", "type", "from", "frozen"};
    const char *type = lam_yaml_text(row, "type");
    const char *frozen = lam_yaml_text(row, "frozen");
    struct lam_model_row *grown, *added;

    if (!type)
        return lam_model_fail(
            model, row, "layer '%s' has neither 'type' nor 'block'", full);
    if (frozen && strcmp(frozen, "true") != 0 && strcmp(frozen, "false") != 0)
        return lam_model_fail(model, row,
                              "frozen is '%s', wanted true or false", frozen);
    if (model->n_rows == MAX_ROWS)
        return lam_model_fail(model, row, "more than %d layers", MAX_ROWS);
    grown = realloc(model->rows, sizeof(*grown) * (size_t)(model->n_rows + 1));
    if (!grown)
        return no_memory(model);
    model->rows = grown;
    added = &grown[model->n_rows];
    *added = (struct lam_model_row){
        .name = strdup(full),
        .type = strdup(type),
        .settings = lam_yaml_make(LAM_YAML_MAP, NULL),
        .is_frozen = frozen && strcmp(frozen, "true") == 0,
        .line = row->line,
        .column = row->column,
        .hash = lam_rng_hash(0, full)};
    model->n_rows++;
    if (!added->name || !added->type || !added->settings)
        return no_memory(model);
    for (int i = 0; i < n_from; i++) {
        added->from[i] = from[i];
        from[i] = NULL;
        added->n_from++;
    }
    for (int i = 0; i < row->n_items; i++) {
        bool is_ours = false;

        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            is_ours |= strcmp(row->items[i]->key, ours[k]) == 0;
        if (!is_ours && !lam_yaml_put(added->settings, row->items[i]->key,
                                      lam_yaml_copy(row->items[i])))
            return no_memory(model);
    }
    return LAM_OK;
}

static int expand_row(struct lam_model *model, const struct lam_yaml *original,
                      const struct scope *scope, char *above, size_t size)
{
    struct lam_yaml *row = lam_yaml_copy(original);
    char *from[LAM_MAX_IN] = {NULL};
    char full[256];
    const char *name;
    int n_from = 0, err;

    if (!row)
        return no_memory(model);
    err = row->kind == LAM_YAML_MAP
              ? LAM_OK
              : lam_model_fail(model, original,
                               "a layer is written {name: .., type: ..}");
    if (!err && scope->params)
        err = substitute(model, row, scope);
    name = err ? NULL : lam_yaml_text(row, "name");
    if (!err && (!name || !name[0]))
        err = lam_model_fail(model, original, "a layer has no 'name'");
    if (!err &&
        snprintf(full, sizeof(full), "%s%s%s", scope->prefix,
                 scope->prefix[0] ? "." : "", name) >= (int)sizeof(full))
        err = lam_model_fail(model, original, "a name is too long");
    if (!err && (alias_of(model, full) || is_value(model, full)))
        err = lam_model_fail(model, original, "the name '%s' is there already",
                             full);
    if (!err)
        err = read_from(model, row, scope, above, from, &n_from);
    if (!err && lam_yaml_get(row, "block")) {
        err = expand_block(model, row, scope, full, from, n_from, above, size);
    } else if (!err) {
        err = add_row(model, row, full, from, n_from);
        snprintf(above, size, "%s", full);
    }
    for (int i = 0; i < LAM_MAX_IN; i++)
        free(from[i]);
    lam_yaml_free(row);
    return err;
}

static int expand_list(struct lam_model *model, const struct lam_yaml *list,
                       const struct scope *scope, char *last, size_t size)
{
    int err = LAM_OK;

    for (int i = 0; i < list->n_items && !err; i++)
        err = expand_row(model, list->items[i], scope, last, size);
    return err;
}

int lam_model_expand(struct lam_model *model)
{
    const struct scope top = {.prefix = ""};
    const struct lam_yaml *layers = lam_yaml_get(model->tree, "layers");
    const struct lam_yaml *inputs = lam_yaml_get(model->tree, "inputs");
    char last[256] = "";

    if (!inputs || inputs->kind != LAM_YAML_MAP || inputs->n_items == 0)
        return lam_model_fail(model, inputs,
                              "'inputs' is missing: {image: [N, 1, 256, 256]}");
    if (!layers || layers->kind != LAM_YAML_LIST || layers->n_items == 0)
        return lam_model_fail(model, layers,
                              "'layers' is missing: a list of "
                              "{name: .., type: .., from: ..}");
    if (inputs->n_items == 1)
        snprintf(last, sizeof(last), "%s", inputs->items[0]->key);
    return expand_list(model, layers, &top, last, sizeof(last));
}
