// param.h - from a plugin's parameter table and the user's text to a config
// struct, with messages that name the place, what was found and what was
// wanted.
#ifndef LAM_PARAM_H
#define LAM_PARAM_H

#include "status.h"

// One `key: value` of the user's. Lists are joined by blanks: "2 2".
struct lam_setting {
    const char *key, *value;
    const char *file; // NULL: not from a file (line and column are ignored)
    int line, column; // from 1
};

// Fills config (config_size bytes, zeroed first) from the table's defaults,
// then the settings. owner names the layer in messages: "conv1". LAM_EMODEL
// with "file:line:col: conv1: unknown parameter 'filter' (did you mean
// 'filters'?)".
int lam_params_fill(struct lam_context *ctx, const char *owner,
                    const struct lam_param *table, void *config,
                    size_t config_size, const struct lam_setting *settings,
                    int n_settings);

// How many bytes of the config struct a parameter takes.
size_t lam_param_bytes(const struct lam_param *param);

// Sets one parameter. LAM_EMODEL as above.
int lam_param_set(struct lam_context *ctx, const char *owner,
                  const struct lam_param *param, void *config,
                  const char *value);

// Splits "a=1 b=2,3" in place-independent copies; commas become blanks. At most
// max settings, text is modified and must outlive them. -1: not of that form.
int lam_settings_split(char *text, struct lam_setting *settings, int max);

// The candidate nearest to name by edit distance (at most a third of its length
// wrong, at least 1), or NULL. candidates is NULL-ended.
const char *lam_nearest(const char *name, const char *const *candidates);

// Strict numbers: the whole text, no blanks, no octal, no underscore, finite.
bool lam_parse_int(const char *text, int64_t *value);
bool lam_parse_real(const char *text, double *value);

#endif
