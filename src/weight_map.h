// weight_map.h - weights from a safetensors file of another program's: which of
// its tensors belongs to which of ours.
#ifndef LAM_WEIGHT_MAP_H
#define LAM_WEIGHT_MAP_H

#include "graph.h"
#include "safetensors.h"

// Patterns have * for any text. A weight of ours is taken if it fits one of
// `include` (or there is none) and none of `exclude`. Rules say what a weight
// is called in the file; each * of theirs is the text of the * of ours at the
// same place. The first that fits counts; without one the names are equal.
struct lam_weight_map {
    struct lam_yaml *tree; // of the file, or NULL
    const char *const *include, *const *exclude;
    int n_include, n_exclude;
};

// path: YAML with `weights: {ours: theirs}`, and `include` and `exclude`,
// lists, beside those given here, which must outlive the map. NULL: no file.
int lam_weight_map_open(struct lam_context *ctx, const char *path,
                        struct lam_weight_map *map);
void lam_weight_map_close(struct lam_weight_map *map);
// Their name for one of ours, in text; NULL: it is left out.
const char *lam_weight_map_name(const struct lam_weight_map *map,
                                const char *ours, char *text, size_t size);

struct lam_taken {
    int matched, missing, differing, left_out, unused;
};

// Takes the values of weight i of the graph.
typedef int lam_take_weight(void *data, int i, const float *values);

// Gives take each weight of the graph that the file has in its shape, and logs
// the others by name. With exact, one that is missing or of another shape is
// LAM_ECHECKPOINT.
int lam_weight_map_apply(const struct lam_weight_map *map,
                         const struct lam_safetensors *file,
                         const struct lam_graph *graph, bool exact,
                         lam_take_weight *take, void *data,
                         struct lam_taken *taken);
// The report, as one line of the log.
void lam_taken_log(struct lam_context *ctx, const char *path,
                   const struct lam_safetensors *file,
                   const struct lam_taken *taken);

#endif
