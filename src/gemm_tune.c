#include "gemm_tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "gemm_sets.h"
#include "progress.h"
#include "trial.h"

enum { MAX_SETS = 32 };

static const double bound = 2e-4;    // as for variants, see tune.c
static const double worth_it = 0.98; // own parameters stay for less
static const double hopeless = 3.0;  // a set this much slower: measured once

enum { ROUTINE_OWN, ROUTINE_COPIED, ROUTINE_DIRECT }; // which way is forced

struct set {
    const char *text; // "" : CLBlast's own
    int way;
    bool is_measured;
    double ms[LAM_GEMM_SHAPES];
};

struct job {
    struct lam_queue *queue;
    const struct lam_tune_options *options;
    struct lam_gemm_result *result;
    struct lam_gemm_shape shapes[LAM_GEMM_SHAPES];
    int n, n_sets;
    struct set sets[MAX_SETS];
    struct lam_tensor matrix[3]; // A, B, C
    float *reference[LAM_GEMM_SHAPES], *got;
    double best[LAM_GEMM_SHAPES];
};

static struct lam_gemm gemm_of(const struct job *j,
                               const struct lam_gemm_shape *s)
{
    return (struct lam_gemm){.a = &j->matrix[0],
                             .b = &j->matrix[1],
                             .c = &j->matrix[2],
                             .lda = s->trans_a ? s->m : s->k,
                             .ldb = s->trans_b ? s->k : s->n,
                             .ldc = s->n,
                             .stride_a = s->shared_a ? 0 : (int64_t)s->m * s->k,
                             .stride_b = s->shared_b ? 0 : (int64_t)s->k * s->n,
                             .stride_c = (int64_t)s->m * s->n,
                             .trans_a = s->trans_a,
                             .trans_b = s->trans_b,
                             .m = s->m,
                             .n = s->n,
                             .k = s->k,
                             .batch = s->batch,
                             .alpha = 1.0};
}

static int64_t results_of(const struct lam_gemm_shape *s)
{
    return (int64_t)s->m * s->n * s->batch;
}

static int make_matrix(struct job *j, int i, int64_t n)
{
    struct lam_buffer *buffer = NULL;
    float *numbers = lam_bench_numbers(n, i ? "b" : "a");
    const size_t bytes = sizeof(*numbers) * (size_t)n;
    int err = numbers ? lam_buffer_create(j->queue, bytes, &buffer)
                      : lam_fail(lam_queue_context(j->queue), LAM_EMEMORY,
                                 "out of memory");

    j->matrix[i] = (struct lam_tensor){
        .shape = {.dtype = LAM_F32, .rank = 1, .dim = {n}}, .buffer = buffer};
    if (!err)
        err = lam_buffer_write(buffer, 0, bytes, numbers);
    free(numbers);
    return err;
}

static int read_results(struct job *j, const struct lam_gemm_shape *s,
                        float *to)
{
    return lam_buffer_read(j->matrix[2].buffer, 0,
                           sizeof(*to) * (size_t)results_of(s), to);
}

// The matrices, and what the plain kernel makes of them.
static int open_shapes(struct job *j)
{
    struct lam_context *ctx = lam_queue_context(j->queue);
    int64_t largest[3] = {0};
    int err = LAM_OK;

    for (int i = 0; i < j->n; i++) {
        const struct lam_gemm_shape *s = &j->shapes[i];
        const int64_t sizes[3] = {
            (int64_t)s->m * s->k * (s->shared_a ? 1 : s->batch),
            (int64_t)s->k * s->n * (s->shared_b ? 1 : s->batch), results_of(s)};

        for (int k = 0; k < 3; k++)
            largest[k] = sizes[k] > largest[k] ? sizes[k] : largest[k];
    }
    for (int k = 0; k < 3 && !err; k++)
        err = make_matrix(j, k, largest[k]);
    j->got = malloc(sizeof(*j->got) * (size_t)largest[2]);
    for (int i = 0; i < j->n && !err; i++) {
        const struct lam_gemm_shape *s = &j->shapes[i];
        const struct lam_gemm g = gemm_of(j, s);

        j->best[i] = INFINITY;
        j->reference[i] =
            malloc(sizeof(*j->reference[i]) * (size_t)results_of(s));
        if (!j->reference[i] || !j->got)
            err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
        if (!err)
            err = lam_gemm_plain(j->queue, LAM_F32, &g);
        if (!err)
            err = read_results(j, s, j->reference[i]);
    }
    return err;
}

static void close_shapes(struct job *j)
{
    for (int k = 0; k < 3; k++)
        lam_buffer_destroy(j->matrix[k].buffer);
    for (int i = 0; i < j->n; i++)
        free(j->reference[i]);
    free(j->got);
}

static int run(struct job *j, const struct lam_gemm *g, int times, double *ms,
               char *why, size_t size)
{
    const double started = lam_clock();
    int err;

    for (int i = 0; i < times; i++)
        if (!lam_gemm_try(j->queue, g, why, size))
            return LAM_OK;
    err = lam_queue_finish(j->queue);
    *ms = 1e3 * (lam_clock() - started) / times;
    return err;
}

// Time of a shape; why is not "" where the set does not serve it.
static int measure(struct job *j, int i, double *ms, char *why, size_t size)
{
    const struct lam_gemm g = gemm_of(j, &j->shapes[i]);
    double *all = calloc((size_t)j->options->repeats, sizeof(*all));
    double difference = 0.0, once = 0.0;
    int n = 0, err;

    if (!all)
        return lam_fail(lam_queue_context(j->queue), LAM_EMEMORY,
                        "out of memory");
    // The first run compiles, and must write all of what was not a number.
    err = lam_buffer_fill(j->matrix[2].buffer, 0xFF);
    if (!err)
        err = run(j, &g, 1, &once, why, size);
    if (!err && !why[0])
        err = read_results(j, &j->shapes[i], j->got);
    if (!err && !why[0])
        difference = lam_tune_difference(j->got, j->reference[i],
                                         results_of(&j->shapes[i]));
    if (!(difference <= bound))
        snprintf(why, size, "off by %.1e", difference);
    if (!err && !why[0])
        err = run(j, &g, 1, &once, why, size);
    while (!err && !why[0] && once < hopeless * j->best[i] &&
           n < j->options->repeats)
        err = run(j, &g, lam_trial_times(once), &all[n++], why, size);
    *ms = n ? lam_bench_spread(all, n).median : once;
    if (!err && !why[0] && *ms < j->best[i])
        j->best[i] = *ms;
    free(all);
    return err;
}

// Sets the text, forces its way and measures all shapes.
static int measure_set(struct job *j, struct set *set)
{
    static const char *const ways[] = {
        "", "GemmRoutine XGEMM_MIN_INDIRECT_SIZE=1",
        "GemmRoutine XGEMM_MIN_INDIRECT_SIZE=1000000"};
    struct lam_context *ctx = lam_queue_context(j->queue);
    char why[120] = "";
    double sum = 0.0;
    int err = LAM_OK;

    if (set->way != ROUTINE_OWN)
        err = lam_gemm_override(j->queue, ways[set->way]);
    if (!err && set->text[0])
        err = lam_gemm_override(j->queue, set->text);
    for (int i = 0; i < j->n && !err && !why[0]; i++) {
        err = measure(j, i, &set->ms[i], why, sizeof(why));
        sum += set->ms[i];
    }
    if (err)
        return err;
    j->result->measured++;
    j->result->refused += why[0] != '\0';
    set->is_measured = !why[0];
    if (!j->options->quiet && why[0])
        lam_log(ctx, LAM_LOG_INFO, "%s: refused: %s",
                set->text[0] ? set->text : "CLBlast's own", why);
    else if (!j->options->quiet)
        lam_log(ctx, LAM_LOG_INFO, "%s: %.3f ms",
                set->text[0] ? set->text : "CLBlast's own", sum);
    return LAM_OK;
}

// CLBlast's own come first, as nothing brings them back afterwards; then sets
// of both ways in turns.
static void list_sets(struct job *j)
{
    const char *const *copied = lam_gemm_sets_copied;
    const char *const *direct = lam_gemm_sets_direct;

    for (int way = ROUTINE_OWN; way <= ROUTINE_DIRECT; way++)
        j->sets[j->n_sets++] = (struct set){.text = "", .way = way};
    while (*copied || *direct) {
        if (*copied)
            j->sets[j->n_sets++] =
                (struct set){.text = *copied++, .way = ROUTINE_COPIED};
        if (*direct)
            j->sets[j->n_sets++] =
                (struct set){.text = *direct++, .way = ROUTINE_DIRECT};
    }
}

static int by_products(const void *a, const void *b)
{
    const double x = lam_gemm_products(a), y = lam_gemm_products(b);

    return x < y ? -1 : x > y;
}

// CLBlast takes the direct way below size * size * size products. The size that
// has the first n shapes, sorted, below it; 0 where there is none.
static double size_between(const struct job *j, int n)
{
    const double low = n > 0 ? lam_gemm_products(&j->shapes[n - 1]) : 0.0;
    const double high = n < j->n ? lam_gemm_products(&j->shapes[n]) : INFINITY;
    const double size = n < j->n ? floor(cbrt(high)) : floor(cbrt(low)) + 1.0;

    return size >= 1.0 && size * size * size > low && size * size * size <= high
               ? size
               : 0.0;
}

static double sum_of(const struct set *set, int first, int last)
{
    double sum = 0.0;

    for (int i = first; i < last; i++)
        sum += set->ms[i];
    return sum;
}

// The best set of each way and the size between them.
static void choose(struct job *j)
{
    struct lam_gemm_result *r = j->result;

    r->own_ms = r->ms = sum_of(&j->sets[0], 0, j->n);
    snprintf(r->parameters, sizeof(r->parameters), "own");
    r->ms *= worth_it;
    for (int a = 1; a < j->n_sets; a++)
        for (int b = 1; b < j->n_sets; b++)
            for (int n = 0; n <= j->n; n++) {
                const struct set *direct = &j->sets[a], *copied = &j->sets[b];
                const double size = size_between(j, n);
                const double ms =
                    sum_of(direct, 0, n) + sum_of(copied, n, j->n);

                if (direct->way != ROUTINE_DIRECT || !direct->is_measured ||
                    copied->way != ROUTINE_COPIED || !copied->is_measured ||
                    size == 0.0 || ms >= r->ms)
                    continue;
                r->ms = ms;
                snprintf(r->parameters, sizeof(r->parameters),
                         "%s%s%s%sGemmRoutine XGEMM_MIN_INDIRECT_SIZE=%.0f",
                         copied->text, copied->text[0] ? "; " : "",
                         direct->text, direct->text[0] ? "; " : "", size);
            }
    if (strcmp(r->parameters, "own") == 0)
        r->ms = r->own_ms;
}

static int measure_all(struct job *j)
{
    struct lam_context *ctx = lam_queue_context(j->queue);
    const double started = lam_clock();
    int err = LAM_OK;

    for (int i = 0; i < j->n_sets && !err; i++) {
        if (ctx->interrupted && *ctx->interrupted)
            err = lam_fail(ctx, LAM_EINTERRUPT, "interrupted");
        else if (i > ROUTINE_DIRECT && j->options->budget_s > 0 &&
                 lam_clock() - started > j->options->budget_s)
            j->result->left++;
        else
            err = measure_set(j, &j->sets[i]);
    }
    if (!err && !j->sets[0].is_measured)
        err = lam_fail(ctx, LAM_ERUN,
                       "CLBlast's own parameters do not serve this device");
    return err;
}

static int save(struct job *j)
{
    const struct lam_gemm_result *r = j->result;
    struct lam_tuning *tuning = lam_queue_tuning(j->queue);
    char others[900], shapes[700];
    int err;

    lam_gemm_shapes_print(j->shapes, j->n, shapes, sizeof(shapes));
    snprintf(others, sizeof(others),
             "own %.3f; %d sets measured, %d refused, %d left; %s", r->own_ms,
             r->measured, r->refused, r->left, shapes);
    err = lam_tuning_put_gemm(tuning, r->parameters, r->ms, others);
    return err ? err : lam_tuning_save(tuning);
}

int lam_gemm_tune(struct lam_queue *queue, const struct lam_gemm_shape *shapes,
                  int n, const struct lam_tune_options *options,
                  struct lam_gemm_result *result)
{
    const struct lam_tuned *known = lam_tuning_gemm(lam_queue_tuning(queue));
    struct job j = {.queue = queue, .options = options, .result = result};
    int err;

    *result = (struct lam_gemm_result){0};
    if (known)
        lam_gemm_shapes_parse(known->others, j.shapes, &j.n);
    result->known = j.n > 0;
    for (int i = 0; i < n; i++) {
        const int before = j.n;

        lam_gemm_shapes_add(j.shapes, &j.n, &shapes[i]);
        result->known &= j.n == before;
    }
    if (result->known || j.n == 0) {
        result->known = 1;
        if (known)
            snprintf(result->parameters, sizeof(result->parameters), "%s",
                     known->taken);
        return LAM_OK;
    }
    qsort(j.shapes, (size_t)j.n, sizeof(j.shapes[0]), by_products);
    list_sets(&j);
    err = open_shapes(&j);
    if (!err)
        err = measure_all(&j);
    if (!err) {
        choose(&j);
        err = save(&j);
    }
    close_shapes(&j);
    return err;
}
