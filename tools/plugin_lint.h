// plugin_lint.h - what can be said about a plugin's tables without a device.
#ifndef LAM_PLUGIN_LINT_H
#define LAM_PLUGIN_LINT_H

#include "status.h"

// Calls report once a layer and optimiser for each kind of check, with "" or
// the first problem: names, summary, parameters (place in the config struct,
// default in range, doc), reference, samples.
void plugin_lint(struct lam_context *ctx, const struct lam_plugin *plugin,
                 void (*report)(const char *name, const char *problem));
// Prints what the samples of a layer leave untried, to stdout.
void plugin_hints(const struct lam_layer_type *type);

#endif
