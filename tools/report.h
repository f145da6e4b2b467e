// report.h - a page about a run: what was measured (report_data.c) and how it
// is told (report_page.c), as one HTML file that needs no other.
#ifndef LAM_REPORT_H
#define LAM_REPORT_H

#include <stdio.h>

#include "csv.h"
#include "sweep.h"
#include "trained.h"

// One image of the split.
struct report_image {
    const char *name;
    int index; // in the split
    struct lam_image_metrics result;
    double brightness, contrast; // mean and deviation of its grey, 0 to 1
    double share;                // of foreground
};

struct report {
    struct lam_context *ctx;
    const char *path; // of the run
    struct lam_trained trained;
    struct lam_dataset *dataset;
    enum lam_split split;
    struct report_image *images; // in the data set's order
    int n_images;
    struct lam_metrics *metrics;
    struct lam_sweep *sweep;
    struct lam_csv epochs; // metrics.csv
};

// Opens the run and predicts every image of the split.
int report_open(struct lam_context *ctx, const char *path, const char *data,
                enum lam_split split, const char *device,
                struct report *report);
void report_close(struct report *report);
// image | truth | prediction of an image, RGB, to free().
int report_picture(struct report *report, const struct report_image *image,
                   unsigned char **rgb, int *width, int *height);

// Sections of the page.
void report_heading(FILE *out, const char *text);
int report_write_curves(const struct report *report, FILE *out);
void report_write_sweep(const struct report *report, FILE *out);
int report_write_model(const struct report *report, FILE *out);

// Writes the page.
int report_write(struct report *report, const char *path);

#endif
