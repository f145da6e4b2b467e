#include "plugin_tables.h"

#include "param.h"

static int params_check(struct lam_context *ctx, const char *origin,
                        const char *owner, const struct lam_param *params,
                        size_t config_size)
{
    for (const struct lam_param *p = params; p && p->name; p++) {
        if (p->kind < LAM_PARAM_INT || p->kind > LAM_PARAM_TEXT)
            return lam_fail(ctx, LAM_EPLUGIN,
                            "%s: %s: parameter '%s' is of unknown kind %d",
                            origin, owner, p->name, p->kind);
        if (p->offset > config_size ||
            lam_param_bytes(p) > config_size - p->offset)
            return lam_fail(ctx, LAM_EPLUGIN,
                            "%s: %s: parameter '%s' lies outside the config "
                            "struct of %zu bytes",
                            origin, owner, p->name, config_size);
        if (p->kind == LAM_PARAM_CHOICE && !p->choices)
            return lam_fail(ctx, LAM_EPLUGIN,
                            "%s: %s: parameter '%s' has no choices", origin,
                            owner, p->name);
    }
    return LAM_OK;
}

static int layer_check(struct lam_context *ctx,
                       const struct lam_layer_type *type, const char *origin)
{
    if (!type->name || !type->name[0])
        return lam_fail(ctx, LAM_EPLUGIN, "%s: a layer has no name", origin);
    if (!type->shape || !type->run)
        return lam_fail(ctx, LAM_EPLUGIN, "%s: layer '%s' has no '%s'", origin,
                        type->name, type->shape ? "run" : "shape");
    if (type->min_in < 1 || type->max_in < type->min_in ||
        type->max_in > LAM_MAX_IN)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: layer '%s' takes %d to %d inputs, but 1 to %d "
                        "are possible",
                        origin, type->name, type->min_in, type->max_in,
                        LAM_MAX_IN);
    return params_check(ctx, origin, type->name, type->params,
                        type->config_size);
}

static int optimizer_check(struct lam_context *ctx,
                           const struct lam_optimizer_type *type,
                           const char *origin)
{
    int n_slots = 0;

    if (!type->name || !type->name[0])
        return lam_fail(ctx, LAM_EPLUGIN, "%s: an optimiser has no name",
                        origin);
    if (!type->step)
        return lam_fail(ctx, LAM_EPLUGIN, "%s: optimiser '%s' has no 'step'",
                        origin, type->name);
    while (type->slots && type->slots[n_slots])
        n_slots++;
    if (n_slots > LAM_MAX_SLOT)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: optimiser '%s' wants %d slots, at most %d are "
                        "possible",
                        origin, type->name, n_slots, LAM_MAX_SLOT);
    return params_check(ctx, origin, type->name, type->params,
                        type->config_size);
}

static int fusion_check(struct lam_context *ctx,
                        const struct lam_fusion *fusion, const char *origin)
{
    if (!fusion->second || !fusion->into || (fusion->kept & ~1) ||
        (fusion->weights && fusion->in_training))
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: its rule to merge '%s' is not complete", origin,
                        fusion->first);
    return LAM_OK;
}

int lam_plugin_check(struct lam_context *ctx, const struct lam_plugin *plugin,
                     const char *origin)
{
    int err = LAM_OK;

    if (plugin->abi_version != LAM_ABI_VERSION)
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: made for plugin ABI %u, this is ABI %u: build it "
                        "again with this version's header",
                        origin, plugin->abi_version, LAM_ABI_VERSION);
    if (plugin->size != sizeof(*plugin))
        return lam_fail(ctx, LAM_EPLUGIN,
                        "%s: its plugin struct has %u bytes, wanted %zu",
                        origin, plugin->size, sizeof(*plugin));
    if (!plugin->name || !plugin->version)
        return lam_fail(ctx, LAM_EPLUGIN, "%s: plugin without a %s", origin,
                        plugin->name ? "version" : "name");
    for (int i = 0; plugin->layers && plugin->layers[i] && !err; i++)
        err = layer_check(ctx, plugin->layers[i], origin);
    for (int i = 0; plugin->optimizers && plugin->optimizers[i] && !err; i++)
        err = optimizer_check(ctx, plugin->optimizers[i], origin);
    for (const struct lam_fusion *f = plugin->fusions; f && f->first && !err;
         f++)
        err = fusion_check(ctx, f, origin);
    return err;
}
