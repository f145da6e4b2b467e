// Which values lie in another one: hand-made graphs, and random ones whose
// memory is played through.
#include "plan_joins.h"

#include <stdlib.h>

#include "../check.h"
#include "rng.h"

enum { PART = 128, CELL = PART / 4, MAX_NODES = 24 };
enum { IMAGES = 3, MOST = 64 }; // and cells of a value

// Value 0 is the graph's input, value i + 1 the output of layer i; [images, C].
static struct lam_node nodes[MAX_NODES];
static struct lam_value values[MAX_NODES + 1];
static int last[MAX_NODES + 1];
static bool pitched[MAX_NODES + 1];
static struct lam_place places[MAX_NODES + 1];
static struct lam_graph graph = {.values = values, .nodes = nodes};

static int64_t images = 1;

static struct lam_value value_of(int64_t elements, int producer)
{
    return (struct lam_value){.shape = {.rank = 2, .dim = {images, elements}},
                              .producer = producer};
}

static void start(int64_t elements)
{
    graph.n_nodes = 0;
    graph.n_values = 1;
    values[0] = value_of(elements, -1);
    last[0] = 0;
    pitched[0] = false;
}

static void plan(int64_t part_bytes)
{
    bool joins[MAX_NODES];

    for (int i = 0; i < graph.n_nodes; i++)
        joins[i] = lam_plan_can_join(&graph, i, part_bytes);
    lam_plan_joins(&graph, last, pitched, joins, places);
}

// Its inputs end with -1; elements 0: as many as they have together. Returns
// its value.
static int add(uint32_t flags, int64_t elements, const int *in)
{
    const int i = graph.n_nodes++, out = graph.n_values++;
    int64_t together = 0;

    nodes[i] = (struct lam_node){.shapes = {.flags = flags, .n_out = 1}};
    nodes[i].out[0] = out;
    for (int n = 0; in[n] >= 0; n = ++nodes[i].shapes.n_in) {
        nodes[i].in[n] = in[n];
        last[in[n]] = i;
        together += values[in[n]].shape.dim[1];
    }
    nodes[i].shapes.out[0].rank = 2;
    nodes[i].shapes.out[0].dim[0] = images;
    nodes[i].shapes.out[0].dim[1] = elements ? elements : together;
    values[out] = value_of(elements ? elements : together, i);
    last[out] = i;
    pitched[out] = true;
    return out;
}

#define IN(...)                                                                \
    (const int[])                                                              \
    {                                                                          \
        __VA_ARGS__, -1                                                        \
    }

static void check_place(int value, int host, int64_t offset)
{
    CHECK_INT(places[value].host, host);
    CHECK_INT(places[value].offset, offset);
}

static void check_one_join(void)
{
    int a, b, c;

    start(1);
    a = add(0, CELL, IN(0));
    b = add(0, 3, IN(a));
    c = add(LAM_JOINS, 0, IN(a, b));
    plan(PART);
    check_place(a, c, 0);
    check_place(b, c, PART);
    check_place(c, -1, 0);
    CHECK(lam_plan_is_joined(&graph, 2, places));
    CHECK(!lam_plan_is_joined(&graph, 1, places));
    // Parts that cannot start there; none at all.
    for (int part_bytes = 0; part_bytes <= 2 * PART; part_bytes += 2 * PART) {
        plan(part_bytes);
        check_place(a, -1, 0);
        check_place(b, -1, 0);
    }
    // A layer that says it joins, but adds something.
    values[c].shape.dim[1]++;
    plan(PART);
    check_place(a, -1, 0);
}

// All of a layer's inputs or none.
static void check_refused(void)
{
    int a, b, c, d;

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(LAM_JOINS, 0, IN(a, 0)); // the graph's input
    c = add(LAM_JOINS, 0, IN(b, a, b));
    plan(PART);
    check_place(a, -1, 0);
    check_place(b, -1, 0);
    CHECK(!lam_plan_is_joined(&graph, 2, places));

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, CELL, IN(0));
    c = add(LAM_JOINS, 0, IN(b, a));
    d = add(LAM_JOINS, 0, IN(a, c)); // has a, so c has not
    plan(PART);
    check_place(a, d, 0);
    check_place(b, -1, 0);
    check_place(c, d, PART);
}

static void check_nested(void)
{
    int a, b, c, d, e;

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, 2 * CELL, IN(a));
    c = add(LAM_JOINS, 0, IN(a, b));
    d = add(0, CELL, IN(c));
    e = add(LAM_JOINS, 0, IN(d, c));
    plan(PART);
    check_place(a, c, 0);
    check_place(b, c, PART);
    check_place(c, e, PART);
    check_place(d, e, 0);
}

static void check_in_place(void)
{
    int a, b, c, d, e;

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(LAM_RUN_INPLACE, 0, IN(a));
    c = add(0, CELL, IN(0));
    d = add(LAM_JOINS, 0, IN(c, b));
    plan(PART);
    check_place(b, d, PART);
    check_place(a, b, 0);
    last[a] = 2; // read once more
    plan(PART);
    check_place(b, d, PART);
    check_place(a, -1, 0);

    // What is joined is written over: fine only if its parts have no reader
    // then.
    for (int late = 0; late < 2; late++) {
        start(CELL);
        a = add(0, CELL, IN(0));
        b = add(0, CELL, IN(0));
        c = add(LAM_JOINS, 0, IN(a, b));
        d = add(LAM_RUN_INPLACE, 0, IN(c));
        e = add(LAM_JOINS, 0, IN(d, add(0, CELL, IN(late ? a : 0))));
        plan(PART);
        check_place(d, e, 0);
        check_place(c, d, 0);
        check_place(a, late ? -1 : c, 0);
        check_place(b, late ? -1 : c, late ? 0 : PART);
    }
}

// With several images values lie among each other's, which their layers must
// know, and none may read there while it writes there.
static void check_pitch(void)
{
    int a, b, c, d, e, f;

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, 2 * CELL, IN(0));
    c = add(LAM_JOINS, 0, IN(a, b));
    d = add(LAM_RUN_INPLACE, 0, IN(c));
    e = add(0, CELL, IN(0));
    f = add(LAM_JOINS, 0, IN(e, d));
    plan(PART);
    check_place(d, f, PART);
    CHECK_INT(places[d].pitch, 4 * CELL);
    CHECK_INT(places[f].pitch, 0);
    check_place(c, -1, 0); // nor would it work in place
    CHECK_INT(places[c].pitch, 0);
    check_place(b, c, PART);
    CHECK_INT(places[b].pitch, 3 * CELL);
    CHECK_INT(lam_plan_pitch(&graph, 2, 0), 3 * CELL);
    CHECK_INT(lam_plan_pitch(&graph, 2, 9), 9);
    pitched[a] = false;
    plan(PART);
    check_place(a, -1, 0);
    check_place(b, -1, 0);
    check_place(d, f, PART);

    // b reads a; and d reads c, in which they are.
    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, CELL, IN(a));
    c = add(LAM_JOINS, 0, IN(a, b));
    plan(PART);
    check_place(a, -1, 0);
    check_place(b, -1, 0);
    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, CELL, IN(0));
    c = add(LAM_JOINS, 0, IN(a, b));
    d = add(0, CELL, IN(c));
    e = add(LAM_JOINS, 0, IN(d, c));
    plan(PART);
    check_place(c, -1, 0);
    check_place(d, -1, 0);
    check_place(a, c, 0);

    // One within the other: the pitch is that of the outer.
    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, CELL, IN(0));
    c = add(LAM_JOINS, 0, IN(a, b));
    d = add(0, CELL, IN(0));
    e = add(LAM_JOINS, 0, IN(d, c));
    plan(PART);
    check_place(b, c, PART);
    CHECK_INT(places[b].pitch, 3 * CELL);
    check_place(c, e, PART);
    CHECK_INT(places[c].pitch, 3 * CELL);
    CHECK(lam_plan_is_joined(&graph, 2, places));
    CHECK(lam_plan_is_joined(&graph, 4, places));
}

static uint64_t drawn, at;

static int draw(int n)
{
    return (int)(lam_rng_bits(drawn, at++) % (uint64_t)n);
}

static int cells_of(int value)
{
    return (int)(values[value].shape.dim[1] / CELL);
}

static void draw_graph(uint64_t seed)
{
    drawn = seed;
    at = 0;
    start(CELL);
    while (graph.n_nodes < MAX_NODES) {
        const int kind = draw(3), n_in = 1 + draw(3);
        int in[4] = {-1, -1, -1, -1}, cells = 0;

        // One of the last values rather than one of long ago.
        for (int k = 0; k < n_in; k++) {
            const int back = draw(draw(2) ? 4 : graph.n_values);

            in[k] = back < graph.n_values ? graph.n_values - 1 - back : 0;
            cells += cells_of(in[k]);
        }
        if (kind == 0 && cells <= MOST)
            add(LAM_JOINS, 0, in);
        else if (kind == 1)
            add(LAM_RUN_INPLACE, CELL * cells_of(in[0]), in);
        else
            add(0, CELL * (1 + draw(3)), in);
    }
    for (int i = 0; i < graph.n_values; i++) {
        if (draw(6) == 0) // read by backward
            last[i] += draw(MAX_NODES);
        pitched[i] = draw(4) > 0;
    }
}

// What the cells of each value are to hold, and what they hold.
static int wanted[MAX_NODES + 1][IMAGES][MOST];
static int memory[MAX_NODES + 1][IMAGES * MOST];

static int outermost(int value)
{
    while (places[value].host >= 0)
        value = places[value].host;
    return value;
}

static int *cells_at(int value, int image)
{
    const int64_t pitch = places[value].pitch;
    int64_t offset = 0;

    for (int v = value; places[v].host >= 0; v = places[v].host) {
        CHECK(places[v].host > v);
        offset += places[v].offset;
    }
    return &memory[outermost(value)]
                  [offset / PART +
                   image * (pitch ? pitch / CELL : cells_of(value))];
}

static bool holds(int value)
{
    bool same = true;

    for (int i = 0; i < images; i++)
        same &= check_same(cells_at(value, i), wanted[value][i],
                           sizeof(int) * (size_t)cells_of(value));
    return same;
}

// What layer i makes of an image.
static void make(int i, int image, int *token)
{
    const struct lam_node *node = &nodes[i];
    int n = 0, *to = wanted[node->out[0]][image];

    for (int k = 0; k < node->shapes.n_in; k++)
        for (int c = 0; c < cells_of(node->in[k]); c++)
            if (node->shapes.flags & LAM_JOINS)
                to[n++] = wanted[node->in[k]][image][c];
    while (n < cells_of(node->out[0]))
        to[n++] = (*token)++;
}

// Runs the graph, cell by cell; the number of layers that are joined.
static int play(void)
{
    int n_joined = 0, n_lost = 0, token = 1;

    memset(memory, 0, sizeof(memory));
    memset(wanted, 0, sizeof(wanted));
    for (int i = 0; i < graph.n_nodes; i++) {
        const struct lam_node *node = &nodes[i];
        const int out = node->out[0];
        const bool is_joined = lam_plan_is_joined(&graph, i, places);

        for (int k = 0; k < node->shapes.n_in; k++) {
            n_lost += !holds(node->in[k]);
            // No kernel reads and writes memory of two buffers that overlap.
            CHECK(is_joined || !places[out].pitch ||
                  outermost(out) != outermost(node->in[k]));
        }
        for (int image = 0; image < images; image++) {
            make(i, image, &token);
            if (!is_joined)
                memcpy(cells_at(out, image), wanted[out][image],
                       sizeof(int) * (size_t)cells_of(out));
        }
        n_joined += is_joined;
        for (int v = 0; v <= out; v++)
            n_lost += (last[v] > i || v == out) && !holds(v);
    }
    CHECK_INT(n_lost, 0);
    return n_joined;
}

int main(void)
{
    int n_joined[IMAGES + 1] = {0};

    check_one_join();
    check_refused();
    check_nested();
    check_in_place();
    images = 2;
    check_pitch();
    for (images = 1; images <= IMAGES; images += 2)
        for (uint64_t seed = 0; seed < 500; seed++) {
            draw_graph(seed);
            plan(PART);
            n_joined[images] += play();
        }
    CHECK(n_joined[1] > 500);
    CHECK(n_joined[IMAGES] > 200);
    return check_done();
}
