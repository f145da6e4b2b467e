// program_cache.h - built programs on disk: one file a program, named by a hash
// of source, options, device, driver and platform; checked by its own hash
// before a driver sees it. Any damage means building again.
#ifndef LAM_PROGRAM_CACHE_H
#define LAM_PROGRAM_CACHE_H

#include "queue.h"

enum { LAM_PROGRAM_KEY = 65 };

void lam_program_key(const struct lam_queue *queue, const char *prelude,
                     const char *source, const char *options,
                     char key[LAM_PROGRAM_KEY]);
// Chooses the folder: `wanted`, else $XDG_CACHE_HOME/lamina, else
// ~/.cache/lamina. None where the driver keeps a cache of its own (PoCL,
// NVIDIA), unless LAM_CACHE_ALWAYS=1 is in the environment.
void lam_program_cache_open(struct lam_queue *queue, const char *wanted);
bool lam_program_cache_load(struct lam_queue *queue, const char *key,
                            const char *options, cl_program *program);
// Failing to write is not an error: the next run builds again.
void lam_program_cache_store(struct lam_queue *queue, const char *key,
                             cl_program program);

#endif
