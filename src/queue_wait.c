// Waits that end, whatever a driver does, and that do not look again and again:
// a processor's cores have the kernel to run, and one woken to look is one
// taken from it.
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "queue.h"

enum { LOOK_MS = 200 }; // so often a driver that says nothing is asked

// How an event ended, told by a thread of the driver. That may be long after
// the waiter has gone, so whoever lets go last frees it.
struct ending {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    cl_int status; // CL_QUEUED until it ended
    int users;
};

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

static struct ending *ending_make(void)
{
    struct ending *e = malloc(sizeof(*e));
    pthread_condattr_t steady;

    if (!e)
        return NULL;
    *e = (struct ending){.status = CL_QUEUED, .users = 1};
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_cond_init(&e->changed, &steady);
    pthread_condattr_destroy(&steady);
    return e;
}

// Unlocks.
static void ending_release(struct ending *e)
{
    const bool is_last = --e->users == 0;

    pthread_mutex_unlock(&e->lock);
    if (!is_last)
        return;
    pthread_cond_destroy(&e->changed);
    pthread_mutex_destroy(&e->lock);
    free(e);
}

static void CL_CALLBACK ended(cl_event event, cl_int status, void *data)
{
    struct ending *e = data;

    (void)event;
    pthread_mutex_lock(&e->lock);
    e->status = status;
    pthread_cond_signal(&e->changed);
    ending_release(e);
}

// Asks to be told. Until the driver knows e, no other thread does.
static cl_int listen(struct ending *e, cl_event event)
{
    cl_int error;

    e->users = 2;
    error = clSetEventCallback(event, CL_COMPLETE, ended, e);
    if (error)
        e->users = 1;
    return error;
}

// The status when it has ended, or has not for LOOK_MS.
static cl_int ending_status(struct ending *e)
{
    struct timespec until;
    int err = 0;
    cl_int status;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += LOOK_MS * 1000000L;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&e->lock);
    while (e->status > CL_COMPLETE && !err)
        err = pthread_cond_timedwait(&e->changed, &e->lock, &until);
    status = e->status;
    pthread_mutex_unlock(&e->lock);
    return status;
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

// How the event ended; CL_QUEUED: it did not within the queue's time-out.
// Returns the error of *call, if any.
static cl_int await(const struct lam_queue *q, cl_event event, struct ending *e,
                    cl_int *status, const char **call)
{
    double start = lam_queue_now(), seen = start;
    cl_int error;

    *call = "clSetEventCallback";
    error = listen(e, event);
    *status = CL_QUEUED;
    while (!error) {
        *call = "clGetEventInfo";
        error = clGetEventInfo(event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                               sizeof(*status), status, NULL);
        if (!error && *status > CL_COMPLETE)
            *status = ending_status(e);
        if (error || *status <= CL_COMPLETE)
            break;
        start += lam_queue_asleep(&seen);
        if (seen - start > q->timeout_s) {
            *status = CL_QUEUED;
            break;
        }
    }
    return error;
}

// A driver may hang with no error at all, so no wait is left to it.
int lam_queue_wait(struct lam_queue *q, cl_event event)
{
    struct ending *e = ending_make();
    const char *call = "clFlush";
    char where[200];
    cl_int status = CL_QUEUED, error;

    if (!e) {
        let_end(event);
        clReleaseEvent(event);
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    }
    lam_queue_call(q, NULL);
    error = clFlush(q->queue);
    lam_queue_returned(q);
    if (!error)
        error = await(q, event, e, &status, &call);
    pthread_mutex_lock(&e->lock);
    ending_release(e);
    if (!error && status > CL_COMPLETE) {
        q->is_lost = q->is_hung = true;
        return lam_fail(q->ctx, LAM_ELOST,
                        "the device did not finish within %g s; it is at %s",
                        q->timeout_s, lam_queue_where(q, where, sizeof(where)));
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
