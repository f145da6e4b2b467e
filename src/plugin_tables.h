// plugin_tables.h - whether what a plugin exports can be worked with at all.
#ifndef LAM_PLUGIN_TABLES_H
#define LAM_PLUGIN_TABLES_H

#include "status.h"

// ABI, sizes, what each layer, optimiser and rule must have. LAM_EPLUGIN with
// the reason; origin names the file in it.
int lam_plugin_check(struct lam_context *ctx, const struct lam_plugin *plugin,
                     const char *origin);

#endif
