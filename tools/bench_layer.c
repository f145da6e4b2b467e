#include "bench_layer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "param.h"
#include "shape.h"
#include "trial.h"
#include "tuning.h"
#include "variants.h"

struct row {
    const char *layer, *shape, *pass, *variant;
    struct lam_spread ms;
    double gmacs;
};

static void print_row(const char *format, const struct row *r, bool is_first)
{
    const double gflops = r->gmacs > 0 ? 2e3 * r->gmacs / r->ms.median : 0.0;

    if (strcmp(format, "json") == 0)
        printf("%s{\"layer\": \"%s\", \"shape\": \"%s\", \"pass\": \"%s\", "
               "\"variant\": \"%s\", \"median_ms\": %.4f, \"min_ms\": %.4f, "
               "\"quartile_ms\": %.4f, \"three_quartile_ms\": %.4f, "
               "\"gmacs\": %.6f, \"gflops\": %.2f}",
               is_first ? "[" : ",\n ", r->layer, r->shape, r->pass, r->variant,
               r->ms.median, r->ms.min, r->ms.quartile, r->ms.three_quartile,
               r->gmacs, gflops);
    else if (strcmp(format, "csv") == 0)
        printf("%s\"%s\",%s,%s,%s,%.4f,%.4f,%.4f,%.4f,%.6f,%.2f\n",
               is_first ? "layer,shape,pass,variant,median_ms,min_ms,"
                          "quartile_ms,three_quartile_ms,gmacs,gflops\n"
                        : "",
               r->layer, r->shape, r->pass, r->variant, r->ms.median, r->ms.min,
               r->ms.quartile, r->ms.three_quartile, r->gmacs, gflops);
    else
        printf("%s| %s | %s | %s | %s | %.2f | %.2f to %.2f | %.0f |\n",
               is_first
                   ? "| layer | input | pass | variant | median ms | "
                     "quartiles | GFLOPS |\n|---|---|---|---|---|---|---|\n"
                   : "",
               r->layer, r->shape, r->pass, r->variant, r->ms.median,
               r->ms.quartile, r->ms.three_quartile, gflops);
}

static int measure(const struct lam_registry *registry,
                   const struct lam_host *host, struct lam_queue *queue,
                   const struct lam_trial_spec *spec,
                   const struct bench_layer_options *o, struct row *r,
                   bool is_first)
{
    double *ms = calloc((size_t)o->repeats, sizeof(*ms));
    struct lam_trial *trial = NULL;
    int err =
        ms ? lam_trial_open(registry, host, queue, spec, &trial)
           : lam_fail(lam_queue_context(queue), LAM_EMEMORY, "out of memory");
    int times;

    for (int i = 0; i < o->warmup && !err; i++)
        err = lam_trial_run(trial, 1, &ms[0]);
    times = err ? 1 : lam_trial_times(ms[0]);
    for (int i = 0; i < o->repeats && !err; i++)
        err = lam_trial_run(trial, times, &ms[i]);
    if (!err) {
        r->variant = lam_trial_variant(trial);
        r->gmacs = lam_trial_macs(trial) / 1e9;
        r->ms = lam_bench_spread(ms, o->repeats);
        print_row(o->format, r, is_first);
    }
    lam_trial_close(trial);
    free(ms);
    return err;
}

static int parse_shapes(struct lam_context *ctx, const char *text,
                        struct lam_shape *shapes, int *n)
{
    char word[128];
    int length;

    for (*n = 0;
         *n < LAM_MAX_IN && sscanf(text, " %127s%n", word, &length) == 1;
         text += length)
        if (!lam_shape_parse(word, LAM_F32, &shapes[(*n)++]))
            return lam_fail(ctx, LAM_EUSAGE,
                            "--shape has '%s', wanted sizes like 2x32x320x320",
                            word);
    return *n ? LAM_OK
              : lam_fail(ctx, LAM_EUSAGE, "--layer wants --shape with it");
}

static bool has_gradient(const struct lam_registry *registry, const char *type)
{
    const struct lam_layer_type *found = lam_registry_layer(registry, type);

    return !found || found->backward;
}

static int bench_one(const struct lam_registry *registry,
                     const struct lam_host *host, struct lam_queue *queue,
                     const struct bench_layer_options *o, int i, bool is_first)
{
    struct lam_context *ctx = lam_queue_context(queue);
    const char *layer = o->layers[i];
    const size_t name = strcspn(layer, " ");
    char type[64], text[1000];
    struct lam_setting settings[64];
    struct lam_shape shapes[LAM_MAX_IN];
    struct lam_trial_spec spec = {.type = type,
                                  .settings = settings,
                                  .in = shapes,
                                  .training = 1,
                                  .variant = o->variant};
    struct row row = {.layer = layer, .shape = o->shape};
    int err = parse_shapes(ctx, o->shape ? o->shape : "", shapes, &spec.n_in);

    if (err)
        return err;
    snprintf(type, sizeof(type), "%.*s", (int)name, layer);
    snprintf(text, sizeof(text), "%s", layer + name);
    spec.n_settings = lam_settings_split(text, settings, 64);
    if (spec.n_settings < 0)
        return lam_fail(ctx, LAM_EUSAGE,
                        "--layer is '%s', wanted TYPE KEY=VALUE ..", layer);
    for (spec.pass = 0; spec.pass < LAM_N_PASSES && !err; spec.pass++) {
        if (spec.pass && !has_gradient(registry, type))
            break;
        row.pass = lam_pass_names[spec.pass];
        err = measure(registry, host, queue, &spec, o, &row,
                      is_first && spec.pass == 0);
        // A layer without weights has no gradient of them.
        if (err == LAM_EUSAGE && spec.pass == LAM_PASS_BACKWARD_WEIGHT &&
            !o->variant) {
            lam_error_clear(ctx);
            err = LAM_OK;
        }
    }
    return err;
}

int bench_layers(const struct lam_registry *registry,
                 const struct lam_host *host, struct lam_queue *queue,
                 const struct bench_layer_options *o)
{
    int err = LAM_OK;

    for (int i = 0; i < o->n_layers && !err; i++)
        err = bench_one(registry, host, queue, o, i, i == 0);
    if (!err && strcmp(o->format, "json") == 0)
        printf("]\n");
    return err;
}
