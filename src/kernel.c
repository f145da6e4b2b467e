// Building kernels, once per source, name, options and element type, and
// launching them.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "prelude.cl.h"
#include "program_cache.h"
#include "queue.h"

static int count_lines(const char *source)
{
    int n = 0;

    for (; *source; source++)
        n += *source == '\n';
    return n;
}

// Lines first..last of the source, numbered as compilers number them.
static void log_source(struct lam_context *ctx, const char *source, int first,
                       int last)
{
    int n = 1;

    for (const char *at = source, *end; *at; at = end, n++) {
        end = at + strcspn(at, "\n");
        if (n >= first && n <= last)
            lam_log(ctx, LAM_LOG_WARNING, "%5d  %.*s", n, (int)(end - at), at);
        end += *end == '\n';
    }
}

// The line that starts "...:LINE:COLUMN: error", or NULL.
static const char *find_error(const char *log, int *number)
{
    *number = 0;
    for (const char *at = log; *at;) {
        const char *end = at + strcspn(at, "\n"), *error = strstr(at, "error");

        if (error && error < end) {
            for (const char *c = at; c < error && *number == 0; c++)
                if (c[0] == ':' && c[1] >= '0' && c[1] <= '9')
                    *number = atoi(c + 1);
            return at;
        }
        at = end + (*end == '\n');
    }
    return NULL;
}

// All of the build log and the lines it means go to the log, the first error
// into the sentence.
static int fail_build(struct lam_queue *q, cl_program program, const char *name,
                      const char *source, const char *options, cl_int error)
{
    size_t size = 0;
    const char *line;
    char *log;
    int number, err;

    clGetProgramBuildInfo(program, q->device, CL_PROGRAM_BUILD_LOG, 0, NULL,
                          &size);
    if (error != CL_BUILD_PROGRAM_FAILURE && size <= 1)
        return lam_fail_cl(q, error, "clBuildProgram", name);
    log = calloc(1, size + 1);
    if (!log)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    clGetProgramBuildInfo(program, q->device, CL_PROGRAM_BUILD_LOG, size, log,
                          NULL);
    lam_log(q->ctx, LAM_LOG_WARNING, "build of kernel %s with %s:", name,
            options);
    for (const char *at = log, *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        lam_log(q->ctx, LAM_LOG_WARNING, "%.*s", (int)(end - at), at);
        end += *end == '\n';
    }
    line = find_error(log, &number);
    // Some compilers count from the prelude's first line, others not at all.
    if (number > 0 && number <= count_lines(source))
        log_source(q->ctx, source, number - 4, number + 2);
    else
        log_source(q->ctx, source, 1, INT_MAX);
    if (error != CL_BUILD_PROGRAM_FAILURE)
        err = lam_fail_cl(q, error, "clBuildProgram", name);
    else if (line)
        err = lam_fail(q->ctx, LAM_EBUILD, "kernel %s does not build: %.*s",
                       name, (int)strcspn(line, "\n"), line);
    else
        err = lam_fail(q->ctx, LAM_EBUILD,
                       "kernel %s does not build: clBuildProgram failed with "
                       "%s (%d) and no message; a driver's cache folder that "
                       "cannot be written does that (POCL_CACHE_DIR, HOME)",
                       name, lam_cl_error_name(error), error);
    free(log);
    return err;
}

static int build(struct lam_queue *q, const char *source, const char *options,
                 const char *key, const char *name, cl_program *program)
{
    const char *sources[] = {prelude_cl, "\n#line 1\n", source};
    const double start = lam_queue_now();
    const int hits = q->n_hits;
    cl_int error;

    *program = NULL;
    if (q->cache[0] && lam_program_cache_load(q, key, options, program)) {
        q->n_hits++;
    } else {
        *program =
            clCreateProgramWithSource(q->context, 3, sources, NULL, &error);
        if (error) {
            *program = NULL;
            return lam_fail_cl(q, error, "clCreateProgramWithSource", name);
        }
        error = clBuildProgram(*program, 1, &q->device, options, NULL, NULL);
        if (error) {
            const int err =
                fail_build(q, *program, name, source, options, error);

            clReleaseProgram(*program);
            *program = NULL;
            return err;
        }
        if (q->cache[0])
            lam_program_cache_store(q, key, *program);
    }
    q->n_programs++;
    q->build_seconds += lam_queue_now() - start;
    lam_log(q->ctx, LAM_LOG_DEBUG, "kernel %s: %s in %.2f s", name,
            q->n_hits > hits ? "from the cache" : "built",
            lam_queue_now() - start);
    return LAM_OK;
}

static struct lam_kernel *find(const struct lam_queue *q, const char *key,
                               const char *name)
{
    for (struct lam_kernel *k = q->kernels; k; k = k->next)
        if (strcmp(k->key, key) == 0 && (!name || strcmp(k->name, name) == 0))
            return k;
    return NULL;
}

static void destroy(struct lam_queue *q, struct lam_kernel *k)
{
    if (!k)
        return;
    if (k->cl && !q->is_hung)
        clReleaseKernel(k->cl);
    if (k->program && !q->is_hung)
        clReleaseProgram(k->program);
    free(k->key);
    free(k->name);
    free(k);
}

static int fill_kernel(struct lam_queue *q, struct lam_kernel *k,
                       const char *source, const char *options)
{
    const struct lam_kernel *sibling = find(q, k->key, NULL);
    cl_int error;
    int err = LAM_OK;

    if (sibling) {
        error = clRetainProgram(sibling->program);
        if (error)
            return lam_fail_cl(q, error, "clRetainProgram", k->name);
        k->program = sibling->program;
    } else {
        err = build(q, source, options, k->key, k->name, &k->program);
    }
    if (err)
        return err;
    k->cl = clCreateKernel(k->program, k->name, &error);
    if (error) {
        k->cl = NULL;
        return lam_fail_cl(q, error, "clCreateKernel", k->name);
    }
    error = clGetKernelWorkGroupInfo(k->cl, q->device,
                                     CL_KERNEL_COMPILE_WORK_GROUP_SIZE,
                                     sizeof(k->required), k->required, NULL);
    return error ? lam_fail_cl(q, error, "clGetKernelWorkGroupInfo", k->name)
                 : LAM_OK;
}

int lam_queue_kernel(struct lam_queue *q, int real, const char *source,
                     const char *name, const char *options,
                     struct lam_kernel **kernel)
{
    const bool is_cpu = q->row.info.kind == LAM_DEVICE_CPU;
    char all[1024], key[LAM_PROGRAM_KEY];
    struct lam_kernel *k = NULL;
    int err = lam_queue_usable(q);

    *kernel = NULL;
    if (err)
        return err;
    if (real == LAM_F64 && !q->row.info.has_f64)
        return lam_fail(q->ctx, LAM_EDEVICE, "%s has no double precision",
                        q->row.name);
    if (snprintf(all, sizeof(all), "-cl-std=CL1.2%s%s%s%s",
                 is_cpu ? " -DLAM_CPU=1" : "",
                 real == LAM_F64 ? " -DLAM_F64=1" : "", options ? " " : "",
                 options ? options : "") >= (int)sizeof(all))
        return lam_fail(q->ctx, LAM_EBUILD,
                        "kernel %s: its build options are longer than %zu "
                        "characters",
                        name, sizeof(all));
    lam_program_key(q, prelude_cl, source, all, key);
    *kernel = find(q, key, name);
    if (*kernel)
        return LAM_OK;
    k = calloc(1, sizeof(*k));
    if (k) {
        k->real = real;
        k->key = strdup(key);
        k->name = strdup(name);
    }
    if (!k || !k->key || !k->name)
        err = lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    if (!err)
        err = fill_kernel(q, k, source, all);
    if (err) {
        destroy(q, k);
        return err;
    }
    k->next = q->kernels;
    q->kernels = k;
    *kernel = k;
    return LAM_OK;
}

void lam_queue_kernels_free(struct lam_queue *q)
{
    while (q->kernels) {
        struct lam_kernel *k = q->kernels;

        q->kernels = k->next;
        destroy(q, k);
    }
}

// One launch after the other, so all take turns by the same buffer.
static int open_turns(struct lam_queue *q)
{
    cl_int none[2] = {0, 0}, error;

    if (q->turns)
        return LAM_OK;
    q->turns =
        clCreateBuffer(q->context, CL_MEM_READ_WRITE | CL_MEM_COPY_HOST_PTR,
                       sizeof(none), none, &error);
    if (!error)
        return LAM_OK;
    q->turns = NULL;
    return lam_fail_cl(q, error, "clCreateBuffer", "turns of work-items");
}

static cl_int set_arg(const struct lam_queue *q, const struct lam_kernel *k,
                      cl_uint i, const struct lam_arg *arg)
{
    const cl_int whole = (cl_int)arg->integer;
    const cl_long wide = arg->integer;
    const float single = (float)arg->real;
    cl_mem none = NULL;

    switch (arg->kind) {
    case LAM_ARG_KIND_TENSOR:
        if (!arg->tensor || !arg->tensor->buffer)
            return clSetKernelArg(k->cl, i, sizeof(none), &none);
        return clSetKernelArg(k->cl, i, sizeof(cl_mem),
                              &((struct lam_buffer *)arg->tensor->buffer)->cl);
    case LAM_ARG_KIND_INT:
        return clSetKernelArg(k->cl, i, sizeof(whole), &whole);
    case LAM_ARG_KIND_LONG:
        return clSetKernelArg(k->cl, i, sizeof(wide), &wide);
    case LAM_ARG_KIND_REAL:
        if (k->real == LAM_F64)
            return clSetKernelArg(k->cl, i, sizeof(arg->real), &arg->real);
        return clSetKernelArg(k->cl, i, sizeof(single), &single);
    case LAM_ARG_KIND_TURNS:
        return clSetKernelArg(k->cl, i, sizeof(q->turns), &q->turns);
    default:
        return clSetKernelArg(k->cl, i, (size_t)arg->integer, NULL);
    }
}

static int fail_launch(struct lam_queue *q, const struct lam_kernel *k,
                       cl_int error, const size_t global[3],
                       const size_t local[3])
{
    char what[256], sizes[100] = "the driver's choice";

    if (local)
        snprintf(sizes, sizeof(sizes), "%zu x %zu x %zu", local[0], local[1],
                 local[2]);
    snprintf(what, sizeof(what),
             "kernel %.60s, global size %zu x %zu x %zu, local size %s",
             k->name, global[0], global[1], global[2], sizes);
    return lam_fail_cl(q, error, "clEnqueueNDRangeKernel", what);
}

int lam_queue_launch(struct lam_queue *q, struct lam_kernel *k,
                     const struct lam_arg *args, int n_args,
                     const size_t global[3], const size_t local[3])
{
    cl_event event = NULL;
    cl_int error = CL_SUCCESS;
    int err = lam_queue_usable(q);

    if (err)
        return err;
    for (int i = 0; i < n_args; i++) {
        char what[128];

        if (args[i].kind == LAM_ARG_KIND_TURNS)
            err = open_turns(q);
        if (err)
            return err;
        error = set_arg(q, k, (cl_uint)i, &args[i]);
        if (!error)
            continue;
        snprintf(what, sizeof(what), "argument %d of kernel %.80s", i, k->name);
        return lam_fail_cl(q, error, "clSetKernelArg", what);
    }
    if (global[0] == 0 || global[1] == 0 || global[2] == 0)
        return lam_fail(q->ctx, LAM_ERUN,
                        "kernel %s: a global size of %zu x %zu x %zu does "
                        "nothing",
                        k->name, global[0], global[1], global[2]);
    // OpenCL 1.2 refuses a NULL where the source demands a size.
    if (!local && k->required[0] > 0)
        local = k->required;
    lam_queue_call(q, k->name);
    error = clEnqueueNDRangeKernel(q->queue, k->cl, 3, NULL, global, local, 0,
                                   NULL, &event);
    lam_queue_returned(q);
    if (error)
        return fail_launch(q, k, error, global, local);
    if (!q->profile) {
        lam_queue_launched(q, k->name, event);
        return LAM_OK;
    }
    clRetainEvent(event);
    lam_queue_launched(q, k->name, event);
    return lam_queue_track(q, k->name, event);
}
