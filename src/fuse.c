#include "fuse.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"

enum { MAX_SETTINGS = 64, MAX_WORD = 64 };

// A rule that holds for two nodes, and the settings of the merged layer.
struct match {
    const struct lam_fusion *rule;
    int first, second;
    double reads[LAM_MAX_READS];
    struct lam_setting settings[MAX_SETTINGS];
    char words[MAX_SETTINGS][2][MAX_WORD]; // those that settings point to
    int n_settings;
};

// "KEY=VALUE", "KEY", "KEY>TO" or "KEY*".
struct word {
    char key[MAX_WORD], value[MAX_WORD], to[MAX_WORD];
    bool is_free;
};

static const char *next_word(const char *at, struct word *w)
{
    char text[MAX_WORD];
    size_t n, key;

    at += strspn(at, " ");
    n = strcspn(at, " ");
    if (n == 0 || n >= sizeof(text))
        return NULL;
    memcpy(text, at, n);
    text[n] = '\0';
    *w = (struct word){0};
    key = strcspn(text, "=>*");
    w->is_free = text[key] == '*';
    memcpy(w->key, text, key);
    memcpy(w->to, text, key);
    if (text[key] == '=')
        strcpy(w->value, text + key + 1);
    else if (text[key] == '>')
        strcpy(w->to, text + key + 1);
    return at + n;
}

static const struct lam_param *find_param(const struct lam_node *node,
                                          const char *name)
{
    for (const struct lam_param *p = node->layer.type->params; p && p->name;
         p++)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

// Adds a setting of the merged layer, or changes it.
static bool put_setting(struct match *m, const char *key, const char *value)
{
    int i = 0;

    while (i < m->n_settings && strcmp(m->words[i][0], key) != 0)
        i++;
    if (i == MAX_SETTINGS || strlen(key) >= MAX_WORD ||
        strlen(value) >= MAX_WORD)
        return false;
    strcpy(m->words[i][0], key);
    strcpy(m->words[i][1], value);
    m->settings[i] =
        (struct lam_setting){.key = m->words[i][0], .value = m->words[i][1]};
    m->n_settings += i == m->n_settings;
    return true;
}

// Sets in config what the words ask of the node, and copies to the merged layer
// what they say.
static bool take(struct lam_context *ctx, const struct lam_node *node,
                 const char *words, void *config, struct match *m)
{
    struct word w;

    for (const char *at = words; at && (at = next_word(at, &w));) {
        const struct lam_param *param = find_param(node, w.key);
        const char *value = w.value[0] ? w.value : NULL;

        if (!param)
            return false;
        for (int i = 0; i < node->n_settings && !w.value[0]; i++)
            if (strcmp(node->settings[i].key, w.key) == 0)
                value = node->settings[i].value;
        if (!value)
            continue;
        if (lam_param_set(ctx, node->name, param, config, value))
            return false;
        if (!w.value[0] && !w.is_free && !put_setting(m, w.to, value))
            return false;
    }
    return true;
}

// Whether the node is what the words ask for: those of the kept layer beside
// anything, those of the other one beside defaults.
static int node_fits(struct lam_context *ctx, const struct lam_node *node,
                     const char *words, bool is_kept, struct match *m,
                     bool *fits)
{
    const struct lam_layer_type *type = node->layer.type;
    void *config = calloc(1, type->config_size ? type->config_size : 1);

    *fits = config != NULL;
    if (!config)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (is_kept)
        memcpy(config, node->layer.config, type->config_size);
    else
        *fits = lam_params_fill(ctx, node->name, type->params, config,
                                type->config_size, NULL, 0) == LAM_OK;
    *fits = *fits && take(ctx, node, words, config, m) &&
            memcmp(config, node->layer.config, type->config_size) == 0;
    lam_error_clear(ctx); // what does not fit is no error
    free(config);
    return LAM_OK;
}

static bool read_numbers(const struct lam_node *other, const char *words,
                         double *reads)
{
    struct word w;
    int n = 0;

    for (const char *at = words; at && (at = next_word(at, &w)); n++) {
        const struct lam_param *param = find_param(other, w.key);
        const char *config = other->layer.config;

        if (!param || n == LAM_MAX_READS)
            return false;
        if (param->kind == LAM_PARAM_REAL)
            memcpy(&reads[n], config + param->offset, sizeof(double));
        else if (param->kind <= LAM_PARAM_CHOICE)
            reads[n] = *(const int32_t *)(const void *)(config + param->offset);
        else
            return false;
    }
    return true;
}

static int rule_holds(const struct lam_graph *graph, struct match *m,
                      bool *holds)
{
    const struct lam_fusion *rule = m->rule;
    const struct lam_node *first = &graph->nodes[m->first];
    const struct lam_node *second = &graph->nodes[m->second];
    const struct lam_node *kept = rule->kept ? second : first;
    const struct lam_node *other = rule->kept ? first : second;
    struct word w;
    int err = LAM_OK;

    *holds = false;
    if (strcmp(first->layer.type->name, rule->first) != 0 ||
        strcmp(second->layer.type->name, rule->second) != 0 ||
        (graph->training && !rule->in_training) ||
        !lam_registry_layer(graph->registry, rule->into) ||
        (rule->weights && (first->merge || second->merge)) ||
        (!rule->weights && other->shapes.n_weight > 0))
        return LAM_OK;
    *holds = true;
    m->n_settings = 0;
    for (int i = 0; i < kept->n_settings && *holds; i++)
        *holds = put_setting(m, kept->settings[i].key, kept->settings[i].value);
    for (const char *at = rule->adds; *holds && at && (at = next_word(at, &w));)
        *holds = put_setting(m, w.key, w.value);
    if (*holds)
        err = node_fits(graph->ctx, kept, rule->needs, true, m, holds);
    if (!err && *holds)
        err = node_fits(graph->ctx, other, rule->other, false, m, holds);
    *holds = !err && *holds && read_numbers(other, rule->reads, m->reads);
    return err;
}

// The only reader of what node i makes, -1 if there is another or none.
static int only_reader(const struct lam_graph *graph, int i, const int *values,
                       int n)
{
    const struct lam_node *node = &graph->nodes[i];
    int reader = -1;

    if (node->shapes.n_out != 1 || graph->values[node->out[0]].is_output)
        return -1;
    for (int k = 0; k < n; k++)
        if (values[k] == node->out[0])
            return -1;
    for (int j = i + 1; j < graph->n_nodes; j++)
        for (int k = 0; k < graph->nodes[j].shapes.n_in; k++) {
            if (graph->nodes[j].in[k] != node->out[0])
                continue;
            if (reader >= 0)
                return -1;
            reader = j;
        }
    return reader;
}

// In a graph of its own: whether the merged layer can be made, and makes the
// same shape from weights of the same shapes.
static int merge_nodes(struct lam_graph *to, const struct lam_graph *from,
                       const struct match *m, const int *map)
{
    const struct lam_fusion *rule = m->rule;
    const struct lam_node *first = &from->nodes[m->first];
    const struct lam_node *second = &from->nodes[m->second];
    const struct lam_node *kept = rule->kept ? second : first;
    const struct lam_value *value = &from->values[second->out[0]];
    int in[LAM_MAX_IN], node, err;
    const struct lam_node_spec spec = {.name = kept->name,
                                       .type = rule->into,
                                       .value = value->name,
                                       .settings = m->settings,
                                       .n_settings = m->n_settings,
                                       .in = in,
                                       .n_in = first->shapes.n_in,
                                       .is_frozen = kept->is_frozen};
    struct lam_node *merged;

    if (second->shapes.n_in != 1)
        return lam_fail(to->ctx, LAM_EMODEL, "several inputs");
    for (int k = 0; k < spec.n_in; k++)
        in[k] = map[first->in[k]];
    err = lam_graph_add(to, &spec, &node);
    if (err)
        return err;
    merged = &to->nodes[node];
    merged->n_merged = first->n_merged + second->n_merged + 1;
    if (memcmp(&merged->shapes.out[0], &second->shapes.out[0],
               sizeof(merged->shapes.out[0])) != 0 ||
        (!rule->weights && merged->shapes.n_weight != kept->shapes.n_weight))
        return lam_fail(to->ctx, LAM_EPLUGIN,
                        "%s and %s cannot be merged into %s: shapes differ",
                        first->name, second->name, rule->into);
    if (rule->weights)
        return lam_merge_create(to->ctx, rule, first, second, m->reads,
                                &merged->merge);
    if (kept->merge && !(merged->merge = lam_merge_copy(kept->merge)))
        return lam_fail(to->ctx, LAM_EMEMORY, "out of memory");
    return LAM_OK;
}

static int copy_node(struct lam_graph *to, const struct lam_graph *from, int i,
                     const int *map)
{
    int in[LAM_MAX_IN], made;

    for (int k = 0; k < from->nodes[i].shapes.n_in; k++)
        in[k] = map[from->nodes[i].in[k]];
    return lam_graph_add_copy(to, from, i, in, &made);
}

// The graph with two nodes as one; map: from values of the old to the new.
static int rebuild(const struct lam_graph *from, const struct match *m,
                   int *map, struct lam_graph **to)
{
    int err = lam_graph_create(from->ctx, from->registry, from->host,
                               from->training, to);

    for (int v = 0; v < from->n_values && !err; v++) {
        map[v] = -1;
        if (from->values[v].producer < 0)
            err = lam_graph_input(*to, from->values[v].name,
                                  &from->values[v].shape, &map[v]);
    }
    for (int i = 0; i < from->n_nodes && !err; i++) {
        const struct lam_node *node = &from->nodes[i];

        if (i == m->first)
            continue;
        err = i == m->second ? merge_nodes(*to, from, m, map)
                             : copy_node(*to, from, i, map);
        for (int k = 0; k < node->shapes.n_out && !err; k++)
            map[node->out[k]] = (*to)->nodes[(*to)->n_nodes - 1].out[k];
    }
    for (int v = 0; v < from->n_values && !err; v++)
        if (map[v] >= 0)
            (*to)->values[map[v]].is_output = from->values[v].is_output;
    if (err) {
        lam_graph_destroy(*to);
        *to = NULL;
    }
    return err;
}

// Takes the first rule that holds; *merged: there was one.
static int fuse_once(struct lam_graph **graph, int *values, int n, bool *merged)
{
    struct lam_graph *old = *graph, *made = NULL;
    struct match *m = calloc(1, sizeof(*m));
    int *map = calloc((size_t)old->n_values + 1, sizeof(*map));
    int err =
        m && map ? LAM_OK : lam_fail(old->ctx, LAM_EMEMORY, "out of memory");

    *merged = false;
    for (int i = 0; i < old->n_nodes && !err && !*merged; i++) {
        m->first = i;
        m->second = only_reader(old, i, values, n);
        for (int r = 0; m->second >= 0 && !err && !*merged; r++) {
            bool holds;

            m->rule = lam_registry_fusion_at(old->registry, r);
            if (!m->rule)
                break;
            err = rule_holds(old, m, &holds);
            if (err || !holds)
                continue;
            err = rebuild(old, m, map, &made);
            *merged = !err;
            // What the merged layer refuses stays two layers.
            if (err == LAM_EMODEL || err == LAM_ESHAPE) {
                lam_error_clear(old->ctx);
                err = LAM_OK;
            }
        }
    }
    for (int k = 0; k < n && *merged; k++)
        if (values[k] >= 0)
            values[k] = map[values[k]];
    if (*merged) {
        lam_graph_destroy(old);
        *graph = made;
    }
    free(map);
    free(m);
    return err;
}

int lam_graph_fuse(struct lam_graph **graph, int *values, int n)
{
    bool merged = true;
    int err = LAM_OK;

    while (merged && !err)
        err = fuse_once(graph, values, n, &merged);
    return err;
}
