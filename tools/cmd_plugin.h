// cmd_plugin.h - what `lamina plugin` is made of.
#ifndef LAM_CMD_PLUGIN_H
#define LAM_CMD_PLUGIN_H

#include "registry.h"

// Makes the folder `out` (NULL: name), which must not be there yet, from
// template/. name: lower case letters, digits and _, a C identifier.
int plugin_new(struct lam_context *ctx, const char *name, const char *out);

// Prints the names of all that it brings, a blank before each, and a newline.
void plugin_print(const struct lam_plugin *plugin);

// Prints one line a failure (a check, if verbose), hints, and the closing line
// "N passed, N failed, N skipped", or JSON. Runs the plugin in a child process,
// so that a crash is one more failure. LAM_EPLUGIN if anything failed.
int plugin_check(struct lam_context *ctx, const char *path, const char *device,
                 bool no_device, bool is_verbose, bool is_json);

#endif
