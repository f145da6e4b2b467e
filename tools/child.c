#define _DEFAULT_SOURCE // wait4

#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>

extern char **environ;

void child_add(struct child *c, const char *word)
{
    if (c->n < CHILD_MAX_WORDS)
        c->words[c->n++] = word;
}

void child_add_option(struct child *c, const char *name, const char *value)
{
    if (!value)
        return;
    child_add(c, name);
    child_add(c, value);
}

int child_run(struct lam_context *ctx, struct child *c)
{
    posix_spawn_file_actions_t actions;
    struct rusage usage;
    int status, err;
    pid_t id;

    posix_spawn_file_actions_init(&actions);
    if (c->out)
        posix_spawn_file_actions_addopen(&actions, 1, c->out,
                                         O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (c->is_quiet)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    err = posix_spawnp(&id, c->program, &actions, NULL, (char *const *)c->words,
                       environ);
    posix_spawn_file_actions_destroy(&actions);
    if (err)
        return lam_fail(ctx, LAM_ERUN, "%s cannot be run: %s", c->words[0],
                        strerror(err));
    while (wait4(id, &status, 0, &usage) < 0)
        if (errno != EINTR)
            return lam_fail(ctx, LAM_ERUN, "%s was lost: %s", c->words[0],
                            strerror(errno));
    c->peak_bytes = 1024.0 * (double)usage.ru_maxrss;
    c->ended = WIFEXITED(status) ? WEXITSTATUS(status)
                                 : CHILD_SIGNAL + WTERMSIG(status);
    return LAM_OK;
}
