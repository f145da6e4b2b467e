#include "train_ranks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "rng.h"
#include "shape.h"

static int size_of(const struct lam_trainer *t)
{
    return t->ranks->place.size;
}

// Of all samples, so that ranks with other files are found out.
static uint64_t data_hash(const struct lam_trainer *t)
{
    const int n = lam_dataset_count(t->dataset, LAM_SPLIT_ALL);
    uint64_t hash = 0;

    for (int i = 0; i < n; i++) {
        const struct lam_sample_info *info =
            lam_dataset_info(t->dataset, LAM_SPLIT_ALL, i);

        hash = lam_rng_hash(hash + (uint64_t)info->split, info->name);
    }
    return hash;
}

int lam_ranks_compare(struct lam_trainer *t)
{
    const uint64_t model = lam_rng_hash(0, t->model_text), data = data_hash(t);
    int err;

    if (!t->ranks)
        return LAM_OK;
    err = lam_collective_same(t->ranks, "model", &model, sizeof(model));
    if (!err)
        err = lam_collective_same(t->ranks, "data set", &data, sizeof(data));
    return err ? err
               : lam_collective_same(t->ranks, "state of the run", &t->progress,
                                     sizeof(t->progress));
}

int lam_ranks_fit(struct lam_trainer *t, int err)
{
    enum { FITS, TOO_BIG, FAILED };
    const int32_t mine = !err ? FITS : err == LAM_EMEMORY ? TOO_BIG : FAILED;
    int32_t *all, worst = FITS;
    int lost;

    if (!t->ranks)
        return err;
    all = calloc((size_t)size_of(t), sizeof(*all));
    if (!all)
        return lam_fail(t->ctx, LAM_ERUN, "out of memory");
    lost = lam_collective_share(t->ranks, &mine, all, sizeof(mine));
    for (int i = 0; i < size_of(t); i++)
        worst = all[i] > worst ? all[i] : worst;
    free(all);
    if (lost || worst == FITS || mine == FAILED)
        return lost ? lost : err;
    // The others learn of a failure when all agree.
    if (worst == FAILED)
        return LAM_OK;
    return err ? err
               : lam_fail(t->ctx, LAM_EMEMORY, "another rank has less memory");
}

int lam_ranks_sharing(const struct lam_trainer *t, int micro_batch)
{
    const int norm = t->config.norm_batch, ranks = t->ranks ? size_of(t) : 1;

    if (!norm)
        return 1;
    return t->config.batch % norm || norm % micro_batch ||
                   ranks % (norm / micro_batch)
               ? 0
               : norm / micro_batch;
}

// A weight (slot -1) or an optimiser slot, as rank 0 has it.
static int share_tensor(struct lam_trainer *t, int i, int slot)
{
    const size_t bytes = lam_shape_bytes(&t->graph->weights[i].spec.shape);
    void *data = malloc(bytes);
    int err;

    if (!data)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    err = slot < 0 ? lam_session_weight_read(t->session, i, data)
                   : lam_session_slot_read(t->session, i, slot, data);
    if (!err)
        err = lam_collective_broadcast(t->ranks, 0, data, bytes);
    if (!err && t->ranks->place.rank)
        err = slot < 0 ? lam_session_weight_write(t->session, i, data)
                       : lam_session_slot_write(t->session, i, slot, data);
    free(data);
    return err;
}

static int share_weights(struct lam_trainer *t)
{
    const char *const *slots = t->optimizer->slots;
    int err = LAM_OK;

    for (int i = 0; i < t->graph->n_weights && !err; i++) {
        err = share_tensor(t, i, -1);
        for (int k = 0; slots && slots[k] && !err; k++)
            if (t->graph->weights[i].is_trained)
                err = share_tensor(t, i, k);
    }
    return err;
}

int lam_ranks_start(struct lam_trainer *t)
{
    const struct lam_reduce_options options = {
        .bucket_bytes = (size_t)(t->config.bucket_mib * 0x1p20),
        .alike = t->host.sharing};
    int err;

    if (!t->ranks)
        return LAM_OK;
    err = share_weights(t);
    return err ? err
               : lam_reduce_create(t->ranks, t->session, t->graph, &options,
                                   &t->reduce);
}

static bool is_interrupted(const struct lam_trainer *t)
{
    return t->ctx->interrupted && *t->ctx->interrupted;
}

// What a rank tells rank 0 after a step: whether it was interrupted, its
// status, and the losses of its micro-batches. The answer has no losses.
static int share_result(struct lam_trainer *t, int status)
{
    const int size = size_of(t), rounds = (t->n_micro + size - 1) / size;
    const size_t n = 2 + (size_t)rounds;
    double *mine = calloc(n, sizeof(*mine));
    double *all = calloc(n * (size_t)size, sizeof(*all));
    double verdict[2] = {0, 0};
    int err =
        mine && all ? LAM_OK : lam_fail(t->ctx, LAM_EMEMORY, "out of memory");

    if (!err) {
        mine[0] = is_interrupted(t);
        mine[1] = status != LAM_OK;
        for (int k = t->ranks->place.rank; k < t->n_micro; k += size)
            mine[2 + k / size] = t->losses[k];
        err = lam_collective_gather(t->ranks, mine, all, n * sizeof(*mine));
    }
    for (int i = 0; i < size && !err && lam_collective_leads(t->ranks); i++) {
        verdict[0] += all[(size_t)i * n];
        verdict[1] += all[(size_t)i * n + 1];
        for (int k = i; k < t->n_micro; k += size)
            t->losses[k] = all[(size_t)i * n + 2 + (size_t)(k / size)];
    }
    if (!err)
        err = lam_collective_broadcast(t->ranks, 0, verdict, sizeof(verdict));
    if (!err && verdict[1] > 0.0)
        err = lam_collective_agree(t->ranks, status);
    t->is_stopping = verdict[0] > 0.0;
    free(mine);
    free(all);
    return err;
}

int lam_ranks_step(struct lam_trainer *t)
{
    const int size = size_of(t), me = t->ranks->place.rank;
    const int64_t sent = t->ranks->sent;
    int status = LAM_OK, err = LAM_OK;

    for (int first = 0; first < t->n_micro && !err; first += size) {
        const int left = t->n_micro - first;
        const int k = first + me;

        err = lam_reduce_begin(t->reduce, left < size ? left : size, first == 0,
                               left <= size);
        if (!err && k < t->n_micro)
            err = lam_trainer_run_micro(t, k, true);
        if (!err)
            err = lam_reduce_finish(t->reduce);
        if (!err && k < t->n_micro && !status) {
            status = lam_trainer_read_loss(t, k);
            // All go on to the point where they can agree on it.
            err = status == LAM_ENONFINITE ? LAM_OK : status;
        }
    }
    if (!err)
        err = share_result(t, status);
    t->sent += t->ranks->sent - sent;
    t->n_sent++;
    return err ? err : lam_reduce_store(t->reduce);
}

bool lam_ranks_validate(const struct lam_trainer *t, int i)
{
    return lam_collective_leads(t->ranks) ||
           i % size_of(t) == t->ranks->place.rank;
}

static int receive_map(struct lam_trainer *t, int from, struct lam_map *map)
{
    int32_t head[3] = {0};
    size_t n;
    int err =
        lam_collective_receive(t->ranks, from, LAM_TAG_MAP, head, sizeof(head));

    if (err)
        return err;
    *map = (struct lam_map){
        .channels = head[0], .height = head[1], .width = head[2]};
    n = (size_t)head[0] * (size_t)head[1] * (size_t)head[2] * sizeof(float);
    map->data = malloc(n);
    return map->data ? lam_collective_receive(t->ranks, from, LAM_TAG_MAP,
                                              map->data, n)
                     : lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
}

static int send_map(struct lam_trainer *t, const struct lam_map *map)
{
    const int32_t head[3] = {map->channels, map->height, map->width};
    const size_t n = (size_t)map->channels * (size_t)map->height *
                     (size_t)map->width * sizeof(float);
    const int err =
        lam_collective_send(t->ranks, 0, LAM_TAG_MAP, head, sizeof(head));

    return err ? err
               : lam_collective_send(t->ranks, 0, LAM_TAG_MAP, map->data, n);
}

int lam_ranks_predict(struct lam_trainer *t, int i, const float *image,
                      int height, int width, struct lam_map *map)
{
    const int owner = t->ranks ? i % size_of(t) : 0;
    int err;

    if (owner && lam_collective_leads(t->ranks))
        return receive_map(t, owner, map);
    err = lam_predictor_run(t->predictor, image, height, width, 0, 0, map);
    return err || !owner ? err : send_map(t, map);
}

static int hash_weights(struct lam_trainer *t, uint64_t *hash)
{
    int err = LAM_OK;

    *hash = 0;
    for (int i = 0; i < t->graph->n_weights && !err; i++) {
        const size_t bytes = lam_shape_bytes(&t->graph->weights[i].spec.shape);
        uint32_t *words = malloc(bytes);

        err = words ? lam_session_weight_read(t->session, i, words)
                    : lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
        for (size_t k = 0; k < bytes / sizeof(*words) && !err; k++)
            *hash = lam_rng_bits(*hash, words[k]);
        free(words);
    }
    return err;
}

int lam_ranks_end_epoch(struct lam_trainer *t)
{
    uint64_t mine, *all;
    bool differ = false;
    int err;

    if (!t->ranks)
        return LAM_OK;
    err = lam_collective_broadcast(t->ranks, 0, &t->progress,
                                   sizeof(t->progress));
    all = calloc((size_t)size_of(t), sizeof(*all));
    if (!all)
        return lam_fail(t->ctx, LAM_EMEMORY, "out of memory");
    if (!err)
        err = hash_weights(t, &mine);
    if (!err)
        err = lam_collective_share(t->ranks, &mine, all, sizeof(mine));
    for (int i = 0; i < size_of(t) && !err; i++)
        differ |= all[i] != all[0];
    free(all);
    if (err || !differ)
        return err;
    lam_log(t->ctx, LAM_LOG_INFO,
            "the devices round differently: rank 0's weights are sent to all");
    return share_weights(t);
}

void lam_ranks_report(const struct lam_trainer *t)
{
    struct lam_reduce_times times;
    double steps;

    if (!t->ranks || !t->reduce)
        return;
    times = lam_reduce_times(t->reduce);
    steps = times.rounds > 0 ? (double)times.rounds : 1.0;
    lam_log(t->ctx, LAM_LOG_INFO,
            "%d ranks by %s: rank 0 sent %.3f MiB, %.3f a step; of %.2f ms "
            "from the first gradient sent to the last received, %.2f ms came "
            "after the backward pass (means of %" PRId64 ")",
            size_of(t), t->ranks->transport->name,
            (double)t->ranks->sent / 0x1p20,
            (double)t->sent / (double)(t->n_sent + !t->n_sent) / 0x1p20,
            1e3 * times.traffic_s / steps, 1e3 * times.wait_s / steps,
            times.rounds);
}
