// cl_layer - an OpenCL layer for tests, loaded by OPENCL_LAYERS=libcl_layer.so:
// makes one call fail and counts what is alive. By the environment:
//
//   CLF_AT=N         the N-th call fails, from 1; none without
//   CLF_PLACE=HASH   counted are only the calls of this place
//   CLF_CODE=C       with this error (-5)
//   CLF_LASTING=1    and so does every call after it
//   CLF_LATE=1       where the call asks how a command ended, that has failed
//   CLF_LOG=FILE     a line a call: its name, its place, its end of the place,
//                    " FAULT" where it was made to fail; at exit "live CONTEXTS
//                    QUEUES BUFFERS PROGRAMS KERNELS EVENTS"
//   CLF_BUILT=FOLDER programs are built once for all runs (cl_built.h)
//
// place.h says what a place is; its end is the call and the four functions that
// led to it.
//
// Retaining and releasing is counted but never fails. A question for the state
// of a command waits for its end, so that equal runs make equal calls.
#define _GNU_SOURCE // place.h
#include <CL/cl_layer.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "cl_built.h"
#include "place.h"

enum { CONTEXTS, QUEUES, BUFFERS, PROGRAMS, KERNELS, EVENTS, N_KINDS };

static const struct _cl_icd_dispatch *next;
static struct _cl_icd_dispatch dispatch;
static atomic_long n_calls, live[N_KINDS];
static atomic_bool is_down; // CLF_LASTING, and it has begun
static long at;
static uint64_t at_place;
static cl_int code = -5;
static bool is_lasting, is_late;
static FILE *out;

static bool fails(const char *name)
{
    const struct place place =
        out || at_place ? find_place(name, &n_calls, 5) : (struct place){0};
    bool is_hit = false;

    if (!at_place || place.whole == at_place)
        is_hit = ++n_calls == at;
    if (is_hit && is_lasting)
        is_down = true;
    is_hit = is_hit || is_down;
    if (out) {
        fprintf(out, "%s %llx %llx%s\n", name, (unsigned long long)place.whole,
                (unsigned long long)place.end, is_hit ? " FAULT" : "");
        fflush(out);
    }
    return is_hit;
}

static void at_exit(void)
{
    if (!out)
        return;
    fputs("live", out);
    for (int i = 0; i < N_KINDS; i++)
        fprintf(out, " %ld", (long)live[i]);
    fputs("\n", out);
    fclose(out);
}

// Calls that only return an error.
#define CALL(name, parameters, arguments)                                      \
    static cl_int CL_API_CALL my_##name parameters                             \
    {                                                                          \
        return fails(#name) ? code : next->name arguments;                     \
    }

CALL(clGetPlatformIDs, (cl_uint n, cl_platform_id *ids, cl_uint *found),
     (n, ids, found))
CALL(clGetPlatformInfo,
     (cl_platform_id id, cl_platform_info what, size_t size, void *value,
      size_t *used),
     (id, what, size, value, used))
CALL(clGetDeviceIDs,
     (cl_platform_id platform, cl_device_type type, cl_uint n,
      cl_device_id *ids, cl_uint *found),
     (platform, type, n, ids, found))
CALL(clGetDeviceInfo,
     (cl_device_id id, cl_device_info what, size_t size, void *value,
      size_t *used),
     (id, what, size, value, used))
CALL(clGetCommandQueueInfo,
     (cl_command_queue q, cl_command_queue_info what, size_t size, void *value,
      size_t *used),
     (q, what, size, value, used))
CALL(clGetMemObjectInfo,
     (cl_mem m, cl_mem_info what, size_t size, void *value, size_t *used),
     (m, what, size, value, used))
CALL(clGetProgramInfo,
     (cl_program p, cl_program_info what, size_t size, void *value,
      size_t *used),
     (built_of(p), what, size, value, used))
CALL(clGetProgramBuildInfo,
     (cl_program p, cl_device_id d, cl_program_build_info what, size_t size,
      void *value, size_t *used),
     (built_of(p), d, what, size, value, used))
CALL(clGetKernelWorkGroupInfo,
     (cl_kernel k, cl_device_id d, cl_kernel_work_group_info what, size_t size,
      void *value, size_t *used),
     (k, d, what, size, value, used))
CALL(clGetEventProfilingInfo,
     (cl_event e, cl_profiling_info what, size_t size, void *value,
      size_t *used),
     (e, what, size, value, used))
CALL(clSetKernelArg, (cl_kernel k, cl_uint i, size_t size, const void *value),
     (k, i, size, value))
CALL(clFlush, (cl_command_queue q), (q))
CALL(clFinish, (cl_command_queue q), (q))
CALL(clWaitForEvents, (cl_uint n, const cl_event *events), (n, events))
CALL(clSetEventCallback,
     (cl_event e, cl_int status,
      void(CL_CALLBACK *done)(cl_event, cl_int, void *), void *data),
     (e, status, done, data))

static cl_int CL_API_CALL my_clBuildProgram(
    cl_program p, cl_uint n, const cl_device_id *devices, const char *options,
    void(CL_CALLBACK *done)(cl_program, void *), void *data)
{
    return fails("clBuildProgram")
               ? code
               : built_build(p, n, devices, options, done, data);
}

static cl_int CL_API_CALL my_clGetEventInfo(cl_event e, cl_event_info what,
                                            size_t size, void *value,
                                            size_t *used)
{
    const bool is_status = what == CL_EVENT_COMMAND_EXECUTION_STATUS;

    if (is_status)
        next->clWaitForEvents(1, &e);
    if (!fails("clGetEventInfo"))
        return next->clGetEventInfo(e, what, size, value, used);
    if (!is_late || !is_status || size != sizeof(code))
        return code;
    *(cl_int *)value = code;
    return CL_SUCCESS;
}

// Calls that enqueue: their last argument may want an event.
#define ENQUEUE(name, parameters, arguments)                                   \
    static cl_int CL_API_CALL my_##name parameters                             \
    {                                                                          \
        const cl_int error = fails(#name) ? code : next->name arguments;       \
                                                                               \
        live[EVENTS] += !error && event;                                       \
        return error;                                                          \
    }
#define WAITS cl_uint n_waits, const cl_event *waits, cl_event *event

ENQUEUE(clEnqueueNDRangeKernel,
        (cl_command_queue q, cl_kernel k, cl_uint n, const size_t *offset,
         const size_t *global, const size_t *local, WAITS),
        (q, k, n, offset, global, local, n_waits, waits, event))
ENQUEUE(clEnqueueReadBuffer,
        (cl_command_queue q, cl_mem m, cl_bool wait, size_t offset, size_t size,
         void *to, WAITS),
        (q, m, wait, offset, size, to, n_waits, waits, event))
ENQUEUE(clEnqueueWriteBuffer,
        (cl_command_queue q, cl_mem m, cl_bool wait, size_t offset, size_t size,
         const void *from, WAITS),
        (q, m, wait, offset, size, from, n_waits, waits, event))
ENQUEUE(clEnqueueCopyBuffer,
        (cl_command_queue q, cl_mem from, cl_mem to, size_t a, size_t b,
         size_t size, WAITS),
        (q, from, to, a, b, size, n_waits, waits, event))
ENQUEUE(clEnqueueFillBuffer,
        (cl_command_queue q, cl_mem m, const void *pattern, size_t n,
         size_t offset, size_t size, WAITS),
        (q, m, pattern, n, offset, size, n_waits, waits, event))
ENQUEUE(clEnqueueMarkerWithWaitList, (cl_command_queue q, WAITS),
        (q, n_waits, waits, event))

// Calls that make something and write the error through their last argument.
#define CREATE(type, name, kind, parameters, arguments)                        \
    static type CL_API_CALL my_##name parameters                               \
    {                                                                          \
        type made = NULL;                                                      \
                                                                               \
        if (fails(#name)) {                                                    \
            if (error)                                                         \
                *error = code;                                                 \
            return NULL;                                                       \
        }                                                                      \
        made = next->name arguments;                                           \
        live[kind] += made != NULL;                                            \
        return made;                                                           \
    }

CREATE(cl_context, clCreateContext, CONTEXTS,
       (const cl_context_properties *p, cl_uint n, const cl_device_id *devices,
        void(CL_CALLBACK *notify)(const char *, const void *, size_t, void *),
        void *data, cl_int *error),
       (p, n, devices, notify, data, error))
CREATE(cl_command_queue, clCreateCommandQueue, QUEUES,
       (cl_context c, cl_device_id d, cl_command_queue_properties p,
        cl_int *error),
       (c, d, p, error))
CREATE(cl_mem, clCreateBuffer, BUFFERS,
       (cl_context c, cl_mem_flags flags, size_t size, void *from,
        cl_int *error),
       (c, flags, size, from, error))
CREATE(cl_mem, clCreateSubBuffer, BUFFERS,
       (cl_mem m, cl_mem_flags flags, cl_buffer_create_type type,
        const void *region, cl_int *error),
       (m, flags, type, region, error))
CREATE(cl_program, clCreateProgramWithBinary, PROGRAMS,
       (cl_context c, cl_uint n, const cl_device_id *devices,
        const size_t *sizes, const unsigned char **binaries, cl_int *states,
        cl_int *error),
       (c, n, devices, sizes, binaries, states, error))
CREATE(cl_kernel, clCreateKernel, KERNELS,
       (cl_program p, const char *name, cl_int *error),
       (built_of(p), name, error))

static cl_program CL_API_CALL my_clCreateProgramWithSource(cl_context c,
                                                           cl_uint n,
                                                           const char **texts,
                                                           const size_t *sizes,
                                                           cl_int *error)
{
    cl_program made = NULL;

    if (fails("clCreateProgramWithSource")) {
        if (error)
            *error = code;
        return NULL;
    }
    made = next->clCreateProgramWithSource(c, n, texts, sizes, error);
    live[PROGRAMS] += made != NULL;
    built_add(made, c, n, texts, sizes);
    return made;
}

static cl_int CL_API_CALL my_clRetainProgram(cl_program p)
{
    live[PROGRAMS]++;
    built_count(p, 1);
    return next->clRetainProgram(p);
}

static cl_int CL_API_CALL my_clReleaseProgram(cl_program p)
{
    live[PROGRAMS]--;
    built_count(p, -1);
    return next->clReleaseProgram(p);
}

#define COUNT(what, type, kind, change)                                        \
    static cl_int CL_API_CALL my_cl##what(type object)                         \
    {                                                                          \
        live[kind] += change;                                                  \
        return next->cl##what(object);                                         \
    }

COUNT(RetainContext, cl_context, CONTEXTS, 1)
COUNT(ReleaseContext, cl_context, CONTEXTS, -1)
COUNT(RetainCommandQueue, cl_command_queue, QUEUES, 1)
COUNT(ReleaseCommandQueue, cl_command_queue, QUEUES, -1)
COUNT(RetainMemObject, cl_mem, BUFFERS, 1)
COUNT(ReleaseMemObject, cl_mem, BUFFERS, -1)
COUNT(RetainKernel, cl_kernel, KERNELS, 1)
COUNT(ReleaseKernel, cl_kernel, KERNELS, -1)
COUNT(RetainEvent, cl_event, EVENTS, 1)
COUNT(ReleaseEvent, cl_event, EVENTS, -1)

static void read_environment(void)
{
    const char *value = getenv("CLF_AT");

    at = value ? atol(value) : 0;
    value = getenv("CLF_PLACE");
    at_place = value ? strtoull(value, NULL, 16) : 0;
    value = getenv("CLF_CODE");
    code = value ? atoi(value) : -5;
    is_lasting = getenv("CLF_LASTING") != NULL;
    is_late = getenv("CLF_LATE") != NULL;
    value = getenv("CLF_LOG");
    out = value ? fopen(value, "w") : NULL;
}

CL_API_ENTRY cl_int CL_API_CALL clGetLayerInfo(cl_layer_info what, size_t size,
                                               void *value, size_t *used)
{
    static const cl_layer_api_version version = CL_LAYER_API_VERSION_100;

    if (what != CL_LAYER_API_VERSION || (value && size < sizeof(version)))
        return CL_INVALID_VALUE;
    if (value)
        *(cl_layer_api_version *)value = version;
    if (used)
        *used = sizeof(version);
    return CL_SUCCESS;
}

CL_API_ENTRY cl_int CL_API_CALL
clInitLayer(cl_uint n, const struct _cl_icd_dispatch *target, cl_uint *n_mine,
            const struct _cl_icd_dispatch **mine)
{
    if (!target || !n_mine || !mine ||
        n < sizeof(dispatch) / sizeof(dispatch.clGetPlatformIDs))
        return CL_INVALID_VALUE;
    next = target;
    dispatch = *target;
#define TAKE(name) dispatch.name = my_##name
    TAKE(clGetPlatformIDs);
    TAKE(clGetPlatformInfo);
    TAKE(clGetDeviceIDs);
    TAKE(clGetDeviceInfo);
    TAKE(clGetCommandQueueInfo);
    TAKE(clGetMemObjectInfo);
    TAKE(clGetProgramInfo);
    TAKE(clGetProgramBuildInfo);
    TAKE(clGetKernelWorkGroupInfo);
    TAKE(clGetEventInfo);
    TAKE(clGetEventProfilingInfo);
    TAKE(clBuildProgram);
    TAKE(clSetKernelArg);
    TAKE(clFlush);
    TAKE(clFinish);
    TAKE(clWaitForEvents);
    TAKE(clSetEventCallback);
    TAKE(clEnqueueNDRangeKernel);
    TAKE(clEnqueueReadBuffer);
    TAKE(clEnqueueWriteBuffer);
    TAKE(clEnqueueCopyBuffer);
    TAKE(clEnqueueFillBuffer);
    TAKE(clEnqueueMarkerWithWaitList);
    TAKE(clCreateContext);
    TAKE(clCreateCommandQueue);
    TAKE(clCreateBuffer);
    TAKE(clCreateSubBuffer);
    TAKE(clCreateProgramWithSource);
    TAKE(clCreateProgramWithBinary);
    TAKE(clCreateKernel);
    TAKE(clRetainContext);
    TAKE(clReleaseContext);
    TAKE(clRetainCommandQueue);
    TAKE(clReleaseCommandQueue);
    TAKE(clRetainMemObject);
    TAKE(clReleaseMemObject);
    TAKE(clRetainProgram);
    TAKE(clReleaseProgram);
    TAKE(clRetainKernel);
    TAKE(clReleaseKernel);
    TAKE(clRetainEvent);
    TAKE(clReleaseEvent);
#undef TAKE
    read_environment();
    built_start(next, getenv("CLF_BUILT"));
    atexit(at_exit);
    *n_mine = sizeof(dispatch) / sizeof(dispatch.clGetPlatformIDs);
    *mine = &dispatch;
    return CL_SUCCESS;
}
