// The charts of a report.
#include "report.h"

#include <math.h>
#include <stdlib.h>

#include "svg.h"

// Of the epochs that have something in the column `where`; how many.
static int column_of(const struct report *r, const char *name,
                     const char *where, double *values)
{
    const int column = lam_csv_column(&r->epochs, name);
    const int there = lam_csv_column(&r->epochs, where);
    int n = 0;

    for (int i = 1; i < r->epochs.n_rows && column >= 0 && there >= 0; i++) {
        const char *text = lam_csv_cell(&r->epochs, i, column);

        if (lam_csv_cell(&r->epochs, i, there)[0])
            values[n++] = text[0] ? strtod(text, NULL) : NAN;
    }
    return n;
}

int report_write_curves(const struct report *r, FILE *out)
{
    static const char *const scores[] = {"val_dice", "val_iou", "val_precision",
                                         "val_recall"};
    static const char *const names[] = {"Dice, mean", "IoU, pooled",
                                        "precision", "recall"};
    const int n = r->epochs.n_rows - 1;
    double *values = malloc(sizeof(*values) * (size_t)(n > 0 ? n : 1) * 7);
    double *validated;
    struct lam_series series[4], loss;
    struct lam_chart chart = {
        "loss", "epoch", "loss of the training split", 0, 0, &loss, 1};
    int n_val;

    if (!values)
        return lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    validated = values + 2 * (size_t)n;
    column_of(r, "epoch", "epoch", values);
    column_of(r, "loss", "epoch", values + n);
    loss = (struct lam_series){"loss", values, values + n, NULL, NULL, n};
    report_heading(out, "Training");
    lam_svg_lines(out, &chart);
    // Not every epoch is validated: the lines go from one that is to the next.
    n_val = column_of(r, "epoch", scores[0], validated);
    for (int k = 0; k < 4; k++) {
        double *y = validated + (size_t)(k + 1) * (size_t)n;

        column_of(r, scores[k], scores[0], y);
        series[k] =
            (struct lam_series){names[k], validated, y, NULL, NULL, n_val};
    }
    chart = (struct lam_chart){
        "validation", "epoch", "at the best threshold", 0, 1, series, 4};
    lam_svg_lines(out, &chart);
    free(values);
    return LAM_OK;
}

void report_write_sweep(const struct report *r, FILE *out)
{
    double threshold[LAM_SWEEP_BINS + 1], precision[LAM_SWEEP_BINS + 1];
    double recall[LAM_SWEEP_BINS + 1], dice[LAM_SWEEP_BINS + 1];
    double rising[LAM_SWEEP_BINS + 1], of_rising[LAM_SWEEP_BINS + 1];
    const int n = LAM_SWEEP_BINS + 1;
    const struct lam_series by_threshold[] = {
        {"precision", threshold, precision, NULL, NULL, n},
        {"recall", threshold, recall, NULL, NULL, n},
        {"Dice", threshold, dice, NULL, NULL, n}};
    const struct lam_series curve = {"pixels", rising, of_rising,
                                     NULL,     NULL,   n};
    const struct lam_chart sweep = {"threshold",
                                    "foreground from probability",
                                    "all pixels pooled",
                                    0,
                                    1,
                                    by_threshold,
                                    3};
    char title[80];
    const struct lam_chart pr = {title, "recall", "precision", 0, 1, &curve, 1};

    for (int i = 0; i < n; i++) {
        const struct lam_sweep_point p = lam_sweep_at(r->sweep, i);

        threshold[i] = p.threshold;
        precision[i] = p.precision;
        recall[i] = p.recall;
        dice[i] = p.dice;
        rising[n - 1 - i] = p.recall;
        of_rising[n - 1 - i] = p.precision;
    }
    snprintf(title, sizeof(title), "average precision %.3f",
             lam_sweep_average_precision(r->sweep));
    report_heading(out, "Thresholds");
    fprintf(out,
            "<p>Foreground is above %.2f everywhere else on this page, the "
            "threshold that validation chose.</p>\n",
            r->trained.metrics.threshold);
    lam_svg_lines(out, &sweep);
    lam_svg_lines(out, &pr);
}
