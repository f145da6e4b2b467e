// variants.h - which variant serves each pass of a layer: the one asked for,
// else the one that was measured to be the fastest, else the highest score.
#ifndef LAM_VARIANTS_H
#define LAM_VARIANTS_H

#include "graph.h"

struct lam_tuning; // tuning.h

enum { LAM_N_PASSES = 3 };

enum lam_why { LAM_BY_SCORE, LAM_BY_TUNING, LAM_BY_REQUEST };

struct lam_taken {
    const struct lam_variant *variant; // NULL: plain
    int score;
    enum lam_why why;
    const char *ms, *others; // of the tuning, NULL otherwise
};

// asked: NULL or "KEY=NAME,..", where KEY is a layer's name or type, "KEY:PASS"
// for one pass (run, data, weight) alone, the first that fits; NAME may be
// plain. A variant that cannot serve these shapes is not taken. LAM_EUSAGE when
// the layer has no variant of that name.
int lam_variants_take(const struct lam_graph *graph, int node,
                      const char *asked, const struct lam_tuning *tuning,
                      struct lam_taken taken[LAM_N_PASSES]);

#endif
