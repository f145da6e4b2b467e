// Opening and closing a device, and waits that end.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "program_cache.h"
#include "queue.h"
#include "tuning.h"

const char *lam_cl_error_name(cl_int error)
{
    static const struct {
        cl_int code;
        const char *name;
    } names[] = {
        {-1, "CL_DEVICE_NOT_FOUND"},
        {-2, "CL_DEVICE_NOT_AVAILABLE"},
        {-3, "CL_COMPILER_NOT_AVAILABLE"},
        {-4, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
        {-5, "CL_OUT_OF_RESOURCES"},
        {-6, "CL_OUT_OF_HOST_MEMORY"},
        {-7, "CL_PROFILING_INFO_NOT_AVAILABLE"},
        {-8, "CL_MEM_COPY_OVERLAP"},
        {-11, "CL_BUILD_PROGRAM_FAILURE"},
        {-12, "CL_MAP_FAILURE"},
        {-13, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
        {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
        {-15, "CL_COMPILE_PROGRAM_FAILURE"},
        {-30, "CL_INVALID_VALUE"},
        {-31, "CL_INVALID_DEVICE_TYPE"},
        {-32, "CL_INVALID_PLATFORM"},
        {-33, "CL_INVALID_DEVICE"},
        {-34, "CL_INVALID_CONTEXT"},
        {-35, "CL_INVALID_QUEUE_PROPERTIES"},
        {-36, "CL_INVALID_COMMAND_QUEUE"},
        {-38, "CL_INVALID_MEM_OBJECT"},
        {-42, "CL_INVALID_BINARY"},
        {-43, "CL_INVALID_BUILD_OPTIONS"},
        {-44, "CL_INVALID_PROGRAM"},
        {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
        {-46, "CL_INVALID_KERNEL_NAME"},
        {-47, "CL_INVALID_KERNEL_DEFINITION"},
        {-48, "CL_INVALID_KERNEL"},
        {-49, "CL_INVALID_ARG_INDEX"},
        {-50, "CL_INVALID_ARG_VALUE"},
        {-51, "CL_INVALID_ARG_SIZE"},
        {-52, "CL_INVALID_KERNEL_ARGS"},
        {-53, "CL_INVALID_WORK_DIMENSION"},
        {-54, "CL_INVALID_WORK_GROUP_SIZE"},
        {-55, "CL_INVALID_WORK_ITEM_SIZE"},
        {-56, "CL_INVALID_GLOBAL_OFFSET"},
        {-57, "CL_INVALID_EVENT_WAIT_LIST"},
        {-58, "CL_INVALID_EVENT"},
        {-59, "CL_INVALID_OPERATION"},
        {-61, "CL_INVALID_BUFFER_SIZE"},
        {-63, "CL_INVALID_GLOBAL_WORK_SIZE"},
        {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
        {-9999, "illegal read or write"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == error)
            return names[i].name;
    return "an unknown error";
}

int lam_fail_cl(struct lam_queue *q, cl_int error, const char *call,
                const char *what)
{
    const char *name = lam_cl_error_name(error);
    const char *between = what[0] ? ": " : "";
    char where[200];

    if (error == -4 || error == -6 || error == -61)
        return lam_fail(q->ctx, LAM_EMEMORY,
                        "%s failed with %s (%d)%s%s; %.1f MiB in %d buffers "
                        "were in use on the device",
                        call, name, error, between, what,
                        (double)q->allocated / 0x1p20, q->n_buffers);
    if (error == -5 || error == -14 || error == -36 || error == -9999) {
        q->is_lost = true;
        return lam_fail(q->ctx, LAM_ELOST,
                        "%s failed with %s (%d)%s%s; the device is lost, it "
                        "was at %s",
                        call, name, error, between, what,
                        lam_queue_where(q, where, sizeof(where)));
    }
    return lam_fail(q->ctx, LAM_ERUN, "%s failed with %s (%d)%s%s", call, name,
                    error, between, what);
}

int lam_queue_usable(struct lam_queue *q)
{
    char where[200];

    return q->is_lost ? lam_fail(q->ctx, LAM_ELOST,
                                 "the device was lost; it was at %s",
                                 lam_queue_where(q, where, sizeof(where)))
                      : LAM_OK;
}

static int open_on(struct lam_queue *q, const struct lam_found *found)
{
    cl_int error;

    q->row = found->row;
    q->device = found->device;
    error = clGetPlatformInfo(found->platform, CL_PLATFORM_VERSION,
                              sizeof(q->platform_version), q->platform_version,
                              NULL);
    if (error)
        return lam_fail_cl(q, error, "clGetPlatformInfo", q->row.name);
    q->context = clCreateContext(NULL, 1, &q->device, NULL, NULL, &error);
    if (error) {
        q->context = NULL;
        return lam_fail_cl(q, error, "clCreateContext", q->row.name);
    }
    q->queue = clCreateCommandQueue(q->context, q->device,
                                    q->profile ? CL_QUEUE_PROFILING_ENABLE : 0,
                                    &error);
    if (error) {
        q->queue = NULL;
        clReleaseContext(q->context);
        q->context = NULL;
        return lam_fail_cl(q, error, "clCreateCommandQueue", q->row.name);
    }
    return LAM_OK;
}

// The best device that opens; those that do not are named.
static int open_best(struct lam_queue *q, const char *wanted, int nth)
{
    struct lam_found *found = calloc(LAM_MAX_DEVICES, sizeof(*found));
    int n = 0, n_alike = 0, err;

    if (!found)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    err = lam_device_choose(q->ctx, wanted, found, &n);
    while (n_alike < n &&
           found[n_alike].row.info.kind == found[0].row.info.kind)
        n_alike++;
    for (int i = n_alike ? nth % n_alike : 0; i < n; i++) {
        err = open_on(q, &found[i]);
        if (!err || i + 1 == n)
            break;
        lam_log(q->ctx, LAM_LOG_WARNING, "device %d is passed over: %s",
                found[i].row.index, q->ctx->error);
        lam_error_clear(q->ctx);
        q->is_lost = false;
    }
    free(found);
    return err;
}

static int open_guard(struct lam_queue *q, const char *guard)
{
    if (!guard || !guard[0])
        return LAM_OK;
    if (strcmp(guard, "end") != 0 && strcmp(guard, "start") != 0)
        return lam_fail(q->ctx, LAM_EUSAGE,
                        "LAM_GUARD is '%s', wanted 'end' or 'start'", guard);
    if (q->row.info.kind != LAM_DEVICE_CPU)
        return lam_fail(q->ctx, LAM_EDEVICE,
                        "LAM_GUARD is for processors, %s is none", q->row.name);
    q->is_guarded = true;
    q->guards_end = strcmp(guard, "end") == 0;
    q->canary = false;
    return LAM_OK;
}

int lam_queue_open(struct lam_context *ctx,
                   const struct lam_queue_options *options,
                   struct lam_queue **queue)
{
    struct lam_queue *q = calloc(1, sizeof(*q));
    int err;

    *queue = NULL;
    if (!q)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    q->ctx = ctx;
    q->timeout_s = options->timeout_s > 0 ? options->timeout_s : 300.0;
    q->poison = options->poison;
    q->canary = options->canary;
    q->profile = options->profile != 0;
    err = lam_watchdog_open(q);
    if (!err) {
        lam_queue_call(q, NULL);
        err =
            open_best(q, options->device ? options->device : "", options->nth);
        lam_queue_returned(q);
    }
    if (err) {
        lam_queue_close(q);
        return err;
    }
    err = open_guard(q, options->guard);
    if (err) {
        lam_queue_close(q);
        return err;
    }
    lam_log(ctx, LAM_LOG_INFO, "device %d: %s (%s, %d compute units, %.1f GiB)",
            q->row.index, q->row.name, q->row.platform,
            q->row.info.compute_units,
            (double)q->row.info.global_bytes / 0x1p30);
    lam_program_cache_open(q, options->cache);
    if (options->tuned) {
        err = lam_tuning_open(ctx, &q->row, NULL, &q->tuning);
        if (err) {
            lam_queue_close(q);
            return err;
        }
    }
    lam_gemm_open(q);
    *queue = q;
    return LAM_OK;
}

void lam_queue_close(struct lam_queue *q)
{
    if (!q)
        return;
    if (q->parts.cl && !q->is_hung)
        clReleaseMemObject(q->parts.cl);
    lam_watchdog_close(q);
    for (int i = 0; i < q->n_pending && !q->is_hung; i++)
        clReleaseEvent(q->pending[i].event);
    lam_queue_kernels_free(q);
    if (!q->is_hung)
        lam_gemm_close(q);
    if (q->queue && !q->is_hung)
        clReleaseCommandQueue(q->queue);
    if (q->context && !q->is_hung)
        clReleaseContext(q->context);
    lam_queue_timings_free(q);
    lam_tuning_close(q->tuning);
    free(q);
}

struct lam_tuning *lam_queue_tuning(const struct lam_queue *q)
{
    return q->tuning;
}

const struct lam_device_row *lam_queue_device(const struct lam_queue *q)
{
    return &q->row;
}

struct lam_context *lam_queue_context(const struct lam_queue *q)
{
    return q->ctx;
}

double lam_queue_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

double lam_queue_asleep(double *seen)
{
    const double now = lam_queue_now(), gap = now - *seen;

    *seen = now;
    return gap > 1.0 ? gap : 0.0;
}

// After an error the device may still be reading or writing memory of the
// caller: waits for the end of that, half a second at most.
static void let_end(cl_event event)
{
    const double start = lam_queue_now();
    cl_int status = CL_QUEUED;

    while (lam_queue_now() - start < 0.5 &&
           (clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                           sizeof(status), &status, NULL) ||
            status > CL_COMPLETE))
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

// A driver may hang with no error at all, so no wait is left to it.
int lam_queue_wait(struct lam_queue *q, cl_event event)
{
    double start = lam_queue_now(), seen = start;
    const char *call = "clFlush";
    char where[200];
    long pause_ns = 2000;
    cl_int status = CL_QUEUED, error;

    lam_queue_call(q, NULL);
    error = clFlush(q->queue);
    lam_queue_returned(q);
    while (!error) {
        call = "clGetEventInfo";
        error = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                               sizeof(status), &status, NULL);
        if (error || status <= CL_COMPLETE)
            break;
        start += lam_queue_asleep(&seen);
        if (seen - start > q->timeout_s) {
            q->is_lost = q->is_hung = true;
            return lam_fail(q->ctx, LAM_ELOST,
                            "the device did not finish within %g s; it is at "
                            "%s",
                            q->timeout_s,
                            lam_queue_where(q, where, sizeof(where)));
        }
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        if (pause_ns < 200000)
            pause_ns += pause_ns / 2;
    }
    if (error)
        let_end(event);
    clReleaseEvent(event);
    if (error)
        return lam_fail_cl(q, error, call, "");
    if (status == -4 || status == -6)
        return lam_fail_cl(q, status, "running on the device",
                           lam_queue_where(q, where, sizeof(where)));
    if (status < 0) {
        q->is_lost = true;
        return lam_fail(q->ctx, LAM_ELOST,
                        "the device stopped with %s (%d); it was at %s",
                        lam_cl_error_name(status), status,
                        lam_queue_where(q, where, sizeof(where)));
    }
    lam_queue_ended(q);
    return LAM_OK;
}

int lam_read_test(struct lam_read *read, bool *done)
{
    cl_int status = CL_COMPLETE, error = CL_SUCCESS;
    cl_event event = read->event;

    if (event)
        error = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                               sizeof(status), &status, NULL);
    *done = error || status <= CL_COMPLETE ||
            lam_queue_now() - read->started > read->queue->timeout_s;
    if (!event || !*done)
        return LAM_OK;
    read->event = NULL;
    return lam_queue_wait(read->queue, event);
}

int lam_queue_finish(struct lam_queue *q)
{
    cl_event event;
    cl_int error;
    int err = lam_queue_usable(q);

    if (err)
        return err;
    lam_queue_call(q, NULL);
    error = clEnqueueMarkerWithWaitList(q->queue, 0, NULL, &event);
    lam_queue_returned(q);
    if (error)
        return lam_fail_cl(q, error, "clEnqueueMarkerWithWaitList", "");
    err = lam_queue_wait(q, event);
    return err ? err : lam_queue_collect(q);
}

void lam_queue_built(const struct lam_queue *q, int *programs, int *hits,
                     double *seconds)
{
    *programs = q->n_programs;
    *hits = q->n_hits;
    *seconds = q->build_seconds;
}
