// tuning.h - which variant was the fastest on a device, by layer, shape and
// pass: a CSV file a device and driver, under the cache folder, that `lamina
// tune` writes and every run reads.
#ifndef LAM_TUNING_H
#define LAM_TUNING_H

#include "device.h"
#include "graph.h"

struct lam_tuning;

// One row of the file. Texts belong to the tuning.
struct lam_tuned {
    char *layer;  // "conv2d filters=32 kernel=3", settings in order
    char *input;  // "2x32x320x320", "2x32x320x320 half"
    char *mode;   // train or infer
    char *pass;   // run, data or weight
    char *taken;  // the variant, or plain
    char *ms;     // its time
    char *others; // "direct 4.0 (off by 1e-6), x refused: off by 0.3"
};

// Names of enum lam_pass, as in the file and in --variants.
extern const char *const lam_pass_names[];

// Reads what is known of a device. A missing file is empty; one that cannot be
// read, or of another lamina or driver, is left out, with a warning where it is
// damaged. folder NULL: the cache folder. LAM_EMEMORY.
int lam_tuning_open(struct lam_context *ctx, const struct lam_device_row *row,
                    const char *folder, struct lam_tuning **tuning);
void lam_tuning_close(struct lam_tuning *tuning);             // NULL is fine
const char *lam_tuning_path(const struct lam_tuning *tuning); // "" if none
int lam_tuning_count(const struct lam_tuning *tuning);
const struct lam_tuned *lam_tuning_at(const struct lam_tuning *tuning, int i);

// What was measured for a pass of a node; NULL if nothing was, or tuning is
// NULL.
const struct lam_tuned *lam_tuning_find(const struct lam_tuning *tuning,
                                        const struct lam_graph *graph, int node,
                                        int pass);
// Adds a row or replaces it; `others` is one line without commas that matter.
int lam_tuning_put(struct lam_tuning *tuning, const struct lam_graph *graph,
                   int node, int pass, const char *taken, double ms,
                   const char *others);
// The row of CLBlast's parameters, `taken` as in lam_gemm_use; NULL if nothing
// was measured or tuning is NULL.
const struct lam_tuned *lam_tuning_gemm(const struct lam_tuning *tuning);
int lam_tuning_put_gemm(struct lam_tuning *tuning, const char *taken, double ms,
                        const char *others);
void lam_tuning_clear(struct lam_tuning *tuning);
// In one step: readers see the old file or the new. LAM_EFILE.
int lam_tuning_save(const struct lam_tuning *tuning);

#endif
