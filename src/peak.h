// peak.h - what a device can do at best: floats multiplied and added in
// registers, bytes copied within its memory. For benchmarks to compare with.
#ifndef LAM_PEAK_H
#define LAM_PEAK_H

#include "device.h"

struct lam_peak {
    double gflops; // a multiply-add counts as two
    double gb_s;   // read and written together
};

// The best of some runs, a second or two. host is one of floats.
int lam_peak_measure(const struct lam_host *host, struct lam_queue *queue,
                     struct lam_peak *peak);

#endif
