// Batch norm whose statistics several ranks share: n ranks with a part of a
// batch each give the very bits of one that has it all, in what they compute,
// in the gradient of their images and in the running statistics; gradients of
// weights, which are sums, but for rounding.
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "collective_threads.h"
#include "fuse.h"
#include "model.h"
#include "reduce.h"
#include "rng.h"

// Planes of more than a chunk of the norms, and not a multiple of one.
enum { N = 4, PLANE = 71 * 59, IMAGE = 3 * PLANE, MAX_WEIGHTS = 10 };

static const char text[] =
    "format: 1\n"
    "name: test\n"
    "inputs:\n"
    "  image: [N, 3, 71, 59]\n"
    "layers:\n"
    "  - {name: a, type: batchnorm}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: b, type: batchnorm, convention: tf, momentum: 0.7}\n"
    "  - {name: c, type: batchnorm, affine: false}\n"
    "outputs: [c]\n";

struct run {
    struct lam_context ctx;
    struct lam_collective ranks;
    pthread_t thread;
    int sharing, images; // ranks that share, images of each
    float y[N * IMAGE], dx[N * IMAGE];
    float weights[MAX_WEIGHTS][3]; // gradients; of a state, the state
    bool is_sum[MAX_WEIGHTS];
    int n_weights, err;
};

struct made {
    struct lam_registry *registry;
    struct lam_queue *queue;
    struct lam_host host;
    struct lam_graph *graph;
    struct lam_session *session;
    struct lam_reduce *reduce;
};

static float number(uint64_t what, int64_t i)
{
    return (float)(lam_rng_unit(what, (uint64_t)i) - 0.3);
}

static int make(struct run *r, struct made *m)
{
    const struct lam_queue_options options = {.poison = true, .canary = true};
    struct lam_session_options plan = {.training = 1,
                                       .micro_batches = 1,
                                       .observe = r->sharing > 1,
                                       .want_input_grad = true};
    struct lam_model *model;
    int err = lam_queue_open(&r->ctx, &options, &m->queue);

    m->registry = lam_registry_create(&r->ctx);
    if (!err)
        err = lam_registry_load_default(m->registry);
    if (!err)
        err = lam_host_init(&m->host, &r->ctx, m->queue, LAM_F32);
    if (err)
        return err;
    if (r->sharing > 1)
        lam_host_share(&m->host, &r->ranks, r->sharing);
    err = lam_model_parse(&r->ctx, "text", text, strlen(text), NULL, 0, &model);
    if (!err)
        err = lam_graph_create(&r->ctx, m->registry, &m->host, 1, &m->graph);
    if (!err)
        err = lam_model_build(model, m->graph, r->images);
    if (err)
        return err;
    plan.loss = lam_graph_find(m->graph, "c");
    err = lam_graph_fuse(&m->graph, &plan.loss, 1);
    lam_model_destroy(model);
    if (!err)
        err = lam_session_create(m->graph, m->queue, &plan, &m->session);
    return err ? err : lam_session_init(m->session, 1);
}

// One forward and backward run on the images of this rank.
static int step(struct run *r, struct made *m)
{
    const struct lam_reduce_options options = {.bucket_bytes = 1,
                                               .alike = r->sharing};
    const int first = r->images * r->ranks.place.rank;
    const int image = lam_graph_find(m->graph, "image");
    float *numbers = malloc(sizeof(r->y));
    int err = LAM_OK;

    if (r->sharing > 1)
        err = lam_reduce_create(&r->ranks, m->session, m->graph, &options,
                                &m->reduce);
    if (!err && m->reduce)
        err = lam_reduce_begin(m->reduce, r->sharing, true, true);
    for (int i = 0; i < r->images * IMAGE; i++)
        numbers[i] = number(1, first * IMAGE + i);
    if (!err)
        err = lam_session_write(m->session, image, numbers);
    if (!err)
        err = lam_session_forward(m->session, 1);
    for (int i = 0; i < r->images * IMAGE; i++)
        numbers[i] = number(2, first * IMAGE + i);
    if (!err)
        err = lam_session_write_grad(m->session, numbers);
    if (!err)
        err = lam_session_backward(m->session, 1.0, true);
    if (!err && m->reduce)
        err = lam_reduce_finish(m->reduce);
    if (!err && m->reduce)
        err = lam_reduce_store(m->reduce);
    if (!err)
        err = lam_session_read(m->session, lam_graph_find(m->graph, "c"), r->y);
    if (!err)
        err = lam_session_read_grad(m->session, image, r->dx);
    r->n_weights = m->graph->n_weights;
    for (int i = 0; i < r->n_weights && !err; i++) {
        r->is_sum[i] = m->graph->weights[i].is_trained;
        err = m->graph->weights[i].is_trained
                  ? lam_session_grad_read(m->session, i, r->weights[i])
                  : lam_session_weight_read(m->session, i, r->weights[i]);
    }
    free(numbers);
    return err ? err : lam_session_intact(m->session);
}

static void *work(void *data)
{
    struct run *r = data;
    struct made m = {0};

    r->err = make(r, &m);
    if (!r->err)
        r->err = step(r, &m);
    if (r->err && r->sharing > 1)
        r->ranks.transport->leave(r->ranks.data);
    lam_reduce_destroy(m.reduce);
    lam_session_destroy(m.session);
    lam_graph_destroy(m.graph);
    lam_host_finish(&m.host);
    lam_queue_close(m.queue);
    lam_registry_destroy(m.registry);
    return NULL;
}

static bool is_close(const float *a, const float *b, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * fabsf(a[i]) + 1e-4f))
            return false;
    return true;
}

static void check_ranks(const struct run *whole, int n)
{
    struct run *parts = calloc((size_t)n, sizeof(*parts));
    struct lam_thread_group *group = lam_thread_group_create(n);
    const size_t bytes = sizeof(whole->y) / (size_t)n;

    for (int i = 0; i < n; i++) {
        parts[i].sharing = n;
        parts[i].images = N / n;
        parts[i].ranks.ctx = &parts[i].ctx;
        parts[i].ranks.timeout_s = 60.0;
        CHECK(lam_thread_group_join(group, i, &parts[i].ranks));
    }
    for (int i = 0; i < n; i++)
        CHECK(!pthread_create(&parts[i].thread, NULL, work, &parts[i]));
    for (int i = 0; i < n; i++)
        pthread_join(parts[i].thread, NULL);
    for (int i = 0; i < n; i++) {
        const size_t at = (size_t)i * (bytes / sizeof(float));

        CHECK_STR(parts[i].ctx.error, "");
        CHECK(check_same(parts[i].y, whole->y + at, bytes));
        CHECK(check_same(parts[i].dx, whole->dx + at, bytes));
        for (int k = 0; k < whole->n_weights; k++)
            CHECK(whole->is_sum[k]
                      ? is_close(whole->weights[k], parts[i].weights[k], 3)
                      : check_same(whole->weights[k], parts[i].weights[k],
                                   sizeof(whole->weights[k])));
        free(parts[i].ranks.data);
    }
    lam_thread_group_destroy(group);
    free(parts);
}

int main(void)
{
    static struct run whole = {.sharing = 1, .images = N};

    work(&whole);
    if (whole.err == LAM_EDEVICE) {
        printf("%s\n", whole.ctx.error);
        return getenv("LAMINA_REQUIRE_DEVICE") ? 1 : 77;
    }
    CHECK_STR(whole.ctx.error, "");
    CHECK(fabsf(whole.y[1] - whole.y[0]) > 0.0f);
    CHECK_INT(whole.n_weights, 10);
    check_ranks(&whole, 2);
    check_ranks(&whole, 4);
    return check_done();
}
