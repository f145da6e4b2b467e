#include <stdlib.h>
#include <string.h>

#include "queue.h"

static int fill(struct lam_buffer *b, int byte, size_t offset, size_t bytes)
{
    const unsigned char pattern = (unsigned char)byte;
    struct lam_queue *q = b->queue;
    const cl_int error = clEnqueueFillBuffer(q->queue, b->cl, &pattern, 1,
                                             offset, bytes, 0, NULL, NULL);

    q->last = "filling a buffer";
    return error ? lam_fail_cl(q->ctx, error, "clEnqueueFillBuffer", "")
                 : LAM_OK;
}

int lam_buffer_create(struct lam_queue *q, size_t bytes,
                      struct lam_buffer **buffer)
{
    const size_t whole = bytes + (q->canary ? LAM_CANARY_BYTES : 0);
    struct lam_buffer *b;
    cl_int error;
    int err = LAM_OK;

    *buffer = NULL;
    if (bytes > (size_t)q->row.info.max_alloc_bytes)
        return lam_fail(q->ctx, LAM_EMEMORY,
                        "a buffer of %.1f MiB is wanted, the device gives at "
                        "most %.1f MiB at once",
                        (double)bytes / 0x1p20,
                        (double)q->row.info.max_alloc_bytes / 0x1p20);
    b = calloc(1, sizeof(*b));
    if (!b)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    b->queue = q;
    b->bytes = bytes;
    b->cl = clCreateBuffer(q->context, CL_MEM_READ_WRITE, whole, NULL, &error);
    if (error) {
        free(b);
        return lam_fail_cl(q->ctx, error, "clCreateBuffer",
                           "too little device memory");
    }
    q->n_buffers++;
    q->allocated += bytes;
    if (q->allocated > q->peak)
        q->peak = q->allocated;
    if (q->poison)
        err = fill(b, 0xFF, 0, whole);
    else if (q->canary)
        err = fill(b, 0xFF, bytes, LAM_CANARY_BYTES);
    if (err) {
        lam_buffer_destroy(b);
        return err;
    }
    *buffer = b;
    return LAM_OK;
}

void lam_buffer_destroy(struct lam_buffer *b)
{
    if (!b)
        return;
    clReleaseMemObject(b->cl);
    b->queue->n_buffers--;
    b->queue->allocated -= b->bytes;
    free(b);
}

size_t lam_buffer_bytes(const struct lam_buffer *b)
{
    return b->bytes;
}

size_t lam_queue_allocated(const struct lam_queue *q)
{
    return q->allocated;
}

size_t lam_queue_peak(const struct lam_queue *q)
{
    return q->peak;
}

int lam_queue_live_buffers(const struct lam_queue *q)
{
    return q->n_buffers;
}

int lam_buffer_write(struct lam_buffer *b, size_t offset, size_t bytes,
                     const void *src)
{
    struct lam_queue *q = b->queue;
    cl_event event;
    cl_int error;

    if (offset + bytes > b->bytes)
        return lam_fail(q->ctx, LAM_ERUN,
                        "%zu bytes at %zu do not fit in a buffer of %zu", bytes,
                        offset, b->bytes);
    error = clEnqueueWriteBuffer(q->queue, b->cl, CL_FALSE, offset, bytes, src,
                                 0, NULL, &event);
    q->last = "writing a buffer";
    if (error)
        return lam_fail_cl(q->ctx, error, "clEnqueueWriteBuffer", "");
    return lam_queue_wait(q, event);
}

static int read_at(struct lam_buffer *b, size_t offset, size_t bytes, void *dst)
{
    struct lam_queue *q = b->queue;
    cl_event event;
    const cl_int error = clEnqueueReadBuffer(q->queue, b->cl, CL_FALSE, offset,
                                             bytes, dst, 0, NULL, &event);

    if (error)
        return lam_fail_cl(q->ctx, error, "clEnqueueReadBuffer", q->last);
    return lam_queue_wait(q, event);
}

int lam_buffer_read(struct lam_buffer *b, size_t offset, size_t bytes,
                    void *dst)
{
    if (offset + bytes > b->bytes)
        return lam_fail(b->queue->ctx, LAM_ERUN,
                        "%zu bytes at %zu are not in a buffer of %zu", bytes,
                        offset, b->bytes);
    return read_at(b, offset, bytes, dst);
}

int lam_buffer_fill(struct lam_buffer *b, int byte)
{
    return fill(b, byte, 0, b->bytes);
}

int lam_buffer_copy(struct lam_buffer *dst, struct lam_buffer *src,
                    size_t bytes)
{
    struct lam_queue *q = dst->queue;
    const cl_int error = clEnqueueCopyBuffer(q->queue, src->cl, dst->cl, 0, 0,
                                             bytes, 0, NULL, NULL);

    q->last = "copying a buffer";
    return error ? lam_fail_cl(q->ctx, error, "clEnqueueCopyBuffer", "")
                 : LAM_OK;
}

int lam_buffer_intact(struct lam_buffer *b, const char *what)
{
    unsigned char tail[LAM_CANARY_BYTES];
    int err;

    if (!b->queue->canary)
        return LAM_OK;
    err = read_at(b, b->bytes, sizeof(tail), tail);
    for (size_t i = 0; i < sizeof(tail) && !err; i++)
        if (tail[i] != 0xFF)
            err = lam_fail(b->queue->ctx, LAM_ERUN,
                           "%s: a kernel wrote past the end of its buffer, "
                           "%zu bytes behind it",
                           what, i);
    return err;
}
