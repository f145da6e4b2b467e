// What the variants for GPUs do when they run.
#include "conv_layer.h"

#include <math.h>

// The gradient of the bias, where one is wanted.
static int run_bias(const struct lam_layer *layer, const struct lam_io *io)
{
    const struct conv_state *state = layer->state;
    const struct lam_tensor *d_bias = conv_d_bias_of(io);

    return d_bias ? conv_plain_bias(layer->host, &state->plain, &io->d_out[0],
                                    &io->scratch, d_bias)
                  : LAM_OK;
}

CONV_SCORE(conv_score_gemm)
{
    struct conv_geometry g;

    // Its products add up in the result: no place for an activation.
    return conv_geometry(layer, &shapes->in[0], &g) ||
                   conv_least(layer) > -INFINITY
               ? 0
               : conv_gemm_score(layer->host, &g);
}

CONV_WORKSPACE(conv_workspace_gemm)
{
    struct conv_geometry g;
    int64_t plain;

    (void)persist;
    if (conv_geometry(layer, &shapes->in[0], &g))
        return;
    *scratch = conv_gemm_scratch(layer->host, &g);
    plain = conv_plain_scratch(layer->host, &g);
    if (*scratch < plain)
        *scratch = plain;
}

CONV_DO(conv_prepare_gemm)
{
    struct conv_state *state = layer->state;

    (void)io;
    return conv_gemm_prepare(layer->host, &state->gemm);
}

CONV_DO(conv_run_gemm)
{
    const struct conv_state *state = layer->state;

    return conv_gemm_run(layer->host, &state->gemm, &state->geometry,
                         conv_makes, &io->in[0], conv_bias_of(io), &io->out[0],
                         io);
}

CONV_DO(conv_data_gemm)
{
    const struct conv_state *state = layer->state;

    const int err = conv_gemm_run(layer->host, &state->gemm, &state->geometry,
                                  conv_opposite(conv_makes), &io->d_out[0],
                                  NULL, &io->d_in[0], io);

    return err ? err : conv_plain_gate(layer->host, &state->plain, io);
}

CONV_DO(conv_weight_gemm)
{
    const struct conv_state *state = layer->state;
    const struct lam_host *host = layer->host;
    int err = LAM_OK;

    if (io->d_weight[0].buffer)
        err = conv_gemm_weight(host, &state->gemm, &state->geometry,
                               conv_big_of(io), conv_small_of(io), io);
    return err ? err : run_bias(layer, io);
}

CONV_SCORE(conv_score_implicit)
{
    struct conv_geometry g;

    return conv_geometry(layer, &shapes->in[0], &g)
               ? 0
               : conv_implicit_score(layer->host, &g);
}

CONV_WORKSPACE(conv_workspace_implicit)
{
    struct conv_geometry g;

    (void)persist;
    if (!conv_geometry(layer, &shapes->in[0], &g))
        conv_implicit_workspace(layer->host, &g, scratch);
}

CONV_DO(conv_prepare_implicit)
{
    struct conv_state *state = layer->state;

    (void)io;
    return conv_implicit_prepare(layer->host, &state->geometry,
                                 &state->implicit);
}

CONV_DO(conv_run_implicit)
{
    const struct conv_state *state = layer->state;

    return conv_implicit_run(
        layer->host, &state->implicit, &state->geometry, conv_makes, &io->in[0],
        &io->weight[0], conv_bias_of(io), NULL, &io->out[0], conv_least(layer));
}

CONV_DO(conv_data_implicit)
{
    const struct conv_state *state = layer->state;

    return conv_implicit_run(layer->host, &state->implicit, &state->geometry,
                             conv_opposite(conv_makes), &io->d_out[0],
                             &io->weight[0], NULL, conv_gate_of(io),
                             &io->d_in[0], -INFINITY);
}

CONV_DO(conv_weight_implicit)
{
    const struct conv_state *state = layer->state;
    const struct lam_host *host = layer->host;
    int err = LAM_OK;

    if (io->d_weight[0].buffer)
        err = conv_implicit_weight(
            host, &state->implicit, &state->plain, &state->geometry,
            conv_big_of(io), conv_small_of(io), &io->scratch, &io->d_weight[0]);
    return err ? err : run_bias(layer, io);
}

// The callbacks of both sizes of tiles differ in M alone.
#define WINOGRAD_GPU(M, pass, PASS, made)                                      \
    CONV_SCORE(conv_##pass##_score_gpu##M)                                     \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        return conv_geometry(layer, &shapes->in[0], &g)                        \
                   ? 0                                                         \
                   : conv_winograd_gpu_score(layer->host, &g, made, M);        \
    }                                                                          \
                                                                               \
    CONV_WORKSPACE(conv_##pass##_workspace_gpu##M)                             \
    {                                                                          \
        struct conv_geometry g;                                                \
                                                                               \
        if (!conv_geometry(layer, &shapes->in[0], &g))                         \
            conv_winograd_gpu_workspace(layer->host, &g, made, M, scratch,     \
                                        persist);                              \
    }                                                                          \
                                                                               \
    CONV_DO(conv_##pass##_prepare_gpu##M)                                      \
    {                                                                          \
        struct conv_state *state = layer->state;                               \
                                                                               \
        (void)io;                                                              \
        return conv_winograd_gpu_prepare(layer->host, &state->geometry, made,  \
                                         M, &state->winograd_gpu[PASS]);       \
    }

WINOGRAD_GPU(4, run, LAM_PASS_RUN, conv_makes)
WINOGRAD_GPU(2, run, LAM_PASS_RUN, conv_makes)
WINOGRAD_GPU(4, data, LAM_PASS_BACKWARD_DATA, conv_opposite(conv_makes))
WINOGRAD_GPU(2, data, LAM_PASS_BACKWARD_DATA, conv_opposite(conv_makes))
WINOGRAD_GPU(4, weight, LAM_PASS_BACKWARD_WEIGHT, CONV_WEIGHT)
WINOGRAD_GPU(2, weight, LAM_PASS_BACKWARD_WEIGHT, CONV_WEIGHT)

CONV_DO(conv_run_winograd_gpu)
{
    struct conv_state *state = layer->state;

    return conv_winograd_gpu_run(layer->host, &state->geometry, conv_makes,
                                 &state->winograd_gpu[LAM_PASS_RUN], &io->in[0],
                                 conv_bias_of(io), &io->out[0], io,
                                 conv_least(layer));
}

CONV_DO(conv_data_winograd_gpu)
{
    struct conv_state *state = layer->state;

    return conv_winograd_gpu_run(
        layer->host, &state->geometry, conv_opposite(conv_makes),
        &state->winograd_gpu[LAM_PASS_BACKWARD_DATA], &io->d_out[0], NULL,
        &io->d_in[0], io, -INFINITY);
}

CONV_DO(conv_weight_winograd_gpu)
{
    const struct conv_state *state = layer->state;
    int err = LAM_OK;

    if (io->d_weight[0].buffer)
        err = conv_winograd_gpu_weight(
            layer->host, &state->geometry,
            &state->winograd_gpu[LAM_PASS_BACKWARD_WEIGHT], conv_big_of(io),
            conv_small_of(io), &io->scratch, &io->d_weight[0]);
    return err ? err : run_bias(layer, io);
}
