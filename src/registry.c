#include "registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "elf_file.h"
#include "installed.h"
#include "param.h"
#include "plugin_tables.h"

struct entry {
    const char *name;
    const struct lam_layer_type *layer;         // one of the two
    const struct lam_optimizer_type *optimizer; // is set
    char *origin;
};

struct loaded {
    const struct lam_plugin *plugin;
    char *origin;
};

struct lam_registry {
    struct lam_context *ctx;
    struct loaded *plugins; // in the order of loading
    int n_plugins;
    struct entry *layers, *optimizers; // sorted by name
    int n_layers, n_optimizers;
    const char **layer_names, **optimizer_names; // NULL-ended
    const struct lam_fusion **fusions;           // in the order of loading
    int n_fusions;
    char searched[1024];
};

struct lam_registry *lam_registry_create(struct lam_context *ctx)
{
    struct lam_registry *registry = calloc(1, sizeof(*registry));

    if (!registry) {
        lam_fail(ctx, LAM_EMEMORY, "out of memory");
        return NULL;
    }
    registry->ctx = ctx;
    return registry;
}

static void entries_free(struct entry *entries, int n)
{
    for (int i = 0; i < n; i++)
        free(entries[i].origin);
    free(entries);
}

void lam_registry_destroy(struct lam_registry *registry)
{
    if (!registry)
        return;
    for (int i = 0; i < registry->n_plugins; i++)
        free(registry->plugins[i].origin);
    free(registry->plugins);
    entries_free(registry->layers, registry->n_layers);
    entries_free(registry->optimizers, registry->n_optimizers);
    free(registry->layer_names);
    free(registry->optimizer_names);
    free(registry->fusions);
    free(registry);
}

static const struct entry *entry_find(const struct entry *entries, int n,
                                      const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

static int entry_add(struct lam_context *ctx, struct entry **entries, int *n,
                     const char ***names, struct entry entry,
                     const char *origin)
{
    const size_t count = (size_t)*n;
    struct entry *grown = realloc(*entries, sizeof(*grown) * (count + 1));
    const char **grown_names;
    int at = *n;

    if (!grown)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    *entries = grown;
    grown_names = realloc(*names, sizeof(*grown_names) * (count + 2));
    if (!grown_names)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    *names = grown_names;
    entry.origin = strdup(origin);
    if (!entry.origin)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (; at > 0 && strcmp(grown[at - 1].name, entry.name) > 0; at--)
        grown[at] = grown[at - 1];
    grown[at] = entry;
    ++*n;
    for (int i = 0; i < *n; i++)
        grown_names[i] = grown[i].name;
    grown_names[*n] = NULL;
    return LAM_OK;
}

// A name that is there already; kind is for the sentence.
static int name_check(const struct lam_registry *registry, const char *kind,
                      const struct entry *there, const char *origin)
{
    return !there ? LAM_OK
                  : lam_fail(registry->ctx, LAM_EPLUGIN,
                             "%s: %s '%s' is already there, from %s", origin,
                             kind, there->name, there->origin);
}

static int fusion_add(struct lam_registry *registry,
                      const struct lam_fusion *fusion)
{
    const struct lam_fusion **grown;

    grown = realloc(registry->fusions,
                    sizeof(*grown) * (size_t)(registry->n_fusions + 1));
    if (!grown)
        return lam_fail(registry->ctx, LAM_EMEMORY, "out of memory");
    registry->fusions = grown;
    registry->fusions[registry->n_fusions++] = fusion;
    return LAM_OK;
}

static int plugin_add(struct lam_registry *registry,
                      const struct lam_plugin *plugin, const char *origin)
{
    struct loaded *grown = realloc(
        registry->plugins, sizeof(*grown) * (size_t)(registry->n_plugins + 1));
    char *copy = strdup(origin);

    if (grown)
        registry->plugins = grown;
    if (!grown || !copy) {
        free(copy);
        return lam_fail(registry->ctx, LAM_EMEMORY, "out of memory");
    }
    grown[registry->n_plugins].plugin = plugin;
    grown[registry->n_plugins++].origin = copy;
    return LAM_OK;
}

int lam_registry_add(struct lam_registry *registry,
                     const struct lam_plugin *plugin, const char *origin)
{
    struct lam_context *ctx = registry->ctx;
    int err = lam_plugin_check(ctx, plugin, origin);

    if (err)
        return err; // of another ABI nothing more can be read
    for (int i = 0; plugin->layers && plugin->layers[i] && !err; i++)
        err = name_check(registry, "layer",
                         entry_find(registry->layers, registry->n_layers,
                                    plugin->layers[i]->name),
                         origin);
    for (int i = 0; plugin->optimizers && plugin->optimizers[i] && !err; i++)
        err =
            name_check(registry, "optimiser",
                       entry_find(registry->optimizers, registry->n_optimizers,
                                  plugin->optimizers[i]->name),
                       origin);
    for (int i = 0; plugin->layers && plugin->layers[i] && !err; i++)
        err = entry_add(ctx, &registry->layers, &registry->n_layers,
                        &registry->layer_names,
                        (struct entry){.name = plugin->layers[i]->name,
                                       .layer = plugin->layers[i]},
                        origin);
    for (int i = 0; plugin->optimizers && plugin->optimizers[i] && !err; i++)
        err = entry_add(ctx, &registry->optimizers, &registry->n_optimizers,
                        &registry->optimizer_names,
                        (struct entry){.name = plugin->optimizers[i]->name,
                                       .optimizer = plugin->optimizers[i]},
                        origin);
    for (const struct lam_fusion *f = plugin->fusions; f && f->first && !err;
         f++)
        err = fusion_add(registry, f);
    return err ? err : plugin_add(registry, plugin, origin);
}

int lam_registry_load_file(struct lam_registry *registry, const char *path)
{
    struct lam_context *ctx = registry->ctx;
    const char *problem = lam_elf_problem(path);
    const struct lam_plugin *plugin;
    void *module;

    if (problem)
        return lam_fail(ctx, LAM_EPLUGIN, "cannot load plugin %s: %s", path,
                        problem);
    module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        return lam_fail(ctx, LAM_EPLUGIN, "cannot load plugin %s", dlerror());
    plugin = dlsym(module, "lam_plugin");
    if (!plugin)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: not a lamina plugin: it exports no 'lam_plugin'",
                        path);
    lam_log(ctx, LAM_LOG_DEBUG, "plugin %s", path);
    return lam_registry_add(registry, plugin, path);
}

static int ends_with_so(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);

    return n > 3 && strcmp(entry->d_name + n - 3, ".so") == 0;
}

static void searched_add(struct lam_registry *registry, const char *path)
{
    const size_t used = strlen(registry->searched);

    snprintf(registry->searched + used, sizeof(registry->searched) - used,
             "%s%s", used ? ", " : "", path);
}

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

// Whether a folder before this one had a plugin in a file of this name.
static bool is_shadowed(const struct lam_registry *registry, const char *name,
                        int n_before)
{
    for (int i = 0; i < n_before; i++)
        if (strcmp(base_of(registry->plugins[i].origin), name) == 0)
            return true;
    return false;
}

int lam_registry_load_folder(struct lam_registry *registry, const char *path)
{
    struct lam_context *ctx = registry->ctx;
    struct dirent **entries = NULL;
    const int n_before = registry->n_plugins;
    struct stat info;
    int n, err = LAM_OK;

    searched_add(registry, path);
    if (stat(path, &info) || !S_ISDIR(info.st_mode))
        return lam_fail(ctx, LAM_EPLUGIN, "plugin folder %s is not there",
                        path);
    if (info.st_mode & S_IWOTH)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "plugin folder %s is writable for everyone, so its "
                        "plugins are not loaded: chmod o-w it",
                        path);
    n = scandir(path, &entries, ends_with_so, alphasort);
    if (n < 0)
        return lam_fail(ctx, LAM_EPLUGIN, "plugin folder %s cannot be read",
                        path);
    for (int i = 0; i < n; i++) {
        char file[4096];
        const int length =
            snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);

        if (!err && length >= (int)sizeof(file))
            err = lam_fail(ctx, LAM_EPLUGIN, "plugin folder %s: path too long",
                           path);
        if (!err && !is_shadowed(registry, entries[i]->d_name, n_before))
            err = lam_registry_load_file(registry, file);
        free(entries[i]);
    }
    free(entries);
    return err;
}

int lam_registry_load_default(struct lam_registry *registry)
{
    char folder[4096];
    int err = LAM_OK;

    for (int i = 0;
         !err && lam_installed_plugin_folder(i, folder, sizeof(folder)); i++)
        err = lam_registry_load_folder(registry, folder);
    return err;
}

const struct lam_layer_type *
lam_registry_layer(const struct lam_registry *registry, const char *name)
{
    const struct entry *entry =
        entry_find(registry->layers, registry->n_layers, name);

    return entry ? entry->layer : NULL;
}

const struct lam_optimizer_type *
lam_registry_optimizer(const struct lam_registry *registry, const char *name)
{
    const struct entry *entry =
        entry_find(registry->optimizers, registry->n_optimizers, name);

    return entry ? entry->optimizer : NULL;
}

const struct lam_plugin *
lam_registry_plugin_at(const struct lam_registry *registry, int i,
                       const char **origin)
{
    if (i < 0 || i >= registry->n_plugins)
        return NULL;
    if (origin)
        *origin = registry->plugins[i].origin;
    return registry->plugins[i].plugin;
}

const struct lam_layer_type *
lam_registry_layer_at(const struct lam_registry *registry, int i)
{
    return i >= 0 && i < registry->n_layers ? registry->layers[i].layer : NULL;
}

const struct lam_optimizer_type *
lam_registry_optimizer_at(const struct lam_registry *registry, int i)
{
    return i >= 0 && i < registry->n_optimizers
               ? registry->optimizers[i].optimizer
               : NULL;
}

const struct lam_fusion *
lam_registry_fusion_at(const struct lam_registry *registry, int i)
{
    return i >= 0 && i < registry->n_fusions ? registry->fusions[i] : NULL;
}

static const char *const no_names[] = {NULL};

const char *const *lam_registry_layer_names(const struct lam_registry *registry)
{
    return registry->layer_names ? registry->layer_names : no_names;
}

const char *const *
lam_registry_optimizer_names(const struct lam_registry *registry)
{
    return registry->optimizer_names ? registry->optimizer_names : no_names;
}

const char *lam_registry_origin(const struct lam_registry *registry,
                                const char *name)
{
    const struct entry *entry =
        entry_find(registry->layers, registry->n_layers, name);

    if (!entry)
        entry = entry_find(registry->optimizers, registry->n_optimizers, name);
    return entry ? entry->origin : NULL;
}

const char *lam_registry_searched(const struct lam_registry *registry)
{
    return registry->searched;
}
