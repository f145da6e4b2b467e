// Building kernels, once per source, name, options and element type, and
// launching them.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "prelude.cl.h"
#include "program_cache.h"
#include "queue.h"

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

// The whole log goes to the log, its first error into the sentence.
static int fail_build(struct lam_queue *q, cl_program program, const char *name,
                      cl_int error)
{
    size_t size = 0;
    char *log, *line;
    int err;

    clGetProgramBuildInfo(program, q->device, CL_PROGRAM_BUILD_LOG, 0, NULL,
                          &size);
    log = calloc(1, size + 1);
    if (!log)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    clGetProgramBuildInfo(program, q->device, CL_PROGRAM_BUILD_LOG, size, log,
                          NULL);
    for (char *at = log, *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        lam_log(q->ctx, LAM_LOG_WARNING, "%s: %.*s", name, (int)(end - at), at);
        end += *end == '\n';
    }
    line = strstr(log, "error");
    err = lam_fail(q->ctx, LAM_EBUILD,
                   "kernel %s does not build (%s, %d): %.300s", name,
                   lam_cl_error_name(error), error,
                   line ? line : "the build log names no error");
    free(log);
    return err;
}

static int build(struct lam_queue *q, const char *source, const char *options,
                 const char *key, const char *name, cl_program *program)
{
    const char *const sources[] = {prelude_cl, "#line 1\n", source};
    const double start = now();
    cl_int error;

    *program = NULL;
    if (q->cache[0] && lam_program_cache_load(q, key, options, program)) {
        q->n_hits++;
    } else {
        *program = clCreateProgramWithSource(
            q->context, 3, (const char **)sources, NULL, &error);
        if (error)
            return lam_fail_cl(q->ctx, error, "clCreateProgramWithSource",
                               name);
        error = clBuildProgram(*program, 1, &q->device, options, NULL, NULL);
        if (error) {
            const int err = fail_build(q, *program, name, error);

            clReleaseProgram(*program);
            *program = NULL;
            return err;
        }
        if (q->cache[0])
            lam_program_cache_store(q, key, *program);
    }
    q->n_programs++;
    q->build_seconds += now() - start;
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

int lam_queue_kernel(struct lam_queue *q, int real, const char *source,
                     const char *name, const char *options,
                     struct lam_kernel **kernel)
{
    char all[1024], key[LAM_PROGRAM_KEY];
    struct lam_kernel *k, *sibling;
    cl_int error;
    int err;

    *kernel = NULL;
    if (snprintf(all, sizeof(all), "-cl-std=CL1.2%s%s%s",
                 real == LAM_F64 ? " -DLAM_F64=1" : "", options ? " " : "",
                 options ? options : "") >= (int)sizeof(all))
        return lam_fail(q->ctx, LAM_EBUILD, "%s: build options too long", name);
    lam_program_key(q, prelude_cl, source, all, key);
    *kernel = find(q, key, name);
    if (*kernel)
        return LAM_OK;
    k = calloc(1, sizeof(*k));
    if (!k)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    k->real = real;
    k->key = strdup(key);
    k->name = strdup(name);
    err = k->key && k->name ? LAM_OK
                            : lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    sibling = find(q, key, NULL);
    if (!err && sibling) {
        k->program = sibling->program;
        clRetainProgram(k->program);
    } else if (!err) {
        err = build(q, source, all, key, name, &k->program);
    }
    if (!err) {
        k->cl = clCreateKernel(k->program, name, &error);
        if (error)
            err = lam_fail_cl(q->ctx, error, "clCreateKernel", name);
    }
    k->next = q->kernels;
    q->kernels = k;
    if (err) {
        q->kernels = k->next;
        if (k->program)
            clReleaseProgram(k->program);
        free(k->key);
        free(k->name);
        free(k);
        return err;
    }
    *kernel = k;
    return LAM_OK;
}

void lam_queue_kernels_free(struct lam_queue *q)
{
    while (q->kernels) {
        struct lam_kernel *k = q->kernels;

        q->kernels = k->next;
        clReleaseKernel(k->cl);
        clReleaseProgram(k->program);
        free(k->key);
        free(k->name);
        free(k);
    }
}

static cl_int set_arg(const struct lam_kernel *k, cl_uint i,
                      const struct lam_arg *arg)
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
    default:
        return clSetKernelArg(k->cl, i, (size_t)arg->integer, NULL);
    }
}

int lam_queue_launch(struct lam_queue *q, struct lam_kernel *k,
                     const struct lam_arg *args, int n_args,
                     const size_t global[3], const size_t local[3])
{
    cl_event event = NULL;
    cl_int error = CL_SUCCESS;

    for (int i = 0; i < n_args && !error; i++) {
        error = set_arg(k, (cl_uint)i, &args[i]);
        if (error) {
            char what[120];

            snprintf(what, sizeof(what), "argument %d of kernel %s", i,
                     k->name);
            return lam_fail_cl(q->ctx, error, "clSetKernelArg", what);
        }
    }
    if (global[0] * global[1] * global[2] == 0)
        return lam_fail(q->ctx, LAM_ERUN, "kernel %s: empty launch", k->name);
    q->last = k->name;
    error = clEnqueueNDRangeKernel(q->queue, k->cl, 3, NULL, global, local, 0,
                                   NULL, q->profile ? &event : NULL);
    if (error)
        return lam_fail_cl(q->ctx, error, "clEnqueueNDRangeKernel", k->name);
    if (!q->profile)
        return LAM_OK;
    q->pending[q->n_pending++] = (struct lam_pending){event, k};
    if (q->n_pending == sizeof(q->pending) / sizeof(q->pending[0]))
        return lam_queue_finish(q);
    return LAM_OK;
}

static int compare_seconds(const void *a, const void *b)
{
    const struct lam_kernel *const *x = a, *const *y = b;

    return ((*x)->seconds < (*y)->seconds) - ((*x)->seconds > (*y)->seconds);
}

char *lam_queue_profile(struct lam_queue *q)
{
    const struct lam_kernel *sorted[512];
    double total = 0.0;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    int n = 0;

    for (struct lam_kernel *k = q->kernels; k && n < 512; k = k->next)
        if (k->calls) {
            sorted[n++] = k;
            total += k->seconds;
        }
    qsort(sorted, (size_t)n, sizeof(sorted[0]), compare_seconds);
    for (int i = 0; out && i < n; i++)
        fprintf(out, "%-28s %7ld calls %10.2f ms %9.3f ms each %5.1f %%\n",
                sorted[i]->name, sorted[i]->calls, 1e3 * sorted[i]->seconds,
                1e3 * sorted[i]->seconds / (double)sorted[i]->calls,
                100.0 * sorted[i]->seconds / total);
    if (out)
        fclose(out);
    return text;
}

void lam_queue_built(const struct lam_queue *q, int *programs, int *hits,
                     double *seconds)
{
    *programs = q->n_programs;
    *hits = q->n_hits;
    *seconds = q->build_seconds;
}
