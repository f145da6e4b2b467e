// A case whose tensors have gaps between their images, where the layer says
// that it knows of pitches: the bits of a run without.
#include <stdio.h>

#include "selftest_case.h"

int lam_case_gaps(struct lam_case *c, int which, const char *variants,
                  const char *name, const struct lam_outcome *dense)
{
    const struct lam_tolerance nothing = {0, 0};
    const struct lam_shapes *shapes = &c->graph[which]->nodes[0].shapes;
    struct lam_outcome o;
    char what[100];
    int err;

    if (!(shapes->pitched_in | shapes->pitched_out) ||
        c->in_shape[0].dim[0] < 2)
        return LAM_OK;
    snprintf(what, sizeof(what), "%s with gaps between images", name);
    err = lam_case_run(c, which, variants, LAM_CASE_GAPS, &o);
    if (!err)
        lam_case_compare(c, what, &o, dense, nothing, nothing);
    lam_outcome_free(&o);
    c->test->n_gaps++;
    return err;
}
