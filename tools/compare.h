// compare.h - what several runs were told to do and what they gave, from the
// files of their folders.
#ifndef LAM_COMPARE_H
#define LAM_COMPARE_H

#include "status.h"

enum { COMPARE_MAX_RUNS = 16, COMPARE_NUMBERS = 14 };

// "train.lr", "enc1.a.conv.filters", .. and what each run has there, NULL where
// it has none. Lists count from 0: "loss.0.type". A layer as a whole, as
// "conv2d filters=32", has its name.
struct compare_setting {
    char *name;
    char *values[COMPARE_MAX_RUNS];
    int layer; // index of the layer it belongs to, -1: none, or it is one
    bool is_layer;
};

extern const struct compare_number {
    const char *name, *title; // in JSON, in the table
    int digits;
} compare_numbers[COMPARE_NUMBERS];

struct compare_run {
    const char *path;
    double numbers[COMPARE_NUMBERS]; // NAN where it has none
};

struct compare {
    struct lam_context *ctx;
    struct compare_run runs[COMPARE_MAX_RUNS];
    int n_runs;
    struct compare_setting *settings; // in the order they are met
    int n_settings, room;
};

// LAM_EFILE, LAM_EMODEL or LAM_EDATA name what is missing or wrong.
int compare_open(struct lam_context *ctx, const char *const *paths, int n,
                 struct compare *compare);
void compare_close(struct compare *compare);
// A layer counts where some runs lack it, its parameters where none does.
bool compare_differs(const struct compare *compare, int setting);

#endif
