// What a session took for each pass of its layers, and why.
#include <stdio.h>

#include "session_state.h"
#include "tuning.h"

// Why a variant was taken.
static void print_reason(FILE *out, const struct lam_taken *t)
{
    if (t->why == LAM_BY_REQUEST)
        fprintf(out, "asked for\n");
    else if (t->why == LAM_BY_TUNING)
        fprintf(out, "measured: %s ms, %s\n", t->ms, t->others);
    else
        fprintf(out, "score %d, plain has 1%s%s\n", t->score,
                t->variant && t->variant->summary ? ": " : "",
                t->variant && t->variant->summary ? t->variant->summary : "");
}

static void print_gemm(FILE *out, const struct lam_session *s)
{
    const char *parameters = lam_gemm_parameters(s->queue);
    const struct lam_tuned *t = lam_tuning_gemm(s->options.tuning);

    if (parameters)
        fprintf(out, "%-20s %-16s %-10s %s%s%s%s%s\n", "matrix products", "all",
                "CLBlast", parameters, t ? "; measured: " : "", t ? t->ms : "",
                t ? " ms, " : "", t ? t->others : "");
}

// A layer of which nothing remains to be done.
static void print_joined(FILE *out, const char *name,
                         const struct lam_node_plan *np)
{
    bool makes = false, is_same = false;

    for (int k = 0; k < LAM_MAX_IN; k++) {
        makes |= np->wants[k] && !np->same[k];
        is_same |= np->same[k];
    }
    if (np->joins_run)
        fprintf(out, "%-20s %-16s %-10s its inputs are made in its output\n",
                name, "run", "nothing");
    if (np->joins_backward)
        fprintf(out,
                "%-20s %-16s %-10s gradients of its inputs stay in that of "
                "its output\n",
                name, "backward data", "nothing");
    if (is_same && !makes)
        fprintf(out,
                "%-20s %-16s %-10s gradients of its inputs are, or get, that "
                "of its output\n",
                name, "backward data", "nothing");
}

char *lam_session_explain(const struct lam_session *s)
{
    static const char *const passes[] = {"run", "backward data",
                                         "backward weight"};
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    for (int i = 0; out && i < s->graph->n_nodes; i++) {
        print_joined(out, s->graph->nodes[i].name, &s->plan->nodes[i]);
        for (int pass = 0; pass < LAM_N_PASSES; pass++) {
            const struct lam_node_plan *np = &s->plan->nodes[i];
            const struct lam_taken *t = &np->taken[pass];

            if ((!t->variant && t->why == LAM_BY_SCORE) || !np->runs[pass])
                continue;
            fprintf(out, "%-20s %-16s %-10s ", s->graph->nodes[i].name,
                    passes[pass], t->variant ? t->variant->name : "plain");
            print_reason(out, t);
        }
    }
    if (out)
        print_gemm(out, s);
    if (out)
        fclose(out);
    return text;
}

const char *lam_session_variant(const struct lam_session *s, int node, int pass)
{
    const struct lam_variant *v = s->plan->nodes[node].taken[pass].variant;

    return v ? v->name : "plain";
}

char *lam_session_variants(const struct lam_session *s)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    const char *comma = "";

    for (int i = 0; out && i < s->graph->n_nodes; i++)
        for (int pass = 0; pass < LAM_N_PASSES; pass++) {
            const struct lam_node_plan *np = &s->plan->nodes[i];
            const struct lam_variant *v = np->taken[pass].variant;

            if (!s->graph->nodes[i].layer.type->variants || !np->runs[pass])
                continue;
            fprintf(out, "%s%s:%s=%s", comma, s->graph->nodes[i].name,
                    lam_pass_names[pass], v ? v->name : "plain");
            comma = ",";
        }
    if (out)
        fclose(out);
    return text;
}
