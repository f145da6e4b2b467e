// apart.h - work in a child process, for what may crash or hang: drivers. The
// caller must not have used OpenCL before: drivers do not survive a fork.
#ifndef LAM_APART_H
#define LAM_APART_H

#include "status.h"

// Done in the child; *result (from malloc, or NULL) and the error go back.
typedef int apart_work(struct lam_context *ctx, void *data, void **result,
                       size_t *bytes);

// At most so many seconds. *result is to free(). Where the child gave no whole
// answer, *end says how it ended and LAM_EDEVICE is returned without a
// sentence; else *end is 0.
int apart(struct lam_context *ctx, int seconds, apart_work *work, void *data,
          void **result, size_t *bytes, int *end);
// The signals by which a process crashes; the child dies of them.
enum { APART_N_CRASHES = 5 };
extern const int apart_crashes[APART_N_CRASHES];
// "crashes", "does not answer", ..
const char *apart_end(int end);

#endif
