#include "data_shift.h"

#include <math.h>
#include <stdlib.h>

#include "file.h"
#include "json.h"
#include "svg.h"

enum { N_BINS = 256, MAX_SETS = 8 };

// Of one number over the images.
struct spread {
    double sum, squares;
};

struct source {
    const char *path;
    int n;
    struct spread mean, deviation, least, greatest;
    double histogram[N_BINS]; // shares
};

static void add(struct spread *s, double v)
{
    s->sum += v;
    s->squares += v * v;
}

static int look(struct lam_dataset *d, int i, struct source *s)
{
    const struct lam_intensity raw = {.high = 257, .std = 1};
    float *image, *mask;
    int height, width;
    const int err = lam_dataset_read(d, LAM_SPLIT_ALL, i, &raw, &image, &mask,
                                     &height, &width);
    const size_t n = err ? 0 : (size_t)height * (size_t)width;
    double sum = 0.0, squares = 0.0, low = 255.0, high = 0.0;

    if (err)
        return err;
    for (size_t k = 0; k < n; k++) {
        const double v = (double)image[k];

        sum += v;
        squares += v * v;
        low = v < low ? v : low;
        high = v > high ? v : high;
        s->histogram[(int)(v + 0.5)] += 1.0 / (double)n;
    }
    sum /= (double)n;
    add(&s->mean, sum);
    add(&s->deviation, sqrt(fmax(squares / (double)n - sum * sum, 0.0)));
    add(&s->least, low);
    add(&s->greatest, high);
    s->n++;
    free(image);
    free(mask);
    return LAM_OK;
}

static int read_source(struct lam_context *ctx, const char *path,
                       struct source *s)
{
    struct lam_dataset *d;
    int n, err = lam_dataset_open(ctx, path, &d);

    s->path = path;
    n = err ? 0 : lam_dataset_count(d, LAM_SPLIT_ALL);
    for (int i = 0; i < n && !err; i++)
        err = look(d, i, s);
    for (int b = 0; b < N_BINS && n; b++)
        s->histogram[b] /= n;
    lam_dataset_close(d);
    return err;
}

static double mean_of(const struct spread *s, int n)
{
    return s->sum / n;
}

static double deviation_of(const struct spread *s, int n)
{
    return sqrt(fmax(s->squares / n - mean_of(s, n) * mean_of(s, n), 0.0));
}

static void print_spread(const struct spread *s, int n)
{
    printf(" %8.2f ± %-6.2f", mean_of(s, n), deviation_of(s, n));
}

// Sum of the differences of the cumulated histograms.
static double distance(const struct source *a, const struct source *b)
{
    double difference = 0.0, sum = 0.0;

    for (int i = 0; i < N_BINS; i++) {
        difference += a->histogram[i] - b->histogram[i];
        sum += fabs(difference);
    }
    return sum;
}

static int write_chart(struct lam_context *ctx, const char *path,
                       const struct source *sources, int n)
{
    struct lam_series series[MAX_SETS];
    const struct lam_chart chart = {"grey values",
                                    "grey of 255",
                                    "share of the pixels above",
                                    0,
                                    1,
                                    series,
                                    n};
    double x[N_BINS], above[MAX_SETS][N_BINS];
    FILE *out = lam_file_create(ctx, path);

    if (!out)
        return ctx->code;
    for (int k = 0; k < n; k++) {
        double sum = 0.0;

        for (int i = N_BINS - 1; i >= 0; i--) {
            x[i] = i;
            sum += sources[k].histogram[i];
            above[k][i] = sum;
        }
        series[k] = (struct lam_series){
            sources[k].path, x, above[k], NULL, NULL, N_BINS};
    }
    lam_svg_lines(out, &chart);
    return lam_file_close(ctx, out, path);
}

static void spread_json(struct lam_json *j, const char *key,
                        const struct spread *s, int n)
{
    lam_json_object(j, key);
    lam_json_real(j, "mean", mean_of(s, n));
    lam_json_real(j, "deviation", deviation_of(s, n));
    lam_json_close(j);
}

static void print_json(const struct source *sources, int n)
{
    struct lam_json j;

    lam_json_begin(&j, stdout);
    lam_json_list(&j, "sets");
    for (int i = 0; i < n; i++) {
        const struct source *s = &sources[i];

        lam_json_object(&j, NULL);
        lam_json_text(&j, "data", s->path);
        lam_json_int(&j, "images", s->n);
        spread_json(&j, "mean", &s->mean, s->n);
        spread_json(&j, "deviation", &s->deviation, s->n);
        spread_json(&j, "least", &s->least, s->n);
        spread_json(&j, "greatest", &s->greatest, s->n);
        lam_json_real(&j, "shift", distance(&sources[0], s));
        lam_json_close(&j);
    }
    lam_json_end(&j);
}

static void print_table(const struct source *sources, int n)
{
    printf("%6s  %-17s %-17s %-17s %-17s %8s\n", "images", "     mean",
           "     deviation", "     least", "     greatest", "shift");
    for (int i = 0; i < n; i++) {
        const struct source *s = &sources[i];

        printf("%6d ", s->n);
        print_spread(&s->mean, s->n);
        print_spread(&s->deviation, s->n);
        print_spread(&s->least, s->n);
        print_spread(&s->greatest, s->n);
        printf(" %8.2f  %s\n", distance(&sources[0], s), s->path);
    }
}

int data_shift(struct lam_context *ctx, const char *const *paths, int n,
               const char *svg, bool is_json)
{
    struct source *sources;
    int err = LAM_OK;

    if (n > MAX_SETS)
        return lam_fail(ctx, LAM_EUSAGE, "more than %d data sets", MAX_SETS);
    sources = calloc((size_t)n, sizeof(*sources));
    if (!sources)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++)
        err = read_source(ctx, paths[i], &sources[i]);
    if (!err && is_json)
        print_json(sources, n);
    else if (!err)
        print_table(sources, n);
    if (!err && svg)
        err = write_chart(ctx, svg, sources, n);
    free(sources);
    return err;
}
