#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "program_cache.h"
#include "queue.h"

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

struct found {
    cl_platform_id platform;
    cl_device_id device;
};

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
        {-11, "CL_BUILD_PROGRAM_FAILURE"},
        {-14, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
        {-30, "CL_INVALID_VALUE"},
        {-34, "CL_INVALID_CONTEXT"},
        {-36, "CL_INVALID_COMMAND_QUEUE"},
        {-38, "CL_INVALID_MEM_OBJECT"},
        {-42, "CL_INVALID_BINARY"},
        {-45, "CL_INVALID_PROGRAM_EXECUTABLE"},
        {-46, "CL_INVALID_KERNEL_NAME"},
        {-48, "CL_INVALID_KERNEL"},
        {-49, "CL_INVALID_ARG_INDEX"},
        {-50, "CL_INVALID_ARG_VALUE"},
        {-51, "CL_INVALID_ARG_SIZE"},
        {-52, "CL_INVALID_KERNEL_ARGS"},
        {-54, "CL_INVALID_WORK_GROUP_SIZE"},
        {-55, "CL_INVALID_WORK_ITEM_SIZE"},
        {-61, "CL_INVALID_BUFFER_SIZE"},
        {-63, "CL_INVALID_GLOBAL_WORK_SIZE"},
        {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
        {-9999, "illegal read or write (NVIDIA)"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].code == error)
            return names[i].name;
    return "OpenCL error";
}

int lam_fail_cl(struct lam_context *ctx, cl_int error, const char *call,
                const char *what)
{
    int code = LAM_ERUN;

    if (error == -4 || error == -6 || error == -61)
        code = LAM_EMEMORY;
    else if (error == -5 || error == -14 || error == -36 || error == -9999)
        code = LAM_ELOST;
    return lam_fail(ctx, code, "%s failed with %s (%d)%s%s", call,
                    lam_cl_error_name(error), error, what[0] ? ": " : "", what);
}

static cl_ulong device_number(cl_device_id device, cl_device_info what,
                              size_t size)
{
    cl_ulong wide = 0;
    cl_uint narrow = 0;

    if (size == sizeof(narrow)) {
        clGetDeviceInfo(device, what, size, &narrow, NULL);
        return narrow;
    }
    clGetDeviceInfo(device, what, size, &wide, NULL);
    return wide;
}

static void fill_row(const struct found *found, int index,
                     struct lam_device_row *row)
{
    cl_device_id d = found->device;
    const cl_ulong type = device_number(d, CL_DEVICE_TYPE, 8);
    const cl_ulong available = device_number(d, CL_DEVICE_AVAILABLE, 4);
    const cl_ulong compiler = device_number(d, CL_DEVICE_COMPILER_AVAILABLE, 4);

    *row = (struct lam_device_row){.index = index};
    clGetDeviceInfo(d, CL_DEVICE_NAME, sizeof(row->name), row->name, NULL);
    clGetDeviceInfo(d, CL_DEVICE_VENDOR, sizeof(row->vendor), row->vendor,
                    NULL);
    clGetDeviceInfo(d, CL_DRIVER_VERSION, sizeof(row->driver), row->driver,
                    NULL);
    clGetDeviceInfo(d, CL_DEVICE_VERSION, sizeof(row->version), row->version,
                    NULL);
    clGetPlatformInfo(found->platform, CL_PLATFORM_NAME, sizeof(row->platform),
                      row->platform, NULL);
    row->info = (struct lam_device){
        .kind = type & CL_DEVICE_TYPE_CPU ? LAM_DEVICE_CPU : LAM_DEVICE_GPU,
        .compute_units = (int)device_number(d, CL_DEVICE_MAX_COMPUTE_UNITS, 4),
        .vector_width =
            (int)device_number(d, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, 4),
        .has_f64 = device_number(d, CL_DEVICE_DOUBLE_FP_CONFIG, 8) != 0,
        .has_local_memory =
            device_number(d, CL_DEVICE_LOCAL_MEM_TYPE, 4) == CL_LOCAL,
        .local_bytes = (int64_t)device_number(d, CL_DEVICE_LOCAL_MEM_SIZE, 8),
        .max_work_group =
            (int64_t)device_number(d, CL_DEVICE_MAX_WORK_GROUP_SIZE, 8),
        .max_alloc_bytes =
            (int64_t)device_number(d, CL_DEVICE_MAX_MEM_ALLOC_SIZE, 8),
        .global_bytes =
            (int64_t)device_number(d, CL_DEVICE_GLOBAL_MEM_SIZE, 8)};
    if (!available)
        snprintf(row->problem, sizeof(row->problem), "not available");
    else if (!compiler)
        snprintf(row->problem, sizeof(row->problem), "has no compiler");
}

// "for the AMD GPU here install ..." from what the kernel sees, else PoCL.
static void advice(char *text, size_t size)
{
    static const struct {
        const char *vendor, *advice;
    } known[] = {
        {"0x1002", "for the AMD GPU here install mesa-opencl-icd (and set "
                   "RUSTICL_ENABLE=radeonsi) or ROCm's OpenCL"},
        {"0x8086", "for the Intel GPU here install intel-opencl-icd and join "
                   "the group 'render'"},
        {"0x10de", "for the NVIDIA GPU here install nvidia-opencl-icd"},
    };

    snprintf(text, size,
             "install pocl-opencl-icd to compute on the processor, or your "
             "GPU's OpenCL driver");
    for (int card = 0; card < 8; card++) {
        char path[64], vendor[16] = "";
        FILE *file;

        snprintf(path, sizeof(path), "/sys/class/drm/card%d/device/vendor",
                 card);
        file = fopen(path, "r");
        if (!file)
            continue;
        if (!fgets(vendor, sizeof(vendor), file))
            vendor[0] = '\0';
        fclose(file);
        vendor[strcspn(vendor, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
            if (strcmp(vendor, known[i].vendor) == 0) {
                snprintf(text, size, "%s", known[i].advice);
                return;
            }
    }
}

static int find_devices(struct lam_context *ctx, struct found *found, int *n)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint n_platforms = 0;
    const cl_int err = clGetPlatformIDs(MAX_PLATFORMS, platforms, &n_platforms);
    char hint[200];

    *n = 0;
    if (n_platforms > MAX_PLATFORMS)
        n_platforms = MAX_PLATFORMS;
    for (cl_uint p = 0; !err && p < n_platforms; p++) {
        cl_device_id devices[MAX_DEVICES];
        cl_uint n_devices = 0;

        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES,
                           devices, &n_devices))
            continue;
        for (cl_uint d = 0; d < n_devices && *n < MAX_DEVICES; d++)
            found[(*n)++] = (struct found){platforms[p], devices[d]};
    }
    if (*n > 0)
        return LAM_OK;
    advice(hint, sizeof(hint));
    if (err || n_platforms == 0)
        return lam_fail(ctx, LAM_EDEVICE,
                        "no OpenCL platform was found (no ICD is installed "
                        "or it cannot be loaded): %s",
                        hint);
    return lam_fail(ctx, LAM_EDEVICE,
                    "%u OpenCL platform(s) but no device on any: %s",
                    n_platforms, hint);
}

int lam_device_list(struct lam_context *ctx, struct lam_device_row **rows,
                    int *n)
{
    struct found found[MAX_DEVICES];
    int err;

    *rows = NULL;
    err = find_devices(ctx, found, n);
    if (err)
        return err;
    *rows = calloc((size_t)*n, sizeof(**rows));
    if (!*rows)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < *n; i++)
        fill_row(&found[i], i, &(*rows)[i]);
    return LAM_OK;
}

static bool contains(const char *text, const char *part)
{
    const size_t n = strlen(part);

    for (; *text; text++)
        if (strncasecmp(text, part, n) == 0)
            return true;
    return false;
}

static bool row_fits(const struct lam_device_row *row, const char *wanted)
{
    char *end;
    const long index = strtol(wanted, &end, 10);

    if (wanted[0] == '\0')
        return true;
    if (*end == '\0')
        return index == row->index;
    if (strcasecmp(wanted, "gpu") == 0)
        return row->info.kind == LAM_DEVICE_GPU;
    if (strcasecmp(wanted, "cpu") == 0)
        return row->info.kind == LAM_DEVICE_CPU;
    return contains(row->name, wanted) || contains(row->platform, wanted);
}

static int choose(struct lam_context *ctx, const char *wanted,
                  struct found *chosen, struct lam_device_row *row)
{
    struct found found[MAX_DEVICES];
    int n, best = -1, err = find_devices(ctx, found, &n);

    for (int i = 0; i < n && !err; i++) {
        struct lam_device_row r;

        fill_row(&found[i], i, &r);
        if (!row_fits(&r, wanted))
            continue;
        if (r.problem[0]) {
            lam_log(ctx, LAM_LOG_WARNING, "device %d (%s) %s", i, r.name,
                    r.problem);
            continue;
        }
        if (best < 0 || r.info.kind > row->info.kind ||
            (r.info.kind == row->info.kind &&
             r.info.compute_units > row->info.compute_units)) {
            best = i;
            *row = r;
        }
    }
    if (err)
        return err;
    if (best < 0)
        return lam_fail(ctx, LAM_EDEVICE,
                        "no usable device fits '%s': lamina devices lists "
                        "what is there",
                        wanted);
    *chosen = found[best];
    return LAM_OK;
}

int lam_queue_open(struct lam_context *ctx,
                   const struct lam_queue_options *options,
                   struct lam_queue **queue)
{
    struct lam_queue *q = calloc(1, sizeof(*q));
    struct found found;
    cl_int error;
    int err;

    *queue = NULL;
    if (!q)
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    q->ctx = ctx;
    q->timeout_s = options->timeout_s > 0 ? options->timeout_s : 300.0;
    q->poison = options->poison;
    q->canary = options->canary;
    q->profile = options->profile != 0;
    q->last = "nothing";
    err = choose(ctx, options->device ? options->device : "", &found, &q->row);
    if (err) {
        free(q);
        return err;
    }
    q->platform = found.platform;
    q->device = found.device;
    q->context = clCreateContext(NULL, 1, &q->device, NULL, NULL, &error);
    if (error) {
        err = lam_fail_cl(ctx, error, "clCreateContext", q->row.name);
        free(q);
        return err;
    }
    q->queue = clCreateCommandQueue(q->context, q->device,
                                    q->profile ? CL_QUEUE_PROFILING_ENABLE : 0,
                                    &error);
    if (error) {
        err = lam_fail_cl(ctx, error, "clCreateCommandQueue", q->row.name);
        lam_queue_close(q);
        return err;
    }
    lam_program_cache_open(q, options->cache);
    *queue = q;
    return LAM_OK;
}

void lam_queue_close(struct lam_queue *q)
{
    if (!q)
        return;
    for (int i = 0; i < q->n_pending; i++)
        clReleaseEvent(q->pending[i].event);
    lam_queue_kernels_free(q);
    if (q->queue)
        clReleaseCommandQueue(q->queue);
    if (q->context)
        clReleaseContext(q->context);
    free(q);
}

const struct lam_device_row *lam_queue_device(const struct lam_queue *q)
{
    return &q->row;
}

struct lam_context *lam_queue_context(const struct lam_queue *q)
{
    return q->ctx;
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int lam_queue_wait(struct lam_queue *q, cl_event event)
{
    const double start = now();
    long pause_ns = 2000;
    cl_int status = CL_QUEUED, error;

    clFlush(q->queue);
    for (;;) {
        error = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                               sizeof(status), &status, NULL);
        if (error || status <= CL_COMPLETE)
            break;
        if (now() - start > q->timeout_s) {
            q->is_lost = true;
            return lam_fail(q->ctx, LAM_ELOST,
                            "the device did not finish within %.0f s; the "
                            "last thing given to it was %s",
                            q->timeout_s, q->last);
        }
        nanosleep(&(struct timespec){0, pause_ns}, NULL);
        if (pause_ns < 200000)
            pause_ns += pause_ns / 2;
    }
    clReleaseEvent(event);
    if (error)
        return lam_fail_cl(q->ctx, error, "clGetEventInfo", q->last);
    if (status < 0) {
        q->is_lost = true;
        return lam_fail(q->ctx, LAM_ELOST,
                        "the device stopped with %s (%d); the last thing "
                        "given to it was %s",
                        lam_cl_error_name(status), status, q->last);
    }
    return LAM_OK;
}

int lam_queue_finish(struct lam_queue *q)
{
    cl_event event;
    cl_int error;
    int err;

    if (q->is_lost)
        return lam_fail(q->ctx, LAM_ELOST, "the device is lost");
    error = clEnqueueMarkerWithWaitList(q->queue, 0, NULL, &event);
    if (error)
        return lam_fail_cl(q->ctx, error, "clEnqueueMarkerWithWaitList",
                           q->last);
    err = lam_queue_wait(q, event);
    return err ? err : lam_queue_collect(q);
}

int lam_queue_collect(struct lam_queue *q)
{
    for (int i = 0; i < q->n_pending; i++) {
        cl_ulong start = 0, end = 0;
        struct lam_kernel *kernel = q->pending[i].kernel;

        clGetEventProfilingInfo(q->pending[i].event, CL_PROFILING_COMMAND_START,
                                sizeof(start), &start, NULL);
        clGetEventProfilingInfo(q->pending[i].event, CL_PROFILING_COMMAND_END,
                                sizeof(end), &end, NULL);
        clReleaseEvent(q->pending[i].event);
        kernel->seconds += 1e-9 * (double)(end - start);
        kernel->calls++;
    }
    q->n_pending = 0;
    return LAM_OK;
}
