#include "plugin_lint.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "param.h"

typedef void report_function(const char *name, const char *problem);

static bool is_name(const char *name)
{
    return islower((unsigned char)name[0]) &&
           name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

// Keys of a layer in a model file that are not the layer's.
static bool is_taken(const char *name)
{
    static const char *const taken[] = {"name", "type",   "block",
                                        "from", "frozen", "factor"};

    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
        if (strcmp(name, taken[i]) == 0)
            return true;
    return false;
}

static void lint_param(struct lam_context *ctx, const struct lam_param *table,
                       const struct lam_param *p, size_t config_size,
                       char *problem, size_t size)
{
    void *config = calloc(1, config_size);

    if (!is_name(p->name) || is_taken(p->name))
        snprintf(
            problem, size,
            "'%s' cannot be a parameter: wanted lower case letters, digits "
            "and _, and no key of the model file's own",
            p->name);
    else if (p->min > p->max)
        snprintf(problem, size, "'%s' has a range from %g to %g", p->name,
                 p->min, p->max);
    else if (!p->doc || !p->doc[0])
        snprintf(problem, size, "'%s' has no doc line", p->name);
    else if (config && p->def && p->def[0] &&
             lam_param_set(ctx, "its default", p, config, p->def))
        snprintf(problem, size, "%s", ctx->error);
    for (const struct lam_param *q = table; q < p && !problem[0]; q++)
        if (strcmp(q->name, p->name) == 0)
            snprintf(problem, size, "'%s' is there twice", p->name);
        else if (q->offset < p->offset + lam_param_bytes(p) &&
                 p->offset < q->offset + lam_param_bytes(q))
            snprintf(problem, size, "'%s' and '%s' share bytes of the config",
                     q->name, p->name);
    lam_error_clear(ctx);
    free(config);
}

static void lint_table(struct lam_context *ctx, const char *owner,
                       const char *summary, const struct lam_param *table,
                       size_t config_size, report_function *report)
{
    char name[300], problem[700] = "";

    snprintf(name, sizeof(name), "%s: name, summary, parameters", owner);
    if (!is_name(owner))
        snprintf(problem, sizeof(problem),
                 "wanted lower case letters, digits and _ as its name");
    else if (!summary || !summary[0])
        snprintf(problem, sizeof(problem), "no summary");
    for (const struct lam_param *p = table; p && p->name && !problem[0]; p++)
        lint_param(ctx, table, p, config_size, problem, sizeof(problem));
    report(name, problem);
}

static void lint_proof(const struct lam_layer_type *type,
                       report_function *report)
{
    char name[300];
    int n_good = 0, n_gradients = 0;
    const char *problem = "";

    for (const struct lam_sample *s = type->samples; s && s->params; s++) {
        n_good += !s->error;
        n_gradients +=
            !s->error && !(s->flags & (LAM_SAMPLE_NO_GRAD | LAM_SAMPLE_EVAL));
        if (!s->error && !s->why &&
            (s->atol > 0 || s->rtol > 0 || s->flags & LAM_SAMPLE_NO_GRAD))
            problem = "a sample with a tolerance of its own, or without a "
                      "gradient, does not say why";
    }
    if (!type->reference)
        problem = "no reference to compare it with";
    else if (n_good == 0)
        problem = "no sample to run it with";
    else if (type->backward && n_gradients == 0)
        problem = "no sample checks the gradients of its backward";
    snprintf(name, sizeof(name), "%s: reference and samples", type->name);
    report(name, problem);
}

void plugin_lint(struct lam_context *ctx, const struct lam_plugin *plugin,
                 report_function *report)
{
    for (int i = 0; plugin->layers && plugin->layers[i]; i++) {
        const struct lam_layer_type *t = plugin->layers[i];

        lint_table(ctx, t->name, t->summary, t->params, t->config_size, report);
        lint_proof(t, report);
    }
    for (int i = 0; plugin->optimizers && plugin->optimizers[i]; i++) {
        const struct lam_optimizer_type *t = plugin->optimizers[i];

        lint_table(ctx, t->name, t->summary, t->params, t->config_size, report);
        report(t->name, !t->reference ? "no reference to compare it with"
                        : !t->samples || !t->samples[0]
                            ? "no sample to run it with"
                            : "");
    }
}

// Whether "key=" is in a list of settings.
static bool sets(const char *params, const char *key)
{
    const size_t n = strlen(key);

    for (const char *at = params; (at = strstr(at, key)); at += n)
        if (at[n] == '=' && (at == params || at[-1] == ' '))
            return true;
    return false;
}

void plugin_hints(const struct lam_layer_type *type)
{
    bool has_error = false, has_odd = false;

    for (const struct lam_sample *s = type->samples; s && s->params; s++) {
        const char *last = strrchr(s->inputs, 'x');

        has_error |= s->error != NULL;
        has_odd |= !s->error && last && atoi(last + 1) % 2 == 1;
    }
    for (const struct lam_param *p = type->params; p && p->name; p++) {
        bool is_tried = false;

        for (const struct lam_sample *s = type->samples; s && s->params; s++)
            is_tried |= !s->error && sets(s->params, p->name);
        if (!is_tried)
            printf("hint: %s: no sample sets '%s'\n", type->name, p->name);
    }
    if (!has_error)
        printf("hint: %s: no sample that must be refused\n", type->name);
    if (!has_odd)
        printf("hint: %s: no sample of an odd width\n", type->name);
}
