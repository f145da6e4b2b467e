// queue.h - inside of an opened device, for the files that talk to OpenCL:
// device.c, buffer.c, kernel.c, gemm.c, host.c. No one else includes it.
#ifndef LAM_QUEUE_H
#define LAM_QUEUE_H

#include <CL/cl.h>

#include "device.h"

enum { LAM_CANARY_BYTES = 4096 };

struct lam_kernel {
    cl_kernel cl;
    cl_program program;
    char *key; // source, name, options and real, as a hash in hexadecimal
    char *name;
    int real;
    struct lam_kernel *next;
    // profile
    double seconds;
    long calls;
};

struct lam_pending {
    cl_event event;
    struct lam_kernel *kernel;
};

struct lam_queue {
    struct lam_context *ctx;
    struct lam_device_row row;
    cl_platform_id platform;
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    double timeout_s;
    bool poison, canary, profile, is_lost;
    char cache[1024]; // folder of built programs, "" for none
    const char *last; // the last kernel or transfer enqueued
    size_t allocated, peak;
    int n_buffers, n_programs, n_hits;
    double build_seconds;
    struct lam_kernel *kernels;
    struct lam_pending pending[256];
    int n_pending;
};

struct lam_buffer {
    struct lam_queue *queue;
    cl_mem cl;
    size_t bytes;
};

// Turns a CL error into a status and a sentence that names call and error.
int lam_fail_cl(struct lam_context *ctx, cl_int error, const char *call,
                const char *what);
const char *lam_cl_error_name(cl_int error);
// Waits for an event, at most the queue's time-out. Releases it.
int lam_queue_wait(struct lam_queue *queue, cl_event event);
// Adds the times of the pending events to their kernels.
int lam_queue_collect(struct lam_queue *queue);
void lam_queue_kernels_free(struct lam_queue *queue);

int lam_queue_kernel(struct lam_queue *queue, int real, const char *source,
                     const char *name, const char *options,
                     struct lam_kernel **kernel);
int lam_queue_launch(struct lam_queue *queue, struct lam_kernel *kernel,
                     const struct lam_arg *args, int n_args,
                     const size_t global[3], const size_t local[3]);
int lam_queue_gemm(struct lam_queue *queue, int real,
                   const struct lam_gemm *gemm);

#endif
