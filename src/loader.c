// Batches made by a thread ahead of their use. Batch k depends on (seed, k)
// alone.
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "augment.h"
#include "rng.h"

enum { RING = 3 };

struct lam_loader {
    struct lam_dataset *dataset;
    struct lam_loader_options options;
    struct lam_augment augment;
    struct lam_sampling sampling;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    float *images[RING], *masks[RING];
    int64_t made, taken; // steps finished by the thread, by the caller
    bool stop, started;
    struct lam_context thread_ctx;
    int err;
    int *order; // permutation of the epoch
    int64_t order_epoch;
};

int64_t lam_loader_epoch_steps(const struct lam_loader *l)
{
    const int n = lam_dataset_count(l->dataset, LAM_SPLIT_TRAIN);

    return (n + l->options.batch - 1) / l->options.batch;
}

// Fisher and Yates, by the seed and the epoch.
static void shuffle(struct lam_loader *l, int64_t epoch)
{
    const int n = lam_dataset_count(l->dataset, LAM_SPLIT_TRAIN);
    const uint64_t seed = lam_rng_bits(l->options.seed, (uint64_t)epoch);

    for (int i = 0; i < n; i++)
        l->order[i] = l->dataset->splits[LAM_SPLIT_TRAIN][i];
    for (int i = n - 1; i > 0; i--) {
        const int j =
            (int)(lam_rng_bits(seed, (uint64_t)i) % (uint64_t)(i + 1));
        const int swap = l->order[i];

        l->order[i] = l->order[j];
        l->order[j] = swap;
    }
    l->order_epoch = epoch;
}

// Crop b of the batch, from image k of the epoch.
static int make_crop(struct lam_loader *l, int64_t step, int b, int64_t k)
{
    const struct lam_loader_options *o = &l->options;
    const size_t at = (size_t)b * (size_t)o->height * (size_t)o->width;
    struct lam_entry *e = &l->dataset->entries[l->order[k]];
    const uint64_t seed = lam_rng_bits(
        lam_rng_bits(o->seed ^ UINT64_C(0xA06), (uint64_t)step), (uint64_t)b);
    const int err = lam_dataset_decode(l->dataset, &l->thread_ctx, e);

    if (!err)
        lam_augment_crop(e, &o->intensity, o->augment, o->sampling, seed,
                         o->height, o->width, l->images[step % RING] + at,
                         l->masks[step % RING] + at);
    return err;
}

static int make_batch(struct lam_loader *l, int64_t step)
{
    const struct lam_loader_options *o = &l->options;
    const int n = lam_dataset_count(l->dataset, LAM_SPLIT_TRAIN);
    const int64_t steps = lam_loader_epoch_steps(l), epoch = step / steps;
    int err = LAM_OK;

    if (l->order_epoch != epoch)
        shuffle(l, epoch);
    for (int b = 0; b < o->batch && !err; b++) {
        if (o->ranks && b / o->micro_batch % o->ranks != o->rank)
            continue;
        // The last batch of an epoch is filled up from its start.
        err = make_crop(l, step, b, (step % steps * o->batch + b) % n);
    }
    return err;
}

static bool is_done(const struct lam_loader *l)
{
    return l->options.end_step && l->made >= l->options.end_step;
}

static void *work(void *data)
{
    struct lam_loader *l = data;

    pthread_mutex_lock(&l->lock);
    while (!l->stop) {
        int err;

        if (l->made - l->taken == RING || is_done(l)) {
            pthread_cond_wait(&l->changed, &l->lock);
            continue;
        }
        pthread_mutex_unlock(&l->lock);
        err = make_batch(l, l->made);
        pthread_mutex_lock(&l->lock);
        if (err) {
            l->err = err;
            pthread_cond_broadcast(&l->changed);
            break;
        }
        l->made++;
        pthread_cond_broadcast(&l->changed);
    }
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

int lam_loader_open(struct lam_dataset *dataset,
                    const struct lam_loader_options *options,
                    struct lam_loader **loader)
{
    const size_t bytes = (size_t)options->batch * (size_t)options->height *
                         (size_t)options->width * sizeof(float);
    const int n = lam_dataset_count(dataset, LAM_SPLIT_TRAIN);
    struct lam_loader *l;

    *loader = NULL;
    if (n == 0)
        return lam_fail(dataset->ctx, LAM_EDATA, "the training split is empty");
    l = calloc(1, sizeof(*l));
    if (!l)
        return lam_fail(dataset->ctx, LAM_EMEMORY, "out of memory");
    l->dataset = dataset;
    l->options = *options;
    if (options->augment) {
        l->augment = *options->augment;
        l->options.augment = &l->augment;
    }
    if (options->sampling) {
        l->sampling = *options->sampling;
        l->options.sampling = &l->sampling;
    }
    l->made = l->taken = options->first_step;
    l->order_epoch = -1;
    l->order = malloc(sizeof(int) * (size_t)n);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->changed, NULL);
    for (int i = 0; i < RING; i++) {
        l->images[i] = malloc(bytes);
        l->masks[i] = malloc(bytes);
        if (!l->images[i] || !l->masks[i] || !l->order) {
            lam_loader_close(l);
            return lam_fail(dataset->ctx, LAM_EMEMORY, "out of memory");
        }
    }
    if (pthread_create(&l->thread, NULL, work, l)) {
        lam_loader_close(l);
        return lam_fail(dataset->ctx, LAM_ERUN, "a thread cannot be started");
    }
    l->started = true;
    *loader = l;
    return LAM_OK;
}

void lam_loader_close(struct lam_loader *l)
{
    if (!l)
        return;
    if (l->started) {
        pthread_mutex_lock(&l->lock);
        l->stop = true;
        pthread_cond_broadcast(&l->changed);
        pthread_mutex_unlock(&l->lock);
        pthread_join(l->thread, NULL);
    }
    for (int i = 0; i < RING; i++) {
        free(l->images[i]);
        free(l->masks[i]);
    }
    free(l->order);
    pthread_mutex_destroy(&l->lock);
    pthread_cond_destroy(&l->changed);
    free(l);
}

int lam_loader_next(struct lam_loader *l, float *images, float *masks)
{
    const size_t bytes = (size_t)l->options.batch * (size_t)l->options.height *
                         (size_t)l->options.width * sizeof(float);
    int slot;

    if (l->options.end_step && l->taken >= l->options.end_step)
        return lam_fail(l->dataset->ctx, LAM_ERUN, "no batch is left to take");
    pthread_mutex_lock(&l->lock);
    while (l->made == l->taken && !l->err)
        pthread_cond_wait(&l->changed, &l->lock);
    if (l->made == l->taken) {
        pthread_mutex_unlock(&l->lock);
        return lam_fail(l->dataset->ctx, l->err, "%s", l->thread_ctx.error);
    }
    pthread_mutex_unlock(&l->lock);
    slot = (int)(l->taken % RING);
    memcpy(images, l->images[slot], bytes);
    memcpy(masks, l->masks[slot], bytes);
    pthread_mutex_lock(&l->lock);
    l->taken++;
    pthread_cond_broadcast(&l->changed);
    pthread_mutex_unlock(&l->lock);
    return LAM_OK;
}
