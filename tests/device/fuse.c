// Merged layers compute what the layers as written compute: same weights, same
// input, small whole numbers, so that every sum is exact.
#include "fuse.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "merge.h"
#include "model.h"
#include "rng.h"
#include "session.h"
#include "shape.h"

enum { MAX = 1 << 16, MAX_WEIGHTS = 16 };

static int failures;

#define CHECK(condition, ...)                                                  \
    do {                                                                       \
        if (!(condition)) {                                                    \
            printf("%s:%d: ", __FILE__, __LINE__);                             \
            printf(__VA_ARGS__);                                               \
            printf("\n");                                                      \
            failures++;                                                        \
        }                                                                      \
    } while (0)

static const char phases[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 2, 6, 5]\n"
    "layers:\n"
    "  - {name: a, type: conv2d, filters: 3, kernel: 3}\n"
    "  - {name: large, type: resize, scale: 2}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: larger, type: resize, scale: 3}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3, stride: 2}\n"
    "outputs: [c]\n";

// Batch norm and relu in training; what the second convolution and the pool
// read is made again for their gradients.
static const char norms[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 3, 7, 6]\n"
    "layers:\n"
    "  - {name: a, type: conv2d, filters: 5, kernel: 3, bias: false}\n"
    "  - {name: an, type: batchnorm}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: b, type: conv2d, filters: 6, kernel: 3}\n"
    "  - {name: bn, type: batchnorm, affine: false, epsilon: 0.5}\n"
    "  - {name: br, type: relu}\n"
    "  - {name: small, type: maxpool, kernel: 2}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 1}\n"
    "outputs: [c]\n";

// Relus without norms: `a` has two readers, of which one is a convolution, `b`
// and `t` have one, `d` is merged twice where `large` stands before it.
static const char relus[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 2, 7, 6]\n"
    "layers:\n"
    "  - {name: a, type: conv2d, filters: 3, kernel: 3}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: b, type: conv2d, filters: 3, kernel: 3}\n"
    "  - {name: br, type: relu}\n"
    "  - {name: sum, type: add, from: [br, ar]}\n"
    "  - {name: t, type: conv_transpose2d, filters: 2, kernel: 2, stride: 2}\n"
    "  - {name: tr, type: relu}\n"
    "%s"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: dr, type: relu}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3, stride: 2}\n"
    "outputs: [c]\n";

static const char large[] = "  - {name: large, type: resize, scale: 2}\n";

// Batch norm at inference, behind each kind of convolution.
static const char inference[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 4, 6, 5]\n"
    "layers:\n"
    "  - {name: a, type: conv2d, filters: 6, kernel: 3, bias: false}\n"
    "  - {name: an, type: batchnorm, epsilon: 0.5}\n"
    "  - {name: b, type: conv_transpose2d, filters: 8, kernel: 4, stride: 2, "
    "groups: 2}\n"
    "  - {name: bn, type: batchnorm, affine: false}\n"
    "  - {name: large, type: resize, scale: 2}\n"
    "  - {name: c, type: conv2d, filters: 4, kernel: 3, groups: 2}\n"
    "  - {name: cn, type: batchnorm, convention: tf}\n"
    "  - {name: cr, type: relu}\n"
    "outputs: [cr]\n";

// Exact on whole numbers.
static const char exact[] = "conv2d=plain";

struct run {
    struct lam_graph *graph;
    struct lam_session *session;
    float *y, *dx;
    float *grads[MAX_WEIGHTS]; // of a state, the state
};

static void fill(float *values, int64_t n, int seed)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = (float)((i * i + i / 3 + seed) % 7 == 0) -
                    (float)((i + seed * i / 5) % 5 == 0);
}

static int write_all(struct run *r, struct lam_context *ctx)
{
    static float values[MAX];
    int err = LAM_OK;

    fill(values, MAX, 1);
    err = lam_session_write(r->session, lam_graph_find(r->graph, "image"),
                            values);
    for (int i = 0; i < r->graph->n_weights && !err; i++) {
        fill(values, MAX, i + 2);
        err = lam_session_weight_write(r->session, i, values);
    }
    (void)ctx;
    return err;
}

static int run(struct lam_context *ctx, struct lam_registry *registry,
               struct lam_queue *queue, struct lam_host *host, const char *text,
               const char *variants, bool is_fused, bool keep_all,
               struct run *r)
{
    static float ones[MAX];
    struct lam_model *model;
    struct lam_session_options options = {.training = 1,
                                          .micro_batches = 1,
                                          .want_input_grad = true,
                                          .keep_all = keep_all,
                                          .variants = variants};
    int err = lam_model_parse(ctx, "text", text, strlen(text), NULL, 0, &model);

    if (!err)
        err = lam_graph_create(ctx, registry, host, 1, &r->graph);
    if (!err)
        err = lam_model_build(model, r->graph, 2);
    if (err)
        return err;
    options.loss = lam_graph_find(r->graph, "c");
    if (is_fused)
        err = lam_graph_fuse(&r->graph, &options.loss, 1);
    if (!err)
        err = lam_session_create(r->graph, queue, &options, &r->session);
    if (!err)
        err = write_all(r, ctx);
    if (!err)
        err = lam_session_forward(r->session, 1);
    r->y = calloc(MAX, sizeof(float));
    r->dx = calloc(MAX, sizeof(float));
    fill(ones, MAX, 9);
    if (!err)
        err = lam_session_read(r->session, options.loss, r->y);
    if (!err)
        err = lam_session_write_grad(r->session, ones);
    if (!err)
        err = lam_session_backward(r->session, 1.0, true);
    if (!err)
        err = lam_session_read_grad(r->session,
                                    lam_graph_find(r->graph, "image"), r->dx);
    for (int i = 0; i < r->graph->n_weights && !err; i++) {
        r->grads[i] = calloc(MAX, sizeof(float));
        err = r->graph->weights[i].is_trained
                  ? lam_session_grad_read(r->session, i, r->grads[i])
                  : lam_session_weight_read(r->session, i, r->grads[i]);
    }
    lam_model_destroy(model);
    return err;
}

// Any positive numbers, by name.
static int find_weight(void *data, const char *name, int64_t n,
                       const float **values)
{
    static float found[MAX];

    (void)data;
    for (int64_t i = 0; i < n; i++)
        found[i] =
            0.1f + (float)lam_rng_unit(lam_rng_hash(1, name), (uint64_t)i);
    *values = found;
    return LAM_OK;
}

static int infer(struct lam_context *ctx, struct lam_registry *registry,
                 struct lam_queue *queue, struct lam_host *host, bool is_fused,
                 struct run *r)
{
    const struct lam_session_options options = {.loss = -1};
    static float values[MAX];
    struct lam_model *model;
    int err = lam_model_parse(ctx, "text", inference, strlen(inference), NULL,
                              0, &model);

    if (!err)
        err = lam_graph_create(ctx, registry, host, 0, &r->graph);
    if (!err)
        err = lam_model_build(model, r->graph, 2);
    if (!err && is_fused)
        err = lam_graph_fuse(&r->graph, NULL, 0);
    if (!err)
        err = lam_session_create(r->graph, queue, &options, &r->session);
    fill(values, MAX, 1);
    if (!err)
        err = lam_session_write(r->session, lam_graph_find(r->graph, "image"),
                                values);
    for (int i = 0; !err && i < r->graph->n_weights; i++) {
        err = lam_graph_weight_values(r->graph, i, find_weight, NULL, values);
        if (!err)
            err = lam_session_weight_write(r->session, i, values);
    }
    if (!err)
        err = lam_session_forward(r->session, 1);
    r->y = calloc(MAX, sizeof(float));
    if (!err)
        err =
            lam_session_read(r->session, lam_graph_find(r->graph, "cr"), r->y);
    lam_model_destroy(model);
    return err;
}

static bool close_to(const float *a, const float *b)
{
    float largest = 0.0f;

    for (int i = 0; i < MAX; i++)
        largest = fmaxf(largest, fabsf(a[i]));
    for (int i = 0; i < MAX; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * largest))
            return false;
    return largest > 0.0f;
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

static void check_inference(struct lam_context *ctx,
                            struct lam_registry *registry,
                            struct lam_queue *queue, struct lam_host *host)
{
    struct run plain = {0}, fused = {0};
    int err = infer(ctx, registry, queue, host, false, &plain);

    if (!err)
        err = infer(ctx, registry, queue, host, true, &fused);
    CHECK(!err, "%s", ctx->error);
    if (!err) {
        CHECK(plain.graph->n_nodes == 8, "%d layers", plain.graph->n_nodes);
        CHECK(fused.graph->n_nodes == 3, "%d layers", fused.graph->n_nodes);
        CHECK(close_to(plain.y, fused.y), "outputs differ at inference");
    }
    close_run(&plain);
    close_run(&fused);
}

static bool same(const void *a, const void *b)
{
    return memcmp(a, b, MAX * sizeof(float)) == 0;
}

static void check_same(const struct run *a, const struct run *b)
{
    CHECK(a->graph->n_weights == b->graph->n_weights, "weights");
    CHECK(same(a->y, b->y), "outputs differ");
    CHECK(same(a->dx, b->dx), "gradients of the input differ");
    for (int i = 0; i < a->graph->n_weights; i++) {
        CHECK(strcmp(a->graph->weights[i].name, b->graph->weights[i].name) == 0,
              "weight %s was %s", b->graph->weights[i].name,
              a->graph->weights[i].name);
        CHECK(same(a->grads[i], b->grads[i]), "gradients of %s differ",
              b->graph->weights[i].name);
    }
}

static bool equal(const float *a, const float *b)
{
    for (int i = 0; i < MAX; i++)
        if (a[i] != b[i])
            return false;
    return true;
}

// Gradients go through relus in the layers behind them, whatever kernels these
// have: the same numbers, though zeros may have another sign.
static void check_relus(struct lam_context *ctx, struct lam_registry *registry,
                        struct lam_queue *queue, struct lam_host *host)
{
    // The first can serve merged resizes too.
    static const char *const names[] = {"plain",     "direct",      "implicit",
                                        "gemm",      "panel",       "winograd",
                                        "winograd2", "winograd_gpu"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct run runs[3] = {0};
        const bool has_resize = i < 4;
        char variants[160], text[sizeof(relus) + sizeof(large)];
        int err = LAM_OK;

        snprintf(text, sizeof(text), relus, has_resize ? large : "");
        snprintf(variants, sizeof(variants),
                 "conv2d=%s,conv_transpose2d=%s,upsample_conv2d=%s", names[i],
                 names[i], names[i]);
        for (int k = 0; k < 3 && !err; k++)
            err = run(ctx, registry, queue, host, text, variants, k > 0, k > 1,
                      &runs[k]);
        CHECK(!err, "%s", ctx->error);
        if (!err) {
            bool same_grads = true;

            CHECK(runs[0].graph->n_nodes == 10 + has_resize, "%d",
                  runs[0].graph->n_nodes);
            CHECK(runs[1].graph->n_nodes == 6, "%d", runs[1].graph->n_nodes);
            for (int w = 0; w < runs[0].graph->n_weights; w++)
                same_grads &= equal(runs[0].grads[w], runs[1].grads[w]) &&
                              equal(runs[0].grads[w], runs[2].grads[w]);
            CHECK(same_grads, "%s: gradients of weights differ", names[i]);
            CHECK(equal(runs[0].y, runs[1].y), "%s: outputs differ", names[i]);
            CHECK(equal(runs[0].dx, runs[1].dx) &&
                      equal(runs[0].dx, runs[2].dx),
                  "%s: gradients of the input differ", names[i]);
            CHECK(!lam_session_intact(runs[1].session), "%s", ctx->error);
        }
        for (int k = 0; k < 3; k++)
            close_run(&runs[k]);
    }
}

// Both ways of keeping, as written and merged: the same bits.
static void check_norms(struct lam_context *ctx, struct lam_registry *registry,
                        struct lam_queue *queue, struct lam_host *host)
{
    struct run runs[4] = {0};
    int err = LAM_OK;

    for (int i = 0; i < 4 && !err; i++)
        err = run(ctx, registry, queue, host, norms, exact, i & 1, i & 2,
                  &runs[i]);
    CHECK(!err, "%s", ctx->error);
    if (!err) {
        CHECK(runs[0].graph->n_nodes == 8, "%d layers", runs[0].graph->n_nodes);
        CHECK(runs[1].graph->n_nodes == 6, "%d layers", runs[1].graph->n_nodes);
        CHECK(lam_session_plan(runs[1].session)->activations <
                  lam_session_plan(runs[0].session)->activations,
              "nothing was saved");
        check_same(&runs[2], &runs[3]);
        check_same(&runs[2], &runs[0]);
        check_same(&runs[2], &runs[1]);
        CHECK(!lam_session_intact(runs[1].session), "%s", ctx->error);
    }
    for (int i = 0; i < 4; i++)
        close_run(&runs[i]);
}

int main(void)
{
    struct lam_context ctx = {0};
    struct lam_registry *registry = lam_registry_create(&ctx);
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_queue *queue;
    struct lam_host host;
    struct run plain = {0}, fused = {0};
    int err;

    if (lam_queue_open(&ctx, &options, &queue)) {
        printf("%s\n", ctx.error);
        return getenv("LAMINA_REQUIRE_DEVICE") ? 1 : 77;
    }
    err = lam_registry_load_default(registry);
    if (!err)
        err = lam_host_init(&host, &ctx, queue, LAM_F32);
    if (!err)
        err = run(&ctx, registry, queue, &host, phases, exact, false, false,
                  &plain);
    if (!err)
        err = run(&ctx, registry, queue, &host, phases, exact, true, false,
                  &fused);
    CHECK(!err, "%s", ctx.error);
    if (!err) {
        CHECK(plain.graph->n_nodes == 5, "%d layers", plain.graph->n_nodes);
        CHECK(fused.graph->n_nodes == 4, "%d layers: a stride stays two",
              fused.graph->n_nodes);
        check_same(&plain, &fused);
        CHECK(!lam_session_intact(fused.session), "%s", ctx.error);
    }
    close_run(&plain);
    close_run(&fused);
    check_norms(&ctx, registry, queue, &host);
    check_relus(&ctx, registry, queue, &host);
    check_inference(&ctx, registry, queue, &host);
    lam_host_finish(&host);
    lam_queue_close(queue);
    lam_registry_destroy(registry);
    printf("%d failures\n", failures);
    return failures > 0;
}
