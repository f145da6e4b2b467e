// joins.h - networks with something to join, and what of it is.
#ifndef LAM_TEST_JOINS_H
#define LAM_TEST_JOINS_H

// Norms, whose relu is made again for backward.
static const char norms[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: an, type: batchnorm}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: p, type: maxpool, kernel: 2}\n"
    "  - {name: b, type: conv2d, filters: 6, kernel: 3}\n"
    "  - {name: bn, type: batchnorm}\n"
    "  - {name: br, type: relu}\n"
    "  - {name: up, type: conv_transpose2d, filters: 4, kernel: 2, stride: 2}\n"
    "  - {name: cat, type: concat, from: [up, ar]}\n"
    "  - {name: d, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: dn, type: batchnorm}\n"
    "  - {name: dr, type: relu}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Relus whose gradient convolutions take along, two levels.
static const char relus[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: p1, type: maxpool, kernel: 2}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: br, type: relu}\n"
    "  - {name: p2, type: maxpool, kernel: 2}\n"
    "  - {name: e, type: conv2d, filters: 8, kernel: 3}\n"
    "  - {name: er, type: relu}\n"
    "  - {name: up2, type: conv_transpose2d, filters: 6, kernel: 2, "
    "stride: 2}\n"
    "  - {name: ur, type: relu}\n"
    "  - {name: cat2, type: concat, from: [ur, br]}\n"
    "  - {name: d, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: dr, type: relu}\n"
    "  - {name: up1, type: conv_transpose2d, filters: 4, kernel: 2, "
    "stride: 2}\n"
    "  - {name: cat1, type: concat, from: [up1, ar]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// One in the other, with layers before that work in place.
static const char nested[] =
    "  - {name: a, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: at, type: tanh}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3, from: image}\n"
    "  - {name: one, type: concat, from: [at, b]}\n"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: dd, type: dropout}\n"
    "  - {name: dt, type: tanh}\n"
    "  - {name: two, type: concat, from: [dt, one]}\n"
    "  - {name: e, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: three, type: concat, from: [e, two]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Both `one` and `two` read b. The second has it, so the first copies.
static const char shared[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: b, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: one, type: concat, from: [a, b]}\n"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: two, type: concat, from: [d, b]}\n"
    "  - {name: e, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: three, type: concat, from: [one, e]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// The graph's input, which has no host (as halves it is cast, and has), and
// outputs, which may have one.
static const char ends[] =
    "  - {name: a, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: one, type: concat, from: [image, a]}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: two, type: concat, from: [b, a]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [a, two, c]\n";

// t1 may not work in place, for a is read later; t2 may.
static const char written[] =
    "  - {name: a, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: b, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: one, type: concat, from: [b, a]}\n"
    "  - {name: t1, type: tanh}\n"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: sum, type: add, from: [d, a]}\n"
    "  - {name: e, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: two, type: concat, from: [sum, e]}\n"
    "  - {name: t2, type: tanh}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// t, the last reader of a, may not work in place: `one` is read later.
static const char beside[] =
    "  - {name: a, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: b, type: conv2d, filters: 2, kernel: 3, from: image}\n"
    "  - {name: one, type: concat, from: [b, a]}\n"
    "  - {name: t, type: tanh, from: a}\n"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3, from: one}\n"
    "  - {name: e, type: conv2d, filters: 2, kernel: 3, from: t}\n"
    "  - {name: f, type: add, from: [d, e]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Nor d, which reads a with all of `one`.
static const char within[] =
    "  - {name: a, type: conv2d, filters: 1, kernel: 3}\n"
    "  - {name: b, type: conv2d, filters: 3, kernel: 3, from: image}\n"
    "  - {name: one, type: concat, from: [a, b]}\n"
    "  - {name: d, type: mul, from: [one, a]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// The same input twice; an input alone.
static const char twice[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: one, type: concat, from: [a, a]}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: two, type: concat, from: [b]}\n"
    "  - {name: t, type: tanh}\n"
    "  - {name: d, type: conv2d, filters: 2, kernel: 3}\n"
    "  - {name: sum, type: concat, from: [d, a, d]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Windows and enlargements, a concat that copies from where another one has it.
static const char windows[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: p, type: maxpool, kernel: 2}\n"
    "  - {name: q, type: maxpool, kernel: 3, stride: 2, from: a}\n"
    "  - {name: one, type: concat, from: [p, q]}\n"
    "  - {name: d, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: u, type: resize, scale: 2, mode: bilinear}\n"
    "  - {name: v, type: resize, scale: 2, mode: nearest, from: d}\n"
    "  - {name: two, type: concat, from: [u, v, a]}\n"
    "  - {name: e, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: three, type: concat, from: [e, a]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Convolutions of all kinds, what they read as well. The groups of g lie apart.
static const char kinds[] =
    "  - {name: i, type: conv2d, filters: 2, kernel: 1}\n"
    "  - {name: j, type: conv2d, filters: 2, kernel: 3, from: image}\n"
    "  - {name: one, type: concat, from: [i, j]}\n"
    "  - {name: a, type: conv2d, filters: 4, kernel: 3, from: i}\n"
    "  - {name: ar, type: relu}\n"
    "  - {name: s, type: conv2d, filters: 8, kernel: 3, stride: 2}\n"
    "  - {name: sr, type: relu}\n"
    "  - {name: t, type: conv_transpose2d, filters: 4, kernel: 4, "
    "stride: 2}\n"
    "  - {name: tr, type: relu}\n"
    "  - {name: u, type: resize, scale: 2, mode: nearest, from: sr}\n"
    "  - {name: uc, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: ur, type: relu}\n"
    "  - {name: g, type: conv2d, filters: 4, kernel: 3, groups: 2, dilation: "
    "2, from: one}\n"
    "  - {name: o, type: conv2d, filters: 4, kernel: 1, from: one}\n"
    "  - {name: cat, type: concat, from: [tr, ur, ar, g, o]}\n"
    "  - {name: d, type: conv2d, filters: 8, kernel: 3, stride: 2}\n"
    "  - {name: p, type: conv_transpose2d, filters: 2, kernel: 2, stride: "
    "2}\n"
    "  - {name: q, type: conv2d, filters: 2, kernel: 1, from: tr}\n"
    "  - {name: two, type: concat, from: [p, q]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

// Gradients of sums serve as those of dn and an, of en and s1, of bn and s3; as
// they are they are added to those of an (from s1), q (from s4) and q twice.
// Not that of s2, which d changes before an's is read, nor of rr, which is a
// relu's. s4 lies where s6 is made, so `one` copies it.
static const char sums[] =
    "  - {name: a, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: an, type: batchnorm}\n"
    "  - {name: b, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: bn, type: batchnorm}\n"
    "  - {name: s1, type: add, from: [bn, an]}\n"
    "  - {name: e, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: en, type: batchnorm}\n"
    "  - {name: s2, type: add, from: [en, s1]}\n"
    "  - {name: d, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: dn, type: batchnorm}\n"
    "  - {name: s3, type: add, from: [dn, s2, an]}\n"
    "  - {name: r, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: rr, type: relu}\n"
    "  - {name: q, type: conv2d, filters: 4, kernel: 3}\n"
    "  - {name: s4, type: add, from: [rr, q, s3]}\n"
    "  - {name: s5, type: add, from: [q, q]}\n"
    "  - {name: one, type: concat, from: [s4, s5]}\n"
    "  - {name: s6, type: add, factors: [2, 1], from: [s4, q]}\n"
    "  - {name: two, type: concat, from: [s6, one]}\n"
    "  - {name: c, type: conv2d, filters: 1, kernel: 3}\n"
    "outputs: [c]\n";

struct counts {
    int training, inference, backward; // layers that are joined
};

// With several images layers must know of gaps (add and mul do not), the
// graph's outputs have none, and no layer reads and writes the same whole.
static const struct {
    const char *name, *layers;
    struct counts one, several;
    int same; // gradients that are those of sums
} cases[] = {
    {"norms", norms, {1, 1, 1}, {1, 1, 1}, 0},
    {"relus", relus, {2, 2, 2}, {2, 2, 2}, 0},
    {"nested", nested, {3, 3, 3}, {2, 2, 3}, 0},
    {"shared", shared, {2, 2, 3}, {2, 2, 3}, 0},
    {"ends", ends, {1, 1, 2}, {0, 0, 0}, 0},
    {"written", written, {2, 2, 2}, {0, 0, 1}, 2},
    {"beside", beside, {1, 1, 1}, {1, 1, 1}, 2},
    {"within", within, {1, 1, 1}, {0, 0, 1}, 0},
    {"twice", twice, {1, 1, 3}, {1, 1, 1}, 0},
    {"windows", windows, {2, 2, 3}, {2, 2, 3}, 0},
    {"sums", sums, {1, 1, 2}, {0, 0, 0}, 10},
    {"kinds", kinds, {3, 3, 3}, {3, 3, 3}, 0},
};

#endif
