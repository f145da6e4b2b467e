// guard.h - memory with one side at a page that may not be touched: a kernel
// of a processor that leaves its buffer ends the program there and then.
#ifndef LAM_GUARD_H
#define LAM_GUARD_H

#include <stdbool.h>
#include <stddef.h>

struct lam_guard {
    void *memory; // what is handed out; NULL: none
    void *pages;
    size_t pages_bytes;
};

// False without memory. at_end: the guard begins where bytes, rounded up to 4,
// end; else it ends where they begin.
bool lam_guard_open(struct lam_guard *guard, size_t bytes, bool at_end);
void lam_guard_close(struct lam_guard *guard); // all zeros are fine

#endif
