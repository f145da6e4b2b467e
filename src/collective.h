// collective.h - the ranks of a training run, one a device: processes started
// by mpirun or srun (collective_mpi.c), or threads of one process
// (collective_threads.c). Both carry messages; what is built on them here is
// the same: waits that end and name who is missing, broadcasts, agreement.
#ifndef LAM_COLLECTIVE_H
#define LAM_COLLECTIVE_H

#include "transport.h"

struct lam_collective {
    struct lam_context *ctx;
    struct lam_place place;
    const struct lam_transport *transport;
    void *data;       // the transport's
    double timeout_s; // of each wait
    int64_t sent;     // bytes, since the start
    bool has_agreed;  // the error of ctx is known to all ranks
};

// What a message is for: messages of one kind between two ranks keep their
// order.
enum lam_tag {
    LAM_TAG_CONTROL,
    LAM_TAG_MAP,
    LAM_TAG_SHARE, // see lam_collective_join
    LAM_TAG_BUCKET // the first of those that reduce.c uses
};

// A message under way; request NULL: none, or it has arrived.
struct lam_transfer {
    void *request;
    int peer;
};

// All return at once; the memory belongs to the message until it has arrived,
// which lam_transfer_test says by *done.
int lam_transfer_send(struct lam_collective *ranks, int to, int tag,
                      const void *src, size_t bytes,
                      struct lam_transfer *transfer);
int lam_transfer_receive(struct lam_collective *ranks, int from, int tag,
                         void *dst, size_t bytes,
                         struct lam_transfer *transfer);
int lam_transfer_test(struct lam_collective *ranks,
                      struct lam_transfer *transfer, bool *done);
// LAM_ELOST after the time-out, naming the rank that is missing.
int lam_transfer_wait(struct lam_collective *ranks, struct lam_transfer *list,
                      int n);
// The sentence of that: LAM_ELOST once the time-out has passed since `started`
// (of lam_clock), else LAM_OK after a pause of some microseconds.
int lam_collective_pause(struct lam_collective *ranks, double started,
                         int missing);

// One message; waits.
int lam_collective_send(struct lam_collective *ranks, int to, int tag,
                        const void *src, size_t bytes);
int lam_collective_receive(struct lam_collective *ranks, int from, int tag,
                           void *dst, size_t bytes);
// From root to all, through a tree.
int lam_collective_broadcast(struct lam_collective *ranks, int root, void *data,
                             size_t bytes);
// mine of each rank, laid one behind the other in the order of ranks, at rank 0
// alone; all is not used elsewhere.
int lam_collective_gather(struct lam_collective *ranks, const void *mine,
                          void *all, size_t bytes);
// The same at every rank.
int lam_collective_share(struct lam_collective *ranks, const void *mine,
                         void *all, size_t bytes);
// Among ranks first .. first + n - 1 alone, each to each: all has n pieces of
// bytes, of which the caller's is there; then those of all are.
int lam_collective_join(struct lam_collective *ranks, int first, int n,
                        void *all, size_t bytes);
// Called by all ranks: if any comes with an error, all leave with that of the
// lowest such rank, its sentence included. ranks NULL: one alone.
int lam_collective_agree(struct lam_collective *ranks, int err);
// LAM_EUSAGE on all ranks, naming what, where the bytes differ from rank 0's.
int lam_collective_same(struct lam_collective *ranks, const char *what,
                        const void *data, size_t bytes);

// True for rank 0 and where there are no ranks: who writes and speaks.
bool lam_collective_leads(const struct lam_collective *ranks);

#endif
