#include "predict_tensor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"
#include "probe.h"

bool predict_is_tensor(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcmp(dot, ".npy") == 0;
}

int predict_check_dumps(struct lam_context *ctx, const char *const *dumps,
                        int n)
{
    for (int i = 0; i < n; i++) {
        const char *equals = strchr(dumps[i], '=');

        const char *dot = strrchr(dumps[i], '.');

        if (!equals || equals == dumps[i] || dot < equals ||
            (strcmp(dot, ".npy") != 0 && strcmp(dot, ".png") != 0))
            return lam_fail(ctx, LAM_EUSAGE,
                            "--dump is '%s', wanted LAYER=FILE.npy or "
                            "LAYER=FILE.png",
                            dumps[i]);
    }
    return LAM_OK;
}

static int write_dumps(const struct lam_probe *probe, const char *const *dumps,
                       int n)
{
    int err = LAM_OK;

    for (int i = 0; i < n && !err; i++) {
        const char *equals = strchr(dumps[i], '=');
        char layer[200];

        snprintf(layer, sizeof(layer), "%.*s", (int)(equals - dumps[i]),
                 dumps[i]);
        err = lam_probe_write(probe, layer, equals + 1);
    }
    return err;
}

// Ones in front until there are as many dimensions as the input has.
static void widen(struct lam_shape *shape, const struct lam_trained *trained)
{
    int height, width;

    lam_model_input(trained->model, &height, &width);
    while (height && shape->rank < 4) {
        memmove(shape->dim + 1, shape->dim, sizeof(shape->dim[0]) * 3);
        shape->dim[0] = 1;
        shape->rank++;
    }
}

int predict_tensor(struct lam_context *ctx, const struct lam_trained *trained,
                   const char *path, const char *name, const char *out,
                   const char *const *dumps, int n)
{
    struct lam_probe probe = {0};
    struct lam_shape shape;
    float *data;
    int err = lam_npy_read(ctx, path, &shape, &data);

    if (err)
        return err;
    widen(&shape, trained);
    err = lam_probe_run(ctx, trained, &shape, data, &probe);
    for (int i = 0; !err && i < probe.graph->n_values; i++) {
        const struct lam_value *v = &probe.graph->values[i];
        char file[1400];

        if (!v->is_output)
            continue;
        snprintf(file, sizeof(file), "%s/%s_%s.npy", out, name, v->name);
        err = lam_probe_write(&probe, v->name, file);
        if (!err)
            printf("%s\n", file);
    }
    if (!err)
        err = write_dumps(&probe, dumps, n);
    lam_probe_close(&probe);
    free(data);
    return err;
}

int predict_dump(struct lam_context *ctx, const struct lam_trained *trained,
                 const float *pixels, int height, int width,
                 const char *const *dumps, int n)
{
    const struct lam_shape shape = {
        .dtype = LAM_F32, .rank = 4, .dim = {1, 1, height, width}};
    struct lam_probe probe = {0};
    int err = lam_probe_run(ctx, trained, &shape, pixels, &probe);

    if (!err)
        err = write_dumps(&probe, dumps, n);
    lam_probe_close(&probe);
    return err;
}
