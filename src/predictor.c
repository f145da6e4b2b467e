#include "predictor.h"
#include "fuse.h"
#include "merge.h"

#include <stdlib.h>
#include <string.h>

#include "shape.h"
#include "zoom.h"

enum { MAX_SIZES = 4, MAX_MULTIPLE = 1024 };

struct sized {
    int height, width; // wanted
    int padded_height, padded_width;
    int rows, columns; // of the output: the padded size, or fewer, of cells
    struct lam_graph *graph;
    struct lam_session *session;
    int input, output; // values
    bool is_current;   // has the newest weights
    long used;
};

struct stored_weight {
    char *name;
    float *data;
    int64_t n;
};

struct lam_predictor {
    struct lam_context *ctx;
    const struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_model *model;
    struct lam_sampling sampling;
    struct sized sizes[MAX_SIZES];
    struct stored_weight *weights;
    int n_weights;
    long clock;
};

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

static void sized_close(struct sized *s)
{
    lam_session_destroy(s->session);
    lam_graph_destroy(s->graph);
    *s = (struct sized){0};
}

static void weights_free(struct lam_predictor *p)
{
    for (int i = 0; i < p->n_weights; i++) {
        free(p->weights[i].name);
        free(p->weights[i].data);
    }
    free(p->weights);
    p->weights = NULL;
    p->n_weights = 0;
}

void lam_predictor_destroy(struct lam_predictor *p)
{
    if (!p)
        return;
    for (int i = 0; i < MAX_SIZES; i++)
        sized_close(&p->sizes[i]);
    weights_free(p);
    lam_host_finish(&p->host);
    free(p);
}

static int weights_reserve(struct lam_predictor *p, int n)
{
    weights_free(p);
    for (int i = 0; i < MAX_SIZES; i++)
        p->sizes[i].is_current = false;
    p->weights = calloc((size_t)n + 1, sizeof(*p->weights));
    return p->weights ? LAM_OK : lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
}

static int weight_add(struct lam_predictor *p, const char *name, int64_t n)
{
    struct stored_weight *w = &p->weights[p->n_weights];

    w->name = strdup(name);
    w->data = malloc((size_t)(n ? n : 1) * sizeof(*w->data));
    w->n = n;
    p->n_weights++;
    return w->name && w->data ? LAM_OK
                              : lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
}

int lam_predictor_take(struct lam_predictor *p, struct lam_session *session,
                       const struct lam_graph *graph)
{
    int err = weights_reserve(p, graph->n_weights);

    for (int i = 0; i < graph->n_weights && !err; i++) {
        err = weight_add(p, graph->weights[i].name,
                         lam_shape_elements(&graph->weights[i].spec.shape));
        if (!err)
            err = lam_session_weight_read(session, i, p->weights[i].data);
    }
    return err;
}

int lam_predictor_load(struct lam_predictor *p, const struct lam_checkpoint *c)
{
    const int n = lam_safetensors_count(c->file);
    int err = weights_reserve(p, n);

    for (int i = 0; i < n && !err; i++) {
        const struct lam_stored *t = lam_safetensors_at(c->file, i);

        if (strncmp(t->name, "optim.", 6) == 0 || t->shape.dtype != LAM_F32)
            continue;
        err = weight_add(p, t->name, lam_shape_elements(&t->shape));
        if (!err)
            memcpy(p->weights[p->n_weights - 1].data, t->data,
                   lam_shape_bytes(&t->shape));
    }
    return err;
}

static int find_weight(void *data, const char *name, int64_t n,
                       const float **values)
{
    const struct lam_predictor *p = data;
    const struct stored_weight *found = NULL;

    for (int k = 0; k < p->n_weights && !found; k++)
        if (strcmp(p->weights[k].name, name) == 0)
            found = &p->weights[k];
    if (!found || found->n != n)
        return lam_fail(p->ctx, LAM_ECHECKPOINT, "the weight %s is %s", name,
                        found ? "of another size" : "missing");
    *values = found->data;
    return LAM_OK;
}

// Writes the weights into a session, once after they changed.
static int sized_update(struct lam_predictor *p, struct sized *s)
{
    int err = LAM_OK;

    for (int i = 0; i < s->graph->n_weights && !s->is_current && !err; i++) {
        float *values =
            malloc(lam_shape_bytes(&s->graph->weights[i].spec.shape));

        if (!values)
            return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
        err = lam_graph_weight_values(s->graph, i, find_weight, p, values);
        if (!err)
            err = lam_session_weight_write(s->session, i, values);
        free(values);
    }
    s->is_current = !err;
    return err;
}

static bool is_cells(const struct sized *s)
{
    return s->rows != s->padded_height || s->columns != s->padded_width;
}

// Builds the graph at a size; *fits: the output has the input's size, or is a
// grid of cells: half of it at the most, or one answer for all.
static int sized_build(struct lam_predictor *p, struct sized *s, int height,
                       int width, bool *fits)
{
    const char *name;
    int h, w, err;

    *fits = false;
    err = lam_model_resize(p->model, height, width);
    if (!err)
        err = lam_graph_create(p->ctx, p->registry, &p->host, 0, &s->graph);
    if (!err)
        err = lam_model_build(p->model, s->graph, 1);
    if (!err)
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

static int sized_open(struct lam_predictor *p, struct sized *s, int height,
                      int width)
{
    const struct lam_session_options options = {
        .loss = -1, .tuning = lam_queue_tuning(p->queue)};
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
    if (!fits)
        return err ? err
                   : lam_fail(p->ctx, LAM_ESHAPE,
                              "the network maps no size near %d x %d onto "
                              "itself",
                              width, height);
    return lam_session_create(s->graph, p->queue, &options, &s->session);
}

static int sized_find(struct lam_predictor *p, int height, int width,
                      struct sized **found)
{
    struct sized *oldest = &p->sizes[0];
    int err = LAM_OK;

    for (int i = 0; i < MAX_SIZES; i++) {
        struct sized *s = &p->sizes[i];

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

// A window of the image through the network.
static int run_window(struct lam_predictor *p, const float *image, int stride,
                      int height, int width, struct lam_map *map)
{
    struct sized *s;
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

// Weight of a tile's pixel along one axis: rises over the overlap.
static float ramp(int i, int n, int overlap, bool at_start, bool at_end)
{
    float w = 1.0f;

    if (!at_start && i < overlap)
        w = (float)(i + 1) / (float)(overlap + 1);
    if (!at_end && n - 1 - i < overlap &&
        (float)(n - i) / (float)(overlap + 1) < w)
        w = (float)(n - i) / (float)(overlap + 1);
    return w;
}

static int run_tiles(struct lam_predictor *p, const float *image, int height,
                     int width, int tile, int overlap, struct lam_map *map)
{
    const int th = tile < height ? tile : height;
    const int tw = tile < width ? tile : width;
    float *weights = calloc((size_t)height * (size_t)width, sizeof(*weights));
    int err = weights ? LAM_OK : lam_fail(p->ctx, LAM_EMEMORY, "out of memory");

    *map = (struct lam_map){0};
    for (int y = 0; y < height && !err; y += th - overlap) {
        const int y0 = y + th > height ? height - th : y;

        for (int x = 0; x < width && !err; x += tw - overlap) {
            const int x0 = x + tw > width ? width - tw : x;
            struct lam_map part;

            err = run_window(p, image + (size_t)y0 * width + x0, width, th, tw,
                             &part);
            if (!err && (part.height != th || part.width != tw)) {
                free(part.data);
                err = lam_fail(p->ctx, LAM_EUSAGE,
                               "the network answers for cells, not pixels: "
                               "tiles do not fit together");
            }
            if (err)
                break;
            if (!map->data) {
                *map = (struct lam_map){.channels = part.channels,
                                        .height = height,
                                        .width = width};
                map->data = calloc((size_t)part.channels * (size_t)height *
                                       (size_t)width,
                                   sizeof(float));
            }
            for (int i = 0; i < th && map->data; i++)
                for (int j = 0; j < tw; j++) {
                    const size_t at = (size_t)(y0 + i) * width + x0 + j;
                    const float w =
                        ramp(i, th, overlap, y0 == 0, y0 + th == height) *
                        ramp(j, tw, overlap, x0 == 0, x0 + tw == width);

                    weights[at] += w;
                    for (int c = 0; c < map->channels; c++)
                        map->data[(size_t)c * height * width + at] +=
                            w * part.data[((size_t)c * th + i) * tw + j];
                }
            free(part.data);
            if (!map->data)
                err = lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
            if (x0 + tw == width)
                break;
        }
        if (y0 + th == height)
            break;
    }
    for (int c = 0; !err && c < map->channels; c++)
        for (size_t i = 0; i < (size_t)height * width; i++)
            map->data[(size_t)c * height * width + i] /= weights[i];
    free(weights);
    if (err) {
        free(map->data);
        map->data = NULL;
    }
    return err;
}

static int run_image(struct lam_predictor *p, const float *image, int height,
                     int width, int tile, int overlap, struct lam_map *map)
{
    if (tile <= 0 || (height <= tile && width <= tile))
        return run_window(p, image, width, height, width, map);
    if (overlap < 0 || overlap >= tile)
        return lam_fail(p->ctx, LAM_EUSAGE,
                        "an overlap of %d does not fit a tile of %d", overlap,
                        tile);
    return run_tiles(p, image, height, width, tile, overlap, map);
}

int lam_predictor_run(struct lam_predictor *p, const float *image, int height,
                      int width, int tile, int overlap, struct lam_map *map)
{
    struct lam_zoomed zoomed;
    int err;

    if (p->sampling.zoom == 1.0)
        return run_image(p, image, height, width, tile, overlap, map);
    *map = (struct lam_map){0};
    if (!lam_zoom_out(image, height, width, &p->sampling, &zoomed))
        return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
    err = run_image(p, zoomed.pixels, zoomed.height, zoomed.width, tile,
                    overlap, map);
    if (!err && map->height == zoomed.height && map->width == zoomed.width &&
        !lam_zoom_back(map, height, width, &p->sampling)) {
        free(map->data);
        map->data = NULL;
        err = lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
    }
    free(zoomed.pixels);
    return err;
}
