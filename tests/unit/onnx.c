// ONNX files of a few nodes, written, read and imported: what a node becomes,
// or the sentence that refuses it.
#include "onnx_import.h"

#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "device.h"
#include "onnx_cases.h"
#include "registry.h"

enum { MAX = 32 };

static struct lam_registry *registry;
static char path[] = "/tmp/lamina-XXXXXX";

// Numbers "1,2,-1"; returns how many there are.
static int read_numbers(const char *text, double *numbers)
{
    char *end;
    int n = 0;

    for (; *text && n < MAX; text = *end ? end + 1 : end)
        numbers[n++] = strtod(text, &end);
    return n;
}

// "f NAME DIMS NUMBERS" or "i ..": a constant, the numbers again and again.
static void add_constant(struct lam_onnx *o, bool is_real, char *line)
{
    struct lam_onnx_tensor *t = &o->tensors[o->n_tensors++];
    char *rest, *name = strtok_r(line, " ", &rest);
    char *dims = strtok_r(NULL, " ", &rest), *text = strtok_r(NULL, " ", &rest);
    double numbers[MAX] = {0}, dim[MAX] = {0};
    const int given = text ? read_numbers(text, numbers) : 0;
    const int n = given ? given : 1;

    t->name = lam_onnx_text(o, name, strlen(name));
    t->type = is_real ? LAM_ONNX_FLOAT : LAM_ONNX_INT64;
    t->rank = dims && strcmp(dims, "-") != 0 ? read_numbers(dims, dim) : 0;
    t->n = 1;
    for (int d = 0; d < t->rank; d++)
        t->n *= t->dim[d] = (int64_t)dim[d];
    t->floats = is_real ? lam_onnx_alloc(o, (size_t)t->n, 4) : NULL;
    t->whole = is_real ? NULL : lam_onnx_alloc(o, (size_t)t->n, 8);
    for (int64_t i = 0; i < t->n; i++)
        if (is_real)
            ((float *)t->floats)[i] = (float)numbers[i % n];
        else
            ((int64_t *)t->whole)[i] = (int64_t)numbers[i % n];
}

// "NAME TYPE DIMS", -1 for a size that is left open.
static void add_value(struct lam_onnx *o, struct lam_onnx_value *v, char *line)
{
    char *rest, *name = strtok_r(line, " ", &rest);
    char *type = strtok_r(NULL, " ", &rest), *dims = strtok_r(NULL, " ", &rest);
    double dim[MAX] = {0};

    *v = (struct lam_onnx_value){.name = lam_onnx_text(o, name, strlen(name)),
                                 .type = type ? atoi(type) : LAM_ONNX_FLOAT,
                                 .rank = dims ? read_numbers(dims, dim) : 0};
    for (int d = 0; d < v->rank; d++) {
        v->dim[d] = (int64_t)dim[d];
        v->symbol[d] = v->dim[d] < 0 ? "S" : NULL;
    }
}

static int add_names(struct lam_onnx *o, const char ***names, char *text)
{
    int n = 0;

    *names = lam_onnx_alloc(o, MAX, sizeof(**names));
    for (char *at = text, *end; at && *text; at = end) {
        end = strchr(at, ',');
        if (end)
            *end++ = '\0';
        (*names)[n++] = lam_onnx_text(o, at, strlen(at));
    }
    return n;
}

// KEY=1, KEY=1.5, KEY=1,2 (a list; "1," is one too) or KEY='text'.
static void add_attribute(struct lam_onnx *o, struct lam_onnx_node *node,
                          char *text)
{
    struct lam_onnx_attribute *a = &node->attributes[node->n_attributes++];
    char *value = strchr(text, '=') + 1;
    double numbers[MAX] = {0};

    a->name = lam_onnx_text(o, text, (size_t)(value - 1 - text));
    a->text = lam_onnx_text(o, value + 1, strlen(value) - 1);
    if (*value == '\'') {
        a->kind = LAM_ONNX_KIND_TEXT;
        ((char *)a->text)[strlen(value) - 2] = '\0';
    } else if (strchr(value, ',')) {
        a->kind = LAM_ONNX_KIND_INTS;
        a->n = read_numbers(value, numbers);
        a->ints = lam_onnx_alloc(o, (size_t)a->n, sizeof(*a->ints));
        for (int i = 0; i < a->n; i++)
            ((int64_t *)a->ints)[i] = (int64_t)numbers[i];
    } else if (strchr(value, '.')) {
        a->kind = LAM_ONNX_KIND_FLOAT;
        a->real = strtod(value, NULL);
    } else {
        a->kind = LAM_ONNX_KIND_INT;
        a->whole = atoll(value);
    }
}

// "OUT,.. = OP(IN,..) ATTRIBUTES"; an operator of a domain is DOMAIN:OP.
static void add_node(struct lam_onnx *o, char *line)
{
    struct lam_onnx_node *node = &o->nodes[o->n_nodes++];
    char *rest, *outs = strtok_r(line, " =", &rest);
    char *op = strtok_r(NULL, "( =", &rest), *colon = strchr(op, ':');
    char *close = strchr(rest, ')');

    *close = '\0';
    node->n_out = add_names(o, &node->out, outs);
    node->n_in = add_names(o, &node->in, rest);
    node->name = "";
    node->domain = colon ? lam_onnx_text(o, op, (size_t)(colon - op)) : "";
    op = colon ? colon + 1 : op;
    node->op = lam_onnx_text(o, op, strlen(op));
    node->attributes = lam_onnx_alloc(o, 8, sizeof(*node->attributes));
    for (char *a = strtok_r(close + 1, " ", &rest); a;
         a = strtok_r(NULL, " ", &rest))
        add_attribute(o, node, a);
}

// Lines of `text` as a file: an image x and rows r, and what stands there. The
// last node's values are the outputs if no line says which.
static void write_case(struct lam_context *ctx, const char *text)
{
    char line[300], image[] = "x 1 1,4,8,8", rows[] = "r 1 1,6";
    struct lam_onnx o = {.opset = 13, .name = "case"};

    o.nodes = lam_onnx_alloc(&o, MAX, sizeof(*o.nodes));
    o.tensors = lam_onnx_alloc(&o, MAX, sizeof(*o.tensors));
    o.inputs = lam_onnx_alloc(&o, MAX, sizeof(*o.inputs));
    o.outputs = lam_onnx_alloc(&o, 100, sizeof(*o.outputs));
    add_value(&o, &o.inputs[o.n_inputs++], image);
    add_value(&o, &o.inputs[o.n_inputs++], rows);
    for (size_t n; *text; text += n + (text[n] == '\n')) {
        n = strcspn(text, "\n");
        snprintf(line, sizeof(line), "%.*s", (int)n, text);
        if (strncmp(line, "f ", 2) == 0 || strncmp(line, "i ", 2) == 0)
            add_constant(&o, line[0] == 'f', line + 2);
        else if (strncmp(line, "in ", 3) == 0)
            add_value(&o, &o.inputs[o.n_inputs++], line + 3);
        else if (strncmp(line, "out ", 4) == 0)
            add_value(&o, &o.outputs[o.n_outputs++], line + 4);
        else if (strncmp(line, "opset ", 6) == 0)
            o.opset = atoi(line + 6);
        else
            add_node(&o, line);
    }
    for (int i = 0; !o.n_outputs && o.n_nodes && i < 1; i++)
        o.outputs[o.n_outputs++] = (struct lam_onnx_value){
            .name = o.nodes[o.n_nodes - 1].out[0], .type = LAM_ONNX_FLOAT};
    CHECK_INT(lam_onnx_write(ctx, path, &o), LAM_OK);
    lam_onnx_free(&o);
}

static void check_case(const struct onnx_case *c, int status)
{
    const bool is_taken = status == LAM_OK;
    const struct lam_onnx_options options = {.append = NULL};
    struct lam_imported in = {0};
    struct lam_context ctx = {0};
    struct lam_onnx onnx = {0};
    struct lam_host host;
    int err;

    write_case(&ctx, c->text);
    CHECK_INT(lam_host_init(&host, &ctx, NULL, LAM_F32), LAM_OK);
    err = lam_onnx_read(&ctx, path, &onnx);
    if (!err)
        err =
            lam_onnx_import(&ctx, path, &onnx, registry, &host, &options, &in);
    if (err != status)
        printf("status %d of\n%s\n", err, c->text);
    CHECK_INT(err, status);
    CHECK_HAS(is_taken ? in.model : ctx.error, c->wanted);
    if (!is_taken)
        CHECK_HAS(ctx.error, path);
    lam_imported_free(&in);
    lam_onnx_free(&onnx);
    lam_host_finish(&host);
}

int main(void)
{
    struct lam_context ctx = {0};

    close(mkstemp(path));
    registry = lam_registry_create(&ctx);
    CHECK_INT(lam_registry_load_default(registry), LAM_OK);
    for (const struct onnx_case *c = onnx_refused; c->text; c++)
        check_case(c, LAM_EMODEL);
    for (const struct onnx_case *c = onnx_unfit; c->text; c++)
        check_case(c, LAM_ESHAPE);
    for (const struct onnx_case *c = onnx_taken; c->text; c++)
        check_case(c, LAM_OK);
    lam_registry_destroy(registry);
    unlink(path);
    return check_done();
}
