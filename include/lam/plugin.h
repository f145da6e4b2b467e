// lam/plugin.h - everything a plugin sees.
//
// A plugin is one shared module that exports one constant, `lam_plugin`, and
// links to nothing of lamina's, not even to OpenCL. It may bring layers, losses
// and optimisers. No code of a plugin runs until something is made from it.
//
// Conventions
//   - A function that can fail returns LAM_OK (0) or a negative enum
//   lam_status,
//     after a call of host->fail, which records one sentence for the user.
//   - Tensors are row-major, without offset, and dense but for a pitch, where a
//     layer takes one, see lam_shapes. Images are [N, C, H, W].
//   - `real` is the element type of the run: float, or double when gradients
//     are checked. Kernels are written in `real`; the core defines it (and
//     LAM_F64 = 1 when it is double) before the plugin's source.
//   - Images and gradients between layers may lie in memory as halves, see
//     LAM_HALVES; arithmetic, weights, aux and scratch stay `real`.
//   - All callbacks come from the one thread that owns the context.
//   - A callback only enqueues on one in-order queue: it never waits.
#ifndef LAM_PLUGIN_H
#define LAM_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAM_ABI_VERSION 2u

#define LAM_MAX_RANK   6
#define LAM_MAX_IN     16
#define LAM_MAX_OUT    2
#define LAM_MAX_WEIGHT 4
#define LAM_MAX_FUSED  (2 * LAM_MAX_WEIGHT)
#define LAM_MAX_AUX    4
#define LAM_MAX_SLOT   4

// X(name, value, exit code of the program, short text)
#define LAM_STATUS_LIST(X)                                                     \
    X(LAM_OK, 0, 0, "done")                                                    \
    X(LAM_ERUN, -1, 1, "failed at run time")                                   \
    X(LAM_EUSAGE, -2, 2, "bad usage")                                          \
    X(LAM_EMODEL, -3, 2, "bad model file")                                     \
    X(LAM_ESHAPE, -4, 2, "shapes do not fit")                                  \
    X(LAM_EPLUGIN, -5, 2, "bad plugin")                                        \
    X(LAM_EDEVICE, -6, 3, "no usable device")                                  \
    X(LAM_EMEMORY, -7, 4, "out of memory")                                     \
    X(LAM_ENONFINITE, -8, 5, "non-finite value")                               \
    X(LAM_ELOST, -9, 6, "device hung or lost")                                 \
    X(LAM_ECHECKPOINT, -10, 7, "checkpoint unreadable")                        \
    X(LAM_EINTERRUPT, -11, 130, "interrupted")                                 \
    X(LAM_EBUILD, -12, 1, "kernel does not build")                             \
    X(LAM_EFILE, -13, 1, "file cannot be read or written")                     \
    X(LAM_EDATA, -14, 2, "bad data set")

enum lam_status {
#define LAM_STATUS_ENUM(name, value, code, text) name = value,
    LAM_STATUS_LIST(LAM_STATUS_ENUM)
#undef LAM_STATUS_ENUM
};

// ---------------------------------------------------------------- tensors --

enum lam_dtype {
    LAM_F32,
    LAM_F64,
    LAM_I32, // indices; has no gradient
    LAM_F16  // binary16, between layers that can; see LAM_HALVES
};

struct lam_shape {
    int32_t dtype; // enum lam_dtype
    int32_t rank;  // 1..LAM_MAX_RANK
    int64_t dim[LAM_MAX_RANK];
};

struct lam_tensor {
    struct lam_shape shape;
    void *buffer; // opaque, owned by the core; NULL: absent or not wanted
    // Channels from one image to the next, where others lie between them; 0: as
    // the shape has, no gaps.
    int64_t pitch;
};

static inline int64_t lam_elements(const struct lam_shape *shape)
{
    int64_t n = 1;

    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

static inline int64_t lam_pitch(const struct lam_tensor *t)
{
    return t->pitch ? t->pitch : t->shape.dim[1];
}

// Elements from one image to the next.
static inline int64_t lam_step(const struct lam_tensor *t)
{
    const int64_t n = lam_elements(&t->shape) / t->shape.dim[0];

    return t->pitch ? n / t->shape.dim[1] * t->pitch : n;
}

// What `real` is for a layer with this input: the type of its weights and aux.
static inline int32_t lam_real(const struct lam_shape *in)
{
    return in->dtype == LAM_F64 ? LAM_F64 : LAM_F32;
}

// What to add to the build options of kernels of READ and WRITE, by a layer's
// input: a blank and the option, or "".
static inline const char *lam_halves(const struct lam_shape *in)
{
    return in->dtype == LAM_F16 ? " -DHALVES=1" : "";
}

// ------------------------------------------------------------- parameters --

enum lam_param_kind {
    LAM_PARAM_INT,    // int32_t
    LAM_PARAM_REAL,   // double
    LAM_PARAM_BOOL,   // int32_t, 0 or 1
    LAM_PARAM_CHOICE, // int32_t, index into choices
    LAM_PARAM_PAIR,   // int32_t[2], height then width; one number sets both
    LAM_PARAM_LIST,   // struct lam_list
    LAM_PARAM_REALS,  // struct lam_reals: "0.5 0.5", one per class or input
    LAM_PARAM_TEXT    // const char *, owned by the core
};

struct lam_list {
    int32_t n;
    int32_t v[8];
};

struct lam_reals {
    int32_t n;
    double v[8];
};

// One row of a parameter table. From it come parsing, range errors, unknown-key
// errors with the nearest name, and the documentation `lamina layers` prints.
struct lam_param {
    const char *name; // NULL ends the table
    int32_t kind;     // enum lam_param_kind
    size_t offset;    // into the config struct
    const char *def;  // default as text ("1", "same", "2 2"); NULL: required
    double min, max;  // inclusive, for each number; min == max: no limit
    const char *const *choices; // NULL-ended, for LAM_PARAM_CHOICE
    const char *doc;            // one line
    int32_t scheduled;          // 1: may change between epochs
};

// --------------------------------------------------------------- services --

enum lam_device_kind { LAM_DEVICE_NONE, LAM_DEVICE_CPU, LAM_DEVICE_GPU };

// Decide by these, never by a vendor's name. All zero without a device.
struct lam_device {
    int32_t kind; // enum lam_device_kind
    int32_t compute_units;
    int32_t vector_width; // native, in floats
    int32_t has_f64;
    int32_t has_local_memory; // dedicated, not plain cached memory
    int64_t local_bytes;
    int64_t max_work_group;
    int64_t max_alloc_bytes;
    int64_t global_bytes;
};

struct lam_kernel; // opaque; owned by the core, lives as long as the host

enum lam_arg_kind {
    LAM_ARG_KIND_TENSOR,
    LAM_ARG_KIND_INT,
    LAM_ARG_KIND_LONG,
    LAM_ARG_KIND_REAL, // passed as `real`
    LAM_ARG_KIND_LOCAL,
    LAM_ARG_KIND_TURNS // global int *
};

struct lam_arg {
    int32_t kind;                    // enum lam_arg_kind
    const struct lam_tensor *tensor; // NULL passes a null pointer
    int64_t integer;                 // also: bytes of local memory
    double real;
};

// A launch reads as the kernel's parameter list.
#define LAM_ARG_TENSOR(t)                                                      \
    {                                                                          \
        LAM_ARG_KIND_TENSOR, (t), 0, 0.0                                       \
    }
#define LAM_ARG_INT(i)                                                         \
    {                                                                          \
        LAM_ARG_KIND_INT, NULL, (i), 0.0                                       \
    } // int
#define LAM_ARG_LONG(i)                                                        \
    {                                                                          \
        LAM_ARG_KIND_LONG, NULL, (i), 0.0                                      \
    } // long, ulong
#define LAM_ARG_REAL(x)                                                        \
    {                                                                          \
        LAM_ARG_KIND_REAL, NULL, 0, (x)                                        \
    } // real
// Two zeros by which the work-items of a launch share work, see cl/turns.cl.
// The kernel leaves zeros; the next launch gets the same two.
#define LAM_ARG_TURNS()                                                        \
    {                                                                          \
        LAM_ARG_KIND_TURNS, NULL, 0, 0.0                                       \
    }
#define LAM_ARG_LOCAL(bytes)                                                   \
    {                                                                          \
        LAM_ARG_KIND_LOCAL, NULL, (bytes), 0.0                                 \
    }

// C[b] = alpha * op(A[b]) * op(B[b]) + beta * C[b], row-major; op(A) is m x k,
// op(B) k x n. Offsets, leading dimensions and batch strides in elements.
struct lam_gemm {
    const struct lam_tensor *a, *b, *c;
    int64_t offset_a, offset_b, offset_c;
    int64_t lda, ldb, ldc;
    int64_t stride_a, stride_b, stride_c; // from one batch to the next
    int32_t trans_a, trans_b;
    int32_t m, n, k, batch; // batch >= 1
    double alpha, beta;
};

struct lam_host {
    uint32_t abi_version;
    int32_t real; // LAM_F32 or LAM_F64: what `real` is in this run
    struct lam_device device;
    void *data; // the core's

    // Records a sentence (the first wins), returns code. Always present.
    int (*fail)(const struct lam_host *host, int code, const char *format, ...);

    // The rest is NULL on a machine without OpenCL; only `prepare`, `run`,
    // `backward` and a variant's callbacks may use it.

    // Builds once per source, name, options and device. The source is one
    // string: C text of the plugin's .cl file. options: "-DX=1 -DY=2" or NULL.
    int (*kernel)(const struct lam_host *host, const char *source,
                  const char *name, const char *options,
                  struct lam_kernel **kernel);

    // Enqueues. global: 3 sizes (unused ones 1). local: 3 sizes, or NULL for
    // the driver's choice, or the kernel's reqd_work_group_size.
    int (*launch)(const struct lam_host *host, struct lam_kernel *kernel,
                  const struct lam_arg *args, int n_args,
                  const size_t global[3], const size_t local[3]);

    int (*gemm)(const struct lam_host *host, const struct lam_gemm *gemm);
    int (*fill)(const struct lam_host *host, const struct lam_tensor *dst,
                double value);
    int (*copy)(const struct lam_host *host, const struct lam_tensor *dst,
                const struct lam_tensor *src);

    // Where several ranks train, `sharing` of them (1: this one alone) may take
    // statistics over the images of all; those of this rank are number `place`
    // (0..sharing-1). A layer that does so when training sets LAM_SHARES.
    int32_t sharing, place;
    // all: `sharing` pieces of `bytes` bytes, of which piece `place` is there;
    // then all are, at each rank. Each rank must call it as often.
    int (*share)(const struct lam_host *host, const struct lam_tensor *all,
                 int64_t bytes);
};

// ----------------------------------------------------------------- layers --

enum lam_init {
    LAM_INIT_ZEROS,
    LAM_INIT_ONES,
    LAM_INIT_HE,        // normal, std sqrt(2 / fan_in)
    LAM_INIT_GLOROT,    // uniform, limit sqrt(6 / (fan_in + fan_out))
    LAM_INIT_TRUNCATED, // normal of std `scale`, redrawn beyond 2 std
    LAM_INIT_UNIFORM,   // in [-scale, scale]
    LAM_INIT_BILINEAR,  // transposed convolution [C, K, R, S] that interpolates
    LAM_INIT_ICNR,      // He, repeated in groups of `group` output channels
    LAM_INIT_IDENTITY   // [K, C, R, S]: one at the centre where k == c
};

// Choices of a layer's `init` parameter, in the order of enum lam_init.
#define LAM_INIT_NAMES                                                         \
    {                                                                          \
        "zeros", "ones", "he", "glorot", "truncated", "uniform", "bilinear",   \
            "icnr", "identity", NULL                                           \
    }

struct lam_weight {
    const char *name; // "weight", "bias", "running_mean": PyTorch's names
    struct lam_shape shape;
    int32_t init;     // enum lam_init
    int32_t is_state; // 1: not trained; `run` writes it when training
    double scale, fan_in, fan_out;
    int32_t group;
    // Of a state: how much of it stays when `run` moves it. See `observe`.
    float keep;
};

enum {
    LAM_RUN_INPLACE = 1,      // out[0] may be the buffer of in[0]
    LAM_BACKWARD_INPLACE = 2, // d_in[0] may be the buffer of d_out[0]
    // out[0] need not be kept for backward: `run` can make it again, cheaply,
    // see `again`. Counts where backward reads all inputs.
    LAM_RUN_AGAIN = 4,
    // Statistics are those of all ranks that share them, see lam_host: what is
    // observed for a state is the same at each of them.
    LAM_SHARES = 8,
    // Its inputs and outputs, and their gradients, may be halves: all of them
    // but indices. `shape` is then called with inputs of LAM_F16 and gives
    // outputs of LAM_F16; kernels built with -DHALVES=1 see them as `stored`,
    // by READ and WRITE, which are there without it too. Variants that cannot
    // have a score of 0 for such shapes.
    LAM_HALVES = 16,
    // out[0] went through a relu, whose gradient others are to take: backward
    // wants d_out[0] zero where out[0] is not above zero.
    LAM_GATED = 32,
    // It can be one of these others, for in[0], which backward reads: see
    // `gate`. For layers that cannot the core does it.
    LAM_GATES = 64,
    // Each image of out[0] is those of the inputs one behind another in
    // memory, to the last byte, and d_in[i] that part of d_out[0]: the core may
    // have the inputs made there, and then leaves out `run` or `backward`. Only
    // where that is all it does.
    LAM_JOINS = 128,
    // d_in[i] is d_out[0], for each i: the core may have them be one tensor,
    // which backward then is not asked for.
    LAM_SAME_GRADS = 256
};

// What `shape` reads and fills in. The core sets n_in, in, training and zeroes
// the rest.
struct lam_shapes {
    int32_t n_in;
    const struct lam_shape *in;
    int32_t training; // 0: no backward will follow, aux is not kept

    int32_t n_out;
    struct lam_shape out[LAM_MAX_OUT];
    int32_t n_weight;
    struct lam_weight weight[LAM_MAX_WEIGHT];
    int32_t n_aux; // written by `run` when training, read by `backward`
    struct lam_shape aux[LAM_MAX_AUX];
    uint32_t backward_in;  // bit i: backward reads in[i]
    uint32_t backward_out; // bit i: backward reads out[i]
    // bit i: in[i], out[i] and its gradient d_out[i] may have a pitch, in the
    // layer's own callbacks and in variants that say so; d_in[i] has none. What
    // the host fills, copies or multiplies must have none either. In kernels:
    // pitched_plane of the prelude.
    uint32_t pitched_in, pitched_out;
    uint32_t flags;
    int64_t run_scratch, backward_scratch; // bytes
    double macs;                           // multiply-adds of one forward run
};

struct lam_layer {
    const struct lam_layer_type *type;
    const struct lam_host *host;
    const char *name;   // from the model, for messages
    const void *config; // filled from the parameter table
    void *state;        // state_size bytes, zeroed
};

// Valid until the callback returns. A gradient with a NULL buffer is not wanted
// (d_in, d_weight) or is zero (d_out). Gradients are overwritten, never added
// to: the core sums where a value has several readers.
struct lam_io {
    int32_t n_in, n_out, n_weight, n_aux;
    const struct lam_tensor *in, *out, *weight, *aux;
    const struct lam_tensor *d_out, *d_in, *d_weight; // backward only
    struct lam_tensor scratch; // this callback's, contents undefined
    // This variant's, kept between calls of one weights_version.
    struct lam_tensor persist;
    int32_t training;
    uint64_t seed; // differs by layer and step; same in backward
    // Changes whenever a weight may have changed, or `persist` may be lost.
    uint64_t weights_version;
    // 1: `run` is called once more, before backward: it makes out[0] as before
    // from in, weights and aux, and writes nothing else. There is no scratch.
    int32_t again;
    // 1: several ranks train together. `run` writes to a state what it has
    // observed alone, as if nothing of the former state stayed; the core makes
    // fma(keep, state, (1 - keep) * observed) of that, in the order of ranks.
    // With 0 `run` does so itself, in these very roundings.
    int32_t observe;
    // 1: d_in[0] is to be zero where in[0] is not above zero, see LAM_GATES.
    int32_t gate;
};

enum lam_pass {
    LAM_PASS_RUN,
    LAM_PASS_BACKWARD_DATA,  // fills d_in
    LAM_PASS_BACKWARD_WEIGHT // fills d_weight
};

enum {
    // Fractions arise inside, so that whole numbers do not stay exact:
    // LAM_SAMPLE_EXACT then asks for the default tolerance.
    LAM_INEXACT = 1,
    // Tensors may have a pitch where `shape` says so.
    LAM_PITCHED = 2
};

// Another way to compute one pass of a layer. The layer's own `run` and
// `backward` are the plain ones, always there, the reference of the others.
struct lam_variant {
    const char *name; // NULL ends the list
    int32_t pass;     // enum lam_pass
    const char *summary;
    // 0: cannot serve these shapes on this device; plain counts as 1; the
    // highest is taken unless a measurement or the user says otherwise.
    int (*score)(const struct lam_layer *layer,
                 const struct lam_shapes *shapes);
    // Bytes wanted; both are 0 before the call. NULL: none.
    void (*workspace)(const struct lam_layer *layer,
                      const struct lam_shapes *shapes, int64_t *scratch,
                      int64_t *persist);
    int (*prepare)(struct lam_layer *layer, const struct lam_io *io);
    int (*run)(struct lam_layer *layer, const struct lam_io *io);
    uint32_t flags; // LAM_INEXACT, LAM_PITCHED
};

// What a layer's plain C reference gets: doubles on the host (indices too).
struct lam_ref {
    int32_t n_in, n_out, n_weight, n_aux;
    const struct lam_shape *in_shape, *out_shape, *weight_shape;
    const double *const *in;
    double *const *out;
    double *const *weight; // state weights may be written when training
    int32_t training;
    uint64_t seed;
};

enum {
    LAM_SAMPLE_EXACT = 1,   // small integers: result must be bit-equal
    LAM_SAMPLE_LINEAR = 2,  // linear in in[0]: <Ax, y> = <x, A'y> is checked
    LAM_SAMPLE_NO_GRAD = 4, // no gradient to check; say why
    LAM_SAMPLE_EVAL = 8     // run with training = 0 (no backward)
};

// A case that `lamina selftest` runs.
struct lam_sample {
    const char *params; // "filters=3 kernel=3,5 pad=same"; NULL ends the list
    const char *inputs; // "2x3x7x5 2x1x7x5"
    // How each input is filled, space separated, "normal" where missing:
    // normal, away (|x| > 0.1), distinct (no ties), unit (0..1), binary,
    // labels:K (0..K-1), indices:MAX.
    const char *fill;
    uint32_t flags;
    const char *error; // not NULL: making it must fail with this in the text
    double atol, rtol; // 0: the default, 1e-5 and 1e-5; say why if larger
    const char *why;
};

enum lam_kind { LAM_KIND_LAYER, LAM_KIND_LOSS };

// A loss is a layer with inputs prediction and target (no gradient for the
// latter) and one output of shape [1]. d_out[0] is the factor to multiply with.
struct lam_layer_type {
    const char *name;               // "conv2d"
    const char *summary;            // one line
    int32_t kind;                   // enum lam_kind
    const struct lam_param *params; // NULL: none
    size_t config_size, state_size;
    int32_t min_in, max_in;
    const char *const *outputs; // NULL-ended names; NULL: one, "y"

    // Pure: no device, no state. Required.
    int (*shape)(const struct lam_layer *layer, struct lam_shapes *shapes);
    // Shapes are final: get kernels here. io holds shapes without buffers.
    int (*prepare)(struct lam_layer *layer, const struct lam_io *io);
    int (*run)(struct lam_layer *layer, const struct lam_io *io); // required
    // NULL: no gradient passes through (all inputs are constants).
    int (*backward)(struct lam_layer *layer, const struct lam_io *io);
    // Undoes prepare, also after a failed one. NULL: nothing to undo.
    void (*finish)(struct lam_layer *layer);
    const struct lam_variant *variants; // NULL: none

    // The layer's proof.
    int (*reference)(const struct lam_layer *layer, const struct lam_ref *ref);
    const struct lam_sample *samples;
};

// ---------------------------------------------------------------- fusions --

// One weight of the two layers that were merged.
struct lam_fused_weight {
    int32_t from;     // 0: of the first, 1: of the second
    const char *name; // "weight", "running_mean"
    const struct lam_shape *shape;
    const double *value;
};

// Weights of a merged layer, on the host. Each is to be written.
struct lam_fused {
    int32_t n_in, n_out;
    const struct lam_fused_weight *in;
    const struct lam_shape *const *out_shape;
    double *const *out;
    const double *reads; // the settings that the rule reads, in its order
};

// Two layers, the second being the only reader of the first, are computed by
// one. The core applies such rules by itself wherever they hold. Settings are
// written "KEY=VALUE" (they must have this value) or "KEY" (they are copied to
// the merged layer; "KEY>NEW" under another name) or "KEY*" (they may be
// anything), separated by blanks.
//
// `kept` is the layer whose name, settings and weights live on in the merged
// one; what `other` does not mention must have its default.
struct lam_fusion {
    const char *first, *second; // layer types
    const char *into;           // type of the merged layer
    int32_t kept;               // 0: the first, 1: the second
    int32_t in_training;        // 0: only where no backward will follow
    const char *needs;          // settings of the kept layer, NULL: any
    const char *other;          // settings of the other layer, NULL: defaults
    const char *adds;           // "KEY=VALUE", for the merged layer, or NULL
    const char *summary;        // what is saved, one line
    // NULL: the weights of the kept layer, as they are. Else all weights are
    // made from those of both, once; `reads` names numbers of the other layer.
    // Only where no backward will follow.
    int (*weights)(const struct lam_fused *fused);
    const char *reads;
};

// ------------------------------------------------------------- optimisers --

struct lam_optimizer {
    const struct lam_optimizer_type *type;
    const struct lam_host *host;
    const void *config;
    void *state;
};

struct lam_step {
    int64_t t;          // 1 at the first update
    double lr;          // this step's, after the schedule
    int32_t is_decayed; // weight decay of the optimiser applies to this weight
    struct lam_tensor weight, grad;
    struct lam_tensor slot[LAM_MAX_SLOT]; // zero before the first update
};

// The same in doubles on the host, n elements.
struct lam_step_ref {
    int64_t t, n;
    double lr;
    int32_t is_decayed;
    double *weight;
    const double *grad;
    double *slot[LAM_MAX_SLOT];
};

struct lam_optimizer_type {
    const char *name, *summary;
    const struct lam_param *params;
    size_t config_size, state_size;
    const char *const *slots; // NULL-ended names of what is kept per weight
    int (*prepare)(struct lam_optimizer *optimizer);
    int (*step)(struct lam_optimizer *optimizer, const struct lam_step *step);
    int (*reference)(const struct lam_optimizer *optimizer,
                     const struct lam_step_ref *step);
    const char *const *samples; // NULL-ended parameter strings, "beta1=0.8"
};

// ---------------------------------------------------------------- plugin --

struct lam_plugin {
    uint32_t abi_version; // LAM_ABI_VERSION; stays the first member for ever
    uint32_t size;        // sizeof(struct lam_plugin)
    const char *name, *version;
    const struct lam_layer_type *const *layers;         // NULL-ended, or NULL
    const struct lam_optimizer_type *const *optimizers; // NULL-ended, or NULL
    const struct lam_fusion *fusions; // ended by one without `first`, or NULL
};

#if defined(__GNUC__)
#define LAM_PLUGIN_EXPORT __attribute__((visibility("default")))
#else
#define LAM_PLUGIN_EXPORT
#endif

extern LAM_PLUGIN_EXPORT const struct lam_plugin lam_plugin;

#endif
