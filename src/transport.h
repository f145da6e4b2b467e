// transport.h - what carries messages between ranks. A module of its own
// (lamina_mpi.so) brings the one that needs MPI, as `lam_transport`.
#ifndef LAM_TRANSPORT_H
#define LAM_TRANSPORT_H

#include "status.h"

#define LAM_TRANSPORT_VERSION 1u

struct lam_place {
    int rank, size;             // 0..size-1, of size ranks
    int local_rank, local_size; // among those on this machine
};

struct lam_transport {
    uint32_t version; // LAM_TRANSPORT_VERSION
    const char *name;
    // Called once; *error is a sentence without an end when it fails.
    int (*open)(void **data, struct lam_place *place, const char **error);
    // Start a message and give a request, NULL when that failed. At most
    // LAM_MAX_MESSAGE bytes.
    void *(*send)(void *data, int to, int tag, const void *src, size_t bytes);
    void *(*receive)(void *data, int from, int tag, void *dst, size_t bytes);
    // 1: it has arrived, the request is gone; 0: not yet; -1: it never will.
    int (*test)(void *data, void *request);
    // This rank has failed: no message of it may be read any more. NULL where
    // ranks share no memory.
    void (*leave)(void *data);
    // Ends all ranks at once and does not return. NULL for threads.
    void (*abort)(void *data, int exit_code);
    // Called by all ranks when no message is under way. NULL for threads.
    void (*close)(void *data);
};

// Loads transport/NAME.so of the folders of plugins, for good.
int lam_transport_load(struct lam_context *ctx, const char *name,
                       const struct lam_transport **transport);

#define LAM_MAX_MESSAGE ((size_t)1 << 30)

#endif
