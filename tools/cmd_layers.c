// lamina layers - lists layers, losses and optimisers, and explains one.
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "param.h"

static const char *kind_name(int kind)
{
    static const char *const names[] = {"int",  "real", "bool",  "choice",
                                        "pair", "list", "reals", "text"};

    return names[kind];
}

static void print_params(const struct lam_param *table)
{
    for (const struct lam_param *p = table; p && p->name; p++) {
        printf("  %-16s %-6s ", p->name, kind_name(p->kind));
        printf("default %-10s ",
               p->def ? p->def[0] ? p->def : "none" : "required");
        if (p->min != p->max)
            printf("%.10g to %.10g  ", p->min, p->max);
        for (int i = 0; p->choices && p->choices[i]; i++)
            printf("%s%s", i ? "|" : "", p->choices[i]);
        printf("%s%s%s\n", p->choices ? "  " : "", p->doc ? p->doc : "",
               p->scheduled ? " (may be scheduled)" : "");
    }
}

static void print_markdown(const struct lam_registry *registry)
{
    const struct lam_layer_type *layer;
    const struct lam_optimizer_type *optimizer;

    printf("| name | kind | what it does | parameters |\n"
           "| --- | --- | --- | --- |\n");
    for (int i = 0; (layer = lam_registry_layer_at(registry, i)); i++) {
        printf("| `%s` | %s | %s |", layer->name,
               layer->kind == LAM_KIND_LOSS ? "loss" : "layer",
               layer->summary ? layer->summary : "");
        for (const struct lam_param *p = layer->params; p && p->name; p++)
            printf(" `%s`", p->name);
        printf(" |\n");
    }
    for (int i = 0; (optimizer = lam_registry_optimizer_at(registry, i)); i++) {
        printf("| `%s` | optimiser | %s |", optimizer->name,
               optimizer->summary ? optimizer->summary : "");
        for (const struct lam_param *p = optimizer->params; p && p->name; p++)
            printf(" `%s`", p->name);
        printf(" |\n");
    }
}

static void print_list(const struct lam_registry *registry)
{
    const struct lam_layer_type *layer;
    const struct lam_optimizer_type *optimizer;

    for (int i = 0; (layer = lam_registry_layer_at(registry, i)); i++)
        printf("%-9s %-18s %s\n",
               layer->kind == LAM_KIND_LOSS ? "loss" : "layer", layer->name,
               layer->summary ? layer->summary : "");
    for (int i = 0; (optimizer = lam_registry_optimizer_at(registry, i)); i++)
        printf("optimiser %-18s %s\n", optimizer->name,
               optimizer->summary ? optimizer->summary : "");
}

static int print_one(struct lam_context *ctx,
                     const struct lam_registry *registry, const char *name)
{
    const struct lam_layer_type *layer = lam_registry_layer(registry, name);
    const struct lam_optimizer_type *optimizer =
        lam_registry_optimizer(registry, name);

    if (!layer && !optimizer) {
        const char *near =
            lam_nearest(name, lam_registry_layer_names(registry));

        if (!near)
            near = lam_nearest(name, lam_registry_optimizer_names(registry));
        return lam_fail(ctx, LAM_EUSAGE,
                        "no layer, loss or optimiser '%s'%s%s%s", name,
                        near ? " (did you mean '" : "", near ? near : "",
                        near ? "'?)" : "");
    }
    if (layer) {
        printf("%s: %s\n", layer->name, layer->summary ? layer->summary : "");
        printf("  from %s, %d to %d inputs\n",
               lam_registry_origin(registry, name), layer->min_in,
               layer->max_in);
        print_params(layer->params);
        for (const struct lam_variant *v = layer->variants; v && v->name; v++)
            printf("  variant %s (%s): %s\n", v->name,
                   v->pass == LAM_PASS_RUN             ? "run"
                   : v->pass == LAM_PASS_BACKWARD_DATA ? "backward data"
                                                       : "backward weight",
                   v->summary ? v->summary : "");
    }
    if (optimizer) {
        printf("%s: %s\n  from %s\n", optimizer->name,
               optimizer->summary ? optimizer->summary : "",
               lam_registry_origin(registry, name));
        print_params(optimizer->params);
    }
    return LAM_OK;
}

int cmd_layers(struct lam_context *ctx, int argc, char **argv)
{
    static const char usage[] =
        "lamina layers [NAME] [--markdown]\n"
        "Lists what the plugins bring; with a NAME, its parameters. Needs no "
        "device.\n";
    int markdown = 0;
    const struct option_row rows[] = {
        {"--markdown", NULL, "as README's table", &markdown, NULL, NULL, NULL},
        {0}};
    const char *name[1];
    struct lam_registry *registry;
    bool done;
    int n,
        err = options_parse(ctx, argc, argv, usage, rows, name, 1, &n, &done);

    if (err || done)
        return err;
    registry = lam_registry_create(ctx);
    if (!registry)
        return ctx->code;
    err = lam_registry_load_default(registry);
    if (!err && n)
        err = print_one(ctx, registry, name[0]);
    else if (!err && markdown)
        print_markdown(registry);
    else if (!err)
        print_list(registry);
    lam_registry_destroy(registry);
    return err;
}
