#include "onnx_parser.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"

struct block {
    struct block *next;
    max_align_t data[];
};

void *lam_onnx_alloc(struct lam_onnx *onnx, size_t n, size_t size)
{
    struct block *block;

    if (n > (SIZE_MAX - sizeof(*block)) / (size ? size : 1))
        return NULL;
    block = calloc(1, sizeof(*block) + n * size);
    if (!block)
        return NULL;
    block->next = onnx->blocks;
    onnx->blocks = block;
    return block->data;
}

char *lam_onnx_text(struct lam_onnx *onnx, const char *text, size_t size)
{
    char *copy = lam_onnx_alloc(onnx, size + 1, 1);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void lam_onnx_free(struct lam_onnx *onnx)
{
    for (struct block *b = onnx->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    *onnx = (struct lam_onnx){0};
}

int lam_onnx_broken(const struct lam_onnx_parser *p, const char *problem)
{
    return lam_fail(p->ctx, LAM_EMODEL,
                    "%s: %s: it is no ONNX file, or damaged", p->file, problem);
}

int lam_onnx_no_memory(const struct lam_onnx_parser *p)
{
    return lam_fail(p->ctx, LAM_EMEMORY, "out of memory");
}

int lam_onnx_take_text(const struct lam_onnx_parser *p,
                       const struct lam_pb_field *f, const char **text)
{
    if (f->wire != LAM_PB_BYTES)
        return lam_onnx_broken(p, "a name is no text");
    *text = lam_onnx_text(p->onnx, (const char *)f->bytes.at,
                          (size_t)(f->bytes.end - f->bytes.at));
    if (!*text)
        return lam_onnx_no_memory(p);
    // It may be printed: nothing in it moves a terminal's cursor.
    for (char *c = (char *)*text; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
    return LAM_OK;
}

// How many fields of a number a message has; -1: it is broken.
static int64_t count(struct lam_pb_reader r, uint32_t number)
{
    struct lam_pb_field f;
    int64_t n = 0;
    int more;

    while ((more = lam_pb_next(&r, &f)) > 0)
        n += f.number == number;
    return more < 0 ? -1 : n;
}

// Room for the fields of a number.
static int reserve(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                   uint32_t number, size_t size, void *array)
{
    const int64_t n = count(r, number);
    void *room;

    if (n < 0 || n > INT32_MAX)
        return lam_onnx_broken(p, "its fields have no end");
    room = lam_onnx_alloc(p->onnx, (size_t)n, size);
    if (!room)
        return lam_onnx_no_memory(p);
    memcpy(array, &room, sizeof(room));
    return LAM_OK;
}

static int parse_attribute(const struct lam_onnx_parser *p,
                           struct lam_pb_reader r, struct lam_onnx_attribute *a)
{
    const struct lam_pb_reader whole = r;
    struct lam_pb_field f;
    int more, err = LAM_OK;

    *a = (struct lam_onnx_attribute){.name = "", .text = ""};
    while (!err && (more = lam_pb_next(&r, &f)) != 0) {
        if (more < 0)
            return lam_onnx_broken(p, "an attribute is cut");
        switch (f.number) {
        case 1:
            err = lam_onnx_take_text(p, &f, &a->name);
            break;
        case 2:
            a->real = (double)lam_pb_float(f.value);
            break;
        case 3:
            a->whole = (int64_t)f.value;
            break;
        case 4:
            err = lam_onnx_take_text(p, &f, &a->text);
            break;
        case 5:
            if (a->tensor || f.wire != LAM_PB_BYTES)
                return lam_onnx_broken(p, "an attribute has no one tensor");
            a->tensor = lam_onnx_alloc(p->onnx, 1, sizeof(*a->tensor));
            err = a->tensor ? lam_onnx_take_tensor(p, f.bytes, a->tensor)
                            : lam_onnx_no_memory(p);
            break;
        case 20:
            a->kind = f.value > 100 ? 0 : (int)f.value;
            break;
        default:
            break;
        }
    }
    if (!err && a->kind == LAM_ONNX_KIND_TENSOR && !a->tensor)
        return lam_onnx_broken(p, "an attribute has no tensor");
    if (!err && a->kind == LAM_ONNX_KIND_FLOATS)
        err = lam_onnx_take_list(p, whole, 7, LAM_ONNX_FLOAT, a);
    if (!err && a->kind == LAM_ONNX_KIND_INTS)
        err = lam_onnx_take_list(p, whole, 8, LAM_ONNX_INT64, a);
    return err;
}

static int parse_node(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                      struct lam_onnx_node *node)
{
    struct lam_pb_field f;
    int err = reserve(p, r, 1, sizeof(*node->in), &node->in);

    node->name = node->op = node->domain = "";
    if (!err)
        err = reserve(p, r, 2, sizeof(*node->out), &node->out);
    if (!err)
        err = reserve(p, r, 5, sizeof(*node->attributes), &node->attributes);
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 1)
            err = lam_onnx_take_text(p, &f, &node->in[node->n_in++]);
        else if (f.number == 2)
            err = lam_onnx_take_text(p, &f, &node->out[node->n_out++]);
        else if (f.number == 3)
            err = lam_onnx_take_text(p, &f, &node->name);
        else if (f.number == 4)
            err = lam_onnx_take_text(p, &f, &node->op);
        else if (f.number == 7)
            err = lam_onnx_take_text(p, &f, &node->domain);
        else if (f.number == 5)
            err = parse_attribute(p, f.bytes,
                                  &node->attributes[node->n_attributes++]);
    }
    return err;
}

static int parse_dim(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                     struct lam_onnx_value *value)
{
    struct lam_pb_field f;
    int err = LAM_OK;

    if (value->rank == LAM_ONNX_MAX_RANK)
        return lam_onnx_broken(p, "an input has more than 8 dimensions");
    value->dim[value->rank] = -1;
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 1)
            value->dim[value->rank] =
                f.value > INT32_MAX ? -1 : (int64_t)f.value;
        else if (f.number == 2)
            err = lam_onnx_take_text(p, &f, &value->symbol[value->rank]);
    }
    value->rank++;
    return err;
}

static int parse_type(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                      int level, struct lam_onnx_value *value)
{
    struct lam_pb_field f;
    int err = LAM_OK;

    // TypeProto.tensor_type, then its elem_type and shape, then dims.
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (level == 0 && f.number == 1)
            err = parse_type(p, f.bytes, 1, value);
        else if (level == 1 && f.number == 1)
            value->type = f.value > 1000 ? 0 : (int)f.value;
        else if (level == 1 && f.number == 2) {
            value->rank = 0;
            err = parse_type(p, f.bytes, 2, value);
        } else if (level == 2 && f.number == 1)
            err = parse_dim(p, f.bytes, value);
    }
    return err;
}

static int parse_value(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                       struct lam_onnx_value *value)
{
    struct lam_pb_field f;
    int err = LAM_OK;

    *value = (struct lam_onnx_value){.name = "", .rank = -1};
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 1)
            err = lam_onnx_take_text(p, &f, &value->name);
        else if (f.number == 2)
            err = parse_type(p, f.bytes, 0, value);
    }
    return err;
}

static int parse_graph(const struct lam_onnx_parser *p, struct lam_pb_reader r)
{
    struct lam_onnx *o = p->onnx;
    struct lam_pb_field f;
    int err;

    if (o->nodes)
        return lam_onnx_broken(p, "there are two graphs");
    err = reserve(p, r, 1, sizeof(*o->nodes), &o->nodes);
    if (!err)
        err = reserve(p, r, 5, sizeof(*o->tensors), &o->tensors);
    if (!err)
        err = reserve(p, r, 11, sizeof(*o->inputs), &o->inputs);
    if (!err)
        err = reserve(p, r, 12, sizeof(*o->outputs), &o->outputs);
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 1)
            err = parse_node(p, f.bytes, &o->nodes[o->n_nodes++]);
        else if (f.number == 2)
            err = lam_onnx_take_text(p, &f, &o->name);
        else if (f.number == 5)
            err = lam_onnx_take_tensor(p, f.bytes, &o->tensors[o->n_tensors++]);
        else if (f.number == 11)
            err = parse_value(p, f.bytes, &o->inputs[o->n_inputs++]);
        else if (f.number == 12)
            err = parse_value(p, f.bytes, &o->outputs[o->n_outputs++]);
    }
    return err;
}

int lam_onnx_take_pair(const struct lam_onnx_parser *p, struct lam_pb_reader r,
                       const char **first, const char **second, int64_t *number)
{
    struct lam_pb_field f;
    int err = LAM_OK;

    *first = *second = "";
    *number = 0;
    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 1)
            err = lam_onnx_take_text(p, &f, first);
        else if (f.number == 2 && f.wire == LAM_PB_VARINT)
            *number = (int64_t)f.value;
        else if (f.number == 2)
            err = lam_onnx_take_text(p, &f, second);
    }
    return err;
}

static int parse_model(const struct lam_onnx_parser *p, struct lam_pb_reader r)
{
    struct lam_onnx *o = p->onnx;
    const char *first, *second;
    struct lam_pb_field f;
    int64_t number;
    int err = reserve(p, r, 14, sizeof(*o->metadata), &o->metadata);

    while (!err && lam_pb_next(&r, &f) > 0) {
        if (f.number == 7 && f.wire == LAM_PB_BYTES) {
            err = parse_graph(p, f.bytes);
        } else if (f.number == 8 || f.number == 14) {
            err = lam_onnx_take_pair(p, f.bytes, &first, &second, &number);
            if (f.number == 14)
                o->metadata[o->n_metadata++] =
                    (struct lam_onnx_pair){first, second};
            else if (!err &&
                     (first[0] == '\0' || strcmp(first, "ai.onnx") == 0))
                o->opset = number;
        }
    }
    if (!err && !o->nodes)
        err = lam_onnx_broken(p, "there is no graph");
    if (!err && (o->opset < 1 || o->opset > 1000))
        err = lam_onnx_broken(p, "it names no version of ONNX's operators");
    return err;
}

int lam_onnx_parse(struct lam_context *ctx, const char *name, const void *bytes,
                   size_t size, struct lam_onnx *onnx)
{
    struct lam_onnx_parser p = {.ctx = ctx, .file = name, .onnx = onnx};
    const unsigned char *at = bytes; // NULL of nothing
    int err;

    *onnx = (struct lam_onnx){.name = ""};
    err = size == 0 ? lam_onnx_broken(&p, "it is empty")
                    : parse_model(&p, (struct lam_pb_reader){at, at + size});
    if (err)
        lam_onnx_free(onnx);
    return err;
}

// Data in files beside the ONNX file; the last one read is kept.
static int read_outside(const struct lam_onnx_parser *p)
{
    const char *slash = strrchr(p->file, '/'), *last = NULL;
    void *bytes = NULL;
    size_t size = 0;
    int err = LAM_OK;

    for (int i = 0; i < p->onnx->n_tensors && !err; i++) {
        struct lam_onnx_tensor *t = &p->onnx->tensors[i];
        char path[1200];

        if (!t->location)
            continue;
        if (t->location[0] == '/' || strstr(t->location, ".."))
            err = lam_fail(p->ctx, LAM_EMODEL,
                           "%s: its data is in %.200s, wanted a file in its "
                           "folder",
                           p->file, t->location);
        if (!err && (!last || strcmp(last, t->location) != 0)) {
            free(bytes);
            snprintf(path, sizeof(path), "%.*s%s",
                     slash ? (int)(slash + 1 - p->file) : 0, p->file,
                     t->location);
            err = lam_file_read(p->ctx, path, &bytes, &size);
            last = t->location;
        }
        if (!err)
            err = lam_onnx_take_outside(p, bytes, size, t);
    }
    free(bytes);
    return err;
}

int lam_onnx_read(struct lam_context *ctx, const char *path,
                  struct lam_onnx *onnx)
{
    const struct lam_onnx_parser p = {ctx, path, onnx};
    size_t size;
    void *bytes;
    int err = lam_file_read(ctx, path, &bytes, &size);

    *onnx = (struct lam_onnx){0};
    if (!err)
        err = lam_onnx_parse(ctx, path, bytes, size, onnx);
    free(bytes);
    if (!err)
        err = read_outside(&p);
    if (err)
        lam_onnx_free(onnx);
    return err;
}

const struct lam_onnx_attribute *
lam_onnx_attribute(const struct lam_onnx_node *node, const char *name)
{
    for (int i = 0; i < node->n_attributes; i++)
        if (strcmp(node->attributes[i].name, name) == 0)
            return &node->attributes[i];
    return NULL;
}

const struct lam_onnx_tensor *lam_onnx_tensor(const struct lam_onnx *onnx,
                                              const char *name)
{
    for (int i = 0; i < onnx->n_tensors; i++)
        if (strcmp(onnx->tensors[i].name, name) == 0)
            return &onnx->tensors[i];
    return NULL;
}
