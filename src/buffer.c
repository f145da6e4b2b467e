// Device memory: sizes checked before the driver is asked, poison, canaries.
#include <stdlib.h>
#include <string.h>

#include "core.cl.h"
#include "queue.h"

static int fill(struct lam_buffer *b, int byte, size_t offset, size_t bytes)
{
    const unsigned char pattern = (unsigned char)byte;
    struct lam_queue *q = b->queue;
    cl_event event = NULL;
    cl_int error;
    const int err = lam_queue_usable(q);

    if (err)
        return err;
    lam_queue_call(q, NULL);
    error = clEnqueueFillBuffer(q->queue, b->cl, &pattern, 1, offset, bytes, 0,
                                NULL, q->profile ? &event : NULL);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueFillBuffer", "");
    return lam_queue_track(q, "filling a buffer", event);
}

// Words that are no number as float nor, in pairs, as double, and that no other
// buffer has: what a kernel reads behind its input and writes behind its output
// would be the same bits otherwise, for results of "no number" keep them.
static void canary_of(const struct lam_buffer *b,
                      uint32_t tail[LAM_CANARY_BYTES / 4])
{
    for (int i = 0; i < LAM_CANARY_BYTES / 4; i++)
        tail[i] = 0xFFF80000u | (b->serial & 0x7FFFFu);
}

// Poison and canary by one write of the host: Oclgrind takes what lies in a
// buffer for uninitialised, whatever kernels store, unless the host has written
// the buffer whole.
static int write_marks(struct lam_buffer *b, size_t whole)
{
    struct lam_queue *q = b->queue;
    const size_t first = q->poison ? 0 : b->bytes;
    unsigned char *marks = malloc(whole - first);
    uint32_t tail[LAM_CANARY_BYTES / 4];
    cl_int error;

    if (!marks)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    memset(marks, 0xFF, whole - first);
    canary_of(b, tail);
    if (q->canary)
        memcpy(marks + b->bytes - first, tail, sizeof(tail));
    lam_queue_call(q, NULL);
    error = clEnqueueWriteBuffer(q->queue, b->cl, CL_TRUE, first, whole - first,
                                 marks, 0, NULL, NULL);
    lam_queue_returned(q);
    free(marks);
    return error ? lam_fail_cl(q, error, "clEnqueueWriteBuffer", "") : LAM_OK;
}

static int check_size(struct lam_queue *q, size_t bytes, size_t whole)
{
    const double mib = 1.0 / 0x1p20;
    const struct lam_device *info = &q->row.info;

    if (bytes == 0)
        return lam_fail(q->ctx, LAM_ERUN, "a buffer of no bytes is wanted");
    if (whole < bytes || whole > (size_t)info->max_alloc_bytes)
        return lam_fail(q->ctx, LAM_EMEMORY,
                        "a buffer of %.1f MiB is wanted, %s gives at most "
                        "%.1f MiB at once",
                        (double)bytes * mib, q->row.name,
                        (double)info->max_alloc_bytes * mib);
    if (whole > (size_t)info->global_bytes ||
        q->allocated > (size_t)info->global_bytes - whole)
        return lam_fail(q->ctx, LAM_EMEMORY,
                        "a buffer of %.1f MiB is wanted with %.1f MiB in use, "
                        "%s has %.1f MiB in all",
                        (double)bytes * mib, (double)q->allocated * mib,
                        q->row.name, (double)info->global_bytes * mib);
    return LAM_OK;
}

int lam_buffer_create(struct lam_queue *q, size_t bytes,
                      struct lam_buffer **buffer)
{
    const size_t whole = bytes + (q->canary ? LAM_CANARY_BYTES : 0);
    struct lam_buffer *b;
    cl_int error;
    int err = lam_queue_usable(q);

    *buffer = NULL;
    if (!err)
        err = check_size(q, bytes, whole);
    if (err)
        return err;
    b = calloc(1, sizeof(*b));
    if (!b)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    b->queue = q;
    b->bytes = bytes;
    if (q->is_guarded && !lam_guard_open(&b->guard, bytes, q->guards_end)) {
        free(b);
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    }
    b->cl = clCreateBuffer(q->context,
                           CL_MEM_READ_WRITE |
                               (q->is_guarded ? CL_MEM_USE_HOST_PTR : 0),
                           whole, b->guard.memory, &error);
    if (error) {
        lam_guard_close(&b->guard);
        free(b);
        return lam_fail_cl(q, error, "clCreateBuffer", "a new buffer");
    }
    q->n_buffers++;
    q->allocated += bytes;
    if (q->allocated > q->peak)
        q->peak = q->allocated;
    b->serial = ++q->serial;
    if (whole > bytes || q->poison)
        err = write_marks(b, whole);
    if (err) {
        lam_buffer_destroy(b);
        return err;
    }
    *buffer = b;
    return LAM_OK;
}

static int check_range(const struct lam_buffer *b, size_t offset, size_t bytes)
{
    if (bytes > b->bytes || offset > b->bytes - bytes)
        return lam_fail(b->queue->ctx, LAM_ERUN,
                        "%zu bytes at %zu are not within a buffer of %zu",
                        bytes, offset, b->bytes);
    return lam_queue_usable(b->queue);
}

int lam_buffer_part(struct lam_buffer *b, size_t offset, size_t bytes,
                    struct lam_buffer **part)
{
    const cl_buffer_region region = {offset, bytes};
    struct lam_queue *q = b->queue;
    cl_int error;
    const int err = check_range(b, offset, bytes);

    *part = NULL;
    if (err)
        return err;
    *part = calloc(1, sizeof(**part));
    if (!*part)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    **part = (struct lam_buffer){.queue = q, .bytes = bytes, .is_part = true};
    (*part)->cl =
        clCreateSubBuffer(b->cl, CL_MEM_READ_WRITE,
                          CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    if (error) {
        free(*part);
        *part = NULL;
        return lam_fail_cl(q, error, "clCreateSubBuffer", "a part of a buffer");
    }
    q->n_buffers++;
    return LAM_OK;
}

void lam_buffer_destroy(struct lam_buffer *b)
{
    if (!b)
        return;
    // The driver keeps what it still works on, but not the host's memory.
    if (b->guard.memory && !b->queue->is_hung)
        clFinish(b->queue->queue);
    if (!b->queue->is_hung)
        clReleaseMemObject(b->cl);
    lam_guard_close(&b->guard);
    b->queue->n_buffers--;
    if (!b->is_part)
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
    const int err = check_range(b, offset, bytes);

    if (err || bytes == 0)
        return err;
    lam_queue_call(q, NULL);
    error = clEnqueueWriteBuffer(q->queue, b->cl, CL_FALSE, offset, bytes, src,
                                 0, NULL, &event);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueWriteBuffer", "");
    return lam_queue_wait(q, event);
}

static int read_at(struct lam_buffer *b, size_t offset, size_t bytes, void *dst)
{
    struct lam_queue *q = b->queue;
    cl_event event;
    cl_int error;

    lam_queue_call(q, NULL);
    error = clEnqueueReadBuffer(q->queue, b->cl, CL_FALSE, offset, bytes, dst,
                                0, NULL, &event);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueReadBuffer", "");
    return lam_queue_wait(q, event);
}

int lam_buffer_read(struct lam_buffer *b, size_t offset, size_t bytes,
                    void *dst)
{
    const int err = check_range(b, offset, bytes);

    return err || bytes == 0 ? err : read_at(b, offset, bytes, dst);
}

int lam_buffer_read_start(struct lam_buffer *b, size_t bytes, void *dst,
                          struct lam_read *read)
{
    struct lam_queue *q = b->queue;
    cl_event event;
    cl_int error;
    const int err = check_range(b, 0, bytes);

    if (err)
        return err;
    lam_queue_call(q, NULL);
    error = clEnqueueReadBuffer(q->queue, b->cl, CL_FALSE, 0, bytes, dst, 0,
                                NULL, &event);
    if (!error)
        clFlush(q->queue);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueReadBuffer", "");
    if (read->event)
        clReleaseEvent(read->event);
    *read = (struct lam_read){q, event, lam_queue_now()};
    return LAM_OK;
}

int lam_queue_fill(struct lam_queue *q, struct lam_buffer *b, size_t bytes,
                   uint32_t even, uint32_t odd)
{
    enum { CHUNK = 4096 }; // words of a work-item on a processor
    const bool is_processor = q->row.info.kind == LAM_DEVICE_CPU;
    const size_t chunk = is_processor ? CHUNK : 1, n = bytes / 4;
    const size_t local[3] = {is_processor ? 1 : 64, 1, 1};
    const size_t items = (n + chunk - 1) / chunk;
    const size_t global[3] = {(items + local[0] - 1) / local[0] * local[0], 1,
                              1};
    const struct lam_tensor y = {.buffer = b};
    const struct lam_arg args[] = {LAM_ARG_TENSOR(&y), LAM_ARG_INT(even),
                                   LAM_ARG_INT(odd), LAM_ARG_LONG((int64_t)n),
                                   LAM_ARG_INT((int64_t)chunk)};
    const int err = q->fill ? LAM_OK
                            : lam_queue_kernel(q, LAM_F32, core_cl, "core_fill",
                                               NULL, &q->fill);

    return err ? err : lam_queue_launch(q, q->fill, args, 5, global, local);
}

int lam_buffer_fill(struct lam_buffer *b, int byte)
{
    const uint32_t word = 0x01010101u * (unsigned char)byte;

    return b->bytes % 4 ? fill(b, byte, 0, b->bytes)
                        : lam_queue_fill(b->queue, b, b->bytes, word, word);
}

int lam_buffer_copy(struct lam_buffer *dst, struct lam_buffer *src,
                    size_t bytes)
{
    struct lam_queue *q = dst->queue;
    cl_event event = NULL;
    cl_int error;
    int err = check_range(src, 0, bytes);

    if (!err)
        err = check_range(dst, 0, bytes);
    if (err || bytes == 0 || src == dst)
        return err;
    lam_queue_call(q, NULL);
    error = clEnqueueCopyBuffer(q->queue, src->cl, dst->cl, 0, 0, bytes, 0,
                                NULL, q->profile ? &event : NULL);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueCopyBuffer", "");
    return lam_queue_track(q, "copying a buffer", event);
}

int lam_buffer_intact(struct lam_buffer *b, const char *what)
{
    uint32_t tail[LAM_CANARY_BYTES / 4], wanted[LAM_CANARY_BYTES / 4];
    int err;

    if (!b->queue->canary || b->is_part)
        return LAM_OK;
    err = lam_queue_usable(b->queue);
    if (!err)
        err = read_at(b, b->bytes, sizeof(tail), tail);
    canary_of(b, wanted);
    for (size_t i = 0; i < LAM_CANARY_BYTES / 4 && !err; i++)
        if (tail[i] != wanted[i])
            err = lam_fail(b->queue->ctx, LAM_ERUN,
                           "%s: a kernel wrote past the end of its buffer of "
                           "%zu bytes, %zu bytes behind it",
                           what, b->bytes, 4 * i);
    return err;
}
