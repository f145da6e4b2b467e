#include "reduce.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "progress.h"
#include "shape.h"

enum stage { STAGE_READING, STAGE_ADDING, STAGE_SPREADING, STAGE_DONE };

// A tensor: where it lies in the row of all of them.
struct piece {
    int weight;
    int64_t at, n;
    bool is_shared; // a state, the same at ranks that share statistics
};

struct bucket {
    struct piece *pieces;
    int n_pieces;
    int64_t at, n; // numbers
    bool is_state;
    enum stage stage;
    int n_read;                     // pieces whose reading was enqueued
    struct lam_read last;           // of these, pending
    float *incoming;                // by rank, my part of the bucket each
    struct lam_transfer *to, *from; // by rank
    int n_added;                    // ranks
};

struct lam_reduce {
    struct lam_context *ctx;
    struct lam_collective *ranks;
    struct lam_session *session;
    const struct lam_graph *graph;
    struct lam_reduce_options options;
    struct piece *pieces;
    struct bucket *buckets;
    int n_buckets, *bucket_of; // by weight, -1: none
    float *mine, *total;       // all tensors of this rank, of all
    float *incoming;
    struct lam_transfer *transfers;
    int n_sharing;
    bool is_first, is_last;
    double backward_done, traffic_started;
    struct lam_reduce_times times;
};

// Rank r adds up numbers part_at(b, r) to part_at(b, r + 1) of a bucket.
static int64_t part_at(const struct lam_reduce *r, const struct bucket *b,
                       int rank)
{
    return b->n * rank / r->ranks->place.size;
}

static size_t part_bytes(const struct lam_reduce *r, const struct bucket *b,
                         int rank)
{
    return (size_t)(part_at(r, b, rank + 1) - part_at(r, b, rank)) *
           sizeof(float);
}

static float *part_of(const struct lam_reduce *r, float *row,
                      const struct bucket *b, int rank)
{
    return row + b->at + part_at(r, b, rank);
}

static float *incoming_of(const struct lam_reduce *r, const struct bucket *b,
                          int rank)
{
    return b->incoming + (size_t)rank * part_bytes(r, b, r->ranks->place.rank) /
                             sizeof(float);
}

static int tag_of(const struct lam_reduce *r, const struct bucket *b,
                  bool is_sum)
{
    return LAM_TAG_BUCKET + 2 * (int)(b - r->buckets) + is_sum;
}

// ---------------------------------------------------------------- set-up --

static bool takes_part(const struct lam_parameter *p, bool is_state)
{
    return is_state ? p->spec.is_state != 0 : p->is_trained;
}

// Starts a bucket, or closes one that is full.
static struct bucket *bucket_open(struct lam_reduce *r, struct bucket *b,
                                  bool is_state, int64_t at, int piece)
{
    const int64_t full = (int64_t)(r->options.bucket_bytes / sizeof(float));

    if (b && b->is_state == is_state && (b->n == 0 || b->n < full))
        return b;
    b = &r->buckets[r->n_buckets++];
    *b = (struct bucket){
        .pieces = r->pieces + piece, .is_state = is_state, .at = at};
    return b;
}

// State first: it is there when the forward run is done.
static void lay_out(struct lam_reduce *r)
{
    const struct lam_graph *graph = r->graph;
    struct bucket *b = NULL;
    int64_t at = 0;
    int n = 0;

    for (int is_state = 1; is_state >= 0; is_state--)
        for (int i = graph->n_nodes - 1; i >= 0; i--)
            for (int k = 0; k < graph->nodes[i].shapes.n_weight; k++) {
                const int weight = graph->nodes[i].weight[k];
                const struct lam_parameter *p = &graph->weights[weight];
                const int64_t size = lam_shape_elements(&p->spec.shape);

                if (!takes_part(p, is_state) || r->bucket_of[weight] >= 0)
                    continue;
                b = bucket_open(r, b, is_state, at, n);
                r->pieces[n++] = (struct piece){
                    weight, at, size,
                    (graph->nodes[i].shapes.flags & LAM_SHARES) != 0};
                r->bucket_of[weight] = (int)(b - r->buckets);
                b->n_pieces++;
                b->n += size;
                at += size;
            }
}

static int64_t row_length(const struct lam_reduce *r)
{
    const struct bucket *last = r->buckets + r->n_buckets - 1;

    return r->n_buckets ? last->at + last->n : 0;
}

static int make_rows(struct lam_reduce *r)
{
    const size_t size = (size_t)r->ranks->place.size;
    const size_t n = (size_t)row_length(r) + 1;
    size_t n_incoming = 1;
    float *incoming;

    for (int i = 0; i < r->n_buckets; i++)
        n_incoming += size *
                      part_bytes(r, &r->buckets[i], r->ranks->place.rank) /
                      sizeof(float);
    r->mine = calloc(n, sizeof(float));
    r->total = calloc(n, sizeof(float));
    r->incoming = incoming = calloc(n_incoming, sizeof(float));
    r->transfers =
        calloc(2 * size * (size_t)r->n_buckets + 1, sizeof(*r->transfers));
    if (!r->mine || !r->total || !r->incoming || !r->transfers)
        return lam_fail(r->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < r->n_buckets; i++) {
        struct bucket *b = &r->buckets[i];

        b->incoming = incoming;
        incoming +=
            size * part_bytes(r, b, r->ranks->place.rank) / sizeof(float);
        b->to = r->transfers + 2 * size * (size_t)i;
        b->from = b->to + size;
    }
    return LAM_OK;
}

static int read_state(struct lam_reduce *r)
{
    int err = LAM_OK;

    for (int i = 0; i < r->n_buckets && !err; i++)
        for (int k = 0; k < r->buckets[i].n_pieces && !err; k++) {
            const struct piece *p = &r->buckets[i].pieces[k];

            if (r->buckets[i].is_state)
                err = lam_session_weight_read(r->session, p->weight,
                                              r->total + p->at);
        }
    return err;
}

static int on_ready(void *data, int weight);

int lam_reduce_create(struct lam_collective *ranks, struct lam_session *session,
                      const struct lam_graph *graph,
                      const struct lam_reduce_options *options,
                      struct lam_reduce **reduce)
{
    struct lam_reduce *r = calloc(1, sizeof(*r));
    const size_t n = (size_t)graph->n_weights + 1;
    int err;

    *reduce = NULL;
    if (!r)
        return lam_fail(ranks->ctx, LAM_EMEMORY, "out of memory");
    *r = (struct lam_reduce){.ctx = ranks->ctx,
                             .ranks = ranks,
                             .session = session,
                             .graph = graph,
                             .options = *options};
    r->pieces = calloc(n, sizeof(*r->pieces));
    r->buckets = calloc(n, sizeof(*r->buckets));
    r->bucket_of = malloc(n * sizeof(*r->bucket_of));
    if (!r->pieces || !r->buckets || !r->bucket_of) {
        lam_reduce_destroy(r);
        return lam_fail(ranks->ctx, LAM_EMEMORY, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        r->bucket_of[i] = -1;
    lay_out(r);
    err = make_rows(r);
    if (!err)
        err = read_state(r);
    if (err) {
        lam_reduce_destroy(r);
        return err;
    }
    lam_session_on_ready(session, on_ready, r);
    *reduce = r;
    return LAM_OK;
}

void lam_reduce_destroy(struct lam_reduce *r)
{
    bool is_read = true;

    if (!r)
        return;
    for (int i = 0; i < r->n_buckets; i++)
        is_read &= !r->buckets[i].last.event;
    // A device that hangs may write there yet.
    if (is_read || !lam_session_finish(r->session))
        free(r->mine);
    free(r->pieces);
    free(r->buckets);
    free(r->bucket_of);
    free(r->total);
    free(r->incoming);
    free(r->transfers);
    free(r);
}

// ------------------------------------------------------------- exchanging --

static int receive_parts(struct lam_reduce *r, struct bucket *b)
{
    const int me = r->ranks->place.rank;
    int err = LAM_OK;

    for (int i = 0; i < r->n_sharing && !err; i++)
        if (i != me)
            err = lam_transfer_receive(r->ranks, i, tag_of(r, b, false),
                                       incoming_of(r, b, i),
                                       part_bytes(r, b, me), &b->from[i]);
    return err;
}

// Each rank begins with the one behind it, so that not all go to rank 0.
static int send_parts(struct lam_reduce *r, struct bucket *b)
{
    const int me = r->ranks->place.rank, size = r->ranks->place.size;
    int err = LAM_OK;

    b->stage = STAGE_ADDING;
    if (r->traffic_started == 0.0)
        r->traffic_started = lam_clock();
    for (int k = 1; k < size && me < r->n_sharing && !err; k++) {
        const int i = (me + k) % size;

        err = lam_transfer_send(r->ranks, i, tag_of(r, b, false),
                                part_of(r, r->mine, b, i), part_bytes(r, b, i),
                                &b->to[i]);
    }
    return err;
}

static void add(float *restrict total, const float *restrict x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        total[i] += x[i];
}

// The state is that of the device: one rounding of each product, see norm.cl.
static void move(float *state, const float *observed, int64_t n, float keep)
{
    const float gain = 1.0f - keep;

    for (int64_t i = 0; i < n; i++)
        state[i] = fmaf(keep, state[i], gain * observed[i]);
}

static void move_part(struct lam_reduce *r, const struct bucket *b, int rank,
                      float *state, const float *observed)
{
    const int64_t first = b->at + part_at(r, b, r->ranks->place.rank);
    const int64_t last = b->at + part_at(r, b, r->ranks->place.rank + 1);

    for (int i = 0; i < b->n_pieces; i++) {
        const struct piece *p = &b->pieces[i];
        const int64_t from = p->at > first ? p->at : first;
        const int64_t to = p->at + p->n < last ? p->at + p->n : last;

        if (from < to && !(p->is_shared && rank % r->options.alike))
            move(state + from - first, observed + from - first, to - from,
                 r->graph->weights[p->weight].spec.keep);
    }
}

static void add_part(struct lam_reduce *r, struct bucket *b, int rank)
{
    const int me = r->ranks->place.rank;
    float *total = part_of(r, r->total, b, me);
    const float *x =
        rank == me ? part_of(r, r->mine, b, me) : incoming_of(r, b, rank);
    const size_t bytes = part_bytes(r, b, me);

    if (b->is_state)
        move_part(r, b, rank, total, x);
    else if (r->is_first && rank == 0)
        memcpy(total, x, bytes);
    else
        add(total, x, (int64_t)(bytes / sizeof(float)));
}

// What has come in order is added. *missing: the rank that is waited for.
static int add_parts(struct lam_reduce *r, struct bucket *b, int *missing)
{
    int err = LAM_OK;
    bool done = true;

    while (b->n_added < r->n_sharing && !err) {
        err = lam_transfer_test(r->ranks, &b->from[b->n_added], &done);
        if (err || !done) {
            *missing = b->n_added;
            return err;
        }
        add_part(r, b, b->n_added++);
    }
    return err;
}

static int test_all(struct lam_reduce *r, struct lam_transfer *list, bool *done,
                    int *missing)
{
    int err = LAM_OK;

    *done = true;
    for (int i = 0; i < r->ranks->place.size && *done && !err; i++) {
        err = lam_transfer_test(r->ranks, &list[i], done);
        if (!*done)
            *missing = i;
    }
    return err;
}

static int spread_sum(struct lam_reduce *r, struct bucket *b)
{
    const int me = r->ranks->place.rank, size = r->ranks->place.size;
    int err = LAM_OK;

    b->stage = STAGE_SPREADING;
    for (int k = 1; k < size && !err; k++) {
        const int to = (me + k) % size, from = (me + size - k) % size;

        err = lam_transfer_receive(r->ranks, from, tag_of(r, b, true),
                                   part_of(r, r->total, b, from),
                                   part_bytes(r, b, from), &b->from[from]);
        if (!err)
            err = lam_transfer_send(r->ranks, to, tag_of(r, b, true),
                                    part_of(r, r->total, b, me),
                                    part_bytes(r, b, me), &b->to[to]);
    }
    return err;
}

// Takes a bucket as far as it goes without waiting.
static int advance(struct lam_reduce *r, struct bucket *b, int *missing)
{
    bool done = true;
    int err = LAM_OK;

    if (b->stage == STAGE_READING) {
        if (r->ranks->place.rank < r->n_sharing)
            done = b->n_read == b->n_pieces;
        if (done)
            err = lam_read_test(&b->last, &done);
        if (err || !done)
            return err;
        err = send_parts(r, b);
    }
    if (!err && b->stage == STAGE_ADDING) {
        err = add_parts(r, b, missing);
        if (!err && b->n_added == r->n_sharing)
            err = test_all(r, b->to, &done, missing);
        if (err || b->n_added < r->n_sharing || !done)
            return err;
        if (!r->is_last)
            b->stage = STAGE_DONE;
        else
            err = spread_sum(r, b);
    }
    if (!err && b->stage == STAGE_SPREADING) {
        err = test_all(r, b->from, &done, missing);
        if (!err && done)
            err = test_all(r, b->to, &done, missing);
        if (!err && done)
            b->stage = STAGE_DONE;
    }
    return err;
}

// *left: buckets that are not done. *missing is that of the first one, -1: my
// own device.
static int advance_all(struct lam_reduce *r, int *left, int *missing)
{
    int err = LAM_OK;

    *left = 0;
    *missing = -1;
    for (int i = 0; i < r->n_buckets && !err; i++) {
        int rank = -1;

        err = advance(r, &r->buckets[i], &rank);
        if (r->buckets[i].stage == STAGE_DONE)
            continue;
        if (!(*left)++)
            *missing = rank;
    }
    return err;
}

// The gradient or state of a weight is enqueued: so is its reading.
static int on_ready(void *data, int weight)
{
    struct lam_reduce *r = data;
    struct bucket *b =
        r->bucket_of[weight] < 0 ? NULL : &r->buckets[r->bucket_of[weight]];
    int err = LAM_OK, left, missing;

    if (!b || r->ranks->place.rank >= r->n_sharing)
        return LAM_OK;
    for (int i = 0; i < b->n_pieces && !err; i++)
        if (b->pieces[i].weight == weight) {
            err = lam_session_ready_read(r->session, weight,
                                         r->mine + b->pieces[i].at, &b->last);
            b->n_read++;
        }
    return err || b->n_read < b->n_pieces ? err
                                          : advance_all(r, &left, &missing);
}

int lam_reduce_begin(struct lam_reduce *r, int n_sharing, bool first, bool last)
{
    int err = LAM_OK;

    r->n_sharing = n_sharing;
    r->is_first = first;
    r->is_last = last;
    r->traffic_started = 0.0;
    for (int i = 0; i < r->n_buckets && !err; i++) {
        struct bucket *b = &r->buckets[i];

        b->stage = STAGE_READING;
        b->n_read = b->n_added = 0;
        err = receive_parts(r, b);
    }
    return err;
}

static bool is_all_read(const struct lam_reduce *r)
{
    for (int i = 0; i < r->n_buckets; i++)
        if (r->buckets[i].stage == STAGE_READING)
            return false;
    return true;
}

int lam_reduce_finish(struct lam_reduce *r)
{
    double since = lam_clock(), computed = 0.0;
    int left = 1, missing, before = 0, err = LAM_OK;

    while (left && !err) {
        err = advance_all(r, &left, &missing);
        if (computed == 0.0 && is_all_read(r))
            computed = lam_clock();
        if (left != before || missing < 0)
            since = lam_clock();
        before = left;
        if (!err && left)
            err = lam_collective_pause(r->ranks, since, missing);
    }
    r->times.rounds++;
    r->times.wait_s += lam_clock() - computed;
    r->times.traffic_s += lam_clock() - r->traffic_started;
    return err;
}

int lam_reduce_store(struct lam_reduce *r)
{
    int err = LAM_OK;

    for (int i = 0; i < r->n_buckets && !err; i++)
        for (int k = 0; k < r->buckets[i].n_pieces && !err; k++) {
            const struct piece *p = &r->buckets[i].pieces[k];
            const float *src = r->total + p->at;

            err = r->buckets[i].is_state
                      ? lam_session_weight_write(r->session, p->weight, src)
                      : lam_session_grad_write(r->session, p->weight, src);
        }
    return err;
}

struct lam_reduce_times lam_reduce_times(const struct lam_reduce *r)
{
    return r->times;
}
