// probe.h - a trained network run once on a given tensor, layer by layer as it
// is written, so that every value can be looked at.
#ifndef LAM_PROBE_H
#define LAM_PROBE_H

#include "trained.h"

struct lam_probe {
    struct lam_host host;
    struct lam_graph *graph;
    struct lam_session *session;
};

// shape and input: of the model's one input; any batch, and any height and
// width the network takes. The probe is to be closed even after a failure.
int lam_probe_run(struct lam_context *ctx, const struct lam_trained *trained,
                  const struct lam_shape *shape, const float *input,
                  struct lam_probe *probe);
void lam_probe_close(struct lam_probe *probe);

// A value by the name of its layer ("enc1.a.conv", "pool1.indices") as an NPY
// file, or, with a path that ends in .png, as a picture of its channels.
// LAM_EUSAGE with the nearest name.
int lam_probe_write(const struct lam_probe *probe, const char *name,
                    const char *path);

#endif
