// The plain kernels of conv2d and conv_transpose2d.
#include "conv.h"

#include <stdio.h>

#include "conv_plain.cl.h"
#include "flat.h"

enum { N_GEOMETRY = 17 };

#define GEOMETRY_ARGS(g, big, small)                                           \
    LAM_ARG_INT((g)->c / (g)->groups), LAM_ARG_INT((g)->h),                    \
        LAM_ARG_INT((g)->w), LAM_ARG_INT((g)->k / (g)->groups),                \
        LAM_ARG_INT((g)->p), LAM_ARG_INT((g)->q), LAM_ARG_INT((g)->r),         \
        LAM_ARG_INT((g)->s), LAM_ARG_INT((g)->sh), LAM_ARG_INT((g)->sw),       \
        LAM_ARG_INT((g)->dh), LAM_ARG_INT((g)->dw), LAM_ARG_INT((g)->top),     \
        LAM_ARG_INT((g)->left), LAM_ARG_INT((g)->groups),                      \
        LAM_ARG_INT(lam_pitch(big)), LAM_ARG_INT(lam_pitch(small))

// Neighbouring work-items of a GPU read neighbouring elements; a processor
// likes a short row.
static int row_of(const struct lam_host *host)
{
    return host->device.kind == LAM_DEVICE_CPU ? 8 : 1;
}

int conv_plain_prepare(const struct lam_host *host,
                       const struct conv_geometry *g, struct conv_plain *plain)
{
    char options[40];
    const struct {
        const char *name;
        struct lam_kernel **kernel;
    } wanted[] = {
        {"conv_small", &plain->small},   {"conv_big", &plain->big},
        {"conv_weight", &plain->weight}, {"conv_bias", &plain->bias},
        {"gate_gradient", &plain->gate}, {"conv_reduce", &plain->reduce}};
    int err = LAM_OK;

    snprintf(options, sizeof(options), "-DROW=%d%s", row_of(host), g->halves);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]) && !err; i++)
        err = host->kernel(host, conv_plain_cl, wanted[i].name, options,
                           wanted[i].kernel);
    return err;
}

int conv_plain_run(const struct lam_host *host, const struct conv_plain *plain,
                   const struct conv_geometry *g, int made,
                   const struct lam_tensor *src,
                   const struct lam_tensor *weight,
                   const struct lam_tensor *bias, const struct lam_tensor *gate,
                   const struct lam_tensor *dst, double least)
{
    const struct lam_tensor *big = made == CONV_BIG ? dst : src;
    const struct lam_tensor *small = made == CONV_BIG ? src : dst;
    const struct lam_arg args[] = {LAM_ARG_TENSOR(src),
                                   LAM_ARG_TENSOR(weight),
                                   LAM_ARG_TENSOR(bias),
                                   LAM_ARG_TENSOR(gate),
                                   LAM_ARG_INT(gate ? lam_pitch(gate) : 0),
                                   LAM_ARG_TENSOR(dst),
                                   LAM_ARG_INT(g->n),
                                   LAM_ARG_REAL(least),
                                   GEOMETRY_ARGS(g, big, small)};
    const int row = row_of(host), width = made == CONV_SMALL ? g->q : g->w;
    const size_t global[3] = {(size_t)((width + row - 1) / row),
                              (size_t)(made == CONV_SMALL ? g->p : g->h),
                              (size_t)g->n *
                                  (size_t)(made == CONV_SMALL ? g->k : g->c)};

    return host->launch(host, made == CONV_SMALL ? plain->small : plain->big,
                        args, 8 + N_GEOMETRY, global, NULL);
}

int conv_plain_gate(const struct lam_host *host, const struct conv_plain *plain,
                    const struct lam_io *io)
{
    const struct lam_tensor *x = &io->in[0];
    const struct lam_tensor *dx = &io->d_in[0];
    const struct flat cut =
        flat_cut_images(host, &x->shape, x->pitch || dx->pitch);
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(dx),  LAM_ARG_LONG(lam_step(dx)),
        LAM_ARG_TENSOR(x),   LAM_ARG_LONG(lam_step(x)),
        LAM_ARG_LONG(cut.n), LAM_ARG_INT(cut.chunk)};

    return io->gate
               ? host->launch(host, plain->gate, args, 6, cut.global, cut.local)
               : LAM_OK;
}

// Of sums: fixed, since a processor's driver compiles anew for each size.
static size_t group_of(const struct lam_host *host)
{
    return host->device.max_work_group < 64 ? 1 : 64;
}

// Rows of one block, so that `sums` sums over `rows` rows become enough
// work-items; the blocks depend on the shapes alone.
static int rows_of_block(int64_t sums, int rows)
{
    const int64_t wanted = 4096 / sums + 1;
    const int64_t blocks = wanted < rows ? wanted : rows;

    return (int)((rows + blocks - 1) / blocks);
}

static int64_t weights_of(const struct conv_geometry *g)
{
    return (int64_t)g->k * (g->c / g->groups) * g->r * g->s;
}

static int64_t partial_of(int64_t sums, int rows)
{
    const int per_block = rows_of_block(sums, rows);

    return sums * ((rows + per_block - 1) / per_block);
}

int64_t conv_plain_scratch(const struct lam_host *host,
                           const struct conv_geometry *g)
{
    const int64_t bytes = host->real == LAM_F64 ? 8 : 4;
    // The bias belongs to small in conv2d, to big in conv_transpose2d.
    const int64_t wanted[] = {partial_of(weights_of(g), g->n * g->p),
                              partial_of(g->k, g->n * g->p),
                              partial_of(g->c, g->n * g->h)};
    int64_t most = wanted[0];

    for (int i = 1; i < 3; i++)
        most = wanted[i] > most ? wanted[i] : most;
    return most * bytes;
}

int conv_plain_reduce(const struct lam_host *host,
                      const struct conv_plain *plain,
                      const struct lam_tensor *partial,
                      const struct lam_tensor *sums, int64_t n, int blocks)
{
    const size_t group = group_of(host), local[3] = {group, 1, 1};
    const size_t global[3] = {flat_round_up(n, (int64_t)group), 1, 1};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(partial),
                                   LAM_ARG_TENSOR(sums), LAM_ARG_LONG(n),
                                   LAM_ARG_INT(blocks)};

    return host->launch(host, plain->reduce, args, 4, global, local);
}

int conv_plain_weight(const struct lam_host *host,
                      const struct conv_plain *plain,
                      const struct conv_geometry *g,
                      const struct lam_tensor *big,
                      const struct lam_tensor *small,
                      const struct lam_tensor *scratch,
                      const struct lam_tensor *d_weight)
{
    const int rows = rows_of_block(weights_of(g), g->n * g->p);
    const int blocks = (g->n * g->p + rows - 1) / rows;
    const size_t global[3] = {(size_t)weights_of(g), (size_t)blocks, 1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(big),
        LAM_ARG_TENSOR(small),
        LAM_ARG_TENSOR(blocks > 1 ? scratch : d_weight),
        LAM_ARG_INT(g->n),
        LAM_ARG_INT(rows),
        GEOMETRY_ARGS(g, big, small)};
    const int err =
        host->launch(host, plain->weight, args, 5 + N_GEOMETRY, global, NULL);

    return err || blocks == 1
               ? err
               : conv_plain_reduce(host, plain, scratch, d_weight,
                                   weights_of(g), blocks);
}

int conv_plain_bias(const struct lam_host *host, const struct conv_plain *plain,
                    const struct lam_tensor *dy,
                    const struct lam_tensor *scratch,
                    const struct lam_tensor *d_bias)
{
    const int n = (int)dy->shape.dim[0], k = (int)dy->shape.dim[1];
    const int p = (int)dy->shape.dim[2], q = (int)dy->shape.dim[3];
    const int rows = rows_of_block(k, n * p);
    const int blocks = (n * p + rows - 1) / rows;
    const size_t group = group_of(host), local[3] = {group, 1, 1};
    const size_t global[3] = {flat_round_up(k, (int64_t)group), (size_t)blocks,
                              1};
    const struct lam_arg args[] = {
        LAM_ARG_TENSOR(dy),
        LAM_ARG_INT(lam_pitch(dy)),
        LAM_ARG_TENSOR(blocks > 1 ? scratch : d_bias),
        LAM_ARG_INT(n),
        LAM_ARG_INT(k),
        LAM_ARG_INT(p),
        LAM_ARG_INT(q),
        LAM_ARG_INT(rows)};
    const int err = host->launch(host, plain->bias, args, 8, global, local);

    return err || blocks == 1
               ? err
               : conv_plain_reduce(host, plain, scratch, d_bias, k, blocks);
}
