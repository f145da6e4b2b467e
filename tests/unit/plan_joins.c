// Which values lie in another one: hand-made graphs, and random ones whose
// memory is played through.
#include "plan_joins.h"

#include <stdlib.h>

#include "../check.h"
#include "rng.h"

enum { PART = 128, CELL = PART / 4, MAX_NODES = 24 };

// Value 0 is the graph's input, value i + 1 the output of layer i.
static struct lam_node nodes[MAX_NODES];
static struct lam_value values[MAX_NODES + 1];
static int last[MAX_NODES + 1];
static struct lam_place places[MAX_NODES + 1];
static struct lam_graph graph = {.values = values, .nodes = nodes};

static void start(int64_t elements)
{
    graph.n_nodes = 0;
    graph.n_values = 1;
    values[0] = (struct lam_value){.shape = {.rank = 1, .dim = {elements}},
                                   .producer = -1};
    last[0] = 0;
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
        together += values[in[n]].shape.dim[0];
    }
    values[out] = (struct lam_value){
        .shape = {.rank = 1, .dim = {elements ? elements : together}},
        .producer = i};
    last[out] = i;
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
    lam_plan_joins(&graph, last, PART, places);
    check_place(a, c, 0);
    check_place(b, c, PART);
    check_place(c, -1, 0);
    CHECK(lam_plan_is_joined(&graph, 2, places));
    CHECK(!lam_plan_is_joined(&graph, 1, places));
    // Parts that cannot start there; none at all.
    for (int part_bytes = 0; part_bytes <= 2 * PART; part_bytes += 2 * PART) {
        lam_plan_joins(&graph, last, part_bytes, places);
        check_place(a, -1, 0);
        check_place(b, -1, 0);
    }
    // A layer that says it joins, but adds something.
    values[c].shape.dim[0]++;
    lam_plan_joins(&graph, last, PART, places);
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
    lam_plan_joins(&graph, last, PART, places);
    check_place(a, -1, 0);
    check_place(b, -1, 0);
    CHECK(!lam_plan_is_joined(&graph, 2, places));

    start(CELL);
    a = add(0, CELL, IN(0));
    b = add(0, CELL, IN(0));
    c = add(LAM_JOINS, 0, IN(b, a));
    d = add(LAM_JOINS, 0, IN(a, c)); // has a, so c has not
    lam_plan_joins(&graph, last, PART, places);
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
    lam_plan_joins(&graph, last, PART, places);
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
    lam_plan_joins(&graph, last, PART, places);
    check_place(b, d, PART);
    check_place(a, b, 0);
    last[a] = 2; // read once more
    lam_plan_joins(&graph, last, PART, places);
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
        lam_plan_joins(&graph, last, PART, places);
        check_place(d, e, 0);
        check_place(c, d, 0);
        check_place(a, late ? -1 : c, 0);
        check_place(b, late ? -1 : c, late ? 0 : PART);
    }
}

static uint64_t drawn, at;

static int draw(int n)
{
    return (int)(lam_rng_bits(drawn, at++) % (uint64_t)n);
}

static int cells_of(int value)
{
    return (int)(values[value].shape.dim[0] / CELL);
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
        if (kind == 0 && cells <= 64)
            add(LAM_JOINS, 0, in);
        else if (kind == 1)
            add(LAM_RUN_INPLACE, CELL * cells_of(in[0]), in);
        else
            add(0, CELL * (1 + draw(3)), in);
    }
    for (int i = 0; i < graph.n_values; i++)
        if (draw(6) == 0) // read by backward
            last[i] += draw(MAX_NODES);
}

// What the cells of each value are to hold, and what they hold.
static int wanted[MAX_NODES + 1][64], memory[MAX_NODES + 1][64];

static int *cells_at(int value)
{
    int64_t offset = 0;

    while (places[value].host >= 0) {
        CHECK(places[value].host > value);
        offset += places[value].offset;
        value = places[value].host;
    }
    return &memory[value][offset / PART];
}

static bool holds(int value)
{
    return check_same(cells_at(value), wanted[value],
                      sizeof(int) * (size_t)cells_of(value));
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
        int n = 0;

        for (int k = 0; k < node->shapes.n_in; k++)
            for (int c = 0; c < cells_of(node->in[k]); c++)
                if (node->shapes.flags & LAM_JOINS)
                    wanted[out][n++] = wanted[node->in[k]][c];
        while (n < cells_of(out))
            wanted[out][n++] = token++;
        for (int k = 0; k < node->shapes.n_in; k++)
            n_lost += !holds(node->in[k]);
        if (!is_joined)
            memcpy(cells_at(out), wanted[out], sizeof(int) * (size_t)n);
        n_joined += is_joined;
        for (int v = 0; v <= out; v++)
            n_lost += (last[v] > i || v == out) && !holds(v);
    }
    CHECK_INT(n_lost, 0);
    return n_joined;
}

int main(void)
{
    int n_joined = 0;

    check_one_join();
    check_refused();
    check_nested();
    check_in_place();
    for (uint64_t seed = 0; seed < 500; seed++) {
        draw_graph(seed);
        lam_plan_joins(&graph, last, PART, places);
        n_joined += play();
    }
    CHECK(n_joined > 500);
    return check_done();
}
