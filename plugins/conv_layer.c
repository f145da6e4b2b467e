// What conv2d and conv_transpose2d do when they run; they differ in what is
// big and what small.
#include "conv_layer.h"

#include <math.h>

int conv_prepare(struct lam_layer *layer, const struct lam_io *io)
{
    struct conv_state *state = layer->state;
    const int err = conv_geometry(layer, &io->in[0].shape, &state->geometry);

    return err ? err
               : conv_plain_prepare(layer->host, &state->geometry,
                                    &state->plain);
}

int conv_run(struct lam_layer *layer, const struct lam_io *io)
{
    const struct conv_state *state = layer->state;

    return conv_plain_run(
        layer->host, &state->plain, &state->geometry, conv_makes, &io->in[0],
        &io->weight[0], conv_bias_of(io), NULL, &io->out[0], conv_least(layer));
}

int conv_backward(struct lam_layer *layer, const struct lam_io *io)
{
    const struct conv_state *state = layer->state;
    const struct lam_host *host = layer->host;
    int err = LAM_OK;

    if (io->d_in[0].buffer)
        err = conv_plain_run(host, &state->plain, &state->geometry,
                             conv_opposite(conv_makes), &io->d_out[0],
                             &io->weight[0], NULL, conv_gate_of(io),
                             &io->d_in[0], -INFINITY);
    if (!err && io->d_weight[0].buffer)
        err = conv_plain_weight(host, &state->plain, &state->geometry,
                                conv_big_of(io), conv_small_of(io),
                                &io->scratch, &io->d_weight[0]);
    if (!err && conv_d_bias_of(io))
        err = conv_plain_bias(host, &state->plain, &io->d_out[0], &io->scratch,
                              conv_d_bias_of(io));
    return err;
}

typedef int made_run(const struct lam_host *host, const struct conv_geometry *g,
                     int made, struct conv_direct *direct,
                     const struct lam_tensor *src,
                     const struct lam_tensor *bias,
                     const struct lam_tensor *dst, const struct lam_io *io,
                     double least);

// The gate has a pass of its own here: where these write, row by row of many
// channels, reading it there took longer.
static int data_by(made_run *run, struct lam_layer *layer,
                   const struct lam_io *io)
{
    struct conv_state *state = layer->state;
    const int err =
        run(layer->host, &state->geometry, conv_opposite(conv_makes),
            &state->direct[LAM_PASS_BACKWARD_DATA], &io->d_out[0], NULL,
            &io->d_in[0], io, -INFINITY);

    return err ? err : conv_plain_gate(layer->host, &state->plain, io);
}

static int run_by(made_run *run, struct lam_layer *layer,
                  const struct lam_io *io)
{
    struct conv_state *state = layer->state;

    return run(layer->host, &state->geometry, conv_makes,
               &state->direct[LAM_PASS_RUN], &io->in[0], conv_bias_of(io),
               &io->out[0], io, conv_least(layer));
}

// The callbacks of kernels that make small or big, by pass; behind it what is
// made and, of winograd's, the size of tiles.
#define MADE(name, id, pass, PASS, ...)                                        \
    static int pass##_score_##id(const struct lam_layer *layer,                \
                                 const struct lam_shapes *shapes)              \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        return conv_geometry(layer, &shapes->in[0], &g)                        \
                   ? 0                                                         \
                   : conv_##name##_score(layer->host, &g, __VA_ARGS__,         \
                                         shapes->training);                    \
    }                                                                          \
                                                                               \
    static void pass##_workspace_##id(const struct lam_layer *layer,           \
                                      const struct lam_shapes *shapes,         \
                                      int64_t *scratch, int64_t *persist)      \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        if (!conv_geometry(layer, &shapes->in[0], &g))                         \
            conv_##name##_workspace(layer->host, &g, __VA_ARGS__, scratch,     \
                                    persist);                                  \
    }                                                                          \
                                                                               \
    static int pass##_prepare_##id(struct lam_layer *layer,                    \
                                   const struct lam_io *io)                    \
    {                                                                          \
        struct conv_state *state = layer->state;                               \
                                                                               \
        (void)io;                                                              \
        return conv_##name##_prepare(layer->host, &state->geometry,            \
                                     __VA_ARGS__, &state->direct[PASS]);       \
    }                                                                          \
                                                                               \
    static int pass##_##id(struct lam_layer *layer, const struct lam_io *io)   \
    {                                                                          \
        return pass##_by(conv_##name##_run, layer, io);                        \
    }

#define MADE_BOTH(name)                                                        \
    MADE(name, name, run, LAM_PASS_RUN, conv_makes)                            \
    MADE(name, name, data, LAM_PASS_BACKWARD_DATA, conv_opposite(conv_makes))

MADE_BOTH(direct)
MADE_BOTH(panel)
MADE_BOTH(phases)
MADE(winograd, 4, run, LAM_PASS_RUN, conv_makes, 4)
MADE(winograd, 2, run, LAM_PASS_RUN, conv_makes, 2)
MADE(winograd, 4, data, LAM_PASS_BACKWARD_DATA, conv_opposite(conv_makes), 4)
MADE(winograd, 2, data, LAM_PASS_BACKWARD_DATA, conv_opposite(conv_makes), 2)

static int weight_score_direct(const struct lam_layer *layer,
                               const struct lam_shapes *shapes)
{
    return run_score_direct(layer, shapes);
}

static void weight_workspace_direct(const struct lam_layer *layer,
                                    const struct lam_shapes *shapes,
                                    int64_t *scratch, int64_t *persist)
{
    struct conv_geometry g;

    (void)persist;
    if (!conv_geometry(layer, &shapes->in[0], &g))
        conv_dweight_workspace(layer->host, &g, scratch);
}

static int weight_prepare_direct(struct lam_layer *layer,
                                 const struct lam_io *io)
{
    struct conv_state *state = layer->state;

    (void)io;
    return conv_dweight_prepare(layer->host, &state->geometry,
                                &state->direct[LAM_PASS_BACKWARD_WEIGHT]);
}

typedef int
weight_run(const struct lam_host *host, const struct conv_plain *plain,
           const struct conv_geometry *g, const struct conv_direct *direct,
           const struct lam_tensor *big, const struct lam_tensor *small,
           const struct lam_io *io, const struct lam_tensor *d_bias);

// The bias comes along where small is the layer's output.
static int weight_by(weight_run *run, struct lam_layer *layer,
                     const struct lam_io *io)
{
    struct conv_state *state = layer->state;
    const struct lam_host *host = layer->host;
    const bool is_small = conv_makes == CONV_SMALL;
    int err = LAM_OK;

    if (io->d_weight[0].buffer)
        err = run(host, &state->plain, &state->geometry,
                  &state->direct[LAM_PASS_BACKWARD_WEIGHT], conv_big_of(io),
                  conv_small_of(io), io, is_small ? conv_d_bias_of(io) : NULL);
    if (!err && conv_d_bias_of(io) && (!is_small || !io->d_weight[0].buffer))
        err = conv_plain_bias(host, &state->plain, &io->d_out[0], &io->scratch,
                              conv_d_bias_of(io));
    return err;
}

static int weight_direct(struct lam_layer *layer, const struct lam_io *io)
{
    return weight_by(conv_dweight_run, layer, io);
}

static int weight_winograd(struct lam_layer *layer, const struct lam_io *io)
{
    return weight_by(conv_winograd_weight_run, layer, io);
}

// The callbacks of both sizes of tiles differ in M alone.
#define WINOGRAD_WEIGHT(M)                                                     \
    static int weight_score_##M(const struct lam_layer *layer,                 \
                                const struct lam_shapes *shapes)               \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        return conv_geometry(layer, &shapes->in[0], &g)                        \
                   ? 0                                                         \
                   : conv_winograd_weight_score(layer->host, &g, M);           \
    }                                                                          \
                                                                               \
    static void weight_workspace_##M(const struct lam_layer *layer,            \
                                     const struct lam_shapes *shapes,          \
                                     int64_t *scratch, int64_t *persist)       \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        (void)persist;                                                         \
        if (!conv_geometry(layer, &shapes->in[0], &g))                         \
            conv_winograd_weight_workspace(layer->host, &g, M, scratch);       \
    }                                                                          \
                                                                               \
    static int weight_prepare_##M(struct lam_layer *layer,                     \
                                  const struct lam_io *io)                     \
    {                                                                          \
        struct conv_state *state = layer->state;                               \
                                                                               \
        (void)io;                                                              \
        return conv_winograd_weight_prepare(                                   \
            layer->host, &state->geometry, M,                                  \
            &state->direct[LAM_PASS_BACKWARD_WEIGHT]);                         \
    }

WINOGRAD_WEIGHT(4)
WINOGRAD_WEIGHT(2)

static int weight_score_phases(const struct lam_layer *layer,
                               const struct lam_shapes *shapes)
{
    struct conv_geometry g;

    return conv_geometry(layer, &shapes->in[0], &g)
               ? 0
               : conv_phases_weight_score(layer->host, &g);
}

#define IN_PHASES "F(4x4, 2x2) of each phase of a stride, for processors"
#define PANELS    "matrix products of what the taps see, for processors"
#define DIRECT    "packed weights and register tiles, for processors"

#define WINOGRAD(M, name, doc, flags)                                          \
    {name,                                                                     \
     LAM_PASS_RUN,                                                             \
     doc,                                                                      \
     run_score_##M,                                                            \
     run_workspace_##M,                                                        \
     run_prepare_##M,                                                          \
     run_##M,                                                                  \
     flags},                                                                   \
        {name,                                                                 \
         LAM_PASS_BACKWARD_DATA,                                               \
         doc,                                                                  \
         data_score_##M,                                                       \
         data_workspace_##M,                                                   \
         data_prepare_##M,                                                     \
         data_##M,                                                             \
         flags},                                                               \
    {                                                                          \
        name, LAM_PASS_BACKWARD_WEIGHT, doc, weight_score_##M,                 \
            weight_workspace_##M, weight_prepare_##M, weight_winograd, flags   \
    }

#define ROW(name, PASS, pass, doc, flags)                                      \
    {                                                                          \
#name, PASS, doc, pass##_score_##name, pass##_workspace_##name,        \
            pass##_prepare_##name, pass##_##name, flags                        \
    }

const struct lam_variant conv_variants[] = {
    WINOGRAD(4, "winograd", "F(4x4, 3x3), for processors",
             LAM_INEXACT | LAM_PITCHED),
    WINOGRAD(2, "winograd2",
             "F(2x2, 3x3), for processors: fewer products, "
             "and results of whole numbers stay exact",
             LAM_PITCHED),
    ROW(phases, LAM_PASS_RUN, run, IN_PHASES, LAM_INEXACT | LAM_PITCHED),
    ROW(phases, LAM_PASS_BACKWARD_DATA, data, IN_PHASES,
        LAM_INEXACT | LAM_PITCHED),
    {"phases", LAM_PASS_BACKWARD_WEIGHT, IN_PHASES, weight_score_phases,
     weight_workspace_4, weight_prepare_4, weight_winograd,
     LAM_INEXACT | LAM_PITCHED},
    ROW(panel, LAM_PASS_RUN, run, PANELS, LAM_PITCHED),
    ROW(panel, LAM_PASS_BACKWARD_DATA, data, PANELS, LAM_PITCHED),
    ROW(direct, LAM_PASS_RUN, run, DIRECT, LAM_PITCHED),
    ROW(direct, LAM_PASS_BACKWARD_DATA, data, DIRECT, LAM_PITCHED),
    ROW(direct, LAM_PASS_BACKWARD_WEIGHT, weight, DIRECT, LAM_PITCHED),
    CONV_GPU_VARIANTS,
    {0}};
