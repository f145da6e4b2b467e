#include "predictor_state.h"

#include <stdlib.h>
#include <string.h>

#include "fuse.h"
#include "merge.h"
#include "mirror.h"
#include "shape.h"

enum { MAX_MULTIPLE = 1024 };

int lam_predictor_create(struct lam_context *ctx,
                         const struct lam_registry *registry,
                         struct lam_queue *queue, struct lam_model *model,
                         struct lam_predictor **predictor)
{
    struct lam_predictor *p = calloc(1, sizeof(*p));
    int err;

    *predictor = NULL;
    if (!p)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    p->ctx = ctx;
    p->registry = registry;
    p->queue = queue;
    p->model = model;
    p->weights.ctx = ctx;
    err = lam_model_section(model, "data", lam_sampling_params, &p->sampling,
                            sizeof(p->sampling), NULL);
    if (!err)
        err = lam_host_init(&p->host, ctx, queue, LAM_F32);
    if (err) {
        free(p);
        return err;
    }
    *predictor = p;
    return LAM_OK;
}

void lam_predictor_use_own_statistics(struct lam_predictor *p)
{
    p->own_statistics = true;
}

int lam_predictor_use_flips(struct lam_predictor *p)
{
    struct lam_augment augment;
    const int err = lam_model_section(p->model, "augment", lam_augment_params,
                                      &augment, sizeof(augment), NULL);

    if (err)
        return err;
    p->flips = (augment.flip_x ? LAM_MIRROR_X : 0) |
               (augment.flip_y ? LAM_MIRROR_Y : 0);
    return p->flips ? LAM_OK
                    : lam_fail(p->ctx, LAM_EUSAGE,
                               "the network was trained without flips: its "
                               "`augment` section has none");
}

static void sized_close(struct lam_sized *s)
{
    lam_session_destroy(s->session);
    lam_graph_destroy(s->graph);
    *s = (struct lam_sized){0};
}

void lam_predictor_destroy(struct lam_predictor *p)
{
    if (!p)
        return;
    for (int i = 0; i < LAM_PREDICTOR_SIZES; i++)
        sized_close(&p->sizes[i]);
    lam_weight_store_free(&p->weights);
    lam_host_finish(&p->host);
    free(p);
}

static void expire(struct lam_predictor *p)
{
    for (int i = 0; i < LAM_PREDICTOR_SIZES; i++)
        p->sizes[i].is_current = false;
}

int lam_predictor_take(struct lam_predictor *p, struct lam_session *session,
                       const struct lam_graph *graph)
{
    expire(p);
    return lam_weight_store_take(&p->weights, session, graph);
}

int lam_predictor_load(struct lam_predictor *p, const struct lam_checkpoint *c)
{
    expire(p);
    return lam_weight_store_load(&p->weights, c);
}

// Writes the weights into a session, once after they changed.
static int sized_update(struct lam_predictor *p, struct lam_sized *s)
{
    int err = LAM_OK;

    for (int i = 0; i < s->graph->n_weights && !s->is_current && !err; i++) {
        float *values =
            malloc(lam_shape_bytes(&s->graph->weights[i].spec.shape));

        if (!values)
            return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
        err = lam_graph_weight_values(s->graph, i, lam_weight_store_find,
                                      &p->weights, values);
        if (!err)
            err = lam_session_weight_write(s->session, i, values);
        free(values);
    }
    s->is_current = !err;
    return err;
}

static bool is_cells(const struct lam_sized *s)
{
    return s->rows != s->padded_height || s->columns != s->padded_width;
}

// A graph as in training, with dropout that drops nothing.
static int keep_all(struct lam_graph *graph)
{
    int err = LAM_OK;

    for (int i = 0; i < graph->n_nodes && !err; i++) {
        const struct lam_node *node = &graph->nodes[i];

        for (const struct lam_param *p = node->layer.type->params;
             p && p->name && strcmp(node->layer.type->name, "dropout") == 0;
             p++)
            if (strcmp(p->name, "p") == 0 && !err)
                err = lam_param_set(graph->ctx, node->name, p,
                                    (void *)node->layer.config, "0");
    }
    return err;
}

// Builds the graph at a size; *fits: the output has the input's size, or is a
// grid of cells: half of it at the most, or one answer for all.
static int sized_build(struct lam_predictor *p, struct lam_sized *s, int height,
                       int width, bool *fits)
{
    const char *name;
    int h, w, err;

    *fits = false;
    err = lam_model_resize(p->model, height, width);
    if (!err)
        err = lam_graph_create(p->ctx, p->registry, &p->host, p->own_statistics,
                               &s->graph);
    if (!err)
        err = lam_model_build(p->model, s->graph, 1);
    if (!err && p->own_statistics)
        err = keep_all(s->graph);
    else if (!err)
        err = lam_graph_fuse(&s->graph, NULL, 0);
    if (err)
        return err;
    name = lam_model_input(p->model, &h, &w);
    s->input = lam_graph_find(s->graph, name);
    s->output = lam_graph_find(s->graph, lam_model_output(p->model));
    if (s->output >= 0) {
        const struct lam_shape *out = &s->graph->values[s->output].shape;

        s->padded_height = height;
        s->padded_width = width;
        s->rows = out->rank == 4 ? (int)out->dim[2] : 1;
        s->columns = out->rank == 4 ? (int)out->dim[3] : 1;
        *fits =
            !is_cells(s) || (2 * s->rows <= height && 2 * s->columns <= width);
    }
    return LAM_OK;
}

static int round_up(int n, int multiple)
{
    return (n + multiple - 1) / multiple * multiple;
}

// Builds the graph of a size, or of the next that goes through.
static int sized_fit(struct lam_predictor *p, struct lam_sized *s, int height,
                     int width)
{
    bool fits = false;
    int err = LAM_OK;

    s->height = height;
    s->width = width;
    for (int m = 1; m <= MAX_MULTIPLE && !fits; m *= 2) {
        const int h = round_up(height, m), w = round_up(width, m);

        if (m > 1 && h == s->padded_height && w == s->padded_width)
            continue;
        lam_graph_destroy(s->graph);
        s->graph = NULL;
        err = sized_build(p, s, h, w, &fits);
        // A size that does not go through is tried again, larger.
        if (err && err != LAM_ESHAPE)
            return err;
        if (err && m < MAX_MULTIPLE)
            lam_error_clear(p->ctx);
        if (err)
            fits = false;
    }
    return fits || err ? err
                       : lam_fail(p->ctx, LAM_ESHAPE,
                                  "the network maps no size near %d x %d onto "
                                  "itself",
                                  width, height);
}

static struct lam_session_options options_of(const struct lam_predictor *p)
{
    return (struct lam_session_options){.training = p->own_statistics,
                                        .loss = -1,
                                        .tuning = lam_queue_tuning(p->queue)};
}

static int sized_open(struct lam_predictor *p, struct lam_sized *s, int height,
                      int width)
{
    const struct lam_session_options options = options_of(p);
    const int err = sized_fit(p, s, height, width);

    return err ? err
               : lam_session_create(s->graph, p->queue, &options, &s->session);
}

int lam_predictor_memory(struct lam_predictor *p, int height, int width,
                         int64_t *bytes)
{
    const struct lam_session_options options = options_of(p);
    struct lam_sized s = {0};
    struct lam_memory memory = {0};
    int err = sized_fit(p, &s, height, width);

    if (!err)
        err = lam_session_memory(s.graph, &options, &memory);
    sized_close(&s);
    *bytes = memory.total + memory.weights;
    return err;
}

static int sized_find(struct lam_predictor *p, int height, int width,
                      struct lam_sized **found)
{
    struct lam_sized *oldest = &p->sizes[0];
    int err = LAM_OK;

    for (int i = 0; i < LAM_PREDICTOR_SIZES; i++) {
        struct lam_sized *s = &p->sizes[i];

        if (s->session && s->height == height && s->width == width) {
            *found = s;
            s->used = ++p->clock;
            return sized_update(p, s);
        }
        if (s->used < oldest->used)
            oldest = s;
    }
    sized_close(oldest);
    err = sized_open(p, oldest, height, width);
    if (!err)
        err = sized_update(p, oldest);
    if (err)
        sized_close(oldest);
    oldest->used = ++p->clock;
    *found = oldest;
    return err;
}

// Index i of a row of n, continued by reflection.
static int reflect(int i, int n)
{
    const int period = n > 1 ? 2 * n - 2 : 1;

    i %= period;
    return i < n ? i : period - i;
}

int lam_predictor_window(struct lam_predictor *p, const float *image,
                         int stride, int height, int width, struct lam_map *map)
{
    struct lam_sized *s;
    const struct lam_shape *out;
    float *padded, *whole;
    int err = sized_find(p, height, width, &s);

    *map = (struct lam_map){0};
    if (err)
        return err;
    out = &s->graph->values[s->output].shape;
    padded = malloc(sizeof(float) * (size_t)s->padded_height *
                    (size_t)s->padded_width);
    whole = malloc(lam_shape_bytes(out));
    map->data = malloc(lam_shape_bytes(out));
    if (!padded || !whole || !map->data) {
        err = lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
        goto out;
    }
    for (int y = 0; y < s->padded_height; y++)
        for (int x = 0; x < s->padded_width; x++)
            padded[(size_t)y * s->padded_width + x] =
                image[(size_t)reflect(y, height) * stride + reflect(x, width)];
    err = lam_session_write(s->session, s->input, padded);
    if (!err)
        err = lam_session_forward(s->session, 0);
    if (!err)
        err = lam_session_read(s->session, s->output, whole);
    map->channels = (int)out->dim[1];
    map->height = is_cells(s) ? s->rows : height;
    map->width = is_cells(s) ? s->columns : width;
    for (int c = 0; c < map->channels && !err; c++)
        for (int y = 0; y < map->height; y++)
            memcpy(map->data + ((size_t)c * map->height + y) * map->width,
                   whole + ((size_t)c * s->rows + y) * s->columns,
                   sizeof(float) * (size_t)map->width);
out:
    free(padded);
    free(whole);
    if (err) {
        free(map->data);
        map->data = NULL;
    }
    return err;
}
