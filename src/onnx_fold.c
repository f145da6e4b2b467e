// Nodes of constants, and the shapes of values, which are constants too: they
// are computed once, as exporters write arithmetic on shapes out.
#include <math.h>
#include <string.h>

#include "onnx_importer.h"

enum { MAX_NUMBERS = 1 << 20, MAX_MADE = 1 << 27 };

// What a folding has to work with.
struct folding {
    struct lam_onnx_importer *m;
    const struct lam_onnx_node *node;
    const struct lam_onnx_tensor *in[4]; // NULL: left out
    const struct lam_onnx_tensor *steps; // input 4, of Slice
};

struct lam_onnx_tensor *lam_import_make(struct lam_onnx_importer *m,
                                        const struct lam_onnx_node *node,
                                        bool is_real, int64_t n)
{
    struct lam_onnx_tensor *t;
    void *numbers;

    m->n_made += n;
    if (m->n_made > MAX_MADE) {
        lam_import_fail(m, node, "more than %d numbers of constants", MAX_MADE);
        return NULL;
    }
    t = lam_onnx_alloc(m->onnx, 1, sizeof(*t));
    numbers = lam_onnx_alloc(m->onnx, (size_t)n, is_real ? sizeof(float) : 8);
    if (!t || !numbers) {
        lam_fail(m->ctx, LAM_EMEMORY, "out of memory");
        return NULL;
    }
    t->name = "";
    t->type = is_real ? LAM_ONNX_FLOAT : LAM_ONNX_INT64;
    t->rank = 1;
    t->dim[0] = t->n = n;
    if (is_real)
        t->floats = numbers;
    else
        t->whole = numbers;
    return t;
}

static struct lam_onnx_tensor *make(const struct folding *f, bool is_real,
                                    int64_t n)
{
    if (n > MAX_NUMBERS) {
        lam_import_fail(f->m, f->node, "a constant of more than %d numbers",
                        MAX_NUMBERS);
        return NULL;
    }
    return lam_import_make(f->m, f->node, is_real, n);
}

static double get(const struct lam_onnx_tensor *t, int64_t i)
{
    return t->floats ? (double)t->floats[i] : (double)t->whole[i];
}

static void put(struct lam_onnx_tensor *t, int64_t i, double value)
{
    if (t->floats)
        ((float *)t->floats)[i] = (float)value;
    else
        ((int64_t *)t->whole)[i] =
            fabs(value) < 9e18 ? (int64_t)value : INT64_MAX;
}

static struct lam_onnx_tensor *copy_as(const struct folding *f,
                                       const struct lam_onnx_tensor *from,
                                       bool is_real)
{
    struct lam_onnx_tensor *t =
        lam_import_make(f->m, f->node, is_real, from->n);

    if (!t)
        return NULL;
    t->rank = from->rank;
    memcpy(t->dim, from->dim, sizeof(t->dim));
    for (int64_t i = 0; i < t->n; i++)
        put(t, i, get(from, i));
    return t;
}

static struct lam_onnx_tensor *fold_same(const struct folding *f)
{
    return (struct lam_onnx_tensor *)f->in[0];
}

static struct lam_onnx_tensor *fold_cast(const struct folding *f)
{
    const int64_t to = lam_import_int(f->node, "to", 0);

    return copy_as(f, f->in[0],
                   to == LAM_ONNX_FLOAT || to == LAM_ONNX_DOUBLE ||
                       to == LAM_ONNX_HALF);
}

static struct lam_onnx_tensor *fold_round(const struct folding *f)
{
    struct lam_onnx_tensor *t = copy_as(f, f->in[0], f->in[0]->floats != NULL);

    for (int64_t i = 0; t && i < t->n; i++)
        put(t, i,
            strcmp(f->node->op, "Floor") == 0 ? floor(get(t, i))
                                              : ceil(get(t, i)));
    return t;
}

static double combine(const char *op, double a, double b, bool is_real)
{
    switch (op[0]) {
    case 'A':
        return a + b;
    case 'S':
        return a - b;
    case 'M':
        return a * b;
    default:
        return is_real ? a / b : b != 0.0 ? trunc(a / b) : 0.0;
    }
}

// Add, Sub, Mul, Div of lists of one length, or of one number.
static struct lam_onnx_tensor *fold_maths(const struct folding *f)
{
    const struct lam_onnx_tensor *a = f->in[0], *b = f->in[1];
    const bool is_real = a && a->floats;
    struct lam_onnx_tensor *t;

    if (!a || !b || (a->n != b->n && a->n != 1 && b->n != 1)) {
        lam_import_fail(f->m, f->node, "constants of sizes that do not fit");
        return NULL;
    }
    t = copy_as(f, a->n == 1 ? b : a, is_real);
    for (int64_t i = 0; t && i < t->n; i++)
        put(t, i,
            combine(f->node->op, get(a, a->n == 1 ? 0 : i),
                    get(b, b->n == 1 ? 0 : i), is_real));
    return t;
}

// Squeeze and Unsqueeze of what is taken as a list: a scalar
// stays one where ones are taken from a list of one.
static struct lam_onnx_tensor *fold_list(const struct folding *f)
{
    struct lam_onnx_tensor *t = copy_as(f, f->in[0], f->in[0]->floats != NULL);

    if (t) {
        t->rank = strcmp(f->node->op, "Squeeze") == 0 && t->n == 1 ? 0 : 1;
        t->dim[0] = t->n;
    }
    return t;
}

static struct lam_onnx_tensor *fold_gather(const struct folding *f)
{
    const struct lam_onnx_tensor *from = f->in[0], *at = f->in[1];
    struct lam_onnx_tensor *t;

    if (!at || !at->whole || from->rank != 1 || at->rank > 1) {
        lam_import_fail(f->m, f->node, "only parts of a list are gathered");
        return NULL;
    }
    t = make(f, from->floats != NULL, at->n);
    for (int64_t i = 0; t && i < t->n; i++) {
        const int64_t k =
            at->whole[i] < 0 ? at->whole[i] + from->n : at->whole[i];

        if (k < 0 || k >= from->n) {
            lam_import_fail(f->m, f->node, "an index is out of range");
            return NULL;
        }
        put(t, i, get(from, k));
    }
    if (t)
        t->rank = at->rank;
    return t;
}

static struct lam_onnx_tensor *fold_concat(const struct folding *f)
{
    const struct lam_onnx_node *node = f->node;
    struct lam_onnx_tensor *t;
    int64_t n = 0, used = 0;

    for (int i = 0; i < node->n_in; i++) {
        if (!lam_import_has(node, i)) {
            lam_import_fail(f->m, node, "input %d is left out", i);
            return NULL;
        }
        n += lam_import_constant(f->m, node, i)->n;
    }
    t = make(f, f->in[0]->floats != NULL, n);
    for (int i = 0; t && i < node->n_in; i++) {
        const struct lam_onnx_tensor *part = lam_import_constant(f->m, node, i);

        for (int64_t k = 0; k < part->n; k++)
            put(t, used++, get(part, k));
    }
    return t;
}

// A number of Slice: an attribute before operator set 10, else an input.
static bool slice_number(const struct folding *f, int i, const char *name,
                         int64_t missing, int64_t *number)
{
    const struct lam_onnx_attribute *a = lam_import_list(f->node, name);
    const struct lam_onnx_tensor *t = i < 4 ? f->in[i] : f->steps;

    *number = a && a->n == 1               ? a->ints[0]
              : t && t->whole && t->n == 1 ? t->whole[0]
                                           : missing;
    return (a && a->n == 1) || (t && t->whole && t->n == 1) || (!a && !t);
}

static int64_t clamp(int64_t at, int64_t low, int64_t top)
{
    return at < low ? low : at > top ? top : at;
}

// A part of the rows of a list or matrix, also backwards.
static struct lam_onnx_tensor *fold_slice(const struct folding *f)
{
    const struct lam_onnx_tensor *from = f->in[0];
    const int64_t rows = from->rank ? from->dim[0] : 0;
    const int64_t width = rows ? from->n / rows : 1;
    int64_t start, end, axis, step, n = 0;
    struct lam_onnx_tensor *t;

    if (!slice_number(f, 1, "starts", 0, &start) ||
        !slice_number(f, 2, "ends", 0, &end) ||
        !slice_number(f, 3, "axes", 0, &axis) ||
        !slice_number(f, 4, "steps", 1, &step) || from->rank < 1 || axis != 0 ||
        step == 0 || step < -rows - 1) {
        lam_import_fail(f->m, f->node, "only rows of a constant are cut");
        return NULL;
    }
    start = start < 0 ? start + rows : start;
    end = end < 0 && end > -rows - 1 ? end + rows : end;
    start = clamp(start, 0, step < 0 ? rows - 1 : rows);
    end = clamp(end, step < 0 ? -1 : 0, rows);
    if (step > 0 && end > start)
        n = (end - start - 1) / step + 1;
    if (step < 0 && end < start)
        n = (start - end - 1) / -step + 1;
    t = make(f, from->floats != NULL, n * width);
    for (int64_t i = 0; t && i < t->n; i++)
        put(t, i, get(from, (start + i / width * step) * width + i % width));
    if (t) {
        memcpy(t->dim, from->dim, sizeof(t->dim));
        t->rank = from->rank;
        t->dim[0] = n;
    }
    return t;
}

static struct lam_onnx_tensor *fold_reshape(const struct folding *f)
{
    const struct lam_onnx_tensor *from = f->in[0], *shape = f->in[1];
    struct lam_onnx_tensor *t;
    int64_t n = 1;
    int open = -1;

    if (!shape || !shape->whole || shape->n > LAM_ONNX_MAX_RANK) {
        lam_import_fail(f->m, f->node, "its shape is no constant");
        return NULL;
    }
    t = copy_as(f, from, from->floats != NULL);
    if (!t)
        return NULL;
    t->rank = (int)shape->n;
    for (int i = 0; i < t->rank; i++) {
        const int64_t d = shape->whole[i];

        t->dim[i] = d == 0 && i < from->rank ? from->dim[i] : d;
        if (d == -1 && open < 0) {
            open = i;
        } else if (t->dim[i] < 1 || t->dim[i] > from->n / n) {
            n = 0;
            break;
        } else {
            n *= t->dim[i];
        }
    }
    if (n == 0 || (open < 0 ? n != from->n : from->n % n != 0)) {
        lam_import_fail(f->m, f->node, "its shape does not fit a constant");
        return NULL;
    }
    if (open >= 0)
        t->dim[open] = from->n / n;
    return t;
}

static struct lam_onnx_tensor *fold_fill(const struct folding *f)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(f->node, "value");
    const struct lam_onnx_tensor *value = a ? a->tensor : NULL;
    struct lam_onnx_tensor *t;
    int64_t n = 1;

    for (int64_t i = 0; i < f->in[0]->n; i++) {
        const double d = get(f->in[0], i);

        n = d >= 0.0 && d * (double)n <= MAX_NUMBERS ? n * (int64_t)d
                                                     : MAX_NUMBERS + 1;
    }
    t = make(f, !value || value->floats, n);
    for (int64_t i = 0; t && i < n; i++)
        put(t, i,
            value && value->n == 1 && !value->unusable ? get(value, 0) : 0.0);
    return t;
}

static struct lam_onnx_tensor *fold_transpose(const struct folding *f)
{
    const struct lam_onnx_tensor *from = f->in[0];
    const struct lam_onnx_attribute *a = lam_import_list(f->node, "perm");
    struct lam_onnx_tensor *t;

    if (from->rank != 2 || (a && (a->n != 2 || a->ints[0] != 1))) {
        lam_import_fail(f->m, f->node, "only a matrix can be transposed");
        return NULL;
    }
    t = copy_as(f, from, from->floats != NULL);
    if (!t)
        return NULL;
    t->dim[0] = from->dim[1];
    t->dim[1] = from->dim[0];
    for (int64_t i = 0; i < t->dim[0]; i++)
        for (int64_t k = 0; k < t->dim[1]; k++)
            put(t, i * t->dim[1] + k, get(from, k * t->dim[0] + i));
    return t;
}

static const struct row {
    const char *op;
    struct lam_onnx_tensor *(*fold)(const struct folding *f);
} rows[] = {{"Add", fold_maths},
            {"Cast", fold_cast},
            {"Ceil", fold_round},
            {"Concat", fold_concat},
            {"ConstantOfShape", fold_fill},
            {"Div", fold_maths},
            {"Floor", fold_round},
            {"Gather", fold_gather},
            {"Identity", fold_same},
            {"Mul", fold_maths},
            {"Reshape", fold_reshape},
            {"Slice", fold_slice},
            {"Squeeze", fold_list},
            {"Sub", fold_maths},
            {"Transpose", fold_transpose},
            {"Unsqueeze", fold_list}};

static int define(struct lam_onnx_importer *m, const struct lam_onnx_node *node,
                  const struct lam_onnx_tensor *t, bool *done)
{
    *done = true;
    return t ? lam_import_define(m, node->out[0], t, -1) : m->ctx->code;
}

static int fold_constant(struct lam_onnx_importer *m,
                         const struct lam_onnx_node *node, bool *done)
{
    const struct lam_onnx_attribute *a = lam_onnx_attribute(node, "value");
    const struct lam_onnx_attribute *ints = lam_import_list(node, "value_ints");
    const bool is_real = lam_onnx_attribute(node, "value_float") != NULL;
    struct lam_onnx_tensor *t;

    if (a && a->tensor)
        return define(m, node, a->tensor, done);
    if (!is_real && !ints && !lam_onnx_attribute(node, "value_int"))
        return lam_import_fail(m, node, "a constant of this kind is not read");
    t = lam_import_make(m, node, is_real, ints ? ints->n : 1);
    for (int64_t i = 0; t && i < t->n; i++) {
        if (is_real)
            put(t, i, lam_import_real(node, "value_float", 0.0));
        else
            ((int64_t *)t->whole)[i] =
                ints ? ints->ints[i] : lam_import_int(node, "value_int", 0);
    }
    if (t && !ints)
        t->rank = 0;
    return define(m, node, t, done);
}

static int fold_shape(struct lam_onnx_importer *m,
                      const struct lam_onnx_node *node, bool *done)
{
    const struct lam_onnx_tensor *constant = lam_import_constant(m, node, 0);
    const int x = constant ? -1 : lam_import_value(m, node, 0);
    int64_t start = lam_import_int(node, "start", 0);
    int64_t end = lam_import_int(node, "end", INT32_MAX);
    struct lam_onnx_tensor *t;
    int rank;

    if (!constant && x < 0)
        return m->ctx->code;
    rank = constant ? constant->rank : lam_import_shape(m, x)->rank;
    start = start < 0 ? start + rank : start;
    end = end < 0 ? end + rank : end;
    start = start < 0 ? 0 : start > rank ? rank : start;
    end = end < start ? start : end > rank ? rank : end;
    t = lam_import_make(m, node, false, end - start);
    for (int64_t i = start; t && i < end; i++)
        ((int64_t *)t->whole)[i - start] =
            constant ? constant->dim[i] : lam_import_shape(m, x)->dim[i];
    return define(m, node, t, done);
}

int lam_import_fold(struct lam_onnx_importer *m,
                    const struct lam_onnx_node *node, bool *done)
{
    struct folding f = {.m = m, .node = node};

    *done = false;
    if (strcmp(node->op, "Constant") == 0)
        return fold_constant(m, node, done);
    if (strcmp(node->op, "Shape") == 0)
        return fold_shape(m, node, done);
    for (int i = 0; i < node->n_in; i++) {
        const struct lam_onnx_tensor *t = lam_import_constant(m, node, i);

        if (lam_import_has(node, i) && (!t || t->unusable))
            return LAM_OK;
        if (i < 4)
            f.in[i] = t;
        if (i == 4)
            f.steps = t;
    }
    if (!f.in[0])
        return LAM_OK;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].op, node->op) == 0)
            return define(m, node, rows[i].fold(&f), done);
    return LAM_OK;
}
