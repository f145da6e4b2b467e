// progress.h - how far a long job is: one line, rewritten, on a terminal; plain
// lines now and then elsewhere. All on stderr.
#ifndef LAM_PROGRESS_H
#define LAM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct lam_meter {
    bool quiet, is_terminal, has_line;
    double started, last; // seconds
    int64_t first, total; // steps
    double smooth_loss;
    bool has_loss;
};

void lam_meter_start(struct lam_meter *meter, bool quiet, int64_t first,
                     int64_t total);
void lam_meter_step(struct lam_meter *meter, int64_t step, int64_t epoch,
                    int64_t epochs, double loss, double lr, int batch);
// So many of the total are done: "12/60 images 0:48 left".
void lam_meter_count(struct lam_meter *meter, int64_t done, const char *what);
// Before anything else is written to the terminal.
void lam_meter_clear(struct lam_meter *meter);
double lam_clock(void); // seconds, monotonic

#endif
