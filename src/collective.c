#include "collective.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "progress.h"

bool lam_collective_leads(const struct lam_collective *ranks)
{
    return !ranks || ranks->place.rank == 0;
}

static int fail_start(struct lam_collective *c, int peer, size_t bytes)
{
    return lam_fail(c->ctx, LAM_ELOST,
                    "a message of %zu bytes between rank %d and rank %d cannot "
                    "be started",
                    bytes, c->place.rank, peer);
}

int lam_transfer_send(struct lam_collective *c, int to, int tag,
                      const void *src, size_t bytes,
                      struct lam_transfer *transfer)
{
    *transfer = (struct lam_transfer){NULL, to};
    if (bytes <= LAM_MAX_MESSAGE)
        transfer->request = c->transport->send(c->data, to, tag, src, bytes);
    c->sent += (int64_t)bytes;
    return transfer->request ? LAM_OK : fail_start(c, to, bytes);
}

int lam_transfer_receive(struct lam_collective *c, int from, int tag, void *dst,
                         size_t bytes, struct lam_transfer *transfer)
{
    *transfer = (struct lam_transfer){NULL, from};
    if (bytes <= LAM_MAX_MESSAGE)
        transfer->request =
            c->transport->receive(c->data, from, tag, dst, bytes);
    return transfer->request ? LAM_OK : fail_start(c, from, bytes);
}

int lam_transfer_test(struct lam_collective *c, struct lam_transfer *transfer,
                      bool *done)
{
    const int state =
        transfer->request ? c->transport->test(c->data, transfer->request) : 1;

    *done = state > 0;
    if (state)
        transfer->request = NULL;
    return state < 0 ? lam_fail(c->ctx, LAM_ELOST,
                                "the connection of rank %d to rank %d is lost",
                                c->place.rank, transfer->peer)
                     : LAM_OK;
}

// Rank 0 speaks first where several wait for the same one.
static double patience(const struct lam_collective *c)
{
    const int later = c->place.rank < 10 ? c->place.rank : 10;

    return c->timeout_s + 0.5 * later;
}

int lam_collective_pause(struct lam_collective *c, double started, int missing)
{
    if (lam_clock() - started > patience(c))
        return lam_fail(c->ctx, LAM_ELOST,
                        "rank %d waited %g s for rank %d, which hangs or is "
                        "gone; the run goes on from its last checkpoint with "
                        "--resume",
                        c->place.rank, c->timeout_s, missing);
    nanosleep(&(struct timespec){0, 20000}, NULL);
    return LAM_OK;
}

int lam_transfer_wait(struct lam_collective *c, struct lam_transfer *list,
                      int n)
{
    const double started = lam_clock();
    int err = LAM_OK;

    for (int i = 0; i < n && !err; i++) {
        bool done = false;

        while (!err && !done) {
            err = lam_transfer_test(c, &list[i], &done);
            if (!err && !done)
                err = lam_collective_pause(c, started, list[i].peer);
        }
    }
    return err;
}

// A message longer than a transport takes goes in pieces.
static int exchange(struct lam_collective *c, int peer, int tag,
                    const char *src, char *dst, size_t bytes)
{
    int err = LAM_OK;

    for (size_t at = 0; at < bytes && !err; at += LAM_MAX_MESSAGE) {
        const size_t n =
            bytes - at < LAM_MAX_MESSAGE ? bytes - at : LAM_MAX_MESSAGE;
        struct lam_transfer transfer;

        err = src ? lam_transfer_send(c, peer, tag, src + at, n, &transfer)
                  : lam_transfer_receive(c, peer, tag, dst + at, n, &transfer);
        if (!err)
            err = lam_transfer_wait(c, &transfer, 1);
    }
    return err;
}

int lam_collective_send(struct lam_collective *c, int to, int tag,
                        const void *src, size_t bytes)
{
    return exchange(c, to, tag, src, NULL, bytes);
}

int lam_collective_receive(struct lam_collective *c, int from, int tag,
                           void *dst, size_t bytes)
{
    return exchange(c, from, tag, NULL, dst, bytes);
}

// A binomial tree: a rank hears from the one without its lowest bit, and tells
// those that have one more bit below it.
int lam_collective_broadcast(struct lam_collective *c, int root, void *data,
                             size_t bytes)
{
    const int size = c->place.size;
    const int me = (c->place.rank - root + size) % size;
    int bit = 1, err = LAM_OK;

    while (bit < size && !(me & bit))
        bit *= 2;
    if (me)
        err = lam_collective_receive(c, (me - bit + root) % size,
                                     LAM_TAG_CONTROL, data, bytes);
    for (bit /= 2; bit > 0 && !err; bit /= 2)
        if (me + bit < size)
            err = lam_collective_send(c, (me + bit + root) % size,
                                      LAM_TAG_CONTROL, data, bytes);
    return err;
}

int lam_collective_gather(struct lam_collective *c, const void *mine, void *all,
                          size_t bytes)
{
    const int size = c->place.size;
    struct lam_transfer *list;
    int err = LAM_OK;

    if (c->place.rank)
        return lam_collective_send(c, 0, LAM_TAG_CONTROL, mine, bytes);
    memcpy(all, mine, bytes);
    list = calloc((size_t)size, sizeof(*list));
    if (!list)
        return lam_fail(c->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 1; i < size && !err; i++)
        err = lam_transfer_receive(c, i, LAM_TAG_CONTROL,
                                   (char *)all + (size_t)i * bytes, bytes,
                                   &list[i]);
    if (!err)
        err = lam_transfer_wait(c, list, size);
    free(list);
    return err;
}

int lam_collective_share(struct lam_collective *c, const void *mine, void *all,
                         size_t bytes)
{
    const int err = lam_collective_gather(c, mine, all, bytes);

    return err ? err
               : lam_collective_broadcast(c, 0, all,
                                          bytes * (size_t)c->place.size);
}

int lam_collective_join(struct lam_collective *c, int first, int n, void *all,
                        size_t bytes)
{
    const int me = c->place.rank - first;
    struct lam_transfer *list = calloc(2 * (size_t)n, sizeof(*list));
    char *pieces = all;
    int err = LAM_OK;

    if (!list)
        return lam_fail(c->ctx, LAM_EMEMORY, "out of memory");
    for (int i = 0; i < n && !err; i++)
        if (i != me)
            err = lam_transfer_receive(c, first + i, LAM_TAG_SHARE,
                                       pieces + (size_t)i * bytes, bytes,
                                       &list[i]);
    for (int i = 0; i < n && !err; i++)
        if (i != me)
            err = lam_transfer_send(c, first + i, LAM_TAG_SHARE,
                                    pieces + (size_t)me * bytes, bytes,
                                    &list[n + i]);
    if (!err)
        err = lam_transfer_wait(c, list, 2 * n);
    free(list);
    return err;
}

int lam_collective_agree(struct lam_collective *c, int err)
{
    char sentence[sizeof(c->ctx->error)];
    int32_t code = err, *codes;
    int from = 0, lost;

    if (!c || c->place.size == 1 || c->has_agreed)
        return err;
    codes = calloc((size_t)c->place.size, sizeof(*codes));
    if (!codes)
        return lam_fail(c->ctx, LAM_EMEMORY, "out of memory");
    lost = lam_collective_share(c, &code, codes, sizeof(code));
    while (!lost && from < c->place.size && !codes[from])
        from++;
    if (!lost && from < c->place.size) {
        memcpy(sentence, c->ctx->error, sizeof(sentence));
        lost = lam_collective_broadcast(c, from, sentence, sizeof(sentence));
        if (!lost) {
            sentence[sizeof(sentence) - 1] = '\0';
            lam_error_clear(c->ctx);
            err = from ? lam_fail(c->ctx, codes[from], "rank %d: %s", from,
                                  sentence)
                       : lam_fail(c->ctx, codes[from], "%s", sentence);
            c->has_agreed = true;
        }
    }
    free(codes);
    return lost ? lost : err;
}

int lam_collective_same(struct lam_collective *c, const char *what,
                        const void *data, size_t bytes)
{
    char *first = malloc(bytes);
    int err;

    if (!first)
        return lam_fail(c->ctx, LAM_EMEMORY, "out of memory");
    memcpy(first, data, bytes);
    err = lam_collective_broadcast(c, 0, first, bytes);
    if (!err && memcmp(first, data, bytes) != 0)
        err = lam_fail(c->ctx, LAM_EUSAGE,
                       "it has another %s than rank 0: all ranks must be "
                       "given the same",
                       what);
    free(first);
    return lam_collective_agree(c, err);
}
