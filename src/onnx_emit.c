#include "onnx_emit.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "shape.h"

enum { NODES_PER_LAYER = 24, MAX_INPUTS = LAM_MAX_IN, MAX_ATTRIBUTES = 10 };

int lam_onnx_emit_begin(struct lam_onnx_emitter *e)
{
    struct lam_onnx *o = e->onnx;
    const size_t n = (size_t)e->graph->n_nodes * NODES_PER_LAYER + 1;
    struct lam_onnx_attribute *attributes =
        lam_onnx_alloc(o, n * MAX_ATTRIBUTES, sizeof(*attributes));
    const char **in = lam_onnx_alloc(o, n * MAX_INPUTS, sizeof(*in));
    const char **out = lam_onnx_alloc(o, n * LAM_MAX_OUT, sizeof(*out));

    o->nodes = lam_onnx_alloc(o, n, sizeof(*o->nodes));
    o->tensors = lam_onnx_alloc(o, n, sizeof(*o->tensors));
    if (!attributes || !in || !out || !o->nodes || !o->tensors)
        return lam_fail(e->ctx, LAM_EMEMORY, "out of memory");
    for (size_t i = 0; i < n; i++) {
        o->nodes[i].attributes = attributes + i * MAX_ATTRIBUTES;
        o->nodes[i].in = in + i * MAX_INPUTS;
        o->nodes[i].out = out + i * LAM_MAX_OUT;
    }
    return LAM_OK;
}

static const char *text_of(struct lam_onnx_emitter *e, const char *text)
{
    const char *copy = lam_onnx_text(e->onnx, text, strlen(text));

    e->has_failed |= !copy;
    return copy ? copy : "";
}

const char *lam_emit_in(const struct lam_onnx_emitter *e, int i)
{
    return e->graph->values[e->layer->in[i]].name;
}

const char *lam_emit_out(const struct lam_onnx_emitter *e, int i)
{
    return e->graph->values[e->layer->out[i]].name;
}

const char *lam_emit_name(struct lam_onnx_emitter *e)
{
    char text[300];

    snprintf(text, sizeof(text), "%s/%d", e->layer->name, e->n_made++);
    return text_of(e, text);
}

struct lam_onnx_node *lam_emit(struct lam_onnx_emitter *e, const char *op,
                               const char *out, const char *in0,
                               const char *in1, const char *in2)
{
    const char *in[] = {in0, in1, in2};
    struct lam_onnx_node *node = &e->onnx->nodes[e->onnx->n_nodes++];

    node->op = op;
    node->domain = "";
    node->out[node->n_out++] = out ? out : lam_emit_name(e);
    node->name = node->out[0];
    for (int i = 0; i < 3 && in[i]; i++)
        lam_emit_add_in(node, in[i]);
    return node;
}

void lam_emit_add_in(struct lam_onnx_node *node, const char *in)
{
    node->in[node->n_in++] = in;
}

static struct lam_onnx_attribute *add_attribute(struct lam_onnx_node *node,
                                                const char *name, int kind)
{
    struct lam_onnx_attribute *a = &node->attributes[node->n_attributes++];

    a->name = name;
    a->kind = kind;
    return a;
}

void lam_emit_int(struct lam_onnx_node *node, const char *name, int64_t value)
{
    add_attribute(node, name, LAM_ONNX_KIND_INT)->whole = value;
}

void lam_emit_real(struct lam_onnx_node *node, const char *name, double value)
{
    add_attribute(node, name, LAM_ONNX_KIND_FLOAT)->real = value;
}

void lam_emit_text(struct lam_onnx_node *node, const char *name,
                   const char *value)
{
    add_attribute(node, name, LAM_ONNX_KIND_TEXT)->text = value;
}

void lam_emit_ints(struct lam_onnx_emitter *e, struct lam_onnx_node *node,
                   const char *name, const int64_t *values, int n)
{
    struct lam_onnx_attribute *a =
        add_attribute(node, name, LAM_ONNX_KIND_INTS);
    int64_t *copy = lam_onnx_alloc(e->onnx, (size_t)n, sizeof(*copy));

    e->has_failed |= !copy;
    if (copy)
        memcpy(copy, values, (size_t)n * sizeof(*copy));
    a->n = copy ? n : 0;
    a->ints = copy;
}

// A tensor of n numbers, whose array is to be filled; NULL: out of memory.
static void *add_tensor(struct lam_onnx_emitter *e, const char *name, int type,
                        int64_t n)
{
    const size_t size = type == LAM_ONNX_FLOAT ? sizeof(float) : 8;
    struct lam_onnx_tensor *t = &e->onnx->tensors[e->onnx->n_tensors];
    void *numbers = lam_onnx_alloc(e->onnx, (size_t)n, size);

    e->has_failed |= !numbers;
    if (!numbers)
        return NULL;
    *t = (struct lam_onnx_tensor){
        .name = name, .type = type, .rank = 1, .dim = {n}, .n = n};
    if (type == LAM_ONNX_FLOAT)
        t->floats = numbers;
    else
        t->whole = numbers;
    e->onnx->n_tensors++;
    return numbers;
}

const char *lam_emit_whole(struct lam_onnx_emitter *e, const int64_t *values,
                           int n)
{
    const char *name = lam_emit_name(e);
    int64_t *numbers = add_tensor(e, name, LAM_ONNX_INT64, n);

    if (numbers)
        memcpy(numbers, values, (size_t)n * sizeof(*numbers));
    return name;
}

const char *lam_emit_filled(struct lam_onnx_emitter *e, int64_t n, double value)
{
    const char *name = lam_emit_name(e);
    float *numbers = add_tensor(e, name, LAM_ONNX_FLOAT, n);

    for (int64_t i = 0; numbers && i < n; i++)
        numbers[i] = (float)value;
    return name;
}

const char *lam_emit_real_constant(struct lam_onnx_emitter *e, double value)
{
    const char *name = lam_emit_filled(e, 1, value);

    if (!e->has_failed)
        e->onnx->tensors[e->onnx->n_tensors - 1].rank = 0;
    return name;
}

const char *lam_emit_weight(struct lam_onnx_emitter *e, const char *name,
                            int ones)
{
    for (int k = 0; k < e->layer->shapes.n_weight; k++) {
        const struct lam_parameter *p = &e->graph->weights[e->layer->weight[k]];
        const struct lam_shape *shape = &p->spec.shape;
        struct lam_onnx_tensor *t = &e->onnx->tensors[e->onnx->n_tensors];
        const float *values;
        float *numbers;

        if (strcmp(p->spec.name, name) != 0)
            continue;
        numbers =
            add_tensor(e, p->name, LAM_ONNX_FLOAT, lam_shape_elements(shape));
        if (!numbers || e->find(e->find_data, p->name, t->n, &values))
            return p->name;
        memcpy(numbers, values, (size_t)t->n * sizeof(*numbers));
        t->rank = shape->rank + ones;
        for (int i = 0; i < t->rank; i++)
            t->dim[i] = i < shape->rank ? shape->dim[i] : 1;
        return p->name;
    }
    return NULL;
}

static const void *param_of(const struct lam_onnx_emitter *e, const char *name,
                            const struct lam_param **param)
{
    *param = e->layer->layer.type->params;
    while (*param && (*param)->name && strcmp((*param)->name, name) != 0)
        ++*param;
    assert(*param && (*param)->name);
    return (const char *)e->layer->layer.config + (*param)->offset;
}

int64_t lam_emit_param(const struct lam_onnx_emitter *e, const char *name)
{
    const struct lam_param *param;
    int32_t value;

    memcpy(&value, param_of(e, name, &param), sizeof(value));
    return value;
}

double lam_emit_param_real(const struct lam_onnx_emitter *e, const char *name)
{
    const struct lam_param *param;
    double value;

    memcpy(&value, param_of(e, name, &param), sizeof(value));
    return value;
}

const char *lam_emit_choice(const struct lam_onnx_emitter *e, const char *name)
{
    const struct lam_param *param;

    param_of(e, name, &param);
    return param->choices[lam_emit_param(e, name)];
}

void lam_emit_pair(const struct lam_onnx_emitter *e, const char *name,
                   int64_t pair[2])
{
    const struct lam_param *param;
    int32_t values[2];

    memcpy(values, param_of(e, name, &param), sizeof(values));
    pair[0] = values[0];
    pair[1] = values[1];
}

const struct lam_list *lam_emit_list(const struct lam_onnx_emitter *e,
                                     const char *name)
{
    const struct lam_param *param;

    return param_of(e, name, &param);
}

const struct lam_reals *lam_emit_reals(const struct lam_onnx_emitter *e,
                                       const char *name)
{
    const struct lam_param *param;

    return param_of(e, name, &param);
}

const char *lam_emit_shape_part(struct lam_onnx_emitter *e, const char *value,
                                int64_t from, int64_t to)
{
    const struct lam_onnx_node *shape =
        lam_emit(e, "Shape", NULL, value, NULL, NULL);

    return lam_emit(e, "Slice", NULL, shape->out[0],
                    lam_emit_whole(e, &from, 1), lam_emit_whole(e, &to, 1))
        ->out[0];
}

const char *lam_emit_join(struct lam_onnx_emitter *e, const char *a,
                          const char *b)
{
    struct lam_onnx_node *node = lam_emit(e, "Concat", NULL, a, b, NULL);

    lam_emit_int(node, "axis", 0);
    return node->out[0];
}

struct lam_onnx_node *lam_emit_all(struct lam_onnx_emitter *e, const char *op,
                                   const char *out)
{
    struct lam_onnx_node *node = lam_emit(e, op, out, NULL, NULL, NULL);

    for (int i = 0; i < e->layer->shapes.n_in; i++)
        lam_emit_add_in(node, lam_emit_in(e, i));
    return node;
}

const char *lam_emit_before_relu(struct lam_onnx_emitter *e)
{
    return strcmp(lam_emit_choice(e, "activation"), "relu") == 0
               ? lam_emit_name(e)
               : lam_emit_out(e, 0);
}

int lam_emit_then_relu(struct lam_onnx_emitter *e, const char *before)
{
    if (strcmp(before, lam_emit_out(e, 0)) != 0)
        lam_emit(e, "Relu", lam_emit_out(e, 0), before, NULL, NULL);
    return LAM_OK;
}
