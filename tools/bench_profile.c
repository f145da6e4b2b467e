#include "bench_profile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shape.h"

struct row {
    double ms, share, gflops, gb_s; // of a step; gflops 0: no multiply-adds
};

int bench_profile_open(struct bench_profile *p, const struct lam_host *host)
{
    p->n_kernels = lam_queue_times(p->queue, &p->kernels);
    p->n_layers = lam_queue_layer_times(p->queue, &p->layers);
    return lam_peak_measure(host, p->queue, &p->peak);
}

void bench_profile_close(struct bench_profile *p)
{
    free(p->kernels);
    free(p->layers);
    p->kernels = p->layers = NULL;
}

static int find_node(const struct lam_graph *graph, const char *name)
{
    for (int i = 0; i < graph->n_nodes; i++)
        if (strcmp(graph->nodes[i].name, name) == 0)
            return i;
    return -1;
}

// How often a pass does the multiply-adds of the forward run.
static int times_of(const struct lam_node *node, const char *pass)
{
    return strcmp(pass, "backward") == 0 && node->shapes.n_weight > 0 ? 2 : 1;
}

static double bytes_of(const struct lam_graph *graph,
                       const struct lam_node *node, const char *pass)
{
    const bool is_both = strcmp(pass, "backward") == 0;
    double in = 0.0, out = 0.0, weights = 0.0;

    for (int k = 0; k < node->shapes.n_in; k++)
        in += (double)lam_shape_bytes(&graph->values[node->in[k]].shape);
    for (int k = 0; k < node->shapes.n_out; k++)
        out += (double)lam_shape_bytes(&node->shapes.out[k]);
    for (int k = 0; k < node->shapes.n_weight; k++)
        weights += (double)lam_shape_bytes(&node->shapes.weight[k].shape);
    return (is_both ? 2.0 * in : in) + out + (is_both ? 2.0 : 1.0) * weights;
}

static struct row row_of(const struct bench_profile *p,
                         const struct lam_kernel_time *time, double total)
{
    const int i = find_node(p->graph, time->name);
    const double step = time->seconds / p->steps;
    struct row r = {.ms = 1e3 * step,
                    .share = total > 0.0 ? time->seconds / total : 0.0};

    if (i >= 0 && step > 0.0) {
        const struct lam_node *node = &p->graph->nodes[i];

        r.gflops = 2e-9 * node->shapes.macs * times_of(node, time->pass) / step;
        r.gb_s = 1e-9 * bytes_of(p->graph, node, time->pass) / step;
    }
    return r;
}

static double total_of(const struct lam_kernel_time *times, int n)
{
    double total = 0.0;

    for (int i = 0; i < n; i++)
        total += times[i].seconds;
    return total;
}

static void print_kernels(const struct bench_profile *p)
{
    const struct lam_kernel_time *times = p->kernels;
    const int n = p->n_kernels;
    const double total = total_of(times, n);

    printf("\n| kernel | calls | ms each | ms | share |\n"
           "|---|---|---|---|---|\n");
    for (int i = 0; i < n; i++)
        printf("| %s | %.0f | %.3f | %.2f | %.1f %% |\n", times[i].name,
               (double)times[i].calls / p->steps,
               1e3 * times[i].seconds / (double)times[i].calls,
               1e3 * times[i].seconds / p->steps,
               100.0 * times[i].seconds / total);
}

static void print_layers(const struct bench_profile *p)
{
    const struct lam_kernel_time *times = p->layers;
    const int n = p->n_layers;
    const double total = total_of(times, n);

    printf("\n| layer | pass | ms | share | GFLOPS | of best | GB/s | of best "
           "|\n|---|---|---|---|---|---|---|---|\n");
    for (int i = 0; i < n; i++) {
        const struct row r = row_of(p, &times[i], total);

        printf("| %s | %s | %.2f | %.1f %% |", times[i].name, times[i].pass,
               r.ms, 100.0 * r.share);
        if (r.gflops > 0.0)
            printf(" %.0f | %.0f %% |", r.gflops,
                   100.0 * r.gflops / p->peak.gflops);
        else
            printf(" | |");
        if (r.gb_s > 0.0)
            printf(" %.1f | %.0f %% |\n", r.gb_s,
                   100.0 * r.gb_s / p->peak.gb_s);
        else
            printf(" | |\n");
    }
}

void bench_profile_print(const struct bench_profile *p)
{
    print_kernels(p);
    printf("\nthe device at best: %.0f GFLOPS, %.1f GB/s\n", p->peak.gflops,
           p->peak.gb_s);
    print_layers(p);
}

void bench_profile_json(const struct bench_profile *p)
{
    const struct lam_kernel_time *times = p->kernels;
    double total = total_of(times, p->n_kernels);

    printf("\"peak\": {\"gflops\": %.2f, \"gb_s\": %.3f}, \"kernels\": [",
           p->peak.gflops, p->peak.gb_s);
    for (int i = 0; i < p->n_kernels; i++)
        printf("%s\n  {\"kernel\": \"%s\", \"calls\": %.2f, \"ms\": %.4f, "
               "\"share\": %.4f}",
               i ? "," : "", times[i].name, (double)times[i].calls / p->steps,
               1e3 * times[i].seconds / p->steps, times[i].seconds / total);
    times = p->layers;
    total = total_of(times, p->n_layers);
    printf("], \"layer_times\": [");
    for (int i = 0; i < p->n_layers; i++) {
        const struct row r = row_of(p, &times[i], total);

        printf("%s\n  {\"layer\": \"%s\", \"pass\": \"%s\", \"ms\": %.4f, "
               "\"share\": %.4f, \"gflops\": %.2f, \"gb_s\": %.3f}",
               i ? "," : "", times[i].name, times[i].pass, r.ms, r.share,
               r.gflops, r.gb_s);
    }
    printf("]");
}
