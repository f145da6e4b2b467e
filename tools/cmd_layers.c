// lamina layers - lists layers, losses and optimisers, and explains one.
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "json.h"
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

static const char *pass_name(int pass)
{
    return pass == LAM_PASS_RUN             ? "run"
           : pass == LAM_PASS_BACKWARD_DATA ? "backward data"
                                            : "backward weight";
}

static void params_json(struct lam_json *j, const struct lam_param *table)
{
    lam_json_list(j, "parameters");
    for (const struct lam_param *p = table; p && p->name; p++) {
        lam_json_object(j, NULL);
        lam_json_text(j, "name", p->name);
        lam_json_text(j, "type", kind_name(p->kind));
        lam_json_text(j, "default", p->def);
        if (p->min != p->max) {
            lam_json_real(j, "min", p->min);
            lam_json_real(j, "max", p->max);
        }
        if (p->choices)
            lam_json_list(j, "choices");
        for (int i = 0; p->choices && p->choices[i]; i++)
            lam_json_text(j, NULL, p->choices[i]);
        if (p->choices)
            lam_json_close(j);
        lam_json_text(j, "doc", p->doc);
        lam_json_bool(j, "may_be_scheduled", p->scheduled);
        lam_json_close(j);
    }
    lam_json_close(j);
}

static void layer_json(struct lam_json *j, const struct lam_registry *registry,
                       const struct lam_layer_type *layer)
{
    lam_json_object(j, NULL);
    lam_json_text(j, "name", layer->name);
    lam_json_text(j, "kind", layer->kind == LAM_KIND_LOSS ? "loss" : "layer");
    lam_json_text(j, "summary", layer->summary);
    lam_json_text(j, "plugin", lam_registry_origin(registry, layer->name));
    lam_json_int(j, "min_inputs", layer->min_in);
    lam_json_int(j, "max_inputs", layer->max_in);
    params_json(j, layer->params);
    lam_json_list(j, "variants");
    for (const struct lam_variant *v = layer->variants; v && v->name; v++) {
        lam_json_object(j, NULL);
        lam_json_text(j, "name", v->name);
        lam_json_text(j, "pass", pass_name(v->pass));
        lam_json_text(j, "summary", v->summary);
        lam_json_close(j);
    }
    lam_json_close(j);
    lam_json_close(j);
}

// All, or those of the name.
static void print_json(const struct lam_registry *registry, const char *name)
{
    const struct lam_layer_type *layer;
    const struct lam_optimizer_type *optimizer;
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_list(&j, "layers");
    for (int i = 0; (layer = lam_registry_layer_at(registry, i)); i++)
        if (!name || strcmp(name, layer->name) == 0)
            layer_json(&j, registry, layer);
    for (int i = 0; (optimizer = lam_registry_optimizer_at(registry, i)); i++) {
        if (name && strcmp(name, optimizer->name) != 0)
            continue;
        lam_json_object(&j, NULL);
        lam_json_text(&j, "name", optimizer->name);
        lam_json_text(&j, "kind", "optimiser");
        lam_json_text(&j, "summary", optimizer->summary);
        lam_json_text(&j, "plugin",
                      lam_registry_origin(registry, optimizer->name));
        params_json(&j, optimizer->params);
        lam_json_close(&j);
    }
    lam_json_end(&j);
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
                     const struct lam_registry *registry, const char *name,
                     bool is_json)
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
    if (is_json) {
        print_json(registry, name);
        return LAM_OK;
    }
    if (layer) {
        printf("%s: %s\n", layer->name, layer->summary ? layer->summary : "");
        printf("  from %s, %d to %d inputs\n",
               lam_registry_origin(registry, name), layer->min_in,
               layer->max_in);
        print_params(layer->params);
        for (const struct lam_variant *v = layer->variants; v && v->name; v++)
            printf("  variant %s (%s): %s\n", v->name, pass_name(v->pass),
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
        "lamina layers [NAME] [--markdown|--json]\n"
        "Lists what the plugins bring; with a NAME, its parameters. Needs no "
        "device.\n";
    int markdown = 0, is_json = 0;
    const struct option_row rows[] = {
        {"--markdown", NULL, "as README's table", &markdown, NULL, NULL, NULL},
        {"--json", NULL, "for programs", &is_json, NULL, NULL, NULL},
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
        err = print_one(ctx, registry, name[0], is_json);
    else if (!err && is_json)
        print_json(registry, NULL);
    else if (!err && markdown)
        print_markdown(registry);
    else if (!err)
        print_list(registry);
    lam_registry_destroy(registry);
    return err;
}
