// Plugins: each bad one is refused with a reason, and the registry goes on.
#include "registry.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../check.h"

static struct lam_context ctx;

static int nothing_shape(const struct lam_layer *layer,
                         struct lam_shapes *shapes)
{
    (void)layer;
    shapes->n_out = 1;
    shapes->out[0] = shapes->in[0];
    return LAM_OK;
}

static int nothing_run(struct lam_layer *layer, const struct lam_io *io)
{
    (void)layer;
    (void)io;
    return LAM_OK;
}

static const struct lam_layer_type good = {.name = "good",
                                           .min_in = 1,
                                           .max_in = 1,
                                           .shape = nothing_shape,
                                           .run = nothing_run};

static void refuse(struct lam_registry *registry,
                   const struct lam_plugin *plugin, const char *reason)
{
    CHECK_INT(lam_registry_add(registry, plugin, "test"), LAM_EPLUGIN);
    CHECK_HAS(ctx.error, reason);
    lam_error_clear(&ctx);
}

static void check_plugins(struct lam_registry *registry)
{
    static const struct lam_param params[] = {
        {.name = "late", .kind = LAM_PARAM_REAL, .offset = 8, .def = "0"}, {0}};
    const char *origin = "";
    struct lam_layer_type type = good;
    const struct lam_layer_type *types[] = {&type, NULL};
    struct lam_plugin plugin = {.abi_version = LAM_ABI_VERSION,
                                .size = sizeof(plugin),
                                .name = "test",
                                .version = "1",
                                .layers = types};

    CHECK_INT(lam_registry_add(registry, &plugin, "first"), LAM_OK);
    CHECK(lam_registry_layer(registry, "good") == &type);
    refuse(registry, &plugin, "'good' is already there, from first");
    plugin.abi_version = 99;
    refuse(registry, &plugin, "made for plugin ABI 99");
    plugin.abi_version = LAM_ABI_VERSION;
    plugin.size = 8;
    refuse(registry, &plugin, "has 8 bytes, wanted");
    plugin.size = sizeof(plugin);
    plugin.version = NULL;
    refuse(registry, &plugin, "plugin without a version");
    plugin.version = "1";
    type.name = "other";
    type.run = NULL;
    refuse(registry, &plugin, "layer 'other' has no 'run'");
    type.run = nothing_run;
    type.max_in = 99;
    refuse(registry, &plugin, "takes 1 to 99 inputs");
    type.max_in = 1;
    type.params = params;
    type.config_size = 12; // the number begins at 8 and ends at 16
    refuse(registry, &plugin, "'late' lies outside the config struct of 12");
    type.config_size = 16;
    CHECK_INT(lam_registry_add(registry, &plugin, "second"), LAM_OK);
    CHECK(lam_registry_plugin_at(registry, 1, &origin) == &plugin);
    CHECK_STR(origin, "second");
    CHECK(lam_registry_plugin_at(registry, 2, NULL) == NULL);
}

static void check_files(struct lam_registry *registry)
{
    char folder[] = "/tmp/lamina-XXXXXX", file[64];
    FILE *out;

    CHECK(mkdtemp(folder) != NULL);
    snprintf(file, sizeof(file), "%s/x.so", folder);
    CHECK_INT(lam_registry_load_file(registry, file), LAM_EPLUGIN);
    CHECK_HAS(ctx.error, "cannot load plugin");
    lam_error_clear(&ctx);
    out = fopen(file, "w");
    CHECK(out != NULL);
    if (out) {
        fputs("not a module", out);
        fclose(out);
    }
    CHECK_INT(lam_registry_load_folder(registry, folder), LAM_EPLUGIN);
    lam_error_clear(&ctx);
    chmod(folder, 0777);
    CHECK_INT(lam_registry_load_folder(registry, folder), LAM_EPLUGIN);
    CHECK_HAS(ctx.error, "writable for everyone");
    lam_error_clear(&ctx);
    CHECK_INT(lam_registry_load_file(registry, "libm.so.6"), LAM_EPLUGIN);
    CHECK_HAS(ctx.error, "exports no 'lam_plugin'");
    lam_error_clear(&ctx);
    CHECK_INT(lam_registry_load_folder(registry, "/nowhere"), LAM_EPLUGIN);
    lam_error_clear(&ctx);
    unlink(file);
    rmdir(folder);
    CHECK(lam_registry_layer(registry, "good") != NULL);
}

int main(void)
{
    struct lam_registry *registry = lam_registry_create(&ctx);

    check_plugins(registry);
    check_files(registry);
    lam_registry_destroy(registry);
    return check_done();
}
