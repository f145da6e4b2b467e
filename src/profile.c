// Times of kernels and layers, by OpenCL's events.
#include <stdlib.h>
#include <string.h>

#include "queue.h"

static void add_time(struct lam_timing *t, cl_ulong start, cl_ulong end)
{
    if (end > start)
        t->seconds += 1e-9 * (double)(end - start);
    t->calls++;
}

int lam_queue_collect(struct lam_queue *q)
{
    cl_int error = CL_SUCCESS;

    for (int i = 0; i < q->n_pending; i++) {
        const struct lam_pending *p = &q->pending[i];
        cl_ulong start = 0, end = 0;

        if (!error)
            error =
                clGetEventProfilingInfo(p->event, CL_PROFILING_COMMAND_START,
                                        sizeof(start), &start, NULL);
        if (!error)
            error = clGetEventProfilingInfo(p->event, CL_PROFILING_COMMAND_END,
                                            sizeof(end), &end, NULL);
        clReleaseEvent(p->event);
        add_time(p->timing, start, end);
        if (p->layer)
            add_time(p->layer, start, end);
    }
    q->n_pending = 0;
    return error ? lam_fail_cl(q, error, "clGetEventProfilingInfo", "")
                 : LAM_OK;
}

static struct lam_timing *find_timing(struct lam_timing **list,
                                      const char *name, const char *pass)
{
    struct lam_timing *t;

    for (t = *list; t; t = t->next)
        if (strcmp(t->name, name) == 0 && strcmp(t->pass, pass) == 0)
            return t;
    t = calloc(1, sizeof(*t));
    if (t)
        t->name = strdup(name);
    if (!t || !t->name) {
        free(t);
        return NULL;
    }
    t->pass = pass;
    t->next = *list;
    *list = t;
    return t;
}

// Events are taken in often: some drivers slow down with each one alive.
int lam_queue_track(struct lam_queue *q, const char *name, cl_event event)
{
    struct lam_timing *timing, *layer = NULL;
    const char *pass, *of = lam_queue_layer_now(q, &pass);

    if (!event)
        return LAM_OK;
    timing = find_timing(&q->timings, name, "");
    if (of)
        layer = find_timing(&q->layer_timings, of, pass);
    if (!timing || (of && !layer)) {
        clReleaseEvent(event);
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    }
    q->pending[q->n_pending++] = (struct lam_pending){event, timing, layer};
    if (q->n_pending < (int)(sizeof(q->pending) / sizeof(q->pending[0])))
        return LAM_OK;
    return lam_queue_finish(q);
}

static int compare_seconds(const void *a, const void *b)
{
    const struct lam_kernel_time *x = a, *y = b;

    if (x->seconds != y->seconds)
        return x->seconds < y->seconds ? 1 : -1;
    return strcmp(x->name, y->name) ? strcmp(x->name, y->name)
                                    : strcmp(x->pass, y->pass);
}

static int list_times(const struct lam_timing *list,
                      struct lam_kernel_time **rows)
{
    int n = 0;

    for (const struct lam_timing *t = list; t; t = t->next)
        n++;
    *rows = calloc((size_t)n + 1, sizeof(**rows));
    if (!*rows)
        return 0;
    n = 0;
    for (const struct lam_timing *t = list; t; t = t->next)
        if (t->calls)
            (*rows)[n++] = (struct lam_kernel_time){t->name, t->pass, t->calls,
                                                    t->seconds};
    qsort(*rows, (size_t)n, sizeof(**rows), compare_seconds);
    return n;
}

int lam_queue_times(struct lam_queue *q, struct lam_kernel_time **rows)
{
    if (q->n_pending > 0 && !q->is_lost)
        lam_queue_finish(q);
    return list_times(q->timings, rows);
}

int lam_queue_layer_times(struct lam_queue *q, struct lam_kernel_time **rows)
{
    if (q->n_pending > 0 && !q->is_lost)
        lam_queue_finish(q);
    return list_times(q->layer_timings, rows);
}

static void free_list(struct lam_timing *list)
{
    while (list) {
        struct lam_timing *t = list;

        list = t->next;
        free(t->name);
        free(t);
    }
}

void lam_queue_timings_free(struct lam_queue *q)
{
    free_list(q->timings);
    free_list(q->layer_timings);
    q->timings = q->layer_timings = NULL;
}
