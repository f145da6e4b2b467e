// Model files: every fault gets one sentence with its place; blocks, overrides
// and the resolved file do what they say.
#include "model.h"

#include <stdlib.h>

#include "../check.h"
#include "device.h"

static struct lam_context ctx;
static struct lam_registry *registry;
static struct lam_host host;

#define HEAD         "format: 1\ninputs: {x: [N, 1, 8, 8]}\n"
#define LAYERS(text) HEAD "layers:\n" text "\noutputs: [a]\n"

static const struct {
    const char *text, *set, *message;
} bad[] = {
    {"", NULL, "f:1:1: the file is empty"},
    {"[1, 2]", NULL, "a mapping was wanted"},
    {"format: 2", NULL, "f:1:1: 'format: 1' is wanted"},
    {"format: 1\nlayrs: []", NULL,
     "f:2:1: unknown section 'layrs' (did you mean 'layers'?)"},
    {"format: 1\nformat: 1", NULL, "f:2:1: key 'format' is there twice"},
    {"a: &x 1", NULL, "f:1:4: anchors"},
    {"a: *x", NULL, "f:1:4: aliases"},
    {"a: !!int 1", NULL, "f:1:4: anchors (&name) and tags"},
    {"a: 1\n---\nb: 1", NULL, "a second document"},
    {"a: {b: [1, 2}", NULL, "f:1:"},
    {"\ta: 1", NULL, "f:1:1:"},
    {"format: 1", NULL, "'inputs' is missing"},
    {HEAD, NULL, "'layers' is missing"},
    {LAYERS("  - {type: relu}"), NULL, "f:4:5: a layer has no 'name'"},
    {LAYERS("  - {name: a}"), NULL, "f:4:5: layer 'a' has neither"},
    {LAYERS("  - {name: a, type: rellu}"), NULL,
     "f:4:5: a: unknown layer type 'rellu' (did you mean 'relu'?)"},
    {LAYERS("  - {name: a, type: relu, from: y}"), NULL,
     "f:4:27: 'y' names no input or layer above (did you mean 'x'?)"},
    {LAYERS("  - {name: a, type: relu}\n  - {name: a, type: relu}"), NULL,
     "f:5:5: the name 'a' is there already"},
    {LAYERS("  - {name: a, type: conv2d, filter: 3, kernel: 3}"), NULL,
     "f:4:29: a: unknown parameter 'filter' (did you mean 'filters'?)"},
    {LAYERS("  - {name: a, type: conv2d, filters: no, kernel: 3}"), NULL,
     "f:4:29: a: filters is 'no', wanted a whole number"},
    {LAYERS("  - {name: a, type: conv2d, filters: 012, kernel: 3}"), NULL,
     "filters is '012'"},
    {LAYERS("  - {name: a, type: conv2d, kernel: 3}"), NULL,
     "a: parameter 'filters' is missing"},
    {LAYERS("  - {name: a, type: leaky_relu, slope: 7}"), NULL,
     "f:4:33: a: slope is 7, wanted 0 to 1"},
    {LAYERS("  - {name: a, type: add, from: [x, x], factors: [1]}"), NULL,
     "f:4:5: a: 1 factors for 2 inputs"},
    {LAYERS("  - {name: a, block: up}"), NULL, "f:4:5: unknown block 'up'"},
    {LAYERS("  - {name: b, type: relu}"), NULL,
     "f:5:11: there is no value 'a'"},
    {LAYERS("  - {name: a, type: relu}"), "b.slope=1",
     "'b' is no section, block or layer"},
    {LAYERS("  - {name: a, type: relu}"), "nonsense", "wanted NAME.KEY=VALUE"},
};

static int build(const char *text, const char *set, char **resolved)
{
    struct lam_model *model = NULL;
    struct lam_graph *graph = NULL;
    const char *const sets[] = {set};
    int err = lam_model_parse(&ctx, "f", text, strlen(text), sets, set != NULL,
                              &model);

    if (!err)
        err = lam_graph_create(&ctx, registry, &host, 1, &graph);
    if (!err)
        err = lam_model_build(model, graph, 2);
    if (!err && resolved)
        *resolved = lam_model_resolved(model);
    lam_graph_destroy(graph);
    lam_model_destroy(model);
    return err;
}

static void check_bad(void)
{
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        CHECK(build(bad[i].text, bad[i].set, NULL) != LAM_OK);
        CHECK_HAS(ctx.error, bad[i].message);
        lam_error_clear(&ctx);
    }
}

static void check_deep(void)
{
    static char text[200002];

    memset(text, '[', 200000);
    CHECK_INT(build(text, NULL, NULL), LAM_EMODEL);
    CHECK_HAS(ctx.error, "nested too deeply");
    lam_error_clear(&ctx);
}

static const char blocks[] =
    HEAD "blocks:\n"
         "  act:\n"
         "    params: {kind: relu, slope: 0.1}\n"
         "    cases: kind\n"
         "    relu:\n      - {name: r, type: relu}\n"
         "    leaky:\n      - {name: l, type: leaky_relu, slope: $slope}\n"
         "    none: []\n"
         "  two:\n"
         "    params: {kind: relu}\n"
         "    layers:\n      - {name: p, block: act, kind: $kind}\n"
         "      - {name: q, type: add, from: [p, $in]}\n"
         "layers:\n  - {name: a, block: two}\n"
         "  - {name: b, block: two, kind: leaky}\n"
         "  - {name: c, block: two, kind: none}\n"
         "outputs: [c]\n";

static void check_blocks(void)
{
    char *first = NULL, *second = NULL, *set = NULL, *whole = NULL;

    CHECK_INT(build(blocks, NULL, &first), LAM_OK);
    CHECK_HAS(first, "{name: a.p.r, type: relu, from: [x]}");
    CHECK_HAS(first, "{name: a.q, type: add, from: [a.p.r, x]}");
    CHECK_HAS(first,
              "{name: b.p.l, type: leaky_relu, from: [a.q], slope: 0.1}");
    CHECK_HAS(first, "{name: c.q, type: add, from: [b.q, b.q]}");
    CHECK_HAS(first, "outputs: [c.q]");
    CHECK_INT(build(blocks, "train={epochs: 3, lr: 0.5}", &whole), LAM_OK);
    CHECK_HAS(whole, "train: {epochs: 3, lr: 0.5}");
    CHECK_INT(build(blocks, "train={epochs: 3", NULL), LAM_EMODEL);
    CHECK_HAS(ctx.error, "--set:2:1: did not find");
    lam_error_clear(&ctx);
    free(whole);
    CHECK_INT(build(first ? first : "", NULL, &second), LAM_OK);
    CHECK_STR(second, first ? first : "");
    CHECK_INT(build(blocks, "two.kind=leaky", &set), LAM_OK);
    CHECK_HAS(set, "a.p.l");
    free(set);
    set = NULL;
    CHECK_INT(build(blocks, "b.p.l.slope=0.5", &set), LAM_OK);
    CHECK_HAS(set, "slope: 0.5");
    CHECK(build(blocks, "two.kind=leeky", NULL) != LAM_OK);
    CHECK_HAS(ctx.error, "did you mean 'leaky'");
    lam_error_clear(&ctx);
    free(first);
    free(second);
    free(set);
}

int main(void)
{
    registry = lam_registry_create(&ctx);
    CHECK_INT(lam_registry_load_default(registry), LAM_OK);
    CHECK_INT(lam_host_init(&host, &ctx, NULL, LAM_F32), LAM_OK);
    check_bad();
    check_deep();
    check_blocks();
    lam_host_finish(&host);
    lam_registry_destroy(registry);
    return check_done();
}
