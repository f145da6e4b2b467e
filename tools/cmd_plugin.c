// lamina plugin - for authors of plugins: new, check, list.
#include "cmd_plugin.h"

#include <stdio.h>
#include <string.h>

#include "cmd.h"

void plugin_print(const struct lam_plugin *plugin)
{
    for (int i = 0; plugin->layers && plugin->layers[i]; i++)
        printf(" %s", plugin->layers[i]->name);
    for (int i = 0; plugin->optimizers && plugin->optimizers[i]; i++)
        printf(" %s", plugin->optimizers[i]->name);
    printf("\n");
}

static int list(struct lam_context *ctx)
{
    struct lam_registry *registry = lam_registry_create(ctx);
    const struct lam_plugin *plugin;
    const char *origin;
    int err;

    if (!registry)
        return ctx->code;
    err = lam_registry_load_default(registry);
    for (int i = 0;
         !err && (plugin = lam_registry_plugin_at(registry, i, &origin)); i++) {
        printf("%s %s %s:", origin, plugin->name, plugin->version);
        plugin_print(plugin);
    }
    lam_registry_destroy(registry);
    return err;
}

int cmd_plugin(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina plugin new NAME [--out DIR]\n"
        "       lamina plugin check FILE.so [--device D] [--verbose]\n"
        "       lamina plugin list\n"
        "new makes a folder with a layer that builds and passes its tests. "
        "check proves a\nplugin: what it exports and needs, its parameters, "
        "its samples against its\nreference, gradients, memory. list names the "
        "plugins that are found.\n\n"
        "  lamina plugin new swish && cd swish\n"
        "  meson setup build && meson test -C build\n";
    const char *out = NULL, *device = NULL;
    int is_verbose = 0, no_device = 0, is_json = 0;
    const struct option_row rows[] = {
        {"--out", "DIR", "where to make the folder (NAME)", NULL, &out, NULL,
         NULL},
        {"--device", "D", "gpu, cpu, a number or part of a name", NULL, &device,
         NULL, NULL},
        {"--no-device", NULL, "check only what needs no device", &no_device,
         NULL, NULL, NULL},
        {"--verbose", NULL, "name every check (-v)", &is_verbose, NULL, NULL,
         NULL},
        {"--json", NULL, "check: for programs", &is_json, NULL, NULL, NULL},
        {0}};
    const char *rest[2];
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, rest, 2, &n, &done);

    if (err || done)
        return err;
    if (n == 2 && strcmp(rest[0], "new") == 0)
        return plugin_new(ctx, rest[1], out);
    if (n == 2 && strcmp(rest[0], "check") == 0)
        return plugin_check(ctx, rest[1], device, no_device, is_verbose,
                            is_json);
    if (n == 1 && strcmp(rest[0], "list") == 0)
        return list(ctx);
    return lam_fail(ctx, LAM_EUSAGE,
                    "wanted new NAME, check FILE.so or list; lamina plugin -h "
                    "explains");
}
