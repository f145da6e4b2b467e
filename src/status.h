// status.h - the context: the first error of a run, as a code and one sentence,
// and where messages for people go. The library itself never prints or exits.
#ifndef LAM_STATUS_H
#define LAM_STATUS_H

#include "lam/lam.h"

#if defined(__GNUC__)
#define LAM_PRINTF(a, b) __attribute__((format(printf, a, b)))
#else
#define LAM_PRINTF(a, b)
#endif

struct lam_context {
    int code;              // of the first error, LAM_OK if none
    char error[1024];      // its sentence, "" if none
    lam_log_function *log; // or NULL
    void *log_data;
    volatile int *interrupted; // set by a signal handler, or NULL
    // Drivers are loaded and asked for their devices, and may crash.
    volatile int is_finding;
    // A driver does not come back from a call. Called from another thread: all
    // it can do is to end the process. NULL: such a call lasts for ever.
    void (*on_hang)(const char *sentence);
};

// Records the sentence unless one is recorded already; returns code.
int lam_fail(struct lam_context *ctx, int code, const char *format, ...)
    LAM_PRINTF(3, 4);
#ifdef __clang_analyzer__ // looks at one file and would not know
#define lam_fail(ctx, code, ...) (lam_fail(ctx, code, __VA_ARGS__), (code))
#endif
// Forgets the error, so that work can go on after it was reported.
void lam_error_clear(struct lam_context *ctx);
void lam_log(struct lam_context *ctx, enum lam_level level, const char *format,
             ...) LAM_PRINTF(3, 4);

int lam_status_exit(int status); // exit code of the program

#endif
