#include "train_devices.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collective_threads.h"

struct worker {
    struct lam_context ctx;
    struct lam_collective ranks;
    struct lam_train_options options;
    char device[200];
    pthread_t thread;
    bool is_running;
    int err;
};

bool lam_device_item(const char *list, int i, char *item, size_t size, int *nth)
{
    const char *at = list;

    *nth = 0;
    for (int k = 0; k < i && at; k++) {
        at = strchr(at, ',');
        at = at ? at + 1 : NULL;
    }
    if (!at)
        return false;
    snprintf(item, size, "%.*s", (int)strcspn(at, ","), at);
    for (const char *p = list; p < at; p = strchr(p, ',') + 1)
        *nth += strcspn(p, ",") == strlen(item) &&
                strncmp(p, item, strlen(item)) == 0;
    return true;
}

static void *work(void *data)
{
    struct worker *w = data;

    w->err = lam_train(&w->ctx, &w->options);
    return NULL;
}

static int start(struct lam_context *ctx,
                 const struct lam_train_options *options,
                 struct lam_thread_group *group, struct worker *w, int rank)
{
    int nth;

    w->ctx = (struct lam_context){.log = rank ? NULL : ctx->log,
                                  .log_data = ctx->log_data,
                                  .interrupted = ctx->interrupted};
    w->ranks.ctx = &w->ctx;
    w->ranks.timeout_s = options->timeout_s > 0 ? options->timeout_s : 300.0;
    w->options = *options;
    w->options.ranks = &w->ranks;
    w->options.quiet = options->quiet || rank;
    lam_device_item(options->device, rank, w->device, sizeof(w->device), &nth);
    w->options.device = w->device;
    w->options.nth_device = nth;
    if (!lam_thread_group_join(group, rank, &w->ranks))
        return lam_fail(ctx, LAM_EMEMORY, "out of memory");
    if (pthread_create(&w->thread, NULL, work, w))
        return lam_fail(ctx, LAM_ERUN, "a thread cannot be started");
    w->is_running = true;
    return LAM_OK;
}

// Some drivers do not bear to be started by several threads at once.
static int start_drivers(struct lam_context *ctx)
{
    struct lam_device_row *rows;
    int n;
    const int err = lam_device_list(ctx, &rows, &n);

    free(rows);
    return err;
}

// The error of the lowest rank that has one of its own: LAM_ELOST is what the
// others come to.
static int take_error(struct lam_context *ctx, const struct worker *workers,
                      int n)
{
    const struct worker *found = NULL;

    for (int i = 0; i < n; i++)
        if (workers[i].err && (!found || (found->err == LAM_ELOST &&
                                          workers[i].err != LAM_ELOST)))
            found = &workers[i];
    if (!found)
        return LAM_OK;
    return found == workers || found->ranks.has_agreed
               ? lam_fail(ctx, found->err, "%s", found->ctx.error)
               : lam_fail(ctx, found->err, "device %s: %s", found->device,
                          found->ctx.error);
}

int lam_train_devices(struct lam_context *ctx,
                      const struct lam_train_options *options)
{
    struct worker *workers = calloc(LAM_MAX_TRAIN_DEVICES, sizeof(*workers));
    struct lam_thread_group *group = NULL;
    char item[200];
    int n = 0, nth, err = LAM_OK;

    while (lam_device_item(options->device, n, item, sizeof(item), &nth) &&
           n <= LAM_MAX_TRAIN_DEVICES)
        n++;
    if (n > LAM_MAX_TRAIN_DEVICES)
        err = lam_fail(ctx, LAM_EUSAGE, "--device: at most %d at once",
                       LAM_MAX_TRAIN_DEVICES);
    if (!err)
        err = start_drivers(ctx);
    if (!err)
        group = lam_thread_group_create(n);
    if (!err && (!workers || !group))
        err = lam_fail(ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++)
        err = start(ctx, options, group, &workers[i], i);
    // Those that run wait for those that do not.
    if (err && workers && workers[0].is_running)
        workers[0].ranks.transport->leave(workers[0].ranks.data);
    for (int i = 0; workers && i < n && i < LAM_MAX_TRAIN_DEVICES; i++)
        if (workers[i].is_running)
            pthread_join(workers[i].thread, NULL);
    if (!err)
        err = take_error(ctx, workers, n);
    for (int i = 0; workers && i < n && i < LAM_MAX_TRAIN_DEVICES; i++)
        free(workers[i].ranks.data);
    lam_thread_group_destroy(group);
    free(workers);
    return err;
}
