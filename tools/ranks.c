#include "ranks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "talk.h"

static volatile sig_atomic_t child;

// The number that a launcher gives to a process, -1: none.
static int launched(const char *const *names)
{
    for (; *names; names++) {
        const char *value = getenv(*names);

        if (value && *value)
            return atoi(value);
    }
    return -1;
}

static int launched_rank(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMIX_RANK",
                                        "PMI_RANK", NULL};

    return launched(names);
}

static void forward(int number)
{
    if (child > 0)
        kill((pid_t)child, number);
}

// Does not return in the process that waits.
static void supervise(int rank)
{
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    struct sigaction action = {.sa_handler = forward};
    const pid_t parent = getpid(), pid = fork();
    int status = 0;

    if (pid == 0) {
#ifdef __linux__
        prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
        if (getppid() != parent)
            _exit(6);
    }
    // Without a child this process does the work itself.
    if (pid <= 0)
        return;
    child = (sig_atomic_t)pid;
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        sigaction(numbers[i], &action, NULL);
    while (waitpid(pid, &status, 0) < 0)
        continue;
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    fprintf(stderr,
            "lamina train: rank %d (process %d) was ended by signal %d (%s); "
            "the run goes on from its last checkpoint with --resume\n",
            rank, (int)pid, WTERMSIG(status), strsignal(WTERMSIG(status)));
    _exit(lam_status_exit(LAM_ELOST));
}

bool ranks_started(struct lam_context *ctx)
{
    static const char *const tasks[] = {"SLURM_STEP_NUM_TASKS", NULL};
    const int rank = launched_rank();

    if (rank >= 0)
        supervise(rank);
    else if (launched(tasks) > 1)
        lam_fail(
            ctx, LAM_EUSAGE,
            "srun has started %d tasks that cannot find each other: wanted "
            "srun --mpi=pmix (or pmi2), or mpirun",
            launched(tasks));
    return rank >= 0;
}

static void log_warnings(void *data, enum lam_level level, const char *text)
{
    const struct lam_collective *ranks = data;

    if (level == LAM_LOG_WARNING)
        fprintf(stderr, "warning: rank %d: %s\n", ranks->place.rank, text);
}

int ranks_open(struct lam_context *ctx, struct lam_collective *ranks)
{
    const char *error = NULL;
    int err;

    *ranks = (struct lam_collective){.ctx = ctx, .timeout_s = 300.0};
    err = lam_transport_load(ctx, "mpi", &ranks->transport);
    if (err)
        return err;
    err = ranks->transport->open(&ranks->data, &ranks->place, &error);
    if (err)
        return lam_fail(ctx, err, "%s", error);
    if (ranks->place.rank) {
        ctx->log = log_warnings;
        ctx->log_data = ranks;
    }
    return LAM_OK;
}

void ranks_close(struct lam_collective *ranks, int status)
{
    const struct lam_context *ctx = ranks->ctx;
    const int code = lam_status_exit(status), rank = ranks->place.rank;

    fflush(stdout);
    // Before any rank can end: launchers then end the others.
    if (status && (!rank || !ranks->has_agreed))
        talk_error("train", ctx->error);
    if (status && !ranks->has_agreed && ranks->place.size > 1)
        ranks->transport->abort(ranks->data, code);
    ranks->transport->close(ranks->data);
    if (status)
        exit(code);
}
