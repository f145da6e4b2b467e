#include "bench.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "fuse.h"
#include "half.h"
#include "halves.h"
#include "progress.h"
#include "rng.h"
#include "shape.h"

static float *numbers(int64_t n, const char *name, bool is_label)
{
    const uint64_t seed = lam_rng_hash(1, name);
    float *data = malloc((size_t)n * sizeof(*data));

    for (int64_t i = 0; data && i < n; i++) {
        const uint64_t bits = lam_rng_bits(seed, (uint64_t)i);

        data[i] = is_label ? (float)(bits >> 63)
                           : 2.0f * (float)(bits >> 40) * 0x1p-24f - 1.0f;
    }
    return data;
}

float *lam_bench_numbers(int64_t n, const char *name)
{
    return numbers(n, name, false);
}

int lam_bench_fill(struct lam_session *s, const struct lam_graph *graph,
                   int value)
{
    const struct lam_value *v = &graph->values[value];
    float *data = numbers(lam_shape_elements(&v->shape), v->name,
                          strcmp(v->name, "target") == 0);
    int err;

    if (!data)
        return lam_fail(graph->ctx, LAM_EMEMORY, "out of memory");
    if (v->shape.dtype == LAM_F16)
        lam_half_pack(data, lam_shape_elements(&v->shape));
    err = lam_session_write(s, value, data);
    free(data);
    return err;
}

static int step(struct lam_session *s, const struct lam_bench_options *options,
                bool has_optimizer, int64_t t, double *ms)
{
    const double started = lam_clock();
    int strange, err = lam_session_forward(s, (uint64_t)t);

    if (!err && options->training)
        err = lam_session_backward(s, 1.0, true);
    if (!err && options->training &&
        (options->keep_half || options->store_half))
        err = lam_session_unscale(s, 1.0, &strange);
    if (!err && options->training && has_optimizer)
        err = lam_session_step(s, t, 1e-4);
    if (!err)
        err = lam_session_finish(s);
    *ms = 1e3 * (lam_clock() - started);
    return err;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

struct lam_spread lam_bench_spread(double *ms, int n)
{
    qsort(ms, (size_t)n, sizeof(*ms), compare);
    return (struct lam_spread){.median = 0.5 * (ms[(n - 1) / 2] + ms[n / 2]),
                               .min = ms[0],
                               .quartile = ms[(n - 1) / 4],
                               .three_quartile = ms[3 * (n - 1) / 4]};
}

static int summarise(struct lam_context *ctx, struct lam_bench *bench)
{
    const size_t bytes = sizeof(double) * (size_t)bench->n;
    double *sorted = malloc(bytes);

    if (!sorted)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    memcpy(sorted, bench->all_ms, bytes);
    bench->spread = lam_bench_spread(sorted, bench->n);
    free(sorted);
    return LAM_OK;
}

static int open_session(struct lam_graph **graph, struct lam_queue *queue,
                        const struct lam_bench_options *bench,
                        struct lam_session_options *options,
                        struct lam_session **session)
{
    int err =
        bench->no_fuse ? LAM_OK : lam_graph_fuse(graph, &options->loss, 1);

    if (!err && bench->store_half)
        err = lam_graph_halves(graph, &options->loss, 1);

    if (!err)
        err = lam_session_create(*graph, queue, options, session);
    if (!err)
        err = lam_session_init(*session, 1);
    for (int i = 0; i < (*graph)->n_values && !err; i++)
        if ((*graph)->values[i].producer < 0)
            err = lam_bench_fill(*session, *graph, i);
    return err ? err : lam_session_finish(*session);
}

int lam_bench_run(struct lam_graph **graph, struct lam_queue *queue, int loss,
                  const struct lam_optimizer_type *optimizer,
                  const void *optimizer_config,
                  const struct lam_bench_options *options,
                  struct lam_bench *bench, struct lam_session **session)
{
    struct lam_session_options wanted = {.training = options->training,
                                         .loss = loss,
                                         .optimizer = optimizer,
                                         .optimizer_config = optimizer_config,
                                         .micro_batches = 1,
                                         .variants = options->variants,
                                         .keep_half = options->keep_half,
                                         .loss_scale = options->store_half,
                                         .tuning = lam_queue_tuning(queue)};
    const double started = lam_clock();
    struct lam_context *ctx = (*graph)->ctx;
    int64_t t = 1;
    double ms;
    int err;

    *bench = (struct lam_bench){.before_mib = lam_bench_peak_mib()};
    *session = NULL;
    if (options->no_fuse)
        wanted.joining = LAM_JOINING_NEVER;
    err = open_session(graph, queue, options, &wanted, session);
    if (err)
        return err;
    bench->create_s = lam_clock() - started;
    bench->memory = *lam_session_plan(*session);
    for (int i = 0; i < (*graph)->n_nodes; i++)
        bench->macs += (*graph)->nodes[i].shapes.macs;
    bench->all_ms = calloc((size_t)options->repeats, sizeof(*bench->all_ms));
    if (!bench->all_ms)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    err = step(*session, options, optimizer != NULL, t++, &bench->first_ms);
    for (int i = 1; i < options->warmup && !err; i++)
        err = step(*session, options, optimizer != NULL, t++, &ms);
    while (!err && bench->n < options->repeats) {
        err = step(*session, options, optimizer != NULL, t++,
                   &bench->all_ms[bench->n]);
        bench->n += !err;
    }
    lam_queue_built(queue, &bench->programs, &bench->hits, &bench->build_s);
    return err ? err : summarise(ctx, bench);
}

double lam_bench_peak_mib(void)
{
    struct rusage usage;

    return getrusage(RUSAGE_SELF, &usage) ? 0.0
                                          : (double)usage.ru_maxrss / 1024.0;
}

void lam_bench_free(struct lam_bench *bench)
{
    free(bench->all_ms);
    bench->all_ms = NULL;
}
