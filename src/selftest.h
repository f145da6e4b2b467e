// selftest.h - the proof of every layer, loss and optimiser on a device, from
// what its plugin ships: samples and a plain C reference. For each sample
//   - the forward run of the plain kernels against the reference, bit-equal
//     where the sample says EXACT, no NaN of the poison left, canaries intact;
//   - in double: forward again, gradients of all inputs and weights against
//     central differences of the reference (eps 1e-6, atol 1e-5, rtol 1e-3),
//     the adjoint of linear layers (<Ax, y> = <x, A'y> to 1e-12, to 1e-5 in
//     float);
//   - backward in float against backward in double;
//   - the same bits in a second run, and when layers work in place;
//   - every variant that takes the shapes against the plain kernels;
//   - the gradient of an input that a relu made, where the layer takes the
//     relu along;
//   - the same bits with gaps between images, where the layer and the variant
//     take a pitch, which the gaps survive;
//   - all of that with images as halves, where the layer takes them: bit-equal
//     to the rounded results in float where the sample is exact.
// A result that is zero throughout is not trusted: it tested nothing.
#ifndef LAM_SELFTEST_H
#define LAM_SELFTEST_H

#include "device.h"
#include "registry.h"

// What a tiny run still takes: elements and multiply-adds of a sample; variants
// of a layer that it counts.
enum { LAM_TINY_WORK = 40000, LAM_TINY_VARIANTS = 32 };

struct lam_selftest {
    struct lam_context *ctx;
    const struct lam_registry *registry;
    struct lam_queue *queue; // opened with poison and canary
    struct lam_host host[2]; // real is LAM_F32, LAM_F64
    const char *op;          // only this layer or optimiser; NULL: all
    int only_case;           // only this sample; -1: all
    // For simulators: leaves out samples of much work, second runs, runs in
    // place, and each variant after two samples.
    bool is_tiny;
    // Called for each case: its name and "" or what is wrong.
    void (*report)(const char *name, const char *problem);
    int passed, failed, skipped;
    // Cases that had such a check.
    int n_gradients, n_adjoints, n_variants, n_halves, n_gates, n_gaps;
    int n_runs[LAM_TINY_VARIANTS]; // of each variant of the layer
};

// Fills in the hosts. Without double on the device the checks in double are
// skipped, and counted as such.
int lam_selftest_open(struct lam_selftest *test);
void lam_selftest_close(struct lam_selftest *test);

// All samples of all plugins. Errors of the tests are counted, not returned.
int lam_selftest_run(struct lam_selftest *test);

// One line each "conv2d 1x2x7x5 filters=3 kernel=3": bit-equal on integers.
int lam_selftest_batch(struct lam_selftest *test, const char *path);
// Cases of a folder, one safetensors file each (tests/onnx/convert.py makes
// them of ONNX's node tests): rtol 1e-3, atol 1e-7.
int lam_selftest_files(struct lam_selftest *test, const char *folder);
// n made-up shapes of the layers whose sums are exact.
int lam_selftest_exact(struct lam_selftest *test, int n, uint64_t seed);

#endif
