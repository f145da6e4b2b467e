#include "selftest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftest_case.h"
#include "shape.h"

int lam_selftest_open(struct lam_selftest *test)
{
    int err =
        lam_host_init(&test->host[LAM_F32], test->ctx, test->queue, LAM_F32);

    if (err)
        return err;
    if (lam_queue_device(test->queue)->info.has_f64)
        return lam_host_init(&test->host[LAM_F64], test->ctx, test->queue,
                             LAM_F64);
    err = lam_host_init(&test->host[LAM_F64], test->ctx, NULL, LAM_F64);
    test->skipped++;
    lam_log(test->ctx, LAM_LOG_WARNING,
            "this device has no double: gradients are only checked against "
            "themselves");
    return err;
}

void lam_selftest_close(struct lam_selftest *test)
{
    lam_host_finish(&test->host[LAM_F32]);
    lam_host_finish(&test->host[LAM_F64]);
}

void lam_selftest_count(struct lam_selftest *test, const char *name,
                        const char *problem)
{
    if (problem[0])
        test->failed++;
    else
        test->passed++;
    if (test->report)
        test->report(name, problem);
    lam_error_clear(test->ctx);
}

// A sample that must be refused.
static void check_refused(struct lam_selftest *test, const char *name,
                          const struct lam_sample *sample, int err)
{
    char problem[700] = "";

    if (!err)
        snprintf(problem, sizeof(problem), "accepted, but '%s' was expected",
                 sample->error);
    else if (!strstr(test->ctx->error, sample->error))
        snprintf(problem, sizeof(problem),
                 "refused with '%.250s', but '%.250s' was expected",
                 test->ctx->error, sample->error);
    lam_selftest_count(test, name, problem);
}

static bool is_left_out(const struct lam_case *c)
{
    const struct lam_shapes *shapes = &c->graph[LAM_F32]->nodes[0].shapes;
    double work = shapes->macs;

    for (int i = 0; i < c->n_in; i++)
        work += (double)lam_shape_elements(&c->in_shape[i]);
    for (int i = 0; i < shapes->n_out; i++)
        work += (double)lam_shape_elements(&shapes->out[i]);
    return c->test->is_tiny && work > LAM_TINY_WORK;
}

static void run_sample(struct lam_selftest *test,
                       const struct lam_layer_type *type,
                       const struct lam_sample *sample, const char *name)
{
    struct lam_case *c = calloc(1, sizeof(*c));
    int err;

    if (!c) {
        lam_selftest_count(test, name, "out of memory");
        return;
    }
    err = lam_case_open(c, test, type, sample);
    if (sample->error) {
        check_refused(test, name, sample, err);
    } else if (err) {
        lam_selftest_count(test, name, test->ctx->error);
    } else if (!is_left_out(c)) {
        lam_case_check(c);
        lam_selftest_count(test, name, c->problem);
    }
    lam_case_close(c);
    free(c);
}

static void run_layer(struct lam_selftest *test,
                      const struct lam_layer_type *type)
{
    if (!type->samples || !type->samples[0].params) {
        lam_selftest_count(test, type->name, "it brings no samples");
        return;
    }
    memset(test->n_runs, 0, sizeof(test->n_runs));
    for (int i = 0; type->samples[i].params; i++) {
        const struct lam_sample *sample = &type->samples[i];
        char name[256];

        if (test->only_case >= 0 && test->only_case != i)
            continue;
        snprintf(name, sizeof(name), "%s case %d [%s] %s", type->name, i,
                 sample->params, sample->inputs);
        run_sample(test, type, sample, name);
    }
}

int lam_selftest_run(struct lam_selftest *test)
{
    const struct lam_layer_type *layer;
    const struct lam_optimizer_type *optimizer;
    bool found = false;

    for (int i = 0; (layer = lam_registry_layer_at(test->registry, i)); i++)
        if (!test->op || strcmp(test->op, layer->name) == 0) {
            found = true;
            run_layer(test, layer);
        }
    for (int i = 0; (optimizer = lam_registry_optimizer_at(test->registry, i));
         i++)
        if (!test->op || strcmp(test->op, optimizer->name) == 0) {
            found = true;
            lam_selftest_optimizer(test, optimizer);
        }
    if (!found && test->op) {
        const char *near =
            lam_nearest(test->op, lam_registry_layer_names(test->registry));

        return lam_fail(test->ctx, LAM_EUSAGE,
                        "no layer or optimiser '%s'%s%s%s", test->op,
                        near ? " (did you mean '" : "", near ? near : "",
                        near ? "'?)" : "");
    }
    return LAM_OK;
}

static int run_line(struct lam_selftest *test, const char *path, int line,
                    char *text)
{
    char *rest, *op, *inputs;
    const struct lam_layer_type *type;
    struct lam_sample sample = {.flags = LAM_SAMPLE_EXACT};
    // A pool's gradient has a kink where two values are equal.
    bool is_pool;
    char name[700];

    text[strcspn(text, "\r\n")] = '\0';
    snprintf(name, sizeof(name), "%s", text);
    op = strtok_r(text, " ", &rest);
    if (!op || op[0] == '#')
        return LAM_OK;
    inputs = strtok_r(NULL, " ", &rest);
    type = lam_registry_layer(test->registry, op);
    if (!type || !inputs)
        return lam_fail(test->ctx, LAM_EUSAGE,
                        "%s:%d: wanted 'LAYER SHAPE[,SHAPE] param=value ...', "
                        "found '%.200s'",
                        path, line, name);
    for (char *comma = strchr(inputs, ','); comma; comma = strchr(comma, ','))
        *comma = ' ';
    is_pool = strcmp(op, "maxpool") == 0;
    sample.fill = is_pool ? "distinct" : NULL;
    sample.flags |= is_pool ? 0 : LAM_SAMPLE_LINEAR;
    sample.inputs = inputs;
    sample.params = rest + strspn(rest, " ");
    run_sample(test, type, &sample, name);
    return LAM_OK;
}

int lam_selftest_batch(struct lam_selftest *test, const char *path)
{
    FILE *file = fopen(path, "r");
    char text[600];
    int err = LAM_OK;

    if (!file)
        return lam_fail(test->ctx, LAM_EFILE, "%s cannot be read", path);
    for (int line = 1; !err && fgets(text, sizeof(text), file); line++)
        err = run_line(test, path, line, text);
    fclose(file);
    return err;
}

int lam_selftest_exact(struct lam_selftest *test, int n, uint64_t seed)
{
    int err = LAM_OK;

    for (int i = 0; i < n && !err; i++) {
        char text[600];

        lam_selftest_shape(seed, i, text, sizeof(text));
        if (!test->op || strncmp(text, test->op, strcspn(text, " ")) == 0)
            err = run_line(test, "made shape", i + 1, text);
    }
    return err;
}
