// Model files and overrides that are refused, each with its sentence: blocks,
// what layers read, shapes, losses, --set, included files.
#include "model.h"

#include <stdlib.h>
#include <unistd.h>

#include "../check.h"
#include "device.h"

static struct lam_registry *registry;

#define HEAD         "format: 1\ninputs: {x: [N, 1, 8, 8]}\n"
#define LAYERS(text) HEAD "layers:\n" text "\noutputs: [a]\n"
#define BLOCKS(blocks, rows)                                                   \
    HEAD "blocks:\n" blocks "\nlayers:\n" rows "\noutputs: [a]\n"
#define UP   "  up: {params: {n: 1, l: [1, 2]}, layers: [{name: r, type: relu}]}"
#define KIND "  up: {params: {kind: b}, cases: kind, best: [], c: 1, d: []}"
#define LOSS(loss)                                                             \
    HEAD "layers: [{name: a, type: sigmoid}]\noutputs: [a]\nloss: " loss "\n"
#define PLAIN "{type: dice, from: a}"
// A name of 150 letters.
#define LONG30 "abcdefghijklmnopqrstuvwxyzabcd"
#define LONG   LONG30 LONG30 LONG30 LONG30 LONG30

static const struct {
    const char *text, *set, *wanted;
    int status;
} rows[] = {
    // Layers and what they read.
    {LAYERS("  - 3"), NULL, "f:4:5: a layer is written {name: .., type: ..}",
     LAM_EMODEL},
    {LAYERS("  - {name: [a], type: relu}"), NULL, "a layer has no 'name'",
     LAM_EMODEL},
    {LAYERS("  - {name: '', type: relu}"), NULL, "a layer has no 'name'",
     LAM_EMODEL},
    {LAYERS("  - {name: " LONG LONG ", type: relu}"), NULL,
     "f:4:5: a name is too long", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: " LONG LONG "}"), NULL,
     "names no input or layer above", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: x.y.z}"), NULL,
     "f:4:27: 'x.y.z' names no input or layer above", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: x.y}"), NULL,
     "f:4:5: a: there is no value 'x.y'", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: []}"), NULL,
     "'from' takes 1 to 16 names", LAM_EMODEL},
    {LAYERS("  - {name: a, type: add, from: [x, x, x, x, x, x, x, x, x, x, x, "
            "x, x, x, x, x, x]}"),
     NULL, "'from' takes 1 to 16 names", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: [[x]]}"), NULL,
     "'from' wants names of layers", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, from: {x: 1}}"), NULL,
     "'from' wants names of layers", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, frozen: yes}"), NULL,
     "frozen is 'yes', wanted true or false", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu, slope: {b: 1}}"), NULL,
     "'slope' wants a word, a number or a list of them", LAM_EMODEL},
    {LAYERS("  - {name: a, type: dice}"), NULL,
     "f:4:5: a: dice takes 2 inputs, found 1", LAM_EMODEL},
    {"format: 1\ninputs: {x: [N, 1], y: [N, 1]}\nlayers:\n"
     "  - {name: a, type: relu}\noutputs: [a]\n",
     NULL, "f:4:5: the first layer needs 'from'", LAM_EMODEL},
    // Inputs and outputs.
    {"format: 1\ninputs: [x]\nlayers: []\n", NULL, "'inputs' is missing",
     LAM_EMODEL},
    {"format: 1\ninputs: {}\nlayers: []\n", NULL, "'inputs' is missing",
     LAM_EMODEL},
    {HEAD "layers: {a: 1}\n", NULL, "'layers' is missing", LAM_EMODEL},
    {HEAD "layers: []\n", NULL, "'layers' is missing", LAM_EMODEL},
    {HEAD "layers: [{name: a, type: relu}]\n", NULL, "'outputs' is missing",
     LAM_EMODEL},
    {HEAD "layers: [{name: a, type: relu}]\noutputs: a\n", NULL,
     "f:4:1: 'outputs' is missing: a list of names", LAM_EMODEL},
    {HEAD "layers: [{name: a, type: relu}]\noutputs: []\n", NULL,
     "'outputs' is missing: a list of names", LAM_EMODEL},
    {HEAD "layers: [{name: a, type: relu}]\noutputs: [[a]]\n", NULL,
     "'outputs' wants names", LAM_EMODEL},
    {HEAD "layers: [{name: bun, type: relu}]\noutputs: [bum]\n", NULL,
     "there is no value 'bum' (did you mean 'bun'?)", LAM_EMODEL},
    {HEAD "layers: [{name: a, type: relu}]\noutputs: [quite_another]\n", NULL,
     "there is no value 'quite_another'", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs.x=N,1,8,0",
     "input 'x': '0' is no size of a dimension", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs.x=N,1,8,2000000",
     "'2000000' is no size of a dimension", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs.x=N,1,8,wide",
     "'wide' is no size of a dimension", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs.x=N,1,1,1,1,1,1",
     "'1' is no size of a dimension", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs.x=,",
     "input 'x' has no dimensions", LAM_EMODEL},
    {LAYERS("  - {name: a, type: relu}"), "inputs={x: {y: 1}}",
     "input 'x' wants a shape: [N, 1, 256, 256]", LAM_EMODEL},
    // Blocks.
    {BLOCKS(UP, "  - {name: a, block: [up]}"), NULL, "unknown block ''",
     LAM_EMODEL},
    {BLOCKS(UP, "  - {name: a, block: upp}"), NULL,
     "f:6:5: unknown block 'upp' (did you mean 'up'?)", LAM_EMODEL},
    {BLOCKS(UP, "  - {name: a, block: up, m: 2}"), NULL,
     "block 'up' has no parameter 'm' (did you mean 'n'?)", LAM_EMODEL},
    {BLOCKS(UP, "  - {name: a, block: up, something: 2}"), NULL,
     "f:6:26: block 'up' has no parameter 'something'", LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: r, type: relu}]}",
            "  - {name: a, block: up, m: 2}"),
     NULL, "block 'up' has no parameter 'm'", LAM_EMODEL},
    {BLOCKS("  up: {layers: []}", "  - {name: a, block: up}"), NULL,
     "block 'up' has no list of 'layers'", LAM_EMODEL},
    {BLOCKS("  up: {layers: 3}", "  - {name: a, block: up}"), NULL,
     "block 'up' has no list of 'layers'", LAM_EMODEL},
    {BLOCKS("  up: {cases: kind}", "  - {name: a, block: up}"), NULL,
     "block 'up': cases are chosen by 'kind', which is no parameter of it",
     LAM_EMODEL},
    {BLOCKS(KIND, "  - {name: a, block: up, kind: bes}"), NULL,
     "block 'up': kind is 'bes', wanted one of best, d (did you mean 'best'?)",
     LAM_EMODEL},
    {BLOCKS(KIND, "  - {name: a, block: up, kind: params}"), NULL,
     "kind is 'params', wanted one of best, d", LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: r, block: up}]}",
            "  - {name: a, block: up}"),
     NULL, "(does 'up' use itself?)", LAM_EMODEL},
    {BLOCKS("  up: {params: {}, layers: [{name: r, type: $kind}]}",
            "  - {name: a, block: up}"),
     NULL, "the block has no parameter 'kind'", LAM_EMODEL},
    {BLOCKS("  up: {params: {k: {a: 1}}, layers: [{name: r, type: $k}]}",
            "  - {name: a, block: up}"),
     NULL, "parameter 'k' is no number or word", LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: r, type: relu, from: $in2}]}",
            "  - {name: a, block: up}"),
     NULL, "'$in2': the block was given 1 input", LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: r, type: relu, from: $in0}]}",
            "  - {name: a, block: up, from: [x, x]}"),
     NULL, "'$in0': the block was given 2 inputs", LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: rat, type: relu}, {name: s, type: relu, "
            "from: rap}]}",
            "  - {name: a, block: up}"),
     NULL, "'rap' names no input or layer above (did you mean 'rat'?)",
     LAM_EMODEL},
    {BLOCKS("  up: {layers: [{name: " LONG ", type: relu}]}",
            "  - {name: " LONG ", block: up}"),
     NULL, "a name is too long", LAM_EMODEL},
    // Losses.
    {LOSS("dice"), NULL, "f:5:1: 'loss' is missing", LAM_EMODEL},
    {LOSS("{type: dice}"), NULL, "a loss is written {type: .., from: ..}",
     LAM_EMODEL},
    {LOSS("{from: a}"), NULL, "a loss is written {type: .., from: ..}",
     LAM_EMODEL},
    {LOSS("[dice]"), NULL, "a loss is written {type: .., from: ..}",
     LAM_EMODEL},
    {LOSS("[]"), NULL, "1 to 8 losses, found 0", LAM_EMODEL},
    {LOSS("[1, 2, 3, 4, 5, 6, 7, 8, 9]"), NULL, "1 to 8 losses, found 9",
     LAM_EMODEL},
    {LOSS("{type: dice, from: a, factor: 2}"), NULL,
     "'factor' is for lists of losses", LAM_EMODEL},
    {LOSS("{type: dice, from: a, factor: x}"), NULL,
     "factor is 'x', wanted a number", LAM_EMODEL},
    {LOSS("{type: relu, from: a}"), NULL, "'relu' is a layer, not a loss",
     LAM_EMODEL},
    {LOSS("{type: dicee, from: a}"), NULL,
     "unknown layer type 'dicee' (did you mean 'dice'?)", LAM_EMODEL},
    {LOSS("{type: dice, from: b}"), NULL,
     "f:5:20: there is no value 'b' (did you mean 'x'?)", LAM_EMODEL},
    {LOSS("{type: dice, from: a, smooth: {b: 1}}"), NULL,
     "'smooth' wants a word, a number or a list of them", LAM_EMODEL},
    {LOSS("[" PLAIN ", {type: dice, from: b}]"), NULL, "there is no value 'b'",
     LAM_EMODEL},
    // Overrides.
    {LOSS(PLAIN), "name.x=1", "--set name.x: name is no mapping", LAM_EUSAGE},
    {LOSS(PLAIN), "=1", "--set =1: wanted NAME.KEY=VALUE", LAM_EUSAGE},
    {LOSS(PLAIN), LONG LONG "=1", "wanted NAME.KEY=VALUE", LAM_EUSAGE},
    {LOSS(PLAIN), "los.smooth=1",
     "'los' is no section, block or layer of f (did you mean 'loss'?)",
     LAM_EUSAGE},
    {LOSS(PLAIN), "other=1", "'other' is no section, block or layer of f",
     LAM_EUSAGE},
    {LOSS(PLAIN), "a.b.c=1", "'a' is no section, block or layer", LAM_EUSAGE},
    {LOSS("[" PLAIN "]"), "loss.1.smooth=1", "there are 1 terms", LAM_EUSAGE},
    {LOSS("[" PLAIN "]"), "loss.-1.smooth=1", "there are 1 terms", LAM_EUSAGE},
    {LOSS("[" PLAIN "]"), "loss.smooth=1", "loss is no mapping", LAM_EUSAGE},
    {LOSS("dice"), "loss.smooth=1", "--set loss.smooth: loss is no mapping",
     LAM_EUSAGE},
    {LOSS(PLAIN), "loss=dice", "'loss' is missing", LAM_EMODEL},
    {LOSS(PLAIN), "loss={type: dice", "--set:2:1: did not find", LAM_EMODEL},
    {LOSS(PLAIN), "loss={type: dice, from: b}", "--set: there is no value 'b'",
     LAM_EMODEL},
    {BLOCKS(UP, "  - {name: a, block: up}"), "up.nn=2",
     "--set up.nn=2: block 'up' has no parameter 'nn' (did you mean 'n'?)",
     LAM_EUSAGE},
    {BLOCKS(UP, "  - {name: a, block: up}"), "up.quite=2",
     "--set up.quite=2: block 'up' has no parameter 'quite'", LAM_EUSAGE},
    {BLOCKS(UP, "  - {name: a, block: up}"), "a.r.s.t=2",
     "'a' is no section, block or layer", LAM_EUSAGE},
    // Halves.
    {LAYERS("  - {name: h, type: cast, to: half}\n"
            "  - {name: a, type: softmax}"),
     NULL, "f:5:5: a: softmax reads no halves: wanted a cast to: float",
     LAM_EMODEL},
    {LAYERS("  - {name: h, type: cast, to: half}\n"
            "  - {name: a, type: add, from: [h, x]}"),
     NULL, "some of its inputs are halves, some floats", LAM_EMODEL},
    {LAYERS("  - {name: a, type: cast, to: half}"), NULL,
     "f:5:11: 'a' is halves, and outputs are floats", LAM_EMODEL},
    {LAYERS("  - {name: h, type: cast, to: half}\n"
            "  - {name: r, type: relu}\n"
            "  - {name: a, type: cast, to: float}"),
     NULL, "", LAM_OK},
    // What is right, by the same way.
    {LOSS("[" PLAIN ", {type: dice, from: a, factor: 0.5}]"),
     "loss.1.factor=0.25", "", LAM_OK},
    {LOSS(PLAIN), "loss.smooth=2", "", LAM_OK},
    {LOSS(PLAIN), "train.epochs=2", "", LAM_OK},
    {LOSS("[" PLAIN "]"), "loss=[" PLAIN "," PLAIN "]", "", LAM_OK},
};

static int build(struct lam_context *ctx, const char *text, const char *set)
{
    struct lam_model *model = NULL;
    struct lam_graph *graph = NULL;
    struct lam_host host;
    int loss, err = lam_host_init(&host, ctx, NULL, LAM_F32);

    if (!err)
        err = lam_model_parse(ctx, "f", text, strlen(text), &set, set != NULL,
                              &model);
    if (!err)
        err = lam_graph_create(ctx, registry, &host, 1, &graph);
    if (!err)
        err = lam_model_build(model, graph, 2);
    if (!err && lam_model_has(model, "loss"))
        err = lam_model_build_loss(model, graph, &loss);
    lam_graph_destroy(graph);
    lam_model_destroy(model);
    lam_host_finish(&host);
    return err;
}

static void check_rows(void)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lam_context ctx = {0};
        const int err = build(&ctx, rows[i].text, rows[i].set);

        if (err != rows[i].status)
            printf("%s\n--set %s\n", rows[i].text,
                   rows[i].set ? rows[i].set : "nothing");
        CHECK_INT(err, rows[i].status);
        CHECK_HAS(ctx.error, rows[i].wanted);
    }
}

// Files that a model includes, in a folder of their own.
static void check_include(void)
{
    static const struct {
        const char *include, *other, *wanted;
    } cases[] = {{"include: no_such.yaml\n", "", "there is no file"},
                 {"include: /etc/passwd\n", "", "names of files in the folder"},
                 {"include: [[b.yaml]]\n", "", "names of files in the folder"},
                 {"include: b.yaml\n", "name: x\n",
                  "b.yaml:1:1: an included file holds 'blocks' alone, found "
                  "'name'"},
                 {"include: [b.yaml]\n", "blocks: {c: [\n", "b.yaml:2:1"},
                 {"include: [b.yaml, b.yaml]\n",
                  "blocks: {c: {layers: [{name: d, type: no_layer}]}}\n",
                  "unknown layer type 'no_layer'"}};
    char folder[] = "/tmp/lamina-XXXXXX", path[64], other[64];

    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof(path), "%s/a.yaml", folder);
    snprintf(other, sizeof(other), "%s/b.yaml", folder);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct lam_context ctx = {0};
        struct lam_model *model = NULL;
        struct lam_graph *graph = NULL;
        struct lam_host host;
        FILE *file = fopen(path, "w"), *included = fopen(other, "w");
        int err;

        CHECK(file && included);
        if (!file || !included)
            break;
        fprintf(file, "%s%slayers: [{name: a, block: c}]\noutputs: [a]\n", HEAD,
                cases[i].include);
        fputs(cases[i].other, included);
        fclose(file);
        fclose(included);
        CHECK_INT(lam_host_init(&host, &ctx, NULL, LAM_F32), LAM_OK);
        err = lam_model_load(&ctx, path, NULL, 0, &model);
        if (!err)
            err = lam_graph_create(&ctx, registry, &host, 1, &graph);
        if (!err)
            err = lam_model_build(model, graph, 2);
        CHECK_INT(err, LAM_EMODEL);
        CHECK_HAS(ctx.error, cases[i].wanted);
        lam_graph_destroy(graph);
        lam_model_destroy(model);
        lam_host_finish(&host);
    }
    unlink(path);
    unlink(other);
    rmdir(folder);
}

int main(void)
{
    struct lam_context ctx = {0};

    registry = lam_registry_create(&ctx);
    CHECK_INT(lam_registry_load_default(registry), LAM_OK);
    check_rows();
    check_include();
    lam_registry_destroy(registry);
    return check_done();
}
