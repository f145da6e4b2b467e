// dataset.h - inside of a data set, for dataset.c and loader.c.
#ifndef LAM_DATASET_H
#define LAM_DATASET_H

#include "data.h"
#include "image.h"

struct lam_entry {
    struct lam_sample_info info;
    char *name, *image_path, *mask_path, *patient;
    uint16_t *pixels;    // decoded, NULL until first used
    unsigned char *mask; // labels, NULL where there is none
    uint64_t seed;       // of a phantom
};

struct lam_dataset {
    struct lam_context *ctx;
    struct lam_entry *entries; // sorted by name
    int n_entries;
    int *splits[4], n_split[4]; // entries by enum lam_split
    int phantom_size;           // 0: files
    // Of lam_dataset_open_rest, else NULL.
    void (*report)(void *data, const char *problem);
    void *report_data;
};

// Decodes an entry, once. Not for two threads at a time.
int lam_dataset_decode(struct lam_dataset *dataset, struct lam_context *ctx,
                       struct lam_entry *entry);

#endif
