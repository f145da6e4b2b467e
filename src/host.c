// The services a plugin gets.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collective.h"
#include "half.h"
#include "queue.h"
#include "shape.h"

struct host_data {
    struct lam_context *ctx;
    struct lam_queue *queue;
    struct lam_collective *ranks; // that share statistics; NULL: none is asked
    char *shared;                 // as large as was wanted yet
    size_t shared_bytes;
};

LAM_PRINTF(3, 4)
static int host_fail(const struct lam_host *host, int code, const char *format,
                     ...)
{
    struct host_data *data = host->data;
    char text[900];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return lam_fail(data->ctx, code, "%s", text);
}

static int host_kernel(const struct lam_host *host, const char *source,
                       const char *name, const char *options,
                       struct lam_kernel **kernel)
{
    struct host_data *data = host->data;

    return lam_queue_kernel(data->queue, host->real, source, name, options,
                            kernel);
}

static int host_launch(const struct lam_host *host, struct lam_kernel *kernel,
                       const struct lam_arg *args, int n_args,
                       const size_t global[3], const size_t local[3])
{
    struct host_data *data = host->data;

    return lam_queue_launch(data->queue, kernel, args, n_args, global, local);
}

static int host_gemm(const struct lam_host *host, const struct lam_gemm *gemm)
{
    struct host_data *data = host->data;

    return lam_queue_gemm(data->queue, host->real, gemm);
}

static int check_bytes(struct lam_queue *q, const struct lam_tensor *t,
                       const char *what)
{
    char shape[64];

    if (t->buffer && lam_shape_bytes(&t->shape) <= lam_buffer_bytes(t->buffer))
        return LAM_OK;
    return lam_fail(q->ctx, LAM_ERUN, "%s: a tensor of %s has %s", what,
                    lam_shape_print(&t->shape, shape, sizeof(shape)),
                    t->buffer ? "a smaller buffer" : "no buffer");
}

static int host_fill(const struct lam_host *host, const struct lam_tensor *dst,
                     double value)
{
    struct host_data *data = host->data;
    const float narrow = (float)value;
    const int32_t whole = (int32_t)value;
    const uint32_t half = lam_half_of(narrow);
    uint32_t words[2];
    const int err = check_bytes(data->queue, dst, "fill");

    if (err)
        return err;
    if (dst->shape.dtype == LAM_F64) {
        memcpy(words, &value, sizeof(value));
    } else {
        words[0] = half | half << 16;
        if (dst->shape.dtype != LAM_F16)
            memcpy(&words[0],
                   dst->shape.dtype == LAM_F32 ? (const void *)&narrow
                                               : (const void *)&whole,
                   sizeof(words[0]));
        words[1] = words[0];
    }
    return lam_queue_fill(data->queue, dst->buffer,
                          lam_shape_bytes(&dst->shape), words[0], words[1]);
}

static int host_copy(const struct lam_host *host, const struct lam_tensor *dst,
                     const struct lam_tensor *src)
{
    struct host_data *data = host->data;
    int err = check_bytes(data->queue, dst, "copy to");

    if (!err)
        err = check_bytes(data->queue, src, "copy from");
    return err ? err
               : lam_buffer_copy(dst->buffer, src->buffer,
                                 lam_shape_bytes(&src->shape));
}

// The other pieces: from the other ranks, or as this one's.
static int fetch_pieces(const struct lam_host *host, size_t bytes)
{
    struct host_data *data = host->data;
    const size_t place = (size_t)host->place;

    if (data->ranks)
        return lam_collective_join(data->ranks,
                                   data->ranks->place.rank - host->place,
                                   host->sharing, data->shared, bytes);
    for (size_t i = 0; i < (size_t)host->sharing; i++)
        if (i != place)
            memcpy(data->shared + i * bytes, data->shared + place * bytes,
                   bytes);
    return LAM_OK;
}

static int host_share(const struct lam_host *host, const struct lam_tensor *all,
                      int64_t bytes)
{
    struct host_data *data = host->data;
    const size_t n = (size_t)bytes, total = n * (size_t)host->sharing;
    const size_t at = n * (size_t)host->place;
    int err = check_bytes(data->queue, all, "share");

    if (err || host->sharing == 1)
        return err;
    if (total > lam_buffer_bytes(all->buffer))
        return lam_fail(data->ctx, LAM_ERUN, "share: too small a buffer");
    if (total > data->shared_bytes) {
        free(data->shared);
        data->shared = malloc(total);
        data->shared_bytes = data->shared ? total : 0;
        if (!data->shared)
            return lam_fail(data->ctx, LAM_EMEMORY, "out of memory");
    }
    err = lam_buffer_read(all->buffer, at, n, data->shared + at);
    if (!err)
        err = fetch_pieces(host, n);
    return err ? err : lam_buffer_write(all->buffer, 0, total, data->shared);
}

void lam_host_share(struct lam_host *host, struct lam_collective *ranks,
                    int sharing)
{
    struct host_data *data = host->data;

    data->ranks = ranks;
    host->sharing = sharing;
    if (ranks)
        host->place = ranks->place.rank % sharing;
}

int lam_host_init(struct lam_host *host, struct lam_context *ctx,
                  struct lam_queue *queue, int real)
{
    struct host_data *data = malloc(sizeof(*data));

    *host = (struct lam_host){
        .abi_version = LAM_ABI_VERSION, .real = real, .sharing = 1};
    if (!data)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    *data = (struct host_data){.ctx = ctx, .queue = queue};
    host->data = data;
    host->fail = host_fail;
    if (!queue)
        return LAM_OK;
    host->device = queue->row.info;
    host->kernel = host_kernel;
    host->launch = host_launch;
    host->gemm = host_gemm;
    host->fill = host_fill;
    host->copy = host_copy;
    host->share = host_share;
    return LAM_OK;
}

int64_t lam_host_part_bytes(const struct lam_host *host)
{
    enum { KNOWN = 512 };
    const struct host_data *data = host->data;

    return data->queue ? data->queue->row.part_bytes : KNOWN;
}

void lam_host_finish(struct lam_host *host)
{
    struct host_data *data = host->data;

    if (data)
        free(data->shared);
    free(data);
    host->data = NULL;
}
