// An optimiser on the device against its reference, some updates long.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "selftest_case.h"
#include "shape.h"

enum { N_WEIGHTS = 1003, N_UPDATES = 4 };

struct optimizer_run {
    struct lam_optimizer optimizer;
    struct lam_step step;
    struct lam_step_ref ref;
    struct lam_buffer *buffers[2 + LAM_MAX_SLOT];
    double weight[N_WEIGHTS], grad[N_WEIGHTS], slot[LAM_MAX_SLOT][N_WEIGHTS];
    int n_slots;
};

static int write_doubles(struct lam_buffer *buffer, int real, const double *src)
{
    float single[N_WEIGHTS];

    for (int i = 0; i < N_WEIGHTS; i++)
        single[i] = (float)src[i];
    return lam_buffer_write(buffer, 0, N_WEIGHTS * lam_dtype_bytes(real),
                            real == LAM_F64 ? (const void *)src : single);
}

static int read_doubles(struct lam_buffer *buffer, int real, double *dst)
{
    float single[N_WEIGHTS];
    const int err =
        lam_buffer_read(buffer, 0, N_WEIGHTS * lam_dtype_bytes(real),
                        real == LAM_F64 ? (void *)dst : single);

    for (int i = 0; i < N_WEIGHTS && real == LAM_F32; i++)
        dst[i] = (double)single[i];
    return err;
}

static int make_tensors(struct lam_selftest *test, int real,
                        struct optimizer_run *run)
{
    const struct lam_shape shape = {
        .dtype = real, .rank = 2, .dim = {1, N_WEIGHTS}};
    struct lam_tensor *const tensors[2 + LAM_MAX_SLOT] = {
        &run->step.weight,  &run->step.grad,    &run->step.slot[0],
        &run->step.slot[1], &run->step.slot[2], &run->step.slot[3]};
    int err = LAM_OK;

    for (int i = 0; i < 2 + run->n_slots && !err; i++) {
        err = lam_buffer_create(test->queue, lam_shape_bytes(&shape),
                                &run->buffers[i]);
        *tensors[i] =
            (struct lam_tensor){.shape = shape, .buffer = run->buffers[i]};
        if (!err && i >= 2)
            err = lam_buffer_fill(run->buffers[i], 0);
    }
    lam_case_fill("normal", false, 1, N_WEIGHTS, run->weight);
    return err ? err : write_doubles(run->buffers[0], real, run->weight);
}

static int update(struct optimizer_run *run, int real, int t)
{
    const struct lam_optimizer_type *type = run->optimizer.type;
    int err;

    lam_case_fill("normal", false, 10 + (uint64_t)t, N_WEIGHTS, run->grad);
    run->step.t = run->ref.t = t;
    run->step.lr = run->ref.lr = 0.05 / t;
    run->step.is_decayed = run->ref.is_decayed = t % 2;
    err = write_doubles(run->buffers[1], real, run->grad);
    if (!err)
        err = type->step(&run->optimizer, &run->step);
    return err ? err : type->reference(&run->optimizer, &run->ref);
}

static int compare(struct lam_selftest *test, const struct optimizer_run *run,
                   int real)
{
    const double limit = real == LAM_F64 ? 1e-12 : 2e-6;
    double got[N_WEIGHTS] = {0};
    const int err = read_doubles(run->buffers[0], real, got);

    for (int i = 0; i < N_WEIGHTS && !err; i++)
        if (!(fabs(got[i] - run->weight[i]) <=
              limit * (1.0 + fabs(run->weight[i]))))
            return lam_fail(test->ctx, LAM_ERUN,
                            "weight[%d] is %.9g after %d updates in %s, "
                            "wanted %.9g",
                            i, got[i], N_UPDATES,
                            real == LAM_F64 ? "double" : "float",
                            run->weight[i]);
    return err ? err : lam_buffer_intact(run->buffers[0], "weight");
}

static int check(struct lam_selftest *test,
                 const struct lam_optimizer_type *type, const char *params,
                 int real)
{
    struct optimizer_run *run = calloc(1, sizeof(*run));
    void *config = calloc(1, type->config_size ? type->config_size : 1);
    struct lam_setting settings[16];
    char text[256];
    int n_settings, err = LAM_OK;

    snprintf(text, sizeof(text), "%s", params);
    n_settings = lam_settings_split(text, settings, 16);
    if (!run || !config || n_settings < 0) {
        err = lam_fail(test->ctx, LAM_EPLUGIN, "cannot set up '%s'", params);
        goto out;
    }
    run->optimizer = (struct lam_optimizer){
        .type = type,
        .host = &test->host[real],
        .config = config,
        .state = calloc(1, type->state_size ? type->state_size : 1)};
    while (type->slots && type->slots[run->n_slots])
        run->n_slots++;
    run->ref = (struct lam_step_ref){
        .n = N_WEIGHTS, .weight = run->weight, .grad = run->grad};
    for (int i = 0; i < LAM_MAX_SLOT; i++)
        run->ref.slot[i] = run->slot[i];
    err = lam_params_fill(test->ctx, type->name, type->params, config,
                          type->config_size, settings, n_settings);
    if (!err && type->prepare)
        err = type->prepare(&run->optimizer);
    if (!err)
        err = make_tensors(test, real, run);
    for (int t = 1; t <= N_UPDATES && !err; t++)
        err = update(run, real, t);
    if (!err)
        err = compare(test, run, real);
out:
    for (int i = 0; run && i < 2 + LAM_MAX_SLOT; i++)
        lam_buffer_destroy(run->buffers[i]);
    if (run)
        free(run->optimizer.state);
    free(config);
    free(run);
    return err;
}

void lam_selftest_optimizer(struct lam_selftest *test,
                            const struct lam_optimizer_type *type)
{
    const bool has_double = test->host[LAM_F64].kernel != NULL;

    if (!type->reference || !type->samples) {
        lam_selftest_count(test, type->name,
                           "it brings no reference or no samples");
        return;
    }
    for (int i = 0; type->samples[i]; i++) {
        char name[160];

        snprintf(name, sizeof(name), "%s [%s]", type->name, type->samples[i]);
        if (check(test, type, type->samples[i], LAM_F32) ||
            (has_double && check(test, type, type->samples[i], LAM_F64)))
            lam_selftest_count(test, name, test->ctx->error);
        else
            lam_selftest_count(test, name, "");
    }
}
