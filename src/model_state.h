// model_state.h - inside of a model file: for model.c, model_expand.c,
// model_build.c.
#ifndef LAM_MODEL_STATE_H
#define LAM_MODEL_STATE_H

#include "model.h"
#include "yaml_tree.h"

// One layer after blocks are expanded.
struct lam_model_row {
    char *name, *type;
    char *from[LAM_MAX_IN]; // names of values, aliases resolved
    int n_from;
    struct lam_yaml *settings; // a map
    bool is_frozen;
    int line, column;
    uint64_t hash; // of the name: thousands are compared with all others
};

// The name of a block's use stands for its last layer.
struct lam_model_alias {
    char *name, *target;
    uint64_t hash; // of the name
};

struct lam_model {
    struct lam_context *ctx;
    char *file;
    struct lam_yaml *tree;
    struct lam_model_row *rows;
    int n_rows;
    struct lam_model_alias *aliases;
    int n_aliases;
    void **owned; // settings given out by lam_model_row
    int n_owned;
};

int lam_model_fail(const struct lam_model *model, const struct lam_yaml *at,
                   const char *format, ...) LAM_PRINTF(3, 4);
#ifdef __clang_analyzer__ // as for lam_fail
#define lam_model_fail(model, at, ...)                                         \
    (lam_model_fail(model, at, __VA_ARGS__), LAM_EMODEL)
#endif
// Applies one override: before blocks are expanded (sections, blocks, layers),
// and again after, for layers inside blocks.
int lam_model_set(struct lam_model *model, const char *set, bool is_late);
// Fills rows and aliases from layers and blocks.
int lam_model_expand(struct lam_model *model);
// The value a name stands for, aliases resolved, into text; false: unknown.
bool lam_model_resolve(const struct lam_model *model, const char *prefix,
                       const char *name, char *text, size_t size);
// Settings of a map but for keys in skip; -1 after a failure was recorded. The
// array belongs to the model.
int lam_model_settings(struct lam_model *model, const struct lam_yaml *map,
                       const char *const *skip,
                       const struct lam_setting **settings);

#endif
