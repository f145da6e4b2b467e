// ranks.h - `lamina train` as one of several processes that mpirun or srun has
// started.
#ifndef LAM_RANKS_H
#define LAM_RANKS_H

#include "collective.h"

// False: this process was started alone. Where it was not, a child process goes
// on from here, and this one waits for it: should the child be killed, it says
// so and exits with 6, which ends the job.
bool ranks_started(struct lam_context *ctx);
// Joins the others. What ranks other than 0 have to say is left out, but for
// warnings.
int ranks_open(struct lam_context *ctx, struct lam_collective *ranks);
// Leaves with the status of the run: together with the others, or, where they
// do not know of the error, ending them. Says the error; returns on success.
void ranks_close(struct lam_collective *ranks, int status);

#endif
