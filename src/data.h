// data.h - images with masks: a folder or a manifest, split by patient, read
// with checks; and batches of crops that are a pure function of (seed, step),
// made by a thread while the device computes.
#ifndef LAM_DATA_H
#define LAM_DATA_H

#include "status.h"

enum lam_split {
    LAM_SPLIT_TRAIN,
    LAM_SPLIT_VAL,
    LAM_SPLIT_TEST,
    LAM_SPLIT_ALL
};

struct lam_dataset;

struct lam_sample_info {
    const char *name;                   // file name without folder and ending
    const char *image_path, *mask_path; // mask_path NULL: none
    const char *patient;
    enum lam_split split;
    int width, height, bits; // bits: 8 or 16 as stored
};

// path: a folder with images/ and masks/ (and manifest.csv if there is one), a
// manifest CSV, or "phantom:COUNT:SIZE:SEED" for generated mammograms. Without
// a split in the manifest patients are dealt 70/15/15 by a hash of their name.
// LAM_EDATA names file (and line) and what is wrong.
int lam_dataset_open(struct lam_context *ctx, const char *path,
                     struct lam_dataset **dataset);
// The same, but an image that cannot be taken (not there, unreadable, a mask of
// another size) is told to `report` and left out.
int lam_dataset_open_rest(struct lam_context *ctx, const char *path,
                          void (*report)(void *data, const char *problem),
                          void *data, struct lam_dataset **dataset);
void lam_dataset_close(struct lam_dataset *dataset); // NULL is fine
int lam_dataset_count(const struct lam_dataset *dataset, enum lam_split split);
const struct lam_sample_info *
lam_dataset_info(const struct lam_dataset *dataset, enum lam_split split,
                 int i);

// Intensity range and normalisation: x = (v - mean) / std, v = (raw - low) /
// (high - low). Measured on the training split, kept in the checkpoint.
struct lam_intensity {
    double low, high; // raw values, of 65535
    double mean, std; // of v
};
static inline float lam_intensity_apply(const struct lam_intensity *in,
                                        double raw)
{
    return (float)(((raw - in->low) / (in->high - in->low) - in->mean) /
                   in->std);
}
int lam_dataset_measure(struct lam_dataset *dataset,
                        struct lam_intensity *intensity);

// Whole image i of a split, normalised, row-major height x width, to free().
// mask: labels 0, 1, .. as floats (255 counts as 1), NULL where there is none.
int lam_dataset_read(struct lam_dataset *dataset, enum lam_split split, int i,
                     const struct lam_intensity *intensity, float **image,
                     float **mask, int *height, int *width);

// The `augment` section of a model; see lam_augment_params.
struct lam_augment {
    int32_t flip_x, flip_y, rot90;
    double rotate;     // degrees at most, either way
    double scale;      // crop side times normal(1, scale), 0: none
    double brightness; // added to the normalised image, normal(0, brightness)
    double contrast;   // times exp(normal(0, contrast))
    double noise;      // normal(0, noise) per pixel
    double positive;   // share of crops that must hold foreground
};
extern const struct lam_param lam_augment_params[];

// The `data` section of a model: how the network's pixels lie on the image's,
// in training and in prediction alike.
struct lam_sampling {
    double zoom;         // image pixels that one of the network's stands for
    int32_t coordinates; // enum lam_sampling_coordinates
    int32_t mask;        // enum lam_sampling_mask
};
enum lam_sampling_coordinates {
    LAM_SAMPLING_HALF_PIXEL, // (i + 0.5) * zoom - 0.5
    LAM_SAMPLING_ASYMMETRIC  // i * zoom, as TensorFlow 1 resized
};
// Where a label of the network lies between those of the image.
enum lam_sampling_mask {
    LAM_SAMPLING_NEAREST,
    LAM_SAMPLING_HALF, // foreground where it is at least half, interpolated
    LAM_SAMPLING_ANY,  // .. above 0: `mask > 0` behind a resize
    LAM_SAMPLING_ALL   // .. 1: a cast to int behind a resize
};
extern const struct lam_param lam_sampling_params[];

struct lam_loader_options {
    int batch, height, width; // of a batch [batch, 1, height, width]
    uint64_t seed;
    int64_t first_step;                  // where to go on after a resume
    int64_t end_step;                    // the first not to make, 0: none
    const struct lam_augment *augment;   // NULL: centre crops, no change
    const struct lam_sampling *sampling; // NULL: the image's own pixels
    struct lam_intensity intensity;
    // Of `ranks`, this one makes micro-batches rank, rank + ranks, .. of each
    // batch and leaves out the rest of it. 0 ranks: all.
    int micro_batch, rank, ranks;
};

// Batches of the training split: each epoch of lam_loader_epoch_steps steps is
// a new permutation. An image smaller than the crop is padded (image with its
// minimum, mask with 0).
struct lam_loader;
int lam_loader_open(struct lam_dataset *dataset,
                    const struct lam_loader_options *options,
                    struct lam_loader **loader);
void lam_loader_close(struct lam_loader *loader); // NULL is fine
int64_t lam_loader_epoch_steps(const struct lam_loader *loader);
// Waits for the next batch and copies it out.
int lam_loader_next(struct lam_loader *loader, float *images, float *masks);

#endif
