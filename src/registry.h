// registry.h - finds plugins, refuses the bad ones with a reason, and gives
// layers and optimisers by name. Modules are never closed before exit.
#ifndef LAM_REGISTRY_H
#define LAM_REGISTRY_H

#include "status.h"

struct lam_registry;

struct lam_registry *lam_registry_create(struct lam_context *ctx); // or NULL
void lam_registry_destroy(struct lam_registry *registry);

// Loads each *.so of the folder, by name, but for those that a folder loaded
// before has too: an author's build goes before the installed one. Any bad one
// is LAM_EPLUGIN.
int lam_registry_load_folder(struct lam_registry *registry, const char *path);
int lam_registry_load_file(struct lam_registry *registry, const char *path);
// LAM_PLUGIN_PATH, folders separated by ':'; an empty one, as in "mine:", is
// the installed folder. Without it the installed folder alone.
int lam_registry_load_default(struct lam_registry *registry);

// Adds what a plugin brings (also a test's own); origin is for messages.
int lam_registry_add(struct lam_registry *registry,
                     const struct lam_plugin *plugin, const char *origin);

// NULL if there is none.
const struct lam_layer_type *
lam_registry_layer(const struct lam_registry *registry, const char *name);
const struct lam_optimizer_type *
lam_registry_optimizer(const struct lam_registry *registry, const char *name);

// In the order of loading; NULL past the end. origin: its file, or NULL.
const struct lam_plugin *
lam_registry_plugin_at(const struct lam_registry *registry, int i,
                       const char **origin);
// Sorted by name; NULL past the end.
const struct lam_layer_type *
lam_registry_layer_at(const struct lam_registry *registry, int i);
const struct lam_optimizer_type *
lam_registry_optimizer_at(const struct lam_registry *registry, int i);
// Rules to merge layers, in the order of loading; NULL past the end.
const struct lam_fusion *
lam_registry_fusion_at(const struct lam_registry *registry, int i);
// NULL-ended names, for lam_nearest. Owned by the registry.
const char *const *
lam_registry_layer_names(const struct lam_registry *registry);
const char *const *
lam_registry_optimizer_names(const struct lam_registry *registry);
// The file that brought the layer or optimiser of this name.
const char *lam_registry_origin(const struct lam_registry *registry,
                                const char *name);
// The folders searched, separated by ", ".
const char *lam_registry_searched(const struct lam_registry *registry);

#endif
