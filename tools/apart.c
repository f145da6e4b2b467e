#include "apart.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_BYTES = 1 << 24 };

const int apart_crashes[APART_N_CRASHES] = {SIGABRT, SIGBUS, SIGFPE, SIGILL,
                                            SIGSEGV};

// What the child sends, followed by its result.
struct answer {
    int status;
    size_t bytes;
    char error[1024];
};

static bool write_all(int fd, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        const ssize_t n = write(fd, at, size);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static bool read_all(int fd, void *data, size_t size)
{
    char *at = data;

    while (size > 0) {
        const ssize_t n = read(fd, at, size);

        if (n <= 0)
            return false;
        at += n;
        size -= (size_t)n;
    }
    return true;
}

static void answer(struct lam_context *ctx, int seconds, apart_work *work,
                   void *data, int fd)
{
    struct answer a = {0};
    void *result = NULL;

    for (int i = 0; i < APART_N_CRASHES; i++)
        signal(apart_crashes[i], SIG_DFL);
    alarm((unsigned)seconds);
    a.status = work(ctx, data, &result, &a.bytes);
    snprintf(a.error, sizeof(a.error), "%s", ctx->error);
    // Not exit(): what drivers do at exit is no longer of interest.
    _exit(!write_all(fd, &a, sizeof(a)) || !write_all(fd, result, a.bytes));
}

int apart(struct lam_context *ctx, int seconds, apart_work *work, void *data,
          void **result, size_t *bytes, int *end)
{
    struct answer a = {0};
    int ends[2];
    pid_t child;
    bool is_whole;

    *result = NULL;
    *bytes = 0;
    *end = 0;
    if (pipe(ends))
        return lam_fail(ctx, LAM_ERUN, "no pipe can be opened");
    fflush(stdout);
    child = fork();
    if (child == 0) {
        close(ends[0]);
        answer(ctx, seconds, work, data, ends[1]);
    }
    close(ends[1]);
    if (child < 0) {
        close(ends[0]);
        return lam_fail(ctx, LAM_ERUN, "no process can be started");
    }
    is_whole = read_all(ends[0], &a, sizeof(a)) && a.bytes <= MAX_BYTES;
    if (is_whole && a.bytes > 0) {
        *result = malloc(a.bytes);
        is_whole = *result && read_all(ends[0], *result, a.bytes);
    }
    close(ends[0]);
    waitpid(child, end, 0);
    if (!is_whole) {
        free(*result);
        *result = NULL;
        return *end ? LAM_EDEVICE : lam_fail(ctx, LAM_EMEMORY, "out of memory");
    }
    *end = 0;
    *bytes = a.bytes;
    return a.status ? lam_fail(ctx, a.status, "%s", a.error) : LAM_OK;
}

const char *apart_end(int end)
{
    if (WIFSIGNALED(end) && WTERMSIG(end) == SIGALRM)
        return "does not answer";
    return WIFSIGNALED(end) ? "crashes" : "ends the program";
}
