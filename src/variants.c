#include "variants.h"

#include <stdlib.h>
#include <string.h>

#include "param.h"
#include "tuning.h"

// The part of "conv2d=direct,up1.conv:run=plain" that speaks of this layer and
// pass: by its name before its type, by the pass before all of them. Copies the
// variant's name; false if there is none.
static bool is_asked(const char *text, const struct lam_node *node, int pass,
                     char *name, size_t size)
{
    const char *const keys[] = {node->name, node->layer.type->name};

    for (int k = 0; k < 4 && text; k++)
        for (const char *at = text; *at;) {
            const char *wanted = keys[k / 2];
            const size_t length = strcspn(at, ","), n = strlen(wanted);
            const size_t key = strcspn(at, "=,");
            const size_t colon = n < key ? n : key;
            const bool is_key =
                strncmp(at, wanted, n) == 0 &&
                (k % 2 ? key == n
                       : at[colon] == ':' &&
                             key - n - 1 == strlen(lam_pass_names[pass]) &&
                             strncmp(at + n + 1, lam_pass_names[pass],
                                     key - n - 1) == 0);

            if (is_key && key < length && length - key - 1 < size) {
                memcpy(name, at + key + 1, length - key - 1);
                name[length - key - 1] = '\0';
                return true;
            }
            at += length + (at[length] == ',');
        }
    return false;
}

static int check_name(const struct lam_graph *graph,
                      const struct lam_node *node, const char *name)
{
    const char *names[32] = {"plain"};
    const char *near;
    int n = 1;

    for (const struct lam_variant *v = node->layer.type->variants; v && v->name;
         v++) {
        if (strcmp(v->name, name) == 0)
            return LAM_OK;
        if (n < 31)
            names[n++] = v->name;
    }
    if (strcmp(name, "plain") == 0)
        return LAM_OK;
    near = lam_nearest(name, names);
    return lam_fail(
        graph->ctx, LAM_EUSAGE, "variants: %s (%s) has no variant '%s'%s%s%s",
        node->name, node->layer.type->name, name,
        near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
}

int lam_variants_take(const struct lam_graph *graph, int i, const char *asked,
                      const struct lam_tuning *tuning,
                      struct lam_taken taken[LAM_N_PASSES])
{
    const struct lam_node *node = &graph->nodes[i];

    for (int pass = 0; pass < LAM_N_PASSES; pass++) {
        const struct lam_tuned *tuned = lam_tuning_find(tuning, graph, i, pass);
        struct lam_taken *t = &taken[pass];
        char name[64] = "";

        *t = (struct lam_taken){.score = 1};
        if (is_asked(asked, node, pass, name, sizeof(name))) {
            const int err = check_name(graph, node, name);

            if (err)
                return err;
            t->why = LAM_BY_REQUEST;
        } else if (tuned && strlen(tuned->taken) < sizeof(name)) {
            strcpy(name, tuned->taken);
            t->why = LAM_BY_TUNING;
            t->ms = tuned->ms;
            t->others = tuned->others;
        }
        if (strcmp(name, "plain") == 0)
            continue;
        for (const struct lam_variant *v = node->layer.type->variants;
             v && v->name; v++) {
            int score =
                v->pass == pass ? v->score(&node->layer, &node->shapes) : 0;

            if (score > 0 && strcmp(name, v->name) == 0)
                score = 1 << 20;
            if (score > t->score) {
                t->score = score;
                t->variant = v;
            }
        }
        if (name[0] && (!t->variant || strcmp(t->variant->name, name) != 0)) {
            t->why = LAM_BY_SCORE;
            t->ms = t->others = NULL;
        }
    }
    return LAM_OK;
}
