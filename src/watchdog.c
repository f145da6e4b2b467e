// Which kernel a device is at, and an end for calls that do not return.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "queue.h"

enum { N_TRAIL = 256 };

struct lam_watchdog {
    struct launch {
        cl_event event;
        char kernel[80], layer[80];
    } trail[N_TRAIL]; // since the last wait, the newest before `at`
    int at;
    const char *layer, *pass; // whose kernels come now
    struct lam_queue *queue;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool has_thread, stop;
    double since;    // when the driver was called; 0: it was not
    char where[200]; // what it was called for
};

static void name_launch(const struct launch *l, char *text, size_t size)
{
    snprintf(text, size, "kernel %s%s%s", l->kernel,
             l->layer[0] ? " of layer " : "", l->layer);
}

const char *lam_queue_where(struct lam_queue *q, char *text, size_t size)
{
    struct lam_watchdog *w = q->watchdog;
    const struct launch *last = NULL;

    snprintf(text, size, "no kernel");
    for (int i = 0; w && i < N_TRAIL; i++) {
        const struct launch *l = &w->trail[(w->at + i) % N_TRAIL];
        cl_int status = CL_COMPLETE;

        if (!l->kernel[0])
            continue;
        last = l;
        if (l->event &&
            !clGetEventInfo(l->event, CL_EVENT_COMMAND_EXECUTION_STATUS,
                            sizeof(status), &status, NULL) &&
            status != CL_COMPLETE)
            break;
    }
    if (last)
        name_launch(last, text, size);
    return text;
}

void lam_queue_launched(struct lam_queue *q, const char *kernel, cl_event event)
{
    struct lam_watchdog *w = q->watchdog;
    struct launch *l = &w->trail[w->at];

    if (l->event)
        clReleaseEvent(l->event);
    l->event = event;
    snprintf(l->kernel, sizeof(l->kernel), "%s", kernel);
    snprintf(l->layer, sizeof(l->layer), "%s", w->layer ? w->layer : "");
    w->at = (w->at + 1) % N_TRAIL;
}

void lam_queue_ended(struct lam_queue *q)
{
    struct lam_watchdog *w = q->watchdog;

    for (int i = 0; i < N_TRAIL; i++) {
        if (w->trail[i].event)
            clReleaseEvent(w->trail[i].event);
        w->trail[i].event = NULL;
    }
}

void lam_queue_layer(struct lam_queue *q, const char *layer, const char *pass)
{
    q->watchdog->layer = layer;
    q->watchdog->pass = pass;
}

const char *lam_queue_layer_now(const struct lam_queue *q, const char **pass)
{
    *pass = q->watchdog->pass;
    return q->watchdog->layer;
}

void lam_queue_call(struct lam_queue *q, const char *kernel)
{
    struct lam_watchdog *w = q->watchdog;

    if (!w->has_thread)
        return;
    pthread_mutex_lock(&w->lock);
    w->since = lam_queue_now();
    if (kernel)
        snprintf(w->where, sizeof(w->where), "kernel %.80s%s%.80s", kernel,
                 w->layer ? " of layer " : "", w->layer ? w->layer : "");
    pthread_mutex_unlock(&w->lock);
}

void lam_queue_returned(struct lam_queue *q)
{
    struct lam_watchdog *w = q->watchdog;

    if (!w->has_thread)
        return;
    pthread_mutex_lock(&w->lock);
    w->since = 0.0;
    pthread_mutex_unlock(&w->lock);
}

static void *watch(void *data)
{
    struct lam_watchdog *w = data;
    struct lam_queue *q = w->queue;
    double seen = lam_queue_now();
    char text[400];

    pthread_mutex_lock(&w->lock);
    while (!w->stop) {
        const double asleep = lam_queue_asleep(&seen);
        struct timespec until;

        if (w->since > 0.0)
            w->since += asleep;
        if (w->since > 0.0 && lam_queue_now() - w->since > q->timeout_s) {
            snprintf(text, sizeof(text),
                     "the device did not finish within %g s, and its driver "
                     "does not return; it was given %s",
                     q->timeout_s, w->where);
            q->ctx->on_hang(text);
        }
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += 200000000;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&w->changed, &w->lock, &until);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

int lam_watchdog_open(struct lam_queue *q)
{
    struct lam_watchdog *w = calloc(1, sizeof(*w));

    if (!w)
        return lam_fail(q->ctx, LAM_EMEMORY, "out of memory");
    q->watchdog = w;
    w->queue = q;
    snprintf(w->where, sizeof(w->where), "no kernel");
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    if (!q->ctx->on_hang)
        return LAM_OK;
    if (pthread_create(&w->thread, NULL, watch, w))
        return lam_fail(q->ctx, LAM_ERUN, "a thread cannot be started");
    w->has_thread = true;
    return LAM_OK;
}

void lam_watchdog_close(struct lam_queue *q)
{
    struct lam_watchdog *w = q->watchdog;

    if (!w)
        return;
    if (w->has_thread) {
        pthread_mutex_lock(&w->lock);
        w->stop = true;
        pthread_cond_signal(&w->changed);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    if (!q->is_hung)
        lam_queue_ended(q);
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->changed);
    free(w);
    q->watchdog = NULL;
}
