// norm.h - what batchnorm, groupnorm and instancenorm share: the geometry of
// cl/norm.cl and its launches.
#ifndef LAM_NORM_H
#define LAM_NORM_H

#include "lam/plugin.h"

enum {
    NORM_CHUNK = 4096, // CHUNK of cl/norm.cl
    NORM_LANES = 128   // LANES there on a GPU
};

// N * C planes of `size` numbers in `chunks` chunks, K a plane, `per` a
// work-group; sets of `planes` planes, see cl/norm.cl. In the scratch: parts,
// this rank's from `mine` on, and `behind` those of all what sets are read
// from.
struct norm {
    int64_t size, K, chunks, mine, behind;
    int32_t N, C, sets, planes, divisor, step, per, lanes, bytes, has_relu;
    const char *halves; // lam_halves of x
    struct lam_kernel *moments, *statistics, *apply;
    struct lam_kernel *sums, *weights, *means, *gradient;
};

// Weights and parameters of one run; the pointers may be NULL.
struct norm_terms {
    const struct lam_tensor *weight, *bias, *running_mean, *running_var;
    double epsilon, keep;
};

// With 0 groups a set is a channel, else a group of channels of one image.
// shared: a set has the planes of all ranks that share statistics.
struct norm norm_of(const struct lam_layer *layer, const struct lam_shape *x,
                    int32_t groups, bool shared);

// Fills in the output, the scratch, and one aux: the moments.
void norm_shape(const struct norm *n, struct lam_shapes *shapes);

void norm_weight(struct lam_shapes *shapes, const char *name, int32_t init);

int norm_prepare(const struct lam_layer *layer, struct norm *n);

int norm_apply(const struct lam_layer *layer, const struct norm *n,
               const struct lam_io *io, const struct norm_terms *terms,
               const struct lam_tensor *mean, int64_t mean_at,
               const struct lam_tensor *spread, int64_t spread_at,
               bool is_variance);

// By statistics of x itself. They stay in aux[0] when training.
int norm_run(const struct lam_layer *layer, const struct norm *n,
             const struct lam_io *io, const struct norm_terms *terms);

// weight and bias are weights 0 and 1, or there are none (both are NULL).
int norm_backward(const struct lam_layer *layer, const struct norm *n,
                  const struct lam_io *io, const struct lam_tensor *weight,
                  const struct lam_tensor *bias);

#endif
