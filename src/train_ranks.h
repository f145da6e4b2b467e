// train_ranks.h - what a training run does with other ranks (collective.h).
//
// A batch is cut into micro-batches. Of n ranks, rank r runs micro-batches r,
// r + n, r + 2n, ..; all that adds up does so in the order of micro-batches.
// So a run depends on `batch` and `micro_batch` alone, not on n. Only rank 0
// writes.
#ifndef LAM_TRAIN_RANKS_H
#define LAM_TRAIN_RANKS_H

#include "trainer.h"

// All of these are called by all ranks, and do nothing without ranks.

// Refuses to train where ranks were given another model, data or run.
int lam_ranks_compare(struct lam_trainer *trainer);
// err of an attempt to fit a micro-batch; LAM_EMEMORY where it did not fit on
// some rank.
int lam_ranks_fit(struct lam_trainer *trainer, int err);
// How many ranks share the statistics of batch norm when each has micro_batch
// images; 0 where norm_batch cannot be had so.
int lam_ranks_sharing(const struct lam_trainer *trainer, int micro_batch);
// Before the first step: the weights of rank 0 are everyone's.
int lam_ranks_start(struct lam_trainer *trainer);
// The micro-batches of a step, gradients on the device as if all had been run
// here; losses at rank 0. Sets is_stopping where any rank was interrupted.
int lam_ranks_step(struct lam_trainer *trainer);
// Validation image i: whether this rank has to do with it, and its map, which
// the rank i % size predicts and rank 0 gets.
bool lam_ranks_validate(const struct lam_trainer *trainer, int i);
int lam_ranks_predict(struct lam_trainer *trainer, int i, const float *image,
                      int height, int width, struct lam_map *map);
// After an epoch: progress as rank 0 has it; weights as well, should devices
// have rounded them differently.
int lam_ranks_end_epoch(struct lam_trainer *trainer);
// Says at rank 0 what was sent and how long it was waited for.
void lam_ranks_report(const struct lam_trainer *trainer);

#endif
