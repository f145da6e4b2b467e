// A network whose images lie in memory as halves: what becomes a half, what is
// cast, and that it computes what it computes in floats.
#include "halves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuse.h"
#include "model.h"
#include "rng.h"
#include "session.h"
#include "shape.h"

enum { MAX = 1 << 12, MAX_WEIGHTS = 20 };

// Each kind of layer that takes halves, and dense, which does not.
static const char text[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 1, 12, 10]\n"
    "layers:\n"
    "  - {name: a, type: conv2d, filters: 4, kernel: 3, bias: false}\n"
    "  - {name: an, type: batchnorm}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: small, type: maxpool, kernel: 2}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: bt, type: tanh}\n"
    "  - {name: sum, type: add, from: [bt, small]}\n"
    "  - {name: large, type: resize, scale: 2}\n"
    "  - {name: c, type: conv2d, filters: 3, kernel: 3}\n"
    "  - {name: up, type: conv_transpose2d, filters: 2, kernel: 2, stride: 2, "
    "from: sum}\n"
    "  - {name: both, type: concat, from: [c, up, ar]}\n"
    "  - {name: mean, type: avgpool, kernel: 2}\n"
    "  - {name: d, type: dense, units: 5}\n"
    "outputs: [d]\n";

struct run {
    struct lam_graph *graph;
    struct lam_session *session;
    int loss;
    float *y, *dx, *grads[MAX_WEIGHTS];
};

static int open_run(struct lam_context *ctx, struct lam_registry *registry,
                    struct lam_queue *queue, struct lam_host *host, bool halves,
                    struct run *r)
{
    struct lam_model *model;
    struct lam_session_options options = {
        .training = 1, .micro_batches = 1, .want_input_grad = true};
    int err = lam_model_parse(ctx, "text", text, strlen(text), NULL, 0, &model);

    if (!err)
        err = lam_graph_create(ctx, registry, host, 1, &r->graph);
    if (!err)
        err = lam_model_build(model, r->graph, 2);
    lam_model_destroy(model);
    if (err)
        return err;
    r->loss = lam_graph_find(r->graph, "d");
    err = lam_graph_fuse(&r->graph, &r->loss, 1);
    if (!err && halves)
        err = lam_graph_halves(&r->graph, &r->loss, 1);
    options.loss = r->loss;
    if (!err)
        err = lam_session_create(r->graph, queue, &options, &r->session);
    return err ? err : lam_session_init(r->session, 3);
}

static void fill(float *values, uint64_t seed)
{
    for (int i = 0; i < MAX; i++)
        values[i] = (float)lam_rng_normal(seed, (uint64_t)i);
}

static int run(struct run *r)
{
    const int image = lam_graph_find(r->graph, "image");
    static float values[MAX];
    int err;

    r->y = calloc(MAX, sizeof(float));
    r->dx = calloc(MAX, sizeof(float));
    fill(values, 1);
    err = lam_session_write(r->session, image, values);
    if (!err)
        err = lam_session_forward(r->session, 1);
    if (!err)
        err = lam_session_read(r->session, r->loss, r->y);
    fill(values, 2);
    if (!err)
        err = lam_session_write_grad(r->session, values);
    if (!err)
        err = lam_session_backward(r->session, 1.0, true);
    if (!err)
        err = lam_session_read_grad(r->session, image, r->dx);
    for (int i = 0; i < r->graph->n_weights && !err; i++) {
        r->grads[i] = calloc(MAX, sizeof(float));
        if (r->graph->weights[i].is_trained)
            err = lam_session_grad_read(r->session, i, r->grads[i]);
    }
    return err;
}

static void close_run(struct run *r)
{
    for (int i = 0; i < MAX_WEIGHTS; i++)
        free(r->grads[i]);
    free(r->y);
    free(r->dx);
    lam_session_destroy(r->session);
    lam_graph_destroy(r->graph);
}

// Within 1 % of the largest, but not the same: halves have rounded something.
static void check_close(const char *what, const float *a, const float *b)
{
    float largest = 0.0f, apart = 0.0f;

    for (int i = 0; i < MAX; i++) {
        largest = fmaxf(largest, fabsf(a[i]));
        apart = fmaxf(apart, fabsf(a[i] - b[i]));
    }
    if (!(apart <= 0.01f * largest) || !(apart > 0.0f))
        printf("%s: %g apart, the largest is %g\n", what, (double)apart,
               (double)largest);
    CHECK(apart <= 0.01f * largest);
    CHECK(apart > 0.0f);
}

static int dtype_of(const struct lam_graph *graph, const char *name)
{
    const int value = lam_graph_find(graph, name);

    return value < 0 ? -1 : graph->values[value].shape.dtype;
}

static void check_graph(const struct lam_graph *graph)
{
    int n_casts = 0;

    for (int i = 0; i < graph->n_nodes; i++)
        n_casts += strcmp(graph->nodes[i].layer.type->name, "cast") == 0;
    CHECK_INT(n_casts, 2); // of the image, and for dense
    CHECK_INT(dtype_of(graph, "image"), LAM_F32);
    CHECK_INT(dtype_of(graph, "image.half"), LAM_F16);
    CHECK_INT(dtype_of(graph, "both"), LAM_F16);
    CHECK_INT(dtype_of(graph, "mean"), LAM_F16);
    CHECK_INT(dtype_of(graph, "mean.float"), LAM_F32);
    CHECK_INT(dtype_of(graph, "d"), LAM_F32);
    for (int i = 0; i < graph->n_weights; i++)
        CHECK_INT(graph->weights[i].spec.shape.dtype, LAM_F32);
}

int main(void)
{
    static struct lam_context ctx;
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct run whole = {0}, half = {0};
    struct lam_registry *registry = lam_registry_create(&ctx);
    struct lam_queue *queue;
    struct lam_host host;
    int err;

    if (lam_queue_open(&ctx, &options, &queue)) {
        printf("%s\n", ctx.error);
        return getenv("LAMINA_REQUIRE_DEVICE") ? 1 : 77;
    }
    err = lam_registry_load_default(registry);
    if (!err)
        err = lam_host_init(&host, &ctx, queue, LAM_F32);
    if (!err)
        err = open_run(&ctx, registry, queue, &host, false, &whole);
    if (!err)
        err = run(&whole);
    if (!err)
        err = open_run(&ctx, registry, queue, &host, true, &half);
    if (!err)
        err = run(&half);
    CHECK_INT(err, 0);
    if (err) {
        printf("%s\n", ctx.error);
    } else {
        check_graph(half.graph);
        CHECK_INT(half.graph->n_weights, whole.graph->n_weights);
        CHECK_INT(lam_session_intact(half.session), 0);
        check_close("output", whole.y, half.y);
        check_close("gradient of the image", whole.dx, half.dx);
        for (int i = 0; i < whole.graph->n_weights; i++)
            if (whole.graph->weights[i].is_trained &&
                strcmp(whole.graph->weights[i].name, "d.bias") != 0)
                check_close(whole.graph->weights[i].name, whole.grads[i],
                            half.grads[i]);
    }
    close_run(&whole);
    close_run(&half);
    lam_host_finish(&host);
    lam_queue_close(queue);
    lam_registry_destroy(registry);
    return check_done();
}
