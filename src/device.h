// device.h - an opened OpenCL device: choice, context, one in-order queue,
// buffers, and waits that end. With kernel.h and gemm.h the only door to
// OpenCL.
#ifndef LAM_DEVICE_H
#define LAM_DEVICE_H

#include <stdbool.h>

#include "status.h"

struct lam_queue;  // device, context and in-order queue
struct lam_buffer; // what lam_tensor.buffer points at
struct lam_tuning; // tuning.h

// One row of `lamina devices`.
struct lam_device_row {
    int index; // what --device takes
    char name[128], platform[128], vendor[128], driver[160], version[160];
    struct lam_device info;
    char problem[160];  // why it cannot be used, "" if it can
    int64_t part_bytes; // parts of buffers start at multiples of it
};

// Lists all devices of all platforms; *n rows, freed by the caller with free().
// LAM_EDEVICE, with advice on what to install, when there is none.
int lam_device_list(struct lam_context *ctx, struct lam_device_row **rows,
                    int *n);

// What to install for the GPU that the operating system sees; NULL if it sees
// none of a vendor with an OpenCL driver.
const char *lam_device_advice(void);

struct lam_queue_options {
    // "gpu", "cpu", an index of lam_device_list, or part of a name (case does
    // not matter). NULL or "": the GPU with most compute units, else a CPU.
    const char *device;
    int nth;          // of the devices that fit and are of the best one's
                      // kind, round and round: for ranks on one machine
    double timeout_s; // of each wait; 0: 300
    bool poison;      // fill new buffers with NaN
    bool canary;      // guard the end of each buffer, see lam_buffer_intact
    // "end", "start": that side of each buffer lies at a page that may not be
    // touched, in place of canaries. Processors only. NULL: neither.
    const char *guard;
    int profile;       // 1: keep event times, see lam_queue_times
    const char *cache; // folder of built programs; NULL: $XDG_CACHE_HOME/lamina
    bool tuned;        // read what was measured on the device, see tuning.h
};

int lam_queue_open(struct lam_context *ctx,
                   const struct lam_queue_options *options,
                   struct lam_queue **queue);
void lam_queue_close(struct lam_queue *queue); // NULL is fine
// Names the layer whose kernels come now, for messages and times; NULL: none.
// The name must live until the next call, the pass for good.
void lam_queue_layer(struct lam_queue *queue, const char *layer,
                     const char *pass);
const struct lam_device_row *lam_queue_device(const struct lam_queue *queue);
struct lam_context *lam_queue_context(const struct lam_queue *queue);
// What was measured; NULL unless the queue was opened with `tuned`.
struct lam_tuning *lam_queue_tuning(const struct lam_queue *queue);

// Waits for all that was enqueued. LAM_ELOST after the time-out, naming the
// kernel it was at; nothing may be done with the queue then but close it.
int lam_queue_finish(struct lam_queue *queue);

// A buffer of at least bytes (> 0). LAM_EMEMORY if the device cannot hold it.
int lam_buffer_create(struct lam_queue *queue, size_t bytes,
                      struct lam_buffer **buffer);
// A part of a buffer that is no part itself, as a buffer; offset is a multiple
// of the device's part_bytes. It takes no memory, has no canary, and must be
// destroyed before the buffer.
int lam_buffer_part(struct lam_buffer *buffer, size_t offset, size_t bytes,
                    struct lam_buffer **part);
void lam_buffer_destroy(struct lam_buffer *buffer); // NULL is fine
size_t lam_buffer_bytes(const struct lam_buffer *buffer);
size_t lam_queue_allocated(const struct lam_queue *queue); // bytes now
size_t lam_queue_peak(const struct lam_queue *queue);
int lam_queue_live_buffers(const struct lam_queue *queue);

// Both wait until the host memory may be reused. offset and bytes in bytes.
int lam_buffer_write(struct lam_buffer *buffer, size_t offset, size_t bytes,
                     const void *src);
int lam_buffer_read(struct lam_buffer *buffer, size_t offset, size_t bytes,
                    void *dst);

// A read that goes on while more is enqueued. dst must not be touched until it
// is done.
struct lam_read {
    struct lam_queue *queue;
    void *event; // NULL: none, or done
    double started;
};
// Forgets what the read was for before: the queue keeps its order, so the last
// one tells of all.
int lam_buffer_read_start(struct lam_buffer *buffer, size_t bytes, void *dst,
                          struct lam_read *read);
// LAM_ELOST after the time-out, as in a wait.
int lam_read_test(struct lam_read *read, bool *done);

// Enqueued: every byte becomes `byte`.
int lam_buffer_fill(struct lam_buffer *buffer, int byte);
int lam_buffer_copy(struct lam_buffer *dst, struct lam_buffer *src,
                    size_t bytes);
// LAM_ERUN when the canary behind the buffer has changed. LAM_OK without one.
int lam_buffer_intact(struct lam_buffer *buffer, const char *what);

// Fills in the services and info->device; real is LAM_F32 or LAM_F64. queue may
// be NULL: then only `fail` works. finish releases the kernels built by it.
int lam_host_init(struct lam_host *host, struct lam_context *ctx,
                  struct lam_queue *queue, int real);
void lam_host_finish(struct lam_host *host);
// part_bytes of the host's device; without one, what every device known takes.
int64_t lam_host_part_bytes(const struct lam_host *host);
// `sharing` ranks, one behind the other, take statistics together from now on:
// before a graph is made with the host. ranks NULL: none is asked, all are
// thought to have the images of this one.
struct lam_collective;
void lam_host_share(struct lam_host *host, struct lam_collective *ranks,
                    int sharing);

// Builds what host->gemm needs by a tiny product and says so through the log:
// the first use takes seconds where CLBlast is used. Never called by itself.
int lam_gemm_warm(struct lam_queue *queue, int real);

// CLBlast's parameters for products of floats, as text: "own" for those of its
// database, else "KERNEL NAME=VALUE ..; KERNEL ..", kernels that are not named
// keeping their own. NULL where products do not go through CLBlast.
const char *lam_gemm_parameters(const struct lam_queue *queue);
// Takes others than those measured; before the first product. CLBlast keeps
// them for the whole process. LAM_EDATA where it does not know them
// or they break a rule of its kernels.
int lam_gemm_use(struct lam_queue *queue, const char *parameters);
// The same in the middle, and without keeping the text: to measure.
int lam_gemm_override(struct lam_queue *queue, const char *parameters);
// A product by CLBlast; false, and why, where its parameters do not serve here:
// neither the queue nor the context has failed then.
bool lam_gemm_try(struct lam_queue *queue, const struct lam_gemm *gemm,
                  char *why, size_t size);
// The plain kernel, one work-item per element: the reference of the others.
int lam_gemm_plain(struct lam_queue *queue, int real,
                   const struct lam_gemm *gemm);

struct lam_kernel_time {
    const char *name; // the queue's
    const char *pass; // of a layer, else ""
    long calls;
    double seconds; // by events
};

// What kernels took, most time first; the number of *rows, which are to free().
// 0 without profile.
int lam_queue_times(struct lam_queue *queue, struct lam_kernel_time **rows);
// The same by layers and passes, calls being kernels.
int lam_queue_layer_times(struct lam_queue *queue,
                          struct lam_kernel_time **rows);
// Kernels built so far, and how many of them came from the cache.
void lam_queue_built(const struct lam_queue *queue, int *programs, int *hits,
                     double *seconds);

#endif
