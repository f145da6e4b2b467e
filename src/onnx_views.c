// Operators that give the same numbers under another shape, or a part of them.
#include <stdio.h>
#include <string.h>

#include "onnx_importer.h"
#include "shape.h"

static int read_same(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const int x = lam_import_value(m, node, 0);

    return x < 0 ? m->ctx->code : lam_import_define(m, node->out[0], NULL, x);
}

static int read_cast(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    if (lam_import_int(node, "to", 0) != LAM_ONNX_FLOAT)
        return lam_import_fail(m, node, "values of the network are floats");
    return read_same(m, node);
}

static int read_dropout(struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1);
    const double p = t && t->floats && t->n == 1
                         ? (double)t->floats[0]
                         : lam_import_real(node, "ratio", 0.5);

    return lam_import_simple(m, node, "dropout", "p=%.9g", p);
}

static int read_flatten(struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    if (lam_import_int(node, "axis", 1) != 1)
        return lam_import_fail(m, node, "only axis 1 is supported");
    return lam_import_simple(m, node, "flatten", "%s", "");
}

// A new shape for a value: none, flatten, or reshape with the batch left open.
static int view(struct lam_onnx_importer *m, const struct lam_onnx_node *node,
                int x, const int64_t *dim, int rank)
{
    const struct lam_shape *in = lam_import_shape(m, x);
    const int64_t rest = lam_elements(in) / in->dim[0];
    char text[160] = "";
    bool same = rank == in->rank;
    int value;
    int err;

    for (int i = 0; i < rank; i++)
        same &= dim[i] == 0 || dim[i] == in->dim[i];
    if (same)
        return lam_import_define(m, node->out[0], NULL, x);
    if (rank == 2 && (dim[0] == 0 || dim[0] == in->dim[0] || dim[0] == -1) &&
        (dim[1] == rest || (dim[1] == -1 && dim[0] != -1))) {
        err =
            lam_import_layer(m, node, NULL, "flatten", &x, 1, &value, "%s", "");
        return err ? err : lam_import_define(m, node->out[0], NULL, value);
    }
    if (rank < 1 || rank > LAM_MAX_RANK)
        return lam_import_fail(m, node, "1 to 6 dimensions are supported");
    for (int i = 0; i < rank; i++) {
        const size_t used = strlen(text);

        if (dim[i] < -1 || dim[i] > INT32_MAX)
            return lam_import_fail(m, node, "its shape is out of range");
        snprintf(text + used, sizeof(text) - used, "%s%d", i ? "," : "",
                 i == 0 && dim[i] == in->dim[0] ? 0 : (int)dim[i]);
    }
    err = lam_import_layer(m, node, NULL, "reshape", &x, 1, &value, "shape=%s",
                           text);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

// Reshape to groups, InstanceNormalization without weights, Reshape back, and
// Mul and Add by channel: group normalisation, as it was written before
// operator set 18. *done: it was one.
static int read_groups(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node, int x,
                       const struct lam_onnx_tensor *shape, bool *done)
{
    static const char *const ops[] = {"InstanceNormalization", "Reshape", "Mul",
                                      "Add"};
    const struct lam_onnx_node *at[4], *last = node;
    const int64_t C = lam_import_shape(m, x)->dim[1];
    const struct lam_onnx_tensor *ones, *zeros, *weight, *bias;
    int value, err;

    *done = false;
    if (shape->n != 3 || shape->whole[1] < 1 || C % shape->whole[1])
        return LAM_OK;
    for (int i = 0; i < 4; i++) {
        at[i] = lam_import_reader(m, last->out[0]);
        if (!at[i] || strcmp(at[i]->op, ops[i]) != 0 || at[i]->n_out != 1 ||
            strcmp(at[i]->in[0], last->out[0]) != 0)
            return LAM_OK;
        last = at[i];
    }
    ones = lam_import_constant(m, at[0], 1);
    zeros = lam_import_constant(m, at[0], 2);
    weight = lam_import_constant(m, at[2], 1);
    bias = lam_import_constant(m, at[3], 1);
    if (!ones || !zeros || !weight || !bias || weight->n != C || bias->n != C ||
        !ones->floats || !zeros->floats || ones->n != shape->whole[1] ||
        zeros->n != ones->n)
        return LAM_OK;
    for (int64_t i = 0; i < ones->n; i++)
        if (ones->floats[i] != 1.0f || zeros->floats[i] != 0.0f)
            return LAM_OK;
    *done = true;
    err = lam_import_layer(
        m, last, NULL, "groupnorm", &x, 1, &value, "groups=%lld epsilon=%.9g",
        (long long)shape->whole[1], lam_import_real(at[0], "epsilon", 1e-5));
    if (!err)
        err = lam_import_weight(m, last, "weight", weight, 1.0);
    if (!err)
        err = lam_import_weight(m, last, "bias", bias, 0.0);
    if (!err)
        err = lam_import_define(m, node->out[0], NULL, value);
    for (int i = 0; i < 4 && !err; i++)
        err = lam_import_define(m, at[i]->out[0], NULL, value);
    return err;
}

// Reshape to blocks of pixels, Transpose, Reshape: pixels become channels, or
// channels pixels, as PyTorch's exporter writes both out. *done: it was one.
static int read_blocks(struct lam_onnx_importer *m,
                       const struct lam_onnx_node *node, int x,
                       const struct lam_onnx_tensor *shape, bool *done)
{
    static const int64_t orders[2][6] = {{0, 1, 3, 5, 2, 4},
                                         {0, 1, 4, 2, 5, 3}};
    const struct lam_onnx_node *turn = lam_import_reader(m, node->out[0]);
    const struct lam_onnx_node *end =
        turn && turn->n_out ? lam_import_reader(m, turn->out[0]) : NULL;
    const struct lam_onnx_attribute *perm =
        turn ? lam_import_list(turn, "perm") : NULL;
    int value, err;

    *done = false;
    if (shape->n != 6 || !perm || perm->n != 6 || !end || end->n_out != 1 ||
        strcmp(turn->op, "Transpose") != 0 || strcmp(end->op, "Reshape") != 0)
        return LAM_OK;
    for (int k = 0; k < 2; k++) {
        // The block's sides: dimensions 3 and 5, or 2 and 3.
        const int64_t r = shape->whole[k ? 2 : 3];

        if (memcmp(perm->ints, orders[k], sizeof(orders[k])) != 0 || r < 1 ||
            r > 64 || shape->whole[k ? 3 : 5] != r)
            continue;
        *done = true;
        err = lam_import_layer(m, end, NULL,
                               k ? "pixel_shuffle" : "pixel_unshuffle", &x, 1,
                               &value, "factor=%d", (int)r);
        if (!err)
            err = lam_import_define(m, node->out[0], NULL, value);
        if (!err)
            err = lam_import_define(m, turn->out[0], NULL, value);
        return err ? err : lam_import_define(m, end->out[0], NULL, value);
    }
    return LAM_OK;
}

static int read_reshape(struct lam_onnx_importer *m,
                        const struct lam_onnx_node *node)
{
    const struct lam_onnx_tensor *shape = lam_import_constant(m, node, 1);
    const int x = lam_import_value(m, node, 0);
    bool done = false;
    int err;

    if (x < 0)
        return m->ctx->code;
    if (!shape || !shape->whole || shape->n > LAM_MAX_RANK ||
        lam_import_int(node, "allowzero", 0))
        return lam_import_fail(m, node,
                               "its shape is no constant of at most 6 numbers");
    err = read_groups(m, node, x, shape, &done);
    if (!err && !done)
        err = read_blocks(m, node, x, shape, &done);
    return err || done ? err : view(m, node, x, shape->whole, (int)shape->n);
}

// Squeeze and Unsqueeze: ones are taken out or put in.
static int read_ones(struct lam_onnx_importer *m,
                     const struct lam_onnx_node *node)
{
    const bool puts = strcmp(node->op, "Unsqueeze") == 0;
    const struct lam_onnx_attribute *a = lam_import_list(node, "axes");
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, 1);
    const int64_t *axes = a ? a->ints : t ? t->whole : NULL;
    const int64_t n = a ? a->n : t ? t->n : 0;
    const int x = lam_import_value(m, node, 0);
    bool is_axis[LAM_MAX_RANK + 8] = {0};
    int64_t dim[LAM_MAX_RANK + 8];
    const struct lam_onnx_node *next = lam_import_reader(m, node->out[0]);
    const struct lam_shape *in;
    int rank, used = 0, from = 0;

    if (x < 0)
        return m->ctx->code;
    if (puts && axes && n == 1 && axes[0] == 0 && next &&
        lam_import_stack_sum(m, next))
        return lam_import_define(m, node->out[0], NULL, x);
    in = lam_import_shape(m, x);
    rank = puts ? in->rank + (int)n : in->rank;
    if (!axes || n < 1 || n > 4 || rank > LAM_MAX_RANK)
        return lam_import_fail(m, node, "it has no constant axes");
    for (int64_t i = 0; i < n; i++) {
        const int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];

        if (axis < 0 || axis >= rank || is_axis[axis])
            return lam_import_fail(m, node, "its axes are out of range");
        is_axis[axis] = true;
    }
    for (int d = 0; d < rank; d++) {
        if (puts)
            dim[used++] = is_axis[d] ? 1 : in->dim[from++];
        else if (!is_axis[d])
            dim[used++] = in->dim[d];
        else if (in->dim[d] != 1)
            return lam_import_fail(m, node, "dimension %d is not 1", d);
    }
    if ((puts && is_axis[0]) || (!puts && is_axis[0]))
        return lam_import_fail(m, node, "the batch stays where it is");
    return view(m, node, x, dim, used);
}

static int read_transpose(struct lam_onnx_importer *m,
                          const struct lam_onnx_node *node)
{
    const struct lam_onnx_attribute *a = lam_import_list(node, "perm");

    for (int i = 0; !a || i < a->n; i++)
        if (!a || a->kind != LAM_ONNX_KIND_INTS || a->ints[i] != i)
            return lam_import_fail(m, node,
                                   "another order of dimensions is not "
                                   "supported");
    return read_same(m, node);
}

// Numbers of Slice: an input, or an attribute before operator set 10.
static const int64_t *slice_part(const struct lam_onnx_importer *m,
                                 const struct lam_onnx_node *node, int i,
                                 const char *name, int64_t *n)
{
    const struct lam_onnx_attribute *a = lam_import_list(node, name);
    const struct lam_onnx_tensor *t = lam_import_constant(m, node, i);

    *n = a ? a->n : t ? t->n : 0;
    return a ? a->ints : t ? t->whole : NULL;
}

static int64_t clamp(int64_t at, int64_t size)
{
    if (at < 0)
        at += size;
    return at < 0 ? 0 : at > size ? size : at;
}

static int read_slice(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node)
{
    int64_t n, n_ends, n_axes, n_steps;
    const int64_t *starts = slice_part(m, node, 1, "starts", &n);
    const int64_t *ends = slice_part(m, node, 2, "ends", &n_ends);
    const int64_t *axes = slice_part(m, node, 3, "axes", &n_axes);
    const int64_t *steps = slice_part(m, node, 4, "steps", &n_steps);
    const int x = lam_import_value(m, node, 0);
    int64_t first[LAM_MAX_RANK] = {0}, size[LAM_MAX_RANK];
    const struct lam_shape *in;
    int value, err;

    if (x < 0)
        return m->ctx->code;
    in = lam_import_shape(m, x);
    if (!starts || !ends || n_ends != n || (axes && n_axes != n) ||
        (steps && n_steps != n) || n > in->rank)
        return lam_import_fail(m, node, "its bounds are no constants");
    for (int d = 0; d < in->rank; d++)
        size[d] = in->dim[d];
    for (int64_t i = 0; i < n; i++) {
        int64_t d = axes ? axes[i] : i;

        d = d < 0 ? d + in->rank : d;
        if (d < 0 || d >= in->rank || (steps && steps[i] != 1))
            return lam_import_fail(m, node,
                                   "axes in range and steps of 1 are "
                                   "supported");
        first[d] = clamp(starts[i], in->dim[d]);
        size[d] = clamp(ends[i], in->dim[d]) - first[d];
    }
    for (int d = 0; d < in->rank; d++) {
        if (size[d] < 1 || (size[d] != in->dim[d] && (in->rank != 4 || d < 2)))
            return lam_import_fail(m, node,
                                   "only height and width of images are cut");
    }
    if (lam_elements(in) == (in->rank == 4
                                 ? in->dim[0] * in->dim[1] * size[2] * size[3]
                                 : lam_elements(in)))
        return lam_import_define(m, node->out[0], NULL, x);
    err = lam_import_layer(m, node, NULL, "crop", &x, 1, &value,
                           "size=%lld,%lld offset=%lld,%lld",
                           (long long)size[2], (long long)size[3],
                           (long long)first[2], (long long)first[3]);
    return err ? err : lam_import_define(m, node->out[0], NULL, value);
}

const struct lam_onnx_op lam_onnx_views[] = {
    {"Cast", read_cast},       {"Dropout", read_dropout},
    {"Flatten", read_flatten}, {"Identity", read_same},
    {"Reshape", read_reshape}, {"Slice", read_slice},
    {"Squeeze", read_ones},    {"Transpose", read_transpose},
    {"Unsqueeze", read_ones},  {0}};
