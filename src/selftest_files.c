// Cases made by somebody else: a safetensors file each, with in0, in1 .. and
// out0 .., weight.NAME, state.NAME (wanted after the run) and in the metadata
// layer, params and training.
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "safetensors.h"
#include "selftest_case.h"
#include "shape.h"

// The tolerance of ONNX's own runner.
static const double absolute = 1e-7, relative = 1e-3;

static int take(struct lam_context *ctx, const struct lam_stored *t, int64_t n,
                double *dst, const char *name)
{
    if (!t || lam_shape_elements(&t->shape) != n || t->shape.dtype != LAM_F32)
        return lam_fail(ctx, LAM_EDATA, "%s is %s", name,
                        t ? "of another size" : "missing");
    for (int64_t i = 0; i < n; i++)
        dst[i] = (double)((const float *)t->data)[i];
    return LAM_OK;
}

// "2x3x4x4 2x1" of the inputs in the file.
static void print_inputs(const struct lam_safetensors *file, char *text,
                         size_t size)
{
    size_t used = 0;

    text[0] = '\0';
    for (int i = 0; i < LAM_MAX_IN && used < size; i++) {
        char name[16], shape[80];
        const struct lam_stored *t;

        snprintf(name, sizeof(name), "in%d", i);
        t = lam_safetensors_find(file, name);
        if (!t)
            return;
        used +=
            (size_t)snprintf(text + used, size - used, "%s%s", i ? " " : "",
                             lam_shape_print(&t->shape, shape, sizeof(shape)));
    }
}

static int fill_case(struct lam_case *c, const struct lam_safetensors *file)
{
    const struct lam_node *node = &c->graph[LAM_F32]->nodes[0];
    char name[80];
    int err = LAM_OK;

    for (int i = 0; i < c->n_in && !err; i++) {
        snprintf(name, sizeof(name), "in%d", i);
        err = take(c->test->ctx, lam_safetensors_find(file, name),
                   lam_shape_elements(&c->in_shape[i]), c->in[i], name);
    }
    for (int i = 0; i < node->shapes.n_weight && !err; i++) {
        const struct lam_weight *w = &node->shapes.weight[i];

        snprintf(name, sizeof(name), "weight.%s", w->name);
        err = take(c->test->ctx, lam_safetensors_find(file, name),
                   lam_shape_elements(&w->shape), c->weight[i], name);
    }
    return err;
}

// An inexact variant may also be wrong by a part of the largest value.
static void compare(struct lam_case *c, const char *variant, bool is_inexact,
                    const char *name, const struct lam_stored *want,
                    const double *got, int64_t n)
{
    double most = absolute;

    if (c->problem[0])
        return;
    if (lam_shape_elements(&want->shape) != n) {
        snprintf(c->problem, sizeof(c->problem),
                 "%s has %lld elements, wanted %lld", name, (long long)n,
                 (long long)lam_shape_elements(&want->shape));
        return;
    }
    for (int64_t i = 0; i < n && is_inexact; i++)
        most = fmax(
            most,
            2e-5 * fmax(1.0, fabs((double)((const float *)want->data)[i])));
    for (int64_t i = 0; i < n; i++) {
        const double w = (double)((const float *)want->data)[i];

        if (got[i] == w || fabs(got[i] - w) <= most + relative * fabs(w))
            continue;
        snprintf(c->problem, sizeof(c->problem),
                 "%s: %s[%lld] is %.9g, wanted %.9g", variant, name,
                 (long long)i, got[i], w);
        return;
    }
}

static int run_variant(struct lam_case *c, const struct lam_safetensors *file,
                       const char *variant, bool is_inexact)
{
    const struct lam_node *node = &c->graph[LAM_F32]->nodes[0];
    char choice[80], name[80];
    const struct lam_stored *want;
    struct lam_outcome o;
    int err;

    snprintf(choice, sizeof(choice), "op=%s", variant);
    err = lam_case_run(c, LAM_F32, choice, LAM_CASE_KEEP_ALL, &o);
    for (int i = 0; i < node->shapes.n_out && !err; i++) {
        snprintf(name, sizeof(name), "out%d", i);
        want = lam_safetensors_find(file, name);
        if (want)
            compare(c, variant, is_inexact, name, want, o.out[i],
                    lam_shape_elements(&node->shapes.out[i]));
    }
    for (int i = 0; i < node->shapes.n_weight && !err; i++) {
        snprintf(name, sizeof(name), "state.%s", node->shapes.weight[i].name);
        want = lam_safetensors_find(file, name);
        if (want)
            compare(c, variant, is_inexact, name, want, o.weight[i],
                    lam_shape_elements(&node->shapes.weight[i].shape));
    }
    lam_outcome_free(&o);
    return err;
}

static int run_case(struct lam_case *c, struct lam_selftest *test,
                    const struct lam_safetensors *file)
{
    const char *layer = lam_safetensors_meta(file, "layer");
    const char *params = lam_safetensors_meta(file, "params");
    const char *training = lam_safetensors_meta(file, "training");
    const struct lam_layer_type *type =
        layer ? lam_registry_layer(test->registry, layer) : NULL;
    struct lam_sample sample = {.params = params};
    char inputs[512];
    int err;

    if (!type || !params)
        return lam_fail(test->ctx, LAM_EDATA, "there is no layer '%s'",
                        layer ? layer : "");
    print_inputs(file, inputs, sizeof(inputs));
    sample.inputs = inputs;
    sample.flags = LAM_SAMPLE_NO_GRAD;
    if (!training || strcmp(training, "1") != 0)
        sample.flags |= LAM_SAMPLE_EVAL;
    err = lam_case_open(c, test, type, &sample);
    if (!err)
        err = fill_case(c, file);
    if (!err)
        err = run_variant(c, file, "plain", false);
    for (const struct lam_variant *v = type->variants; v && v->name && !err;
         v++)
        if (v->pass == LAM_PASS_RUN &&
            v->score(&c->graph[LAM_F32]->nodes[0].layer,
                     &c->graph[LAM_F32]->nodes[0].shapes) > 0)
            err = run_variant(c, file, v->name, v->flags & LAM_INEXACT);
    return err;
}

static void run_file(struct lam_selftest *test, const char *path,
                     const char *name)
{
    struct lam_case *c = calloc(1, sizeof(*c));
    struct lam_safetensors *file = NULL;
    int err;

    if (!c) {
        lam_selftest_count(test, name, "out of memory");
        return;
    }
    err = lam_safetensors_read(test->ctx, path, &file);
    if (!err)
        err = run_case(c, test, file);
    lam_selftest_count(test, name, err ? test->ctx->error : c->problem);
    lam_case_close(c);
    free(c);
    lam_safetensors_free(file);
}

static int is_case(const struct dirent *entry)
{
    const size_t n = strlen(entry->d_name);

    return n > 12 && strcmp(entry->d_name + n - 12, ".safetensors") == 0;
}

int lam_selftest_files(struct lam_selftest *test, const char *folder)
{
    struct dirent **found;
    const int n = scandir(folder, &found, is_case, alphasort);

    if (n < 0)
        return lam_fail(test->ctx, LAM_EFILE, "folder %s cannot be read",
                        folder);
    for (int i = 0; i < n; i++) {
        char path[1200];

        snprintf(path, sizeof(path), "%s/%s", folder, found[i]->d_name);
        run_file(test, path, found[i]->d_name);
        free(found[i]);
    }
    free(found);
    return LAM_OK;
}
