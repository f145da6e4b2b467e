#include "tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "progress.h"
#include "trial.h"
#include "variants.h"

enum {
    MAX_CANDIDATES = 16,
    MAX_OTHERS = 900,
    SLOW = 500 // ms: measured once
};

// Largest difference from the plain kernel, by the largest number: it adds in
// another order too, and halves are 1e-3 apart.
static const double exact_bound = 2e-4, inexact_bound = 2e-3;

struct candidate {
    const char *name; // of the variant, or plain
    bool is_inexact, is_refused;
    double ms, difference;
};

struct job {
    const struct lam_graph *graph;
    struct lam_queue *queue;
    const struct lam_tune_options *options;
    struct lam_tune_result *result;
    struct lam_trial_spec spec;
    float *reference;
    int64_t n;
};

double lam_tune_difference(const float *a, const float *b, int64_t n)
{
    double largest = 0.0, difference = 0.0;

    for (int64_t i = 0; i < n; i++) {
        const double d = fabs((double)a[i] - (double)b[i]);

        if (!(d <= difference))
            difference = isfinite(d) ? d : INFINITY;
        if (fabs((double)b[i]) > largest)
            largest = fabs((double)b[i]);
    }
    return difference > 0.0 ? difference / largest : 0.0;
}

// Its time, or its refusal. The first run compiles and is what is compared.
static int try_one(struct job *j, struct candidate *c)
{
    const bool is_plain = strcmp(c->name, "plain") == 0;
    struct lam_trial *trial = NULL;
    float *values = NULL;
    double *ms = calloc((size_t)j->options->repeats, sizeof(*ms));
    int64_t n = 0;
    int repeats = 0, times, err;

    if (!ms)
        return lam_fail(j->graph->ctx, LAM_EMEMORY, "out of memory");
    j->spec.variant = c->name;
    err = lam_trial_open(j->graph->registry, j->graph->host, j->queue, &j->spec,
                         &trial);
    if (!err)
        err = lam_trial_run(trial, 1, &ms[0]);
    // The plain kernel can take seconds.
    if (!err && ms[0] < SLOW)
        err = lam_trial_run(trial, 1, &ms[0]);
    times = lam_trial_times(ms[0]);
    if (!err)
        err = lam_trial_read(trial, &values, &n);
    if (!err && is_plain) {
        j->reference = values;
        j->n = n;
        values = NULL;
    } else if (!err) {
        c->difference = lam_tune_difference(values, j->reference, n);
        c->is_refused =
            !(c->difference <= (c->is_inexact || j->spec.in[0].dtype == LAM_F16
                                    ? inexact_bound
                                    : exact_bound));
    }
    while (!err && !c->is_refused && ms[0] < SLOW &&
           repeats < j->options->repeats)
        err = lam_trial_run(trial, times, &ms[repeats++]);
    if (!err && !c->is_refused)
        c->ms = lam_bench_spread(ms, repeats ? repeats : 1).median;
    lam_trial_close(trial);
    free(values);
    free(ms);
    return err;
}

static int collect(const struct lam_node *node, int pass,
                   struct candidate *candidates)
{
    int n = 1;

    candidates[0] = (struct candidate){.name = "plain"};
    for (const struct lam_variant *v = node->layer.type->variants; v && v->name;
         v++)
        if (v->pass == pass && n < MAX_CANDIDATES &&
            v->score(&node->layer, &node->shapes) > 0)
            candidates[n++] = (struct candidate){
                .name = v->name, .is_inexact = v->flags & LAM_INEXACT};
    return n;
}

static void describe(const struct candidate *candidates, int n, int best,
                     char *text, size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < n && used < size; i++) {
        const struct candidate *c = &candidates[i];

        if (i == best)
            continue;
        if (c->is_refused)
            used += (size_t)snprintf(text + used, size - used,
                                     "%s%s refused: off by %.1e",
                                     used ? ", " : "", c->name, c->difference);
        else
            used += (size_t)snprintf(
                text + used, size - used, "%s%s %.3f (off by %.1e)",
                used ? ", " : "", c->name, c->ms, c->difference);
    }
}

static int tune_pass(struct job *j, struct lam_tuning *tuning, int i, int pass)
{
    const struct lam_node *node = &j->graph->nodes[i];
    struct candidate candidates[MAX_CANDIDATES];
    const int n = collect(node, pass, candidates);
    struct lam_taken before[LAM_N_PASSES];
    char others[MAX_OTHERS];
    int best = 0, err;

    j->spec = (struct lam_trial_spec){.type = node->layer.type->name,
                                      .settings = node->settings,
                                      .n_settings = node->n_settings,
                                      .in = node->in_shape,
                                      .n_in = 1,
                                      .pass = pass,
                                      .training = j->graph->training};
    err = lam_variants_take(j->graph, i, NULL, NULL, before);
    for (int k = 0; k < n && !err; k++) {
        err = try_one(j, &candidates[k]);
        j->result->refused += candidates[k].is_refused;
        if (!candidates[k].is_refused && candidates[k].ms < candidates[best].ms)
            best = k;
    }
    free(j->reference);
    j->reference = NULL;
    if (err)
        return err;
    for (int k = 0; k < n; k++)
        if (strcmp(candidates[k].name, before[pass].variant
                                           ? before[pass].variant->name
                                           : "plain") == 0)
            j->result->before_ms += candidates[k].ms;
    j->result->after_ms += candidates[best].ms;
    j->result->measured++;
    describe(candidates, n, best, others, sizeof(others));
    err = lam_tuning_put(tuning, j->graph, i, pass, candidates[best].name,
                         candidates[best].ms, others);
    if (!err && !j->options->quiet)
        lam_log(j->graph->ctx, LAM_LOG_INFO,
                "%-24s %-6s %s %.3f ms (off by %.1e); %s", node->name,
                lam_pass_names[pass], candidates[best].name,
                candidates[best].ms, candidates[best].difference, others);
    return err ? err : lam_tuning_save(tuning);
}

// Whether the pass runs in a whole network and can be done in several ways.
static bool is_wanted(const struct lam_graph *graph, int i, int pass)
{
    const struct lam_node *node = &graph->nodes[i];
    struct candidate candidates[MAX_CANDIDATES];

    if (node->shapes.n_in != 1 || (pass != LAM_PASS_RUN && !graph->training) ||
        collect(node, pass, candidates) < 2)
        return false;
    if (pass == LAM_PASS_BACKWARD_DATA)
        return graph->values[node->in[0]].producer >= 0;
    return pass == LAM_PASS_RUN || !node->is_frozen;
}

int lam_tune(const struct lam_graph *graph, struct lam_queue *queue,
             struct lam_tuning *tuning, const struct lam_tune_options *options,
             struct lam_tune_result *result)
{
    struct lam_context *ctx = graph->ctx;
    struct job j = {
        .graph = graph, .queue = queue, .options = options, .result = result};
    const double started = lam_clock();
    int err = LAM_OK;

    *result = (struct lam_tune_result){0};
    for (int i = 0; i < graph->n_nodes && !err; i++)
        for (int pass = 0; pass < LAM_N_PASSES && !err; pass++) {
            if (!is_wanted(graph, i, pass))
                continue;
            // A layer that is there twice is measured once.
            if (lam_tuning_find(tuning, graph, i, pass)) {
                result->known++;
                continue;
            }
            if (ctx->interrupted && *ctx->interrupted)
                err = lam_fail(ctx, LAM_EINTERRUPT, "interrupted");
            else if (options->budget_s > 0 &&
                     lam_clock() - started > options->budget_s)
                result->left++;
            else
                err = tune_pass(&j, tuning, i, pass);
        }
    return err;
}
