// conv.h - what conv2d and conv_transpose2d share.
//
// Both are one map between a `big` and a `small` image,
//   small[n,k,p,q] = sum over c, r, s of
//       big[n, c, p*sh + r*dh - top, q*sw + s*dw - left] * w[k,c,r,s]
// conv2d runs it from big to small and sends gradients back by its adjoint;
// conv_transpose2d runs the adjoint and sends gradients back by the map. The
// weight's gradient is the same for both.
#ifndef CONV_H
#define CONV_H

#include "lam/plugin.h"

static inline int conv_div_up(int64_t a, int64_t b)
{
    return (int)((a + b - 1) / b);
}

struct conv_config {
    int32_t filters, kernel[2], stride[2], dilation[2], groups, pad;
    struct lam_list pads;
    int32_t output_padding[2]; // conv_transpose2d only
    int32_t has_bias, init, icnr, activation;
    double init_scale;
};

enum { CONV_SAME, CONV_VALID, CONV_EXPLICIT };
enum { CONV_NO_ACTIVATION, CONV_RELU };

extern const char *const conv_activations[]; // conv_shape.c

// Rows of the parameter tables that both have.
#define CONV_OFFSET(member) offsetof(struct conv_config, member)
#define CONV_PARAMS(pad_doc, pad_names, init_names)                            \
    {"filters", LAM_PARAM_INT, CONV_OFFSET(filters), NULL, 1,                  \
     1 << 20,   NULL,          "output channels",    0},                       \
        {"kernel",                                                             \
         LAM_PARAM_PAIR,                                                       \
         CONV_OFFSET(kernel),                                                  \
         NULL,                                                                 \
         1,                                                                    \
         255,                                                                  \
         NULL,                                                                 \
         "height and width of the kernel",                                     \
         0},                                                                   \
        {"stride", LAM_PARAM_PAIR, CONV_OFFSET(stride),    "1", 1,             \
         255,      NULL,           "step down and across", 0},                 \
        {"dilation",                                                           \
         LAM_PARAM_PAIR,                                                       \
         CONV_OFFSET(dilation),                                                \
         "1",                                                                  \
         1,                                                                    \
         1024,                                                                 \
         NULL,                                                                 \
         "distance of neighbouring taps of the kernel",                        \
         0},                                                                   \
        {"groups",                                                             \
         LAM_PARAM_INT,                                                        \
         CONV_OFFSET(groups),                                                  \
         "1",                                                                  \
         1,                                                                    \
         1 << 20,                                                              \
         NULL,                                                                 \
         "input and output channels are cut into this many parts",             \
         0},                                                                   \
        {"pad", LAM_PARAM_CHOICE, CONV_OFFSET(pad), "same", 0,                 \
         0,     pad_names,        pad_doc,          0},                        \
        {"pads",                                                               \
         LAM_PARAM_LIST,                                                       \
         CONV_OFFSET(pads),                                                    \
         "",                                                                   \
         0,                                                                    \
         1 << 20,                                                              \
         NULL,                                                                 \
         "top left bottom right, with pad: explicit",                          \
         0},                                                                   \
        {"bias",                                                               \
         LAM_PARAM_BOOL,                                                       \
         CONV_OFFSET(has_bias),                                                \
         "true",                                                               \
         0,                                                                    \
         0,                                                                    \
         NULL,                                                                 \
         "a learnt constant per output channel",                               \
         0},                                                                   \
        {"init", LAM_PARAM_CHOICE, CONV_OFFSET(init),       "he", 0,           \
         0,      init_names,       "how the weight starts", 0},                \
        {"init_scale",                                                         \
         LAM_PARAM_REAL,                                                       \
         CONV_OFFSET(init_scale),                                              \
         "0.05",                                                               \
         0,                                                                    \
         1000,                                                                 \
         NULL,                                                                 \
         "spread of init truncated and uniform",                               \
         0},                                                                   \
        {"activation",                                                         \
         LAM_PARAM_CHOICE,                                                     \
         CONV_OFFSET(activation),                                              \
         "none",                                                               \
         0,                                                                    \
         0,                                                                    \
         conv_activations,                                                     \
         "none or relu of the result; a relu behind is taken in by itself",    \
         0},                                                                   \
    {                                                                          \
        "icnr", LAM_PARAM_INT, CONV_OFFSET(icnr), "2", 1, 64, NULL,            \
            "factor of the pixel shuffle that follows init icnr", 0            \
    }

// Results below `least` become it in all that makes small or big: 0 for a relu,
// else -INFINITY.
double conv_least(const struct lam_layer *layer);

struct conv_geometry {
    int n, groups;
    int c, h, w; // of big, all groups
    int k, p, q; // of small, all groups
    int r, s, sh, sw, dh, dw;
    int top, left;      // zeros before big
    const char *halves; // lam_halves of the input
};

// What is made: small from big, or the adjoint, or the weight's gradient.
enum { CONV_SMALL, CONV_BIG, CONV_WEIGHT };

// Making small or big by 3x3 kernels of stride 1, seen from the result: source
// [n, groups * c, h, w], result [n, groups * k, p, q].
struct conv_pass {
    int c, k, h, w, p, q;
    int top, left;
};
struct conv_pass conv_pass(const struct conv_geometry *g, int made);

struct conv_plain {
    struct lam_kernel *small, *big, *weight, *bias, *gate, *reduce;
};

// How one pass of the direct kernels is cut, conv_direct.c and conv_dweight.c.
struct conv_cut {
    int rows, columns;    // of a chunk of results
    int splits;           // of the channels, over work-items
    int items, n_workers; // work-items take item after item
    int64_t region;       // floats a work-item works in
    int m;                // results of a side of a tile, conv_winograd.c
    // Of the weight's gradient.
    int channels;                  // of big, held at once
    int filters;                   // of small, held at once
    int parts;                     // of the chunks, with sums of their own
    int64_t partial_at, region_at; // in floats of the scratch
};

struct conv_direct {
    struct lam_kernel *pack, *run, *reduce;
    struct conv_cut cut;
    uint64_t packed; // weights_version of what persist holds
};

struct conv_gemm {
    struct lam_kernel *columns, *uncolumns, *start;
};

struct conv_implicit {
    struct lam_kernel *run, *weight;
};

struct conv_winograd_gpu {
    struct lam_kernel *weights, *source, *products, *result;
    int m;
    uint64_t packed; // weights_version of what persist holds
};

struct conv_state {
    struct conv_geometry geometry;
    struct conv_plain plain;
    struct conv_direct direct[3]; // by enum lam_pass; winograd's as well
    struct conv_gemm gemm;
    struct conv_implicit implicit;
    struct conv_winograd_gpu winograd_gpu[3]; // by enum lam_pass
};

// What differs, in conv2d.c and conv_transpose2d.c: the geometry, and what the
// layer makes when it runs forward.
int conv_geometry(const struct lam_layer *layer, const struct lam_shape *in,
                  struct conv_geometry *g);
extern const int conv_makes;

// The callbacks of both, conv_layer.c.
int conv_prepare(struct lam_layer *layer, const struct lam_io *io);
int conv_run(struct lam_layer *layer, const struct lam_io *io);
int conv_backward(struct lam_layer *layer, const struct lam_io *io);
extern const struct lam_variant conv_variants[];

// Checks what both layers ask of their input, conv_shape.c.
int conv_check(const struct lam_layer *layer, const struct lam_shapes *shapes);
// Fills in weight, and bias if there is one. small_first: [filters, inputs /
// groups, R, S], else [inputs, filters / groups, R, S].
void conv_weights(const struct conv_config *config, struct lam_shapes *shapes,
                  bool small_first, double fan_in, double fan_out);

// A convolution and the batch norm behind it are one convolution where nothing
// is trained, conv_fold.c: weight[k] / sqrt(var[k] + epsilon) * gamma[k], and a
// bias to fit. The weight is [filters, ..] or, turned, [inputs, filters, ..].
int conv_fold(const struct lam_fused *fused);
int conv_fold_turned(const struct lam_fused *fused);
#define CONV_FOLD(layer, function)                                             \
    {                                                                          \
        .first = layer, .second = "batchnorm", .into = layer,                  \
        .needs = "activation=none",                                            \
        .other = "epsilon* momentum* convention* affine*",                     \
        .adds = "bias=true", .summary = "batch norm at inference",             \
        .weights = function, .reads = "epsilon"                                \
    }

// A relu behind: in training others take its gradient, see LAM_GATED.
#define CONV_TAKES_RELU(layer)                                                 \
    {                                                                          \
        .first = layer, .second = "relu", .into = layer, .in_training = 1,     \
        .needs = "activation=none", .adds = "activation=relu",                 \
        .summary = "a pass over the result"                                    \
    }

// What the gradient of the input passes through, NULL: nothing.
static inline const struct lam_tensor *conv_gate_of(const struct lam_io *io)
{
    return io->gate ? &io->in[0] : NULL;
}

// Plain kernels, conv_plain.c. bias and gate may be NULL.
int conv_plain_prepare(const struct lam_host *host,
                       const struct conv_geometry *g, struct conv_plain *plain);
int conv_plain_run(const struct lam_host *host, const struct conv_plain *plain,
                   const struct conv_geometry *g, int made,
                   const struct lam_tensor *src,
                   const struct lam_tensor *weight,
                   const struct lam_tensor *bias, const struct lam_tensor *gate,
                   const struct lam_tensor *dst, double least);
// The gradient of the input through its gate, for those that leave that to
// this.
int conv_plain_gate(const struct lam_host *host, const struct conv_plain *plain,
                    const struct lam_io *io);
int conv_plain_weight(const struct lam_host *host,
                      const struct conv_plain *plain,
                      const struct conv_geometry *g,
                      const struct lam_tensor *big,
                      const struct lam_tensor *small,
                      const struct lam_tensor *scratch,
                      const struct lam_tensor *d_weight);
// Sums over all but the channels of dy.
int conv_plain_bias(const struct lam_host *host, const struct conv_plain *plain,
                    const struct lam_tensor *dy,
                    const struct lam_tensor *scratch,
                    const struct lam_tensor *d_bias);
// sums[i] = sum over blocks of partial[blocks, n].
int conv_plain_reduce(const struct lam_host *host,
                      const struct conv_plain *plain,
                      const struct lam_tensor *partial,
                      const struct lam_tensor *sums, int64_t n, int blocks);
// Bytes of scratch of the weight and the bias.
int64_t conv_plain_scratch(const struct lam_host *host,
                           const struct conv_geometry *g);

// Whether kernels for processors serve: they read floats.
static inline bool conv_for_processor(const struct lam_host *host,
                                      const struct conv_geometry *g)
{
    return host->device.kind == LAM_DEVICE_CPU && host->real == LAM_F32 &&
           !g->halves[0];
}

// conv_processor.c: what the kernels for processors share. Registers of a tile:
// filters x vectors x width of a vector.
struct conv_tile {
    int kr, nv, vw;
};
struct conv_tile conv_tile(const struct lam_host *host);
// Points of Winograd's tile of m results in one direction, with the phases of
// each: one point has those alone that have the most taps.
int conv_points(int m, int kernel, int stride);
// Work-items that take turns at so many items.
int conv_workers(const struct lam_host *host, int items);
// The kernel that packs the weight and the one that runs, nothing packed yet.
int conv_direct_kernels(const struct lam_host *host, const char *source,
                        const char *pack, const char *run, const char *options,
                        struct conv_direct *direct);

// Kernels for processors: conv_direct.c makes small or big.
int conv_direct_score(const struct lam_host *host,
                      const struct conv_geometry *g, int made, bool training);
void conv_direct_workspace(const struct lam_host *host,
                           const struct conv_geometry *g, int made,
                           int64_t *scratch, int64_t *persist);
int conv_direct_prepare(const struct lam_host *host,
                        const struct conv_geometry *g, int made,
                        struct conv_direct *direct);
int conv_direct_run(const struct lam_host *host, const struct conv_geometry *g,
                    int made, struct conv_direct *direct,
                    const struct lam_tensor *src, const struct lam_tensor *bias,
                    const struct lam_tensor *dst, const struct lam_io *io,
                    double least);
// conv_panel.c does too, as a product of matrices; 0 where it cannot serve.
int conv_panel_score(const struct lam_host *host, const struct conv_geometry *g,
                     int made, bool training);
void conv_panel_workspace(const struct lam_host *host,
                          const struct conv_geometry *g, int made,
                          int64_t *scratch, int64_t *persist);
int conv_panel_prepare(const struct lam_host *host,
                       const struct conv_geometry *g, int made,
                       struct conv_direct *direct);
int conv_panel_run(const struct lam_host *host, const struct conv_geometry *g,
                   int made, struct conv_direct *direct,
                   const struct lam_tensor *src, const struct lam_tensor *bias,
                   const struct lam_tensor *dst, const struct lam_io *io,
                   double least);
// conv_phases.c does too, by F(4x4, 2x2) of each phase of a kernel of one or
// two strides; results of whole numbers are not exact.
bool conv_phases_serve(const struct conv_geometry *g);
int conv_phases_score(const struct lam_host *host,
                      const struct conv_geometry *g, int made, bool training);
void conv_phases_workspace(const struct lam_host *host,
                           const struct conv_geometry *g, int made,
                           int64_t *scratch, int64_t *persist);
int conv_phases_prepare(const struct lam_host *host,
                        const struct conv_geometry *g, int made,
                        struct conv_direct *direct);
int conv_phases_run(const struct lam_host *host, const struct conv_geometry *g,
                    int made, struct conv_direct *direct,
                    const struct lam_tensor *src, const struct lam_tensor *bias,
                    const struct lam_tensor *dst, const struct lam_io *io,
                    double least);
// conv_dweight.c makes the gradients of the weight and, where d_bias is not
// NULL, of a bias of small.
void conv_dweight_workspace(const struct lam_host *host,
                            const struct conv_geometry *g, int64_t *scratch);
int conv_dweight_prepare(const struct lam_host *host,
                         const struct conv_geometry *g,
                         struct conv_direct *direct);
int conv_dweight_run(const struct lam_host *host,
                     const struct conv_plain *plain,
                     const struct conv_geometry *g,
                     const struct conv_direct *direct,
                     const struct lam_tensor *big,
                     const struct lam_tensor *small, const struct lam_io *io,
                     const struct lam_tensor *d_bias);
// By F(m x m, 3x3), m = 2 or 4, on processors: conv_winograd.c and
// conv_winograd_weight.c, which keep their state like the direct kernels. With
// m = 4 results of whole numbers are not exact.
// The score of size m by the costs of both against the direct kernel's: 2 is
// taken where 4 wins little, as it is more exact and takes less memory.
int conv_winograd_rank(int m, double cost2, double cost4);
int conv_winograd_score(const struct lam_host *host,
                        const struct conv_geometry *g, int made, int m,
                        bool training);
void conv_winograd_workspace(const struct lam_host *host,
                             const struct conv_geometry *g, int made, int m,
                             int64_t *scratch, int64_t *persist);
int conv_winograd_prepare(const struct lam_host *host,
                          const struct conv_geometry *g, int made, int m,
                          struct conv_direct *direct);
int conv_winograd_run(const struct lam_host *host,
                      const struct conv_geometry *g, int made,
                      struct conv_direct *direct, const struct lam_tensor *src,
                      const struct lam_tensor *bias,
                      const struct lam_tensor *dst, const struct lam_io *io,
                      double least);
int conv_winograd_weight_score(const struct lam_host *host,
                               const struct conv_geometry *g, int m);
// By phases, with m = 4, where conv_phases_serve.
int conv_phases_weight_score(const struct lam_host *host,
                             const struct conv_geometry *g);
void conv_winograd_weight_workspace(const struct lam_host *host,
                                    const struct conv_geometry *g, int m,
                                    int64_t *scratch);
int conv_winograd_weight_prepare(const struct lam_host *host,
                                 const struct conv_geometry *g, int m,
                                 struct conv_direct *direct);
int conv_winograd_weight_run(
    const struct lam_host *host, const struct conv_plain *plain,
    const struct conv_geometry *g, const struct conv_direct *direct,
    const struct lam_tensor *big, const struct lam_tensor *small,
    const struct lam_io *io, const struct lam_tensor *d_bias);
// By matrix products, conv_gemm.c.
int conv_gemm_score(const struct lam_host *host, const struct conv_geometry *g);
int64_t conv_gemm_scratch(const struct lam_host *host,
                          const struct conv_geometry *g);
int conv_gemm_prepare(const struct lam_host *host, struct conv_gemm *gemm);
int conv_gemm_run(const struct lam_host *host, const struct conv_gemm *gemm,
                  const struct conv_geometry *g, int made,
                  const struct lam_tensor *src, const struct lam_tensor *bias,
                  const struct lam_tensor *dst, const struct lam_io *io);
int conv_gemm_weight(const struct lam_host *host, const struct conv_gemm *gemm,
                     const struct conv_geometry *g,
                     const struct lam_tensor *big,
                     const struct lam_tensor *small, const struct lam_io *io);
// By products of the image as it lies, for GPUs, conv_implicit.c.
int conv_implicit_score(const struct lam_host *host,
                        const struct conv_geometry *g);
void conv_implicit_workspace(const struct lam_host *host,
                             const struct conv_geometry *g, int64_t *scratch);
int conv_implicit_prepare(const struct lam_host *host,
                          const struct conv_geometry *g,
                          struct conv_implicit *implicit);
int conv_implicit_run(
    const struct lam_host *host, const struct conv_implicit *implicit,
    const struct conv_geometry *g, int made, const struct lam_tensor *src,
    const struct lam_tensor *weight, const struct lam_tensor *bias,
    const struct lam_tensor *gate, const struct lam_tensor *dst, double least);
int conv_implicit_weight(
    const struct lam_host *host, const struct conv_implicit *implicit,
    const struct conv_plain *plain, const struct conv_geometry *g,
    const struct lam_tensor *big, const struct lam_tensor *small,
    const struct lam_tensor *scratch, const struct lam_tensor *d_weight);

// By F(m x m, 3x3) and products of matrices, for GPUs, conv_winograd_gpu.c;
// made is one of the three.
int conv_winograd_gpu_score(const struct lam_host *host,
                            const struct conv_geometry *g, int made, int m);
void conv_winograd_gpu_workspace(const struct lam_host *host,
                                 const struct conv_geometry *g, int made, int m,
                                 int64_t *scratch, int64_t *persist);
int conv_winograd_gpu_prepare(const struct lam_host *host,
                              const struct conv_geometry *g, int made, int m,
                              struct conv_winograd_gpu *state);
int conv_winograd_gpu_run(const struct lam_host *host,
                          const struct conv_geometry *g, int made,
                          struct conv_winograd_gpu *state,
                          const struct lam_tensor *src,
                          const struct lam_tensor *bias,
                          const struct lam_tensor *dst, const struct lam_io *io,
                          double least);
int conv_winograd_gpu_weight(const struct lam_host *host,
                             const struct conv_geometry *g,
                             const struct conv_winograd_gpu *state,
                             const struct lam_tensor *big,
                             const struct lam_tensor *small,
                             const struct lam_tensor *scratch,
                             const struct lam_tensor *d_weight);

#endif
