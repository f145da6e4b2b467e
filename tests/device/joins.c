// Networks whose concat has nothing to do, for its inputs are made in its
// output, and whose sums have nothing to do backward: they compute the bits
// that they compute with copies, in inference and through steps of training,
// with one image and with several.
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "fuse.h"
#include "halves.h"
#include "joins.h"
#include "model.h"
#include "rng.h"
#include "session.h"
#include "shape.h"

enum { MAX = 1 << 17, STEPS = 2 };

struct place { // where all runs happen
    struct lam_context ctx;
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
};

struct run {
    bool training, keep_all;
    enum { FLOATS, KEEPS_HALF, STORES_HALF } numbers;
    int joining, images;
    const char *variants;
    float record[MAX]; // all that it computed
    int n;
    struct lam_memory memory;
};

// With one, what layers make of weights shares memory with values.
static int micro_batches(const struct run *r)
{
    return r->numbers == STORES_HALF ? 1 : 2;
}

static int fill_input(struct lam_session *s, const struct lam_graph *graph,
                      uint64_t seed)
{
    static float values[MAX];

    for (int i = 0; i < MAX; i++)
        values[i] = (float)lam_rng_normal(seed, (uint64_t)i);
    return lam_session_write(s, lam_graph_find(graph, "image"), values);
}

static float *room(struct run *r, const struct lam_shape *shape)
{
    float *values = r->record + r->n;

    r->n += (int)lam_shape_elements(shape);
    if (r->n > MAX)
        abort();
    return values;
}

static int record_outputs(struct run *r, struct lam_session *s,
                          const struct lam_graph *graph)
{
    int err = LAM_OK;

    for (int i = 0; i < graph->n_values && !err; i++)
        if (graph->values[i].is_output)
            err = lam_session_read(s, i, room(r, &graph->values[i].shape));
    return err;
}

// One update; gradients of the image are kept as well.
static int step(struct run *r, struct lam_session *s,
                const struct lam_graph *graph, int t)
{
    static float ones[MAX];
    const int image = lam_graph_find(graph, "image");
    int err = LAM_OK;

    for (int i = 0; i < MAX; i++)
        ones[i] = (float)(i % 3) - 0.75f;
    for (int m = 0; m < micro_batches(r) && !err; m++) {
        err = fill_input(s, graph, (uint64_t)(10 * t + m));
        if (!err)
            err = lam_session_forward(s, (uint64_t)t);
        if (!err)
            err = record_outputs(r, s, graph);
        if (!err)
            err = lam_session_write_grad(s, ones);
        if (!err)
            err = lam_session_backward(s, 1.0, m == 0);
        if (!err)
            err = lam_session_read_grad(s, image,
                                        room(r, &graph->values[image].shape));
    }
    return err ? err : lam_session_step(s, t, 1e-3);
}

static int train(struct run *r, struct lam_session *s,
                 const struct lam_graph *graph)
{
    int err = LAM_OK;

    for (int t = 1; t <= STEPS && !err; t++)
        err = step(r, s, graph, t);
    for (int i = 0; i < graph->n_weights && !err; i++)
        err = lam_session_weight_read(s, i,
                                      room(r, &graph->weights[i].spec.shape));
    return err;
}

static int infer(struct run *r, struct lam_session *s,
                 const struct lam_graph *graph)
{
    int err = LAM_OK;

    for (uint64_t seed = 1; seed <= STEPS && !err; seed++) {
        err = fill_input(s, graph, seed);
        if (!err)
            err = lam_session_forward(s, seed);
        if (!err)
            err = record_outputs(r, s, graph);
    }
    return err;
}

static int run(struct place *p, const char *layers, struct run *r)
{
    static const double config[64]; // plain steps
    char text[4096];
    struct lam_model *model;
    struct lam_graph *graph = NULL;
    struct lam_session *s = NULL;
    struct lam_session_options options = {
        .training = r->training,
        .loss = -1,
        .micro_batches = micro_batches(r),
        .want_input_grad = true,
        .keep_all = r->keep_all,
        .keep_half = r->numbers == KEEPS_HALF,
        .joining = r->joining,
        .variants = r->variants,
        .optimizer = lam_registry_optimizer(p->registry, "sgd"),
        .optimizer_config = config};
    int err;

    snprintf(text, sizeof(text),
             "format: 1\nname: test\ninputs:\n  image: [N, 2, 16, 16]\n"
             "layers:\n%s",
             layers);
    err = lam_model_parse(&p->ctx, "text", text, strlen(text), NULL, 0, &model);
    if (!err)
        err = lam_graph_create(&p->ctx, p->registry, &p->host, r->training,
                               &graph);
    if (!err)
        err = lam_model_build(model, graph, r->images);
    if (!err && r->training)
        options.loss = lam_graph_find(graph, "c");
    if (!err)
        err = lam_graph_fuse(&graph, r->training ? &options.loss : NULL,
                             r->training);
    if (!err && r->numbers == STORES_HALF)
        err = lam_graph_halves(&graph, &options.loss, 1);
    if (!err)
        err = lam_session_create(graph, p->queue, &options, &s);
    if (!err)
        err = lam_session_init(s, 3);
    if (!err)
        err = r->training ? train(r, s, graph) : infer(r, s, graph);
    if (!err)
        err = lam_session_intact(s);
    if (!err)
        r->memory = *lam_session_plan(s);
    lam_session_destroy(s);
    lam_graph_destroy(graph);
    lam_model_destroy(model);
    CHECK_INT(err, LAM_OK);
    CHECK_INT(lam_queue_live_buffers(p->queue), 0);
    return err;
}

static void check_equal(const char *name, const struct run *a,
                        const struct run *b)
{
    int apart = a->n == b->n ? -1 : 0;

    for (int i = 0; i < a->n && apart < 0; i++)
        if (!check_same(&a->record[i], &b->record[i], sizeof(float)))
            apart = i;
    if (apart >= 0)
        printf("%s: %s (%d), %d images, %s, joined %d: number %d of %d is %g, "
               "was %g\n",
               name, b->training ? "training" : "inference", (int)b->numbers,
               b->images, b->variants ? b->variants : "all kernels", b->joining,
               apart, a->n, (double)b->record[apart], (double)a->record[apart]);
    CHECK(apart < 0);
}

static void check_counts(const struct run *r, const struct lam_memory *m, int i)
{
    const struct counts counts =
        r->images > 1 ? cases[i].several : cases[i].one;
    const int run = r->training ? counts.training : counts.inference;
    const int backward = r->training ? counts.backward : 0;

    if (r->training && r->numbers == FLOATS)
        CHECK_INT(m->n_same, cases[i].same);
    // What waits as halves has no gaps; what is stored as halves was cast.
    if (r->images > 1 && r->numbers == KEEPS_HALF) {
        CHECK_INT(m->n_joined, 0);
        CHECK(m->n_joined_backward <= backward);
    } else if (r->numbers == STORES_HALF) {
        CHECK(m->n_joined >= run);
        CHECK_INT(m->n_joined_backward, backward);
    } else {
        CHECK_INT(m->n_joined, run);
        CHECK_INT(m->n_joined_backward, backward);
    }
}

// Returns what was joined.
static struct lam_memory check_network(struct place *p, const char *name,
                                       const char *layers,
                                       const struct run *start)
{
    static struct run copied, joined, saving;

    copied = joined = saving = *start;
    copied.joining = LAM_JOINING_NEVER;
    copied.keep_all = start->numbers == FLOATS;
    joined.joining = LAM_JOINING_ALWAYS;
    if (run(p, layers, &copied) || run(p, layers, &joined) ||
        run(p, layers, &saving)) {
        printf("%s: %s\n%s", name, p->ctx.error, layers);
        return (struct lam_memory){0};
    }
    CHECK_INT(copied.memory.n_joined, 0);
    CHECK_INT(copied.memory.n_joined_backward, 0);
    CHECK(copied.keep_all || saving.memory.total <= copied.memory.total);
    check_equal(name, &copied, &joined);
    check_equal(name, &copied, &saving);
    return joined.memory;
}

static void check_case(struct place *p, int i, const struct run *start)
{
    const struct lam_memory memory =
        check_network(p, cases[i].name, cases[i].layers, start);

    check_counts(start, &memory, i);
}

static void check_numbers(struct place *p, int i, int images)
{
    for (int numbers = FLOATS; numbers <= STORES_HALF; numbers++)
        check_case(p, i,
                   &(struct run){
                       .training = true, .numbers = numbers, .images = images});
    check_case(p, i, &(struct run){.images = images});
}

// Each kind of kernel of convolutions, where it can serve.
static void check_kernels(struct place *p)
{
    static const char *const names[] = {
        "plain", "direct",   "phases",    "implicit",     "gemm",
        "panel", "winograd", "winograd2", "winograd_gpu", "winograd2_gpu"};
    const int last = (int)(sizeof(cases) / sizeof(*cases)) - 1;
    char variants[128];

    for (size_t k = 0; k < sizeof(names) / sizeof(*names); k++) {
        const bool enlarges = k < 5;

        snprintf(variants, sizeof(variants),
                 "conv2d=%s,conv_transpose2d=%s,upsample_conv2d=%s", names[k],
                 names[k], enlarges ? names[k] : "plain");
        for (int training = 0; training < 2; training++)
            check_case(p, last,
                       &(struct run){.training = training,
                                     .images = 3,
                                     .variants = variants});
    }
}

static uint64_t seed_drawn, at;

static int draw(int n)
{
    return (int)(lam_rng_bits(seed_drawn, at++) % (uint64_t)n);
}

enum { N_LAYERS = 14, MOST_CHANNELS = 12 };

// One of the last values rather than one of long ago; with as many channels,
// 0: with any.
static int draw_value(const int *channels, int n, int wanted)
{
    int v;

    do
        v = n - 1 - draw(draw(2) && n > 3 ? 3 : n);
    while (wanted && channels[v] != wanted);
    return v;
}

// Layers v1, v2, .. that read any before them.
static void draw_network(uint64_t seed, char *text, size_t size)
{
    static const char *const alone[] = {
        "relu",       "tanh",
        "gelu",       "batchnorm",
        "dropout",    "groupnorm, groups: 2",
        "leaky_relu", "maxpool, kernel: 3, stride: 1"};
    int channels[N_LAYERS + 1] = {2};
    size_t n = (size_t)snprintf(
        text, size, "  - {name: v0, type: conv2d, filters: 2, kernel: 3}\n");

    seed_drawn = seed;
    at = 0;
    for (int i = 1; i <= N_LAYERS; i++) {
        const int kind = draw(10), a = draw_value(channels, i, 0);
        const int b = draw_value(channels, i, channels[a]);
        const int c = draw_value(channels, i, 0);

        channels[i] = channels[a];
        n += (size_t)snprintf(text + n, size - n, "  - {name: v%d, ", i);
        if (kind < 3 && channels[a] + channels[c] <= MOST_CHANNELS) {
            channels[i] += channels[c];
            n += (size_t)snprintf(text + n, size - n,
                                  "type: concat, from: [%s%d, %s%d]}\n", "v", a,
                                  "v", c);
        } else if (kind < 5) {
            n += (size_t)snprintf(text + n, size - n,
                                  "type: %s, from: [%s%d, %s%d]}\n",
                                  draw(4) ? "add" : "mul", "v", a, "v", b);
        } else if (kind < 7) {
            n += (size_t)snprintf(text + n, size - n, "type: %s, from: %s%d}\n",
                                  alone[draw(8)], "v", a);
        } else {
            channels[i] = 2 + 2 * draw(2);
            n += (size_t)snprintf(text + n, size - n,
                                  "type: conv2d, filters: %d, kernel: %d, "
                                  "from: %s%d}\n",
                                  channels[i], 1 + 2 * draw(2), "v", a);
        }
    }
    snprintf(text + n, size - n,
             "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
             "outputs: [c]\n");
}

static void check_random(struct place *p, uint64_t n)
{
    char layers[4096], name[32];
    int n_joined = 0, n_same = 0;

    for (uint64_t seed = 0; seed < n; seed++) {
        draw_network(seed, layers, sizeof(layers));
        snprintf(name, sizeof(name), "network %d", (int)seed);
        for (int k = 0; k < 4; k++) {
            const struct run start = {.training = k < 3,
                                      .numbers = k == 1 ? KEEPS_HALF : FLOATS,
                                      .images = k == 2 ? 1 : 2};
            const struct lam_memory m = check_network(p, name, layers, &start);

            n_joined += m.n_joined + m.n_joined_backward;
            n_same += m.n_same;
        }
    }
    CHECK(n < 8 || n_joined > (int)n);
    CHECK(n < 8 || n_same > (int)n);
}

int main(int argc, char **argv)
{
    static struct place p;
    const struct lam_queue_options options = {.poison = true, .canary = true};

    if (lam_queue_open(&p.ctx, &options, &p.queue)) {
        printf("%s\n", p.ctx.error);
        return getenv("LAMINA_REQUIRE_DEVICE") ? 1 : 77;
    }
    p.registry = lam_registry_create(&p.ctx);
    CHECK_INT(lam_registry_load_default(p.registry), LAM_OK);
    CHECK_INT(lam_host_init(&p.host, &p.ctx, p.queue, LAM_F32), LAM_OK);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        check_numbers(&p, (int)i, 1);
        check_numbers(&p, (int)i, 3);
    }
    check_kernels(&p);
    check_random(&p, argc > 1 ? strtoull(argv[1], NULL, 10) : 8);
    lam_host_finish(&p.host);
    lam_queue_close(p.queue);
    lam_registry_destroy(p.registry);
    return check_done();
}
