// collective_threads.h - ranks that are threads of one process.
#ifndef LAM_COLLECTIVE_THREADS_H
#define LAM_COLLECTIVE_THREADS_H

#include "collective.h"

struct lam_thread_group;

struct lam_thread_group *lam_thread_group_create(int size); // or NULL
// After all threads have ended.
void lam_thread_group_destroy(struct lam_thread_group *group); // NULL is fine
// Fills in place, transport and data, to free(); false: out of memory.
bool lam_thread_group_join(struct lam_thread_group *group, int rank,
                           struct lam_collective *ranks);

#endif
