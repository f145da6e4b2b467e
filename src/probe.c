#include "probe.h"

#include <stdlib.h>
#include <string.h>

#include "mosaic.h"
#include "npy.h"
#include "shape.h"

static int build(struct lam_context *ctx, const struct lam_trained *t,
                 const struct lam_shape *shape, struct lam_probe *p)
{
    char found[100], wanted[100];
    const char *name;
    int height, width, n_inputs = 0, err;

    name = lam_model_input(t->model, &height, &width);
    if (height && shape->rank == 4)
        err =
            lam_model_resize(t->model, (int)shape->dim[2], (int)shape->dim[3]);
    else
        err = LAM_OK;
    if (!err)
        err = lam_graph_create(ctx, t->registry, &p->host, 0, &p->graph);
    if (!err)
        err = lam_model_build(t->model, p->graph, (int)shape->dim[0]);
    if (err)
        return err;
    for (int i = 0; i < p->graph->n_values; i++)
        n_inputs += p->graph->values[i].producer < 0;
    if (n_inputs != 1)
        return lam_fail(ctx, LAM_EMODEL,
                        "the network has %d inputs, wanted one", n_inputs);
    if (lam_shape_equal(&p->graph->values[0].shape, shape))
        return LAM_OK;
    return lam_fail(
        ctx, LAM_ESHAPE, "a tensor of %s, but the input %s is %s",
        lam_shape_print(shape, found, sizeof(found)), name,
        lam_shape_print(&p->graph->values[0].shape, wanted, sizeof(wanted)));
}

int lam_probe_run(struct lam_context *ctx, const struct lam_trained *t,
                  const struct lam_shape *shape, const float *input,
                  struct lam_probe *p)
{
    const struct lam_session_options options = {
        .loss = -1, .keep_all = true, .tuning = lam_queue_tuning(t->queue)};
    int err;

    *p = (struct lam_probe){0};
    err = lam_host_init(&p->host, ctx, t->queue, LAM_F32);
    if (!err)
        err = build(ctx, t, shape, p);
    if (!err)
        err = lam_session_create(p->graph, t->queue, &options, &p->session);
    if (!err)
        err =
            lam_checkpoint_restore(&t->checkpoint, p->session, p->graph, NULL);
    if (!err)
        err = lam_session_write(p->session, 0, input);
    if (!err)
        err = lam_session_forward(p->session, 0);
    return err ? err : lam_session_finish(p->session);
}

void lam_probe_close(struct lam_probe *p)
{
    lam_session_destroy(p->session);
    lam_graph_destroy(p->graph);
    lam_host_finish(&p->host);
}

static bool is_picture(const char *path)
{
    const char *dot = strrchr(path, '.');

    return dot && strcmp(dot, ".png") == 0;
}

int lam_probe_write(const struct lam_probe *p, const char *name,
                    const char *path)
{
    struct lam_context *ctx = p->graph->ctx;
    const struct lam_value *v;
    const int i = lam_graph_find(p->graph, name);
    void *data;
    int err;

    if (i < 0) {
        const char *names[513] = {NULL}, *near;

        for (int k = 0; k < p->graph->n_values && k < 512; k++)
            names[k] = p->graph->values[k].name;
        near = lam_nearest(name, names);
        return lam_fail(ctx, LAM_EUSAGE, "there is no layer '%s'%s%s%s", name,
                        near ? " (did you mean '" : "", near ? near : "",
                        near ? "'?)" : "");
    }
    v = &p->graph->values[i];
    data = malloc(lam_shape_bytes(&v->shape));
    if (!data)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = lam_session_read(p->session, i, data);
    if (!err && !is_picture(path))
        err = lam_npy_write(ctx, path, &v->shape, data);
    else if (!err && v->shape.rank == 4 && v->shape.dtype == LAM_F32)
        err = lam_mosaic_write(ctx, path, data, (int)v->shape.dim[1],
                               (int)v->shape.dim[2], (int)v->shape.dim[3]);
    else if (!err)
        err = lam_fail(ctx, LAM_EUSAGE,
                       "'%s' gives no channels of images; write it as .npy",
                       name);
    free(data);
    return err;
}
