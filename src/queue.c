// Opening and closing a device.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (q->turns && !q->is_hung)
        clReleaseMemObject(q->turns);
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

void lam_queue_built(const struct lam_queue *q, int *programs, int *hits,
                     double *seconds)
{
    *programs = q->n_programs;
    *hits = q->n_hits;
    *seconds = q->build_seconds;
}
