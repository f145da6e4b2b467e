// data_writer.h - a data set written to a folder: images/, masks/ and a
// manifest of name, patient and split.
#ifndef LAM_DATA_WRITER_H
#define LAM_DATA_WRITER_H

#include <stdio.h>

#include "data.h"
#include "resample.h"

struct data_writer {
    struct lam_context *ctx;
    const char *out;
    FILE *manifest;
    int n; // images written
};

// An image on its way to the folder; pixels and mask are its owner's.
struct data_image {
    const char *name, *patient;
    const char *split; // "train", "val", "test"; "": dealt by patient
    int width, height;
    int bits;            // 8: a PNG; 16: a PGM
    uint16_t *pixels;    // 0..65535
    unsigned char *mask; // labels; NULL: none
};

// The quadratic companding of DDSM's converter, v * v / 65535, and its inverse.
enum data_companding {
    DATA_COMPANDING_NONE,
    DATA_COMPANDING_APPLY,
    DATA_COMPANDING_UNDO
};
extern const char *const data_compandings[]; // NULL-ended, by that order

// What is done to each image before it is written.
struct data_changes {
    double scale;       // of both sides; 1: none
    int32_t rule;       // enum lam_mask_rule
    int32_t companding; // enum data_companding
    int trim;      // columns that are nearly black at the left and right go
    double border; // share of the height and width that goes at each side
    int64_t frame; // pixels that go at each side of films with a bright frame
    int unwhite;   // what is white (255 of 255) becomes black
};

// image changed, in buffers of its own; free it with data_image_free, with an
// error too. LAM_EDATA where borders leave nothing of it.
int data_change(struct lam_context *ctx, const struct data_changes *changes,
                const struct data_image *image, struct data_image *to);
void data_image_free(struct data_image *image);
// Rows y to y + height and columns x to x + width, without gaps; mask where the
// image has one.
void data_cut(const struct data_image *image, int y, int x, int height,
              int width, uint16_t *pixels, unsigned char *mask);

// LAM_EFILE; LAM_EUSAGE if the folder has a manifest already.
int data_writer_open(struct lam_context *ctx, const char *out,
                     struct data_writer *writer);
int data_writer_add(struct data_writer *writer,
                    const struct data_changes *changes,
                    const struct data_image *image);
// Returns err, or what closing the manifest gives.
int data_writer_close(struct data_writer *writer, int err);

#endif
