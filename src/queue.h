// queue.h - inside of an opened device, for the files that talk to OpenCL:
// device.c, queue.c, queue_wait.c, buffer.c, kernel.c, profile.c,
// program_cache.c, gemm.c, gemm_cpu.c, host.c, watchdog.c. No one else includes
// it.
#ifndef LAM_QUEUE_H
#define LAM_QUEUE_H

#include <CL/cl.h>

#include "device.h"
#include "guard.h"

enum { LAM_CANARY_BYTES = 4096, LAM_MAX_DEVICES = 64 };

// A device and where it was found.
struct lam_found {
    cl_platform_id platform;
    cl_device_id device;
    struct lam_device_row row;
};

// Time spent under one name.
struct lam_timing {
    char *name;
    const char *pass; // of a layer; ""
    double seconds;
    long calls;
    struct lam_timing *next;
};

struct lam_kernel {
    cl_kernel cl;
    cl_program program;
    char *key; // source, name, options and real, as a hash in hexadecimal
    char *name;
    int real;
    size_t required[3]; // reqd_work_group_size; zeros without
    struct lam_kernel *next;
};

struct lam_pending {
    cl_event event;
    struct lam_timing *timing, *layer; // layer NULL: it is of none
};

// Tile sizes and kernels of lam_gemm_cpu; tile NULL: none yet.
struct lam_gemm_tiling {
    struct lam_kernel *plain, *tile, *reduce;
    int rows, columns, depth, tiles;
};

struct lam_buffer {
    struct lam_queue *queue;
    cl_mem cl;
    size_t bytes;
    struct lam_guard guard;
    uint32_t serial; // what is behind it, see canary_of
    bool is_part;    // of another buffer, whose memory it is
};

struct lam_queue {
    struct lam_context *ctx;
    struct lam_device_row row;
    char platform_version[256];
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    double timeout_s;
    bool poison, canary, profile;
    bool is_guarded, guards_end; // see guard.h
    bool is_lost;                // nothing more is enqueued
    bool is_hung;     // nor released: a driver may wait in a release for ever
    char cache[1024]; // folder of built programs, "" for none
    struct lam_tuning *tuning;
    struct lam_watchdog *watchdog;
    size_t allocated, peak;
    uint32_t serial; // of the newest buffer
    int n_buffers, n_programs, n_hits;
    double build_seconds;
    struct lam_kernel *kernels;
    struct lam_kernel *fill;          // of core.cl, NULL: none yet
    cl_mem turns;                     // of LAM_ARG_TURNS, NULL: none yet
    struct lam_gemm_tiling tiling[2]; // by real: LAM_F32, LAM_F64
    struct lam_buffer parts;          // scratch of the GEMM, cl NULL: none yet
    bool uses_clblast;                // for products, see gemm.c
    bool is_gemm_set;                 // CLBlast knows what `gemm` says
    char gemm[1024];                  // its parameters, see lam_gemm_use
    struct lam_timing *timings, *layer_timings;
    struct lam_pending pending[256];
    int n_pending;
};

// All usable devices that fit `wanted`, best first: GPUs before processors,
// more compute units first. LAM_EDEVICE when none does.
int lam_device_choose(struct lam_context *ctx, const char *wanted,
                      struct lam_found found[LAM_MAX_DEVICES], int *n);

const char *lam_cl_error_name(cl_int error);
// Turns a CL error into a status and a sentence that names call and error.
// what: what the call was for, or "".
int lam_fail_cl(struct lam_queue *queue, cl_int error, const char *call,
                const char *what);
// LAM_ELOST when the device was lost before.
int lam_queue_usable(struct lam_queue *queue);
// Waits for an event, at most the queue's time-out. Releases it.
int lam_queue_wait(struct lam_queue *queue, cl_event event);
// Which kernel, of which layer, the device is at: the first it has not ended
// since the last wait, else the last one. Returns text.
const char *lam_queue_where(struct lam_queue *queue, char *text, size_t size);
// A kernel was enqueued; its event (NULL: none) is released later.
void lam_queue_launched(struct lam_queue *queue, const char *kernel,
                        cl_event event);
// All that was enqueued has ended.
void lam_queue_ended(struct lam_queue *queue);
// Around calls in which some drivers do all the work. Where one does not return
// in time, the context's on_hang is called. kernel NULL: the one before.
void lam_queue_call(struct lam_queue *queue, const char *kernel);
void lam_queue_returned(struct lam_queue *queue);
int lam_watchdog_open(struct lam_queue *queue);
void lam_watchdog_close(struct lam_queue *queue);
// Adds the time of an event to a name, later. NULL, without profile: nothing.
int lam_queue_track(struct lam_queue *queue, const char *name, cl_event event);
// All that was enqueued has ended: reads the times of what was tracked.
int lam_queue_collect(struct lam_queue *queue);
void lam_queue_timings_free(struct lam_queue *queue);
// The layer whose kernels come now, and its pass; NULL: of none.
const char *lam_queue_layer_now(const struct lam_queue *queue,
                                const char **pass);
double lam_queue_now(void); // seconds of a steady clock
// For a wait that looks often: the seconds since *seen, which becomes now, if
// they are so many that the process itself was stopped meanwhile (Ctrl-Z, a
// debugger), else 0. A device is not to blame for them.
double lam_queue_asleep(double *seen);

int lam_queue_kernel(struct lam_queue *queue, int real, const char *source,
                     const char *name, const char *options,
                     struct lam_kernel **kernel);
// The first bytes of a buffer, a multiple of 4, become the words even, odd,
// even, ... in the machine's order.
int lam_queue_fill(struct lam_queue *queue, struct lam_buffer *buffer,
                   size_t bytes, uint32_t even, uint32_t odd);
int lam_queue_launch(struct lam_queue *queue, struct lam_kernel *kernel,
                     const struct lam_arg *args, int n_args,
                     const size_t global[3], const size_t local[3]);
void lam_queue_kernels_free(struct lam_queue *queue);

// On processors lam_gemm_cpu, else (or with LAM_GEMM=clblast in the
// environment) lam_gemm_clblast.
int lam_queue_gemm(struct lam_queue *queue, int real,
                   const struct lam_gemm *gemm);
int lam_gemm_clblast(struct lam_queue *queue, int real,
                     const struct lam_gemm *gemm);
// Frees what CLBlast keeps, if it was used.
void lam_gemm_close(struct lam_queue *queue);
int lam_gemm_cpu(struct lam_queue *queue, int real,
                 const struct lam_gemm *gemm);
// Decides between the two, and takes the parameters that were measured.
void lam_gemm_open(struct lam_queue *queue);

#endif
