// child.h - another program, run and waited for.
#ifndef LAM_CHILD_H
#define LAM_CHILD_H

#include "status.h"

enum { CHILD_MAX_WORDS = 192, CHILD_SIGNAL = 1000 };

struct child {
    const char *program; // a path, or a name to be found in PATH
    const char *words[CHILD_MAX_WORDS + 1]; // the first is the program's name
    int n;
    const char *out;   // file that standard output goes to; NULL: ours
    bool is_quiet;     // standard error goes nowhere
    int ended;         // exit code, or CHILD_SIGNAL + signal
    double peak_bytes; // of its memory
};

// Words beyond the room are dropped; a NULL value drops its option.
void child_add(struct child *child, const char *word);
void child_add_option(struct child *child, const char *name, const char *value);
// LAM_ERUN if it could not be started. How it ended is for the caller to judge.
int child_run(struct lam_context *ctx, struct child *child);

#endif
